//! The routes of the page about `$b2b(...)`, as they are there, at work.

use crate::documentation::blocks_in;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::route::NOTIFIES;
use crate::support::states::{dialog, dialogs, subscribed};
use crate::support::wait::{SOON, eventually};

/// The example that has this text, with what it leaves to the rest of a configuration: NOTIFYs, and where calls go.
fn example(part: &str, record: &str) -> String {
    let all = blocks_in("docs/pseudo-variables.md", "kamailio");
    let one = all.iter().find(|block| block.contains(part)).expect("an example");
    let route = one.replace("request_route {\n", NOTIFIES).replace("sip:101@pbx.example.com", record);
    let end = route.rfind('}').expect("an end");
    format!("{}    sl_send_reply(\"404\", \"Goes on\");\n}}\n", &route[..end])
}

/// The status of the answer to a call of this URI.
fn called(server: &Server, uri: &str) -> u16 {
    let peer = Endpoint::udp();
    let from = server.uri("caller");
    peer.exchange(&peer.fresh_request("INVITE", uri, &from, uri), server.addr(), SOON).status()
}

#[test]
fn a_closed_record_is_not_called() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = Server::b2b().route(&example("== \"closed\"", &record)).b2b_param("keep_state", 1).start();
    let mark = server.log().mark();
    assert_eq!(called(&server, &record), 404, "nothing is kept");
    let (id, mut lamp) = subscribed(&server, &notifier, "watcher", [&record, "presence", ""]);
    for (basic, status) in [("open", 404), ("closed", 480), ("open", 404)] {
        assert_eq!(lamp.notify(Notify::active(600).pidf(&pidf(&record, basic, None))).status(), 200);
        assert_eq!(called(&server, &record), status, "{basic}");
    }
    let line = format!("presence of {record}: active, told 0 seconds ago");
    assert!(!server.log().since(mark, &line).is_empty(), "{line}");
    server.end(id, &mut lamp);
    server.stop();
}

#[test]
fn a_busy_lamp_is_not_called() {
    let notifier = Notifier::udp();
    let record = notifier.uri("101");
    let server = Server::b2b().route(&example("\"Busy Here\"", &record)).allow_log("the lamp is unknown").start();
    let mark = server.log().mark();
    let mut lamp = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    let unknown = |count| {
        let lines = || server.log().since(mark, "the lamp is unknown:");
        eventually(SOON, "a line", || lines().get(count - 1).cloned());
        assert_eq!(lines().len(), count);
    };
    assert_eq!(called(&server, &record), 404);
    unknown(1);
    for (version, (state, status)) in [("early", 404), ("confirmed", 486), ("terminated", 404)].into_iter().enumerate()
    {
        let told = dialogs(version as u32, "full", &[dialog("a", state, "sip:bob@x")]);
        assert_eq!(lamp.notify(told).status(), 200);
        assert_eq!(called(&server, &record), status, "{state}");
    }
    unknown(1);
    assert_eq!(lamp.notify(Notify::terminated("probation", 600)).status(), 200);
    assert_eq!(called(&server, &record), 404);
    unknown(2);
    let id = server.rows("presence_b2b.list")[0]["id"].as_u64().expect("an id");
    server.unsubscribe(id);
    server.await_no_subscription();
    server.stop();
}
