//! What tests ask of the module under test, in few words.

use std::path::Path;

use serde_json::{Value, json};

use super::config::Builder;
use super::kamailio::Server;
use super::news::TELL;
use super::notifier::{Dialog, Notify};
use super::wait::{SOON, eventually};

impl Builder {
    /// Refreshes as soon as it is asked to, tries again `retry` seconds after a failure, and logs what its event route is
    /// told, for [`super::news::News`].
    pub fn eager(self, retry: i64) -> Builder {
        self.b2b_param("min_resubscribe_time", 0).b2b_param("on_error_retry_time", retry).route(TELL)
    }

    /// Answers JSON-RPC at the socket `rpc.sock` in this folder, too.
    pub fn at_socket(self, dir: &Path) -> Builder {
        let socket = dir.join("rpc.sock").display().to_string();
        self.modparam("jsonrpcs", "transport", 6).modparam("jsonrpcs", "dgram_socket", socket.as_str())
    }

    /// Keeps calls. The module dialog learns of an answer when it has been sent, so a caller that is quick has its BYE handled first in another
    /// process; and a BYE may overtake the ACK before it. Then the module dialog finds a state or a timer that it does not expect, and says so.
    pub fn keeps_calls(self) -> Builder {
        let builder = self.module("dialog").allow_log("update_dlg_timer(): Trying to update a bogus dlg");
        builder.allow_log("next_state_dlg(): bogus event").allow_log("dlg_onroute(): failed to update dialog lifetime")
    }

    /// A request without an answer has failed after this many milliseconds.
    pub fn gives_up_after(self, milliseconds: i64) -> Builder {
        self.modparam("tm", "fr_timer", milliseconds)
    }
}

impl Server {
    /// A server to describe that has the module under test and is [`Builder::eager`].
    pub fn eager(retry: i64) -> Builder {
        Server::b2b().eager(retry)
    }

    /// A server to describe as [`Server::eager`] that tries again each second however often it fails, and gives up soon.
    pub fn quick() -> Builder {
        Server::eager(1).b2b_param("failure_backoff_max", 1).gives_up_after(700)
    }

    /// Subscribes by RPC; the id.
    pub fn subscribe(&self, record: &str, subscriber: &str) -> u64 {
        let id = self.rpc("presence_b2b.subscribe", json!([record, subscriber])).expect("an id");
        id.as_u64().unwrap_or_else(|| panic!("not a plain integer: {id}"))
    }

    /// Unsubscribes by RPC.
    pub fn unsubscribe(&self, id: u64) {
        self.rpc("presence_b2b.unsubscribe", json!([id])).expect("it can end");
    }

    /// Has a SUBSCRIBE sent as soon as `min_resubscribe_time` allows: another one than that in flight, if there is one.
    pub fn refresh(&self, id: u64) {
        let idle = |shown: &Value| shown["state"] == "confirmed" || shown["state"] == "waiting";
        self.show_when(id, "no SUBSCRIBE is in flight", idle);
        self.rpc("presence_b2b.refresh", json!([id])).expect("it can be refreshed");
    }

    /// All that operators see of a subscription.
    pub fn show(&self, id: u64) -> Value {
        self.rpc("presence_b2b.show", json!([id])).expect("the subscription")
    }

    /// Waits until a subscription looks as wanted.
    pub fn show_when(&self, id: u64, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(SOON, what, || Some(self.show(id)).filter(&wanted))
    }

    /// Waits until `presence_b2b.show` has this value of this name.
    pub fn await_shown(&self, id: u64, name: &str, wanted: impl Into<Value>) -> Value {
        let wanted = wanted.into();
        self.show_when(id, &format!("{name} of {id} is {wanted}"), |shown| shown[name] == wanted)
    }

    /// How many subscriptions there are, and the other counts.
    pub fn trace(&self) -> Value {
        self.rpc("presence_b2b.trace", json!([])).expect("trace")
    }

    /// Waits until there is no subscription left, and no message about one.
    pub fn await_no_subscription(&self) {
        eventually(SOON, "no subscription is left", || {
            let trace = self.trace();
            (trace["subscriptions"] == 0 && trace["queued"] == 0).then_some(())
        });
    }

    /// Unsubscribes all of these; their ends need not be told.
    pub fn end_all(&self, ids: &[u64]) {
        for id in ids {
            self.unsubscribe(*id);
        }
        self.await_no_subscription();
    }

    /// Unsubscribes politely: SUBSCRIBE with Expires 0, 200, terminating NOTIFY, and it is gone.
    pub fn end(&self, id: u64, dialog: &mut Dialog) {
        self.unsubscribe(id);
        farewell(dialog);
        self.await_no_subscription();
    }
}

/// Takes the SUBSCRIBE with Expires 0 and answers as RFC 6665 says.
pub fn farewell(dialog: &mut Dialog) {
    let last = dialog.expect_subscribe(SOON);
    assert_eq!(last.header("Expires"), Some("0"), "{}", last.message);
    dialog.accept(&last, 0);
    assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
}
