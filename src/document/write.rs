//! Documents that the module writes itself, for those that its own notifiers tell.
//!
//! A document is written from the same values that its reader fills in, so that reading what was written gives them back. Every text may
//! come from a peer: it is escaped, and characters that XML does not know are replaced.

mod dialog_info;
mod reginfo;
mod xml;
