//! No destination is hammered: rates, holds for all, and breakers, as seen by the notifier and over RPC.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::address::own_ip;
use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

fn builder() -> Builder {
    Server::eager(1).b2b_param("failure_backoff_max", 1).gives_up_after(500)
}

/// The row of a destination in `presence_b2b.destinations`.
fn destination(server: &Server, address: &str) -> Option<Value> {
    server.rows("presence_b2b.destinations").into_iter().find(|row| row["address"] == address)
}

fn until_it_is(server: &Server, address: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(SOON, what, || destination(server, address).filter(&wanted))
}

fn address_of(endpoint: &Endpoint) -> String {
    format!("{}:{}", endpoint.transport().upper().to_ascii_lowercase(), endpoint.addr())
}

fn end_all(server: &Server, ids: &[u64]) {
    for id in ids {
        server.unsubscribe(*id);
    }
    server.await_no_subscription();
}

/// Each transaction of a silent notifier once.
fn asked(silent: &Endpoint) -> usize {
    let mut count = 0;
    while silent.wait_for(Duration::ZERO, |message| message.method() == "SUBSCRIBE").is_some() {
        count += 1;
    }
    count
}

#[test]
fn a_breaker_opens_probes_and_closes() {
    let silent = Endpoint::udp();
    let server = builder().b2b_param("breaker_failures", 2).b2b_param("breaker_time", 1).start();
    let (record, address) = (silent.uri("alice"), address_of(&silent));
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&record, &server.uri("watcher"));
        for _ in 0..2 {
            assert_eq!(news.next("a timeout").code, 408);
        }
        let open = until_it_is(&server, &address, "it is open", |row| row["state"] == "open");
        assert!(open["failures"].as_u64().is_some_and(|failures| failures >= 2), "{open}");
        assert!(open["held_for"].as_u64().is_some_and(|seconds| seconds <= 1), "{open}");
        asked(&silent);
        // Its retry is held, or is the probe already; so will a later one be.
        until_it_is(&server, &address, "a probe", |row| row["state"] == "probing");
        let probe = silent.expect_request("SUBSCRIBE", SOON);
        silent.reply(&probe, 404, "Not Here");
        let closed = until_it_is(&server, &address, "it is closed", |row| row["state"] == "closed");
        assert_eq!((&closed["failures"], &closed["held_for"]), (&json!(0), &json!(0)), "{closed}");
        end_all(&server, &[id]);
        while let Some(late) = silent.wait_for(Duration::ZERO, |message| message.method() == "SUBSCRIBE") {
            silent.reply(&late, 404, "Not Here");
        }
    });
    server.stop();
}

/// Told once, shown as long as it lasts; nothing leaves.
#[test]
fn an_open_breaker_is_told() {
    let silent = Endpoint::udp();
    let server = builder().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 600).start();
    let mut news = Newsreader::new(&server);
    let first = server.subscribe(&silent.uri("alice"), &server.uri("watcher"));
    assert_eq!(news.next("the timeout").code, 408);
    until_it_is(&server, &address_of(&silent), "it is open", |row| row["state"] == "open");
    let told = news.next("the hold");
    assert_eq!((told.id, told.code, told.reason.as_str()), (first, 0, "destination does not answer"), "{told:?}");
    assert!(told.next_attempt.is_some_and(|next| (590..=760).contains(&next)), "{told:?}");
    asked(&silent);
    let second = server.subscribe(&silent.uri("bob"), &server.uri("watcher"));
    let told = news.next("the hold of a new one");
    assert_eq!((told.id, told.status.as_str()), (second, "terminated"), "{told:?}");
    let shown = server.show_when(second, "it waits", |shown| shown["last_reason"] == "destination does not answer");
    assert_eq!((&shown["state"], &shown["local_cseq"], &shown["retries"]), (&json!("waiting"), &json!(0), &json!(0)));
    // Who asks again is held again, and told nothing new.
    let held = until_it_is(&server, &address_of(&silent), "held", |row| row["held"].as_u64() >= Some(2));
    server.refresh(second);
    let more = held["held"].as_u64();
    until_it_is(&server, &address_of(&silent), "held again", |row| row["held"].as_u64() > more);
    news.assert_no_more();
    assert_eq!(asked(&silent), 0);
    end_all(&server, &[first, second]);
    server.stop();
}

