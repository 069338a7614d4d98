//! The QSA notifiers that come with the module. Each registers with the hub, takes up what the hub offers it, tells the news and lets go
//! at the end.
#![forbid(unsafe_code)]

mod local;
mod share;
pub mod sip;
