//! How a SUBSCRIBE looks and where it goes, as far as parameters and sockets decide it.

use std::collections::BTreeSet;

use crate::documentation::{section, text_of};
use crate::support::b2b::farewell;
use crate::support::config::{Builder, Listen};
use crate::support::endpoint::{Received, Transport};
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

/// A server whose subscriptions may send the next SUBSCRIBE at once.
fn eager() -> Builder {
    Server::b2b().b2b_param("min_resubscribe_time", 0)
}

/// A subscription with its first SUBSCRIBE and the notifier's side of its dialog.
struct Watched {
    id: u64,
    first: Received,
    dialog: Dialog,
}

/// Subscribes to `record`, whose requests arrive at `notifier`, and has it active.
fn watch(server: &Server, notifier: &Notifier, record: &str) -> Watched {
    let id = server.subscribe(record, &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.dialog(&first);
    dialog.via_hop(server.addr());
    dialog.accept(&first, 600);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
    Watched { id, first, dialog }
}

fn first_subscribe_over(transport: Transport) {
    let notifier = Notifier::new(transport);
    let record = notifier.uri("alice");
    let server = eager().start();
    let contact = format!("<sip:{}{}>", server.addr(), transport.uri_param());
    leaves_nothing(&server, || {
        let Watched { id, first, mut dialog } = watch(&server, &notifier, &record);
        assert_eq!(first.uri(), record);
        assert_eq!(first.headers("To"), [format!("<{record}>")], "a To without a tag");
        let tag = first.param("From", "tag").expect("a From tag");
        assert_eq!(first.headers("From"), [format!("<{}>;tag={tag}", server.uri("watcher"))]);
        assert!(tag.len() >= 8 && first.need("Call-ID").len() >= 16, "unguessable");
        assert_eq!(first.cseq().1, "SUBSCRIBE");
        assert_eq!(first.headers("Event"), ["presence"]);
        assert_eq!(first.headers("Expires"), ["3600"]);
        assert_eq!(first.headers("Contact"), [&contact[..]], "where NOTIFYs find the socket really used");
        assert_eq!(first.headers("Accept"), ["application/pidf+xml"]);
        assert_eq!(first.headers("Max-Forwards"), ["70"]);
        assert_eq!(first.headers("Content-Length"), ["0"]);
        assert_eq!(first.headers("Via").len(), 1);
        assert!(first.need("Via").starts_with(&format!("SIP/2.0/{} {}", transport.upper(), server.ip())));
        for name in ["Supported", "Route", "Content-Type", "Require"] {
            assert_eq!(first.header(name), None, "nothing asks for {name}");
        }

        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        for name in ["Call-ID", "From", "Event", "Expires", "Contact", "Accept", "Max-Forwards", "Content-Length"] {
            assert_eq!(refresh.headers(name), first.headers(name), "{name} of the refresh");
        }
        assert_eq!(refresh.need("To"), format!("<{record}>;tag={}", dialog.local_tag));
        assert_eq!(refresh.uri(), dialog.contact);
        assert_eq!(refresh.cseq().0, first.cseq().0 + 1);
        assert_ne!(refresh.branch(), first.branch());
        dialog.accept(&refresh, 600);
        server.end(id, &mut dialog);
    });
    server.stop();
}

#[test]
fn the_first_subscribe_over_udp() {
    first_subscribe_over(Transport::Udp);
}

#[test]
fn the_first_subscribe_over_tcp() {
    first_subscribe_over(Transport::Tcp);
}

#[test]
fn contact_is_the_advertised_address() {
    let notifier = Notifier::udp();
    let builder = eager();
    let listen = Listen::udp(builder.ip()).advertise("198.51.100.7:5090");
    let server = builder.listen(listen).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(first.headers("Contact"), ["<sip:198.51.100.7:5090>"]);
        let mut dialog = notifier.accept(&first, 600);
        dialog.via_hop(server.addr());
        let answer = dialog.notify(Notify::active(600));
        assert_eq!((answer.status(), answer.header("Contact")), (200, Some("<sip:198.51.100.7:5090>")));
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// The server's own `advertised_address` and `advertised_port` come before those of a socket, as in Via; each counts alone.
#[test]
fn contact_is_what_the_whole_server_advertises() {
    for (globals, contact, via) in [
        (&["advertised_address=\"198.51.100.9\""][..], "<sip:198.51.100.9:5090>", "198.51.100.9:5090"),
        (&["advertised_port=5077"], "<sip:198.51.100.7:5077>", "198.51.100.7:5077"),
        (&["advertised_address=\"203.0.113.5\"", "advertised_port=5077"], "<sip:203.0.113.5:5077>", "203.0.113.5:5077"),
    ] {
        let notifier = Notifier::udp();
        let builder = eager();
        let listen = Listen::udp(builder.ip()).advertise("198.51.100.7:5090");
        let server = globals.iter().fold(builder.listen(listen), |builder, line| builder.global(line)).start();
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(first.headers("Contact"), [contact], "{globals:?}");
        assert!(first.need("Via").contains(via), "{globals:?}: {}", first.message);
        let mut dialog = notifier.accept(&first, 600);
        dialog.via_hop(server.addr());
        assert_eq!(dialog.notify(Notify::active(600)).header("Contact"), Some(contact), "{globals:?}");
        server.end(id, &mut dialog);
        server.stop();
    }
}

#[test]
fn each_package_accepts_its_own_bodies() {
    let notifier = Notifier::udp();
    let server = eager().start();
    leaves_nothing(&server, || {
        // The table is that of the module: subscription::packages::the_overview_has_each_with_its_body_types.
        let overview = text_of("docs/overview.md");
        let rows = section(&overview, "Packages").lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let rows = rows.map(|(package, rest)| (package, rest.split('|').nth(1).expect("a cell").trim()));
        let rows: Vec<(&str, &str)> = rows.collect();
        assert!(rows.len() >= 5, "{rows:?}");
        for (package, accept) in rows {
            let params = serde_json::json!([notifier.uri("alice"), server.uri("watcher"), package]);
            let id = server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a number");
            let first = notifier.expect_subscribe(SOON);
            assert_eq!((first.headers("Event"), first.headers("Accept")), (vec![package], vec![accept]));
            let mut dialog = notifier.activate(&first, 600);
            server.end(id, &mut dialog);
        }
    });
    server.stop();
}

/// Operators cannot set the headers that the module and the server write, except two that may be there twice. The SUBSCRIBEs here
/// have all there is: a route, answers to challenges, a filter, the name of a state.
#[test]
fn headers_that_are_written_are_refused_to_operators() {
    let page = text_of("docs/parameters.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, list) = page.split_once("the server writes them itself: ").expect("the list");
    let (list, _) = list.split_once(" and their compact forms").expect("its end");
    let refused: BTreeSet<String> = list.split(", ").map(str::to_owned).collect();

    let notifier = Notifier::udp();
    let filter = "<filter-set xmlns=\"urn:ietf:params:xml:ns:simple-filter\"/>";
    let builder = eager().file("none.xml", filter).b2b_param("filter", "none={dir}/none.xml");
    let builder =
        builder.b2b_param("credential", "watcher:example:secret").b2b_param("credential", "watcher:edge:secret");
    let server = builder.b2b_param("presence_route", format!("<sip:{};lr>", notifier.endpoint.addr())).start();
    let options = "filter=none;id=a;max-rate=1";
    let params = serde_json::json!([notifier.uri("alice"), server.uri("watcher"), "presence", options]);
    let id = server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a number");
    let first = notifier.expect_subscribe(SOON);
    let challenges = [("WWW-Authenticate", "example"), ("Proxy-Authenticate", "edge")];
    let challenge = |realm: &str| format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\"");
    let challenges = challenges.map(|(name, realm)| (name, challenge(realm)));
    notifier.reject(&first, 401, &challenges.each_ref().map(|(name, value)| (*name, &value[..])));
    let opening = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.accept(&opening, 600);
    assert_eq!(dialog.notify(Notify::active(600).event("presence;id=a").with("SIP-ETag", "one")).status(), 200);
    server.refresh(id);
    let refresh = dialog.expect_subscribe(SOON);
    let mut written = BTreeSet::new();
    for request in [&first, &opening, &refresh] {
        let text = request.message.to_string();
        let head = text.split("\n\n").next().unwrap_or_default();
        written.extend(head.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0.to_owned())));
    }
    let free = ["Accept", "Supported"].map(str::to_owned);
    let surplus: Vec<_> = written.iter().filter(|name| !refused.contains(*name) && !free.contains(name)).collect();
    assert!(surplus.is_empty(), "operators could set these once more: {surplus:?}");
    let absent: Vec<_> = refused.difference(&written).collect();
    assert_eq!(absent, ["Record-Route"], "which proxies write");
    dialog.accept(&refresh, 600);
    server.end(id, &mut dialog);
    server.stop();
}

