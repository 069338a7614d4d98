//! Kamailio's `str` and Rust's slices.

use super::bindings::str_;

/// The bytes a `str` points at; empty for a null or negative one.
///
/// # Safety
/// What `text` points at must be readable and unchanged for `'a`.
pub unsafe fn bytes<'a>(text: &str_) -> &'a [u8] {
    match usize::try_from(text.len) {
        // SAFETY: not null and of this length, by the caller's promise.
        Ok(len) if !text.s.is_null() && len > 0 => unsafe { std::slice::from_raw_parts(text.s.cast(), len) },
        _ => &[],
    }
}

/// A `str` that points at `bytes`; the host must only read it, and only while `bytes` lives.
#[must_use]
pub fn view(bytes: &[u8]) -> str_ {
    str_ { s: bytes.as_ptr().cast_mut().cast(), len: i32::try_from(bytes.len()).unwrap_or(0) }
}
