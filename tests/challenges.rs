//! Challenged SUBSCRIBEs: by a scripted notifier whose challenges are more varied and worse than Kamailio's.

use serde_json::json;

use crate::support::config::Builder;
use crate::support::digest::{Account, hash, parameter};
use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::Shm;
use crate::support::wait::SOON;

const USER: &str = "watcher";
const PASSWORD: &str = "s3cr3t:swordfish";
const WATCHER: Account<'static> = Account { user: USER, password: PASSWORD };

fn b2b() -> Builder {
    Server::b2b().b2b_param("credential", format!("{USER}:example:{PASSWORD}"))
}

/// The same request again: Call-ID, From, To, Request-URI, the next CSeq.
fn assert_repeats(second: &Received, first: &Received) {
    for name in ["Call-ID", "From", "To", "Contact", "Event", "Expires"] {
        assert_eq!(second.need(name), first.need(name));
    }
    assert_eq!((second.uri(), second.cseq().0), (first.uri(), first.cseq().0 + 1));
    assert_eq!(second.from, first.from);
}

#[test]
fn several_challenges_at_once_and_in_the_dialog() {
    let notifier = Notifier::udp();
    let proxy = format!("{USER}:J\u{e4}s\u{f8}n, Inc.:{PASSWORD}");
    let server = b2b().b2b_param("credential", proxy).b2b_param("min_resubscribe_time", 0).start();
    let round = || {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        assert!(first.header("Authorization").is_none() && first.header("Proxy-Authorization").is_none());
        let challenge = notifier
            .endpoint
            .response_to(&first, 401, "Scripted")
            .with("WWW-Authenticate", "Digest realm=\"example\", nonce=\"x\", algorithm=SHA3-512, qop=\"auth\"")
            .with(
                "WWW-Authenticate",
                "Digest realm=\"example\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth,auth-int\", opaque=\"a\\\"b\"",
            )
            .with("WWW-Authenticate", "Digest realm=\"example\", nonce=\"n2\", algorithm=MD5, qop=\"auth\"")
            .with(
                "Proxy-Authenticate",
                "Digest realm=\"J\u{e4}s\u{f8}n, Inc.\", nonce=\"n3\", algorithm=SHA-512-256, qop=\"auth-int\"",
            )
            .with("Proxy-Authenticate", "Digest realm=\"unknown\", nonce=\"n4\"");
        notifier.endpoint.answer(&first, &challenge);
        let second = notifier.expect_subscribe(SOON);
        assert_repeats(&second, &first);
        assert_eq!((second.headers("Authorization").len(), second.headers("Proxy-Authorization").len()), (1, 1));
        WATCHER.assert_answers::<sha2::Sha256>(&second, "Authorization", "example", "n1", "00000001");
        assert!(second.need("Authorization").contains(", opaque=\"a\\\"b\""));
        let proxy = "J\u{e4}s\u{f8}n, Inc.";
        let value = second.need("Proxy-Authorization");
        assert!(
            value.contains(&format!("realm=\"{proxy}\"")) && value.contains("qop=auth-int, nc=00000001"),
            "{value}"
        );
        let key = hash::<sha2::Sha512_256>(&format!("{USER}:{proxy}:{PASSWORD}"));
        let target = hash::<sha2::Sha512_256>(&format!("SUBSCRIBE:{}:{}", second.uri(), hash::<sha2::Sha512_256>("")));
        let cnonce = parameter(value, "cnonce");
        let expected = hash::<sha2::Sha512_256>(&format!("{key}:n3:00000001:{cnonce}:auth-int:{target}"));
        assert_eq!(parameter(value, "response"), expected);

        let mut dialog = notifier.activate(&second, 62);
        // The NOTIFY may be handled before the 200; until the 200 is handled, there is nothing to refresh.
        server.await_shown(id, "last_reply", 200);
        // A refresh has an answer before it is challenged. Its nonce is stale.
        server.rpc("presence_b2b.refresh", json!([id])).expect("it can be refreshed");
        let refresh = dialog.expect_subscribe(SOON);
        WATCHER.assert_answers::<sha2::Sha256>(&refresh, "Authorization", "example", "n1", "00000002");
        let stale = "Digest realm=\"example\", nonce=\"n5\", algorithm=MD5, qop=\"auth\", stale=true";
        dialog.answer(&refresh, 401, &[("WWW-Authenticate", stale)]);
        let again = dialog.expect_subscribe(SOON);
        assert_repeats(&again, &refresh);
        WATCHER.assert_answers::<md5::Md5>(&again, "Authorization", "example", "n5", "00000001");
        assert!(again.need("Proxy-Authorization").contains("nc=00000003"));
        dialog.accept(&again, 62);
        dialog.notify(Notify::active(62));
        assert_eq!(server.await_shown(id, "last_reply", 200)["retries"], 0);

        server.unsubscribe(id);
        let farewell = dialog.expect_subscribe(SOON);
        assert_eq!(farewell.need("Expires"), "0");
        WATCHER.assert_answers::<md5::Md5>(&farewell, "Authorization", "example", "n5", "00000002");
        let next = "Digest realm=\"example\", nonce=\"n6\", algorithm=MD5, qop=\"auth\"";
        dialog.answer(&farewell, 401, &[("WWW-Authenticate", next)]);
        let last = dialog.expect_subscribe(SOON);
        assert_repeats(&last, &farewell);
        WATCHER.assert_answers::<md5::Md5>(&last, "Authorization", "example", "n6", "00000001");
        dialog.accept(&last, 0);
        dialog.notify(Notify::terminated("timeout", 0));
        server.await_no_subscription();
    };
    round();
    let base = Shm::at_rest(&server);
    round();
    base.assert_back(&server);
    server.stop();
}

