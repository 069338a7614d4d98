//! Challenged SUBSCRIBEs: by Kamailio's own `auth`, and by a scripted notifier that asks for more and worse.

use serde_json::{Value, json};

use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Received};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::presence_server::{Credentials, PresenceBuilder, PresenceServer, Qop};
use crate::support::shm::Shm;
use crate::support::wait::{SOON, eventually};

const USER: &str = "watcher";
const PASSWORD: &str = "s3cr3t:swordfish";
const GUARD: Credentials<'static> =
    Credentials { realm: "example", user: USER, password: PASSWORD, proxy: false, qop: Qop::Auth };

/// The NOTIFY route, and a request of the test's that subscribes with credentials of its own.
const OWN: &str = r#"
request_route {
    if (is_method("OPTIONS")) {
        b2b_subscribe("$hdr(X-Record)", "$hdr(X-Subscriber)");
        if (b2b_credentials("$hdr(X-Record)", "$hdr(X-Subscriber)", "presence", "watcher", "$hdr(X-Password)")) {
            sl_send_reply("200", "OK");
        } else {
            sl_send_reply("400", "Bad Request");
        }
        exit;
    }
    if (is_method("NOTIFY") && handle_notify()) {
        exit;
    }
    sl_send_reply("481", "Subscription does not exist");
}
"#;

/// Each message of the event route becomes one line of the log.
const TELL: &str = r#"event_route[qsa:notify] { xlog("L_NOTICE", "NEWS $qsa(status) [$qsa(reason)]\n"); }"#;

fn b2b() -> Builder {
    Server::b2b().route(TELL).b2b_param("credential", format!("{USER}:example:{PASSWORD}"))
}

fn subscribe(server: &Server, record: &str) -> u64 {
    let id = server.rpc("presence_b2b.subscribe", json!([record, server.uri("watcher")])).expect("an id");
    id.as_u64().expect("a plain integer")
}

fn show(server: &Server, id: u64) -> Value {
    server.rpc("presence_b2b.show", json!([id])).expect("the subscription")
}

fn until_shown(server: &Server, id: u64, name: &str, wanted: impl Into<Value>) -> Value {
    let wanted = wanted.into();
    let mut shown = Value::Null;
    let found = crate::support::wait::until(SOON, || {
        shown = show(server, id);
        (shown[name] == wanted).then_some(())
    });
    assert!(found.is_some(), "{name} is not {wanted}: {shown}");
    shown
}

fn unsubscribe(server: &Server, id: u64) {
    server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it can end");
    eventually(SOON, "the subscription is gone", || {
        let trace = server.rpc("presence_b2b.trace", json!([])).expect("trace");
        (trace["subscriptions"] == 0).then_some(())
    });
}

/// The guard's lines that contain `part`.
fn guard_says(presence: &PresenceServer, part: &str) -> Vec<String> {
    presence.server.log().since(Default::default(), part)
}

fn watch(presence: &PresenceServer, server: &Server) -> u64 {
    presence.publish("alice", &pidf(&presence.uri("alice"), "open", None));
    let id = subscribe(server, &presence.uri("alice"));
    until_shown(server, id, "status", "active");
    // The NOTIFY may be taken before the 2xx is.
    until_shown(server, id, "last_reply", 200);
    id
}

fn under_kamailios_guard(guard: Credentials<'static>, change: impl FnOnce(PresenceBuilder) -> PresenceBuilder) {
    let presence = change(PresenceServer::builder().credentials(guard)).start();
    let server = b2b().b2b_param("min_resubscribe_time", 0).start();
    let round = || {
        let id = watch(&presence, &server);
        let before = show(&server, id)["local_cseq"].as_u64().expect("a number");
        server.rpc("presence_b2b.refresh", json!([id])).expect("it can be refreshed");
        let shown = eventually(SOON, "the refresh is accepted", || {
            let shown = show(&server, id);
            (shown["local_cseq"] != before && shown["state"] == "confirmed").then_some(shown)
        });
        assert_eq!((&shown["local_cseq"], &shown["last_reply"]), (&json!(before + 1), &json!(200)), "{shown}");
        unsubscribe(&server, id);
    };
    round();
    let challenges = guard_says(&presence, " challenges ");
    assert_eq!(challenges.len(), if guard.proxy { 2 } else { 1 }, "{challenges:#?}");
    let admitted = guard_says(&presence, "GUARD admits ");
    let counts = ["nc=00000001", "nc=00000002", "nc=00000003"];
    assert_eq!(admitted.len(), counts.len(), "{admitted:#?}");
    for (line, nc) in admitted.iter().zip(counts) {
        let (qop, counted) = match guard.qop {
            Qop::None => ("", false),
            Qop::Auth => ("qop=auth,", true),
        };
        assert!(line.contains(qop) && line.contains(nc) == counted, "{line}");
    }
    let base = Shm::at_rest(&server);
    round();
    base.assert_back(&server);
    server.stop();
    presence.stop();
}

