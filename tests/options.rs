//! The options of a subscription, on the wire.

use std::time::Duration;

use serde_json::json;

use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Received, Transport};
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::presence_server::PresenceServer;
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};

/// An OPTIONS with X-Do says what to call; the answer is 200 for true and 403 for false.
const ROUTE: &str = r#"
request_route {
    if (is_method("NOTIFY")) {
        if (!handle_notify()) {
            sl_send_reply("481", "Subscription does not exist");
        }
        exit;
    }
    $var(done) = -1;
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

fn builder() -> Builder {
    Server::b2b().b2b_param("min_resubscribe_time", 0).route(ROUTE)
}

/// Whether the script's function was true.
fn call(server: &Server, function: &str, record: &str, package: &str, options: &str) -> bool {
    let peer = Endpoint::udp();
    let uri = server.uri("script");
    let request = peer.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Do", function).with("X-Record", record);
    let request = request.with("X-Subscriber", server.uri("watcher")).with("X-Package", package);
    let answer = peer.exchange(&request.with("X-Options", options), server.addr(), SOON);
    assert!([200, 403].contains(&answer.status()), "{}", answer.message);
    answer.status() == 200
}

/// Subscribes by RPC; the id, or what the fault says.
fn subscribe(server: &Server, record: &str, package: &str, options: &str) -> Result<u64, String> {
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
    let mut dialog = notifier.accept(&first, 600);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
    dialog
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
            let mut dialog = notifier.accept(&first, 600);
            assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
            let id = subscribe(&server, &record, "dialog", "expires=77").expect("the same again");
            let shown = server.show_when(id, "it stands", |shown| shown["state"] == "confirmed");
            assert!(shown["expires_in"].as_u64().is_some_and(|left| left <= 77), "{shown}");
            server.refresh(id);
            let refresh = dialog.expect_subscribe(SOON);
            assert_eq!(refresh.header("Expires"), Some("77"), "{}", refresh.message);
            dialog.accept(&refresh, 77);
            server.show_when(id, "it stands", |shown| shown["state"] == "confirmed");
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
        server.show_when(id, "it stands", |shown| shown["state"] == "confirmed");
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

const FILTER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<filter-set xmlns="urn:ietf:params:xml:ns:simple-filter">
  <ns-bindings><ns-binding prefix="pidf" urn="urn:ietf:params:xml:ns:pidf"/></ns-bindings>
  <filter id="1"><what><include type="xpath">/pidf:presence/pidf:tuple/pidf:status/pidf:basic</include></what></filter>
</filter-set>
"#;

/// A server with two filters.
fn filtering() -> Builder {
    let builder = builder()
        .file("open.xml", FILTER)
        .file("none.xml", "<a:filter-set xmlns:a=\"urn:ietf:params:xml:ns:simple-filter\"/>");
    builder.b2b_param("filter", "none={dir}/none.xml").b2b_param("filter", "open = {dir}/open.xml")
}

/// What a SUBSCRIBE brings along.
fn body(subscribe: &Message) -> (Option<&str>, &str) {
    (subscribe.header("Content-Type"), std::str::from_utf8(&subscribe.body).expect("a text"))
}

#[test]
fn a_filter_goes_with_what_opens_a_dialog() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = filtering().b2b_param("on_error_retry_time", 1).start();
    leaves_nothing(&server, || {
        let with_filter = (Some("application/simple-filter+xml"), FILTER);
        let id = subscribe(&server, &record, "presence", "filter=open").expect("an id");
        notifier.reject(&notifier.expect_subscribe(SOON), 488, &[]);
        let shown = server.show_when(id, "it is refused", |shown| shown["state"] == "waiting");
        assert_eq!(shown["last_reply"], 488, "an ordinary refusal");
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(body(&first), with_filter);
        assert_eq!(first.headers("Content-Type").len(), 1);
        let mut dialog = notifier.accept(&first, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(body(&refresh), (None, ""), "the dialog keeps it");
        dialog.answer(&refresh, 481, &[]);
        let again = notifier.expect_subscribe(SOON);
        assert_eq!(body(&again), with_filter, "a new dialog does not");
        let mut dialog = notifier.accept(&again, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.show_when(id, "it stands", |shown| shown["state"] == "confirmed");
        server.end(id, &mut dialog);

        let other = subscribe(&server, &record, "presence", "filter=none;fetch").expect("an id");
        let first = fetched(&notifier);
        assert!(body(&first).1.starts_with("<a:filter-set "), "{}", first.message);
        let fault = subscribe(&server, &record, "presence", "filter=open;fetch").expect_err("another filter");
        assert!(fault.contains("with other options"), "{fault}");
        notifier.reject(&first, 415, &[]);
        server.await_no_subscription();
        assert!(server.rpc("presence_b2b.show", json!([other])).is_err());

        let fault = subscribe(&server, &record, "presence", "filter=shut").expect_err("no such filter");
        let said = "option filter is \"shut\", but must be the name of a modparam filter: known are none, open";
        assert!(fault.contains(said), "{fault}");
    });
    server.stop();
}

/// A real server reads the message, body and all.
#[test]
fn a_real_presence_server_does_not_mind_a_filter() {
    let presence = PresenceServer::start();
    let server = filtering().start();
    leaves_nothing(&server, || {
        for transport in [Transport::Udp, Transport::Tcp] {
            let record = presence.uri_over("alice", transport);
            presence.publish("alice", &pidf(&presence.uri("alice"), "open", Some("at the desk")));
            let mut news = Newsreader::new(&server);
            subscribe(&server, &record, "presence", "filter=open;fetch").expect("an id");
            assert_eq!(news.next("the state").note, "at the desk");
            server.await_no_subscription();
        }
    });
    server.stop();
    presence.stop();
}

/// Quality of protection `auth-int`: the filter is protected too (RFC 7616 §3.4.3).
#[test]
fn a_filter_is_hashed_where_the_body_is() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = filtering().b2b_param("credential", "watcher:desk:secret").start();
    leaves_nothing(&server, || {
        subscribe(&server, &record, "presence", "filter=open;fetch").expect("an id");
        let challenge = ("WWW-Authenticate", "Digest realm=\"desk\", nonce=\"n\", qop=\"auth-int\"");
        notifier.reject(&fetched(&notifier), 401, &[challenge]);
        let second = fetched(&notifier);
        assert_eq!(body(&second).1, FILTER);
        let value = second.need("Authorization");
        let part = |name: &str| {
            let (_, rest) = value.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("no {name}: {value}"));
            rest.split(',').next().unwrap_or_default().trim_matches('"').to_owned()
        };
        let key = md5("watcher:desk:secret");
        let request = md5(&format!("SUBSCRIBE:{}:{}", second.uri(), md5(FILTER)));
        let expected = md5(&format!("{key}:n:{}:{}:auth-int:{request}", part("nc"), part("cnonce")));
        assert_eq!(part("response"), expected, "{value}");
        notifier.reject(&second, 404, &[]);
        server.await_no_subscription();
    });
    server.stop();
}

fn md5(text: &str) -> String {
    use md5::Digest;
    md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the event route is told last; nothing is left of the fetch.
fn last(news: &mut Newsreader<'_>, server: &Server) -> (String, u16, String) {
    let told = news.next("the last word");
    assert_eq!(told.next_attempt, None, "{told:?}");
    server.await_no_subscription();
    news.assert_no_more();
    (told.status, told.code, told.reason)
}

fn words(status: &str, code: u16, reason: &str) -> (String, u16, String) {
    (status.to_owned(), code, reason.to_owned())
}

/// Takes the SUBSCRIBE of a fetch.
fn fetched(notifier: &Notifier) -> Received {
    let first = notifier.expect_subscribe(SOON);
    assert_eq!(first.header("Expires"), Some("0"), "{}", first.message);
    first
}

/// From a real presence server, which says in its NOTIFY that this was all.
fn a_fetch_from_a_real_presence_server(transport: Transport) {
    let presence = PresenceServer::start();
    let server = builder().allow_log("b2b_unsubscribe: no such subscription").start();
    let record = presence.uri_over("alice", transport);
    leaves_nothing(&server, || {
        presence.publish("alice", &pidf(&presence.uri("alice"), "open", Some("at the desk")));
        let mut news = Newsreader::new(&server);
        let id = subscribe(&server, &record, "presence", "fetch").expect("an id");
        let told = news.next("the state");
        assert_eq!((told.id, &told.status[..], &told.reason[..]), (id, "terminated", "timeout"));
        assert_eq!((&told.basic[..], &told.note[..], told.next_attempt), ("open", "at the desk", None));
        server.await_no_subscription();
        news.assert_no_more();
        assert!(server.rpc("presence_b2b.show", json!([id])).is_err());
        assert!(!call(&server, "unsubscribe", &record, "presence", ""), "nothing is left");
    });
    server.stop();
    presence.stop();
}

#[test]
fn a_fetch_from_a_real_presence_server_over_udp() {
    a_fetch_from_a_real_presence_server(Transport::Udp);
}

#[test]
fn a_fetch_from_a_real_presence_server_over_tcp() {
    a_fetch_from_a_real_presence_server(Transport::Tcp);
}

#[test]
fn any_notify_is_the_result_of_a_fetch_and_the_last() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().start();
    leaves_nothing(&server, || {
        for (notify, status, reason) in [
            (Notify::active(600), "active", ""),
            (Notify::pending(600), "pending", ""),
            (Notify::terminated("timeout", 0), "terminated", "timeout"),
            (Notify::terminated("probation", 5), "terminated", "probation"),
            (Notify::terminated("rejected", 0), "rejected", "rejected"),
        ] {
            for is_early in [false, true] {
                let mut news = Newsreader::new(&server);
                assert!(call(&server, "subscribe", &record, "presence", "fetch"));
                let first = fetched(&notifier);
                let mut dialog = notifier.dialog(&first);
                if !is_early {
                    dialog.accept(&first, 0);
                }
                let answer = dialog.notify(notify.clone().pidf(&pidf(&record, "open", None)));
                assert_eq!(answer.status(), 200);
                if is_early {
                    dialog.accept(&first, 0);
                }
                assert_eq!(last(&mut news, &server), words(status, 0, reason));
                assert_eq!(news.all()[0].basic, "open");
                assert_eq!(dialog.notify(Notify::active(600)).status(), 481, "nobody listens any more");
            }
        }
    });
    server.stop();
}

#[test]
fn a_fetch_without_a_result_says_so() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    // The transaction of the one that nobody answers outlives it.
    let server = builder().gives_up_after(3000).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let begin = || subscribe(&server, &record, "presence", "fetch=2").expect("an id");
        begin();
        let first = fetched(&notifier);
        let mut dialog = notifier.accept(&first, 0);
        assert_eq!(last(&mut news, &server), words("terminated", 0, "no NOTIFY"));
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 481, "too late");
        begin();
        fetched(&notifier);
        assert_eq!(last(&mut news, &server), words("terminated", 408, "Request Timeout"));
        for (code, status) in [(404, "terminated"), (489, "rejected"), (500, "terminated")] {
            begin();
            notifier.reject(&fetched(&notifier), code, &[]);
            assert_eq!(last(&mut news, &server), words(status, code, "Scripted"));
        }
    });
    server.stop();
}