/// What was on its way when the breaker opened, and a probe now and then.
#[test]
fn fifty_subscriptions_leave_a_dead_destination_alone() {
    let silent = Endpoint::udp();
    let server = builder().b2b_param("breaker_failures", 5).b2b_param("breaker_time", 600).start();
    let ids: Vec<u64> =
        (0..50).map(|n| server.subscribe(&silent.uri(&format!("user{n}")), &server.uri("watcher"))).collect();
    let address = address_of(&silent);
    let open = until_it_is(&server, &address, "all wait", |row| row["state"] == "open" && row["held"] == 50);
    let sent = open["sent"].as_u64().expect("a number");
    assert!(sent <= 50, "{open}");
    assert_eq!(asked(&silent) as u64, sent, "what the gate lets through is what leaves");
    for id in &ids {
        assert_eq!(server.show(*id)["last_reason"], "destination does not answer");
    }
    end_all(&server, &ids);
    assert_eq!(asked(&silent), 0);
    server.stop();
}

/// A server that is started again is found by the probe, and all subscriptions with it.
#[test]
fn a_notifier_that_comes_back_is_found() {
    let ip = own_ip();
    let record = format!("sip:alice@{ip}:5060;transport=tcp");
    let server = builder().b2b_param("breaker_failures", 2).b2b_param("breaker_time", 1).bad_connections().start();
    let ids: Vec<u64> = ["a", "b", "c"].map(|user| server.subscribe(&record, &server.uri(user))).into_iter().collect();
    let address = format!("tcp:{ip}:5060");
    until_it_is(&server, &address, "it is open", |row| row["state"] == "open");
    let notifier = Notifier::on(Endpoint::at(Transport::Tcp, ip));
    let mut dialogs = Vec::new();
    for _ in &ids {
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        dialogs.push(dialog);
    }
    let closed = until_it_is(&server, &address, "it is closed", |row| row["state"] == "closed");
    assert_eq!(closed["failures"], 0, "{closed}");
    for id in &ids {
        server.unsubscribe(*id);
    }
    for dialog in &mut dialogs {
        crate::support::b2b::farewell(dialog);
    }
    server.await_no_subscription();
    server.stop();
}

#[test]
fn a_503_holds_its_destination_for_all() {
    let (notifier, other) = (Notifier::udp(), Notifier::udp());
    let server = builder().start();
    let address = address_of(&notifier.endpoint);
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let first = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let refused = notifier.expect_subscribe(SOON);
        notifier.reject(&refused, 503, &[("Retry-After", "3")]);
        assert_eq!(news.next("the failure").code, 503);
        until_it_is(&server, &address, "it is held", |row| row["held_for"].as_u64() > Some(0));
        let second = server.subscribe(&notifier.uri("bob"), &server.uri("watcher"));
        let told = news.next("the hold");
        assert_eq!((told.id, told.reason.as_str(), told.status.as_str()), (second, "destination held", "terminated"));
        // Nobody else is held.
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
        assert_eq!(destination(&server, &address).expect("it is there")["held_for"], 0);
        end_all(&server, &[first, second, third]);
    });
    server.stop();
}

/// A refresh that is held stays in its dialog; one that lapses meanwhile is opened anew.
#[test]
fn a_held_refresh_goes_on_in_its_dialog() {
    let notifier = Notifier::udp();
    let server = builder().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&first, 600);
        dialog.notify(Notify::active(600));
        let other = server.subscribe(&notifier.uri("bob"), &server.uri("watcher"));
        notifier.reject(&notifier.expect_subscribe(SOON), 503, &[("Retry-After", "2")]);
        until_it_is(&server, &address_of(&notifier.endpoint), "held", |row| row["held_for"].as_u64() > Some(0));
        server.refresh(id);
        // The hold of a round before may have been told before the state.
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

