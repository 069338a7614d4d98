//! Parameters in the host's framework for changes at run time (`cfg.get`, `cfg.set_now_int`, …).

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr::{self, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::AtomicPtr;

use super::bindings as ks;
use super::guard::guard;

/// The name of the module's group.
const GROUP: &CStr = c"presence_b2b";

/// The values that this process has taken, as the host keeps the address; what the module does is ruled by [`newest`] alone.
static TAKEN: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

/// Is told of changes.
static ON_CHANGE: OnceLock<fn()> = OnceLock::new();

/// An integer.
pub struct IntegerVariable {
    /// Its name.
    pub name: &'static CStr,
    /// Its value at the start.
    pub value: i32,
    /// Smallest and largest value allowed.
    pub range: (i32, i32),
    /// Whether it can be changed.
    pub changes: bool,
    /// Shown by `cfg.help`.
    pub meaning: CString,
}

/// A text, which cannot be changed.
pub struct TextVariable {
    /// Its name.
    pub name: &'static CStr,
    /// Its value.
    pub value: CString,
    /// Shown by `cfg.help`.
    pub meaning: CString,
}

/// The server refuses the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the server does not take the parameters for changes at run time: remove lines such as presence_b2b.max_body = 4096 from its \
     configuration file, and use modparam"
)]
pub struct NotDeclared;

/// Declares the group, integers first; call once, in `mod_init`. From the fork on each process that takes a change calls `on_change`,
/// before its next work, and without a lock.
///
/// # Errors
/// When the host refuses; it has logged why.
pub fn declare(integers: Vec<IntegerVariable>, texts: Vec<TextVariable>, on_change: fn()) -> Result<(), NotDeclared> {
    let _ = ON_CHANGE.set(on_change);
    // The host computes the same: integers in a row, then pointers at their alignment.
    let words = integers.len().div_ceil(2);
    let mut values = vec![0_u64; words + texts.len()];
    for (place, integer) in integers.iter().enumerate() {
        let (word, shift) = (place / 2, place % 2 * 32);
        if let Some(word) = values.get_mut(word) {
            *word |= u64::from(integer.value.cast_unsigned())
                << if cfg!(target_endian = "little") { shift } else { 32 - shift };
        }
    }
    let mut definitions = Vec::with_capacity(integers.len() + texts.len() + 1);
    for IntegerVariable { name, range, changes, meaning, .. } in integers {
        let locked = if changes { 0 } else { ks::PB2B_CFG_READONLY };
        definitions.push(definition(name, ks::CFG_VAR_INT | locked, range, changes, meaning));
    }
    for (place, TextVariable { name, value, meaning }) in texts.into_iter().enumerate() {
        if let Some(word) = values.get_mut(words + place) {
            *word = value.into_raw().expose_provenance() as u64;
        }
        definitions.push(definition(name, ks::CFG_VAR_STRING | ks::PB2B_CFG_READONLY, (0, 0), false, meaning));
    }
    // SAFETY: all zero is what ends the list: no name.
    definitions.push(unsafe { std::mem::zeroed() });
    let size = c_int::try_from(size_of_val(values.as_slice())).map_err(|_| NotDeclared)?;
    let (values, definitions) = (values.leak(), definitions.leak());
    // SAFETY: both live as long as the server, and the size is that of the values. The group's name is copied.
    let declared = unsafe {
        ks::cfg_declare(
            GROUP.as_ptr().cast_mut(),
            definitions.as_mut_ptr(),
            values.as_mut_ptr().cast(),
            size,
            TAKEN.as_ptr(),
        )
    };
    if declared < 0 { Err(NotDeclared) } else { Ok(()) }
}

fn definition(name: &'static CStr, kind: u32, (min, max): (i32, i32), tells: bool, meaning: CString) -> ks::cfg_def_t {
    ks::cfg_def_t {
        name: name.as_ptr().cast_mut(),
        type_: kind,
        min,
        max,
        // With a function here the host would not let the value be read.
        on_change_cb: None,
        on_set_child_cb: tells.then_some(on_set),
        descr: meaning.into_raw(),
    }
}

/// The newest values of the integers, in the order in which they were declared, whether this process has taken them or not. `None` before
/// the fork.
#[must_use]
pub fn newest<const COUNT: usize>() -> Option<[i32; COUNT]> {
    let mut values = [0; COUNT];
    let group = ks::str_ { s: GROUP.as_ptr().cast_mut(), len: c_int::try_from(GROUP.count_bytes()).ok()? };
    let size = c_int::try_from(size_of_val(&values)).ok()?;
    // SAFETY: there is room for so many bytes.
    let found = unsafe { ks::pb2b_cfg_newest(ptr::from_ref(&group), values.as_mut_ptr().cast(), size) };
    (found >= 0).then_some(values)
}

unsafe extern "C" fn on_set(_group: *mut ks::str_, _name: *mut ks::str_) {
    guard("a change of a parameter", (), || {
        if let Some(on_change) = ON_CHANGE.get() {
            on_change();
        }
    });
}
