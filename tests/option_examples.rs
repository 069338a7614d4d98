//! The examples of the pages about options and lists, as they are there, on the wire.

use std::collections::HashMap;

use crate::documentation::blocks_in;
use crate::list_resources::list;
use crate::support::endpoint::{Endpoint, Received};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::route::after_notifies;
use crate::support::wait::{SOON, eventually};

/// Package, flags and options of each example, and a header with the value that its SUBSCRIBE must have.
const SAID: &[(&str, &str, &str)] = &[
    (r#""presence", "", "id=desk; expires=600""#, "Event", "presence;id=desk"),
    (r#""presence", "", "id=desk; expires=600""#, "Expires", "600"),
    (r#"'header="X-Tenant: 42"; outbound="PROXY"; target=source; lenient'"#, "X-Tenant", "42"),
    (r#""presence", "", "id=desk""#, "Event", "presence;id=desk"),
    (r#""presence;id=car""#, "Event", "presence;id=car"),
    (r#""presence", "", "fetch""#, "Expires", "0"),
    (r#""presence", "", "keep""#, "Accept", "application/pidf+xml"),
    (r#""dialog", "", "merged""#, "Accept", "application/dialog-info+xml"),
    (r#""presence", "", "max-rate=0.2""#, "Event", "presence;max-rate=0.2"),
    (r#""presence", "", "filter=basic""#, "Content-Type", "application/simple-filter+xml"),
    (r#"'header="X-Tenant: 42"; header="X-Site: north"'"#, "X-Tenant", "42"),
    (r#"'header="X-Tenant: 42"; header="X-Site: north"'"#, "X-Site", "north"),
    (r#"'outbound="PROXY"'"#, "Event", "presence"),
    (r#""presence", "", "target=source""#, "Event", "presence"),
    (r#""presence", "", "list""#, "Supported", "eventlist"),
    (r#""presence", "", "list""#, "Accept", "application/pidf+xml, application/rlmi+xml, multipart/related"),
    (r#""dialog", "", "lenient""#, "Event", "dialog"),
];

/// The calls that subscribe, each in one line, but those that publish, which need a presence server.
fn calls(page: &str) -> Vec<String> {
    let text = blocks_in(page, "kamailio").concat();
    let calls = text.match_indices("b2b_subscribe(").map(|(at, _)| {
        let call = &text[at..at + text[at..].find(");").expect("an end") + 2];
        call.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    calls.filter(|call| !call.contains("publish_as")).collect()
}

/// Sends an OPTIONS, for which the script does all calls; each has a record of its own at the notifier.
fn run(notifier: &Notifier, proxy: &str, calls: &[String], more: &str) -> Server {
    let at = notifier.uri("").replace("sip:", "");
    let mut script = String::new();
    for (number, call) in calls.iter().enumerate() {
        let call = call.replace("@pbx.example.com", &at).replace("@example.com", &at);
        script += &call.replace("PROXY", proxy).replacen("sip:", &format!("sip:{number}-"), 1);
        script.push('\n');
    }
    let route = after_notifies(&format!("{script}    sl_send_reply(\"200\", \"OK\");\n}}\n{more}"));
    let filter = blocks_in("docs/options.md", "xml").concat();
    let server = Server::b2b().route(&route).file("basic.xml", &filter).b2b_param("filter", "basic={dir}/basic.xml");
    let server = server.start();
    let peer = Endpoint::udp();
    let uri = server.uri("watcher");
    assert_eq!(peer.exchange(&peer.fresh_request("OPTIONS", &uri, &uri, &uri), server.addr(), SOON).status(), 200);
    server
}

#[test]
fn the_options_of_the_examples_are_on_the_wire() {
    let (notifier, proxy) = (Notifier::udp(), Notifier::tcp());
    let through = proxy.uri("").replace("sip:@", "sip:");
    let of_page = |call: String| {
        let call = call.replace("sip:192.0.2.9;transport=tcp", "PROXY");
        call.replace("sip:proxy.example.net;transport=tcp", "PROXY")
    };
    let calls: Vec<_> = calls("docs/options.md").into_iter().map(of_page).collect();
    let server = run(&notifier, &through, &calls, "");
    let mut subscribes: HashMap<usize, Received> = HashMap::new();
    for call in &calls {
        let at = if call.contains("PROXY") { &proxy } else { &notifier };
        let subscribe = at.expect_subscribe(SOON);
        let number = subscribe.uri()["sip:".len()..].split_once('-').and_then(|(number, _)| number.parse().ok());
        let number: usize = number.expect("the number of a call");
        assert_eq!(calls[number].contains("PROXY"), call.contains("PROXY"), "{}", calls[number]);
        at.reject(&subscribe, 404, &[]);
        subscribes.insert(number, subscribe);
    }
    for (number, call) in calls.iter().enumerate() {
        let said: Vec<_> = SAID.iter().filter(|(example, ..)| call.ends_with(&format!("{example});"))).collect();
        assert!(!said.is_empty(), "nothing is said of {call}");
        for (_, name, value) in said {
            assert_eq!(subscribes[&number].header(name), Some(*value), "{call}");
        }
        let filter =
            if call.contains("filter=") { blocks_in("docs/options.md", "xml").concat() } else { String::new() };
        assert_eq!(String::from_utf8_lossy(&subscribes[&number].body).trim(), filter.trim(), "{call}");
    }
    server.stop();
}

#[test]
fn the_example_of_lists_shows_each_resource() {
    let notifier = Notifier::udp();
    let route = blocks_in("docs/lists.md", "kamailio").into_iter().find(|block| block.contains("$qsa(list)"));
    let server = run(&notifier, "", &calls("docs/lists.md"), &route.expect("the event route"));
    let subscribe = notifier.expect_subscribe(SOON);
    let record = subscribe.uri().to_owned();
    assert_eq!(subscribe.header("Supported"), Some("eventlist"));
    let mut dialog = notifier.accept(&subscribe, 600);
    let resources = [("sip:a@x".to_owned(), "", "here"), ("sip:b@x".to_owned(), "", "pending")];
    let body = list(0, true, &resources);
    let kind = "multipart/related;type=\"application/rlmi+xml\";start=\"<l@x>\";boundary=\"b\"";
    let notify = Notify::active(600).body(kind, body).with("Require", "eventlist");
    assert_eq!(dialog.notify(notify).status(), 200);
    assert_eq!(dialog.notify(Notify::terminated("noresource", 0)).status(), 200);
    for line in [
        "sip:a@x of the list sip:l@x: active  open".to_owned(),
        "sip:b@x of the list sip:l@x: pending  <null>".to_owned(),
        format!("{record}: terminated noresource"),
    ] {
        eventually(SOON, &line, || server.log().text().contains(&line).then_some(()));
    }
    server.stop();
}