/// All arrive, in the time that the rate gives them, each as the first of its attempt.
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
    let row = destination(&server, &address_of(&notifier.endpoint)).expect("it is there");
    assert_eq!((&row["sent"], &row["state"]), (&json!(30), &json!("closed")), "{row}");
    assert!(row["held"].as_u64().is_some_and(|held| (1..=29).contains(&held)), "each asks twice at most: {row}");
    end_all(&server, &ids);
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
    let expected = notifiers.each_ref().map(|notifier| json!(address_of(&notifier.endpoint)).to_string());
    assert_eq!(addresses, expected.into_iter().collect());
    assert_eq!((&page(json!([0, 1]))[0], &page(json!([1]))[0]), (&all[0], &all[1]));
    assert_eq!(page(json!([2])), json!([]));
    for limit in [0, 1001] {
        let fault = server.rpc("presence_b2b.destinations", json!([0, limit])).expect_err("out of range");
        assert!(fault.message.contains("1 to 1000"), "{fault:?}");
    }
    end_all(&server, &ids);
    server.stop();
}

/// A proxy that nobody answers at, or that refuses connections, is left for the next one; when it is back it is the first
/// again for new attempts.
#[test]
fn a_dead_proxy_is_passed_over_until_it_is_back() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (ip, second) = (own_ip(), Notifier::new(transport));
        let first = format!("sip:{ip}:5060{}", transport.uri_param());
        let proxies = format!("{first} sip:{}{}", second.endpoint.addr(), transport.uri_param());
        let server = builder().b2b_param("presence_outbound_proxy", proxies).b2b_param("breaker_failures", 1);
        let server = server.b2b_param("breaker_time", 1).bad_connections().start();
        let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
        let subscribe = second.expect_subscribe(SOON);
        assert_eq!(subscribe.uri(), "sip:alice@example.com");
        let mut dialog = second.accept(&subscribe, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.show_when(id, "it stands", |shown| shown["state"] == "confirmed");
        let dead = format!("{}:{ip}:5060", transport.upper().to_ascii_lowercase());
        assert!(destination(&server, &dead).is_some_and(|row| row["failures"].as_u64() > Some(0)));

        let back = Notifier::on(Endpoint::at(transport, ip));
        // The attempts of another one find out; the dialog stays where it is.
        let other = server.subscribe("sip:bob@example.com", &server.uri("watcher"));
        let found = eventually(SOON, "the first one is asked", || {
            let _ = server.rpc("presence_b2b.refresh", json!([other]));
            if let Some(attempt) = second.try_subscribe(Duration::ZERO) {
                second.reject(&attempt, 404, &[]);
            }
            back.endpoint.wait_for(Duration::from_millis(100), |message| message.method() == "SUBSCRIBE")
        });
        assert_eq!(found.uri(), "sip:bob@example.com");
        let mut dialogs = [dialog, back.accept(&found, 600)];
        dialogs[1].notify(Notify::active(600));
        until_it_is(&server, &dead, "it is closed", |row| row["state"] == "closed");
        for (id, dialog) in [id, other].into_iter().zip(&mut dialogs) {
            server.unsubscribe(id);
            farewell(dialog);
        }
        server.await_no_subscription();
        server.stop();
    }
}

/// The pause that a proxy asks for is no pause for the record.
#[test]
fn a_proxy_that_asks_for_a_pause_is_passed_over() {
    let [first, second] = [Notifier::udp(), Notifier::udp()];
    let proxies = format!("sip:{} sip:{}", first.endpoint.addr(), second.endpoint.addr());
    let server =
        builder().b2b_param("presence_outbound_proxy", proxies).b2b_param("destination_hold_max", 3600).start();
    let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
    first.reject(&first.expect_subscribe(SOON), 503, &[("Retry-After", "3600")]);
    let mut dialog = second.accept(&second.expect_subscribe(SOON), 600);
    dialog.notify(Notify::active(600));
    let other = server.subscribe("sip:bob@example.com", &server.uri("watcher"));
    second.reject(&second.expect_subscribe(SOON), 503, &[("Retry-After", "3600")]);
    // Both are held now.
    let shown = server.show_when(other, "it is held", |shown| shown["last_reason"] == "destination held");
    assert!(shown["next_action_in"].as_u64().is_some_and(|next| next > 3000), "{shown}");
    server.unsubscribe(other);
    server.unsubscribe(id);
    server.await_no_subscription();
    server.stop();
}

