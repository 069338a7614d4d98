//! Pseudo-variables of the form `$class(field)` and `$(class(field)[index])`.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use super::bindings as ks;
use super::guard::guard;
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

/// Stores a value of the module in the host's specification, which it is freed with; what a parse function does.
///
/// # Safety
/// `spec` must be what the host passes to a parse function.
#[must_use]
pub unsafe fn store_name<T>(spec: *mut ks::pv_spec_t, name: T) -> c_int {
    // SAFETY: valid by the caller's promise.
    let Some(spec) = (unsafe { spec.as_mut() }) else { return -1 };
    spec.pvp.pvn.type_ = ks::PV_NAME_OTHER as c_int;
    spec.pvp.pvn.nfree = Some(free_name::<T>);
    spec.pvp.pvn.u.dname = Box::into_raw(Box::new(name)).cast();
    0
}

/// The value stored by [`store_name`].
///
/// # Safety
/// `parameter` must be what the host passes to a get function of a specification that has such a value.
#[must_use]
pub unsafe fn stored_name<'a, T>(parameter: *mut ks::pv_param_t) -> Option<&'a T> {
    // SAFETY: the name was stored above.
    unsafe { parameter.as_ref()?.pvn.u.dname.cast::<T>().as_ref() }
}

/// The host does not need a specification any more.
unsafe extern "C" fn free_name<T>(name: *mut c_void) {
    guard("pseudo-variable", (), || {
        // SAFETY: the host passes the name of a specification.
        if let Some(name) = unsafe { name.cast::<ks::pv_name_t>().as_mut() } {
            // SAFETY: the name was stored above, and is freed once.
            unsafe {
                let stored = std::mem::replace(&mut name.u.dname, null_mut());
                if !stored.is_null() {
                    drop(Box::from_raw(stored.cast::<T>()));
                }
            }
        }
    });
}

/// A text that may have pseudo-variables in it.
#[derive(Debug)]
pub struct PvFormat {
    elements: *mut ks::pv_elem_t,
    /// The elements point into it.
    _text: Vec<u8>,
}

impl PvFormat {
    /// Reads a text; `None` if the host cannot, which it says in its log.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut kept = [text, b"\0"].concat();
        let mut format = ks::str_ { s: kept.as_mut_ptr().cast(), len: i32::try_from(text.len()).ok()? };
        let mut elements = null_mut();
        // SAFETY: the text lives as long as the elements, and ends in NUL.
        let parsed = unsafe { ks::pv_parse_format(&mut format, &mut elements) };
        (parsed >= 0 && !elements.is_null()).then_some(Self { elements, _text: kept })
    }

    /// Gives `look` the text for this message; `None` if it has none.
    ///
    /// # Safety
    /// `message` must be what the host passes to a get function.
    pub unsafe fn with_text<R>(&self, message: *mut ks::sip_msg_t, look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let mut text = ks::str_::default();
        // SAFETY: the elements live; the text is in the host's buffer until the next call.
        unsafe {
            let printed = ks::pv_printf_s(message, self.elements, &mut text);
            (printed == 0).then(|| look(bytes(&text)))
        }
    }
}

impl Drop for PvFormat {
    fn drop(&mut self) {
        // SAFETY: the host has made the elements.
        unsafe {
            ks::pv_elem_free_all(self.elements);
        }
    }
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
