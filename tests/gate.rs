//! No destination is flooded: rates and holds for all, as seen by the notifier and over RPC.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::Notifier;
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

#[test]
fn a_503_holds_its_destination_for_all() {
    let (notifier, other) = (Notifier::udp(), Notifier::udp());
    let server = Server::quick().start();
    let address = notifier.endpoint.destination();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let first = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let refused = notifier.expect_subscribe(SOON);
        notifier.reject(&refused, 503, &[("Retry-After", "3")]);
        assert_eq!(news.next("the failure").code, 503);
        server.destination_when(&address, "it is held", |row| row["held_for"].as_u64() > Some(0));
        let second = server.subscribe(&notifier.uri("bob"), &server.uri("watcher"));
        let told = news.next("the hold");
        assert_eq!((told.id, told.reason.as_str(), told.status.as_str()), (second, "destination held", "terminated"));
        // No other destination is held.
        let third = server.subscribe(&other.uri("carol"), &server.uri("watcher"));
        other.reject(&other.expect_subscribe(SOON), 480, &[("Retry-After", "3600")]);
        assert_eq!(news.next("the failure").next_attempt, Some(3600));
        for _ in 0..2 {
            let again = notifier.expect_subscribe(SOON);
            assert!(again.at.duration_since(refused.at) >= Duration::from_millis(2950));
            notifier.reject(&again, 480, &[("Retry-After", "3600")]);
            assert_eq!(news.next("the failure").code, 480);
        }
        // Retry-After of a 480 is its subscription's own.
        assert_eq!(server.destination(&address).expect("it is there")["held_for"], 0);
        server.end_all(&[first, second, third]);
    });
    server.stop();
}

/// A refresh that is held stays in its dialog. If the dialog expires during the hold, the module subscribes again.
#[test]
fn a_held_refresh_goes_on_in_its_dialog() {
    let notifier = Notifier::udp();
    let server = Server::quick().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.activate(&first, 600);
        let other = server.subscribe(&notifier.uri("bob"), &server.uri("watcher"));
        notifier.reject(&notifier.expect_subscribe(SOON), 503, &[("Retry-After", "2")]);
        server.destination_when(&notifier.endpoint.destination(), "held", |row| row["held_for"].as_u64() > Some(0));
        server.refresh(id);
        // The hold of the previous round may have been reported before the state.
        let mut told = news.next("the hold");
        while told.id == other || (told.status.as_str(), told.reason.as_str()) != ("active", "destination held") {
            told = news.next("the hold, not the other's failure");
        }
        assert_eq!(server.show(id)["state"], "confirmed");
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.cseq().0, first.cseq().0 + 1, "nobody has seen the one that was held");
        dialog.accept(&refresh, 600);
        let again = notifier.expect_subscribe(SOON);
        notifier.reject(&again, 404, &[]);
        server.unsubscribe(other);
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// All arrive at the rate, each as the first request of its attempt.
#[test]
fn a_rate_spreads_what_is_due_at_once() {
    let notifier = Notifier::udp();
    let server = Server::b2b().b2b_param("destination_rate", 10).b2b_param("on_error_retry_time", 600).start();
    let begun = Instant::now();
    let ids: Vec<u64> =
        (0..30).map(|n| server.subscribe(&notifier.uri(&format!("user{n}")), &server.uri("watcher"))).collect();
    let mut call_ids = BTreeSet::new();
    for _ in &ids {
        let subscribe = notifier.expect_subscribe(SOON);
        assert_eq!(subscribe.cseq().0, 1);
        call_ids.insert(subscribe.need("Call-ID").to_owned());
        notifier.reject(&subscribe, 404, &[]);
    }
    assert_eq!(call_ids.len(), 30);
    // One at once and ten a second.
    assert!(begun.elapsed() >= Duration::from_millis(2800), "{:?}", begun.elapsed());
    let row = server.destination(&notifier.endpoint.destination()).expect("it is there");
    assert_eq!((&row["sent"], &row["state"]), (&json!(30), &json!("closed")), "{row}");
    assert!(row["held"].as_u64().is_some_and(|held| (1..=29).contains(&held)), "each asks twice at most: {row}");
    server.end_all(&ids);
    server.stop();
}

