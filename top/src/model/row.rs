//! One subscription, as the server lists it.

use serde_json::{Map, Value};

use super::Moment;
use super::fields::{number, text};
use crate::text::span;

/// What is said of a subscription that a notifier has accepted only.
const NO_FIRST_NOTIFY: &str = "accepted, but the first NOTIFY has not come yet";

/// How well a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its last attempt failed.
    Red,
    /// It is on its way, or not active.
    Yellow,
    /// It is active.
    Green,
}

/// One subscription, as the server listed it at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// All fields, as they came: not fit to be shown.
    pub fields: Map<String, Value>,
    /// When it was listed.
    pub at: Moment,
    /// Its id.
    pub id: u64,
}

impl Row {
    /// A row that came; none if it has no id.
    pub fn new(fields: Map<String, Value>, at: Moment) -> Option<Self> {
        let id = number(&fields, "id")?;
        Some(Self { fields, at, id })
    }

    /// A field, fit to be shown.
    pub fn text(&self, name: &str) -> String {
        text(&self.fields, name)
    }

    /// A field that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        number(&self.fields, name)
    }

    /// Seconds that are left of a field that counts down, at least 0.
    pub fn left(&self, name: &str, now: Moment) -> Option<u64> {
        Some(self.number(name)?.saturating_sub(now.saturating_sub(self.at).as_secs()))
    }

    /// How well it is.
    pub fn mark(&self) -> Mark {
        let state = self.text("state");
        if self.number("retries").unwrap_or(0) > 0 {
            return Mark::Red;
        }
        match (state.as_str(), self.text("status").as_str()) {
            ("confirmed", "none") | (_, "pending") => Mark::Yellow,
            ("confirmed" | "resubscription" | "local", _) => Mark::Green,
            _ => Mark::Yellow,
        }
    }

    /// Why it is as it is, and what comes next, in one line.
    pub fn why(&self, now: Moment) -> String {
        let state = self.text("state");
        let is_silent = self.is_silent();
        let next = match (self.left("next_action_in", now), state.as_str()) {
            (Some(left), "confirmed") if is_silent => format!("waits {} more for it", span(left)),
            (Some(0), "waiting") => "the next attempt begins now".to_owned(),
            (Some(left), "waiting") => format!("next attempt in {}", span(left)),
            (Some(0), "confirmed") => "the refresh leaves now".to_owned(),
            (Some(left), "confirmed") => format!("refresh in {}", span(left)),
            (Some(left), _) => format!("waits {} more for the answer", span(left)),
            (None, _) => String::new(),
        };
        let what = match self.mark() {
            Mark::Red => self.failure(),
            Mark::Green if state == "local" => "local user: no SIP is sent".to_owned(),
            Mark::Green => match self.left("expires_in", now) {
                Some(left) => format!("active for {} more", span(left)),
                None => "active".to_owned(),
            },
            Mark::Yellow => match (state.as_str(), self.text("status").as_str()) {
                ("waiting", "none") => "no attempt was made yet".to_owned(),
                ("waiting", _) => format!("no dialog: {}", self.reason()),
                ("confirmed", "none") => NO_FIRST_NOTIFY.to_owned(),
                ("confirmed", "pending") => "the notifier has not decided yet (pending)".to_owned(),
                ("unconfirmed", _) => "the first SUBSCRIBE is on its way".to_owned(),
                _ => "it is being ended".to_owned(),
            },
        };
        if next.is_empty() { what } else { format!("{what}; {next}") }
    }

    /// The same in few words.
    pub fn brief(&self, now: Moment) -> String {
        let next = self.left("next_action_in", now).map(|left| format!("in {}, ", span(left)));
        let what = if self.mark() == Mark::Green { self.text("state") } else { self.reason() };
        format!("{}{what}", next.unwrap_or_default())
    }

    /// Whether a dialog has been accepted, and its first NOTIFY has not come: what was told before is no more.
    fn is_silent(&self) -> bool {
        self.text("state") == "confirmed" && matches!(self.text("status").as_str(), "none" | "terminated" | "rejected")
    }

    fn failure(&self) -> String {
        let reason = if self.is_silent() { NO_FIRST_NOTIFY.to_owned() } else { self.reason() };
        match self.number("retries").unwrap_or(0) {
            0 | 1 => reason,
            times => format!("{reason} ({times} failures in a row)"),
        }
    }

    fn reason(&self) -> String {
        match (self.number("last_reply").unwrap_or(0), self.text("last_reason")) {
            (0, reason) if reason.is_empty() => "no reason is known".to_owned(),
            (0, reason) => reason,
            (code, reason) => format!("{code} {reason}").trim_end().to_owned(),
        }
    }
}