/// When both are held, the request waits for the one that is free first, whichever that is.
#[test]
fn what_all_proxies_hold_waits_for_the_first_that_is_free() {
    for pauses in [["200", "90"], ["90", "200"]] {
        let proxies = [Notifier::udp(), Notifier::udp()];
        let uris = format!("sip:{} sip:{}", proxies[0].endpoint.addr(), proxies[1].endpoint.addr());
        let server = builder().b2b_param("presence_outbound_proxy", uris).b2b_param("on_error_retry_time", 600).start();
        let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
        for (proxy, pause) in proxies.iter().zip(pauses) {
            proxy.reject(&proxy.expect_subscribe(SOON), 503, &[("Retry-After", pause)]);
        }
        // Neither proxy speaks for the record.
        let shown = server.show_when(id, "it has failed", |shown| shown["retries"] == 1);
        assert!(shown["next_action_in"].as_u64().is_some_and(|next| next > 100), "{shown}");
        // The subscription hears of the reply before the destination does.
        for proxy in &proxies {
            let address = address_of(&proxy.endpoint);
            until_it_is(&server, &address, "it is held", |row| row["held_for"].as_u64() > Some(0));
        }
        let other = server.subscribe("sip:bob@example.com", &server.uri("watcher"));
        let shown = server.show_when(other, "it is held", |shown| shown["last_reason"] == "destination held");
        assert!(shown["next_action_in"].as_u64().is_some_and(|next| next <= 90), "{shown}");
        end_all(&server, &[id, other]);
        server.stop();
    }
}

/// A Retry-After of an hour is believed for as long as the operator allows; then one SUBSCRIBE finds out.
#[test]
fn a_long_retry_after_is_probed() {
    let notifier = Notifier::udp();
    let server = builder().b2b_param("destination_hold_max", 2).start();
    let address = address_of(&notifier.endpoint);
    let first = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let refused = notifier.expect_subscribe(SOON);
    notifier.reject(&refused, 503, &[("Retry-After", "86400")]);
    let held = until_it_is(&server, &address, "it is held", |row| row["held_for"].as_u64() > Some(0));
    assert!(held["held_for"].as_u64().is_some_and(|seconds| seconds <= 2), "{held}");
    let others = ["bob", "carol", "dave"].map(|user| server.subscribe(&notifier.uri(user), &server.uri("watcher")));
    // One finds that nothing has changed, the next one that it has.
    let probe = notifier.expect_subscribe(SOON);
    assert!(probe.at.duration_since(refused.at) >= Duration::from_millis(1950), "{:?}", probe.at - refused.at);
    notifier.reject(&probe, 503, &[("Retry-After", "86400")]);
    let next = notifier.expect_subscribe(SOON);
    assert!(next.at.duration_since(probe.at) >= Duration::from_millis(1950), "{:?}", next.at - probe.at);
    notifier.reject(&next, 480, &[("Retry-After", "3600")]);
    let last = notifier.expect_subscribe(SOON);
    notifier.reject(&last, 480, &[("Retry-After", "3600")]);
    let free = until_it_is(&server, &address, "it is free", |row| row["held_for"] == 0);
    assert_eq!(free["state"], "closed", "{free}");
    end_all(&server, &[[first].as_slice(), &others].concat());
    server.stop();
}

