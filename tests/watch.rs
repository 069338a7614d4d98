//! The main job, against a real presence server: subscribe, watch states come, unsubscribe, leave nothing.

use serde_json::json;

use crate::support::endpoint::Transport;
use crate::support::kamailio::Server;
use crate::support::pidf::pidf;
use crate::support::presence_server::PresenceServer;
use crate::support::shm::Shm;
use crate::support::wait::{SOON, eventually};

/// Each message of the event route becomes one line of the log.
const TELL: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "NEWS $qsa(id) $qsa(record) $qsa(subscriber) $qsa(package) $qsa(status) [$qsa(basic)] [$qsa(note)] [$qsa(reason)]\n");
}"#;

fn watch_over(transport: Transport) {
    let presence = PresenceServer::start();
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(TELL).start();
    watch_once(&presence, &server, transport);
    // The first round leaves the tables it made grow; from then on nothing may be left.
    let base = Shm::at_rest(&server);
    watch_once(&presence, &server, transport);
    base.assert_back(&server);
    server.stop();
}

fn watch_once(presence: &PresenceServer, server: &Server, transport: Transport) {
    let alice = presence.uri_over("alice", transport);
    let id = server.rpc("presence_b2b.subscribe", json!([alice, server.uri("watcher")])).expect("an id");
    let id = id.as_u64().expect("a plain integer");
    for (basic, note) in [("open", Some("at the desk")), ("closed", None), ("open", Some("back"))] {
        // The first NOTIFY tells the state that the round before has left.
        let mark = server.log().mark();
        presence.publish("alice", &pidf(&presence.uri("alice"), basic, note));
        let line = format!("active [{basic}] [{}]", note.unwrap_or("<null>"));
        eventually(SOON, &line, || (!server.log().since(mark, &line).is_empty()).then_some(()));
    }
    let shown = server.rpc("presence_b2b.show", json!([id])).expect("the subscription");
    assert_eq!(shown["state"], "confirmed", "{shown}");
    assert_eq!(shown["status"], "active", "{shown}");
    assert_eq!(shown["record"], json!(alice), "{shown}");
    assert!(shown["expires_in"].as_u64().is_some_and(|left| left > 3500), "{shown}");
    assert!(shown["notifies"].as_u64().is_some_and(|count| count >= 3), "{shown}");
    server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it can end");
    eventually(SOON, "the subscription is gone", || {
        let trace = server.rpc("presence_b2b.trace", json!([])).expect("trace");
        (trace["subscriptions"] == 0 && trace["created"] == trace["destroyed"]).then_some(())
    });
}

#[test]
fn over_udp() {
    watch_over(Transport::Udp);
}

#[test]
fn over_tcp() {
    watch_over(Transport::Tcp);
}
