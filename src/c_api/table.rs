//! The table of functions.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use super::document_types::{CDocument, CPresentity};
use super::text::Str;
use super::types::{CCounters, CMessage, CNotifierParams, CSubscribeParams, DestroyFn, Error, VERSION, WakeFn};
use super::{Wiring, messages, notifiers, subscribers};

/// A function whose only argument is a number.
type OnNumber = unsafe extern "C" fn(u64) -> c_int;
/// A function that copies a text of a subscription.
type CopyText = unsafe extern "C" fn(u64, *mut Str) -> c_int;

/// The header's `presence_b2b_api_t`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Api {
    pub(super) version: c_uint,
    pub(super) size: c_uint,
    pub(super) error_text: unsafe extern "C" fn(c_int) -> *const c_char,
    pub(super) default_domain: unsafe extern "C" fn(*mut u64) -> c_int,
    pub(super) register_domain: unsafe extern "C" fn(*const Str, *mut u64) -> c_int,
    pub(super) release_domain: OnNumber,
    pub(super) has_notifier: unsafe extern "C" fn(u64, *const Str) -> c_int,
    pub(super) register_notifier: unsafe extern "C" fn(*const CNotifierParams, *mut u64) -> c_int,
    pub(super) unregister_notifier: OnNumber,
    pub(super) accept_subscription: OnNumber,
    pub(super) release_subscription: OnNumber,
    pub(super) notify_subscriber: unsafe extern "C" fn(u64, c_int, *const Str, *const Str, *const Str) -> c_int,
    pub(super) register_content_type: unsafe extern "C" fn(u64, *const Str, Option<DestroyFn>, *mut u64) -> c_int,
    pub(super) notify_subscriber_data: unsafe extern "C" fn(u64, c_int, *const Str, u64, *mut c_void) -> c_int,
    pub(super) subscribe: unsafe extern "C" fn(*const CSubscribeParams, *mut u64) -> c_int,
    pub(super) unsubscribe: OnNumber,
    pub(super) get_subscriber_data: unsafe extern "C" fn(u64, *mut *mut c_void) -> c_int,
    pub(super) set_subscriber_data: unsafe extern "C" fn(u64, *mut c_void) -> c_int,
    pub(super) get_record: CopyText,
    pub(super) get_subscriber: CopyText,
    pub(super) get_package: CopyText,
    pub(super) get_first_param: CopyText,
    pub(super) queue_create: unsafe extern "C" fn(c_uint, Option<WakeFn>, *mut c_void, *mut u64) -> c_int,
    pub(super) queue_destroy: OnNumber,
    pub(super) queue_pop: unsafe extern "C" fn(u64, *mut *mut CMessage) -> c_int,
    pub(super) queue_is_empty: OnNumber,
    pub(super) queue_counters: unsafe extern "C" fn(u64, *mut CCounters) -> c_int,
    pub(super) message_presentity: unsafe extern "C" fn(*mut CMessage, *mut *const CPresentity) -> c_int,
    pub(super) message_take_data: unsafe extern "C" fn(*mut CMessage) -> *mut c_void,
    pub(super) free_message: unsafe extern "C" fn(*mut CMessage),
    pub(super) message_document: unsafe extern "C" fn(*mut CMessage, *mut *const CDocument) -> c_int,
}

/// The size of the table when this version began: every caller knows as much.
pub(super) const LEAST: usize = 232;

impl Api {
    fn of<W: Wiring>() -> Self {
        Self {
            version: VERSION,
            size: size_of::<Self>() as c_uint,
            error_text,
            default_domain: notifiers::default_domain::<W>,
            register_domain: notifiers::register_domain::<W>,
            release_domain: notifiers::release_domain::<W>,
            has_notifier: notifiers::has_notifier::<W>,
            register_notifier: notifiers::register_notifier::<W>,
            unregister_notifier: notifiers::unregister_notifier::<W>,
            accept_subscription: notifiers::accept_subscription::<W>,
            release_subscription: notifiers::release_subscription::<W>,
            notify_subscriber: notifiers::notify_subscriber::<W>,
            register_content_type: notifiers::register_content_type::<W>,
            notify_subscriber_data: notifiers::notify_subscriber_data::<W>,
            subscribe: subscribers::subscribe::<W>,
            unsubscribe: subscribers::unsubscribe::<W>,
            get_subscriber_data: subscribers::get_subscriber_data::<W>,
            set_subscriber_data: subscribers::set_subscriber_data::<W>,
            get_record: subscribers::get_record::<W>,
            get_subscriber: subscribers::get_subscriber::<W>,
            get_package: subscribers::get_package::<W>,
            get_first_param: subscribers::get_first_param::<W>,
            queue_create: subscribers::queue_create::<W>,
            queue_destroy: subscribers::queue_destroy::<W>,
            queue_pop: messages::queue_pop::<W>,
            queue_is_empty: subscribers::queue_is_empty::<W>,
            queue_counters: subscribers::queue_counters::<W>,
            message_presentity: messages::message_presentity::<W>,
            message_take_data: messages::message_take_data::<W>,
            free_message: messages::free_message::<W>,
            message_document: messages::message_document::<W>,
        }
    }
}

unsafe extern "C" fn error_text(error: c_int) -> *const c_char {
    let known = Error::ALL.into_iter().find(|known| *known as c_int == error);
    let text: &'static CStr = match known {
        Some(known) => known.text(),
        None if error >= 0 => c"no error",
        None => c"unknown error",
    };
    text.as_ptr()
}

/// Fills `api` as far as the caller knows it; other modules find this as `bind_presence_b2b`. Works before the hub is there.
///
/// # Safety
/// `api` is null or points to the header's `presence_b2b_api_t`, its `version` and `size` set, of that size. When the call is
/// refused for these, they are what the module has.
pub unsafe extern "C" fn bind<W: Wiring>(api: *mut Api) -> c_int {
    if api.is_null() {
        return Error::Argument as c_int;
    }
    // SAFETY: these two members are always there, by the contract above.
    let (version, size) = unsafe { ((*api).version, (*api).size as usize) };
    // A caller that knows more functions than there are would find holes.
    if version != VERSION || size > size_of::<Api>() || size < LEAST {
        // SAFETY: as before. He is told what there is.
        unsafe { ((*api).version, (*api).size) = (VERSION, size_of::<Api>() as c_uint) };
        return Error::Version as c_int;
    }
    let all = Api::of::<W>();
    // SAFETY: not more than either structure has, by the contract above and the check.
    unsafe { std::ptr::copy_nonoverlapping((&raw const all).cast::<u8>(), api.cast::<u8>(), size) };
    // SAFETY: as before. The caller's own size stays.
    unsafe { (*api).size = size as c_uint };
    0
}
