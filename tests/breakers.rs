//! A destination that does not answer gets only a probe now and then.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::support::address::own_ip;
use crate::support::b2b::farewell;
use crate::support::dns::NameServer;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::Notifier;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

#[test]
fn a_breaker_opens_probes_and_closes() {
    let silent = Endpoint::udp();
    let server = Server::quick().b2b_param("breaker_failures", 2).b2b_param("breaker_time", 1).start();
    let (record, address) = (silent.uri("alice"), silent.destination());
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&record, &server.uri("watcher"));
        for _ in 0..2 {
            assert_eq!(news.next("a timeout").code, 408);
        }
        let open = server.destination_when(&address, "it is open", |row| row["state"] == "open");
        assert!(open["failures"].as_u64().is_some_and(|failures| failures >= 2), "{open}");
        assert!(open["held_for"].as_u64().is_some_and(|seconds| seconds <= 1), "{open}");
        silent.asked();
        // Its retry is held or is already the probe; so is a later one.
        server.destination_when(&address, "a probe", |row| row["state"] == "probing");
        let probe = silent.expect_request("SUBSCRIBE", SOON);
        silent.reply(&probe, 404, "Not Here");
        let closed = server.destination_when(&address, "it is closed", |row| row["state"] == "closed");
        assert_eq!((&closed["failures"], &closed["held_for"]), (&json!(0), &json!(0)), "{closed}");
        server.end_all(&[id]);
        while let Some(late) = silent.wait_for(Duration::ZERO, |message| message.method() == "SUBSCRIBE") {
            silent.reply(&late, 404, "Not Here");
        }
    });
    server.stop();
}

/// Logged once and shown while it lasts; no request leaves.
#[test]
fn an_open_breaker_is_told() {
    let silent = Endpoint::udp();
    let server = Server::quick().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 600).start();
    let mut news = Newsreader::new(&server);
    let first = server.subscribe(&silent.uri("alice"), &server.uri("watcher"));
    assert_eq!(news.next("the timeout").code, 408);
    server.destination_when(&silent.destination(), "it is open", |row| row["state"] == "open");
    let told = news.next("the hold");
    assert_eq!((told.id, told.code, told.reason.as_str()), (first, 0, "destination does not answer"), "{told:?}");
    assert!(told.next_attempt.is_some_and(|next| (590..=760).contains(&next)), "{told:?}");
    silent.asked();
    let second = server.subscribe(&silent.uri("bob"), &server.uri("watcher"));
    let told = news.next("the hold of a new one");
    assert_eq!((told.id, told.status.as_str()), (second, "terminated"), "{told:?}");
    let shown = server.show_when(second, "it waits", |shown| shown["last_reason"] == "destination does not answer");
    assert_eq!((&shown["state"], &shown["local_cseq"], &shown["retries"]), (&json!("waiting"), &json!(0), &json!(0)));
    assert_eq!(shown["destination"], silent.destination().as_str(), "it was never sent, and is held for it");
    let there = json!([format!("destination={}", silent.destination())]);
    let found = server.rpc("presence_b2b.find", there).expect("those of the destination");
    assert_eq!(found["rows"].as_array().map(Vec::len), Some(2), "{found}");
    // Another request is held again, without another message.
    let held = server.destination_when(&silent.destination(), "held", |row| row["held"].as_u64() >= Some(2));
    server.refresh(second);
    let more = held["held"].as_u64();
    server.destination_when(&silent.destination(), "held again", |row| row["held"].as_u64() > more);
    news.assert_no_more();
    assert_eq!(silent.asked(), 0);
    server.end_all(&[first, second]);
    server.stop();
}

