//! Replies to SUBSCRIBEs that are wrong, absurd or in bad faith: a clear reason, bounded work, and never a storm.

use std::time::Duration;

use serde_json::Value;

use crate::support::config::{Builder, takes_long_messages, version};
use crate::support::endpoint::{Received, Transport};
use crate::support::kamailio::Server;
use crate::support::news::{News, Newsreader};
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::SOON;

/// If nothing comes for this long, there is no storm: requests that follow "at once" come sooner.
const A_MOMENT: Duration = Duration::from_millis(300);

/// A server that waits long after a failure, so that each SUBSCRIBE beyond the first is one too many.
fn patient() -> Builder {
    // A connection's buffer must hold the largest reply; the default is 16 kB.
    Server::eager(100).global("tcp_rd_buf_size=262144")
}

/// A reply to the first SUBSCRIBE that makes it fail.
struct Bad<'a> {
    what: &'a str,
    reply: Message,
    /// What is told of it.
    code: u16,
    reason: &'a str,
    /// After how many seconds the next attempt is.
    next: u32,
}

/// The subscription fails once, for the reason given, and waits as long as it should.
fn assert_fails_once<'a>(server: &Server, notifier: &Notifier, make: impl FnOnce(&Received) -> Bad<'a>) {
    let mut news = Newsreader::new(server);
    let before = notifier.endpoint.count("SUBSCRIBE");
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let subscribe = notifier.expect_subscribe(SOON);
    let Bad { what, reply, code, reason, next } = make(&subscribe);
    notifier.endpoint.answer(&subscribe, &reply);
    assert_failed(server, id, &news.next(what), &Bad { what, reply, code, reason, next });
    notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
    assert_eq!(notifier.endpoint.count("SUBSCRIBE"), before + 1, "{what}");
    server.unsubscribe(id);
    server.await_no_subscription();
    news.assert_no_more();
}

fn assert_failed(server: &Server, id: u64, told: &News, bad: &Bad<'_>) -> Value {
    let shown = server.show(id);
    let what = bad.what;
    assert_eq!((told.status.as_str(), told.code, told.reason.as_str()), ("terminated", bad.code, bad.reason), "{what}");
    assert_eq!(told.next_attempt, Some(bad.next), "{what}");
    assert_eq!((&shown["state"], &shown["retries"]), (&"waiting".into(), &1.into()), "{what}: {shown}");
    assert_eq!(
        (&shown["last_reply"], &shown["last_reason"]),
        (&bad.code.into(), &bad.reason.into()),
        "{what}: {shown}"
    );
    let wait = shown["next_action_in"].as_u64().unwrap_or_default();
    assert!(wait <= u64::from(bad.next) && wait + 30 > u64::from(bad.next), "{what}: {shown}");
    shown
}

/// A reply with these headers in place of its own.
fn reply(notifier: &Notifier, to: &Message, code: u16, headers: &[(&str, &str)]) -> Message {
    let plain = notifier.endpoint.response_to(to, code, "Scripted");
    headers.iter().fold(plain, |reply, (name, value)| reply.with(name, value))
}

#[test]
fn retry_after_is_believed_within_reason() {
    const DAY: u32 = 86_400;
    let server = patient().hostile().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        // That of a 503 would hold the whole destination.
        let cases: [(&[&str], u32, &str); 10] = [
            (&["1000000000"], DAY, "Scripted"),
            (&["9999999999"], DAY, "Scripted"),
            (&["4294967298"], DAY, "Scripted"),
            (&["86401;duration=1 (a day (and a second))"], DAY, "Scripted"),
            // Of two the first counts, as of any header that can be there once.
            (&["200", "300"], 200, "Scripted"),
            (&["0"], 100, "Scripted"),
            (&["99999999999999999999999999"], DAY, "Scripted"),
            (&["-5"], 100, "Scripted"),
            (&["soon"], 100, "Scripted"),
            (&["Thu, 01 Jan 2099 00:00:00 GMT"], 100, "Scripted"),
        ];
        for (values, next, reason) in cases {
            assert_fails_once(&server, &notifier, |subscribe| {
                let headers: Vec<_> = values.iter().map(|value| ("Retry-After", *value)).collect();
                let reply = reply(&notifier, subscribe, 480, &headers);
                Bad { what: values[0], reply, code: 480, reason, next }
            });
        }
    });
    server.stop();
}

