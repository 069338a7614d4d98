//! Challenged SUBSCRIBEs: by Kamailio's own `auth`.

use serde_json::json;

use crate::support::config::Builder;
use crate::support::digest::hash;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::news::{News, TELL};
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

fn b2b() -> Builder {
    Server::b2b().b2b_param("credential", format!("{USER}:example:{PASSWORD}"))
}

/// The guard's lines that contain `part`.
fn guard_says(presence: &PresenceServer, part: &str) -> Vec<String> {
    presence.server.log().since(Default::default(), part)
}

fn watch(presence: &PresenceServer, server: &Server) -> u64 {
    presence.publish("alice", &pidf(&presence.uri("alice"), "open", None));
    let id = server.subscribe(&presence.uri("alice"), &server.uri("watcher"));
    server.await_shown(id, "status", "active");
    // The NOTIFY may be taken before the 2xx is.
    server.await_shown(id, "last_reply", 200);
    id
}

fn under_kamailios_guard(guard: Credentials<'static>, change: impl FnOnce(PresenceBuilder) -> PresenceBuilder) {
    let presence = change(PresenceServer::builder().credentials(guard)).start();
    let server = b2b().b2b_param("min_resubscribe_time", 0).start();
    let round = || {
        let id = watch(&presence, &server);
        let before = server.show(id)["local_cseq"].as_u64().expect("a number");
        server.rpc("presence_b2b.refresh", json!([id])).expect("it can be refreshed");
        let shown = eventually(SOON, "the refresh is accepted", || {
            let shown = server.show(id);
            (shown["local_cseq"] != before && shown["state"] == "confirmed").then_some(shown)
        });
        assert_eq!((&shown["local_cseq"], &shown["last_reply"]), (&json!(before + 1), &json!(200)), "{shown}");
        server.end_all(&[id]);
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
    let server = b2b().eager(1).start();
    let id = watch(&presence, &server);
    eventually(SOON, "the nonce gets old", || {
        server.rpc("presence_b2b.refresh", json!([id])).expect("it can be refreshed");
        (guard_says(&presence, "GUARD challenges").len() > 1).then_some(())
    });
    let shown = server.await_shown(id, "last_reply", 200);
    assert_eq!((&shown["status"], &shown["retries"]), (&json!("active"), &json!(0)), "{shown}");
    server.end_all(&[id]);
    let news = News::since(&server, Default::default());
    assert!(news.iter().all(|news| news.status == "active"), "{news:?}");
    server.stop();
    presence.stop();
}

#[test]
fn a_wrong_password_is_tried_once() {
    let presence = PresenceServer::builder().credentials(Credentials { password: "another", ..GUARD }).start();
    let server = b2b().route(TELL).start();
    let id = server.subscribe(&presence.uri("alice"), &server.uri("watcher"));
    let shown = server.await_shown(id, "last_reason", "credentials rejected");
    assert_eq!((&shown["state"], &shown["last_reply"], &shown["retries"]), (&json!("waiting"), &json!(401), &json!(1)));
    assert!(shown["next_action_in"].as_u64().is_some_and(|seconds| seconds > 100), "{shown}");
    assert_eq!(guard_says(&presence, "GUARD challenges").len(), 2);
    eventually(SOON, "news", || {
        let is_told = |news: &News| (&*news.status, &*news.reason) == ("terminated", "credentials rejected");
        News::since(&server, Default::default()).iter().any(is_told).then_some(())
    });
    server.end_all(&[id]);
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
        .allow_log("b2b_credentials: HA1: must be followed by 32 or 64 ")
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
    let shown = server.await_shown(id, "status", "active");
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
    server.unsubscribe(id);
    server.stop();
    presence.stop();
}

#[test]
fn a_malformed_credential_is_refused_and_not_shown() {
    for (wrong, rule) in [
        ("a:b", "it must be username:realm:password"),
        (":here:swordfish", "the user name is empty"),
        ("u:*:HA1:swordfish", "HA1: must be followed by 32 or 64 hexadecimal digits"),
        ("u:*:HA1:0123456789abcdef0123456789abcdef", "a hash (HA1:) needs its own realm, not *"),
    ] {
        let log = Server::b2b().b2b_param("credential", "a:b:c").b2b_param("credential", wrong).start_refused();
        assert!(log.contains(&format!("modparam credential number 2 is malformed: {rule}")), "{log}");
        assert!(!log.contains("swordfish") && !log.contains("0123456789abcdef"), "{log}");
    }
}