#[test]
fn a_fetch_follows_and_answers_and_retries() {
    let [notifier, other] = [Notifier::udp(), Notifier::udp()];
    let record = notifier.uri("alice");
    let server =
        builder().b2b_param("credential", "watcher:desk:secret").b2b_param("credential_domain", "desk=*").start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        subscribe(&server, &record, "presence", "fetch=60").expect("an id");
        notifier.reject(&fetched(&notifier), 503, &[("Retry-After", "1")]);
        let told = news.next("the failure");
        assert_eq!((told.code, told.next_attempt), (503, Some(1)));
        notifier.redirect(&fetched(&notifier), &[&other.uri("alice")]);
        let challenge = ("WWW-Authenticate", "Digest realm=\"desk\", nonce=\"n\", qop=\"auth\"");
        other.reject(&fetched(&other), 401, &[challenge]);
        let first = fetched(&other);
        assert!(first.header("Authorization").is_some(), "{}", first.message);
        let mut dialog = other.accept(&first, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
        assert_eq!(last(&mut news, &server), words("terminated", 0, "timeout"));
    });
    server.stop();
}

#[test]
fn a_fetch_is_ended_without_a_word() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().start();
    leaves_nothing(&server, || {
        let news = Newsreader::new(&server);
        for is_answered in [false, true] {
            let id = subscribe(&server, &record, "presence", "fetch").expect("an id");
            let fault = subscribe(&server, &record, "presence", "").expect_err("it is no fetch");
            assert!(fault.contains("with other options"), "{fault}");
            let first = fetched(&notifier);
            let mut dialog = notifier.dialog(&first);
            if is_answered {
                dialog.accept(&first, 0);
                server.show_when(id, "it is accepted", |shown| shown["state"] == "confirmed");
            }
            server.unsubscribe(id);
            server.await_no_subscription();
            assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 481);
            if !is_answered {
                dialog.accept(&first, 0);
            }
            assert!(dialog.try_subscribe(Duration::ZERO).is_none(), "there is nothing to end");
        }
        news.assert_no_more();
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
        .allow_log("b2b_subscribe: \"presence;expires=60\" names a subscription")
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
            ("presence", "max-rate=0", "option max-rate is \"0\", but must be notifications per second, more than 0"),
            ("presence", "max-rate=1;min-rate=2", "option min-rate is \"2\", but must be no more than option max-rate"),
            ("presence", "fetch=3601", "option fetch is \"3601\", but must be 1 to 3600 seconds, or without a value"),
            (
                "presence",
                "fetch;expires=9",
                "option expires is \"9\", but must be left out where option fetch is given",
            ),
            ("presence", "id=\"a b\"", "option id is \"a b\", but must be a token"),
            ("presence;id=a", "id=b", "option id is given again, as \"b\", but may be given once"),
            ("presence;id=", "", "option id is \"\", but must be a token"),
            ("presence;expires=60", "", "\"presence;expires=60\" names a subscription, which only the option id does"),
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
    let server = builder().allow_log("there is this subscription with other options").start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &record, "", "expires=60").expect("an id");
        let mut dialog = accepted(&notifier, "presence", "60");
        assert_eq!(subscribe(&server, &record, "presence", "Expires=\"60\""), Ok(id));
        for other in ["", "expires=61"] {
            let fault = subscribe(&server, &record, "presence", other).expect_err(other);
            assert!(fault.contains("there is this subscription with other options"), "{fault}");
            assert!(!call(&server, "subscribe", &record, "presence", other));
        }
        assert_eq!(server.trace()["subscriptions"], 1);
        server.end(id, &mut dialog);
    });
    server.stop();
}
