//! The QSA notifiers that come with the module.
#![forbid(unsafe_code)]

pub mod sip;
