//! The RPC commands.

use serde_json::{Value, json};

use crate::documentation::answers::Statistics;
use crate::documentation::answers_shown::always_there;
use crate::documentation::named;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

pub fn names(fields: &Value) -> Vec<&str> {
    fields.as_object().expect("a struct").keys().map(String::as_str).collect()
}

/// `names`, in the order `serde_json` keeps them.
fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

#[test]
fn show_and_list_have_every_field() {
    let notifier = Notifier::udp();
    let server = Server::eager(600).b2b_param("refresh_jitter", 0).b2b_param("history", 0).start();
    let record = notifier.uri("alice");
    leaves_nothing(&server, || {
        let id = server.subscribe(&record, &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&first, 600);
        dialog.notify(Notify::active(600).cseq(7));
        // Another process may have handled the NOTIFY before the 200.
        let is_told = |shown: &Value| shown["state"] == "confirmed" && shown["queued_bytes"] == 0;
        let shown = server.show_when(id, "it is confirmed and told", is_told);
        assert_eq!(names(&shown), sorted(always_there()));
        for (name, value) in [
            ("id", json!(id)),
            ("record", json!(record)),
            ("subscriber", json!(server.uri("watcher"))),
            ("package", json!("presence")),
            ("state", json!("confirmed")),
            ("status", json!("active")),
            ("call_id", json!(first.need("Call-ID"))),
            ("local_tag", json!(first.param("From", "tag"))),
            ("remote_tag", json!(dialog.local_tag)),
            ("local_cseq", json!(first.cseq().0)),
            ("remote_cseq", json!(7)),
            ("remote_target", json!(dialog.contact)),
            ("retries", json!(0)),
            ("last_reply", json!(200)),
            ("last_reason", json!("OK")),
            ("notifies", json!(1)),
            ("queued_bytes", json!(0)),
            ("fork", json!(0)),
        ] {
            assert_eq!(shown[name], value, "{name} in {shown}");
        }
        let texts = ["call_id", "local_tag", "remote_tag", "remote_target"];
        let texts: usize = texts.iter().filter_map(|name| shown[*name].as_str()).map(str::len).sum();
        assert!(
            shown["bytes"].as_u64().is_some_and(|bytes| bytes > texts as u64 && bytes < texts as u64 + 200),
            "{shown}"
        );
        assert!(shown["expires_in"].as_u64().is_some_and(|left| (595..=600).contains(&left)), "{shown}");
        assert!(shown["next_action_in"].as_u64().is_some_and(|left| (565..=570).contains(&left)), "{shown}");
        let listed = server.rpc("presence_b2b.list", json!([])).expect("a list");
        let [row] = &listed.as_array().expect("an array")[..] else { panic!("{listed}") };
        assert_eq!((names(row), &row["call_id"]), (names(&shown), &shown["call_id"]));
        dialog.cseq = 7;
        server.end(id, &mut dialog);
    });
    assert_eq!(server.rpc("presence_b2b.list", json!([])).expect("an empty list"), json!([]));
    server.stop();
}

#[test]
fn trace_counts_and_shows_states_in_detail() {
    let notifier = Notifier::udp();
    let server = Server::eager(600).start();
    leaves_nothing(&server, || {
        let before = server.trace();
        let more =
            |trace: &Value, count: &str| trace[count].as_i64().zip(before[count].as_i64()).map_or(-1, |(a, b)| a - b);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        let other = server.subscribe(&notifier.uri("bob"), &server.uri("watcher"));
        notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
        server.await_shown(id, "state", "confirmed");
        server.await_shown(other, "state", "waiting");
        let trace = eventually(SOON, "both messages are delivered", || {
            Some(server.trace()).filter(|trace| more(trace, "delivered") == 2)
        });
        assert_eq!(names(&trace), sorted(Statistics::NAMES.map(named).to_vec()));
        assert!(more(&trace, "small_blocks") > 4 && more(&trace, "small_bytes") > 200, "{before} -> {trace}");
        for (count, by) in [("subscriptions", 2), ("created", 2), ("destroyed", 0), ("received", 2)] {
            assert_eq!(more(&trace, count), by, "{count}: {before} -> {trace}");
        }
        assert_eq!((&trace["merged"], &trace["dropped"], &trace["queued"]), (&json!(0), &json!(0), &json!(0)));

        for detailed in [json!(["detailed"]), json!([1])] {
            let trace = server.rpc("presence_b2b.trace", detailed).expect("trace");
            let states = trace["states"].as_array().expect("an array");
            let mut seen: Vec<(u64, &str, &str)> = states
                .iter()
                .map(|row| {
                    assert_eq!(names(row), sorted(vec!["id", "record", "subscriber", "package", "state", "status"]));
                    let text = |name: &str| row[name].as_str().expect("a text");
                    (row["id"].as_u64().expect("an id"), text("state"), text("status"))
                })
                .collect();
            seen.sort_unstable();
            let mut expected = [(id, "confirmed", "active"), (other, "waiting", "terminated")];
            expected.sort_unstable();
            assert_eq!(seen, expected);
        }
        let error = server.rpc("presence_b2b.trace", json!(["everything"])).expect_err("no such mode");
        assert_eq!((error.code, error.message.contains("everything")), (400, true), "{error}");

        server.unsubscribe(other);
        server.end(id, &mut dialog);
        let trace = server.trace();
        assert_eq!((more(&trace, "created"), more(&trace, "destroyed")), (2, 2), "{trace}");
    });
    server.stop();
}

