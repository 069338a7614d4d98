//! `presence_b2b.count`: what the module counts is what a look at all of them finds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};

fn counted(server: &Server) -> Value {
    server.rpc("presence_b2b.count", json!([])).expect("counts")
}

/// The members of a count that are not 0.
fn named(counts: &Value) -> BTreeMap<String, u64> {
    let members = counts.as_object().expect("a struct").iter();
    let counts = members.map(|(name, count)| (name.clone(), count.as_u64().expect("a count")));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Of each value of a field, how many rows have it.
fn by(rows: &[Value], field: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row[field].as_str().expect("a text").to_owned()).or_default() += 1;
    }
    counts
}

/// Whether the counts agree with a walk of all.
pub fn agree(server: &Server) -> bool {
    let (counts, rows) = (counted(server), server.rows("presence_b2b.list"));
    let failing = rows.iter().filter(|row| row["retries"] != 0).count();
    counts["total"] == rows.len()
        && counts["failing"] == failing
        && named(&counts["states"]) == by(&rows, "state")
        && named(&counts["packages"]) == by(&rows, "package")
}

#[test]
fn they_are_those_of_a_walk() {
    let notifier = Notifier::udp();
    let server = Server::eager(600).b2b_param("on_error_retry_time", 600).start();
    assert!(agree(&server) && counted(&server)["total"] == 0);
    let subscribe = |user: &str, package: &str| {
        let id = server.rpc("presence_b2b.subscribe", json!([notifier.uri(user), server.uri("watcher"), package]));
        (id.expect("an id").as_u64().expect("a number"), notifier.expect_subscribe(SOON))
    };
    let (alice, first) = subscribe("alice", "presence");
    let mut dialog = notifier.accept(&first, 600);
    dialog.notify(Notify::pending(600));
    server.await_shown(alice, "status", "pending");
    let (bob, second) = subscribe("bob", "dialog");
    notifier.reject(&second, 500, &[]);
    let (_, _unanswered) = subscribe("carol", "message-summary");
    eventually(SOON, "all have come so far", || {
        let counts = counted(&server);
        let states = [("confirmed".to_owned(), 1), ("unconfirmed".to_owned(), 1), ("waiting".to_owned(), 1)];
        (named(&counts["states"]) == states.into()).then_some(())
    });
    let counts = counted(&server);
    assert_eq!((&counts["total"], &counts["failing"]), (&json!(3), &json!(1)));
    let packages = ["dialog", "message-summary", "presence"].map(|name| (name.to_owned(), 1));
    assert_eq!(named(&counts["packages"]), packages.into());
    assert!(agree(&server));
    server.unsubscribe(bob);
    eventually(SOON, "the end is counted", || {
        let counts = counted(&server);
        (counts["total"] == 2 && counts["failing"] == 0).then_some(())
    });
    assert!(agree(&server));
    server.stop();
}
