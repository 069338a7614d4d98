//! One subscription that is looked at, with its history.

use serde_json::{Map, Value};

use super::Row;
use super::fields::{number, structs, text};

/// Where a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From us to the notifier.
    Out,
    /// From the notifier to us.
    In,
    /// Nowhere: it happened inside.
    Inside,
}

/// One event of a subscription's life. Its texts are fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The time of day, as the server writes it.
    pub at: String,
    /// Where it went.
    pub direction: Direction,
    /// The message, such as `SUBSCRIBE`, `503 Service Unavailable` or `NOTIFY active`.
    pub what: String,
    /// Further facts, such as `expires 600`.
    pub note: String,
    /// Whether it is a failure.
    pub is_bad: bool,
}

/// What is known of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum History {
    /// Not yet.
    Unknown,
    /// These, the oldest first.
    Events(Vec<Event>),
    /// It cannot be had, for this reason.
    None(String),
}

/// One subscription that is looked at.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The subscription as last shown.
    pub row: Row,
    /// Whether it has gone.
    pub is_gone: bool,
    /// What happened to it.
    pub history: History,
    /// How many of the newest events are out of sight.
    pub back: usize,
}

impl Detail {
    pub(super) fn new(row: Row) -> Self {
        Self { row, is_gone: false, history: History::Unknown, back: 0 }
    }
}

/// The events in an answer of `presence_b2b.history`.
pub(super) fn events_of(answer: Value) -> Vec<Event> {
    let Value::Object(mut fields) = answer else { return Vec::new() };
    structs(fields.remove("events").unwrap_or_default()).iter().map(event_of).collect()
}

/// Events that are failures whatever their code.
const BAD: [&str; 5] = ["timeout", "unsent", "discarded", "deadline", "connection lost"];

fn event_of(fields: &Map<String, Value>) -> Event {
    let [event, kind, reason, state] = ["event", "kind", "reason", "state"].map(|name| text(fields, name));
    let code = number(fields, "code").unwrap_or(0);
    let direction = match text(fields, "direction").as_str() {
        "out" => Direction::Out,
        "in" => Direction::In,
        _ => Direction::Inside,
    };
    let of_code = if code > 0 { code.to_string() } else { String::new() };
    let words = match event.as_str() {
        "reply" if code > 0 => [of_code, String::new(), reason],
        // A NOTIFY that was answered well needs no more words.
        "NOTIFY" if code < 300 => [event.clone(), kind, reason],
        "NOTIFY" => [event.clone(), kind, format!("answered {of_code} {reason}")],
        _ => [event.clone(), kind, format!("{of_code} {reason}")],
    };
    let words = words.map(|word| word.trim().to_owned());
    let what = words.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" ");
    let expires = number(fields, "expires").filter(|_| matches!(event.as_str(), "SUBSCRIBE" | "NOTIFY" | "reply"));
    let note = [expires.map(|seconds| format!("expires {seconds}")).unwrap_or_default(), state];
    let note = note.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(", ");
    let is_bad = code >= 300 || BAD.contains(&event.as_str());
    Event { at: time_of(&text(fields, "at")), direction, what, note, is_bad }
}

/// `21:45:14.123` of `2026-11-27T21:45:14.123Z`.
fn time_of(at: &str) -> String {
    let time = at.split_once('T').map_or(at, |(_, time)| time);
    time.trim_end_matches('Z').chars().take(12).collect()
}
