//! Kamailio's counters: what `kamcmd stats.fetch`, `$stat(...)` and xhttp_prom show.

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;

use super::bindings as ks;
use super::guard::guard;

/// Gives the value of the counter with this number.
pub type ReadCounter = fn(usize) -> u64;

static READ: OnceLock<ReadCounter> = OnceLock::new();

/// Registers counters of a group, by name and meaning; call once, in `mod_init`. Their numbers are their places. `false` if the server refuses one.
#[must_use]
pub fn register(group: &'static CStr, counters: &[(&'static CStr, &'static CStr)], read: ReadCounter) -> bool {
    let _ = READ.set(read);
    counters.iter().enumerate().all(|(number, (name, meaning))| {
        let parameter = std::ptr::without_provenance_mut(number);
        let flags = ks::CNT_F_NO_RESET.cast_signed();
        // SAFETY: the texts are static; the callback is a function of the module, which stays loaded.
        let registered = unsafe {
            ks::counter_register(
                null_mut(),
                group.as_ptr(),
                name.as_ptr(),
                flags,
                Some(value),
                parameter,
                meaning.as_ptr(),
                0,
            )
        };
        registered >= 0
    })
}

unsafe extern "C" fn value(_: ks::counter_handle_t, parameter: *mut c_void) -> ks::counter_val_t {
    guard("a counter", 0, || {
        let value = READ.get().map_or(0, |read| read(parameter.addr()));
        ks::counter_val_t::try_from(value).unwrap_or(ks::counter_val_t::MAX)
    })
}
