//! What a peer gives as URI, route, tag or name of a state: whatever bytes it has, no request that leaves has another line than
//! those that the module writes, and each line of the log is one.

use serde_json::json;

use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::endpoint::{Received, Transport};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

fn builder() -> Builder {
    Server::eager(1).b2b_param("failure_backoff_max", 1)
}

/// Headers that a SUBSCRIBE of presence has, whatever the notifier has said before.
const LINES: [&str; 13] = [
    "Via",
    "To",
    "From",
    "CSeq",
    "Call-ID",
    "Max-Forwards",
    "Content-Length",
    "User-Agent",
    "Event",
    "Expires",
    "Contact",
    "Accept",
    "Suppress-If-Match",
];

/// A request has the lines that the module and tm write, each once, and nothing in them that ends a line.
fn assert_lines(request: &Message) {
    let text = String::from_utf8_lossy(&request.to_bytes()).into_owned();
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let (start, headers) = head.split_once("\r\n").expect("a start line");
    assert_eq!(start.split(' ').count(), 3, "{start:?}");
    let names: Vec<&str> = headers.lines().map(|line| line.split_once(": ").expect("a header").0).collect();
    let known = |name: &&str| LINES.contains(name);
    assert!(names.iter().all(known), "{names:?}");
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "{names:?}");
    let is_bad = |char: char| char.is_control() && char != '\n' && char != '\r';
    assert!(!head.contains(is_bad) && !head.replace("\r\n", "").contains('\r'), "{head:?}");
}

/// Each line of the log since then begins as the server's lines do, and has nothing that hides or begins another.
fn assert_log(server: &Server, from: Mark) {
    for line in server.log().text_since(from).lines() {
        let place = line.trim_start().split_once(") ").map(|(place, _)| place);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let begins = place.and_then(|place| place.split_once('(')).is_some_and(|(a, b)| is_number(a) && is_number(b));
        assert!(begins && !line.contains(char::is_control), "{line:?}");
    }
}

/// Bytes that must not come out again.
const BYTES: [&str; 11] = [
    "\r\n X-Evil: fold",
    "\r\n\tX-Evil: fold",
    "\rX-Evil: bare",
    "\u{1}",
    "\u{7f}",
    "\u{85}",
    " ",
    "\t",
    "\"",
    "\"\"",
    "\u{202e}",
];

/// A URI of the notifier with these bytes in it, in every place.
fn spoilt(notifier: &Notifier, bytes: &str) -> [String; 4] {
    let uri = notifier.uri("bad");
    let (user, host) = uri.split_once('@').expect("a user");
    [format!("{uri};x=1{bytes};y=2"), format!("{user}{bytes}@{host}"), format!("{uri}{bytes}"), format!("{bytes}{uri}")]
}