#[test]
fn kamailio_asks_for_md5_and_counts() {
    under_kamailios_guard(GUARD, |presence| presence);
}

#[test]
fn kamailio_asks_for_sha_256() {
    under_kamailios_guard(GUARD, |presence| presence.param("auth", "algorithm", "SHA-256"));
}

#[test]
fn kamailio_asks_for_no_quality_as_in_rfc_2069() {
    under_kamailios_guard(Credentials { qop: Qop::None, ..GUARD }, |presence| presence);
}

#[test]
fn a_proxy_asks_and_then_the_server() {
    under_kamailios_guard(Credentials { proxy: true, ..GUARD }, |presence| presence);
}

#[test]
fn an_old_nonce_is_no_failure() {
    let presence = PresenceServer::builder().credentials(GUARD).param("auth", "nonce_expire", 1).start();
    let server = b2b().b2b_param("min_resubscribe_time", 0).start();
    let id = watch(&presence, &server);
    eventually(SOON, "the nonce gets old", || {
        server.rpc("presence_b2b.refresh", json!([id])).expect("it can be refreshed");
        (guard_says(&presence, "GUARD challenges").len() > 1).then_some(())
    });
    let shown = until_shown(&server, id, "last_reply", 200);
    assert_eq!((&shown["status"], &shown["retries"]), (&json!("active"), &json!(0)), "{shown}");
    unsubscribe(&server, id);
    assert_eq!(server.log().since(Default::default(), "NEWS terminated"), [""; 0]);
    server.stop();
    presence.stop();
}

#[test]
fn a_wrong_password_is_tried_once() {
    let presence = PresenceServer::builder().credentials(Credentials { password: "another", ..GUARD }).start();
    let server = b2b().start();
    let id = subscribe(&server, &presence.uri("alice"));
    let shown = until_shown(&server, id, "last_reason", "credentials rejected");
    assert_eq!((&shown["state"], &shown["last_reply"], &shown["retries"]), (&json!("waiting"), &json!(401), &json!(1)));
    assert!(shown["next_action_in"].as_u64().is_some_and(|seconds| seconds > 100), "{shown}");
    assert_eq!(guard_says(&presence, "GUARD challenges").len(), 2);
    eventually(SOON, "news", || {
        (!server.log().since(Default::default(), "NEWS terminated [credentials rejected]").is_empty()).then_some(())
    });
    unsubscribe(&server, id);
    server.stop();
    presence.stop();
}

/// With credentials by parameter and by script; the log at its loudest shows no password, nor does any RPC.
#[test]
fn passwords_are_never_shown() {
    let own = "own-s3cr3t";
    let presence = PresenceServer::builder().credentials(Credentials { password: own, ..GUARD }).start();
    let server = b2b()
        .b2b_param("min_resubscribe_time", 0)
        .route(OWN)
        .debug(3)
        .allow_log("b2b_credentials: the user name is empty, ")
        .start();
    let (alice, watcher) = (presence.uri("alice"), server.uri("watcher"));
    presence.publish("alice", &pidf(&alice, "open", None));
    let client = Endpoint::udp();
    let ask = |password: &str| {
        let request = client.fresh_request("OPTIONS", &server.uri("b2b"), &watcher, &watcher);
        let request = request.with("X-Record", &alice).with("X-Subscriber", &watcher).with("X-Password", password);
        client.exchange(&request, server.addr(), SOON).status()
    };
    let mark = server.log().mark();
    assert_eq!(ask("HA1:wrong"), 400);
    // Hashed, so that the test's own request holds no password that the server could log as part of it.
    let hashed = hash::<md5::Md5>(&format!("{USER}:example:{own}"));
    assert_eq!(ask(&format!("HA1:{hashed}")), 200);
    let id = server.rpc("presence_b2b.list", json!([])).expect("a list")[0]["id"].as_u64().expect("an id");
    // The subscription may have been refused with the realm's credentials before it had its own: then it asks again.
    let shown = until_shown(&server, id, "status", "active");
    assert!(!shown.to_string().contains(&hashed), "{shown}");
    let text = server.log().text();
    for secret in [PASSWORD, "s3cr3t", "swordfish"] {
        assert!(
            !text.contains(secret),
            "{secret} is in the log: {:?}",
            text.lines().find(|line| line.contains(secret))
        );
    }
    let said = server.log().since(mark, "presence_b2b");
    assert!(!said.iter().any(|line| line.contains(&hashed)), "the module has logged the hash");
    server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it can end");
    server.stop();
    presence.stop();
}

