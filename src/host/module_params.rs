//! The parameters of other modules, as the operator has set them.

use std::ffi::{CStr, c_int};

use super::bindings as ks;
use super::text::bytes;

/// The value of an integer; none if the module is not loaded, or has no such parameter.
pub(super) fn number(module: &CStr, name: &CStr) -> Option<c_int> {
    let mut value = 0;
    // SAFETY: names that end with NUL and are only read; the output is ours.
    (unsafe { ks::pb2b_param_int(module.as_ptr(), name.as_ptr(), &mut value) } >= 0).then_some(value)
}

/// The value of a text, unless it is empty; none if the module is not loaded, or has no such parameter.
pub(super) fn text(module: &CStr, name: &CStr) -> Option<String> {
    let mut value = ks::str_::default();
    // SAFETY: as above.
    let is_there = unsafe { ks::pb2b_param_str(module.as_ptr(), name.as_ptr(), &mut value) } >= 0;
    // SAFETY: the value of a parameter stays where it is.
    let text = unsafe { bytes(&value) };
    (is_there && !text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
}
