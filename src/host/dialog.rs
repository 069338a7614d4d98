//! The dialog module, when it is loaded: subscriptions that end with a call, and calls that are [told of](listen).

mod calls;

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;

use super::bindings as ks;
use super::guard::guard;
use super::message::SipMessage;

pub use calls::{CallListener, CallProgress, DialogView, listen};

/// The dialog module's functions, and the listener for a call's end. Set before the fork.
struct DialogApi {
    dialog: ks::dlg_binds,
    on_end: fn(parameter: u64),
}

static DIALOG: OnceLock<DialogApi> = OnceLock::new();

/// Binds to the dialog module when it is loaded; call once, in `mod_init`. `on_end` hears of each bound call's end.
pub fn bind(on_end: fn(parameter: u64)) -> bool {
    let mut dialog = ks::dlg_binds::default();
    // SAFETY: fills our table.
    let loaded = unsafe { ks::pb2b_load_dlg(&mut dialog) } >= 0;
    loaded && DIALOG.set(DialogApi { dialog, on_end }).is_ok()
}

/// Whether the dialog module is there. Its functions are bound before any parameter of the script is judged.
pub fn is_bound() -> bool {
    DIALOG.get().is_some()
}

/// Why a subscription cannot be bound to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The dialog module is not loaded.
    #[error("the flag d needs the module dialog: load it before presence_b2b")]
    NoModule,
    /// The message belongs to no call the dialog module tracks.
    #[error("this message belongs to no tracked call: call dlg_manage() before b2b_subscribe() with the flag d")]
    NoCall,
    /// The dialog module refused the callback.
    #[error(
        "the dialog module took no callback: it is probably out of shared memory, so enlarge it with the server's option -m"
    )]
    Refused,
}

/// A tracked call, held until dropped.
pub struct TrackedCall {
    dialog: *mut ks::dlg_cell,
    bound: &'static DialogApi,
}

impl TrackedCall {
    /// The call this message belongs to.
    ///
    /// # Errors
    /// When there is none, or no dialog module.
    pub fn of(message: SipMessage<'_>) -> Result<Self, CallError> {
        let bound = DIALOG.get().ok_or(CallError::NoModule)?;
        let get = bound.dialog.get_dlg.ok_or(CallError::NoModule)?;
        // SAFETY: the message is the one being processed; the result is counted and released on drop.
        let dialog = unsafe { get(message.as_raw()) };
        if dialog.is_null() { Err(CallError::NoCall) } else { Ok(Self { dialog, bound }) }
    }

    /// Has `on_end` called with `parameter` when the call ends, fails or expires. Once is enough.
    ///
    /// # Errors
    /// When the dialog module refuses.
    pub fn watch(&self, parameter: u64) -> Result<(), CallError> {
        let register = self.bound.dialog.register_dlgcb.ok_or(CallError::Refused)?;
        let ends = ks::DLGCB_TERMINATED | ks::DLGCB_EXPIRED | ks::DLGCB_FAILED | ks::DLGCB_DESTROY;
        let parameter = null_mut::<c_void>().wrapping_byte_add(parameter as usize);
        // SAFETY: the dialog is held; the parameter is only compared.
        if unsafe { ks::pb2b_dlg_has_callback(self.dialog, Some(on_end), parameter) } != 0 {
            return Ok(());
        }
        // SAFETY: the dialog is held; the parameter is a plain number, so there is nothing to free.
        let registered = unsafe { register(self.dialog, ends as c_int, Some(on_end), parameter, None) };
        if registered < 0 { Err(CallError::Refused) } else { Ok(()) }
    }
}

impl Drop for TrackedCall {
    fn drop(&mut self) {
        if let Some(release) = self.bound.dialog.release_dlg {
            // SAFETY: releases the count that get_dlg took.
            unsafe { release(self.dialog) };
        }
    }
}

unsafe extern "C" fn on_end(_dialog: *mut ks::dlg_cell, _kind: c_int, params: *mut ks::dlg_cb_params) {
    guard("the dialog callback", (), || {
        // SAFETY: the dialog module passes valid parameters; `param` points at the number we gave.
        let parameter = unsafe { params.as_ref().and_then(|params| params.param.as_ref()) };
        if let (Some(bound), Some(parameter)) = (DIALOG.get(), parameter) {
            (bound.on_end)(parameter.addr() as u64);
        }
    });
}
