//! Waiting for something to become true, as short as possible.

use std::time::{Duration, Instant};

/// How long something that should happen at once may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer, and panics with `what` when there is none in time.
pub fn eventually<T>(within: Duration, what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    until(within, attempt).unwrap_or_else(|| panic!("not within {within:?}: {what}"))
}

/// Like [`eventually`], but without a failure.
pub fn until<T>(within: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(found) = attempt() {
            return Some(found);
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
