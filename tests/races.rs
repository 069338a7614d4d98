//! Many processes that begin and end the same subscriptions at the same time, and callbacks that subscribe.

use std::thread;

use serde_json::{Value, json};

use crate::c_api::{call, qsa_test};
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::shm::leaves_nothing_in;
use crate::support::wait::{SOON, eventually};

/// SIP processes, and as many peers that keep them busy.
const PROCESSES: usize = 8;

/// How often each peer begins and ends.
const ROUNDS: usize = 400;

/// So few names that the peers often use the same one.
const NAMES: usize = 2;

/// An OPTIONS begins or ends the subscription to X-Record.
const ROUTE: &str = r#"request_route {
    if ($hdr(X-Do) == "begin") {
        if (!b2b_subscribe("$hdr(X-Record)", "sip:watcher@192.0.2.1")) {
            sl_send_reply("403", "Refused");
            exit;
        }
    } else {
        b2b_unsubscribe("$hdr(X-Record)", "sip:watcher@192.0.2.1");
    }
    sl_send_reply("200", "OK");
}"#;

fn start() -> Server {
    let load = format!("loadmodule \"{}\"", qsa_test().display());
    // Nothing is sent: a subscription that ends is gone at once.
    let server = Server::b2b().children(PROCESSES as u32).b2b_param("max_subscribe_delay", 100_000);
    server.shm_megabytes(128).route(&load).route(ROUTE).allow_log("b2b_unsubscribe: no such subscription").start()
}

fn counters(server: &Server) -> Value {
    call(server, "counters", json!([]))
}

/// The script subscribes over SIP; another notifier accepts every offer. A caller that is too late leaves nothing behind,
/// and is never told that a subscription exists when it does not.
#[test]
fn everybody_begins_and_ends_the_same() {
    let server = start();
    call(&server, "register", json!(["presence"]));
    leaves_nothing_in(&server, &["presence_b2b"], || {
        let mark = server.log().mark();
        let to = server.addr();
        thread::scope(|scope| {
            for peer in 0..PROCESSES {
                scope.spawn(move || {
                    let endpoint = Endpoint::udp();
                    let uri = endpoint.uri("script");
                    for round in 0..ROUNDS {
                        let record = format!("sip:alice{}@192.0.2.1", (round + peer) / 3 % NAMES);
                        let what = if (round + peer) % 2 == 0 { "begin" } else { "end" };
                        let request = endpoint.fresh_request("OPTIONS", &uri, &uri, &uri);
                        let request = request.with("X-Do", what).with("X-Record", record);
                        let answer = endpoint.exchange(&request, to, SOON);
                        assert_eq!(answer.status(), 200, "{}", answer.message);
                    }
                });
            }
        });
        assert_eq!(server.log().since(mark, "b2b_subscribe: "), [""; 0]);
        let left = server.rpc("presence_b2b.list", json!([])).expect("a list");
        let left = left.as_array().expect("an array");
        assert!(left.len() <= NAMES, "{left:?}");
        for subscription in left {
            server.unsubscribe(subscription["id"].as_u64().expect("an id"));
        }
        server.await_no_subscription();
        let counted = eventually(SOON, "the other notifier has been told of each end", || {
            Some(counters(&server)).filter(|counters| counters["ended"] == counters["taken"])
        });
        assert!(counted["taken"].as_u64().is_some_and(|taken| taken > ROUNDS as u64 / 2), "{counted}");
    });
    server.stop();
}

/// A notifier that is offered a subscription subscribes itself, to something else, before it answers.
#[test]
fn a_notifier_that_subscribes_changes_nobody_elses_id() {
    let server = start();
    call(&server, "register", json!(["presence"]));
    leaves_nothing_in(&server, &["presence_b2b"], || {
        let id = server.subscribe("sip:nest@192.0.2.1", "sip:watcher@192.0.2.1");
        assert_eq!(server.show(id)["record"], "sip:nest@192.0.2.1");
        assert_eq!(server.trace()["subscriptions"], 2, "the notifier's own as well");
        server.unsubscribe(id);
        // A message that waits for the notifier as a subscriber belongs to an ended subscription.
        assert_eq!(server.rpc("qsa_test.pop", json!([])).expect_err("nothing is delivered").code, 404);
        server.await_no_subscription();
    });
    server.stop();
}

/// A subscription that the SIP user agent refuses is refused with its reason, even if another notifier would take it.
#[test]
fn another_notifier_does_not_make_up_for_the_user_agent() {
    let server = start();
    call(&server, "register", json!(["presence"]));
    leaves_nothing_in(&server, &["presence_b2b"], || {
        let fault =
            server.rpc("presence_b2b.subscribe", json!(["alice", "sip:watcher@192.0.2.1"])).expect_err("no URI");
        assert!(fault.message.contains("the record is not a SIP URI"), "{fault}");
        let counters = counters(&server);
        assert_eq!(counters["ended"], counters["taken"]);
    });
    server.stop();
}