#[test]
fn many_subscriptions_are_listed_in_pages() {
    const COUNT: usize = 250;
    let silent = Endpoint::udp();
    // Spread far beyond the test: they exist, and nothing is sent.
    let server = Server::eager(600).b2b_param("max_subscribe_delay", 100_000).start();
    leaves_nothing(&server, || {
        let mut ids: Vec<u64> = (0..COUNT)
            .map(|user| server.subscribe(&silent.uri(&format!("user{user}")), &server.uri("watcher")))
            .collect();
        let page = |params: Value| -> Vec<u64> {
            let list = server.rpc("presence_b2b.list", params).expect("a page");
            list.as_array().expect("an array").iter().map(|row| row["id"].as_u64().expect("an id")).collect()
        };
        assert_eq!(page(json!([])), page(json!([0, 100])), "unless told otherwise");
        assert_eq!(page(json!([200])).len(), 50);
        assert_eq!(page(json!([249, 10])).len(), 1);
        assert_eq!(page(json!([250, 10])), [0_u64; 0]);
        let mut paged: Vec<u64> = (0..COUNT).step_by(60).flat_map(|offset| page(json!([offset, 60]))).collect();
        let all = server.rows("presence_b2b.list");
        let all: Vec<u64> = all.iter().map(|row| row["id"].as_u64().expect("an id")).collect();
        assert_eq!(all, paged, "the same order on every page");
        paged.sort_unstable();
        ids.sort_unstable();
        assert_eq!(paged, ids, "each once");
        for (params, part) in [
            (json!([0, 0]), "limit is 0, but must be 1 to 1000"),
            (json!([0, 1001]), "limit is 1001"),
            (json!(["many"]), "offset is \"many\""),
            (json!([-1]), "offset is \"-1\""),
        ] {
            let error = server.rpc("presence_b2b.list", params).expect_err("no such page");
            assert_eq!((error.code, error.message.contains(part)), (400, true), "{error}");
        }
        ids.iter().for_each(|id| server.unsubscribe(*id));
        assert_eq!(page(json!([])), [0_u64; 0]);
        assert_eq!(silent.count("SUBSCRIBE"), 0);
    });
    server.stop();
}

