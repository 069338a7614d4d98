//! The RPC commands that go through all subscriptions in bounded calls.

use serde_json::{Value, json};

use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::Notifier;
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

/// The ids that a command shows, and its `next`.
fn call(server: &Server, command: &str, params: Value) -> (Vec<u64>, u64) {
    let answer = server.rpc(&format!("presence_b2b.{command}"), params).expect(command);
    let rows = answer["rows"].as_array().expect("rows");
    let next = answer["next"].as_u64().expect("a number");
    (rows.iter().map(|row| row["id"].as_u64().expect("an id")).collect(), next)
}

/// All that `find` shows for these parameters, in as many calls as it takes.
fn find_all(server: &Server, params: &[String]) -> (Vec<u64>, usize) {
    let (mut ids, mut from, mut calls) = (Vec::new(), 0, 0);
    loop {
        let mut params = params.to_vec();
        params.push(format!("from={from}"));
        let (found, next) = call(server, "find", json!(params));
        ids.extend(found);
        calls += 1;
        if next == 0 {
            ids.sort_unstable();
            return (ids, calls);
        }
        assert!(next > from, "{from} -> {next}");
        from = next;
    }
}

fn fault(server: &Server, command: &str, params: Value, code: i64, part: &str) {
    let error = server.rpc(&format!("presence_b2b.{command}"), params.clone()).expect_err(part);
    assert_eq!((error.code, error.message.contains(part)), (code, true), "{command} {params}: {error}, not {part}");
}

#[test]
fn subscriptions_are_found_in_bounded_calls() {
    const COUNT: usize = 250;
    let silent = Endpoint::udp();
    let server = Server::eager(600).b2b_param("max_subscribe_delay", 100_000).b2b_param("shards", 8).start();
    let mut ids: Vec<u64> = (0..COUNT)
        .map(|user| server.subscribe(&silent.uri(&format!("user{user:03}")), &server.uri("watcher")))
        .collect();
    let of = |params: &[&str]| find_all(&server, &params.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let one = format!("record={}", silent.uri("user077"));
    assert_eq!(call(&server, "find", json!([one])), (vec![ids[77]], 0));
    assert_eq!(of(&["record=sip:user07*"]).0.len(), 10);
    assert_eq!(of(&["record=*user249*"]).0, [ids[249]]);
    ids.sort_unstable();
    // What fits into an answer is fewer than those that are asked for.
    let (all, calls) = of(&["limit=1000"]);
    assert_eq!(all, ids);
    assert!(calls > 1, "{calls} calls");
    assert_eq!(of(&["limit=60"]), (ids.clone(), 5), "each once");
    assert_eq!(of(&["limit=7", "record=*", "state=waiting"]).0, ids);
    assert_eq!(of(&["state=confirmed"]), (vec![], 1));

    // Places of another time are places, and so is any other number.
    let (_, place) = call(&server, "find", json!(["limit=100"]));
    for id in &ids[50..] {
        server.unsubscribe(*id);
    }
    let (left, _) = call(&server, "find", json!([format!("from={place}")]));
    assert!(left.len() < 50 && left.iter().all(|id| ids[..50].contains(id)), "{left:?}");
    assert_eq!(call(&server, "find", json!(["from=4194303"])), (vec![], 0));
    assert_eq!(of(&[]).0, ids[..50]);

    for (params, part) in [
        (json!(["limit=0"]), "limit is 0, but must be 1 to 1000"),
        (json!(["limit=1001"]), "limit is 1001"),
        (json!(["limit=many"]), "limit= is \"many\", but must be a number"),
        (json!(["limit="]), "limit= is \"\", but must be a number"),
        (json!(["from=-1"]), "from= is \"-1\""),
        (json!(["from=99999999999999999999"]), "from= is \"99999999999999999999\""),
        (json!(["from=2147483647"]), "from is 2147483647, but must be what next was: 0 to 4194303"),
        (json!(["from=1", "from=1"]), "from= may be given once"),
        (json!([7]), "\"7\" is no filter"),
        (json!(["limit"]), "\"limit\" is no filter"),
    ] {
        fault(&server, "find", params, 400, part);
    }
    ids[..50].iter().for_each(|id| server.unsubscribe(*id));
    assert_eq!(call(&server, "find", json!([])), (vec![], 0));
    server.stop();
}

/// Filters by what a subscription has gone through; and an audit that has nothing to say, whatever the state.
#[test]
fn subscriptions_are_found_by_what_they_have_come_to() {
    let notifier = Notifier::udp();
    let other = Notifier::udp();
    let server = Server::eager(600).start();
    leaves_nothing(&server, || {
        let audit = |count: usize| {
            let answer = server.rpc("presence_b2b.audit", json!([])).expect("an audit");
            assert_eq!(answer, json!({ "rows": [], "looked_at": count, "next": 0 }));
        };
        audit(0);
        let good = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        audit(1);
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        let bad = server.subscribe(&other.uri("bob"), &server.uri("watcher"));
        let request = other.expect_subscribe(SOON);
        audit(2);
        other.reject(&request, 404, &[]);
        server.await_shown(good, "state", "confirmed");
        server.await_shown(bad, "state", "waiting");
        let address = format!("udp:{}", notifier.endpoint.addr());
        assert_eq!(server.show(good)["destination"], address.as_str());
        let there = format!("destination={address}");
        for (filter, wanted) in [
            ("failing=1", bad),
            ("failing=0", good),
            ("status=active", good),
            ("status=terminated", bad),
            ("state=confirmed", good),
            (there.as_str(), good),
        ] {
            assert_eq!(call(&server, "find", json!([filter])), (vec![wanted], 0), "{filter}");
            let listed = server.rpc("presence_b2b.list", json!([0, 10, filter])).expect("a list");
            assert_eq!(
                (listed[0]["id"].as_u64(), listed.as_array().map(Vec::len)),
                (Some(wanted), Some(1)),
                "{filter}"
            );
        }
        audit(2);
        fault(&server, "find", json!(["destination=udp:192.0.2.1:9"]), 404, "is not known");
        fault(&server, "audit", json!(["limit=0"]), 400, "limit is 0");
        fault(&server, "audit", json!(["failing=1"]), 400, "takes limit= and from=");
        server.unsubscribe(bad);
        server.end(good, &mut dialog);
        audit(0);
    });
    server.stop();
}

/// What is neither a text nor a whole number is refused, not taken for the end of the parameters.
#[test]
fn parameters_of_other_types_are_refused() {
    let server = Server::eager(600).allow_log("field is not a number to auto-convert").start();
    for wrong in [json!(null), json!(true), json!([1]), json!({ "record": "sip:alice@192.0.2.1" })] {
        for (command, before) in [
            ("find", json!(["state=waiting"])),
            ("list", json!([0])),
            ("show", json!([])),
            ("trace", json!([])),
            ("subscribe", json!(["sip:alice@192.0.2.1", "sip:watcher@192.0.2.1"])),
        ] {
            let mut params = before.as_array().expect("an array").clone();
            params.push(wrong.clone());
            let part = format!("parameter {} is neither a text nor a whole number", params.len());
            fault(&server, command, json!(params), 400, &part);
        }
    }
    assert_eq!(server.trace()["subscriptions"], 0);
    server.stop();
}