/// As many contacts as the server reads of one reply: 6.0 and later refuse one with more than 256.
fn many_contacts() -> usize {
    if version() >= (6, 0) { 256 } else { 1000 }
}

/// A thousand targets, in one header or in as many: five are tried (the sixth SUBSCRIBE is the last), and then the
/// attempt has failed.
fn of_a_thousand_targets_few_are_tried(transport: Transport) {
    let count = many_contacts();
    const TRIED: usize = 5;
    let server = patient().start();
    let notifier = Notifier::new(transport);
    let targets: Vec<String> = (0..count).map(|n| notifier.uri(&format!("t{n}"))).collect();
    let same = vec![notifier.uri("t0"); count];
    let q = |n: usize| format!("{}.{:03}", 0, count - 1 - n);
    let rising: Vec<String> = targets.iter().enumerate().map(|(n, uri)| format!("<{uri}>;q={}", q(n))).collect();
    leaves_nothing(&server, || {
        let one_line: Vec<String> = vec![rising.join(", ")];
        let backwards: Vec<String> = rising.iter().rev().cloned().collect();
        let alike: Vec<String> = same.iter().map(|uri| format!("<{uri}>")).collect();
        for (what, lines, tried) in [
            ("a line", &one_line, TRIED),
            ("lines", &rising, TRIED),
            ("backwards", &backwards, TRIED),
            ("alike", &alike, 1),
        ] {
            let mut news = Newsreader::new(&server);
            let before = notifier.endpoint.count("SUBSCRIBE");
            let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
            let first = notifier.expect_subscribe(SOON);
            let headers: Vec<_> = lines.iter().map(|line| ("Contact", line.as_str())).collect();
            notifier.endpoint.answer(&first, &reply(&notifier, &first, 300, &headers));
            for target in targets.iter().take(tried) {
                let subscribe = notifier.expect_subscribe(SOON);
                assert_eq!(subscribe.uri(), target, "{what}: best first, and then as they stand");
                notifier.reject(&subscribe, 480, &[]);
            }
            let bad = Bad { what, reply: first.message.clone(), code: 480, reason: "Scripted", next: 100 };
            assert_failed(&server, id, &news.next(what), &bad);
            notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
            assert_eq!(notifier.endpoint.count("SUBSCRIBE"), before + 1 + tried, "{what}");
            server.unsubscribe(id);
            server.await_no_subscription();
            news.assert_no_more();
        }
    });
    server.stop();
}

#[test]
fn of_a_thousand_targets_few_are_tried_over_udp() {
    of_a_thousand_targets_few_are_tried(Transport::Udp);
}

#[test]
fn of_a_thousand_targets_few_are_tried_over_tcp() {
    of_a_thousand_targets_few_are_tried(Transport::Tcp);
}

/// Each target names a thousand new ones: after five redirections the attempt has failed.
#[test]
fn redirections_do_not_multiply() {
    let server = patient().start();
    let notifier = Notifier::tcp();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let before = notifier.endpoint.count("SUBSCRIBE");
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        for step in 0..=5 {
            let subscribe = notifier.expect_subscribe(SOON);
            let line: Vec<String> =
                (0..many_contacts()).map(|n| format!("<{}>", notifier.uri(&format!("s{step}n{n}")))).collect();
            notifier.endpoint.answer(&subscribe, &reply(&notifier, &subscribe, 302, &[("Contact", &line.join(","))]));
        }
        let told = news.next("the failure");
        let end = Message::response(302, "Scripted");
        assert_failed(
            &server,
            id,
            &told,
            &Bad { what: "a tree", reply: end, code: 302, reason: "Scripted", next: 100 },
        );
        notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
        assert_eq!(notifier.endpoint.count("SUBSCRIBE"), before + 6);
        server.unsubscribe(id);
        server.await_no_subscription();
        news.assert_no_more();
    });
    server.stop();
}

