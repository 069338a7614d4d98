//! RPC commands. Fields are named alike in all of them.

use super::subscriptions::{self, SubscriptionError};
use crate::engine::{self, Engine};
use crate::host::rpc::{Call, NoRoom, Row};
use crate::host::shm;
use crate::registry::Handle;
use crate::subscription::{Package, Snapshot, State, Untold, package};
use crate::time::seconds_up;
use std::ffi::CStr;
use std::ops::ControlFlow;

/// How many subscriptions one page shows unless told otherwise.
const PAGE: usize = 100;

/// The most one page may show. It ends before when the answer is as long as every transport carries.
const LARGEST_PAGE: usize = 1000;

/// Why a command failed: a code as in SIP, and what to tell the operator.
struct Fault(i32, String);

impl From<NoRoom> for Fault {
    fn from(_: NoRoom) -> Self {
        let advice =
            "ask for a smaller page, or raise binrpc_struct_max_body_size and binrpc_max_body_size of module ctl";
        Self(500, format!("the answer is too large for the transport: {advice}"))
    }
}

impl From<SubscriptionError> for Fault {
    fn from(error: SubscriptionError) -> Self {
        let code = match error {
            SubscriptionError::Share
            | SubscriptionError::Package(_)
            | SubscriptionError::TooLong(_)
            | SubscriptionError::Options(_)
            | SubscriptionError::Name(_)
            | SubscriptionError::Differs
            | SubscriptionError::Refused { .. }
            | SubscriptionError::Call(_)
            | SubscriptionError::Credentials(_) => 400,
            SubscriptionError::Foreign => 403,
            SubscriptionError::Unknown => 404,
            SubscriptionError::Ended | SubscriptionError::Off => 500,
        };
        Self(code, error.to_string())
    }
}

fn answer(call: &Call, work: impl FnOnce(&Engine) -> Result<(), Fault>) {
    let result = match engine::engine() {
        Some(engine) => work(engine),
        None => Err(Fault(500, "the module is not initialised".into())),
    };
    if let Err(Fault(code, text)) = result {
        call.fault(code, &text);
    }
}

/// `presence_b2b.version`: the versions of the module and of the server that it was built for. Works without the engine.
pub fn version(call: &Call, built_for: &CStr) {
    let answer = || {
        let row = call.add_row()?;
        row.text(c"version", env!("CARGO_PKG_VERSION").as_bytes())?;
        row.text(c"built_for", built_for.to_bytes())
    };
    if let Err(NoRoom) = answer() {
        call.fault(500, "out of memory");
    }
}

/// `presence_b2b.trace [detailed]`: how many subscriptions there are, were made and ended; with `detailed`, each one's state.
pub fn trace(call: &Call) {
    answer(call, |engine| {
        let detailed = match call.next_text() {
            None | Some(b"0") => false,
            Some(b"1" | b"detailed") => true,
            Some(other) => return Err(Fault(400, format!("\"{}\" is neither detailed nor 0 or 1", lossy(other)))),
        };
        let row = call.add_row()?;
        row.number(c"subscriptions", clamp(engine.registry.len() as u64))?;
        row.number(c"created", clamp(engine.registry.created()))?;
        row.number(c"destroyed", clamp(engine.registry.destroyed()))?;
        let messages = engine.hub.counters();
        row.number(c"received", clamp(messages.received))?;
        row.number(c"delivered", clamp(messages.delivered))?;
        row.number(c"merged", clamp(messages.merged))?;
        row.number(c"dropped", clamp(messages.dropped))?;
        row.number(c"queued", clamp(messages.queued))?;
        row.number(c"queued_bytes", clamp(messages.queued_bytes))?;
        let budget = engine.hub.budget();
        row.number(c"queue_bytes", clamp(budget.queue as u64))?;
        row.number(c"subscription_queue_bytes", clamp(budget.subscription as u64))?;
        let memory = shm::memory();
        row.number(c"memory", clamp(memory.used as u64))?;
        row.number(c"max_memory", clamp(memory.most as u64))?;
        row.number(c"bad_contacts", clamp(engine.bad_contacts()))?;
        for (name, why) in [
            (c"notifies_refused", Untold::Refused),
            (c"notifies_stale", Untold::Stale),
            (c"notifies_repeated", Untold::Repeated),
            (c"notifies_merged", Untold::Merged),
            (c"notifies_dropped", Untold::Dropped),
        ] {
            row.number(name, clamp(engine.untold(why)))?;
        }
        let small = shm::small_blocks();
        row.number(c"small_blocks", clamp(small.blocks as u64))?;
        row.number(c"small_bytes", clamp(small.bytes as u64))?;
        if detailed {
            let list = row.list(c"states")?;
            for (handle, snapshot) in fitting(call, page(engine, 0, LARGEST_PAGE)) {
                let row = list.add_row()?;
                row.number(c"id", handle.id())?;
                row.text(c"record", snapshot.record.as_bytes())?;
                row.text(c"subscriber", snapshot.subscriber.as_bytes())?;
                row.text(c"package", snapshot.package.as_bytes())?;
                row.text(c"state", snapshot.state.as_bytes())?;
                row.text(c"status", snapshot.status.as_bytes())?;
            }
        }
        Ok(())
    });
}