fn bytes_stay_out(transport: Transport) {
    let server = builder().start();
    let notifier = Notifier::new(transport);
    leaves_nothing(&server, || {
        let from = server.log().mark();
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 600);
        assert_lines(&first);
        let target = dialog.contact.clone();
        for bytes in BYTES {
            for uri in spoilt(&notifier, bytes) {
                for contact in [format!("<{uri}>"), format!("Name <{uri}>;q=1"), format!("<{uri}>, <{target}x>")] {
                    let answer = dialog.notify(told(600, "bad Contact").set("Contact", &contact));
                    assert_eq!(answer.status(), 200, "{contact:?}");
                }
            }
            assert_eq!(watch.show()["remote_target"], target.as_str(), "{bytes:?}");
            let value = format!("a{bytes}b");
            for (name, value) in [
                ("SIP-ETag", value.clone()),
                ("Event", format!("presence;x={value}")),
                ("Event", format!("{}presence", bytes)),
                ("Subscription-State", format!("active;expires=600;reason={value}")),
                ("Content-Type", format!("application/pidf+xml;x={value}")),
                ("Subject", value.clone()),
                ("User-Agent", value.clone()),
            ] {
                let answer = dialog.notify(told(600, "bad header").set(name, &value));
                assert!([200, 400, 415, 489].contains(&answer.status()), "{name} {value:?}: {}", answer.message);
            }
            watch.refresh();
            let refresh = dialog.expect_subscribe(SOON);
            assert_lines(&refresh);
            assert_eq!(refresh.uri(), target);
            // The same in the 2xx.
            let reply = dialog.response(&refresh, 200).with("Expires", 600).with("Authentication-Info", &value);
            let [uri, ..] = spoilt(&notifier, bytes);
            let reply = reply.set("Contact", format!("<{uri}>")).with("Record-Route", format!("<{uri}>"));
            notifier.endpoint.answer(&refresh, &reply);
            watch.await_state("confirmed");
            assert_eq!(watch.show()["remote_target"], target.as_str(), "{bytes:?}");
        }
        assert_eq!(server.log().since(from, "the notifier's Contact").len(), 1, "once for each subscription");
        assert!(watch.show()["bad_contacts"].as_u64() >= Some(11 * 13));
        assert!(server.trace()["bad_contacts"].as_u64() >= Some(11 * 13));
        assert_log(&server, from);
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn bytes_stay_out_of_requests_and_log_over_udp() {
    bytes_stay_out(Transport::Udp);
}

#[test]
fn bytes_stay_out_of_requests_and_log_over_tcp() {
    bytes_stay_out(Transport::Tcp);
}

/// Of a 3xx, a 401 and a reason phrase as well.
#[test]
fn bytes_of_a_refusal_stay_out() {
    let server = builder().b2b_param("credential", "watcher:realm:secret").start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let from = server.log().mark();
        for bytes in BYTES {
            let watch = Watch::begin(&server, &notifier.uri("alice"));
            let first = notifier.expect_subscribe(SOON);
            let bad = spoilt(&notifier, bytes).map(|uri| format!("<{uri}>;q=0.9")).join(", ");
            let next = format!("{bad}, <{}?Route=%3Csip:x%3E&x=y>;q=0.5", notifier.uri("next;method=BYE;p=1"));
            let redirection = notifier.endpoint.response_to(
                &first,
                302,
                &format!("Moved{bytes}").replace('\n', "").replace('\r', ""),
            );
            notifier.endpoint.answer(&first, &redirection.with("Contact", next));
            let second = notifier.expect_subscribe(SOON);
            assert_lines(&second);
            assert_eq!(second.uri(), notifier.uri("next;method=BYE;p=1"), "those of the user stay");
            let challenge = format!("Digest realm=\"realm\", nonce=\"n{bytes}\", opaque=\"o{bytes}\", qop=\"auth\"");
            notifier.endpoint.answer(
                &second,
                &notifier.endpoint.response_to(&second, 401, "Unauthorized").with("WWW-Authenticate", challenge),
            );
            let third = notifier.expect_subscribe(SOON);
            assert_lines(&third.message.clone().without("Authorization"));
            watch.unsubscribe();
            notifier.reject(&third, 480, &[]);
            server.await_no_subscription();
        }
        assert_log(&server, from);
    });
    server.stop();
}

