//! What a peer gives as URI, route, tag or name of a state: whatever bytes it has, no request that leaves has another line than
//! those that the module writes, and each line of the log is one.

use serde_json::json;

use crate::support::config::{Builder, version};
use crate::support::endpoint::Transport;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Dialog, Notifier};
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

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
pub fn assert_lines(request: &Message) {
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
pub fn assert_log(server: &Server, from: Mark) {
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

/// The module tells each step of a life, with the texts of the peer.
fn tells_steps(builder: Builder) -> Server {
    let builder = builder.module("debugger").modparam("debugger", "mod_hash_size", 4);
    let server = builder.modparam("debugger", "mod_level_mode", 1).start();
    server.rpc("dbg.set_mod_level", json!(["presence_b2b", 3])).expect("the level is set");
    server
}

/// Steps were logged since then, and each debug line has its subscription or another place of the module.
fn assert_steps(server: &Server, from: Mark) {
    let steps = server.log().since(from, "DEBUG: presence_b2b");
    assert!(steps.iter().filter(|line| line.contains("step of subscription ")).count() > 50, "{}", steps.len());
}

fn bytes_stay_out(transport: Transport, server: &Server) {
    let notifier = Notifier::new(transport);
    leaves_nothing(server, || {
        let from = server.log().mark();
        let (watch, mut dialog, first) = Watch::standing(server, &notifier, 600);
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
        assert_log(server, from);
        watch.end(&mut dialog);
    });
}

#[test]
fn bytes_stay_out_of_requests_and_log_over_udp() {
    let server = Server::quick().start();
    bytes_stay_out(Transport::Udp, &server);
    server.stop();
}

#[test]
fn bytes_stay_out_of_requests_and_log_over_tcp() {
    let server = Server::quick().start();
    bytes_stay_out(Transport::Tcp, &server);
    server.stop();
}

#[test]
fn bytes_stay_out_of_debug_lines() {
    let server = tells_steps(Server::quick());
    let from = server.log().mark();
    bytes_stay_out(Transport::Udp, &server);
    assert_steps(&server, from);
    server.stop();
}

/// Of a 3xx, a 401 and a reason phrase as well.
#[test]
fn bytes_of_a_refusal_stay_out() {
    let server = tells_steps(Server::quick().b2b_param("credential", "watcher:realm:secret"));
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

/// Neither as another tag nor as a text that cannot be parsed.
fn assert_no_from_is_taken(dialog: &mut Dialog) {
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
}

/// Routes and tags that cannot be used are refused, and change nothing.
#[test]
fn bad_routes_and_tags_are_refused() {
    let server = Server::quick().hostile().start();
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
        // The server of 6.1 drops a request whose From it cannot parse.
        if version() < (6, 1) {
            assert_no_from_is_taken(&mut dialog);
        }
        assert_eq!(watch.show()["remote_tag"], dialog.local_tag.as_str());
        watch.end(&mut dialog);
    });
    server.stop();
}
