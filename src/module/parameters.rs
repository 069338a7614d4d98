//! The `modparam`s: where the server writes them, and how they become a [`Raw`].

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Exported;
use crate::config::{Integers, Lists, Raw, Syntax, Texts};
use crate::host::bindings as ks;
use crate::host::guard::guard;
use crate::host::text::bytes;
use crate::host::uri;

/// Integers as the configuration file sets them, in the order in which they are declared.
static INTEGERS: [AtomicI32; Integers::COUNT] = {
    let mut values = [const { AtomicI32::new(0) }; Integers::COUNT];
    let mut index = 0;
    while index < Integers::COUNT {
        values[index] = AtomicI32::new(Integers::FACTS[index].default);
        index += 1;
    }
    values
};

/// A text as the configuration file sets it.
#[repr(transparent)]
struct TextParameter(UnsafeCell<ks::str_>);

// SAFETY: written by the server while it reads its configuration, in one process; only read afterwards.
unsafe impl Sync for TextParameter {}

/// Texts, likewise.
static TEXTS: [TextParameter; Texts::COUNT] =
    [const { TextParameter(UnsafeCell::new(ks::str_ { s: null_mut(), len: 0 })) }; Texts::COUNT];

/// The values of what can be set many times, likewise: taken before the fork.
static LISTS: [Mutex<Vec<Vec<u8>>>; Lists::COUNT] = [const { Mutex::new(Vec::new()) }; Lists::COUNT];

type Add = unsafe extern "C" fn(c_uint, *mut c_void) -> c_int;

/// The functions that take each value of a list, in the same order.
const ADD: [Add; Lists::COUNT] = [add::<0>, add::<1>, add::<2>, add::<3>, add::<4>, add::<5>, add::<6>];

/// All parameters and the empty entry.
const LENGTH: usize = Integers::COUNT + Texts::COUNT + Lists::COUNT + 1;

/// The table the server reads; ends with an empty entry.
pub static mut TABLE: Exported<[ks::param_export_t; LENGTH]> = Exported({
    let mut table = [ks::param_export_t { name: null_mut(), type_: 0, param_pointer: null_mut() }; LENGTH];
    let mut index = 0;
    while index < Integers::COUNT {
        table[index] = entry(Integers::NAMES[index], ks::PARAM_INT, INTEGERS[index].as_ptr().cast());
        index += 1;
    }
    let (texts, mut index) = (Integers::COUNT, 0);
    while index < Texts::COUNT {
        table[texts + index] = entry(Texts::NAMES[index], ks::PARAM_STR, TEXTS[index].0.get().cast());
        index += 1;
    }
    // A function takes each value, so that the parameter can be set many times.
    let (lists, mut index) = (texts + Texts::COUNT, 0);
    while index < Lists::COUNT {
        table[lists + index] = entry(Lists::NAMES[index], ks::PARAM_STR | USE_FUNCTION, ADD[index] as *mut c_void);
        index += 1;
    }
    table
});

/// `PARAM_USE_FUNC`, which is made of a sizeof that the bindings cannot carry; the C side asserts it.
const USE_FUNCTION: u32 = 1 << 31;

/// One more value of a list.
unsafe extern "C" fn add<const LIST: usize>(_: c_uint, value: *mut c_void) -> c_int {
    guard("modparam", -1, || {
        // SAFETY: the server passes a text, which lives while the function runs.
        let (Some(text), Some(list)) = (unsafe { value.cast::<ks::str_>().as_ref() }, LISTS.get(LIST)) else {
            return -1;
        };
        // SAFETY: as above.
        list.lock().unwrap_or_else(PoisonError::into_inner).push(unsafe { bytes(text) }.to_vec());
        0
    })
}

const fn entry(name: &'static CStr, kind: u32, place: *mut c_void) -> ks::param_export_t {
    ks::param_export_t { name: name.as_ptr().cast_mut().cast::<c_char>(), type_: kind, param_pointer: place }
}

/// The parameters as they were set.
pub fn as_set() -> Raw {
    Raw {
        integers: INTEGERS.each_ref().map(|value| value.load(Ordering::Relaxed)),
        texts: Texts::of(texts_as_set()),
        lists: Lists::of(
            LISTS.each_ref().map(|list| std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))),
        ),
    }
}

/// The texts as they were set, in the order in which they are declared.
pub fn texts_as_set() -> [String; Texts::COUNT] {
    TEXTS.each_ref().map(TextParameter::read)
}

impl TextParameter {
    fn read(&self) -> String {
        // SAFETY: the server has set it, or it is empty; nothing writes to it any more.
        String::from_utf8_lossy(unsafe { bytes(&*self.0.get()) }).into_owned()
    }
}

/// The host's parsers judge.
pub struct HostSyntax;

impl Syntax for HostSyntax {
    fn is_sip_uri(&self, text: &str) -> bool {
        uri::is_sip_uri(text.as_bytes())
    }

    fn is_route(&self, text: &str) -> bool {
        uri::is_route(text.as_bytes())
    }
}