/// URIs that a request cannot be sent to (and `*`, which is none): the target stays, in a NOTIFY and in a 2xx.
#[test]
fn a_contact_that_cannot_be_used_is_none() {
    const BAD: [&str; 14] = [
        "<sip:2001:db8::55:4060;transport=udp>",
        "<tel:+15550100>",
        "<mailto:alice@example.com>",
        "<sip:>",
        "<sip:alice@192.0.2.20:99999>",
        "<sip:alice@192.0.2.20:0>",
        "<sip:192.0.2.20:5060;thinfo=\"QUJD==\">",
        "<sip:alice@0.0.0.0>",
        "<sip:alice@192.0.2.20;transport=pigeon>",
        "*",
        "<sip:",
        "<<>>",
        "\"a\" <sip:x@y",
        "",
    ];
    let server = builder().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let from = server.log().mark();
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let target = dialog.contact.clone();
        let long = format!("<{};x={}>", notifier.uri("long"), "y".repeat(1024));
        for (number, contact) in BAD.into_iter().chain([&long[..]]).enumerate() {
            let note = format!("note {number}");
            assert_eq!(dialog.notify(told(600, &note).set("Contact", contact)).status(), 200, "{contact}");
            watch.await_note(&note);
            let shown = watch.show();
            assert_eq!(
                (&shown["remote_target"], &shown["bad_contacts"]),
                (&json!(target), &json!(number + 1)),
                "{contact}"
            );
        }
        for contact in BAD {
            watch.refresh();
            let refresh = dialog.expect_subscribe(SOON);
            assert_eq!(refresh.uri(), target);
            let reply = dialog.response(&refresh, 200).set("Contact", contact).with("Expires", 600);
            notifier.endpoint.answer(&refresh, &reply);
            watch.await_state("confirmed");
            assert_eq!(watch.show()["remote_target"], target.as_str(), "of a 2xx: {contact}");
        }
        assert_eq!(server.log().since(from, "the notifier's Contact").len(), 1);
        assert_log(&server, from);
        // The readable first one counts, whatever follows it.
        for (user, rest) in [("a", ";"), ("b", ", <sip:"), ("c", ","), ("d", "\r\nContact: garbage<"), ("e", ", *")] {
            let contact = format!("<{}>{rest}", notifier.uri(user));
            assert_eq!(dialog.notify(told(600, user).set("Contact", &contact)).status(), 200, "{contact}");
            watch.await_note(user);
            assert_eq!(watch.show()["remote_target"], notifier.uri(user), "{contact}");
        }
        watch.end(&mut dialog);
    });
    server.stop();
}

/// With an outbound proxy nothing else would look at the URI.
#[test]
fn nor_is_it_behind_an_outbound_proxy() {
    let notifier = Notifier::udp();
    let server = builder().b2b_param("presence_outbound_proxy", notifier.uri("proxy")).start();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        for contact in ["<tel:+15550100>", "<sip:alice@192.0.2.20\r\n ;y=2>", "<sip:>"] {
            assert_eq!(dialog.notify(told(600, "bad").set("Contact", contact)).status(), 200, "{contact}");
        }
        watch.refresh();
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.uri(), dialog.contact);
        assert_lines(&refresh);
        dialog.accept(&refresh, 600);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// Routes and tags that cannot be used are refused, and change nothing.
#[test]
fn bad_routes_and_tags_are_refused() {
    let server = builder().hostile().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        for bytes in BYTES {
            for uri in spoilt(&notifier, bytes) {
                let notify = told(60, "bad").with("Record-Route", &format!("<sip:192.0.2.1;lr>, <{uri}>"));
                assert_eq!(dialog.notify(notify).status(), 400, "{uri:?}");
            }
        }
        let routes = vec!["<sip:192.0.2.1;lr;x=0123456789>"; 150].join(", ");
        assert_eq!(dialog.notify(told(60, "bad").with("Record-Route", &routes)).status(), 400);
        let tag = dialog.local_tag.clone();
        for bytes in BYTES {
            for from in [format!("{};tag={tag}{bytes}x", dialog.local), format!("<sip:x{bytes}@y>{bytes};tag={tag}")] {
                let answer = dialog.notify(told(60, "bad").from(&from));
                assert!([200, 400, 481].contains(&answer.status()), "{from:?}: {}", answer.message);
            }
        }
        for tag in ["a<b", "a\u{1}b", "a\u{7f}b", "\"a b\"", &"t".repeat(256)] {
            let from = format!("{};tag={tag}", dialog.local);
            assert_eq!(dialog.notify(told(60, "bad").from(&from)).status(), 400, "{from:?}");
        }
        for from in ["<sip:x", "\"x <sip:a@b>;tag=a", ";;;"] {
            let status = dialog.notify(told(60, "bad").from(from)).status();
            assert_eq!(status, 400, "{from:?}");
        }
        assert_eq!(watch.show()["remote_tag"], dialog.local_tag.as_str());
        watch.end(&mut dialog);
    });
    server.stop();
}

