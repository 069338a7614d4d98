//! The outcome of a SUBSCRIBE is counted once for its destination, whatever tm reports and in whatever order.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::c_api::build;
use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::wait::{SOON, eventually};

/// The C module that stands between tm and the module.
fn tm_test() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("tm_test", &["tm_test.c"]))
}

/// Its text decides the outcome of each SUBSCRIBE; each subscription has one.
fn server(breaker_failures: i64) -> Server {
    let builder: Builder = Server::b2b().b2b_param("breaker_failures", breaker_failures);
    let builder = builder.b2b_param("on_error_retry_time", 3600).b2b_param("breaker_time", 3600);
    builder.allow_log("tm-").route(&format!("loadmodule \"{}\"", tm_test().display())).start()
}

/// The destination, once so many requests have been let through and the subscription has heard of its own.
fn after(server: &Server, target: &Endpoint, words: &str, sent: u64) -> (u64, String) {
    let id = server.subscribe(&format!("sip:tm-{words}@{}", target.addr()), &server.uri("watcher"));
    // On a busy machine it hears first that the request waits.
    let is_final =
        |reason: &Value| reason.as_str().is_some_and(|reason| !reason.is_empty() && !reason.starts_with("waiting"));
    server.show_when(id, words, |shown| is_final(&shown["last_reason"]));
    let address = format!("udp:{}", target.addr());
    let row = |rows: Vec<Value>| rows.into_iter().find(|row| row["address"] == *address);
    let row = eventually(SOON, words, || {
        row(server.rows("presence_b2b.destinations")).filter(|row| row["sent"] == json!(sent))
    });
    (row["failures"].as_u64().expect("a number"), row["state"].as_str().expect("a word").to_owned())
}

/// tm reports an end and the call fails, or reports it twice: it is one request.
#[test]
fn a_request_is_counted_once() {
    let (target, server) = (Endpoint::udp(), server(1000));
    let mut failures = 0;
    for (at, (words, adds)) in [
        ("408", 1),
        ("503", 1),
        ("fail", 1),
        ("408-fail", 1),
        ("503-fail", 1),
        ("408-408", 1),
        ("408-503", 1),
        ("503-408-fail", 1),
        ("408-drop", 1),
        ("408-memory", 1),
        ("memory", 0),
        ("drop", 0),
        ("500-fail", 0),
    ]
    .into_iter()
    .enumerate()
    {
        let (counted, state) = after(&server, &target, words, at as u64 + 1);
        failures += adds;
        assert_eq!((counted, &*state), (failures, "closed"), "{words}");
    }
    server.stop();
}

/// Codes that say nothing of the destination neither close its breaker nor open it.
#[test]
fn a_code_of_tms_own_is_no_answer() {
    let (target, server) = (Endpoint::udp(), server(3));
    let codes = ["408", "503", "500", "404", "477", "200", "400-fail", "408-fail"];
    let mut seen = Vec::new();
    for (at, code) in codes.into_iter().enumerate() {
        seen.push(after(&server, &target, code, at as u64 + 1));
    }
    let closed = |failures| (failures, "closed".to_owned());
    let wanted = [1, 2, 2, 2, 2, 2, 2].map(closed).into_iter().chain([(3, "open".to_owned())]);
    assert_eq!(seen, wanted.collect::<Vec<_>>(), "{codes:?}");
    server.stop();
}

/// A probe that ends with such a code, or that does not leave, does not count: the next request is the probe.
#[test]
fn a_probe_without_an_outcome_is_given_back() {
    let target = Endpoint::udp();
    let server = Server::b2b().b2b_param("breaker_failures", 1).b2b_param("breaker_time", 1);
    let server = server.b2b_param("on_error_retry_time", 3600).allow_log("tm-");
    let server = server.route(&format!("loadmodule \"{}\"", tm_test().display())).start();
    assert_eq!(after(&server, &target, "408", 1), (1, "open".to_owned()));
    let address = format!("udp:{}", target.addr());
    let until = |what: &str, wanted: &dyn Fn(&Value) -> bool| {
        eventually(SOON, what, || {
            server.rows("presence_b2b.destinations").into_iter().find(|row| row["address"] == *address && wanted(row))
        })
    };
    for (at, words) in ["500", "memory", "drop", "500-memory"].into_iter().enumerate() {
        server.subscribe(&format!("sip:tm-{words}@{}", target.addr()), &server.uri("watcher"));
        let row = until(words, &|row| row["sent"] == json!(at + 2) && row["state"] != "probing");
        assert_eq!((&row["failures"], &row["state"]), (&json!(1), &json!("open")), "{words}");
    }
    server.subscribe(&format!("sip:tm-408-fail@{}", target.addr()), &server.uri("watcher"));
    until("the probe has failed, once", &|row| row["failures"] == 2 && row["state"] == "open");
    server.stop();
}

/// tm gives up a request that the system does not let out: its own 503 counts as a failure, and holds nothing.
#[test]
fn tms_own_503_is_a_failure() {
    let server = Server::b2b().b2b_param("breaker_failures", 2).b2b_param("on_error_retry_time", 1);
    let server = server.b2b_param("breaker_time", 3600).allow_log("sendto").allow_log("udp_send").allow_log("send");
    let server = server.b2b_param("min_resubscribe_time", 0).modparam("tm", "retr_timer1", 200).start();
    // The system does not allow sending to the broadcast address.
    let id = server.subscribe("sip:alice@127.255.255.255:5060", &server.uri("watcher"));
    server.show_when(id, "tm has given up", |shown| shown["last_reply"] == 503);
    let row = eventually(SOON, "it is open", || {
        let rows = server.rows("presence_b2b.destinations");
        rows.into_iter().find(|row| row["address"] == "udp:127.255.255.255:5060" && row["state"] == "open")
    });
    assert_eq!((&row["failures"], &row["sent"]), (&json!(2), &json!(2)), "{row}");
    server.stop();
}
