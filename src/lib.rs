//! The presence B2B user agent as a Kamailio module.
#![deny(missing_docs, unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

#[allow(dead_code, unused_imports)]
pub mod document;
pub mod qsa;
pub mod registry;
pub mod subscription;

// Unit test executables cannot link the symbols that the server gives to its modules.
#[cfg(not(test))]
mod host;
#[cfg(not(test))]
mod module;
