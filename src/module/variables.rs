//! The table of pseudo-variables, and the C functions that it names.

use std::ffi::c_int;

use super::{Exported, NO_TEXT, text};
use crate::host::bindings as ks;
use crate::host::guard::guard;
use crate::host::pv;
use crate::surface::event;

/// Pseudo-variables; ends with an empty entry.
pub static mut TABLE: Exported<[ks::pv_export_t; 2]> = Exported([
    ks::pv_export_t {
        name: text(c"qsa"),
        type_: ks::PVT_OTHER,
        getf: Some(pv_get),
        setf: None,
        parse_name: Some(pv_parse),
        parse_index: Some(pv_parse_index),
        init_param: None,
        iparam: 0,
    },
    ks::pv_export_t {
        name: NO_TEXT,
        type_: 0,
        getf: None,
        setf: None,
        parse_name: None,
        parse_index: None,
        init_param: None,
        iparam: 0,
    },
]);

unsafe extern "C" fn pv_parse(spec: *mut ks::pv_spec_t, name: *mut ks::str_) -> c_int {
    // SAFETY: called by the server.
    guard("$qsa(…)", -1, || unsafe { pv::parse_name(spec, name, event::known_field) })
}

unsafe extern "C" fn pv_parse_index(spec: *mut ks::pv_spec_t, index: *mut ks::str_) -> c_int {
    // SAFETY: called by the server.
    guard("$(qsa(…)[…])", -1, || unsafe { pv::parse_index(spec, index) })
}

unsafe extern "C" fn pv_get(
    message: *mut ks::sip_msg_t,
    parameter: *mut ks::pv_param_t,
    result: *mut ks::pv_value_t,
) -> c_int {
    guard("$qsa(…)", -1, || {
        // SAFETY: called by the server.
        let (field, index) = unsafe { (pv::field(parameter).unwrap_or(-1), pv::index(message, parameter)) };
        // SAFETY: called by the server; each value has a place of its own until the event route has ended.
        event::with_value(field, index, |value, place| unsafe { pv::give(message, parameter, result, value, place) })
    })
}
