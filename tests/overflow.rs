//! A queue that overflows loses messages, but never a subscription: one whose last message is lost still ends.

use std::collections::BTreeSet;

use serde_json::json;

use crate::c_api;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::{Shm, leaves_nothing_in};
use crate::support::wait::{SOON, eventually};

/// Slow enough that messages pile up behind it.
const SLOW: &str = "event_route[qsa:notify] { usleep(\"200000\"); xlog(\"L_NOTICE\", \"TOLD\\n\"); }";

/// Subscribes to as many records as it says, which the notifier refuses for good; returns how many messages were lost.
fn refused(server: &Server, notifier: &Notifier, count: usize) -> i64 {
    let trace = || server.rpc("presence_b2b.trace", json!([])).expect("trace");
    let (before, mark) = (trace(), server.log().mark());
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
    let lost = number("dropped");
    // The worker still holds the last one when none is queued any more.
    let told = || count as i64 - lost == server.log().since(mark, "TOLD").len() as i64;
    eventually(SOON, "all others are told", || told().then_some(()));
    lost
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

/// The worker that hands on is busy, and the queue of shared subscriptions has room for one message. The members still get
/// the end, whichever message is lost.
#[test]
fn a_lost_last_message_of_a_share_is_told_to_its_members() {
    const SHARES: usize = 8;
    const BUSY: &str = "event_route[qsa:notify] { xlog(\"L_NOTICE\", \"BUSY\\n\"); usleep(\"1000000\"); }";
    let server = c_api::builder(1000).module("cfgutils").route(BUSY);
    let server = server.b2b_param("workers", 1).b2b_param("queue_limit", 1).start();
    let notifier = Notifier::udp();
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || {
        let dropped = || server.trace()["dropped"].as_i64().expect("a number");
        let id = server.subscribe(&notifier.uri("own"), &server.uri("watcher"));
        let mut own = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let subscribe = |number: usize| {
            let params = json!(["presence", notifier.uri(&format!("user{number}")), server.uri("watcher"), "share"]);
            c_api::call(&server, "subscribe", params).as_str().expect("an id").to_owned()
        };
        let ids: BTreeSet<String> = (0..SHARES).map(subscribe).collect();
        let requests: Vec<_> = (0..SHARES).map(|_| notifier.expect_subscribe(SOON)).collect();
        let (before, mark) = (dropped(), server.log().mark());
        assert_eq!(own.notify(Notify::active(600)).status(), 200);
        eventually(SOON, "the worker is busy", || (!server.log().since(mark, "BUSY").is_empty()).then_some(()));
        requests.iter().for_each(|request| notifier.reject(request, 489, &[]));
        let mut told = BTreeSet::new();
        for _ in 0..SHARES {
            let last = eventually(SOON, "the end of each", || server.rpc("qsa_test.pop", json!([])).ok());
            assert_eq!((&last["code"], &last["last"]), (&json!(489), &json!(1)), "{last}");
            told.insert(last["id"].as_str().expect("an id").to_owned());
        }
        assert_eq!(told, ids);
        assert!(dropped() > before, "nothing was lost, so nothing is shown");
        for id in &ids {
            c_api::call(&server, "unsubscribe", json!([id]));
        }
        server.end(id, &mut own);
    });
    server.stop();
}
