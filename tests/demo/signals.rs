//! Ctrl-C, SIGTERM and SIGHUP end the story early, but in order: servers stopped, files removed, cursor back.

use std::sync::atomic::{AtomicI32, Ordering};

static CAME: AtomicI32 = AtomicI32::new(0);

extern "C" fn remember(number: libc::c_int) {
    CAME.store(number, Ordering::Relaxed);
}

/// From now on a signal is remembered instead of ending the process. One that was ignored stays ignored.
pub fn listen() {
    for number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe; the rest is plain system calls.
        unsafe {
            let before = libc::signal(number, remember as extern "C" fn(libc::c_int) as libc::sighandler_t);
            if before == libc::SIG_IGN {
                libc::signal(number, libc::SIG_IGN);
            }
        }
    }
}

/// The signal that came last, if any did.
pub fn came() -> Option<i32> {
    Some(CAME.load(Ordering::Relaxed)).filter(|number| *number != 0)
}
