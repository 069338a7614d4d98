//! The test harness panics where a test would fail. The audience of a demo should not see a panic: here it becomes an
//! error that is a sentence.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

thread_local! {
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Call once, first: a panic inside [`or_sentence`] prints nothing by itself.
pub fn keep_panics_quiet() {
    let loud = take_hook();
    set_hook(Box::new(move |panic| {
        if !CAUGHT.get() {
            loud(panic);
        }
    }));
}

/// Runs `work`; what it would have panicked with becomes the error.
pub fn or_sentence<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    CAUGHT.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(false);
    outcome.map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()))
            .unwrap_or_else(|| "something failed without a message".into())
    })
}