/// What an operator knows to be back is not waited for.
#[test]
fn a_release_lets_all_that_are_held_try_again() {
    let silent = Endpoint::udp();
    let server = builder().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 600).start();
    let address = address_of(&silent);
    let ids = ["alice", "bob", "carol"].map(|user| server.subscribe(&silent.uri(user), &server.uri("watcher")));
    for id in ids {
        server.show_when(id, "it is held", |shown| shown["last_reason"] == "destination does not answer");
    }
    asked(&silent);
    let release = |address: &str| server.rpc("presence_b2b.destination_release", json!([address]));
    assert_eq!(release(&address).expect("released"), json!({"resumed": 3}));
    let mut users = BTreeSet::new();
    for _ in ids {
        let subscribe = silent.expect_request("SUBSCRIBE", SOON);
        users.insert(subscribe.uri().to_owned());
        silent.reply(&subscribe, 404, "Not Here");
    }
    assert_eq!(users.len(), 3);
    let row = until_it_is(&server, &address, "it is closed", |row| row["state"] == "closed");
    assert_eq!((&row["failures"], &row["held_for"]), (&json!(0), &json!(0)), "{row}");
    let fault = release("udp:192.0.2.66:5060").expect_err("unknown");
    assert!(fault.code == 404 && fault.message.contains("udp:192.0.2.66:5060"), "{fault:?}");
    assert_eq!(server.rpc("presence_b2b.destination_release", json!([])).expect_err("nothing").code, 400);
    end_all(&server, &ids);
    server.stop();
}

/// A redirection that was wrong for a moment leads back to the record, and `refresh` does so at once.
#[test]
fn a_redirection_to_a_dead_destination_holds_nobody() {
    let (notifier, dead) = (Notifier::udp(), Endpoint::udp());
    let server = builder().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 600);
    let server = server.b2b_param("on_error_retry_time", 600).start();
    let ids: Vec<u64> =
        (0..10).map(|n| server.subscribe(&notifier.uri(&format!("user{n}")), &server.uri("watcher"))).collect();
    for _ in &ids {
        notifier.redirect(&notifier.expect_subscribe(SOON), &[&dead.uri("nobody")]);
    }
    until_it_is(&server, &address_of(&dead), "it is open", |row| row["state"] == "open");
    for id in &ids {
        // Those that were under way have timed out.
        server.show_when(*id, "its attempt has failed", |shown| shown["state"] == "waiting" && shown["retries"] == 1);
        server.refresh(*id);
        let again = notifier.expect_subscribe(SOON);
        notifier.reject(&again, 404, &[]);
    }
    end_all(&server, &ids);
    server.stop();
}

/// The script drops the SUBSCRIBE that was to find out: the next one does.
#[test]
fn a_probe_that_the_script_drops_is_none() {
    let silent = Endpoint::udp();
    let server =
        builder().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 1).b2b_param("on_error_retry_time", 600);
    let server = server.route(r#"event_route[tm:local-request] { if ($rU == "bob") { drop; } }"#).start();
    let address = address_of(&silent);
    let first = server.subscribe(&silent.uri("alice"), &server.uri("watcher"));
    until_it_is(&server, &address, "it is open", |row| row["state"] == "open");
    server.unsubscribe(first);
    let dropped = server.subscribe(&silent.uri("bob"), &server.uri("watcher"));
    server.show_when(dropped, "it is dropped", |shown| shown["last_reason"] == "dropped by script");
    asked(&silent);
    let next = server.subscribe(&silent.uri("carol"), &server.uri("watcher"));
    let probe = silent.expect_request("SUBSCRIBE", SOON);
    silent.reply(&probe, 404, "Not Here");
    until_it_is(&server, &address, "it is closed", |row| row["state"] == "closed");
    end_all(&server, &[dropped, next]);
    server.stop();
}

