//! A queue that overflows loses messages, but never a subscription: one whose last message is lost ends all the same.

use serde_json::json;

use crate::support::kamailio::Server;
use crate::support::notifier::Notifier;
use crate::support::shm::Shm;
use crate::support::wait::{SOON, eventually};

/// Slow enough that messages pile up behind it.
const SLOW: &str = "event_route[qsa:notify] { usleep(\"200000\"); }";

/// Subscribes to as many records as it says, which the notifier refuses for good; returns how many messages were lost.
fn refused(server: &Server, notifier: &Notifier, count: usize) -> i64 {
    let trace = || server.rpc("presence_b2b.trace", json!([])).expect("trace");
    let before = trace();
    for number in 0..count {
        let record = notifier.uri(&format!("user{number}"));
        server.rpc("presence_b2b.subscribe", json!([record, server.uri("watcher")])).expect("an id");
    }
    for _ in 0..count {
        notifier.reject(&notifier.expect_subscribe(SOON), 489, &[]);
    }
    let number = |name: &str| trace()[name].as_i64().expect("a number") - before[name].as_i64().expect("a number");
    eventually(SOON, "all are over", || (trace()["subscriptions"] == 0 && trace()["queued"] == 0).then_some(()));
    assert_eq!(number("received"), count as i64);
    number("dropped")
}

#[test]
fn a_lost_last_message_leaves_nothing_behind() {
    let builder = Server::b2b().module("cfgutils").route(SLOW);
    let builder = builder.b2b_param("workers", 1).b2b_param("queue_limit", 1).b2b_param("shards", 1);
    let server = builder.start();
    let notifier = Notifier::udp();
    // Once before the base is taken: tables that have grown stay grown.
    refused(&server, &notifier, 8);
    let base = Shm::at_rest(&server);
    let lost = refused(&server, &notifier, 8);
    assert!(lost > 0, "nothing was lost, so nothing is shown");
    base.assert_back(&server);
    server.stop();
}