/// `presence_b2b.list [offset [limit [filter ...]]]`: a page of subscriptions, an array of structs.
pub fn list(call: &Call) {
    answer(call, |engine| {
        let (offset, limit) = next_page(call)?;
        let filters = next_filters(call)?;
        for (handle, snapshot) in fitting(call, filtered(engine, offset, limit, &filters)) {
            fill(&call.add_row()?, engine, handle, &snapshot)?;
        }
        Ok(())
    });
}

/// `presence_b2b.destinations [offset [limit]]`: a page of destinations, an array of structs.
pub fn destinations(call: &Call) {
    answer(call, |engine| {
        let (offset, limit) = next_page(call)?;
        let mut page = Vec::new();
        engine.gate.page(offset, limit, Engine::now(), |destination| page.push(destination));
        for one in fitting(call, page) {
            let row = call.add_row()?;
            row.text(c"address", one.address.as_bytes())?;
            row.text(c"state", one.state.name().as_bytes())?;
            row.number(c"failures", one.failures)?;
            row.number(c"held_for", one.held_for)?;
            row.number(c"sent", clamp(one.sent))?;
            row.number(c"held", clamp(one.held))?;
        }
        Ok(())
    });
}

/// `presence_b2b.lookups [offset [limit]]`: a page of the names that SUBSCRIBEs wait for, an array of structs.
pub fn lookups(call: &Call) {
    answer(call, |engine| {
        let (offset, limit) = next_page(call)?;
        let mut page = Vec::new();
        engine.lookups.page(offset, limit, Engine::now(), |name| page.push(name));
        for one in fitting(call, page) {
            let row = call.add_row()?;
            row.text(c"name", one.name.as_bytes())?;
            row.text(c"class", one.class.name().as_bytes())?;
            row.number(c"waiting", one.waiting)?;
            row.number(c"held_for", one.held_for)?;
            row.number(c"took", one.took)?;
            row.number(c"lookups", clamp(one.lookups))?;
            row.number(c"failed", clamp(one.failed))?;
        }
        Ok(())
    });
}

/// `presence_b2b.destination_release <address>`: lifts the hold of a destination and closes its breaker; answers how many
/// subscriptions ask again.
pub fn destination_release(call: &Call) {
    answer(call, |engine| {
        let address = next_required(call, "address")?;
        let unknown = || {
            let text = "is not known: presence_b2b.destinations lists those that are";
            Fault(404, format!("the destination \"{}\" {text}", lossy(address)))
        };
        let resumed = engine.release(address).ok_or_else(unknown)?;
        Ok(call.add_row()?.number(c"resumed", clamp(resumed as u64))?)
    });
}

/// `presence_b2b.locks`: what the locks have measured since the last time, an array of structs; times in nanoseconds.
#[cfg(feature = "meter_locks")]
pub fn locks(call: &Call) {
    answer(call, |_| {
        for reading in crate::host::meter::take() {
            let row = call.add_row()?;
            row.text(c"what", reading.what.as_bytes())?;
            for (name, number) in [
                (c"taken", reading.taken),
                (c"waited", reading.waited),
                (c"held_p50", reading.held_p50),
                (c"held_p99", reading.held_p99),
                (c"held_p999", reading.held_p999),
                (c"held_longest", reading.held_longest),
            ] {
                row.number(name, clamp(number))?;
            }
        }
        Ok(())
    });
}

/// `presence_b2b.show <id>`: one subscription.
pub fn show(call: &Call) {
    answer(call, |engine| {
        let handle = next_handle(call, engine)?;
        let snapshot = engine.registry.view(handle, |subscription, _| subscription.snapshot(Engine::now()));
        fill(&call.add_row()?, engine, handle, &snapshot.ok_or(SubscriptionError::Unknown)?)
    });
}

