//! Names: whether the process may ask the name servers now, and for how long.

use std::time::Duration;

use super::bindings as ks;

/// A name could not be found, because no name server might be asked or none answered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed;

/// Makes the other functions work; call once, in `mod_init`.
pub fn watch() {
    // SAFETY: replaces the server's table of functions by ours, before the fork.
    unsafe { ks::pb2b_watch_names() };
}

/// Does `work` with what the server's cache knows of names: no name server is asked.
///
/// # Errors
/// [`Missed`] when one would have been.
pub fn from_cache<R>(work: impl FnOnce() -> R) -> Result<R, Missed> {
    let asking = Asking::begin(ks::PB2B_ASK_NOBODY, Duration::ZERO);
    let done = work();
    // SAFETY: reads a flag.
    let missed = unsafe { ks::pb2b_names_missed() } != 0;
    drop(asking);
    if missed { Err(Missed) } else { Ok(done) }
}

/// Does `work`, which may wait for name servers for so long altogether.
pub fn within<R>(bound: Duration, work: impl FnOnce() -> R) -> R {
    let _asking = Asking::begin(ks::PB2B_ASK_BRIEFLY, bound);
    work()
}

/// Ends when it is dropped, also by a panic.
struct Asking;

impl Asking {
    fn begin(whom: i32, time: Duration) -> Self {
        // SAFETY: sets numbers of this process.
        unsafe { ks::pb2b_ask_names(whom, i32::try_from(time.as_millis()).unwrap_or(i32::MAX)) };
        Self
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { ks::pb2b_ask_names(ks::PB2B_ASK_ANY, 0) };
    }
}
