//! The QSA notifiers that come with the module. Each registers with the hub, takes up what the hub offers it, tells the news and lets go
//! at the end.
#![forbid(unsafe_code)]

pub mod calls;
mod local;
pub mod registrations;
mod share;
pub mod sip;

use crate::engine::Engine;

/// The work of notifiers that is done in the b2b worker with this number; whether there was any.
pub fn work(engine: &Engine, worker: usize) -> bool {
    let told = calls::work(engine, worker);
    registrations::work(engine, worker) || told
}
