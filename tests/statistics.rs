//! The counters of the server.

use serde_json::{Value, json};

use crate::documentation::answers::{STORE_COUNTERS, Statistics};
use crate::documentation::{named, text_of};
use crate::stored::{folder, settled, storing};
use crate::support::kamailio::Server;
use crate::support::notifier::Notifier;
use crate::support::wait::{SOON, eventually};

fn counters(server: &Server) -> Vec<(String, u64)> {
    let answer = server.rpc("stats.fetch", json!(["presence_b2b:"])).expect("counters");
    let Value::Object(fields) = answer else { panic!("{answer}") };
    let value = |value: &Value| value.as_str().map_or(value.as_u64(), |text| text.parse().ok()).expect("a number");
    fields.iter().map(|(name, number)| (name.replace("presence_b2b.", ""), value(number))).collect()
}

fn counter(server: &Server, name: &str) -> u64 {
    let all = counters(server);
    all.iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("no {name} in {all:?}")).1
}

#[test]
fn all_are_there_and_described() {
    let server = Server::b2b().start();
    let there: Vec<String> = counters(&server).into_iter().map(|(name, _)| name).collect();
    let declared: Vec<String> =
        Statistics::NAMES.into_iter().chain(STORE_COUNTERS).map(|name| named(name).to_owned()).collect();
    let mut wanted: Vec<&str> = declared.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    let mut found: Vec<&str> = there.iter().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, wanted);
    let page = text_of("docs/statistics.md");
    for name in STORE_COUNTERS.map(named) {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
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