/// What the script drops says nothing of its destination: it has not been asked.
#[test]
fn what_the_script_drops_is_no_failure_of_its_destination() {
    let notifier = Notifier::udp();
    let server = builder().b2b_param("breaker_failures", 2).b2b_param("on_error_retry_time", 600);
    let server = server.route(r#"event_route[tm:local-request] { if ($rU == "bob") { drop; } }"#).start();
    let dropped = server.subscribe(&notifier.uri("bob"), &server.uri("watcher"));
    for times in 1..=3 {
        let is_dropped = |shown: &Value| shown["last_reason"] == "dropped by script" && shown["retries"] == times;
        server.show_when(dropped, "it is dropped", is_dropped);
        server.refresh(dropped);
    }
    server.show_when(dropped, "it is dropped", |shown| shown["retries"] == 4);
    let row = destination(&server, &address_of(&notifier.endpoint)).expect("a row");
    assert_eq!((&row["failures"], &row["state"]), (&json!(0), &json!("closed")), "{row}");
    end_all(&server, &[dropped]);
    server.stop();
}

/// The dialog is made with the proxy that took the SUBSCRIBE, and stays there when the one that was passed over is free again.
#[test]
fn a_dialog_stays_with_the_proxy_that_was_free() {
    let [first, second] = [Notifier::udp(), Notifier::udp()];
    let proxies = format!("sip:{} sip:{}", first.endpoint.addr(), second.endpoint.addr());
    let server =
        builder().b2b_param("presence_outbound_proxy", proxies).b2b_param("destination_hold_max", 3600).start();
    let address = address_of(&first.endpoint);
    let refused = server.subscribe("sip:bob@example.com", &server.uri("watcher"));
    first.reject(&first.expect_subscribe(SOON), 503, &[("Retry-After", "3600")]);
    second.reject(&second.expect_subscribe(SOON), 404, &[]);
    until_it_is(&server, &address, "it is held", |row| row["held_for"].as_u64() > Some(0));
    server.unsubscribe(refused);
    let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
    let subscribe = second.expect_subscribe(SOON);
    assert_eq!(subscribe.cseq().0, 1, "the first is passed over");
    let mut dialog = second.accept(&subscribe, 600);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
    server.show_when(id, "it stands", |shown| shown["state"] == "confirmed");
    server.rpc("presence_b2b.destination_release", json!([address])).expect("released");
    server.refresh(id);
    let refresh = dialog.expect_subscribe(SOON);
    assert_eq!((refresh.cseq().0, first.endpoint.count("SUBSCRIBE")), (2, 1), "the first is not asked again");
    dialog.accept(&refresh, 600);
    server.show_when(id, "it stands", |shown| shown["state"] == "confirmed");
    server.end(id, &mut dialog);
    server.stop();
}

/// Twice as long after each probe, but no longer than `failure_backoff_max`.
#[test]
fn a_breaker_is_open_no_longer_than_the_longest_back_off() {
    let silent = Endpoint::udp();
    let server = builder().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 1);
    let server = server.b2b_param("failure_backoff_max", 2).start();
    let id = server.subscribe(&silent.uri("alice"), &server.uri("watcher"));
    let address = address_of(&silent);
    let mut longest = 0;
    eventually(3 * SOON, "five probes", || {
        let row = destination(&server, &address)?;
        longest = longest.max(row["held_for"].as_u64().expect("a number"));
        (row["sent"].as_u64() >= Some(5)).then_some(())
    });
    assert_eq!(longest, 2);
    end_all(&server, &[id]);
    server.stop();
}

/// The server asks the host of a URI, whatever its `maddr` is: so does the gate count. Otherwise a peer could have one destination
/// counted as many, or as another.
#[test]
fn maddr_does_not_change_the_destination() {
    let silent = Endpoint::udp();
    let server = builder().start();
    let record = format!("{};maddr=192.0.2.1", silent.uri("alice"));
    leaves_nothing(&server, || {
        let id = server.subscribe(&record, &server.uri("watcher"));
        let subscribe = silent.expect_request("SUBSCRIBE", SOON);
        assert_eq!(subscribe.uri(), record);
        let addresses: Vec<_> =
            server.rows("presence_b2b.destinations").into_iter().map(|row| row["address"].clone()).collect();
        assert_eq!(addresses, [json!(address_of(&silent))]);
        silent.reply(&subscribe, 404, "Not Here");
        end_all(&server, &[id]);
    });
    server.stop();
}