#[test]
fn challenges_in_bad_faith_are_bounded() {
    let server = b2b().start();
    let header = "WWW-Authenticate";
    let nonce = |length| format!("Digest realm=\"example\", nonce=\"{}\"", "n".repeat(length));
    for (value, reason) in [
        (nonce(60_000), "challenge too large"),
        (nonce(4_000), "challenge too large"),
        (format!("Digest realm=\"{}\", nonce=\"n\"", "r".repeat(5_000)), "challenge too large"),
        (format!("Digest realm=\"{}\", nonce=\"n\"", "\\\"".repeat(100)), "no credentials for the realm"),
        ("Digest realm=\"example\", nonce=\"n\", algorithm=ROT13".into(), "no supported digest algorithm"),
        ("Digest realm=\"example\", nonce=\"n\", qop=\"auth-conf\"".into(), "no supported digest algorithm"),
        ("Basic realm=\"example\"".into(), "no supported digest algorithm"),
        ("Digest realm=\"example".into(), "malformed challenge"),
        ("realm=\"example\", nonce=\"n\"".into(), "malformed challenge"),
    ] {
        let notifier = Notifier::udp();
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        notifier.reject(&notifier.expect_subscribe(SOON), 401, &[(header, &value)]);
        let shown = server.await_shown(id, "last_reason", reason);
        assert_eq!((&shown["state"], &shown["last_reply"]), (&json!("waiting"), &json!(401)), "{shown}");
        assert_eq!(notifier.endpoint.count("SUBSCRIBE"), 1);
        server.end_all(&[id]);
    }
    server.stop();
}

#[test]
fn endless_challenges_come_to_an_end() {
    let server = b2b().b2b_param("credential", "anybody:*:at all").start();
    for (make, count, reason) in [
        // A new nonce each time, and every answer is refused.
        ((|n| format!("Digest realm=\"example\", nonce=\"n{n}\"")) as fn(usize) -> String, 2, "credentials rejected"),
        (|n| format!("Digest realm=\"example\", nonce=\"n{n}\", stale=true"), 5, "nonce stale again and again"),
        (|n| format!("Digest realm=\"realm{n}\", nonce=\"n\""), 5, "too many challenges"),
    ] {
        let notifier = Notifier::udp();
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        for n in 0..count {
            notifier.reject(&notifier.expect_subscribe(SOON), 407, &[("Proxy-Authenticate", &make(n))]);
        }
        let shown = server.await_shown(id, "last_reason", reason);
        assert_eq!((&shown["state"], &shown["last_reply"]), (&json!("waiting"), &json!(407)), "{shown}");
        assert_eq!(notifier.endpoint.count("SUBSCRIBE"), count);
        server.end_all(&[id]);
    }
    server.stop();
}

