//! How long a database module waits for its database.

use std::ffi::{CStr, c_int};

use crate::host::module_params;

/// The database modules that wait for an answer for ever unless a parameter is set, the parameter, and its default.
const WAITING: &[(&str, &CStr, &CStr, c_int)] =
    &[("postgres:", c"db_postgres", c"timeout", 0), ("mysql:", c"db_mysql", c"timeout_interval", 2)];

/// A database that hangs would hold a process for ever.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the module {module} waits for an answer of the database for ever: set its parameter {parameter}, as in modparam(\"{module}\", \"{parameter}\", 5), so that a database that hangs is noticed"
)]
pub struct NoTimeout {
    /// The database module.
    pub module: &'static str,
    /// The parameter that is to be set, in seconds.
    pub parameter: &'static str,
}

/// Whether the module of a database URL would wait for ever, as its parameters are set.
#[must_use]
pub fn without_timeout(url: &str) -> Option<NoTimeout> {
    let (_, module, parameter, default) = WAITING.iter().find(|(kind, ..)| url.starts_with(kind))?;
    let seconds = module_params::number(module, parameter).unwrap_or(*default);
    let name = |text: &'static CStr| text.to_str().unwrap_or_default();
    (seconds <= 0).then(|| NoTimeout { module: name(module), parameter: name(parameter) })
}