/// Each filter by itself, all together, and pages of what passes.
#[test]
fn a_list_is_filtered() {
    let silent = Endpoint::udp();
    let server = Server::eager(600).b2b_param("max_subscribe_delay", 100_000).b2b_param("shards", 4).start();
    leaves_nothing(&server, || {
        let mut ids = Vec::new();
        for user in 0..5 {
            for package in ["presence", "dialog"] {
                let params =
                    json!([silent.uri(&format!("user{user}")), server.uri(&format!("w{}", user % 2)), package]);
                ids.push(server.rpc("presence_b2b.subscribe", params).expect("an id"));
            }
        }
        let listed = |params: Value| {
            let rows = server.rpc("presence_b2b.list", params).expect("a page");
            rows.as_array().expect("an array").iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
        };
        let sorted = |mut ids: Vec<Value>| {
            ids.sort_by_key(Value::as_u64);
            ids
        };
        let of = |wanted: &[usize]| sorted(wanted.iter().map(|n| ids[*n].clone()).collect());
        let record = format!("record={}", silent.uri("user3"));
        let subscriber = format!("subscriber={}", server.uri("w1"));
        for (filters, wanted) in [
            (json!([record]), of(&[6, 7])),
            (json!([subscriber]), of(&[2, 3, 6, 7])),
            (json!(["package=dialog"]), of(&[1, 3, 5, 7, 9])),
            (json!(["state=waiting"]), sorted(ids.clone())),
            (json!(["state=confirmed"]), of(&[])),
            (json!(["package=dialog", subscriber, "state=waiting"]), of(&[3, 7])),
            (json!(["record=sip:nobody@192.0.2.1"]), of(&[])),
            (json!(["record=sip:user3@*"]), of(&[6, 7])),
            (json!(["subscriber=*:w*", "record=*user4*"]), of(&[8, 9])),
            (json!(["status=none", "failing=0"]), sorted(ids.clone())),
            (json!(["failing=1"]), of(&[])),
            (json!([format!("domain={}", silent.addr().ip())]), sorted(ids.clone())),
            (json!(["domain=example.com"]), of(&[])),
        ] {
            let params: Vec<Value> =
                [json!(0), json!(20)].into_iter().chain(filters.as_array().expect("filters").clone()).collect();
            assert_eq!(sorted(listed(json!(params))), wanted, "{filters}");
        }
        for (no_filter, part) in [
            ("user=1", "\"user=1\" is no filter: it must be record="),
            ("", "\"\" is no filter"),
            ("record", "the filter record has no value"),
            ("record=", "the filter record has no value: write record= and"),
            ("subscriber=", "the filter subscriber has no value"),
            ("package=", "the filter package has no value"),
            ("state", "the filter state has no value"),
            ("package=presense", "unknown event package \"presense\": known are presence"),
            ("state=waitin", "\"waitin\" is no state: waiting, unconfirmed, unconfirmed_destroy, confirmed, "),
            ("status=on", "\"on\" is no status: active, pending, terminated, rejected, none"),
            ("failing=yes", "\"yes\" is no failing: 0, 1"),
            ("domain=", "the filter domain has no value"),
        ] {
            let error = server.rpc("presence_b2b.list", json!([0, 20, no_filter])).expect_err(no_filter);
            assert_eq!((error.code, error.message.contains(part)), (400, true), "{no_filter}: {error}");
        }
        let log = server.log().text();
        assert!(log.contains("waiting_for_termination, destroyed"), "the fault in full: {log}");
        let pages: Vec<Value> =
            (0..5).step_by(2).flat_map(|offset| listed(json!([offset, 2, "package=dialog"]))).collect();
        assert_eq!(sorted(pages), of(&[1, 3, 5, 7, 9]));
        assert!(listed(json!([5, 2, "package=dialog"])).is_empty());
        for id in &ids {
            server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it can end");
        }
    });
    server.stop();
}

#[test]
fn subscribe_gives_the_same_id_for_the_same() {
    let silent = Endpoint::udp();
    let server = Server::eager(600).b2b_param("max_subscribe_delay", 100_000).start();
    leaves_nothing(&server, || {
        let subscribe = |params: Value| server.rpc("presence_b2b.subscribe", params);
        let (alice, watcher) = (silent.uri("alice"), server.uri("watcher"));
        let id = subscribe(json!([alice, watcher])).expect("an id");
        assert!(id.is_u64(), "a plain integer: {id}");
        assert_eq!(subscribe(json!([alice, watcher, "presence"])), Ok(id.clone()));
        let other = subscribe(json!([alice, watcher, "dialog"])).expect("another package");
        let third = subscribe(json!([alice, server.uri("somebody")])).expect("another subscriber");
        assert!(id != other && id != third && other != third);
        for id in [&id, &other, &third] {
            server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it can end");
        }
        for (params, part) in [
            (json!([]), "the parameter record is missing"),
            (json!([alice]), "the parameter subscriber is missing"),
            (json!(["", watcher]), "the parameter record is missing"),
            (json!([alice, watcher, "presense"]), "unknown event package \"presense\""),
            (json!(["alice", watcher]), "the record is not a SIP URI"),
            (json!([alice, "watcher"]), "the subscriber is not a SIP URI"),
        ] {
            let error = subscribe(params).expect_err("refused");
            assert_eq!((error.code, error.message.contains(part)), (400, true), "{error}");
        }
        // Texts that are kept and sent have a bound, which the fault names.
        let (uri, id) = (|length: usize| format!("sip:{}@h", "a".repeat(length - 6)), |length| "i".repeat(length));
        for (params, part) in [
            (json!([uri(1025), watcher]), "the record has 1025 bytes, but may have 1024 at most"),
            (json!([alice, uri(1025)]), "the subscriber has 1025 bytes, but may have 1024 at most"),
            (
                json!([alice, watcher, format!("presence;id={}", id(600))]),
                "the package has 612 bytes, but may have 512",
            ),
            (json!([alice, watcher, format!("presence;id={}", id(257))]), "a token: 1 to 256"),
            (json!([alice, watcher, "", format!("id={}", id(2046))]), "the text of the options has 2049 bytes"),
            (json!([alice, watcher, "", format!("id={}", id(257))]), "a token: 1 to 256"),
        ] {
            let error = subscribe(params).expect_err("refused");
            assert_eq!((error.code, error.message.contains(part)), (400, true), "{error}");
            assert!(error.message.len() < 500, "{error}");
        }
        let longest = subscribe(json!([uri(1024), uri(1024), "presence", format!("id={}", id(256))])).expect("an id");
        server.rpc("presence_b2b.unsubscribe", json!([longest])).expect("it can end");
        assert_eq!(server.trace()["subscriptions"], 0);
    });
    server.stop();
}

