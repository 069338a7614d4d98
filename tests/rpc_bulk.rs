//! The RPC commands that end many subscriptions, show what there is beside them, and the switch that lets none change anything.

use serde_json::{Value, json};

use crate::documentation::commands::COMMANDS;
use crate::documentation::named;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;

fn ended(answer: &Value) -> (u64, u64) {
    let number = |name: &str| answer[name].as_u64().expect("a number");
    (number("ended"), number("next"))
}

#[test]
fn many_are_ended_by_filters() {
    let silent = Endpoint::udp();
    let server = Server::eager(600).b2b_param("max_subscribe_delay", 100_000).start();
    for user in 0..60 {
        let package = ["presence", "dialog"][user % 2];
        let params = json!([silent.uri(&format!("user{user:02}")), server.uri("watcher"), package]);
        server.rpc("presence_b2b.subscribe", params).expect("an id");
    }
    let all = |params: Value| server.rpc("presence_b2b.unsubscribe_all", params);
    let there = || server.trace()["subscriptions"].as_u64().expect("a count");
    for (params, part) in [
        (json!([]), "there is no filter"),
        (json!(["dry_run=1", "limit=5", "from=0"]), "there is no filter"),
        (json!(["record="]), "the filter record has no value"),
        (json!(["record=*", "dry_run=yes"]), "\"yes\" is no dry_run: 0, 1"),
        (json!(["record=*", "dry_run=1", "dry_run=0"]), "dry_run= may be given once"),
        (json!(["record=*", "limit=-1"]), "limit= is \"-1\""),
        (json!(["record=*", "from=99999999"]), "from is 99999999"),
        (json!(["all"]), "\"all\" is no filter"),
    ] {
        let error = all(params.clone()).expect_err(part);
        assert_eq!((error.code, error.message.contains(part)), (400, true), "{params}: {error}");
    }
    assert_eq!(ended(&all(json!(["package=dialog", "dry_run=1"])).expect("a count")), (30, 0));
    assert_eq!(there(), 60, "nothing has ended");
    let one = format!("record={}", silent.uri("user07"));
    assert_eq!(ended(&all(json!([one, "dry_run=0"])).expect("it ends")), (1, 0));
    assert_eq!(ended(&all(json!([one])).expect("none is left")), (0, 0));
    assert_eq!(ended(&all(json!(["package=dialog"])).expect("they end")), (29, 0));
    assert_eq!(there(), 30);
    // A filter that all meet, a few at a time.
    let (mut from, mut sum) = (0, 0);
    loop {
        let (count, next) = ended(&all(json!(["record=*", "limit=7", format!("from={from}")])).expect("some end"));
        assert!(count <= 7, "{count}");
        (from, sum) = (next, sum + count);
        if next == 0 {
            break;
        }
    }
    assert_eq!((sum, there()), (30, 0));
    assert_eq!(silent.count("SUBSCRIBE"), 0);
    server.stop();
}

#[test]
fn queues_and_packages_are_shown() {
    let server = Server::eager(600)
        .b2b_param("workers", 3)
        .b2b_param("queue_limit", 77)
        .b2b_param("package", "conference: accept=application/conference-info+xml, text/plain; forking=all")
        .start();
    let queues = server.rpc("presence_b2b.queues", json!([])).expect("queues");
    let queues = queues.as_array().expect("an array");
    let of = |consumer: &str| queues.iter().filter(|queue| queue["consumer"] == consumer).collect::<Vec<_>>();
    assert_eq!((of("event_route").len(), of("shares").len(), of("module").len()), (3, 3, 0), "{queues:?}");
    for queue in of("event_route") {
        let shown = [&queue["messages"], &queue["limit"], &queue["bytes"], &queue["limit_bytes"]];
        assert_eq!(shown, [&json!(0), &json!(77), &json!(0), &json!(8_388_608)], "{queue}");
    }
    let packages = server.rpc("presence_b2b.packages", json!([])).expect("packages");
    let packages = packages.as_array().expect("an array");
    assert_eq!(packages.iter().filter(|package| package["from"] == "module").count(), 5);
    let own = packages.last().expect("a package");
    let accept = "application/conference-info+xml, text/plain";
    assert_eq!(
        *own,
        json!({ "name": "conference", "accept": accept, "forks": 1, "from": "modparam", "subscriptions": 0 })
    );
    server.stop();
}

/// Each command that is declared to change something is refused, and no other one.
#[test]
fn what_changes_something_can_be_switched_off() {
    let server = Server::eager(600).b2b_param("rpc_read_only", 1).start();
    let mut off = Vec::new();
    for command in COMMANDS {
        let name = named(command.name);
        let refused = server.rpc(name, json!([])).err().filter(|error| error.code == 403);
        assert_eq!(refused.is_some(), command.changes, "{name}: {refused:?}");
        if let Some(error) = refused {
            assert_eq!(error.message, format!("{name} is switched off: modparam rpc_read_only is 1"));
            off.push(name.trim_start_matches("presence_b2b."));
        }
    }
    off.sort_unstable();
    let wanted = [
        "credentials_reload",
        "destination_release",
        "refresh",
        "reload",
        "subscribe",
        "unsubscribe",
        "unsubscribe_all",
    ];
    assert_eq!(off, wanted);
    let error = server.rpc("presence_b2b.subscribe", json!(["sip:a@192.0.2.1", "sip:b@192.0.2.1"])).expect_err("off");
    assert_eq!((error.code, &server.trace()["created"]), (403, &json!(0)));
    server.stop();
}
