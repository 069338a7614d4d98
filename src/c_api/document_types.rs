//! The types of `cshim/presence_b2b_documents.h`: its `qsa_dialog_t` is `CDialog` here, and so on.

use std::ffi::{c_int, c_uint, c_void};

use super::text::Str;

/// The header's pairs of a number and an array: laid out like two members in a row, if nothing smaller than a pointer is
/// before them.
#[repr(C)]
pub struct List<T> {
    pub number: c_uint,
    pub items: *const T,
}

#[repr(C)]
pub struct CNote {
    pub lang: Str,
    pub text: Str,
}

#[repr(C)]
pub struct CExtension {
    pub ns: Str,
    pub name: Str,
    pub xml: Str,
}

#[repr(C)]
pub struct CContact {
    pub uri: Str,
    pub priority: c_int,
}

#[repr(C)]
pub struct CTuple {
    pub id: Str,
    pub basic: c_int,
    pub has_contact: c_int,
    pub contact: CContact,
    pub timestamp: Str,
    pub notes: List<CNote>,
    pub status_extensions: List<CExtension>,
    pub extensions: List<CExtension>,
}

#[repr(C)]
pub struct CRpidElement {
    pub values: List<Str>,
    pub from: Str,
    pub until: Str,
    pub kind: c_int,
}

#[repr(C)]
pub struct CService {
    pub device_id: Str,
    pub rpid: List<CRpidElement>,
}

#[repr(C)]
pub struct CEntity {
    pub id: Str,
    pub device_id: Str,
    pub timestamp: Str,
    pub rpid: List<CRpidElement>,
    pub notes: List<CNote>,
}

#[repr(C)]
pub struct CPresentity {
    pub size: c_uint,
    pub entity: Str,
    pub tuples: List<CTuple>,
    pub notes: List<CNote>,
    pub extensions: List<CExtension>,
    pub services: List<CService>,
    pub persons: List<CEntity>,
    pub devices: List<CEntity>,
}

#[repr(C)]
pub struct CPair {
    pub name: Str,
    pub value: Str,
}

#[repr(C)]
pub struct CPlace {
    pub version: i64,
    pub is_full: c_int,
}

#[repr(C)]
pub struct CIdentity {
    pub uri: Str,
    pub display: Str,
}

#[repr(C)]
pub struct CDialogSide {
    pub identity: CIdentity,
    pub target: Str,
    pub params: List<CPair>,
    pub session_type: Str,
    pub session: Str,
    pub cseq: i64,
}

#[repr(C)]
pub struct CDialog {
    pub id: Str,
    pub call_id: Str,
    pub local_tag: Str,
    pub remote_tag: Str,
    pub direction: Str,
    pub state: Str,
    pub event: Str,
    pub code: c_int,
    pub has_replaces: c_int,
    pub duration: i64,
    pub replaces_call_id: Str,
    pub replaces_local_tag: Str,
    pub replaces_remote_tag: Str,
    pub referred_by: CIdentity,
    pub route_set: List<Str>,
    pub local: CDialogSide,
    pub remote: CDialogSide,
}

#[repr(C)]
pub struct CDialogs {
    pub size: c_uint,
    pub place: CPlace,
    pub entity: Str,
    pub dialogs: List<CDialog>,
    pub lamp: *const CDialog,
}

#[repr(C)]
pub struct CRegistered {
    pub id: Str,
    pub state: Str,
    pub event: Str,
    pub uri: Str,
    pub display: Str,
    pub q: Str,
    pub call_id: Str,
    pub cseq: i64,
    pub duration: i64,
    pub expires: i64,
    pub retry_after: i64,
    pub params: List<CPair>,
    pub pub_gruu: Str,
    pub temp_gruu: Str,
    pub first_cseq: i64,
}

#[repr(C)]
pub struct CRegistration {
    pub aor: Str,
    pub id: Str,
    pub state: Str,
    pub contacts: List<CRegistered>,
}

#[repr(C)]
pub struct CRegistrations {
    pub size: c_uint,
    pub place: CPlace,
    pub registrations: List<CRegistration>,
}

#[repr(C)]
pub struct CWatcher {
    pub id: Str,
    pub status: Str,
    pub event: Str,
    pub uri: Str,
    pub display: Str,
    pub lang: Str,
    pub expiration: i64,
    pub duration: i64,
}

#[repr(C)]
pub struct CWatcherList {
    pub resource: Str,
    pub package: Str,
    pub watchers: List<CWatcher>,
}

#[repr(C)]
pub struct CWatchers {
    pub size: c_uint,
    pub place: CPlace,
    pub lists: List<CWatcherList>,
}

#[repr(C)]
pub struct CWaitingClass {
    pub name: Str,
    pub new: i64,
    pub old: i64,
    pub urgent_new: i64,
    pub urgent_old: i64,
}

#[repr(C)]
pub struct CWaitingMessage {
    pub headers: List<CPair>,
}

#[repr(C)]
pub struct CWaiting {
    pub size: c_uint,
    pub waiting: c_int,
    pub account: Str,
    pub classes: List<CWaitingClass>,
    pub messages: List<CWaitingMessage>,
}

#[repr(C)]
pub struct CDocument {
    pub size: c_uint,
    pub kind: c_int,
    /// The header's union: all its members are pointers, and `kind` says to what.
    pub document: *const c_void,
}