/// A URI becomes a line of a SIP message: what would end the line, or the URI before its end, is no URI.
#[test]
fn a_uri_brings_nothing_else_into_the_message() {
    let server = Server::eager(600).b2b_param("max_subscribe_delay", 100_000).start();
    leaves_nothing(&server, || {
        let good = "sip:alice@192.0.2.1";
        for end in ["\r\nX-More: 1", "\n", ";x=\r\n y", ">", ";x=>;tag=1", " ", "\t", ";x=\"", "<sip:b@c>"] {
            let bad = format!("{good}{end}");
            for params in [json!([bad, good]), json!([good, bad])] {
                let error = server.rpc("presence_b2b.subscribe", params).expect_err(&bad);
                assert_eq!((error.code, error.message.contains("is not a SIP URI")), (400, true), "{bad:?}: {error}");
            }
        }
        for bad in [" sip:alice@192.0.2.1", "<sip:alice@192.0.2.1>", "sip:al ice@192.0.2.1", "sip:al\r\nice@192.0.2.1"]
        {
            server.rpc("presence_b2b.subscribe", json!([bad, good])).expect_err(bad);
        }
        assert_eq!(server.trace()["subscriptions"], 0);
    });
    server.stop();
}

#[test]
fn an_id_must_be_one_that_exists() {
    let server = Server::eager(600).b2b_param("max_subscribe_delay", 100_000).start();
    leaves_nothing(&server, || {
        let gone = server.subscribe("sip:alice@192.0.2.1", &server.uri("watcher"));
        server.rpc("presence_b2b.unsubscribe", json!([gone])).expect("it can end");
        for command in ["presence_b2b.show", "presence_b2b.unsubscribe", "presence_b2b.refresh"] {
            for (params, code, part) in [
                (json!([]), 400, "the parameter id is missing".to_owned()),
                (json!(["first"]), 400, "id is \"first\", but must be a number".to_owned()),
                (json!([-1]), 400, "id is \"-1\"".to_owned()),
                (json!([1]), 404, "no subscription 1".to_owned()),
                (json!([i32::MAX]), 404, format!("no subscription {}", i32::MAX)),
            ] {
                let error = server.rpc(command, params).expect_err("no such id");
                assert_eq!((error.code, error.message.contains(&part)), (code, true), "{command}: {error}");
            }
        }
    });
    server.stop();
}

#[test]
fn the_versions_are_told_by_rpc_and_in_the_log() {
    let server = Server::b2b().start();
    let told = server.rpc("presence_b2b.version", json!([])).expect("the versions");
    let [version, built_for] = ["version", "built_for"].map(|name| told[name].as_str().unwrap_or_default().to_owned());
    assert_eq!(version, env!("CARGO_PKG_VERSION"), "{told}");
    assert!(built_for.starts_with("kamailio "), "{told}");
    let said = format!("version {version}, built for {built_for}");
    assert!(server.log().text().lines().any(|line| line.contains(" INFO: presence_b2b ") && line.ends_with(&said)));
    server.stop();
}