#[test]
fn additional_headers_and_expiration_are_in_every_subscribe() {
    let notifier = Notifier::udp();
    let builder = eager().b2b_param("default_expiration", 667);
    let server = builder.b2b_param("additional_presence_headers", "X-First: one\r\nX-Second: two, three\r\n").start();
    leaves_nothing(&server, || {
        let Watched { id, first, mut dialog } = watch(&server, &notifier, &notifier.uri("alice"));
        let has_them = |request: &Received, expires: &str| {
            assert_eq!(request.headers("X-First"), ["one"]);
            assert_eq!(request.headers("X-Second"), ["two, three"]);
            assert_eq!(request.headers("Expires"), [expires]);
            assert_eq!(request.headers("Content-Length"), ["0"]);
        };
        has_them(&first, "667");
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        has_them(&refresh, "667");
        dialog.accept(&refresh, 600);
        server.unsubscribe(id);
        let last = dialog.expect_subscribe(SOON);
        has_them(&last, "0");
        dialog.accept(&last, 0);
        dialog.notify(Notify::terminated("timeout", 0));
        server.await_no_subscription();
    });
    server.stop();
}

/// The record's own address is unreachable: only the route works. The dialog's later requests follow its own route set,
/// which is empty here.
#[test]
fn presence_route_is_for_the_first_subscribe_only() {
    let (edge, notifier) = (Notifier::udp(), Notifier::udp());
    let route = format!("<sip:{};lr>", edge.endpoint.addr());
    let record = "sip:alice@192.0.2.1";
    let server = eager().b2b_param("presence_route", &route[..]).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(record, &server.uri("watcher"));
        let first = edge.expect_subscribe(SOON);
        assert_eq!((first.uri(), first.headers("Route")), (record, vec![&route[..]]));
        let mut dialog = edge.dialog(&first);
        dialog.contact = notifier.uri("notifier");
        dialog.accept(&first, 600);
        dialog.move_to(&notifier.endpoint);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!((refresh.uri(), refresh.header("Route")), (&dialog.contact[..], None));
        dialog.accept(&refresh, 600);
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// RFC 3261 §12.2.1.1: a strict router gets the request as its own, and the record as the last Route.
#[test]
fn a_strict_presence_route_takes_the_request_uri() {
    let edge = Notifier::udp();
    let strict = format!("sip:{}", edge.endpoint.addr());
    let server = eager().b2b_param("presence_route", format!("<{strict}>, <sip:192.0.2.9;lr>")).start();
    leaves_nothing(&server, || {
        let record = "sip:alice@192.0.2.1";
        let id = server.subscribe(record, &server.uri("watcher"));
        let first = edge.expect_subscribe(SOON);
        assert_eq!((first.uri(), first.need("To")), (&strict[..], "<sip:alice@192.0.2.1>"));
        assert_eq!(first.list("Route"), ["<sip:192.0.2.9;lr>", "<sip:alice@192.0.2.1>"]);
        let mut dialog = edge.activate(&first, 600);
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// The route set of the dialog (RFC 6665 §4.4.1: from the NOTIFY) is followed, whatever `presence_route` says.
#[test]
fn later_subscribes_follow_the_route_set_of_the_dialog() {
    let (edge, proxy) = (Notifier::udp(), Notifier::udp());
    let server = eager().b2b_param("presence_route", format!("<sip:{};lr>", edge.endpoint.addr())).start();
    let record_route = format!("<sip:{};lr>", proxy.endpoint.addr());
    leaves_nothing(&server, || {
        let id = server.subscribe("sip:alice@192.0.2.1", &server.uri("watcher"));
        let first = edge.expect_subscribe(SOON);
        let mut dialog = edge.dialog(&first);
        dialog.contact = "sip:alice@192.0.2.2".into();
        dialog.accept(&first, 600);
        dialog.notify(Notify::active(600).with("Record-Route", &record_route));
        let contact = dialog.contact.clone();
        dialog.move_to(&proxy.endpoint);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!((refresh.uri(), refresh.headers("Route")), (&contact[..], vec![&record_route[..]]));
        dialog.accept(&refresh, 600);
        server.end(id, &mut dialog);
    });
    server.stop();
}

#[test]
fn the_outbound_proxy_gets_all_subscribes() {
    outbound_proxy(None, Transport::Udp);
}

#[test]
fn the_outbound_proxy_may_be_reached_over_tcp() {
    outbound_proxy(None, Transport::Tcp);
}

#[test]
fn the_outbound_proxy_comes_before_presence_route() {
    outbound_proxy(Some("<sip:192.0.2.7;lr>"), Transport::Udp);
}

/// Neither the record nor the notifier's Contact can be reached: everything goes to the proxy.
fn outbound_proxy(route: Option<&str>, transport: Transport) {
    let proxy = Notifier::new(transport);
    let address = format!("sip:{}{}", proxy.endpoint.addr(), transport.uri_param());
    let server = eager().b2b_param("presence_outbound_proxy", address).b2b_param("presence_route", route.unwrap_or(""));
    let server = server.start();
    leaves_nothing(&server, || {
        let id = server.subscribe("sip:alice@192.0.2.1", &server.uri("watcher"));
        let first = proxy.expect_subscribe(SOON);
        assert_eq!((first.uri(), first.header("Route")), ("sip:alice@192.0.2.1", route));
        let contact = format!("<sip:{}{}>", server.addr(), transport.uri_param());
        assert_eq!(first.headers("Contact"), [contact]);
        let mut dialog = proxy.dialog(&first);
        dialog.contact = "sip:alice@192.0.2.2".into();
        dialog.accept(&first, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!((refresh.uri(), refresh.header("Route")), ("sip:alice@192.0.2.2", None));
        dialog.accept(&refresh, 600);
        server.unsubscribe(id);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}
