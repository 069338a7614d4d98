//! For notifiers, and the domains.

use std::ffi::{c_int, c_uint, c_void};

use super::Wiring;
use super::convert::{bytes, bytes_at, domain, known_domain, number_of, pointer_of, put, sized_at, status_of};
use super::guard::{HubOf, with_hub};
use super::text::{Str, terminated};
use super::types::{CNotifierParams, CSubscribed, DestroyFn, Error, SubscribeFn, UnsubscribeFn};
use crate::qsa::{ContentTypeId, Destroy, Hub, Notifier, NotifierId, Refused, SubscriptionId, Wanted};

pub(super) unsafe extern "C" fn default_domain<W: Wiring>(to: *mut u64) -> c_int {
    with_hub::<W>("default_domain", |_| {
        let domain = HubOf::<W>::DEFAULT_DOMAIN;
        // SAFETY: null or to be written, as the header says.
        unsafe { put(to, domain.to_u64()) }
    })
}

pub(super) unsafe extern "C" fn register_domain<W: Wiring>(name: *const Str, to: *mut u64) -> c_int {
    with_hub::<W>("register_domain", |hub| {
        if to.is_null() {
            return Err(Error::Argument);
        }
        // SAFETY: null or a valid str, as the header says.
        let domain = hub.domain(unsafe { bytes_at(name) }?)?;
        // SAFETY: not null.
        unsafe { put(to, domain.to_u64()) }
    })
}

