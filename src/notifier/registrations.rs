//! The registrations of local users as a notifier: package `reg`, without SIP.
//!
//! The location service's callbacks only mark an address of record. A b2b worker reads its contacts and tells them as a document of
//! RFC 3680, the whole state each time, to all subscriptions to it.

use super::local::{self, LocalPackage};
use crate::document::{RegInfo, RegisteredContact, Registration, Version};
use crate::engine::{Engine, Lack, NO_MEMORY};
use crate::grammar::Aor;
use crate::host::log;
use crate::host::usrloc::{self, LocatedContact};
use crate::memory::OutOfMemory;
use crate::qsa::{Refused, SubscriptionId, Wanted};
use crate::registrations::{Collected, ContactEvent, EndedContact, Follower};
use crate::registry::Handle;
use crate::subscription::Options;

/// How many addresses a worker looks at before it looks at other work.
const BATCH: usize = 32;

/// Type of the documents.
const CONTENT_TYPE: &str = "application/reginfo+xml";

/// A contact that is there, and what names its instance in its GRUU.
type ActiveContact = (RegisteredContact, String);

/// Starts a subscription to the registrations of a local user.
///
/// # Errors
/// Why not, for the operator; nothing is left behind.
pub(super) fn start(
    engine: &Engine,
    id: SubscriptionId,
    wanted: &Wanted<'_>,
    options: &Options,
    aor: &Aor,
) -> Result<Handle, Refused> {
    if let Err(error) = usrloc::check() {
        // A C module learns no more than that it was refused.
        log::error(&format!("no registrations of {}: {error}", log::peer(wanted.record)));
        return Err(Refused::new("registrations are not known: usrloc is not loaded, or has db_mode 3"));
    }
    let handle = engine.start_local(id, wanted, options)?;
    let aor = usrloc::aor_of(&aor.user, &aor.host);
    match engine.registrations.follow(&aor, handle.to_u64()) {
        Ok(shard) => {
            engine.ring_for_registrations(shard);
            Ok(handle)
        }
        Err(OutOfMemory) => {
            engine.end(handle);
            Err(NO_MEMORY)
        }
    }
}

/// An internal subscription has ended: if it was one to registrations of a local user, it follows them no further.
pub(super) fn leave(engine: &Engine, subscription: SubscriptionId, handle: Handle) {
    if engine.registrations.count() == 0 {
        return;
    }
    match engine.hub.with_subscription(subscription, |wanted| local::user_of(engine, &wanted)) {
        Some(Some(Ok((LocalPackage::Registrations, aor)))) => {
            engine.registrations.unfollow(&usrloc::aor_of(&aor.user, &aor.host), handle.to_u64());
        }
        Some(_) => {}
        // Ended while it was being made: its subject is forgotten.
        None => engine.registrations.unfollow_anything(handle.to_u64()),
    }
}

/// Tells what has happened, as far as this worker looks after it; whether there was anything.
pub(super) fn work(engine: &Engine, worker: usize) -> bool {
    for done in 0..BATCH {
        let Some(aor) = engine.registrations.next_marked(worker, engine.workers()) else { return done > 0 };
        if look_at(engine, &aor) == Err(OutOfMemory) {
            // What was not told is looked at again, but not at once.
            engine.lacks(Lack::Registration);
            return false;
        }
    }
    true
}

/// The contacts of an address, and the subscriptions that get them: one state, as both are taken under the lock of the location service.
fn look_at(engine: &Engine, aor: &[u8]) -> Result<(), OutOfMemory> {
    let table = &engine.registrations;
    let seen = usrloc::with_contacts(aor, |contacts| {
        let ids: Vec<&[u8]> = contacts.iter().map(LocatedContact::id).collect();
        let collected = table.collect(aor, &ids)?;
        let is_told = !collected.followers.is_empty();
        let told = contacts.iter().filter(|_| is_told);
        let active = told.map(|contact| (active(contact, event_of(engine, &collected, contact)), instance(contact)));
        let active: Vec<ActiveContact> = active.collect();
        Some((collected, active))
    });
    let Some((collected, active)) = seen.flatten() else { return Ok(()) };
    engine.omitted_contacts(collected.omitted);
    let mut all = Ok(());
    for follower in &collected.followers {
        if tell(engine, aor, follower, &collected, &active).is_err() {
            table.tell_again(aor, follower);
            all = Err(OutOfMemory);
        }
    }
    if !collected.unbound.is_empty() {
        engine.end_with_registration(aor, &collected.unbound);
    }
    all
}

