//! Kamailio, as the rest of the module sees it.

pub mod bindings;
