//! Event routes of the script, native and KEMI.

use super::bindings as ks;
use super::text::view;
use std::ffi::CString;

/// An event route, found once before the fork.
#[derive(Clone, Debug)]
pub struct EventRoute {
    name: &'static str,
    native: Option<i32>,
    kemi_callback: String,
}

impl EventRoute {
    /// Looks up `event_route[name]`; `kemi_callback` is the KEMI function that stands in for it (empty for none).
    #[must_use]
    pub fn find(name: &'static str, kemi_callback: &str) -> Self {
        let native = CString::new(name).ok().and_then(|name| {
            // SAFETY: the name ends with NUL and is only read.
            let number = unsafe { ks::pb2b_event_route(name.as_ptr()) };
            (number >= 0).then_some(number)
        });
        Self { name, native, kemi_callback: kemi_callback.to_owned() }
    }

    /// Whether there is anything to run.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.native.is_some() || !self.kemi_callback.is_empty()
    }

    /// Runs the route with an empty message; `false` when nothing ran.
    #[must_use]
    pub fn run(&self) -> bool {
        let (callback, event) = (view(self.kemi_callback.as_bytes()), view(self.name.as_bytes()));
        let native = if self.kemi_callback.is_empty() { self.native.unwrap_or(-1) } else { -1 };
        // SAFETY: the host reads the strings; NULL stands for an empty message that it makes up.
        unsafe { ks::pb2b_run_event_route(native, &callback, &event, std::ptr::null_mut()) >= 0 }
    }
}
