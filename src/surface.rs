//! The users' side: script and KEMI functions, RPC commands, the subscriptions that these make, the event route, and the
//! pseudo-variables.
#![forbid(unsafe_code)]

mod answers;
pub mod commands;
pub mod event;
mod fields;
pub mod functions;
pub mod metrics;
pub mod rpc;
pub mod script;
pub mod state;
pub mod statistics;
pub mod stored;
pub mod subscriptions;
pub mod tables;
pub mod ties;
