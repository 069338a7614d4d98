//! The options of a subscription, on the wire.

use serde_json::json;

use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::route::after_notifies;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// An OPTIONS with X-Do says what to call; the answer is 200 for true and 403 for false.
const ROUTE: &str = r#"    $var(done) = -1;
    switch ($hdr(X-Do)) {
        case "subscribe":
            if (b2b_subscribe("$hdr(X-Record)", "$hdr(X-Subscriber)", "$hdr(X-Package)", "", "$hdr(X-Options)")) $var(done) = 1;
            break;
        case "subscribe_with":
            if (b2b_subscribe_with("$hdr(X-Record)", "$hdr(X-Subscriber)", "$hdr(X-Package)", "", "$hdr(X-Options)"))
                $var(done) = 1;
            break;
        case "unsubscribe":
            if (b2b_unsubscribe("$hdr(X-Record)", "$hdr(X-Subscriber)", "$hdr(X-Package)")) $var(done) = 1;
            break;
        case "credentials":
            if (b2b_credentials("$hdr(X-Record)", "$hdr(X-Subscriber)", "$hdr(X-Package)", "u", "p")) $var(done) = 1;
            break;
    }
    if ($var(done) > 0) {
        sl_send_reply("200", "True");
    } else {
        sl_send_reply("403", "False");
    }
}

event_route[qsa:notify] {
    xlog("L_NOTICE", "NEWS|$qsa(id)|$qsa(record)|$qsa(status)|$qsa(code)|$qsa(reason)|$qsa(next_attempt)|$qsa(basic)|$qsa(note)|$qsa(fork)|\n");
    xlog("L_NOTICE", "EVENT|$qsa(id)|$qsa(event_id)|\n");
}
"#;

pub fn builder() -> Builder {
    Server::b2b().b2b_param("min_resubscribe_time", 0).route(&after_notifies(ROUTE))
}

/// Whether the script's function was true.
pub fn call(server: &Server, function: &str, record: &str, package: &str, options: &str) -> bool {
    let peer = Endpoint::udp();
    let uri = server.uri("script");
    let request = peer.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Do", function).with("X-Record", record);
    let request = request.with("X-Subscriber", server.uri("watcher")).with("X-Package", package);
    let answer = peer.exchange(&request.with("X-Options", options), server.addr(), SOON);
    assert!([200, 403].contains(&answer.status()), "{}", answer.message);
    answer.status() == 200
}

/// Subscribes by RPC; the id, or what the fault says.
pub fn subscribe(server: &Server, record: &str, package: &str, options: &str) -> Result<u64, String> {
    let params = json!([record, server.uri("watcher"), package, options]);
    match server.rpc("presence_b2b.subscribe", params) {
        Ok(id) => Ok(id.as_u64().expect("a plain integer")),
        Err(fault) => {
            assert_eq!(fault.code, 400, "{fault}");
            Err(fault.message)
        }
    }
}

/// Takes the SUBSCRIBE with this Event and Expires, and tells a state.
fn accepted(notifier: &Notifier, event: &str, expires: &str) -> Dialog {
    let first = notifier.expect_subscribe(SOON);
    assert_eq!((first.header("Event"), first.header("Expires")), (Some(event), Some(expires)), "{}", first.message);
    notifier.activate(&first, 600)
}

