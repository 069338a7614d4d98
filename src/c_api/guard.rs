//! No panic leaves the module (law L6).

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Wiring;
use super::types::Error;
use crate::qsa::Hub;

pub(super) type HubOf<W> = Hub<<W as Wiring>::Alloc, <W as Wiring>::Lock>;

/// Runs `f`; a panic is logged and answered with `failure`.
pub(super) fn guarded<W: Wiring, R>(function: &'static str, failure: R, f: impl FnOnce() -> R) -> R {
    // A panic leaves nothing half done: changes behind the hub's locks are single steps, and everything else is given up with it.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        W::panicked(function, text.unwrap_or("panic without a message"));
        failure
    })
}

/// Runs `f` with the hub; gives its number or the error as a negative one.
pub(super) fn with_hub<W: Wiring>(
    function: &'static str,
    f: impl FnOnce(&'static HubOf<W>) -> Result<c_int, Error>,
) -> c_int {
    guarded::<W, _>(function, Error::Internal as c_int, || {
        W::hub().ok_or(Error::NotReady).and_then(f).unwrap_or_else(|error| error as c_int)
    })
}
