//! What users touch: script and KEMI functions, RPC commands, the event route and its pseudo-variable.
#![forbid(unsafe_code)]

pub mod event;
pub mod rpc;
pub mod script;
