//! The SIP user agent as a QSA notifier: internal subscriptions become SIP subscriptions.

use super::local::{self, LocalPackage};
use super::{calls, registrations, share};
use crate::engine::{self, ShmHub};
use crate::host::log;
use crate::qsa::{DomainId, Notifier, NotifierId, QsaError, Refused, SubscriptionId, Wanted};
use crate::registry::Handle;
use crate::subscription::Packages;

/// Registers the user agent for every package it speaks, in the default domain and in that of the subscriptions that are shared.
///
/// # Errors
/// When the hub has no room.
pub fn register(hub: &ShmHub, packages: &Packages, shares: DomainId) -> Result<Vec<NotifierId>, QsaError> {
    let notifier = Notifier { subscribe, unsubscribe, user: 0 };
    let domains = [ShmHub::DEFAULT_DOMAIN, shares].into_iter();
    let places = domains.flat_map(|domain| packages.iter().map(move |package| (domain, package.name)));
    places.map(|(domain, package)| hub.register_notifier(domain, package.as_bytes(), notifier)).collect()
}

fn subscribe(_user: usize, _: NotifierId, id: SubscriptionId, wanted: &Wanted<'_>) -> Result<u64, Refused> {
    let engine = engine::engine().ok_or_else(|| Refused::new("the module is not initialised"))?;
    if !engine.live.handle_presence_subscriptions() {
        // Taken and left alone, as the parameter's description says: 0 is no handle.
        return Ok(0);
    }
    let read;
    let options = match wanted.options {
        Some(options) => options,
        None => {
            // A C module learns no more than that it was refused.
            read = engine.options(wanted.first_param).map_err(|error| {
                log::error(&format!("no subscription to {}: {error}", String::from_utf8_lossy(wanted.record)));
                Refused::new("its options are wrong")
            })?;
            &read
        }
    };
    if options.publish.is_some() && !engine.is_event_queue(wanted.queue) {
        log::error(&format!(
            "no subscription to {}: the options publish and publish_as are for script, RPC and provisioned subscriptions only: \
             remove them",
            String::from_utf8_lossy(wanted.record)
        ));
        return Err(Refused::new("only subscriptions of script and RPC publish"));
    }
    if options.share {
        return share::join(engine, id, wanted, options);
    }
    match local::user_of(engine, wanted) {
        None => engine.start(id, wanted, options).map(Handle::to_u64),
        Some(Ok((LocalPackage::Calls, aor))) => calls::start(engine, id, wanted, options, &aor).map(Handle::to_u64),
        Some(Ok((LocalPackage::Registrations, aor))) => {
            registrations::start(engine, id, wanted, options, &aor).map(Handle::to_u64)
        }
        Some(Err(refused)) => Err(refused),
    }
}

fn unsubscribe(_user: usize, subscription: SubscriptionId, value: u64) {
    let Some(engine) = engine::engine() else { return };
    if share::leave(engine, subscription, value) {
        return;
    }
    if let Some(handle) = Handle::from_u64(value) {
        calls::leave(engine, subscription, handle);
        registrations::leave(engine, subscription, handle);
        engine.end(handle);
    }
}