/// Challenges small enough for any transport.
#[test]
fn challenges_of_any_size_are_bounded() {
    let server = patient().b2b_param("credential", "watcher:example:secret").start();
    let notifier = Notifier::tcp();
    let digest = |rest: String| format!("Digest realm=\"example\", nonce=\"n\", {rest}");
    let of_realms = |count: usize| (0..count).map(|n| format!("Digest realm=\"r{n}\", nonce=\"n\"")).collect();
    let long = |what: &str, length: usize| format!("{what}=\"{}\"", "x".repeat(length));
    let cases = vec![
        (vec![format!("Digest realm=\"example\", {}", long("nonce", 65_536))], "challenge too large"),
        (vec![format!("Digest nonce=\"n\", {}", long("realm", 65_536))], "challenge too large"),
        (vec![format!("Digest nonce=\"n\", realm=\"{}\"", "\\\"".repeat(30_000))], "challenge too large"),
        (vec![digest(long("opaque", 65_536))], "challenge too large"),
        (vec![digest(long("unknown", 65_536))], "challenge too large"),
        (vec!["Digest realm=\"\", nonce=\"n\"".to_owned()], "no credentials for the realm"),
        (vec!["Digest realm=\"%s%n$rs\", nonce=\"n\"".to_owned()], "no credentials for the realm"),
        (vec!["Digest realm=\"\u{1}\u{7f}\", nonce=\"n\"".to_owned()], "malformed challenge"),
        (vec!["Digest realm=\"EXAMPLE\", nonce=\"n\"".to_owned()], "no credentials for the realm"),
        (vec![format!("Digest {}", ",".repeat(60_000))], "challenge too large"),
        (vec!["Digest".to_owned()], "malformed challenge"),
        (vec![String::new()], "no supported digest algorithm"),
        // An empty challenge is a refusal like any other.
        (vec![], "Scripted"),
        (of_realms(1000), "challenge too large"),
        (of_realms(100), "no credentials for the realm"),
    ];
    // Such a server drops the others itself.
    let fits = |challenges: &[String]| challenges.iter().map(|challenge| challenge.len() + 32).sum::<usize>() < 60_000;
    let cases: Vec<_> = cases.into_iter().filter(|(all, _)| takes_long_messages() || fits(all)).collect();
    leaves_nothing(&server, || {
        for (number, (values, reason)) in cases.iter().enumerate() {
            let what = format!("case {number}");
            assert_fails_once(&server, &notifier, |subscribe| {
                let headers: Vec<_> = values.iter().map(|value| ("WWW-Authenticate", value.as_str())).collect();
                let reply = reply(&notifier, subscribe, 401, &headers);
                Bad { what: &what, reply, code: 401, reason, next: 100 }
            });
        }
    });
    server.stop();
}

/// Any reason phrase is shown, cut at the bound.
#[test]
fn reason_phrases_are_cut() {
    let server = patient().start();
    let notifier = Notifier::tcp();
    leaves_nothing(&server, || {
        for (phrase, shown) in [
            ("".to_owned(), ""),
            ("r".repeat(60_000), "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"),
            ("%s%n$rs\\".to_owned(), "%s%n$rs\\"),
            (
                "\u{20ac}".repeat(100),
                "\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}",
            ),
        ] {
            assert_fails_once(&server, &notifier, |subscribe| {
                let reply = notifier.endpoint.response_to(subscribe, 500, &phrase);
                Bad { what: shown, reply, code: 500, reason: shown, next: 100 }
            });
        }
    });
    server.stop();
}

/// A 2xx grants its first Expires. One that cannot be read counts as absent (RFC 6665 §4.2.1.1: then the requested
/// time is granted).
#[test]
fn what_a_2xx_grants_is_what_its_first_expires_says() {
    let server = patient().start();
    let notifier = Notifier::udp();
    let asked = 3600;
    let cases: [(&[&str], u64); 7] = [
        (&["90", "3000"], 90),
        (&["3000", "90"], 3000),
        (&[], asked),
        (&["soon"], asked),
        (&["-1"], asked),
        (&["4294967295"], asked),
        (&["99999999999999999999"], asked),
    ];
    leaves_nothing(&server, || {
        for (values, granted) in cases {
            let before = notifier.endpoint.count("SUBSCRIBE");
            let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
            let subscribe = notifier.expect_subscribe(SOON);
            let mut dialog = notifier.dialog(&subscribe);
            let plain = dialog.response(&subscribe, 200);
            let reply = values.iter().fold(plain, |reply, value| reply.with("Expires", value));
            notifier.endpoint.answer(&subscribe, &reply);
            let shown = server.await_shown(id, "state", "confirmed");
            let left = shown["expires_in"].as_u64().unwrap_or_default();
            assert!(left <= granted && left + 30 > granted, "{values:?}: {shown}");
            assert_eq!(dialog.notify(Notify::state("active")).status(), 200);
            notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
            assert_eq!(notifier.endpoint.count("SUBSCRIBE"), before + 1, "{values:?}");
            server.end(id, &mut dialog);
        }
        // Nothing granted: the next NOTIFY has the state and the reason.
        let before = notifier.endpoint.count("SUBSCRIBE");
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let subscribe = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&subscribe);
        let nothing = dialog.response(&subscribe, 200).with("Expires", "0").with("Expires", "600");
        notifier.endpoint.answer(&subscribe, &nothing);
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!(shown["last_reason"], "no time granted", "{shown}");
        notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
        assert_eq!(dialog.notify(Notify::terminated("noresource", 0)).status(), 200);
        server.await_no_subscription();
        assert_eq!(notifier.endpoint.count("SUBSCRIBE"), before + 1);
    });
    server.stop();
}