#[test]
fn a_malformed_credential_is_refused_and_not_shown() {
    for (wrong, rule) in [
        ("a:b", "it is not username:realm:password"),
        (":here:swordfish", "the user name is empty"),
        ("u:*:HA1:swordfish", "there are not 32 or 64 hexadecimal digits after HA1:"),
        ("u:*:HA1:0123456789abcdef0123456789abcdef", "a hash (HA1:) needs a realm of its own"),
    ] {
        let log = Server::b2b().b2b_param("credential", "a:b:c").b2b_param("credential", wrong).start_refused();
        assert!(log.contains(&format!("modparam credential number 2 is malformed: {rule}")), "{log}");
        assert!(!log.contains("swordfish") && !log.contains("0123456789abcdef"), "{log}");
    }
}

fn hash<D: sha2::Digest>(text: &str) -> String {
    D::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A parameter of an authorization header, without its quotes.
fn parameter<'a>(value: &'a str, name: &str) -> &'a str {
    let start = format!("{name}=");
    let found = value.strip_prefix("Digest ").expect("Digest").split(", ").find_map(|part| part.strip_prefix(&*start));
    found.unwrap_or_else(|| panic!("no {name} in {value}")).trim_matches('"')
}

/// Checks an authorization of a SUBSCRIBE as a server would.
fn assert_right<D: sha2::Digest>(request: &Received, header: &str, realm: &str, nonce: &str, nc: &str) {
    let value = request.need(header);
    let part = |name| parameter(value, name);
    assert_eq!((part("username"), part("realm"), part("nonce"), part("uri")), (USER, realm, nonce, request.uri()));
    assert_eq!(part("nc"), nc, "{value}");
    let key = hash::<D>(&format!("{USER}:{realm}:{PASSWORD}"));
    let body = if part("qop") == "auth-int" { format!(":{}", hash::<D>("")) } else { String::new() };
    let target = hash::<D>(&format!("SUBSCRIBE:{}{body}", request.uri()));
    let expected = hash::<D>(&format!("{key}:{nonce}:{nc}:{}:{}:{target}", part("cnonce"), part("qop")));
    assert_eq!(part("response"), expected, "{value}");
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
        let id = subscribe(&server, &notifier.uri("alice"));
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
        assert_right::<sha2::Sha256>(&second, "Authorization", "example", "n1", "00000001");
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

        let mut dialog = notifier.accept(&second, 62);
        dialog.notify(Notify::active(62));
        // The NOTIFY may be taken before the 200 is; until that is in, there is nothing to refresh.
        until_shown(&server, id, "last_reply", 200);
        // A refresh is answered before it is asked. Its nonce is stale.
        server.rpc("presence_b2b.refresh", json!([id])).expect("it can be refreshed");
        let refresh = dialog.expect_subscribe(SOON);
        assert_right::<sha2::Sha256>(&refresh, "Authorization", "example", "n1", "00000002");
        let stale = "Digest realm=\"example\", nonce=\"n5\", algorithm=MD5, qop=\"auth\", stale=true";
        dialog.answer(&refresh, 401, &[("WWW-Authenticate", stale)]);
        let again = dialog.expect_subscribe(SOON);
        assert_repeats(&again, &refresh);
        assert_right::<md5::Md5>(&again, "Authorization", "example", "n5", "00000001");
        assert!(again.need("Proxy-Authorization").contains("nc=00000003"));
        dialog.accept(&again, 62);
        dialog.notify(Notify::active(62));
        assert_eq!(until_shown(&server, id, "last_reply", 200)["retries"], 0);

        server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it can end");
        let farewell = dialog.expect_subscribe(SOON);
        assert_eq!(farewell.need("Expires"), "0");
        assert_right::<md5::Md5>(&farewell, "Authorization", "example", "n5", "00000002");
        let next = "Digest realm=\"example\", nonce=\"n6\", algorithm=MD5, qop=\"auth\"";
        dialog.answer(&farewell, 401, &[("WWW-Authenticate", next)]);
        let last = dialog.expect_subscribe(SOON);
        assert_repeats(&last, &farewell);
        assert_right::<md5::Md5>(&last, "Authorization", "example", "n6", "00000001");
        dialog.accept(&last, 0);
        dialog.notify(Notify::terminated("timeout", 0));
        eventually(SOON, "the subscription is gone", || {
            (server.rpc("presence_b2b.trace", json!([])).expect("trace")["subscriptions"] == 0).then_some(())
        });
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
        let id = subscribe(&server, &notifier.uri("alice"));
        notifier.reject(&notifier.expect_subscribe(SOON), 401, &[(header, &value)]);
        let shown = until_shown(&server, id, "last_reason", reason);
        assert_eq!((&shown["state"], &shown["last_reply"]), (&json!("waiting"), &json!(401)), "{shown}");
        assert_eq!(notifier.endpoint.count("SUBSCRIBE"), 1);
        unsubscribe(&server, id);
    }
    server.stop();
}