/// `presence_b2b.subscribe <record> <subscriber> [package [options]]`: the id of the subscription.
pub fn subscribe(call: &Call) {
    answer(call, |engine| {
        let record = next_required(call, "record")?;
        let subscriber = next_required(call, "subscriber")?;
        let package = call.next_text().unwrap_or_default();
        let options = call.next_text().unwrap_or_default();
        let handle = subscriptions::subscribe(engine, [record, subscriber, package, options], None)?;
        Ok(call.add_number(i32::try_from(handle.id()).unwrap_or(i32::MAX))?)
    });
}

/// `presence_b2b.unsubscribe <id>`: ends a subscription made by script or RPC.
pub fn unsubscribe(call: &Call) {
    answer(call, |engine| Ok(subscriptions::unsubscribe(engine, next_handle(call, engine)?)?));
}

/// `presence_b2b.refresh <id>`: sends a SUBSCRIBE as soon as `min_resubscribe_time` allows; answers in how many seconds.
pub fn refresh(call: &Call) {
    answer(call, |engine| {
        let handle = next_handle(call, engine)?;
        let next_action_in = engine.refresh(handle).ok_or(SubscriptionError::Unknown)?;
        let row = call.add_row()?;
        row.number(c"id", handle.id())?;
        Ok(row.number(c"next_action_in", seconds_up(next_action_in))?)
    });
}

/// Copied out under the locks, shown without them.
fn page(engine: &Engine, offset: usize, limit: usize) -> Vec<(Handle, Snapshot)> {
    let now = Engine::now();
    let mut page = Vec::new();
    engine.registry.page(offset, limit, |handle, subscription, _| page.push((handle, subscription.snapshot(now))));
    page
}