/// Pages, and faults like those of the list.
#[test]
fn destinations_come_in_pages() {
    let server = Server::b2b().b2b_param("on_error_retry_time", 600).start();
    let notifiers = [Notifier::udp(), Notifier::tcp()];
    let ids = notifiers.each_ref().map(|notifier| {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
        id
    });
    let page = |params| server.rpc("presence_b2b.destinations", params).expect("a page");
    let all = page(json!([]));
    let addresses: BTreeSet<_> =
        all.as_array().expect("rows").iter().map(|row| row["address"].clone().to_string()).collect();
    let expected = notifiers.each_ref().map(|notifier| json!(notifier.endpoint.destination()).to_string());
    assert_eq!(addresses, expected.into_iter().collect());
    assert_eq!((&page(json!([0, 1]))[0], &page(json!([1]))[0]), (&all[0], &all[1]));
    assert_eq!(page(json!([2])), json!([]));
    for limit in [0, 1001] {
        let fault = server.rpc("presence_b2b.destinations", json!([0, limit])).expect_err("out of range");
        assert!(fault.message.contains("1 to 1000"), "{fault:?}");
    }
    server.end_all(&ids);
    server.stop();
}

/// A Retry-After of an hour counts up to the operator's bound; then one SUBSCRIBE probes.
#[test]
fn a_long_retry_after_is_probed() {
    let notifier = Notifier::udp();
    let server = Server::quick().b2b_param("destination_hold_max", 2).start();
    let address = notifier.endpoint.destination();
    let first = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let refused = notifier.expect_subscribe(SOON);
    notifier.reject(&refused, 503, &[("Retry-After", "86400")]);
    let held = server.destination_when(&address, "it is held", |row| row["held_for"].as_u64() > Some(0));
    assert!(held["held_for"].as_u64().is_some_and(|seconds| seconds <= 2), "{held}");
    let others = ["bob", "carol", "dave"].map(|user| server.subscribe(&notifier.uri(user), &server.uri("watcher")));
    // The first probe finds the destination still refusing, the next one finds it back.
    let probe = notifier.expect_subscribe(SOON);
    assert!(probe.at.duration_since(refused.at) >= Duration::from_millis(1950), "{:?}", probe.at - refused.at);
    notifier.reject(&probe, 503, &[("Retry-After", "86400")]);
    let next = notifier.expect_subscribe(SOON);
    assert!(next.at.duration_since(probe.at) >= Duration::from_millis(1950), "{:?}", next.at - probe.at);
    notifier.reject(&next, 480, &[("Retry-After", "3600")]);
    let last = notifier.expect_subscribe(SOON);
    notifier.reject(&last, 480, &[("Retry-After", "3600")]);
    let free = server.destination_when(&address, "it is free", |row| row["held_for"] == 0);
    assert_eq!(free["state"], "closed", "{free}");
    server.end_all(&[[first].as_slice(), &others].concat());
    server.stop();
}

/// A request that the script drops says nothing about its destination.
#[test]
fn what_the_script_drops_is_no_failure_of_its_destination() {
    let notifier = Notifier::udp();
    let server = Server::quick().b2b_param("breaker_failures", 2).b2b_param("on_error_retry_time", 600);
    let server = server.route(r#"event_route[tm:local-request] { if ($rU == "bob") { drop; } }"#).start();
    let dropped = server.subscribe(&notifier.uri("bob"), &server.uri("watcher"));
    for times in 1..=3 {
        let is_dropped = |shown: &Value| shown["last_reason"] == "dropped by script" && shown["retries"] == times;
        server.show_when(dropped, "it is dropped", is_dropped);
        server.refresh(dropped);
    }
    server.show_when(dropped, "it is dropped", |shown| shown["retries"] == 4);
    let row = server.destination(&notifier.endpoint.destination()).expect("a row");
    assert_eq!((&row["failures"], &row["state"]), (&json!(0), &json!("closed")), "{row}");
    server.end_all(&[dropped]);
    server.stop();
}

/// The server sends to the host of a URI, whatever its `maddr` is, and the gate counts by that host. Otherwise a peer could
/// make one destination count as many, or as another.
#[test]
fn maddr_does_not_change_the_destination() {
    let silent = Endpoint::udp();
    let server = Server::quick().start();
    let record = format!("{};maddr=192.0.2.1", silent.uri("alice"));
    leaves_nothing(&server, || {
        let id = server.subscribe(&record, &server.uri("watcher"));
        let subscribe = silent.expect_request("SUBSCRIBE", SOON);
        assert_eq!(subscribe.uri(), record);
        let addresses: Vec<_> =
            server.rows("presence_b2b.destinations").into_iter().map(|row| row["address"].clone()).collect();
        assert_eq!(addresses, [json!(silent.destination())]);
        silent.reply(&subscribe, 404, "Not Here");
        server.end_all(&[id]);
    });
    server.stop();
}
