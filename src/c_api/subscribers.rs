//! For subscribers: subscriptions and queues.

use std::ffi::{c_int, c_uint, c_void};

use parking_lot::lock_api::RawMutex;

use super::Wiring;
use super::convert::{bytes, domain, number_of, pointer_of, put, put_sized, sized_at};
use super::guard::with_hub;
use super::text::Str;
use super::types::{CCounters, CSubscribeParams, Error, WakeFn};
use crate::memory::SharedAlloc;
use crate::qsa::{Hub, QueueId, SubscriptionId, Wake, Wanted};

pub(super) unsafe extern "C" fn subscribe<W: Wiring>(params: *const CSubscribeParams, to: *mut u64) -> c_int {
    with_hub::<W>("subscribe", |hub| {
        // SAFETY: null or valid params, as the header says.
        let params = unsafe { sized_at(params) }?;
        if to.is_null() {
            return Err(Error::Argument);
        }
        // SAFETY: valid strs, as the header says.
        let wanted = unsafe {
            Wanted {
                package: bytes(&params.package)?,
                record: bytes(&params.record)?,
                subscriber: bytes(&params.subscriber)?,
                first_param: bytes(&params.first_param)?,
                options: None,
                queue: QueueId::from_u64(params.queue),
                subscriber_data: number_of(params.subscriber_data),
                stored: None,
            }
        };
        let id = hub.subscribe(domain(params.domain), &wanted)?.id;
        // SAFETY: not null.
        unsafe { put(to, id.to_u64()) }
    })
}

pub(super) unsafe extern "C" fn unsubscribe<W: Wiring>(id: u64) -> c_int {
    with_hub::<W>("unsubscribe", |hub| {
        hub.unsubscribe(SubscriptionId::from_u64(id))?;
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn get_subscriber_data<W: Wiring>(id: u64, to: *mut *mut c_void) -> c_int {
    with_hub::<W>("get_subscriber_data", |hub| {
        let data = hub.subscriber_data(SubscriptionId::from_u64(id)).ok_or(Error::Unknown)?;
        // SAFETY: null or to be written, as the header says.
        unsafe { put(to, pointer_of(data)) }
    })
}

pub(super) unsafe extern "C" fn set_subscriber_data<W: Wiring>(id: u64, data: *mut c_void) -> c_int {
    with_hub::<W>("set_subscriber_data", |hub| {
        hub.set_subscriber_data(SubscriptionId::from_u64(id), number_of(data))?;
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn get_record<W: Wiring>(id: u64, buf: *mut Str) -> c_int {
    // SAFETY: as the header says.
    with_hub::<W>("get_record", |hub| unsafe { copy(hub, id, buf, |wanted| wanted.record) })
}

pub(super) unsafe extern "C" fn get_subscriber<W: Wiring>(id: u64, buf: *mut Str) -> c_int {
    // SAFETY: as the header says.
    with_hub::<W>("get_subscriber", |hub| unsafe { copy(hub, id, buf, |wanted| wanted.subscriber) })
}

pub(super) unsafe extern "C" fn get_package<W: Wiring>(id: u64, buf: *mut Str) -> c_int {
    // SAFETY: as the header says.
    with_hub::<W>("get_package", |hub| unsafe { copy(hub, id, buf, |wanted| wanted.package) })
}

pub(super) unsafe extern "C" fn get_first_param<W: Wiring>(id: u64, buf: *mut Str) -> c_int {
    // SAFETY: as the header says.
    with_hub::<W>("get_first_param", |hub| unsafe { copy(hub, id, buf, |wanted| wanted.first_param) })
}

/// Copies one text of a subscription.
///
/// # Safety
/// `buf` is null or points to a `str` with room for as many bytes as its length says.
unsafe fn copy<A: SharedAlloc, L: RawMutex>(
    hub: &Hub<A, L>,
    id: u64,
    buf: *mut Str,
    part: impl for<'a> FnOnce(Wanted<'a>) -> &'a [u8],
) -> Result<c_int, Error> {
    // SAFETY: the caller's promise.
    let buf = unsafe { buf.as_mut() }.ok_or(Error::Argument)?;
    let room = usize::try_from(buf.len).map_err(|_| Error::Argument)?;
    let copied = hub.with_subscription(SubscriptionId::from_u64(id), |wanted| {
        let text = part(wanted);
        buf.len = c_int::try_from(text.len()).map_err(|_| Error::Room)?;
        if text.len() > room {
            return Err(Error::Room);
        }
        if !text.is_empty() {
            if buf.s.is_null() {
                return Err(Error::Argument);
            }
            // SAFETY: not null, with room for the text; the text is the hub's own and so elsewhere.
            unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), buf.s.cast::<u8>(), text.len()) };
        }
        Ok(0)
    });
    copied.unwrap_or(Err(Error::Unknown))
}

pub(super) unsafe extern "C" fn queue_create<W: Wiring>(
    limit: c_uint,
    function: Option<WakeFn>,
    user: *mut c_void,
    to: *mut u64,
) -> c_int {
    with_hub::<W>("queue_create", |hub| {
        if to.is_null() {
            return Err(Error::Argument);
        }
        let woken = match function {
            Some(function) => Wake { f: wake::<W>, user: hub.keep_foreign([function as usize, 0, number_of(user)])? },
            None => Wake::nobody(),
        };
        let queue = hub.queue_create(limit, woken).inspect_err(|_| hub.forget_foreign(woken.user))?;
        // SAFETY: not null.
        unsafe { put(to, queue.to_u64()) }
    })
}

/// The hub's callback: hands the wake on to the C function.
fn wake<W: Wiring>(user: usize) {
    let Some([function, _, user]) = W::hub().and_then(|hub: &Hub<_, _>| hub.foreign(user)) else { return };
    // SAFETY: the number was made of a function of this type in `queue_create`.
    let function = unsafe { std::mem::transmute::<*const (), WakeFn>(std::ptr::with_exposed_provenance(function)) };
    // SAFETY: a function of the header's type, valid in every process.
    unsafe { function(pointer_of(user)) }
}

pub(super) unsafe extern "C" fn queue_destroy<W: Wiring>(queue: u64) -> c_int {
    with_hub::<W>("queue_destroy", |hub| {
        let woken = hub.queue_destroy(QueueId::from_u64(queue))?;
        hub.forget_foreign(woken.user);
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn queue_is_empty<W: Wiring>(queue: u64) -> c_int {
    with_hub::<W>("queue_is_empty", |hub| {
        let empty = hub.queue_is_empty(QueueId::from_u64(queue)).ok_or(Error::Unknown)?;
        Ok(c_int::from(empty))
    })
}

pub(super) unsafe extern "C" fn queue_counters<W: Wiring>(queue: u64, to: *mut CCounters) -> c_int {
    with_hub::<W>("queue_counters", |hub| {
        let counters = match queue {
            0 => hub.counters(),
            queue => hub.queue_counters(QueueId::from_u64(queue)).ok_or(Error::Unknown)?,
        };
        let counters = CCounters {
            size: size_of::<CCounters>() as c_uint,
            received: counters.received,
            delivered: counters.delivered,
            merged: counters.merged,
            dropped: counters.dropped,
            queued: counters.queued,
        };
        // SAFETY: null or to be written, as the header says.
        unsafe { put_sized(to, &counters) }
    })
}