#[test]
fn an_id_makes_several_subscriptions_to_one_record() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder()
        .allow_log("b2b_credentials: no such subscription")
        .allow_log("b2b_unsubscribe: no such subscription")
        .start();
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let plain = subscribe(&server, &record, "presence", "").expect("an id");
        let mut dialog = accepted(&notifier, "presence", "3600");
        let desk = subscribe(&server, &record, "presence", "id=desk").expect("an id");
        let mut desks = accepted(&notifier, "presence;id=desk", "3600");
        assert!(call(&server, "subscribe", &record, "presence;id=car", ""));
        let mut cars = accepted(&notifier, "presence;id=car", "3600");
        assert_eq!(server.trace()["subscriptions"], 3);

        assert_eq!(server.show(plain).get("event_id"), None);
        assert_eq!(server.show(desk)["event_id"], "desk");
        assert_eq!(subscribe(&server, &record, "presence;id=desk", ""), Ok(desk), "the same again");
        for (id, event_id) in [(plain, "<null>"), (desk, "desk")] {
            let line = format!("EVENT|{id}|{event_id}|");
            eventually(SOON, &line, || (!server.log().since(mark, &line).is_empty()).then_some(()));
        }
        for event in ["presence;id=", "presence;id=car", "presence;id=DESK", "presence;id=desk2"] {
            assert_eq!(desks.notify(Notify::active(600).event(event)).status(), 489, "{event}");
        }
        assert_eq!(desks.notify(Notify::active(600).event("presence ; x=y;id=desk")).status(), 200);
        assert_eq!(desks.notify(Notify::active(600).event("presence")).status(), 200, "some leave it out");
        assert_eq!(dialog.notify(Notify::active(600).event("presence;id=desk")).status(), 489);

        assert!(call(&server, "credentials", &record, "presence;id=car", ""));
        assert!(!call(&server, "credentials", &record, "presence;id=bus", ""));
        assert!(call(&server, "unsubscribe", &record, "presence;id=car", ""));
        farewell(&mut cars);
        assert!(!call(&server, "unsubscribe", &record, "presence;id=car", ""), "it has gone");
        assert!(call(&server, "unsubscribe", &record, "", ""));
        farewell(&mut dialog);
        server.end(desk, &mut desks);
    });
    server.stop();
}

#[test]
fn its_own_expiry_in_every_subscribe() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().start();
    leaves_nothing(&server, || {
        for function in ["subscribe", "subscribe_with"] {
            assert!(call(&server, function, &record, "dialog", "expires=77"));
            let first = notifier.expect_subscribe(SOON);
            assert_eq!(first.header("Expires"), Some("77"), "{}", first.message);
            let mut dialog = notifier.activate(&first, 600);
            let id = subscribe(&server, &record, "dialog", "expires=77").expect("the same again");
            let shown = server.await_shown(id, "state", "confirmed");
            assert!(shown["expires_in"].as_u64().is_some_and(|left| left <= 77), "{shown}");
            server.refresh(id);
            let refresh = dialog.expect_subscribe(SOON);
            assert_eq!(refresh.header("Expires"), Some("77"), "{}", refresh.message);
            dialog.accept(&refresh, 77);
            server.await_shown(id, "state", "confirmed");
            server.end(id, &mut dialog);
        }
    });
    server.stop();
}

#[test]
fn rates_are_in_every_event_header() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().start();
    leaves_nothing(&server, || {
        let options = "max-rate=0.5; Min-Rate=\"0.10\"; adaptive-min-rate=0.2; id=desk";
        let event = Some("presence;id=desk;max-rate=0.5;min-rate=0.1;adaptive-min-rate=0.2");
        let id = subscribe(&server, &record, "presence", options).expect("an id");
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(first.header("Event"), event);
        let mut dialog = notifier.accept(&first, 600);
        for (event, status) in [
            ("presence;id=desk", 200),
            ("presence;id=desk;max-rate=0.5", 200),
            ("presence;max-rate=9;id=desk;min-rate=1", 200),
            ("presence;max-rate=0.5", 200),
            ("presence;max-rate=0.5;id=other", 489),
        ] {
            let notify = Notify::state("active;expires=600;max-rate=0.5;min-rate=0.1").event(event);
            assert_eq!(dialog.notify(notify).status(), status, "{event}");
        }
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.header("Event"), event);
        dialog.accept(&refresh, 600);
        server.await_shown(id, "state", "confirmed");
        dialog.event = "presence;id=desk".into();
        server.unsubscribe(id);
        let farewell = dialog.expect_subscribe(SOON);
        assert_eq!((farewell.header("Event"), farewell.header("Expires")), (event, Some("0")));
        dialog.accept(&farewell, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
        server.await_no_subscription();
    });
    server.stop();
}

