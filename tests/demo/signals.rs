//! Ctrl-C, SIGTERM and SIGHUP end the story early, but in order: servers stopped, files removed, cursor back. Ctrl-Z stops it
//! once the terminal is as it was.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

static CAME: AtomicI32 = AtomicI32::new(0);

static TO_STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn remember(number: libc::c_int) {
    CAME.store(number, Ordering::Relaxed);
}

extern "C" fn remember_stop(_: libc::c_int) {
    TO_STOP.store(true, Ordering::Relaxed);
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
    // SAFETY: as above.
    unsafe {
        let before = libc::signal(libc::SIGTSTP, remember_stop as extern "C" fn(libc::c_int) as libc::sighandler_t);
        if before == libc::SIG_IGN {
            libc::signal(libc::SIGTSTP, libc::SIG_IGN);
        }
    }
}

/// Whether it is to stop, since this was asked last.
pub fn is_to_stop() -> bool {
    TO_STOP.swap(false, Ordering::Relaxed)
}

/// Stops until a signal lets it go on.
pub fn stop() {
    // SAFETY: a plain system call.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// The signal that came last, if any did.
pub fn came() -> Option<i32> {
    Some(CAME.load(Ordering::Relaxed)).filter(|number| *number != 0)
}