pub(super) unsafe extern "C" fn release_domain<W: Wiring>(number: u64) -> c_int {
    with_hub::<W>("release_domain", |hub| {
        hub.release_domain(known_domain(number))?;
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn has_notifier<W: Wiring>(number: u64, package: *const Str) -> c_int {
    with_hub::<W>("has_notifier", |hub| {
        // SAFETY: null or a valid str, as the header says.
        let package = unsafe { bytes_at(package) }?;
        Ok(c_int::from(hub.has_notifier(domain(number), package)))
    })
}

pub(super) unsafe extern "C" fn register_notifier<W: Wiring>(params: *const CNotifierParams, to: *mut u64) -> c_int {
    with_hub::<W>("register_notifier", |hub| {
        // SAFETY: null or valid params, as the header says.
        let params = unsafe { sized_at(params) }?;
        // SAFETY: a valid str, as the header says.
        let package = unsafe { bytes(&params.package) }?;
        let subscribe_c = params.subscribe.ok_or(Error::Argument)?;
        if to.is_null() {
            return Err(Error::Argument);
        }
        let unsubscribe_c = params.unsubscribe.map_or(0, |f| f as usize);
        let user = hub.keep_foreign([subscribe_c as usize, unsubscribe_c, number_of(params.user)])?;
        let notifier = Notifier { subscribe: subscribe::<W>, unsubscribe: unsubscribe::<W>, user };
        let id = hub
            .register_notifier(domain(params.domain), package, notifier)
            .inspect_err(|_| hub.forget_foreign(user))?;
        // SAFETY: not null.
        unsafe { put(to, id.to_u64()) }
    })
}

pub(super) unsafe extern "C" fn unregister_notifier<W: Wiring>(number: u64) -> c_int {
    with_hub::<W>("unregister_notifier", |hub| {
        let notifier = hub.unregister_notifier(NotifierId::from_u64(number))?;
        hub.forget_foreign(notifier.user);
        Ok(0)
    })
}

/// The hub's callback: hands the offer on to the C function.
fn subscribe<W: Wiring>(
    user: usize,
    notifier: NotifierId,
    id: SubscriptionId,
    wanted: &Wanted<'_>,
) -> Result<u64, Refused> {
    let kept = W::hub().and_then(|hub: &Hub<_, _>| hub.foreign(user));
    let [function, _, user] = kept.ok_or(Refused::new("the notifier was unregistered"))?;
    // SAFETY: the number was made of a function of this type in `register_notifier`.
    let function =
        unsafe { std::mem::transmute::<*const (), SubscribeFn>(std::ptr::with_exposed_provenance(function)) };
    // Copies: if the function writes to the texts, as Kamailio's own functions may, it does no harm.
    let given = [wanted.record, wanted.subscriber, wanted.package, wanted.first_param];
    let mut texts = given.map(|text| [text, b"\0"].concat());
    let [record, subscriber, package, first_param] = texts.each_mut().map(|text| terminated(text));
    let subscribed = CSubscribed {
        size: size_of::<CSubscribed>() as c_uint,
        subscription: id.to_u64(),
        notifier: notifier.to_u64(),
        queue: wanted.queue.to_u64(),
        subscriber_data: pointer_of(wanted.subscriber_data),
        record,
        subscriber,
        package,
        first_param,
    };
    let mut value = 0;
    // SAFETY: a function of the header's type, valid in every process; its arguments live through the call.
    let answer = unsafe { function(&raw const subscribed, &raw mut value, pointer_of(user)) };
    if answer < 0 { Err(Refused { reason: "the notifier does not take it", code: answer }) } else { Ok(value) }
}

/// The hub's callback: hands the end of a subscription on to the C function.
fn unsubscribe<W: Wiring>(user: usize, id: SubscriptionId, value: u64) {
    let Some([_, function, user]) = W::hub().and_then(|hub: &Hub<_, _>| hub.foreign(user)) else { return };
    if function == 0 {
        return;
    }
    // SAFETY: the number was made of a function of this type in `register_notifier`.
    let function =
        unsafe { std::mem::transmute::<*const (), UnsubscribeFn>(std::ptr::with_exposed_provenance(function)) };
    // SAFETY: a function of the header's type, valid in every process.
    unsafe { function(id.to_u64(), value, pointer_of(user)) }
}

pub(super) unsafe extern "C" fn accept_subscription<W: Wiring>(id: u64) -> c_int {
    with_hub::<W>("accept_subscription", |hub| {
        hub.accept(SubscriptionId::from_u64(id))?;
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn release_subscription<W: Wiring>(id: u64) -> c_int {
    with_hub::<W>("release_subscription", |hub| {
        hub.release(SubscriptionId::from_u64(id))?;
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn notify_subscriber<W: Wiring>(
    id: u64,
    status: c_int,
    reason: *const Str,
    content_type: *const Str,
    body: *const Str,
) -> c_int {
    with_hub::<W>("notify_subscriber", |hub| {
        // SAFETY: each null or a valid str, as the header says.
        let (reason, content_type, body) = unsafe { (bytes_at(reason)?, bytes_at(content_type)?, bytes_at(body)?) };
        hub.notify(SubscriptionId::from_u64(id), status_of(status)?, reason, content_type, body)?;
        Ok(0)
    })
}

pub(super) unsafe extern "C" fn register_content_type<W: Wiring>(
    number: u64,
    name: *const Str,
    function: Option<DestroyFn>,
    to: *mut u64,
) -> c_int {
    with_hub::<W>("register_content_type", |hub| {
        // SAFETY: null or a valid str, as the header says.
        let name = unsafe { bytes_at(name) }?;
        if name.is_empty() || to.is_null() {
            return Err(Error::Argument);
        }
        let destroy = function.map(|function| Destroy { f: destroy, user: function as usize });
        let id = hub.content_type(domain(number), name, destroy)?;
        // SAFETY: not null.
        unsafe { put(to, id.to_u64()) }
    })
}

/// The hub's callback: hands the value on to the C function.
fn destroy(function: usize, value: usize) {
    // SAFETY: the number was made of a function of this type in `register_content_type`.
    let function = unsafe { std::mem::transmute::<*const (), DestroyFn>(std::ptr::with_exposed_provenance(function)) };
    // SAFETY: a function of the header's type, valid in every process, for a value it was registered for.
    unsafe { function(pointer_of(value)) }
}

pub(super) unsafe extern "C" fn notify_subscriber_data<W: Wiring>(
    id: u64,
    status: c_int,
    reason: *const Str,
    content_type: u64,
    data: *mut c_void,
) -> c_int {
    with_hub::<W>("notify_subscriber_data", |hub| {
        let status = status_of(status)?;
        // SAFETY: null or a valid str, as the header says.
        let reason = unsafe { bytes_at(reason) }?;
        let content_type = ContentTypeId::from_u64(content_type);
        hub.notify_data(SubscriptionId::from_u64(id), status, reason, content_type, number_of(data))?;
        Ok(0)
    })
}
