//! The ranges of the module's parameters, and the effects of those that no other file tests.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::b2b::farewell;
use crate::support::config::Value;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// The start is refused with one error of the module, which says all of `parts`.
fn assert_refused(name: &str, value: impl Into<Value>, parts: &[&str]) {
    let said = Server::b2b().b2b_param(name, value).start_refused();
    let errors: Vec<&str> = said.lines().filter(|line| line.contains("ERROR: presence_b2b")).collect();
    let [error] = errors[..] else { panic!("{name}: not one error of the module:\n{said}") };
    for part in [&[name][..], parts].concat() {
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
}

#[test]
fn integers_out_of_range_refuse_the_start() {
    for (name, value, range) in [
        ("default_expiration", 0, "1 to 315360000 seconds"),
        ("on_error_retry_time", -1, "1 to 315360000 seconds"),
        ("wait_for_term_notify", -5, "0 to 315360000 seconds"),
        ("resubscribe_delta", 400_000_000, "0 to 315360000 seconds"),
        ("min_resubscribe_time", -1, "0 to 315360000 seconds"),
        ("max_subscribe_delay", -1, "0 to 315360000 seconds"),
        ("failure_backoff_max", 0, "1 to 315360000 seconds"),
        ("workers", 65, "1 to 64"),
        ("max_subscriptions", -1, "0 to 4194303"),
        ("shards", 257, "1 to 256"),
        ("shards", 48, "power of two"),
        ("queue_limit", 0, "1 to 1000000"),
        ("queue_bytes", 1000, "524288 to 2147483647 bytes"),
        ("subscription_queue_bytes", 4095, "4096 to 2147483647 bytes"),
        ("fork_bytes", 8191, "8192 to 1048576 bytes"),
        ("max_memory", -1, "0 to 1048576 megabytes"),
        ("timer_n_on_refresh", 2, "0 to 1"),
        ("destination_rate", -1, "0 to 1000000"),
        ("total_rate", 1_000_001, "0 to 1000000"),
        ("breaker_failures", -1, "0 to 1000000"),
        ("breaker_time", 0, "1 to 315360000 seconds"),
        ("destination_hold_max", 86_401, "1 to 86400 seconds"),
        ("max_body", 1023, "1024 to 16777216 bytes"),
        ("max_body", 16_777_217, "1024 to 16777216 bytes"),
        ("refresh_jitter", 51, "0 to 50 percent"),
    ] {
        assert_refused(name, value, &[&format!("is {value}"), range]);
    }
}

#[test]
fn malformed_texts_refuse_the_start() {
    for route in ["sip:proxy.example.com", "<sip:proxy.example.com;lr", "<http://x>", "hello"] {
        assert_refused("presence_route", route, &[route, "<sip:proxy.example.com;lr>"]);
    }
    let nine = ["sip:a"; 9].join(" ");
    for proxy in [
        "proxy.example.com",
        "<sip:proxy.example.com>",
        "http://proxy.example.com",
        "sip:a sip:b c",
        "sip:a;transport=foo",
        &nine,
    ] {
        assert_refused("presence_outbound_proxy", proxy, &[proxy, "SIP URI"]);
    }
    for headers in ["no header", "X-Name: value\r\n\r\nbody", ": nameless"] {
        assert_refused("additional_presence_headers", headers, &["header lines"]);
    }
}

#[test]
fn local_domains_are_hosts() {
    assert_refused("local_domains", "sip:example.com", &["\"sip:example.com\" is wrong", "such as example.com"]);
}

/// The error says what of the text is wrong and what is allowed.
#[test]
fn what_contradicts_the_module_refuses_the_start() {
    assert_refused("additional_presence_headers", "X-A: b\r\nEvent: foo\r\n", &["header Event", "writes itself"]);
    let said = Server::b2b().b2b_param("db_url", "mysql://a:secret@x/y").start_refused();
    assert!(
        said.contains("modparam db_url is set, but nothing uses it") && !said.contains("presence_b2b: mysql"),
        "{said}"
    );
}

#[test]
fn a_malformed_package_policy_refuses_the_start() {
    for (policy, parts) in [
        ("mwi: 404=never", ["\"mwi\" is wrong", "message-summary"]),
        ("reg: workers=3", ["\"workers=3\" is wrong", "default_expiration"]),
        ("reg: 404=never; refresh_jitter=51", ["\"refresh_jitter=51\" is wrong", "0 to 50 percent"]),
        ("reg: rejected=later", ["\"rejected=later\" is wrong", "at_once, back_off, never"]),
        ("reg: 200=never", ["\"200=never\" is wrong", "300 to 699"]),
    ] {
        assert_refused("package_policy", policy, &[&[policy][..], &parts].concat());
    }
}

#[test]
fn a_filter_that_is_none_refuses_the_start() {
    for (content, said) in [
        ("<filter-set", "the file is no filter: line 1"),
        (
            "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"/>",
            "root element is \"{urn:ietf:params:xml:ns:pidf}presence\"",
        ),
    ] {
        let said_all = Server::b2b().file("f.xml", content).b2b_param("filter", "f={dir}/f.xml").start_refused();
        let errors: Vec<&str> = said_all.lines().filter(|line| line.contains("ERROR: presence_b2b")).collect();
        let [error] = errors[..] else { panic!("not one error of the module:\n{said_all}") };
        assert!(error.contains("modparam filter is \"f=/") && error.contains(said), "{error}");
    }
    assert_refused("filter", "f=/no/such/file.xml", &["f=/no/such/file.xml", "the file cannot be read"]);
    assert_refused("filter", "f", &["is \"f\"", "name=/path/to/file.xml"]);
}

#[test]
fn tm_must_be_loaded_first() {
    let said =
        Server::b2b().without_module("tm").without_module("tmx").route("request_route { exit; }").start_refused();
    assert!(said.contains("load it before presence_b2b"), "{said}");
}

/// All defaults written out: a server that has them works like one that has none.
#[test]
fn the_defaults_of_the_original_are_accepted() {
    let mut builder = Server::b2b();
    for (name, value) in [
        ("default_expiration", 3600),
        ("on_error_retry_time", 120),
        ("wait_for_term_notify", 30),
        ("resubscribe_delta", 30),
        ("min_resubscribe_time", 30),
        ("handle_presence_subscriptions", 1),
        ("max_subscribe_delay", 0),
    ] {
        builder = builder.b2b_param(name, value);
    }
    for name in ["presence_route", "additional_presence_headers", "presence_outbound_proxy"] {
        builder = builder.b2b_param(name, "");
    }
    let server = builder.start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        watch_once(&server, &notifier, "alice");
        server.await_no_subscription();
    });
    server.stop();
}

