//! Event routes of the script, native and KEMI.

use std::ffi::{CStr, CString};

use super::bindings as ks;
use super::text::lend;
use super::transaction;

/// Whether the script is where a request can be answered: in `request_route`, or in a route that this has called.
#[must_use]
pub fn in_request_route() -> bool {
    // SAFETY: reads where the script is.
    unsafe { ks::pb2b_in_request_route() != 0 }
}

/// An event route, found once before the fork.
#[derive(Clone, Debug)]
pub struct EventRoute {
    name: &'static CStr,
    native: Option<i32>,
    /// KEMI engines read to the NUL, whatever length they are told.
    kemi_callback: CString,
}

/// A KEMI callback without KEMI.
#[derive(Debug, thiserror::Error)]
#[error(
    "modparam event_callback is \"{callback}\", but the script runs in no KEMI engine: set cfgengine, or leave it empty and write event_route[qsa:notify]"
)]
pub struct NoEngine {
    callback: String,
}

impl EventRoute {
    /// Looks up `event_route[name]`; `kemi_callback` is the KEMI function that replaces it (empty for none).
    ///
    /// # Errors
    /// When a callback is named and the script runs in no KEMI engine.
    pub fn find(name: &'static CStr, kemi_callback: &str) -> Result<Self, NoEngine> {
        // SAFETY: looks at what the configuration file has set.
        if !kemi_callback.is_empty() && unsafe { ks::pb2b_has_kemi_engine() } == 0 {
            return Err(NoEngine { callback: kemi_callback.to_owned() });
        }
        // SAFETY: the name ends with NUL and is only read.
        let number = unsafe { ks::pb2b_event_route(name.as_ptr()) };
        let native = (number >= 0).then_some(number);
        Ok(Self { name, native, kemi_callback: CString::new(kemi_callback).unwrap_or_default() })
    }

    /// The KEMI function that replaces the route.
    #[must_use]
    pub fn callback(&self) -> Option<&CStr> {
        (!self.kemi_callback.is_empty()).then_some(&self.kemi_callback)
    }

    /// Whether there is anything to run.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.native.is_some() || !self.kemi_callback.is_empty()
    }

    /// Runs the route with an empty message; `false` when nothing ran. Whatever it sets is gone afterwards: variables that belong
    /// to a message (AVPs and their like), flags, branches, the message itself, the current transaction. Only for
    /// processes that are not in the middle of a message.
    #[must_use]
    pub fn run(&self) -> bool {
        let native = if self.kemi_callback.is_empty() { self.native.unwrap_or(-1) } else { -1 };
        lend([self.kemi_callback.to_bytes(), self.name.to_bytes()], |[callback, event]| {
            // SAFETY: the host has texts of its own, which end with NUL; tm's functions are valid, or there are none.
            unsafe { ks::pb2b_run_event_route(native, &callback, &event, transaction::bound()) >= 0 }
        })
    }
}