/// Without a usable Contact in the 2xx and in the NOTIFY, the target stays the record.
#[test]
fn without_any_contact_the_record_stays_the_target() {
    let server = patient().hostile().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for contact in [None, Some("<sip:"), Some("<>"), Some("\"open"), Some("*")] {
            let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
            let subscribe = notifier.expect_subscribe(SOON);
            let mut dialog = notifier.dialog(&subscribe);
            let accepted = dialog.response(&subscribe, 200).without("Contact").with("Expires", "600");
            let accepted = contact.into_iter().fold(accepted, |reply, contact| reply.with("Contact", contact));
            notifier.endpoint.answer(&subscribe, &accepted);
            server.await_shown(id, "state", "confirmed");
            assert_eq!(dialog.notify(Notify::active(600).without("Contact")).status(), 200, "{contact:?}");
            server.show_when(id, "active", |shown| shown["status"] == "active");
            assert_eq!(server.show(id)["remote_target"], notifier.uri("alice"), "{contact:?}");
            server.refresh(id);
            let refresh = dialog.expect_subscribe(SOON);
            assert_eq!(refresh.uri(), notifier.uri("alice"), "{contact:?}");
            dialog.accept(&refresh, 600);
            server.end(id, &mut dialog);
        }
    });
    server.stop();
}

/// If the server's parser gives up on one header of a reply, the others still count.
#[test]
fn a_header_that_cannot_be_parsed_spoils_no_other() {
    for (name, value) in [("Retry-After", "soon"), ("Content-Length", "many"), ("Bad Name", "x")] {
        let server = patient().b2b_param("credential", "watcher:here:secret").hostile().start();
        let notifier = Notifier::udp();
        leaves_nothing(&server, || {
            let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
            let answer = |request: &Received, code, headers: &[(&str, &str)]| {
                let headers: Vec<_> = headers.iter().chain(&[(name, value)]).copied().collect();
                notifier.endpoint.answer(request, &reply(&notifier, request, code, &headers));
            };
            let first = notifier.expect_subscribe(SOON);
            let moved = notifier.uri("moved");
            answer(&first, 302, &[("Contact", &format!("<{moved}>"))]);
            let second = notifier.expect_subscribe(SOON);
            assert_eq!(second.uri(), moved, "{name}");
            answer(&second, 401, &[("WWW-Authenticate", "Digest realm=\"here\", nonce=\"n\"")]);
            let third = notifier.expect_subscribe(SOON);
            assert!(third.need("Authorization").contains("realm=\"here\""), "{name}");
            answer(&third, 423, &[("Min-Expires", "7300")]);
            let fourth = notifier.expect_subscribe(SOON);
            assert_eq!(fourth.need("Expires"), "7300", "{name}");
            let target = notifier.uri("target");
            answer(&fourth, 200, &[("Contact", &format!("<{target}>")), ("Expires", "600")]);
            let shown = server.await_shown(id, "state", "confirmed");
            assert_eq!(shown["last_reply"], 200, "{name}: {shown}");
            let left = shown["next_action_in"].as_u64().unwrap_or_default();
            assert!((1..=600).contains(&left), "{name}: {shown}");
            server.unsubscribe(id);
            let farewell = notifier.endpoint.expect_request("SUBSCRIBE", SOON);
            assert_eq!((farewell.uri(), farewell.need("Expires")), (target.as_str(), "0"), "{name}");
            notifier.endpoint.reply(&farewell, 481, "Gone");
            server.await_no_subscription();
        });
        server.stop();
    }
}