fn event_of(engine: &Engine, collected: &Collected, contact: &LocatedContact<'_>) -> ContactEvent {
    let number = engine.registrations.number_of(contact.id());
    collected.events.iter().find(|(of, _)| *of == number).map_or(ContactEvent::Registered, |(_, event)| *event)
}

/// Tells one follower. The documents of all differ in version and address only.
fn tell(
    engine: &Engine,
    aor: &[u8],
    follower: &Follower,
    collected: &Collected,
    active: &[ActiveContact],
) -> Result<(), OutOfMemory> {
    let record = Handle::from_u64(follower.subscription).and_then(|handle| {
        let record = engine.registry.view(handle, |subscription, _| text(subscription.record()))?;
        Some((handle, record))
    });
    let Some((handle, record)) = record else {
        engine.registrations.unfollow(aor, follower.subscription);
        return Ok(());
    };
    let contact = |(contact, instance): &ActiveContact| RegisteredContact {
        pub_gruu: pub_gruu(&record, instance),
        ..contact.clone()
    };
    let mut contacts: Vec<RegisteredContact> = active.iter().map(contact).collect();
    // A new subscription does not get contacts that are gone.
    contacts.extend(collected.ended.iter().filter(|_| !follower.is_new).map(terminated));
    let state = match (active.is_empty(), follower.version) {
        (false, _) => "active",
        (true, 0) => "init",
        (true, _) => "terminated",
    };
    let id = format!("r{:x}", engine.registrations.number_of(aor));
    let registration = Registration { aor: record, id, state: state.to_owned(), contacts };
    let version = Version { number: follower.version, is_full: true };
    let info = RegInfo { version: Some(version), registrations: vec![registration] };
    if !engine.tell_local(handle, follower.version, CONTENT_TYPE.as_bytes(), info.to_xml().as_bytes())? {
        engine.registrations.unfollow(aor, follower.subscription);
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A contact that is there.
fn active(contact: &LocatedContact<'_>, event: ContactEvent) -> RegisteredContact {
    let instance = Some(contact.instance()).filter(|instance| !instance.is_empty());
    let instance = instance.map(|instance| ("+sip.instance".to_owned(), format!("\"{}\"", text(instance))));
    let reg_id = contact.reg_id().map(|reg_id| ("reg-id".to_owned(), reg_id.to_string()));
    RegisteredContact {
        id: text(contact.id()),
        state: "active".to_owned(),
        event: event.name().to_owned(),
        uri: text(contact.uri()),
        expires: contact.expires(),
        q: contact.q().map(|q| format!("{}.{:03}", q / 1000, q % 1000)),
        call_id: Some(text(contact.call_id())),
        cseq: Some(contact.cseq()),
        unknown_params: instance.into_iter().chain(reg_id).collect(),
        ..RegisteredContact::default()
    }
}

/// A contact that is gone.
fn terminated(ended: &EndedContact) -> RegisteredContact {
    RegisteredContact {
        id: text(&ended.id),
        state: "terminated".to_owned(),
        event: ended.event.name().to_owned(),
        uri: text(&ended.uri),
        call_id: Some(text(&ended.call_id)),
        cseq: Some(ended.cseq),
        ..RegisteredContact::default()
    }
}

/// What names a contact's instance in its GRUU; empty if it has none.
fn instance(contact: &LocatedContact<'_>) -> String {
    let instance = contact.instance();
    let inner = instance.strip_prefix(b"<").and_then(|inner| inner.strip_suffix(b">"));
    text(inner.unwrap_or(instance))
}

/// The public GRUU that the registrar gives a contact (RFC 5627 §3.1).
fn pub_gruu(record: &str, instance: &str) -> Option<String> {
    if instance.is_empty() || !usrloc::has_gruus() {
        return None;
    }
    let aor = record.split([';', '?']).next().unwrap_or(record);
    Some(format!("{aor};gr={instance}"))
}
