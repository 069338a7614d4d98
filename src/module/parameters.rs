//! The `modparam`s: where the server writes them, and how they become a [`Raw`].

use super::Exported;
use crate::config::{Concealed, INTEGERS, Integers, Raw, Syntax};
use crate::host::bindings as ks;
use crate::host::guard::guard;
use crate::host::text::bytes;
use crate::host::uri;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Integers as the configuration file sets them.
static VALUES: [AtomicI32; INTEGERS.len()] = {
    let mut values = [const { AtomicI32::new(0) }; INTEGERS.len()];
    let mut index = 0;
    while index < INTEGERS.len() {
        values[index] = AtomicI32::new(INTEGERS[index].default);
        index += 1;
    }
    values
};

/// A text as the configuration file sets it.
#[repr(transparent)]
struct Text(UnsafeCell<ks::str_>);

// SAFETY: written by the server while it reads its configuration, in one process; only read afterwards.
unsafe impl Sync for Text {}

static TEXTS: [Text; TEXT_NAMES.len()] =
    [const { Text(UnsafeCell::new(ks::str_ { s: null_mut(), len: 0 })) }; TEXT_NAMES.len()];

const TEXT_NAMES: [&CStr; 7] = [
    c"presence_route",
    c"additional_presence_headers",
    c"presence_outbound_proxy",
    c"event_callback",
    c"forking",
    c"db_url",
    c"credentials_table",
];

/// The credentials as the configuration file sets them: read and taken before the fork.
static CREDENTIALS: Mutex<Vec<Concealed<Vec<u8>>>> = Mutex::new(Vec::new());

/// Where they are good for, likewise.
static CREDENTIAL_DOMAINS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The policies of packages as the configuration file sets them, likewise.
static PACKAGE_POLICIES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The filters as the configuration file sets them, likewise.
static FILTERS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The integers, the texts, `credential`, `credential_domain`, `package_policy`, `filter`, and the empty entry.
const LENGTH: usize = INTEGERS.len() + TEXT_NAMES.len() + 5;

/// The table the server reads; ends with an empty entry.
pub static mut TABLE: Exported<[ks::param_export_t; LENGTH]> = Exported({
    let mut table = [ks::param_export_t { name: null_mut(), type_: 0, param_pointer: null_mut() }; LENGTH];
    let mut index = 0;
    while index < INTEGERS.len() {
        table[index] = entry(INTEGERS[index].name, ks::PARAM_INT, VALUES[index].as_ptr().cast());
        index += 1;
    }
    let mut text = 0;
    while text < TEXT_NAMES.len() {
        table[index + text] = entry(TEXT_NAMES[text], ks::PARAM_STR, TEXTS[text].0.get().cast());
        text += 1;
    }
    // A function takes each value, so that the parameter can be set many times.
    let many = index + text;
    table[many] = entry(c"credential", ks::PARAM_STR | USE_FUNCTION, add_credential as *mut c_void);
    table[many + 1] = entry(c"package_policy", ks::PARAM_STR | USE_FUNCTION, add_package_policy as *mut c_void);
    table[many + 2] = entry(c"filter", ks::PARAM_STR | USE_FUNCTION, add_filter as *mut c_void);
    table[many + 3] = entry(c"credential_domain", ks::PARAM_STR | USE_FUNCTION, add_credential_domain as *mut c_void);
    table
});

/// `PARAM_USE_FUNC`, which is made of a sizeof that the bindings cannot carry; the C side asserts it.
const USE_FUNCTION: u32 = 1 << 31;

unsafe extern "C" fn add_credential(_: c_uint, value: *mut c_void) -> c_int {
    guard("modparam credential", -1, || {
        // SAFETY: the server passes a text, which lives while the function runs.
        let Some(text) = (unsafe { value.cast::<ks::str_>().as_ref() }) else { return -1 };
        // SAFETY: as above.
        let text = unsafe { bytes(text) }.to_vec();
        CREDENTIALS.lock().unwrap_or_else(PoisonError::into_inner).push(Concealed(text));
        0
    })
}

unsafe extern "C" fn add_package_policy(_: c_uint, value: *mut c_void) -> c_int {
    // SAFETY: called by the server.
    unsafe { add_to(&PACKAGE_POLICIES, "modparam package_policy", value) }
}

unsafe extern "C" fn add_credential_domain(_: c_uint, value: *mut c_void) -> c_int {
    // SAFETY: called by the server.
    unsafe { add_to(&CREDENTIAL_DOMAINS, "modparam credential_domain", value) }
}

unsafe extern "C" fn add_filter(_: c_uint, value: *mut c_void) -> c_int {
    // SAFETY: called by the server.
    unsafe { add_to(&FILTERS, "modparam filter", value) }
}

/// One more value of a parameter that can be set many times.
///
/// # Safety
/// The value must be what the server passes.
unsafe fn add_to(all: &Mutex<Vec<String>>, name: &'static str, value: *mut c_void) -> c_int {
    guard(name, -1, || {
        // SAFETY: the server passes a text, which lives while the function runs.
        let Some(text) = (unsafe { value.cast::<ks::str_>().as_ref() }) else { return -1 };
        // SAFETY: as above.
        let text = String::from_utf8_lossy(unsafe { bytes(text) }).into_owned();
        all.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        0
    })
}

const fn entry(name: &'static CStr, kind: u32, place: *mut c_void) -> ks::param_export_t {
    ks::param_export_t { name: name.as_ptr().cast_mut().cast::<c_char>(), type_: kind, param_pointer: place }
}

/// The parameters as they were set.
pub fn as_set() -> Raw {
    let mut integers: Integers = [0; INTEGERS.len()];
    for (to, from) in integers.iter_mut().zip(&VALUES) {
        *to = from.load(Ordering::Relaxed);
    }
    let [
        presence_route,
        additional_presence_headers,
        presence_outbound_proxy,
        event_callback,
        forking,
        db_url,
        credentials_table,
    ] = &TEXTS;
    Raw {
        integers,
        presence_route: presence_route.read(),
        additional_presence_headers: additional_presence_headers.read(),
        presence_outbound_proxy: presence_outbound_proxy.read(),
        event_callback: event_callback.read(),
        filters: std::mem::take(&mut *FILTERS.lock().unwrap_or_else(PoisonError::into_inner)),
        db_url: Concealed(db_url.read()),
        credentials_table: credentials_table.read(),
        package_policies: std::mem::take(&mut *PACKAGE_POLICIES.lock().unwrap_or_else(PoisonError::into_inner)),
        forking: forking.read(),
        credential_domains: std::mem::take(&mut *CREDENTIAL_DOMAINS.lock().unwrap_or_else(PoisonError::into_inner)),
        credentials: std::mem::take(&mut *CREDENTIALS.lock().unwrap_or_else(PoisonError::into_inner)),
    }
}

impl Text {
    fn read(&self) -> String {
        // SAFETY: the server has set it, or it is empty; nobody writes any more.
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
