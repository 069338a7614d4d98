//! The table of pseudo-variables, and the C functions that it names.

use std::ffi::c_int;

use super::{Exported, NO_TEXT, text};
use crate::host::bindings as ks;
use crate::host::guard::guard;
use crate::host::message::SipMessage;
use crate::host::pv::{self, PvFormat};
use crate::host::text::{HeldText, bytes};
use crate::surface::event;
use crate::surface::state::{self, StateField};

/// Pseudo-variables; ends with an empty entry.
pub static mut TABLE: Exported<[ks::pv_export_t; 3]> = Exported([
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
        name: text(c"b2b"),
        type_: ks::PVT_OTHER,
        getf: Some(pv_get_state),
        setf: None,
        parse_name: Some(pv_parse_state),
        parse_index: None,
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

/// The name of a `$b2b(...)`.
struct StateName {
    /// Whose state; that of `b2b_state()` if it is not said.
    record: Option<PvFormat>,
    field: StateField,
}

unsafe extern "C" fn pv_parse_state(spec: *mut ks::pv_spec_t, name: *mut ks::str_) -> c_int {
    guard("$b2b(…)", -1, || {
        // SAFETY: called by the server.
        let Some(name) = (unsafe { name.as_ref() }) else { return -1 };
        // SAFETY: the name is readable while the host parses.
        let (record, field) = state::parts_of(unsafe { bytes(name) });
        let Some(field) = StateField::known(field) else { return -1 };
        let record = match record.map(PvFormat::parse) {
            Some(None) => return -1,
            Some(record) => record,
            None => None,
        };
        // SAFETY: called by the server.
        unsafe { pv::store_name(spec, StateName { record, field }) }
    })
}

unsafe extern "C" fn pv_get_state(
    message: *mut ks::sip_msg_t,
    parameter: *mut ks::pv_param_t,
    result: *mut ks::pv_value_t,
) -> c_int {
    guard("$b2b(…)", -1, || {
        // SAFETY: called by the server, with what was stored above.
        let Some(StateName { record, field }) = (unsafe { pv::stored_name::<StateName>(parameter) }) else { return -1 };
        let give = |value: pv::Value<'_>, place: &mut HeldText| {
            // SAFETY: called by the server; the place stays for many more texts.
            unsafe { pv::give(message, parameter, result, value, place) }
        };
        match record {
            Some(record) => {
                // SAFETY: called by the server.
                let given = unsafe { record.with_text(message, |record| state::with_state_of(record, *field, give)) };
                // The core has said why the record has no text, such as one that is longer than `pv_buffer_size`.
                given.unwrap_or_else(|| give(pv::Value::Null, &mut HeldText::default()))
            }
            None => {
                // SAFETY: the server's message lives while the function runs.
                let message = (!message.is_null()).then(|| unsafe { SipMessage::from_raw(message) });
                state::with_current(message, *field, give)
            }
        }
    })
}