/// One sentence says which option, what it is and what it may be; nothing is sent.
#[test]
fn wrong_options_are_refused() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder()
        .allow_log("b2b_subscribe: option ")
        .allow_log("b2b_subscribe: unknown option \"exipres\"")
        .allow_log("b2b_subscribe: package \"presence;expires=60\": only an id")
        .allow_log("unknown event package \"presense\"")
        .start();
    leaves_nothing(&server, || {
        for (package, options, said) in [
            ("presence", "exipres=60", "unknown option \"exipres\": did you mean expires?"),
            ("presence", "expires=60;expires=70", "option expires is given again, as \"70\", but may be given once"),
            ("presence", "expires=0", "option expires is \"0\", but must be 1 to 315360000 seconds"),
            (
                "presence",
                "filter=x",
                "option filter is \"x\", but must be the name of a modparam filter: known are none",
            ),
            ("presence", "header=\"Via: x\"", "option header is \"Via: x\", but must be another header than Via"),
            ("presence", "header=X", "option header is \"X\", but must be one header line, such as"),
            ("presence", "outbound=proxy", "option outbound is \"proxy\", but must be a SIP URI, such as"),
            ("presence", "target=nat", "option target is \"nat\", but must be contact or source"),
            ("presence", "list=yes", "option list is \"yes\", but must be without a value"),
            ("presence", "lenient=1", "option lenient is \"1\", but must be without a value"),
            ("presence", "max-rate=0", "option max-rate is \"0\", but must be notifications per second, more than 0"),
            ("presence", "max-rate=1;min-rate=2", "option min-rate is \"2\", but must be no more than option max-rate"),
            ("presence", "fetch=3601", "option fetch is \"3601\", but must be 1 to 3600 seconds, or without a value"),
            ("presence", "fetch;expires=9", "option expires is \"9\", but must be omitted if option fetch is given"),
            ("presence", "id=\"a b\"", "option id is \"a b\", but must be a token"),
            ("presence;id=a", "id=b", "option id is given again, as \"b\", but may be given once"),
            ("presence;id=", "", "option id is \"\", but must be a token"),
            ("presence;expires=60", "", "package \"presence;expires=60\": only an id may follow the package name"),
            ("presense;id=a", "", "unknown event package \"presense\""),
        ] {
            let fault = subscribe(&server, &record, package, options).expect_err(options);
            assert!(fault.contains(said), "{options}: {fault}");
            for function in ["subscribe", "subscribe_with"] {
                let mark = server.log().mark();
                assert!(!call(&server, function, &record, package, options), "{options}");
                let lines = server.log().since(mark, "ERROR: presence_b2b");
                assert!(lines.len() == 1 && lines[0].contains(said), "{options}: {lines:?}");
            }
        }
        assert_eq!(server.trace()["created"], 0);
    });
    server.stop();
}

#[test]
fn asked_for_again_with_other_options() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().allow_log("other options (expires) than subscription ").start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &record, "", "expires=60").expect("an id");
        let mut dialog = accepted(&notifier, "presence", "60");
        assert_eq!(subscribe(&server, &record, "presence", "Expires=\"60\""), Ok(id));
        for other in ["", "expires=61"] {
            let fault = subscribe(&server, &record, "presence", other).expect_err(other);
            let said =
                format!("other options (expires) than subscription {id} has, which asks for the same: end it first");
            assert!(fault.contains(&said), "{fault}");
            assert!(!call(&server, "subscribe", &record, "presence", other));
        }
        assert_eq!(server.trace()["subscriptions"], 1);
        server.end(id, &mut dialog);
    });
    server.stop();
}
