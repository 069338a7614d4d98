//! Metrics with labels, which the module xhttp_prom shows from Kamailio 6.1 on. On older servers the tests see that there are none.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::statistics::counter;
use crate::support::b2b::farewell;
use crate::support::config::{Builder, version};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};

/// Whether the server under test has what they need.
pub fn has_labels() -> bool {
    version() >= (6, 1)
}

/// A server to describe that shows them. A request without an answer has failed after this many milliseconds.
fn shown(gives_up_after: i64) -> Builder {
    let web = "event_route[xhttp:request] { if (prom_check_uri()) { prom_dispatch(); } }";
    let server = Server::eager(600).b2b_param("breaker_failures", 0).gives_up_after(gives_up_after);
    server.module("xhttp").module("xhttp_prom").global("tcp_accept_no_cl=yes").route(web)
}

/// What Prometheus is told.
fn told(server: &Server) -> String {
    let mut stream = TcpStream::connect(server.addr()).expect("a connection");
    stream.set_read_timeout(Some(SOON)).expect("a limit");
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = Vec::new();
    let mut buffer = [0; 65_536];
    // The server keeps the connection: the length says where the answer ends.
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length:")).expect("a length");
            if body.len() >= length.trim().parse().expect("a number") {
                assert!(head.contains(" 200 "), "{head}");
                return body.to_owned();
            }
        }
        let count = stream.read(&mut buffer).expect("an answer");
        assert!(count > 0, "the answer ends early: {text}");
        answer.extend_from_slice(&buffer[..count]);
    }
}

/// The value of the series that is written so.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("kamailio_presence_b2b_")?.strip_prefix(series))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Waits for values of series; the last text.
fn await_values(server: &Server, wanted: &[(&str, f64)]) -> String {
    let mut text = String::new();
    for (series, wanted) in wanted {
        text = eventually(SOON, &format!("{series} is {wanted}"), || {
            let text = told(server);
            (value(&text, series) == Some(*wanted)).then_some(text)
        });
    }
    text
}

/// Subscriptions by state and package, requests, replies and NOTIFYs by what they are, and how long replies took.
#[test]
fn each_is_shown_with_its_labels_from_6_1_on() {
    let notifier = Notifier::udp();
    let server = shown(700).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
    assert_eq!(dialog.notify(Notify::active(600).body("text/plain", "x")).status(), 415);
    // The module wants the state that it could not take.
    dialog.accept(&dialog.expect_subscribe(SOON), 600);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
    server.await_shown(id, "state", "confirmed");
    if !has_labels() {
        let text = told(&server);
        assert!(!text.contains("presence_b2b"), "{text}");
        server.end(id, &mut dialog);
        return server.stop();
    }
    server.subscribe(&notifier.uri("bob"), &server.uri("watcher"));
    notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
    // Nobody answers.
    server
        .rpc("presence_b2b.subscribe", json!([notifier.uri("carol"), server.uri("watcher"), "dialog"]))
        .expect("an id");
    notifier.expect_subscribe(SOON);
    let text = await_values(
        &server,
        &[
            ("subscriptions_current{state=\"confirmed\", package=\"presence\"}", 1.0),
            ("subscriptions_current{state=\"waiting\", package=\"presence\"}", 1.0),
            ("subscriptions_current{state=\"waiting\", package=\"dialog\"}", 1.0),
            ("subscriptions_current{state=\"confirmed\", package=\"dialog\"}", 0.0),
            ("subscribes_total{kind=\"new\"}", 3.0),
            ("subscribes_total{kind=\"refresh\"}", 1.0),
            ("subscribes_total{kind=\"retry\"}", 0.0),
            ("replies_total{class=\"2xx\"}", 2.0),
            ("replies_total{class=\"4xx\"}", 1.0),
            ("replies_total{class=\"none\"}", 1.0),
            ("notifies_total{outcome=\"accepted\", reason=\"none\"}", 3.0),
            ("notifies_total{outcome=\"refused\", reason=\"type\"}", 1.0),
            ("notifies_total{outcome=\"refused\", reason=\"malformed\"}", 0.0),
            ("reply_seconds_count{class=\"2xx\"}", 2.0),
            ("reply_seconds_bucket{class=\"2xx\", le=\"+Inf\"}", 2.0),
            ("reply_seconds_bucket{class=\"none\", le=\"0.500000\"}", 0.0),
            ("reply_seconds_bucket{class=\"none\", le=\"32.000000\"}", 1.0),
        ],
    );
    assert!(!text.contains("package=\"reg\""), "no subscription has had this package: {text}");
    let silent = value(&text, "reply_seconds_sum{class=\"none\"}").expect("a sum");
    // tm gives up at a tick of its timer, which may be a little early.
    assert!((0.5..20.0).contains(&silent), "{silent}");
    server.unsubscribe(id);
    farewell(&mut dialog);
    await_values(&server, &[("subscriptions_current{state=\"confirmed\", package=\"presence\"}", 0.0)]);
    server.stop();
}

/// Many at once: labels and histogram end at the numbers of the plain counters.
#[test]
fn none_is_lost_from_6_1_on() {
    let notifier = Notifier::udp();
    let server = shown(30_000).start();
    let ids: Vec<u64> =
        (0..60).map(|user| server.subscribe(&notifier.uri(&format!("user{user}")), &server.uri("watcher"))).collect();
    let mut dialogs: Vec<_> = ids.iter().map(|_| notifier.activate(&notifier.expect_subscribe(SOON), 600)).collect();
    for id in &ids {
        server.await_shown(*id, "state", "confirmed");
    }
    assert_eq!(counter(&server, "replies_2xx"), 60);
    if has_labels() {
        let text = await_values(
            &server,
            &[
                ("reply_seconds_count{class=\"2xx\"}", 60.0),
                ("reply_seconds_bucket{class=\"2xx\", le=\"+Inf\"}", 60.0),
                ("replies_total{class=\"2xx\"}", 60.0),
                ("notifies_total{outcome=\"accepted\", reason=\"none\"}", 60.0),
                ("subscriptions_current{state=\"confirmed\", package=\"presence\"}", 60.0),
            ],
        );
        let bounds = ["0.005000", "0.010000", "0.025000", "0.050000", "0.100000", "0.250000", "0.500000", "1.000000"];
        let counts =
            bounds.map(|bound| value(&text, &format!("reply_seconds_bucket{{class=\"2xx\", le=\"{bound}\"}}")));
        assert!(counts.is_sorted() && counts[0].is_some(), "{text}");
    }
    ids.iter().for_each(|id| server.unsubscribe(*id));
    dialogs.iter_mut().for_each(farewell);
    server.await_no_subscription();
    server.stop();
}