/// A probe that waits for a resolver has not left: its destination is open and not held, and no probe is in flight.
#[test]
fn a_probe_in_the_line_is_none() {
    const NAME: &str = "dead.silent";
    let names = NameServer::start(&[]);
    let server = Server::eager(1).name_server(&names).b2b_param("breaker_failures", 1).b2b_param("breaker_time", 1);
    let server = server.allow_log("could not resolve hostname").allow_log("failed to resolve").start();
    let id = server.subscribe(&format!("sip:alice@{NAME}"), &server.uri("watcher"));
    let waits = || {
        let row = server.rows("presence_b2b.lookups").into_iter().find(|row| row["name"] == NAME);
        row.is_some_and(|row| row["waiting"] == 1)
    };
    // After the first failure the name pauses longer than the breaker is open.
    let seen = eventually(SOON, "it waits in the line, and its destination has failed", || {
        let waited = waits();
        let row = server.destination(&format!("udp:{NAME}"))?;
        (waited && waits() && row["failures"] == 1).then_some(row)
    });
    assert_eq!((&seen["state"], &seen["held_for"], &seen["sent"]), (&json!("open"), &json!(0), &json!(3)), "{seen}");
    // When it is its turn it is a probe.
    server.destination_when(&format!("udp:{NAME}"), "a probe", |row| row["state"] == "probing");
    server.end_all(&[id]);
    server.stop();
}

/// The requests in flight when the breaker opened, and a probe now and then.
#[test]
fn fifty_subscriptions_leave_a_dead_destination_alone() {
    let silent = Endpoint::udp();
    let server = Server::quick().b2b_param("breaker_failures", 5).b2b_param("breaker_time", 600).start();
    let ids: Vec<u64> =
        (0..50).map(|n| server.subscribe(&silent.uri(&format!("user{n}")), &server.uri("watcher"))).collect();
    let address = silent.destination();
    let open = server.destination_when(&address, "all wait", |row| row["state"] == "open" && row["held"] == 50);
    let sent = open["sent"].as_u64().expect("a number");
    assert!(sent <= 50, "{open}");
    assert_eq!(silent.asked() as u64, sent, "what the gate lets through is what leaves");
    for id in &ids {
        assert_eq!(server.show(*id)["last_reason"], "destination does not answer");
    }
    server.end_all(&ids);
    assert_eq!(silent.asked(), 0);
    server.stop();
}

/// A server that is started again is found by the probe, and all subscriptions with it.
#[test]
fn a_notifier_that_comes_back_is_found() {
    let ip = own_ip();
    let record = format!("sip:alice@{ip}:5060;transport=tcp");
    let server =
        Server::quick().b2b_param("breaker_failures", 2).b2b_param("breaker_time", 1).bad_connections().start();
    let ids: Vec<u64> = ["a", "b", "c"].map(|user| server.subscribe(&record, &server.uri(user))).into_iter().collect();
    let address = format!("tcp:{ip}:5060");
    server.destination_when(&address, "it is open", |row| row["state"] == "open");
    let notifier = Notifier::on(Endpoint::at(Transport::Tcp, ip));
    let mut dialogs = Vec::new();
    for _ in &ids {
        let dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        dialogs.push(dialog);
    }
    let closed = server.destination_when(&address, "it is closed", |row| row["state"] == "closed");
    assert_eq!(closed["failures"], 0, "{closed}");
    for id in &ids {
        server.unsubscribe(*id);
    }
    for dialog in &mut dialogs {
        farewell(dialog);
    }
    server.await_no_subscription();
    server.stop();
}

