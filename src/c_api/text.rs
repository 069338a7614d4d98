//! Kamailio's `str`.

use std::ffi::{c_char, c_int};

/// Kamailio's `str`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Str {
    pub s: *mut c_char,
    pub len: c_int,
}

/// A `str` of all but the last byte, which is a NUL, of a text that C may write to.
pub(super) fn terminated(text: &mut [u8]) -> Str {
    let len = text.len().saturating_sub(1);
    Str { s: text.as_mut_ptr().cast(), len: c_int::try_from(len).unwrap_or(c_int::MAX) }
}

/// A `str` that points to `bytes`. Never null, so that C code may hand it to any function; C only reads it.
pub(super) fn str_of(bytes: &[u8]) -> Str {
    let bytes = if bytes.is_empty() { c"".to_bytes() } else { bytes };
    // Longer than a `str` can say does not occur: a message has to pass through the server.
    Str { s: bytes.as_ptr().cast_mut().cast(), len: c_int::try_from(bytes.len()).unwrap_or(c_int::MAX) }
}