#[test]
fn endless_challenges_come_to_an_end() {
    let server = b2b().b2b_param("credential", "anybody:*:at all").start();
    for (make, count, reason) in [
        // A new nonce each time, and never content.
        ((|n| format!("Digest realm=\"example\", nonce=\"n{n}\"")) as fn(usize) -> String, 2, "credentials rejected"),
        (|n| format!("Digest realm=\"example\", nonce=\"n{n}\", stale=true"), 5, "nonce stale again and again"),
        (|n| format!("Digest realm=\"realm{n}\", nonce=\"n\""), 5, "too many challenges"),
    ] {
        let notifier = Notifier::udp();
        let id = subscribe(&server, &notifier.uri("alice"));
        for n in 0..count {
            notifier.reject(&notifier.expect_subscribe(SOON), 407, &[("Proxy-Authenticate", &make(n))]);
        }
        let shown = until_shown(&server, id, "last_reason", reason);
        assert_eq!((&shown["state"], &shown["last_reply"]), (&json!("waiting"), &json!(407)), "{shown}");
        assert_eq!(notifier.endpoint.count("SUBSCRIBE"), count);
        unsubscribe(&server, id);
    }
    server.stop();
}

/// What is hashed is the Request-URI that is sent: behind a strict router it is the router's.
#[test]
fn the_answer_takes_the_same_way() {
    let router = Notifier::udp();
    let elsewhere = "sip:alice@192.0.2.9";
    let address = router.uri("router");
    for (route, uri) in [(format!("<{address};lr>"), elsewhere), (format!("<{address}>"), &address)] {
        let server = b2b().b2b_param("presence_route", route.as_str()).start();
        let id = subscribe(&server, elsewhere);
        let first = router.expect_subscribe(SOON);
        assert_eq!(first.uri(), uri);
        let challenge = "Digest realm=\"example\", nonce=\"n\", qop=\"auth\"";
        router.reject(&first, 407, &[("Proxy-Authenticate", challenge)]);
        let second = router.expect_subscribe(SOON);
        assert_repeats(&second, &first);
        assert_eq!(second.need("Route"), first.need("Route"));
        assert_right::<md5::Md5>(&second, "Proxy-Authorization", "example", "n", "00000001");
        router.reject(&second, 403, &[]);
        let shown = until_shown(&server, id, "last_reply", 403);
        assert_eq!(shown["state"], "waiting", "{shown}");
        unsubscribe(&server, id);
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
    assert_right::<md5::Md5>(&notifier.expect_subscribe(SOON), "Authorization", "any", "n", "00000001");
    server.stop();
}

/// RFC 7616 §5.12 warns of whoever collects answers: a redirection leads to one who asks for them.
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
        let id = subscribe(&server, &registrar.uri("alice"));
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
            until_shown(&server, id, "last_reply", 404);
        } else {
            let shown = until_shown(&server, id, "last_reason", "no credentials for this host");
            assert_eq!(shown["last_reply"], 401, "{shown}");
            assert!(registrar.expect_subscribe(SOON).uri().contains("alice"), "the record is asked again");
            assert_eq!(collector.endpoint.count("SUBSCRIBE"), 1);
        }
        server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it can end");
        server.stop();
    }
}
