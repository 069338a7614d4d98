//! Pseudo-variables of the form `$class(field)` and `$(class(field)[index])`.

use std::ffi::c_int;

use super::bindings as ks;
use super::text::{HeldText, bytes};

/// Stores the number `field` gives to the inner name in the host's specification; what a parse function does.
///
/// # Safety
/// Both must be what the host passes to a parse function.
#[must_use]
pub unsafe fn parse_name(
    spec: *mut ks::pv_spec_t,
    name: *mut ks::str_,
    field: impl FnOnce(&[u8]) -> Option<i32>,
) -> c_int {
    // SAFETY: valid by the caller's promise.
    let (Some(spec), Some(name)) = (unsafe { spec.as_mut() }, unsafe { name.as_ref() }) else { return -1 };
    // SAFETY: the name is readable while the host parses.
    let Some(number) = field(unsafe { bytes(name) }) else { return -1 };
    spec.pvp.pvn.type_ = ks::PV_NAME_INTSTR as c_int;
    spec.pvp.pvn.u.isname.type_ = 0;
    // An int, or a long since 6.0; the same holds below.
    spec.pvp.pvn.u.isname.name.n = number as _;
    0
}

/// Stores an index in the host's specification; what a parse function for indexes does. There is no iterator (`[+]`).
///
/// # Safety
/// Both must be what the host passes to a parse function.
#[must_use]
pub unsafe fn parse_index(spec: *mut ks::pv_spec_t, index: *mut ks::str_) -> c_int {
    // SAFETY: by the caller's promise.
    unsafe {
        match (ks::pv_parse_index(spec, index), spec.as_ref()) {
            (0, Some(spec)) if spec.pvp.pvi.type_ as u32 != ks::PV_IDX_ITR => 0,
            _ => -1,
        }
    }
}

/// Which of several values of a field is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PvIndex {
    /// None is named.
    Unnamed,
    /// The one at this place, from 0; negative ones count from the end.
    At(i32),
    /// All of them.
    All,
}

/// The index that the script names; `None` when it is a variable without a number.
///
/// # Safety
/// The pointers must be what the host passes to a get function.
#[must_use]
pub unsafe fn index(message: *mut ks::sip_msg_t, parameter: *mut ks::pv_param_t) -> Option<PvIndex> {
    // SAFETY: valid by the caller's promise.
    let kind = unsafe { parameter.as_ref() }?.pvi.type_ as u32;
    if kind == ks::PV_IDX_NONE {
        return Some(PvIndex::Unnamed);
    }
    let (mut at, mut flags) = (0, 0);
    // SAFETY: valid by the caller's promise; the rest is ours.
    let found = unsafe { ks::pv_get_spec_index(message, parameter, &mut at, &mut flags) };
    (found == 0).then_some(if flags as u32 == ks::PV_IDX_ALL { PvIndex::All } else { PvIndex::At(at) })
}

/// The number stored by [`parse_name`].
///
/// # Safety
/// `parameter` must be what the host passes to a get function.
#[must_use]
pub unsafe fn field(parameter: *mut ks::pv_param_t) -> Option<i32> {
    // SAFETY: valid by the caller's promise; the name is the number stored above.
    unsafe { parameter.as_ref().map(|parameter| parameter.pvn.u.isname.name.n as _) }
}

/// A value for the script.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// `$null`.
    Null,
    /// Text.
    Text(&'a [u8]),
    /// A number.
    Number(u32),
}

/// Gives `value` to the script; a text as a copy at `place`, as whatever uses it may write to it.
///
/// # Safety
/// The pointers must be what the host passes to a get function; `place` must outlive the script's use of the text.
pub unsafe fn give(
    message: *mut ks::sip_msg_t,
    parameter: *mut ks::pv_param_t,
    result: *mut ks::pv_value_t,
    value: Value<'_>,
    place: &mut HeldText,
) -> c_int {
    // SAFETY: by the caller's promise.
    unsafe {
        match value {
            Value::Null => ks::pv_get_null(message, parameter, result),
            Value::Text(text) => ks::pv_get_strval(message, parameter, result, &mut place.hold(text)),
            Value::Number(number) => ks::pv_get_uintval(message, parameter, result, number as _),
        }
    }
}