/// Subscribes, has the state told, unsubscribes.
fn watch_once(server: &Server, notifier: &Notifier, user: &str) {
    let id = server.subscribe(&notifier.uri(user), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.unsubscribe(id);
    farewell(&mut dialog);
}

/// An original configuration runs unchanged. Its proxy's name is given an address by hand: tests ask no name service.
#[test]
fn the_example_of_the_original_works() {
    let proxy = Notifier::udp();
    let server = Server::builder().example("seed-example.cfg");
    // The harness loads modules that need tm before the example loads tm.
    let server = server.allow_log("load_tm():  Module not initialized yet").start();
    let (name, ip) = ("my-sip-server.domain.com", proxy.endpoint.addr().ip().to_string());
    const PERMANENT: u32 = 2;
    let service = json!([format!("_sip._udp.{name}"), 3600, 1, 1, 5060, name, PERMANENT]);
    server.rpc("dns.add_srv", service).expect("a service record");
    server.rpc("dns.add_a", json!([name, 3600, ip, PERMANENT])).expect("an address record");
    leaves_nothing(&server, || {
        let id = server.subscribe("sip:alice@192.0.2.1", &server.uri("watcher"));
        let first = proxy.expect_subscribe(SOON);
        assert_eq!(first.uri(), "sip:alice@192.0.2.1");
        assert_eq!(first.headers("Route"), ["<sip:my-sip-server.domain.com;lr>"]);
        assert_eq!(first.headers("Expires"), ["667"]);
        let mut dialog = proxy.activate(&first, 667);
        let shown = server.await_shown(id, "state", "confirmed");
        assert!(shown["next_action_in"].as_u64().is_some_and(|left| (580..=652).contains(&left)), "{shown}");
        let mut stranger = dialog.clone();
        stranger.call_id = "nobody's".into();
        let answer = stranger.notify(Notify::active(600));
        assert_eq!(answer.status(), 481, "{}", answer.message);
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// Twenty-four first SUBSCRIBEs over three seconds: all in one half of them is one chance in eight million.
#[test]
fn max_subscribe_delay_spreads_the_first_subscribes() {
    const COUNT: usize = 24;
    let notifier = Notifier::udp();
    let server = Server::b2b().b2b_param("max_subscribe_delay", 3).start();
    leaves_nothing(&server, || {
        let mut asked = HashMap::new();
        for user in 0..COUNT {
            let record = notifier.uri(&format!("user{user}"));
            asked.insert(record.clone(), Instant::now());
            server.subscribe(&record, &server.uri("watcher"));
        }
        let mut waits = Vec::new();
        for _ in 0..COUNT {
            let subscribe = notifier.expect_subscribe(SOON);
            waits.push(subscribe.at.duration_since(asked[subscribe.uri()]));
            notifier.reject(&subscribe, 489, &[]);
        }
        let early = waits.iter().filter(|wait| **wait < Duration::from_millis(1500)).count();
        assert!((1..COUNT).contains(&early), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait < Duration::from_secs(5)), "{waits:?}");
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn max_subscriptions_is_the_most_at_a_time() {
    let notifier = Notifier::udp();
    let server = Server::b2b().b2b_param("max_subscriptions", 2).start();
    leaves_nothing(&server, || {
        let subscribe =
            |user: &str| server.rpc("presence_b2b.subscribe", json!([notifier.uri(user), server.uri("watcher")]));
        let ids: Vec<u64> = ["a", "b"].map(|user| subscribe(user).expect("room").as_u64().expect("an id")).into();
        let error = subscribe("c").expect_err("no room");
        assert_eq!(error.code, 400, "{error}");
        assert!(error.message.contains("max_subscriptions"), "{error}");
        assert_eq!(server.trace()["subscriptions"], 2);
        for _ in 0..2 {
            let subscribe = notifier.expect_subscribe(SOON);
            notifier.reject(&subscribe, 404, &[]);
        }
        server.show_when(ids[0], "waiting", |shown| shown["state"] == "waiting");
        server.unsubscribe(ids[0]);
        let third = subscribe("c").expect("room again").as_u64().expect("an id");
        notifier.reject(&notifier.expect_subscribe(SOON), 489, &[]);
        eventually(SOON, "the third is gone", || (server.trace()["subscriptions"] == 1).then_some(()));
        assert!(server.rpc("presence_b2b.show", json!([third])).is_err());
        server.show_when(ids[1], "waiting", |shown| shown["state"] == "waiting");
        server.unsubscribe(ids[1]);
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn handle_presence_subscriptions_0_leaves_them_alone() {
    let peer = Endpoint::udp();
    let server = Server::b2b().b2b_param("handle_presence_subscriptions", 0).start();
    leaves_nothing(&server, || {
        let params = json!([peer.uri("alice"), server.uri("watcher")]);
        let error = server.rpc("presence_b2b.subscribe", params).expect_err("nobody serves it");
        assert!(error.message.contains("handle_presence_subscriptions"), "{error}");
        assert_eq!(server.trace()["subscriptions"], 0);
    });
    peer.expect_none("SUBSCRIBE", Duration::from_millis(100));
    server.stop();
}

#[test]
fn workers_and_shards_may_be_few_or_many() {
    for (workers, shards) in [(1, 1), (4, 256)] {
        let notifier = Notifier::udp();
        let server = Server::b2b().b2b_param("workers", workers).b2b_param("shards", shards).start();
        assert_eq!(server.processes("presence_b2b worker") as i64, workers);
        leaves_nothing(&server, || {
            (0..8).for_each(|user| watch_once(&server, &notifier, &format!("user{user}")));
            server.await_no_subscription();
        });
        server.stop();
    }
}
