//! The module's numbers as counters of the server: those of `presence_b2b.trace`, those of the store, and those that only counters show.

use std::ffi::{CStr, CString};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::answers::{LiveCounters, STORE_COUNTERS, Statistics};
use super::rpc::statistics;
use crate::engine::{self, Engine, RefusedFor, ReplyClass, StoreCount};
use crate::host::blocks;
use crate::host::statistics::register;
use crate::subscription::{Packages, RequestKind, State, Untold};
use crate::time::Millis;

/// The group of the counters.
const GROUP: &CStr = c"presence_b2b";

/// What the server says of each counter.
const MEANING: &CStr = c"see docs/statistics.md of presence_b2b";

/// Makes the counters, in the order of [`CounterReading`]; call once, in `mod_init`. `false` if the server refuses one.
#[must_use]
pub fn make(packages: &Packages) -> bool {
    let fixed = Statistics::NAMES.into_iter().chain(STORE_COUNTERS).chain(LiveCounters::NAMES);
    let mut counters: Vec<_> = fixed.map(|name| (name, MEANING)).collect();
    counters.extend(State::names().map(|name| (lasting(format!("state_{name}")), MEANING)));
    counters.extend(of_packages(packages).into_iter().map(|name| (lasting(name), MEANING)));
    register(GROUP, &counters, value)
}

/// The names of the packages' counters. Prometheus takes no dots and hyphens; where that makes two names the same, an underscore keeps them apart.
fn of_packages(packages: &Packages) -> Vec<String> {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    let mut names: Vec<String> = Vec::new();
    for package in packages.iter() {
        let mut name: String = "package_".chars().chain(package.name.chars().map(plain)).collect();
        while names.contains(&name) {
            name.push('_');
        }
        names.push(name);
    }
    names
}

/// A name that stays as long as the server has its counter.
fn lasting(name: String) -> &'static CStr {
    CString::new(name).map_or(c"", |name| Box::leak(name.into_boxed_c_str()))
}

/// One reading of all counters, which all counters of an answer are from: the server asks for each by itself.
struct CounterReading {
    at: Millis,
    /// By the number of the counter, with whether it was asked for.
    values: Vec<(u64, bool)>,
}

/// For how long a reading may serve: longer than an answer usually takes, and so short that nobody sees an old number.
const SERVES: Duration = Duration::from_millis(10);

/// Each process has its own.
static READING: Mutex<Option<CounterReading>> = Mutex::new(None);

impl CounterReading {
    fn make(engine: &Engine, now: Millis) -> Self {
        let tally = engine.registry.tally();
        let values = (statistics(engine).into_fields().map(|(_, value)| value))
            .chain(of_store(engine))
            .chain(live(engine).into_fields().map(|(_, value)| value))
            .chain(tally.states.iter().chain(&tally.packages).copied().map(u64::from));
        Self { at: now, values: values.map(|value| (value, false)).collect() }
    }

    /// The value of a counter; `None` if this reading has served for it.
    fn take(&mut self, number: usize, now: Millis) -> Option<u64> {
        let (value, is_asked) = self.values.get_mut(number)?;
        let is_fresh = !*is_asked && now.since(self.at) < SERVES;
        *is_asked = true;
        is_fresh.then_some(*value)
    }
}

fn value(number: usize) -> u64 {
    let Some(engine) = engine::engine() else { return 0 };
    let now = Engine::now();
    let mut reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = reading.as_mut().and_then(|reading| reading.take(number, now)) {
        return value;
    }
    reading.insert(CounterReading::make(engine, now)).take(number, now).unwrap_or(0)
}

/// Reads all that only counters show.
fn live(engine: &Engine) -> LiveCounters {
    let (memory, messages) = (blocks::usage().used as u64, engine.hub.counters().queued_bytes);
    let (records, states) = (engine.registry.bytes_of_records() as u64, engine.kept().bytes);
    let calls = engine.calls.usage().bytes;
    LiveCounters {
        failing: engine.registry.tally().failing.into(),
        subscribes_new: engine.subscribes(RequestKind::New),
        subscribes_refresh: engine.subscribes(RequestKind::Refresh),
        subscribes_end: engine.subscribes(RequestKind::End),
        subscribes_retry: engine.subscribes(RequestKind::Retry),
        replies_2xx: engine.replies(ReplyClass::Success),
        replies_3xx: engine.replies(ReplyClass::Redirection),
        replies_4xx: engine.replies(ReplyClass::RequestFailure),
        replies_5xx: engine.replies(ReplyClass::ServerFailure),
        replies_6xx: engine.replies(ReplyClass::GlobalFailure),
        replies_none: engine.replies(ReplyClass::None),
        notifies_accepted: engine.accepted(),
        notifies_discarded_repeated: engine.untold(Untold::Repeated),
        notifies_discarded_merged: engine.untold(Untold::Merged),
        notifies_discarded_dropped: engine.untold(Untold::Dropped),
        notifies_discarded_body: engine.refused(RefusedFor::Body),
        notifies_refused_stale: engine.untold(Untold::Stale),
        notifies_refused_malformed: engine.refused(RefusedFor::Malformed),
        notifies_refused_event: engine.refused(RefusedFor::Event),
        notifies_refused_type: engine.refused(RefusedFor::Type),
        notifies_refused_size: engine.refused(RefusedFor::Size),
        notifies_refused_extension: engine.refused(RefusedFor::Extension),
        notifies_refused_room: engine.refused(RefusedFor::Room),
        notifies_refused_fork: engine.refused(RefusedFor::Fork),
        breakers_open: engine.gate.open_breakers().into(),
        deadline_lag_ms: engine.lag(),
        memory_records: records,
        memory_messages: messages,
        memory_states: states,
        memory_calls: calls,
        memory_other: memory.saturating_sub(records + messages + states + calls),
    }
}

/// In the order of [`STORE_COUNTERS`].
fn of_store(engine: &Engine) -> [u64; STORE_COUNTERS.len()] {
    let Some(store) = engine.store() else { return Default::default() };
    let counted = |what| store.status.counted(what);
    [
        counted(StoreCount::Rows),
        counted(StoreCount::Waiting),
        store.status.lag(Engine::now()),
        counted(StoreCount::Written),
        counted(StoreCount::Failures),
    ]
}