/// What a subscription must be to be listed.
enum Filter<'c> {
    Record(&'c [u8]),
    Subscriber(&'c [u8]),
    Package(&'static Package),
    State(&'static str),
}

impl<'c> Filter<'c> {
    /// Reads a name and a value.
    fn read(text: &'c [u8]) -> Result<Self, Fault> {
        let split = text.iter().position(|byte| *byte == b'=').and_then(|at| text.split_at_checked(at));
        let (name, value) = split.map_or((text, None), |(name, rest)| (name, rest.strip_prefix(b"=")));
        match (name, value) {
            (b"record" | b"subscriber" | b"package" | b"state", None | Some(b"")) => {
                let name = lossy(name);
                Err(Fault(400, format!("the filter {name} has no value: write {name}= and what the {name} must be")))
            }
            (b"record", Some(value)) => Ok(Self::Record(value)),
            (b"subscriber", Some(value)) => Ok(Self::Subscriber(value)),
            (b"package", Some(value)) => {
                let unknown = || SubscriptionError::Package(lossy(value));
                Ok(Self::Package(package::find(value).ok_or_else(unknown)?))
            }
            (b"state", Some(value)) => {
                let is_it = |name: &&str| name.as_bytes() == value;
                let unknown = || Fault(400, format!("\"{}\" is no state: {}", lossy(value), State::names().join(", ")));
                State::names().into_iter().find(is_it).map(Self::State).ok_or_else(unknown)
            }
            _ => {
                let keys = "record=, subscriber=, package= or state= and a value";
                Err(Fault(400, format!("\"{}\" is no filter: it must be {keys}", lossy(text))))
            }
        }
    }
}

/// All filters that follow.
fn next_filters(call: &Call) -> Result<Vec<Filter<'_>>, Fault> {
    std::iter::from_fn(|| call.next_text()).map(Filter::read).collect()
}

/// As [`page`], of those that pass all filters. The table is looked through, a few at a time under the lock, until the page is
/// full.
fn filtered(engine: &Engine, offset: usize, limit: usize, filters: &[Filter<'_>]) -> Vec<(Handle, Snapshot)> {
    if filters.is_empty() {
        return page(engine, offset, limit);
    }
    let now = Engine::now();
    let (mut page, mut skip) = (Vec::new(), offset);
    engine.registry.visit(|handle, subscription, _| {
        let passes = |filter: &Filter<'_>| match filter {
            Filter::Record(record) => subscription.record() == *record,
            Filter::Subscriber(subscriber) => subscription.subscriber() == *subscriber,
            Filter::Package(package) => subscription.package().name == package.name,
            Filter::State(state) => subscription.state().name() == *state,
        };
        if filters.iter().all(passes) {
            match skip {
                0 => page.push((handle, subscription.snapshot(now))),
                _ => skip -= 1,
            }
        }
        if page.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    page
}

/// As many rows as every transport carries; the next page begins behind them.
fn fitting<T>(call: &Call, rows: Vec<T>) -> impl Iterator<Item = T> {
    rows.into_iter().take_while(|_| call.has_room())
}

fn fill(row: &Row<'_>, engine: &Engine, handle: Handle, snapshot: &Snapshot) -> Result<(), Fault> {
    row.number(c"id", handle.id())?;
    for (name, text) in [
        (c"record", &snapshot.record[..]),
        (c"subscriber", &snapshot.subscriber),
        (c"package", snapshot.package),
        (c"state", snapshot.state),
        (c"status", snapshot.status),
    ] {
        row.text(name, text.as_bytes())?;
    }
    if !snapshot.event_id.is_empty() {
        row.text(c"event_id", snapshot.event_id.as_bytes())?;
    }
    if let Some(seconds) = snapshot.expires_in {
        row.number(c"expires_in", seconds)?;
    }
    if let Some(seconds) = snapshot.next_action_in {
        row.number(c"next_action_in", seconds)?;
    }
    for (name, text) in
        [(c"call_id", &snapshot.call_id), (c"local_tag", &snapshot.local_tag), (c"remote_tag", &snapshot.remote_tag)]
    {
        row.text(name, text.as_bytes())?;
    }
    row.number(c"local_cseq", snapshot.local_cseq)?;
    row.number(c"remote_cseq", snapshot.remote_cseq)?;
    row.text(c"remote_target", snapshot.remote_target.as_bytes())?;
    row.number(c"retries", snapshot.retries)?;
    row.number(c"last_reply", snapshot.last_reply.into())?;
    row.text(c"last_reason", snapshot.last_reason.as_bytes())?;
    row.number(c"notifies", snapshot.notifies)?;
    row.number(c"queued_bytes", clamp(engine.queued_bytes(handle) as u64))?;
    row.number(c"bytes", clamp(engine.registry.bytes_of(handle) as u64))?;
    row.number(c"bad_contacts", snapshot.bad_contacts.into())?;
    let names = [c"refused", c"stale", c"repeated", c"merged", c"dropped"];
    for (name, count) in names.into_iter().zip(snapshot.untold) {
        row.number(name, count)?;
    }
    row.number(c"fork", snapshot.fork.into())?;
    if let Some(root) = engine.registry.root_of(handle) {
        row.number(c"fork_of", root.id())?;
    }
    Ok(())
}

fn next_required<'c>(call: &'c Call, name: &str) -> Result<&'c [u8], Fault> {
    call.next_text()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Fault(400, format!("the parameter {name} is missing")))
}

/// Offset and limit of a page.
fn next_page(call: &Call) -> Result<(usize, usize), Fault> {
    let offset = next_number(call, "offset")?.unwrap_or(0);
    let limit = next_number(call, "limit")?.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Fault(400, format!("limit is {limit}, but must be 1 to {LARGEST_PAGE}")));
    }
    Ok((offset, limit))
}

/// A number from 0 to what every transport carries.
fn next_number(call: &Call, name: &str) -> Result<Option<usize>, Fault> {
    let Some(text) = call.next_text() else { return Ok(None) };
    let text = lossy(text);
    // Some transports write a negative number as its two's complement.
    let number = text.parse::<i64>().ok().or_else(|| text.parse::<u64>().ok().map(u64::cast_signed));
    let fits = number.and_then(|number| i32::try_from(number).ok()).and_then(|number| usize::try_from(number).ok());
    let given = number.map_or(text, |number| number.to_string());
    fits.map(Some)
        .ok_or_else(|| Fault(400, format!("{name} is \"{given}\", but must be a number from 0 to {}", i32::MAX)))
}

fn next_handle(call: &Call, engine: &Engine) -> Result<Handle, Fault> {
    let id = next_number(call, "id")?.ok_or_else(|| Fault(400, "the parameter id is missing".into()))?;
    let handle = u32::try_from(id).ok().and_then(|id| engine.by_id(id));
    handle.ok_or_else(|| Fault(404, format!("there is no subscription {id}")))
}

fn clamp(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
