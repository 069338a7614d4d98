//! The one guard every `extern "C"` entry goes through (law L6).

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::log;

/// Runs `body` for the entry point named `entry`; a panic is logged and becomes `failure`.
///
/// One dead child ends the whole server, so a panic must cost one request at most. What `body` borrows may be left half
/// done: shared state is stepped under locks whose guards are released by the unwinding, and the steps reserve before they change.
pub fn guard<R>(entry: &'static str, failure: R, body: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => {
            let text = payload
                .downcast_ref::<&str>()
                .copied()
                .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("no message");
            log::error(&format!("BUG: {entry} panicked and its request is lost: {text}; please report this"));
            failure
        }
    }
}
