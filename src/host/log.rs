//! Kamailio's log with its levels and prefix. Never call it while a shard lock is held (law L2).

use std::panic::Location;

use super::bindings;
use super::text::lend;
use crate::grammar::one_line;

/// An error the operator should act upon (L_ERR).
#[track_caller]
pub fn error(text: &str) {
    write(bindings::L_ERR, text);
}

/// Something is odd, work goes on (L_WARN).
#[track_caller]
pub fn warn(text: &str) {
    write(bindings::L_WARN as i32, text);
}

/// Something worth knowing that needs nothing done (L_NOTICE).
#[track_caller]
pub fn notice(text: &str) {
    write(bindings::L_NOTICE as i32, text);
}

/// A line about a start or a stop (L_INFO).
#[track_caller]
pub fn info(text: &str) {
    write(bindings::L_INFO as i32, text);
}

/// Whether the debug level is on (L_DBG).
#[must_use]
pub fn is_debug() -> bool {
    // SAFETY: only reads the level of this module.
    unsafe { bindings::pb2b_log_enabled(bindings::L_DBG as i32) != 0 }
}

/// A line to search for faults (L_DBG). The text is made only if the level is on.
#[track_caller]
pub fn debug(text: impl FnOnce() -> String) {
    if is_debug() {
        write(bindings::L_DBG as i32, &text());
    }
}

/// A text of a peer as a line has it: escaped, and cut where it is long.
#[must_use]
pub fn peer(text: &[u8]) -> String {
    const MOST: usize = 200;
    let cut = text.get(..MOST).unwrap_or(text);
    let shown = String::from_utf8_lossy(cut);
    match text.len().checked_sub(MOST) {
        None | Some(0) => format!("\"{}\"", one_line(&shown)),
        Some(more) => format!("\"{}\" and {more} more bytes", one_line(&shown)),
    }
}

/// The first 100 bytes of a text, escaped, for a message that quotes it; dots show that there is more.
#[must_use]
pub fn beginning(text: &[u8]) -> String {
    const MOST: usize = 100;
    let shown = text.get(..MOST).unwrap_or(text);
    format!("{}{}", shown.escape_ascii(), if text.len() > MOST { "..." } else { "" })
}

/// Whatever the text quotes, it is one line.
#[track_caller]
fn write(level: i32, text: &str) {
    let location = Location::caller();
    let line = i32::try_from(location.line()).unwrap_or(0);
    let text = &*one_line(text);
    lend([location.file().as_bytes(), b"presence_b2b", text.as_bytes()], |[file, function, text]| {
        // SAFETY: the host copies the strings before the call returns.
        unsafe { bindings::pb2b_log(level, &file, line, &function, &text) };
    });
}
