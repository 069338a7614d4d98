//! What users touch: script and KEMI functions, RPC commands, the subscriptions that these make, the event route and its
//! pseudo-variable.
#![forbid(unsafe_code)]

pub mod event;
pub mod rpc;
pub mod script;
pub mod subscriptions;