/// The hash covers the Request-URI that is sent: behind a strict router that is the router's.
#[test]
fn the_answer_takes_the_same_way() {
    let router = Notifier::udp();
    let elsewhere = "sip:alice@192.0.2.9";
    let address = router.uri("router");
    for (route, uri) in [(format!("<{address};lr>"), elsewhere), (format!("<{address}>"), &address)] {
        let server = b2b().b2b_param("presence_route", route.as_str()).start();
        let id = server.subscribe(elsewhere, &server.uri("watcher"));
        let first = router.expect_subscribe(SOON);
        assert_eq!(first.uri(), uri);
        let challenge = "Digest realm=\"example\", nonce=\"n\", qop=\"auth\"";
        router.reject(&first, 407, &[("Proxy-Authenticate", challenge)]);
        let second = router.expect_subscribe(SOON);
        assert_repeats(&second, &first);
        assert_eq!(second.need("Route"), first.need("Route"));
        WATCHER.assert_answers::<md5::Md5>(&second, "Proxy-Authorization", "example", "n", "00000001");
        router.reject(&second, 403, &[]);
        let shown = server.await_shown(id, "last_reply", 403);
        assert_eq!(shown["state"], "waiting", "{shown}");
        server.end_all(&[id]);
        server.stop();
    }
}

#[test]
fn scripts_in_other_languages_give_credentials_too() {
    let notifier = Notifier::udp();
    let script = format!(
        "function ksr_request_route() {{
            var record = '{}';
            var watcher = 'sip:w@example.com';
            var early = KSR.presence_b2b.b2b_credentials(record, watcher, '', 'watcher', 'x');
            KSR.presence_b2b.b2b_subscribe(record, watcher, '', '');
            var given = KSR.presence_b2b.b2b_credentials(record, watcher, '', 'watcher', '{PASSWORD}');
            KSR.sl.sl_send_reply(early < 0 && given > 0 ? 200 : 500, 'OK');
        }}",
        notifier.uri("alice")
    );
    let server = Server::b2b().kemi(&script).allow_log("b2b_credentials: no such subscription").start();
    let request =
        notifier.endpoint.fresh_request("OPTIONS", &server.uri("b2b"), "sip:t@example.com", "sip:b@example.com");
    assert_eq!(notifier.endpoint.exchange(&request, server.addr(), SOON).status(), 200);
    let first = notifier.expect_subscribe(SOON);
    notifier.reject(&first, 401, &[("WWW-Authenticate", "Digest realm=\"any\", nonce=\"n\", qop=\"auth\"")]);
    WATCHER.assert_answers::<md5::Md5>(&notifier.expect_subscribe(SOON), "Authorization", "any", "n", "00000001");
    server.stop();
}

/// RFC 7616 §5.12 warns of servers that collect answers: a redirection leads to one that challenges.
#[test]
fn who_is_behind_a_redirection_gets_no_answer() {
    for (domains, answered) in [(None, false), (Some("example=*"), true)] {
        let (registrar, collector) = (Notifier::udp(), Notifier::udp());
        let server = b2b().eager(1);
        let server = match domains {
            Some(domains) => server.b2b_param("credential_domain", domains),
            None => server,
        }
        .start();
        let id = server.subscribe(&registrar.uri("alice"), &server.uri("watcher"));
        let challenge = "Digest realm=\"example\", nonce=\"n\", qop=\"auth\"";
        // The record's own notifier gets its answer.
        let first = registrar.expect_subscribe(SOON);
        registrar.reject(&first, 401, &[("WWW-Authenticate", challenge)]);
        let second = registrar.expect_subscribe(SOON);
        assert!(second.header("Authorization").is_some());
        registrar.redirect(&second, &[&collector.uri("alice")]);
        let led = collector.expect_subscribe(SOON);
        assert_eq!(led.header("Authorization"), None);
        collector.reject(&led, 401, &[("WWW-Authenticate", challenge)]);
        if answered {
            let again = collector.expect_subscribe(SOON);
            assert!(again.header("Authorization").is_some());
            collector.reject(&again, 404, &[]);
            server.await_shown(id, "last_reply", 404);
        } else {
            let shown = server.await_shown(id, "last_reason", "no credentials for this host");
            assert_eq!(shown["last_reply"], 401, "{shown}");
            assert!(server.log().text().contains("check modparam credential_domain"), "the log says what to do");
            assert!(registrar.expect_subscribe(SOON).uri().contains("alice"), "the record is asked again");
            assert_eq!(collector.endpoint.count("SUBSCRIBE"), 1);
        }
        server.unsubscribe(id);
        server.stop();
    }
}
