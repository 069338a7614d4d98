//! The counters of the server.

use serde_json::{Value, json};

use crate::documentation::answers::{LiveCounters, STORE_COUNTERS, Statistics};
use crate::documentation::{named, text_of};
use crate::stored::{folder, settled, storing};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};

pub fn counters(server: &Server) -> Vec<(String, u64)> {
    let answer = server.rpc("stats.fetch", json!(["presence_b2b:"])).expect("counters");
    let Value::Object(fields) = answer else { panic!("{answer}") };
    let value = |value: &Value| value.as_str().map_or(value.as_u64(), |text| text.parse().ok()).expect("a number");
    fields.iter().map(|(name, number)| (name.replace("presence_b2b.", ""), value(number))).collect()
}

pub fn counter(server: &Server, name: &str) -> u64 {
    of(&counters(server), name)
}

fn of(all: &[(String, u64)], name: &str) -> u64 {
    all.iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("no {name} in {all:?}")).1
}

/// The names of the members of a struct in the answer of `presence_b2b.count`, as counters have them.
fn of_kind(server: &Server, member: &str, prefix: &str) -> Vec<String> {
    let counts = server.rpc("presence_b2b.count", json!([])).expect("counts");
    let names = counts[member].as_object().expect("a struct").keys();
    names.map(|name| format!("{prefix}_{}", name.replace(['.', '-'], "_"))).collect()
}

