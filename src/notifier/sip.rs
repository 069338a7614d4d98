//! The SIP user agent as a QSA notifier: internal subscriptions become SIP subscriptions.

use crate::engine::{self, Engine, Hub, Origin};
use crate::host::log;
use crate::qsa::{Notifier, QsaError, Refused, Subscribed, SubscriptionId};
use crate::registry::Handle;
use crate::subscription::package;

/// Registers the user agent for every package it speaks, in the default domain and for subscriptions that are shared.
///
/// # Errors
/// When the hub has no room.
pub fn register(engine: &Engine) -> Result<(), QsaError> {
    let mut registered = Vec::new();
    for package in package::ALL {
        for domain in [Hub::DEFAULT_DOMAIN, engine.share_domain()] {
            let notifier = Notifier { subscribe, unsubscribe, user: 0 };
            registered.push(engine.hub.register_notifier(domain, package.name.as_bytes(), notifier)?);
        }
    }
    engine::introduce_user_agent(registered);
    Ok(())
}

fn subscribe(_user: usize, subscribed: &Subscribed<'_>) -> Result<u64, Refused> {
    let engine = engine::engine().ok_or_else(|| Refused::new("the module is not initialised"))?;
    if !engine.config.handle_presence_subscriptions {
        // Taken and left alone, as the parameter's description says: 0 is no handle.
        return Ok(0);
    }
    let package = package::find(subscribed.package).ok_or_else(|| Refused::new("unknown event package"))?;
    // Those of script and RPC have been looked at before; a C module learns no more than that it was refused.
    let options = engine.options(subscribed.first_param).map_err(|error| {
        log::error(&format!("no subscription to {}: {error}", String::from_utf8_lossy(subscribed.record)));
        Refused::new("its options are wrong")
    })?;
    if options.share {
        return engine.share(subscribed, options);
    }
    let origin = Origin {
        record: subscribed.record,
        subscriber: subscribed.subscriber,
        package,
        options: &options,
        subscription: subscribed.id,
        queue: subscribed.queue,
        subscriber_data: subscribed.subscriber_data,
    };
    engine.start(&origin).map(Handle::to_u64)
}

fn unsubscribe(_user: usize, subscription: SubscriptionId, value: u64) {
    let Some(engine) = engine::engine() else { return };
    if engine.leave(subscription, value) {
        return;
    }
    if let Some(handle) = Handle::from_u64(value) {
        engine.end(handle);
    }
}