/// An operator can close the breaker of a destination that is back.
#[test]
fn a_release_lets_all_that_are_held_try_again() {
    let silent = Endpoint::udp();
    let server = Server::quick().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 600).start();
    let address = silent.destination();
    let ids = ["alice", "bob", "carol"].map(|user| server.subscribe(&silent.uri(user), &server.uri("watcher")));
    for id in ids {
        server.show_when(id, "it is held", |shown| shown["last_reason"] == "destination does not answer");
    }
    silent.asked();
    let release = |address: &str| server.rpc("presence_b2b.destination_release", json!([address]));
    assert_eq!(release(&address).expect("released"), json!({"resumed": 3}));
    let mut users = BTreeSet::new();
    for _ in ids {
        let subscribe = silent.expect_request("SUBSCRIBE", SOON);
        users.insert(subscribe.uri().to_owned());
        silent.reply(&subscribe, 404, "Not Here");
    }
    assert_eq!(users.len(), 3);
    let row = server.destination_when(&address, "it is closed", |row| row["state"] == "closed");
    assert_eq!((&row["failures"], &row["held_for"]), (&json!(0), &json!(0)), "{row}");
    let fault = release("udp:192.0.2.66:5060").expect_err("unknown");
    assert!(fault.code == 404 && fault.message.contains("udp:192.0.2.66:5060"), "{fault:?}");
    assert_eq!(server.rpc("presence_b2b.destination_release", json!([])).expect_err("nothing").code, 400);
    server.end_all(&ids);
    server.stop();
}

/// A redirection that was wrong for a moment leads back to the record, and `refresh` does so at once.
#[test]
fn a_redirection_to_a_dead_destination_holds_nobody() {
    let (notifier, dead) = (Notifier::udp(), Endpoint::udp());
    let server = Server::quick().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 600);
    let server = server.b2b_param("on_error_retry_time", 600).start();
    let ids: Vec<u64> =
        (0..10).map(|n| server.subscribe(&notifier.uri(&format!("user{n}")), &server.uri("watcher"))).collect();
    for _ in &ids {
        notifier.redirect(&notifier.expect_subscribe(SOON), &[&dead.uri("nobody")]);
    }
    server.destination_when(&dead.destination(), "it is open", |row| row["state"] == "open");
    for id in &ids {
        // Those that were under way have timed out.
        server.show_when(*id, "its attempt has failed", |shown| shown["state"] == "waiting" && shown["retries"] == 1);
        server.refresh(*id);
        let again = notifier.expect_subscribe(SOON);
        notifier.reject(&again, 404, &[]);
    }
    server.end_all(&ids);
    server.stop();
}

/// If the script drops the probe, the next SUBSCRIBE is the probe.
#[test]
fn a_probe_that_the_script_drops_is_none() {
    let silent = Endpoint::udp();
    let server = Server::quick()
        .b2b_param("breaker_failures", 1)
        .b2b_param("breaker_time", 1)
        .b2b_param("on_error_retry_time", 600);
    let server = server.route(r#"event_route[tm:local-request] { if ($rU == "bob") { drop; } }"#).start();
    let address = silent.destination();
    let first = server.subscribe(&silent.uri("alice"), &server.uri("watcher"));
    server.destination_when(&address, "it is open", |row| row["state"] == "open");
    server.unsubscribe(first);
    let dropped = server.subscribe(&silent.uri("bob"), &server.uri("watcher"));
    server.show_when(dropped, "it is dropped", |shown| shown["last_reason"] == "dropped by script");
    silent.asked();
    let next = server.subscribe(&silent.uri("carol"), &server.uri("watcher"));
    let probe = silent.expect_request("SUBSCRIBE", SOON);
    silent.reply(&probe, 404, "Not Here");
    server.destination_when(&address, "it is closed", |row| row["state"] == "closed");
    server.end_all(&[dropped, next]);
    server.stop();
}

/// Twice as long after each probe, but no longer than `failure_backoff_max`.
#[test]
fn a_breaker_is_open_no_longer_than_the_longest_back_off() {
    let silent = Endpoint::udp();
    let server = Server::quick().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 1);
    let server = server.b2b_param("failure_backoff_max", 2).start();
    let id = server.subscribe(&silent.uri("alice"), &server.uri("watcher"));
    let address = silent.destination();
    let mut longest = 0;
    eventually(3 * SOON, "five probes", || {
        let row = server.destination(&address)?;
        longest = longest.max(row["held_for"].as_u64().expect("a number"));
        (row["sent"].as_u64() >= Some(5)).then_some(())
    });
    assert_eq!(longest, 2);
    server.end_all(&[id]);
    server.stop();
}
