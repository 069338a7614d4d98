//! A subscription of the module to a record of a scripted notifier, with all that its event route is told of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::endpoint::Received;
use super::kamailio::Server;
use super::log::Mark;
use super::news::News;
use super::notifier::{Dialog, Notifier, Notify};
use super::pidf::pidf;
use super::wait::{SOON, eventually};

/// One subscription.
pub struct Watch<'s> {
    server: &'s Server,
    from: Mark,
    /// Its id in RPC.
    pub id: u64,
}

impl<'s> Watch<'s> {
    /// Subscribes `sip:watcher@` the server to `record`.
    pub fn begin(server: &'s Server, record: &str) -> Watch<'s> {
        Watch::of(server, record, "watcher")
    }

    /// Subscribes `sip:subscriber@` the server to `record`.
    pub fn of(server: &'s Server, record: &str, subscriber: &str) -> Watch<'s> {
        Watch { server, from: server.log().mark(), id: server.subscribe(record, &server.uri(subscriber)) }
    }

    /// Subscribes `sip:watcher@` the server to `record` for this package.
    pub fn to(server: &'s Server, record: &str, package: &str) -> Watch<'s> {
        let from = server.log().mark();
        let id = server.rpc("presence_b2b.subscribe", json!([record, server.uri("watcher"), package])).expect("an id");
        Watch { server, from, id: id.as_u64().expect("a plain integer") }
    }

    /// An active subscription to `alice`: accepted for `expires` seconds and notified once, of `open` and `first`.
    pub fn standing(server: &'s Server, notifier: &Notifier, expires: u32) -> (Watch<'s>, Dialog, Received) {
        let watch = Watch::begin(server, &notifier.uri("alice"));
        let subscribe = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&subscribe, expires);
        watch.await_state("confirmed");
        assert_eq!(dialog.notify(told(expires, "first")).status(), 200);
        watch.await_note("first");
        (watch, dialog, subscribe)
    }

    /// `presence_b2b.show`.
    pub fn show(&self) -> Value {
        self.server.show(self.id)
    }

    /// A number in `presence_b2b.show`.
    pub fn number(&self, field: &str) -> u64 {
        let shown = self.show();
        shown[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {shown}"))
    }

    /// Waits until it is in that state, and shows it.
    pub fn await_state(&self, state: &str) -> Value {
        self.server.show_when(self.id, &format!("subscription {} is {state}", self.id), |shown| shown["state"] == state)
    }

    /// The same once more.
    pub fn again(&self) -> Watch<'s> {
        Watch { server: self.server, from: self.from, id: self.id }
    }

    /// All that the event route was told, in order.
    pub fn news(&self) -> Vec<News> {
        News::since(self.server, self.from).into_iter().filter(|news| news.id == self.id).collect()
    }

    /// The notes the event route was told, in order.
    pub fn notes(&self) -> Vec<String> {
        self.news().into_iter().map(|news| news.note).collect()
    }

    /// Waits until the event route is told something `wanted`.
    pub fn await_news(&self, what: &str, wanted: impl Fn(&News) -> bool) -> News {
        eventually(SOON, what, || self.news().into_iter().rev().find(&wanted))
    }

    /// Waits until the event route is told this note.
    pub fn await_note(&self, note: &str) -> News {
        self.await_news(&format!("the note {note}"), |news| news.note == note)
    }

    /// Asks for its end.
    pub fn unsubscribe(&self) {
        self.server.unsubscribe(self.id);
    }

    /// Asks for a SUBSCRIBE as soon as it is allowed.
    pub fn refresh(&self) {
        self.server.rpc("presence_b2b.refresh", json!([self.id])).expect("it can be refreshed");
    }

    /// Waits until nothing is known of it.
    pub fn await_gone(&self, within: Duration) {
        eventually(within, "the subscription is gone", || self.is_gone().then_some(()));
    }

    /// Whether nothing is known of it.
    pub fn is_gone(&self) -> bool {
        self.server.rpc("presence_b2b.show", json!([self.id])).is_err_and(|fault| fault.code == 404)
    }

    /// Ends it in good order on both sides.
    pub fn end(self, dialog: &mut Dialog) {
        self.unsubscribe();
        let farewell = dialog.expect_subscribe(SOON);
        assert_eq!(farewell.header("Expires"), Some("0"), "{}", farewell.message);
        dialog.accept(&farewell, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
        self.await_gone(SOON);
    }
}

/// An active NOTIFY with a document that says `open` and this note.
pub fn told(expires: u32, note: &str) -> Notify {
    Notify::active(expires).pidf(&pidf("sip:alice@example.com", "open", Some(note)))
}

/// The same but for the time that has passed.
pub fn assert_unchanged(before: &Value, after: &Value, what: &str) {
    let timeless = |shown: &Value| {
        let mut shown = shown.clone();
        // That it was not told is counted, and the counters take memory.
        for field in ["expires_in", "next_action_in", "refused", "stale", "repeated", "bytes"] {
            shown.as_object_mut().expect("a struct").remove(field);
        }
        shown
    };
    assert_eq!(timeless(before), timeless(after), "{what}");
    for field in ["expires_in", "next_action_in"] {
        let [was, is] = [before, after].map(|shown| shown[field].as_i64().unwrap_or(-1));
        assert!(is <= was && was - is < 30, "{what}: {field} went from {was} to {is}");
    }
}