/// A notifier that copies our Contact would have us ask ourselves.
#[test]
fn the_own_contact_is_no_target() {
    let server = builder().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let first = notifier.expect_subscribe(SOON);
        let own = first.need("Contact").to_owned();
        let mut dialog = notifier.dialog(&first);
        dialog.answer(&first, 200, &[("Contact", &own), ("Content-Type", "Application/MANSCDP+xml")]);
        watch.await_state("confirmed");
        let upper = own.to_uppercase().replace("SIP:", "sip:");
        let dressed = |with: &str| own.replace('>', with);
        for (note, contact) in
            [("copied", upper), ("headers", dressed("?Subject=x>")), ("method", dressed(";method=INVITE>"))]
        {
            assert_eq!(dialog.notify(told(600, note).set("Contact", &contact)).status(), 200);
            watch.await_note(note);
        }
        watch.refresh();
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.uri(), notifier.uri("alice"));
        dialog.accept(&refresh, 600);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// Whichever way and in whichever letters it comes: a NOTIFY to our Contact for TCP may come over UDP.
#[test]
fn the_own_contact_is_no_target_in_other_letters() {
    let server = builder().start();
    let (notifier, udp) = (Notifier::tcp(), Endpoint::udp());
    leaves_nothing(&server, || {
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 600);
        let own = first.need("Contact");
        let shouted = own.replace("transport=tcp", "TRANSPORT=TCP");
        assert_ne!(shouted, own);
        let target = watch.show()["remote_target"].clone();
        assert_eq!(dialog.notify_from(&udp, told(600, "shouted").set("Contact", &shouted)).status(), 200);
        watch.await_note("shouted");
        assert_eq!(watch.show()["remote_target"], target);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// The presence server of the same Kamailio is a notifier like any other.
#[test]
fn a_presence_server_in_the_same_server_is_a_notifier() {
    const ROUTE: &str = r#"
request_route {
    if (is_method("NOTIFY") && handle_notify()) exit;
    if (is_method("SUBSCRIBE")) {
        if (!t_newtran()) exit;
        handle_subscribe();
        t_release();
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}
"#;
    let builder = builder().route(ROUTE);
    let server = builder
        .module("presence")
        .module("presence_xml")
        .modparam("presence", "subs_db_mode", 0)
        .modparam("presence", "publ_cache", 2)
        .modparam("presence_xml", "integrated_xcap_server", 1)
        .modparam("presence_xml", "force_active", 1)
        .start();
    let watch = Watch::begin(&server, &server.uri("alice"));
    watch.await_news("the state", |news| news.status == "active");
    let target = watch.show()["remote_target"].as_str().unwrap_or_default().to_owned();
    assert!(target.contains(&server.addr().to_string()) && target != server.uri("alice"), "{target}");
    let cseq = watch.number("local_cseq");
    watch.refresh();
    server.show_when(watch.id, "refreshed", |shown| shown["local_cseq"] == cseq + 1 && shown["state"] == "confirmed");
    assert_eq!((watch.show()["last_reply"].as_u64(), watch.number("retries")), (Some(200), 0));
    watch.unsubscribe();
    server.await_no_subscription();
    server.stop();
}

/// A target that is a good URI but that nothing can be sent to: the dialog is given up and the record asked again.
#[test]
fn a_dialog_that_no_way_leads_to_is_left() {
    let server = builder().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 600);
        let lost = told(600, "lost").set("Contact", "<sip:alice@[2001:db8::1]:5060;transport=sctp>");
        assert_eq!(dialog.notify(lost).status(), 200);
        watch.refresh();
        watch.await_news("the end of the dialog", |news| news.reason == "no way to the target");
        let again: Received = notifier.expect_subscribe(SOON);
        assert_eq!(again.uri(), first.uri());
        assert_ne!(again.need("Call-ID"), first.need("Call-ID"));
        let mut dialog: Dialog = notifier.accept(&again, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        watch.await_news("the new state", |news| news.status == "active");
        watch.end(&mut dialog);
    });
    server.stop();
}
