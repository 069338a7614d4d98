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

fn event_of(fields: &Map<String, Value>) -> Event {
    let [event, reason, state] = ["event", "reason", "state"].map(|name| text(fields, name));
    let code = number(fields, "code").unwrap_or(0);
    let direction = match text(fields, "direction").as_str() {
        "out" => Direction::Out,
        "in" => Direction::In,
        _ => Direction::Inside,
    };
    let mut what: Vec<String> = Vec::new();
    let mut note: Vec<String> = Vec::new();
    match event.as_str() {
        "reply" => what.push(if code == 0 { "reply".into() } else { code.to_string() }),
        _ => what.extend([event.clone(), if code == 0 { String::new() } else { code.to_string() }]),
    }
    what.push(reason);
    if let Some(seconds) = number(fields, "expires").filter(|_| matches!(event.as_str(), "SUBSCRIBE" | "NOTIFY")) {
        note.push(format!("expires {seconds}"));
    }
    if !state.is_empty() {
        note.push(state);
    }
    what.retain(|word| !word.is_empty());
    let is_bad = code >= 300 || matches!(event.as_str(), "timeout" | "failure");
    Event { at: time_of(&text(fields, "at")), direction, what: what.join(" "), note: note.join(", "), is_bad }
}

/// `21:45:14.123` of `2026-11-27T21:45:14.123Z`.
fn time_of(at: &str) -> String {
    let time = at.split_once('T').map_or(at, |(_, time)| time);
    time.trim_end_matches('Z').chars().take(12).collect()
}
