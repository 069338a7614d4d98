//! The hub's C face, wired to the engine's hub.

use std::ffi::c_int;

use crate::c_api::{Api, Wiring, bind};
use crate::engine::{ShmHub, ShmRosters, engine};
use crate::host::lock::HUB;
use crate::host::log;
use crate::host::shared_lock::SharedLock;
use crate::host::shm::Shm;

/// The engine's hub.
struct Wired;

impl Wiring for Wired {
    type Alloc = Shm;
    type Lock = SharedLock<HUB>;

    fn hub() -> Option<&'static ShmHub> {
        engine().map(|engine| &engine.hub)
    }

    fn rosters() -> Option<&'static ShmRosters> {
        engine().map(|engine| &engine.rosters)
    }

    fn panicked(function: &'static str, message: &str) {
        log::error(&format!("BUG: {function} panicked and its call is lost: {message}; please report this"));
    }
}

/// Other modules find it as `bind_presence_b2b`; see the public header.
pub unsafe extern "C" fn bind_presence_b2b(api: *mut Api) -> c_int {
    // SAFETY: the header's inline function passes its structure, with version and size set.
    unsafe { bind::<Wired>(api) }
}