#[test]
fn all_are_there_and_described() {
    let server = Server::b2b().start();
    let fixed = STORE_COUNTERS.into_iter().chain(LiveCounters::NAMES).map(|name| named(name).to_owned());
    let fixed: Vec<String> = fixed.collect();
    let kinds = [of_kind(&server, "states", "state"), of_kind(&server, "packages", "package")].concat();
    let page = text_of("docs/statistics.md");
    for name in &fixed {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
    for name in &kinds {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    let trace = Statistics::NAMES.into_iter().map(|name| named(name).to_owned());
    let mut wanted: Vec<String> = trace.chain(fixed).chain(kinds).collect();
    wanted.sort_unstable();
    let mut found: Vec<String> = counters(&server).into_iter().map(|(name, _)| name).collect();
    found.sort_unstable();
    assert_eq!(found, wanted);
    server.stop();
}

/// Names that become the same for Prometheus are kept apart.
#[test]
fn packages_of_the_operator_have_counters() {
    let package = |name: &str| format!("{name}: accept=text/plain");
    let server = Server::b2b().b2b_param("package", package("a-b").as_str());
    let server = server.b2b_param("package", package("a.b").as_str()).start();
    let found: Vec<String> = counters(&server).into_iter().map(|(name, _)| name).collect();
    for name in ["package_a_b", "package_a_b_"] {
        assert!(found.iter().any(|found| found == name), "{name} in {found:?}");
    }
    server.stop();
}

/// Each request, reply and NOTIFY is counted once, as what it is.
#[test]
fn each_kind_is_counted() {
    let (notifier, bob) = (Notifier::udp(), Notifier::udp());
    let server = Server::eager(600).b2b_param("refresh_jitter", 0).b2b_param("breaker_failures", 1);
    let server = server.b2b_param("max_body", 1024).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    dialog.notify(Notify::active(600).cseq(10));
    // Twice the same, then one that is late, and those that cannot be taken.
    for _ in 0..2 {
        assert_eq!(dialog.notify(Notify::active(600).cseq(11)).status(), 200);
    }
    let answered = [
        (Notify::active(600).cseq(3), 500),
        (Notify::active(600).cseq(12).event("dialog"), 489),
        (Notify::active(600).cseq(13).body("text/plain", "x"), 415),
        (Notify::active(600).cseq(14).body("application/pidf+xml", "x".repeat(1025)), 413),
        (Notify::active(600).cseq(15).with("Require", "nothing"), 420),
        (Notify::active(600).cseq(16).body("nonsense", "x"), 400),
    ];
    for (notify, code) in answered {
        assert_eq!(dialog.notify(notify).status(), code);
    }
    server.rpc("presence_b2b.refresh", json!([id])).expect("a refresh");
    dialog.accept(&dialog.expect_subscribe(SOON), 600);
    assert_eq!(dialog.notify(Notify::active(600).cseq(17)).status(), 200);
    // The other notifier is not available: its breaker opens.
    server.subscribe(&bob.uri("bob"), &server.uri("watcher"));
    bob.reject(&bob.expect_subscribe(SOON), 503, &[]);
    eventually(SOON, "the breaker is open", || (counter(&server, "breakers_open") == 1).then_some(()));
    server.rpc("presence_b2b.destination_release", json!([bob.endpoint.destination()])).expect("it is known");
    assert_eq!(counter(&server, "breakers_open"), 0);
    let failing = eventually(SOON, "it fails", || Some(counter(&server, "failing")).filter(|count| *count > 0));
    assert_eq!(failing, 1);
    let id = server.rows("presence_b2b.list").iter().find(|row| row["retries"] == 1).expect("bob's")["id"].clone();
    server.rpc("presence_b2b.refresh", json!([id])).expect("a retry");
    let mut second = bob.accept(&bob.expect_subscribe(SOON), 600);
    second.notify(Notify::active(600));
    server.unsubscribe(id.as_u64().expect("an id"));
    crate::support::b2b::farewell(&mut second);
    eventually(SOON, "one is left", || (counter(&server, "subscriptions") == 1).then_some(()));
    for (name, wanted) in [
        ("subscribes_new", 2),
        ("subscribes_refresh", 1),
        ("subscribes_retry", 1),
        ("subscribes_end", 1),
        ("replies_2xx", 4),
        ("replies_5xx", 1),
        ("replies_none", 0),
        ("notifies_discarded_repeated", 1),
        ("notifies_refused_stale", 1),
        ("notifies_refused_event", 1),
        ("notifies_refused_type", 1),
        ("notifies_refused_size", 1),
        ("notifies_refused_extension", 1),
        ("notifies_refused_malformed", 1),
        ("notifies_refused_room", 0),
        ("failing", 0),
        ("state_confirmed", 1),
        ("package_presence", 1),
        // Of alice three, of bob the first and the last.
        ("notifies_accepted", 5),
    ] {
        assert_eq!(counter(&server, name), wanted, "{name}");
    }
    assert!(counter(&server, "memory_records") > 0 && counter(&server, "memory_other") > 0);
    assert!(counter(&server, "deadline_lag_ms") < 20_000);
    server.stop();
}

/// Under traffic, and with queues that overflow.
#[test]
fn what_is_received_is_accounted_for() {
    const SLOW: &str = "event_route[qsa:notify] { usleep(\"20000\"); }";
    let server =
        Server::b2b().module("cfgutils").route(SLOW).b2b_param("workers", 1).b2b_param("queue_limit", 4).start();
    let notifier = Notifier::udp();
    let mut dialogs: Vec<_> = (0..8)
        .map(|number| {
            server.subscribe(&notifier.uri(&format!("user{number}")), &server.uri("watcher"));
            notifier.accept(&notifier.expect_subscribe(SOON), 600)
        })
        .collect();
    let number = |trace: &Value, name: &str| trace[name].as_u64().expect("a number");
    for _ in 0..20 {
        for dialog in &mut dialogs {
            dialog.send_notify(Notify::active(600));
        }
        let trace = server.trace();
        let [received, delivered, merged, dropped, queued] =
            ["received", "delivered", "merged", "dropped", "queued"].map(|name| number(&trace, name));
        assert_eq!(received, delivered + merged + dropped + queued, "{trace}");
        // All counters of one answer are from one reading, although the server asks for each by itself.
        let all = counters(&server);
        let [received, told @ ..] = ["received", "delivered", "merged", "dropped", "queued"].map(|name| of(&all, name));
        assert_eq!(received, told.into_iter().sum::<u64>(), "{all:?}");
    }
    eventually(SOON, "all is told", || (server.trace()["queued"] == 0).then_some(()));
    let trace = server.trace();
    assert!(number(&trace, "merged") + number(&trace, "dropped") > 0, "{trace}");
    assert!(crate::counts::agree(&server));
    server.stop();
}

/// What is received is delivered, merged, dropped or waits; the store has its row.
#[test]
fn they_count() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "state", "confirmed");
    settled(&server);
    eventually(SOON, "all messages are told", || (counter(&server, "queued") == 0).then_some(()));
    let [received, delivered, merged, dropped] =
        ["received", "delivered", "merged", "dropped"].map(|name| counter(&server, name));
    assert_eq!(received, delivered + merged + dropped);
    assert!(received > 0);
    let of_store =
        ["subscriptions", "store_rows", "store_waiting", "store_failures"].map(|name| counter(&server, name));
    assert_eq!(of_store, [1, 1, 0, 0]);
    assert!(counter(&server, "store_written") > 0);
    server.end(id, &mut dialog);
    server.stop();
}
