//! Calls as the dialog module tells of them.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::null_mut;
use std::sync::OnceLock;

use super::DIALOG;
use crate::host::bindings as ks;
use crate::host::guard::guard;
use crate::host::text::bytes;

/// Hears of calls, in the process where they change. Runs while the dialog module may hold a lock of its own: nothing that waits, and
/// nothing of the dialog module's, may be called.
#[derive(Clone, Copy)]
pub struct CallListener {
    /// A call begins, or was loaded from the dialog module's database: its number for the functions below; `None` if it is of no interest.
    pub on_begin: fn(&DialogView<'_>) -> Option<u64>,
    /// It has come further.
    pub on_change: fn(u64, &DialogView<'_>),
    /// It is gone. The last that is heard of it.
    pub on_gone: fn(u64),
}

static LISTENER: OnceLock<CallListener> = OnceLock::new();

/// How far the dialog module says that a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallProgress {
    /// Nothing but the INVITE.
    Begun,
    /// A provisional reply.
    Early,
    /// A 2xx.
    Answered,
    /// Over.
    Over,
}

/// A call while one of the functions of the [`CallListener`] runs.
pub struct DialogView<'a> {
    dialog: *mut ks::dlg_cell,
    request: *mut ks::sip_msg,
    has_new_texts: bool,
    life: PhantomData<&'a ks::dlg_cell>,
}

/// What the dialog module tells of each call.
const KINDS: u32 = ks::DLGCB_EARLY
    | ks::DLGCB_CONFIRMED_NA
    | ks::DLGCB_CONFIRMED
    | ks::DLGCB_FAILED
    | ks::DLGCB_TERMINATED
    | ks::DLGCB_EXPIRED
    | ks::DLGCB_DESTROY;

/// Has the listener hear of all calls from now on, those that the dialog module loads from its database included; call once, in `mod_init`.
/// Calls that another server tells the dialog module of (DMQ) are not heard of. `false` if the dialog module is not loaded, or refuses.
pub fn listen(listener: CallListener) -> bool {
    let register = DIALOG.get().and_then(|bound| bound.dialog.register_dlgcb);
    let Some(register) = register.filter(|_| LISTENER.set(listener).is_ok()) else { return false };
    // Each of these must be registered alone.
    [ks::DLGCB_CREATED, ks::DLGCB_LOADED].into_iter().all(|kind| {
        // SAFETY: neither needs a dialog; the function is valid in every process, and there is no parameter to free.
        unsafe { register(null_mut(), kind as c_int, Some(on_begin), null_mut(), None) >= 0 }
    })
}

unsafe extern "C" fn on_begin(dialog: *mut ks::dlg_cell, _kind: c_int, params: *mut ks::dlg_cb_params) {
    guard("the callback of a new dialog", (), || {
        let register = DIALOG.get().and_then(|bound| bound.dialog.register_dlgcb);
        let (Some(listener), Some(register)) = (LISTENER.get(), register) else { return };
        // SAFETY: the dialog module passes valid parameters.
        let request = unsafe { params.as_ref() }.map_or(null_mut(), |params| params.req);
        let view = DialogView { dialog, request, has_new_texts: true, life: PhantomData };
        let Some(number) = (listener.on_begin)(&view) else { return };
        let parameter = null_mut::<c_void>().wrapping_byte_add(number as usize);
        // SAFETY: the dialog lives while its callback runs; the parameter is a plain number, so there is nothing to free.
        if unsafe { register(dialog, KINDS as c_int, Some(on_change), parameter, None) } < 0 {
            (listener.on_gone)(number);
        }
    });
}

unsafe extern "C" fn on_change(dialog: *mut ks::dlg_cell, kind: c_int, params: *mut ks::dlg_cb_params) {
    guard("the callback of a dialog", (), || {
        // SAFETY: the dialog module passes valid parameters; `param` points at the number we gave.
        let parameter = unsafe { params.as_ref().and_then(|params| params.param.as_ref()) };
        let (Some(listener), Some(parameter)) = (LISTENER.get(), parameter) else { return };
        let number = parameter.addr() as u64;
        if kind as u32 & ks::DLGCB_DESTROY != 0 {
            return (listener.on_gone)(number);
        }
        // Tag and Contact of the callee come with the 2xx. Later another process may be changing them.
        let has_new_texts = kind as u32 & ks::DLGCB_CONFIRMED_NA != 0;
        (listener.on_change)(number, &DialogView { dialog, request: null_mut(), has_new_texts, life: PhantomData });
    });
}

impl<'a> DialogView<'a> {
    fn dialog(&self) -> &'a ks::dlg_cell {
        // SAFETY: the dialog lives while its callback runs; what other processes write of it is read in `progress` only, and behind
        // `has_new_texts`.
        unsafe { &*self.dialog }
    }

    fn text(&self, text: &'a ks::str_) -> &'a [u8] {
        // SAFETY: the text belongs to the dialog.
        unsafe { bytes(text) }
    }

    /// How far it is at this moment, whichever process has brought it there.
    #[must_use]
    pub fn progress(&self) -> CallProgress {
        // SAFETY: the dialog lives while its callback runs; another process may write the number, which is read in one piece.
        match unsafe { (&raw const (*self.dialog).state).read_volatile() } {
            ks::DLG_STATE_UNCONFIRMED => CallProgress::Begun,
            ks::DLG_STATE_EARLY => CallProgress::Early,
            ks::DLG_STATE_CONFIRMED_NA | ks::DLG_STATE_CONFIRMED => CallProgress::Answered,
            _ => CallProgress::Over,
        }
    }

    /// Whether [tags](Self::tags) and [Contacts](Self::contacts) may be other ones than before, and may be read.
    #[must_use]
    pub fn has_new_texts(&self) -> bool {
        self.has_new_texts
    }

    /// Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &'a [u8] {
        self.text(&self.dialog().callid)
    }

    /// The URIs of From and To, and the Request-URI that the call had when the dialog module took it up.
    #[must_use]
    pub fn uris(&self) -> [&'a [u8]; 3] {
        let dialog = self.dialog();
        [&dialog.from_uri, &dialog.to_uri, &dialog.req_uri].map(|uri| self.text(uri))
    }

    /// The tags of caller and callee.
    #[must_use]
    pub fn tags(&self) -> [&'a [u8]; 2] {
        self.dialog().tag.each_ref().map(|tag| self.text(tag))
    }

    /// The URIs of their Contacts.
    #[must_use]
    pub fn contacts(&self) -> [&'a [u8]; 2] {
        self.dialog().contact.each_ref().map(|contact| self.text(contact))
    }

    /// The display names of From and To, as they came; empty where there is none, and for calls from a database.
    #[must_use]
    pub fn displays(&self) -> [&'a [u8]; 2] {
        let mut names = [ks::str_::default(); 2];
        if self.request.is_null() {
            return [&[]; 2];
        }
        let [from, to] = &mut names;
        // SAFETY: the request is the one being processed; the outputs are ours.
        unsafe { ks::pb2b_displays(self.request, from, to) };
        // SAFETY: the names point into the request, which lives while the callback runs.
        names.map(|name| unsafe { bytes(&name) })
    }
}
