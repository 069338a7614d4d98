//! The server's counters, and how fast they grow.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Moment;
use super::fields::natural;

/// Counters of two moments.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    now: Option<Reading>,
    before: Option<Reading>,
}

#[derive(Clone, Debug)]
struct Reading {
    at: Moment,
    values: BTreeMap<String, u64>,
}

/// The SUBSCRIBEs of every kind.
pub const SUBSCRIBES: &[&str] = &["subscribes_new", "subscribes_refresh", "subscribes_end", "subscribes_retry"];
/// The NOTIFYs, whatever became of them.
pub const NOTIFIES: &[&str] = &[
    "notifies_accepted",
    "notifies_discarded_repeated",
    "notifies_refused_stale",
    "notifies_refused_malformed",
    "notifies_refused_event",
    "notifies_refused_type",
    "notifies_refused_size",
    "notifies_refused_extension",
    "notifies_refused_room",
    "notifies_refused_fork",
];
/// The messages for queues.
pub const MESSAGES: &[&str] = &["received"];

impl Counters {
    /// Takes an answer of `stats.fetch` or `presence_b2b.trace`.
    pub(super) fn take(&mut self, answer: &Value, at: Moment) {
        let fields = answer.as_object().into_iter().flatten();
        let name = |name: &str| name.strip_prefix("presence_b2b.").unwrap_or(name).to_owned();
        let values: BTreeMap<_, _> = fields.filter_map(|(key, value)| Some((name(key), natural(value)?))).collect();
        if !values.is_empty() {
            self.before = self.now.replace(Reading { at, values });
        }
    }

    /// Forgets: the server has started again.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// One counter.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.now.as_ref()?.values.get(name).copied()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&str, u64)> {
        self.now.iter().flat_map(|reading| &reading.values).map(|(name, value)| (name.as_str(), *value))
    }

    /// How much the sum of these counters has grown in a second; none if it is not known, or a counter was set back.
    pub fn rate(&self, names: &[&str]) -> Option<f64> {
        let (now, before) = (self.now.as_ref()?, self.before.as_ref()?);
        let seconds = now.at.checked_sub(before.at)?.as_secs_f64();
        let sum = |of: &Reading| {
            let found = names.iter().filter_map(|name| of.values.get(*name));
            found.copied().reduce(u64::saturating_add)
        };
        let grown = sum(now)?.checked_sub(sum(before)?)?;
        (seconds > 0.0).then(|| grown as f64 / seconds)
    }
}
