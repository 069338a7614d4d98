//! `b2b_subscribe()`, `b2b_unsubscribe()` and `event_route[qsa:notify]` in the native script.

use std::time::Duration;

use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Received};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::route::after_notifies;
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};

/// An OPTIONS with X-Do says what to call with which parameters; the answer is 200 for true and 403 for false.
const ROUTE: &str = r#"    $var(record) = $hdr(X-Record);
    $avp(subscriber) = $hdr(X-Subscriber);
    $var(done) = -1;
    switch ($hdr(X-Do)) {
        case "subscribe2":
            if (b2b_subscribe("$var(record)", "$avp(subscriber)")) $var(done) = 1;
            break;
        case "subscribe3":
            if (b2b_subscribe("$hdr(X-Record)", "sip:$hdr(X-User)@{ip}", "$hdr(X-Package)")) $var(done) = 1;
            break;
        case "subscribe4":
            if (b2b_subscribe("$var(record)", "$avp(subscriber)", "$hdr(X-Package)", "$hdr(X-Flags)")) $var(done) = 1;
            break;
        case "unsubscribe2":
            if (b2b_unsubscribe("$var(record)", "$avp(subscriber)")) $var(done) = 1;
            break;
        case "unsubscribe3":
            if (b2b_unsubscribe("$var(record)", "$avp(subscriber)", "$hdr(X-Package)")) $var(done) = 1;
            break;
    }
    if ($var(done) > 0) {
        sl_send_reply("200", "True");
    } else {
        sl_send_reply("403", "False");
    }
}
"#;

fn builder() -> Builder {
    Server::b2b().b2b_param("min_resubscribe_time", 0).route(&after_notifies(ROUTE))
}

/// The client that makes the script do things.
struct Caller<'s> {
    server: &'s Server,
    endpoint: Endpoint,
    subscriber: String,
}

impl<'s> Caller<'s> {
    fn new(server: &'s Server) -> Caller<'s> {
        Caller { server, endpoint: Endpoint::udp(), subscriber: server.uri("watcher") }
    }

    /// Whether the function was true.
    fn call(&self, function: &str, record: &str, headers: &[(&str, &str)]) -> bool {
        let uri = self.server.uri("script");
        let request = self.endpoint.fresh_request("OPTIONS", &uri, &uri, &uri);
        let request = request.with("X-Do", function).with("X-Record", record).with("X-Subscriber", &self.subscriber);
        let request = headers.iter().fold(request, |request: Message, (name, value)| request.set(name, value));
        let answer: Received = self.endpoint.exchange(&request, self.server.addr(), SOON);
        assert!([200, 403].contains(&answer.status()), "{}", answer.message);
        answer.status() == 200
    }

    /// The function is false, and one line of the log, no more, says why.
    fn assert_false(&self, function: &str, record: &str, headers: &[(&str, &str)], parts: &[&str]) {
        let mark = self.server.log().mark();
        assert!(!self.call(function, record, headers));
        let lines = self.server.log().since(mark, "presence_b2b");
        let [line] = &lines[..] else { panic!("not one line: {lines:?}") };
        for part in ["ERROR", function.trim_end_matches(char::is_numeric)].iter().chain(parts) {
            assert!(line.contains(part), "{line:?} lacks {part:?}");
        }
    }
}

#[test]
fn two_to_four_parameters_with_variables() {
    let notifier = Notifier::udp();
    let server = builder().allow_log("b2b_unsubscribe: no such subscription").start();
    let caller = Caller::new(&server);
    let record = notifier.uri("alice");
    leaves_nothing(&server, || {
        let user = ("X-User", "watcher");
        for (subscribe, unsubscribe, package, flags) in [
            ("subscribe2", "unsubscribe2", "presence", ""),
            ("subscribe3", "unsubscribe3", "dialog", ""),
            ("subscribe4", "unsubscribe3", "message-summary", ""),
        ] {
            let headers = [("X-Package", package), ("X-Flags", flags), user];
            assert!(caller.call(subscribe, &record, &headers));
            let first = notifier.expect_subscribe(SOON);
            assert_eq!((first.uri(), first.header("Event")), (&record[..], Some(package)));
            assert_eq!(first.uri_in("From"), Some(&caller.subscriber[..]));
            assert!(caller.call(subscribe, &record, &headers), "there already: true again");
            let mut dialog = notifier.activate(&first, 600);
            assert!(caller.call(subscribe, &record, &headers));
            assert_eq!(server.trace()["subscriptions"], 1, "the same one");

            assert!(caller.call(unsubscribe, &record, &headers));
            crate::support::b2b::farewell(&mut dialog);
            server.await_no_subscription();
            caller.assert_false(unsubscribe, &record, &headers, &["no such subscription"]);
        }
        assert!(notifier.try_subscribe(Duration::ZERO).is_none());
    });
    server.stop();
}

#[test]
fn what_cannot_be_is_refused_with_one_line() {
    let server = builder()
        .allow_log("the record is not a SIP URI")
        .allow_log("the subscriber is not a SIP URI")
        .allow_log("unknown event package \"presense\"")
        .allow_log("unknown flag in \"dx\"")
        .allow_log("the flag d needs the module dialog")
        .allow_log("b2b_unsubscribe: no such subscription")
        .start();
    let caller = Caller::new(&server);
    let record = "sip:alice@192.0.2.1";
    leaves_nothing(&server, || {
        for bad in ["alice", "tel:+4930123", "sip:", "sip:alice@[::1", "http://alice@192.0.2.1"] {
            caller.assert_false("subscribe2", bad, &[], &[bad, "the record is not a SIP URI"]);
            let subscriber = [("X-Subscriber", bad)];
            caller.assert_false("subscribe2", record, &subscriber, &["the subscriber is not a SIP URI"]);
        }
        let presense = [("X-User", "watcher"), ("X-Package", "presense")];
        caller.assert_false("subscribe3", record, &presense, &["unknown event package \"presense\"", "presence, "]);
        caller.assert_false("unsubscribe3", record, &presense, &["unknown event package \"presense\""]);
        let flag = [("X-Package", "presence"), ("X-Flags", "dx")];
        caller.assert_false("subscribe4", record, &flag, &["unknown flag in \"dx\""]);
        let flag = [("X-Package", "presence"), ("X-Flags", "d")];
        caller.assert_false("subscribe4", record, &flag, &["the flag d needs the module dialog"]);
        caller.assert_false("unsubscribe2", record, &[], &["no such subscription"]);
        assert_eq!(server.trace()["subscriptions"], 0);
    });
    server.stop();
}

const FIELDS: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "FIELDS id=$qsa(id) record=$qsa(record) subscriber=$qsa(subscriber) package=$qsa(package).\n");
    xlog("L_NOTICE", "FIELDS status=$qsa(status) code=$qsa(code) reason=$qsa(reason) next_attempt=$qsa(next_attempt).\n");
    xlog("L_NOTICE", "FIELDS basic=$qsa(basic) note=$qsa(note) content_type=$qsa(content_type) body=$qsa(body).\n");
}"#;

/// The route's lines behind the first `known` since `mark`, three of them, as one text.
fn told(server: &Server, mark: Mark, known: usize) -> String {
    let text = eventually(SOON, "the event route runs", || {
        let text = server.log().text_since(mark);
        let parts: Vec<&str> = text.split("FIELDS ").skip(1 + known).collect();
        (parts.len() >= 3 && parts[2].contains(".\n")).then(|| parts[..3].concat())
    });
    text.replace("\r\n", "\n")
}

fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
}

#[test]
fn every_field_of_the_event_route() {
    let notifier = Notifier::udp();
    let server = builder().route(FIELDS).start();
    let (record, subscriber) = (notifier.uri("alice"), server.uri("watcher"));
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let id = server.subscribe(&record, &subscriber);
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let who = format!("id={id} record={record} subscriber={subscriber} package=presence.");

        dialog.notify(Notify::pending(600));
        let text = told(&server, mark, 0);
        assert_has(&text, &[&who, "status=pending code=0 reason= next_attempt=<null>."]);
        assert_has(&text, &["basic=<null> note=<null> content_type=<null> body=<null>."]);

        let document = pidf(&record, "closed", Some("at lunch"));
        dialog.notify(Notify::state("active;expires=600;reason=probation").pidf(&document));
        let text = told(&server, mark, 3);
        assert_has(&text, &["status=active code=0 reason=probation next_attempt=<null>."]);
        assert_has(&text, &["basic=closed note=at lunch content_type=application/pidf+xml"]);
        assert_has(&text, &[&format!("body={document}.")]);

        dialog.notify(Notify::terminated("probation", 45));
        let text = told(&server, mark, 6);
        assert_has(&text, &[&who, "status=terminated code=0 reason=probation next_attempt=45."]);
        server.unsubscribe(id);
        server.await_no_subscription();
    });
    server.stop();
}

/// Outside of the event route there is nothing to show; a field that does not exist is a mistake in the script.
#[test]
fn fields_elsewhere() {
    let route = r#"request_route { if ($qsa(status) == $null) { sl_send_reply("200", "Null"); } exit; }"#;
    let server = Server::b2b().route(route).start();
    let peer = Endpoint::udp();
    let uri = server.uri("a");
    let answer = peer.exchange(&peer.fresh_request("OPTIONS", &uri, &uri, &uri), server.addr(), SOON);
    assert_eq!(answer.status(), 200);
    server.stop();
    let route = r#"request_route { xlog("$qsa(colour)\n"); }"#;
    let said = Server::b2b().route(route).start_refused();
    assert!(said.contains("qsa(colour)"), "{said}");
}

/// A NOTIFY that cannot be answered, or not in this route, is neither delivered nor counted: `handle_notify()` refuses and says why.
#[test]
fn handle_notify_has_its_place() {
    let tail = "if (handle_notify()) xlog(\"L_ERR\", \"it was true\\n\"); exit;";
    for (place, route, said) in [
        (
            "after a stateless answer",
            format!("sl_send_reply(\"202\", \"Mine\"); {tail}"),
            "has answered this request already",
        ),
        (
            "after an answer",
            format!("t_newtran(); t_reply(\"202\", \"Mine\"); {tail}"),
            "has answered this request already",
        ),
        (
            "in a failure route",
            "t_on_failure(\"LATE\"); $du = \"sip:127.0.0.1:9\"; t_set_fr(100, 100); t_relay(); exit;".to_owned(),
            "called outside request_route",
        ),
    ] {
        let late = "failure_route[LATE] { route(IT); t_reply(\"202\", \"Mine\"); } route[IT] { if (handle_notify()) xlog(\"L_ERR\", \"it was true\\n\"); }";
        let whole = format!("request_route {{ {route} }} {late}");
        let notifier = Notifier::udp();
        let server = Server::b2b().route(&whole).b2b_param("min_resubscribe_time", 0).allow_log(said).start();
        let mark = server.log().mark();
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(
            dialog.notify(Notify::active(600)).status(),
            202,
            "{place}: the script's own answer is the only one"
        );
        // The answer leaves before the script goes on.
        let lines = eventually(SOON, "the log says why", || {
            Some(server.log().since(mark, "handle_notify: ")).filter(|lines| !lines.is_empty())
        });
        assert!(lines.len() == 1 && lines[0].contains(said), "{place}: {lines:?}");
        assert_eq!(server.log().since(mark, "it was true"), [""; 0], "{place}");
        assert_eq!(server.show(id)["notifies"], 0, "{place}");
        assert_eq!(server.trace()["received"], 0, "{place}");
        server.stop();
    }
}

/// The host's parser goes on where it has stopped: what the script has read of a 2xx is not behind that place.
#[test]
fn what_the_script_has_read_of_an_answer_counts() {
    let route = r#"onreply_route {
    if ($tU == "contact") $var(read) = $ct;
    if ($tU == "expires") $var(read) = $sel(expires);
    if ($tU == "route") $var(read) = $sel(record_route);
    if ($tU == "all") $var(read) = $hdr(X-None);
    return 1;
}"#;
    let notifier = Notifier::udp();
    let server = builder().route(route).start();
    let contact = notifier.uri("desk");
    let (of_contact, route) = (format!("<{contact}>"), format!("<sip:{};lr>", notifier.endpoint.addr()));
    let [contact_line, expires, record_route] =
        [("Contact", &*of_contact), ("Expires", "500"), ("Record-Route", &*route)];
    leaves_nothing(&server, || {
        // With a Record-Route, all headers are parsed in any case.
        for (user, headers) in [
            ("nothing", &[contact_line, expires][..]),
            ("contact", &[contact_line, expires]),
            ("expires", &[expires, contact_line]),
            ("route", &[record_route, contact_line, expires]),
            ("all", &[contact_line, expires]),
        ] {
            let id = server.subscribe(&notifier.uri(user), &server.uri("watcher"));
            let subscribe = notifier.expect_subscribe(SOON);
            let mut dialog = notifier.dialog(&subscribe);
            let answer = headers.iter().fold(dialog.response(&subscribe, 200).without("Contact"), |answer, header| {
                answer.with(header.0, header.1)
            });
            notifier.endpoint.answer(&subscribe, &answer);
            let shown = server.show_when(id, "the 2xx is in", |shown| shown["last_reply"] == 200);
            assert_eq!(shown["remote_target"], *contact, "{user}: {shown}");
            let left = shown["expires_in"].as_u64().expect("a number");
            assert!((400..=500).contains(&left), "{user}: {shown}");
            server.unsubscribe(id);
            let farewell = dialog.expect_subscribe(SOON);
            let routes = if user == "route" { vec![&*route] } else { vec![] };
            assert_eq!((farewell.uri(), farewell.headers("Route")), (&*contact, routes), "{user}");
            dialog.accept(&farewell, 0);
            assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
            server.await_no_subscription();
        }
    });
    server.stop();
}

/// The start is refused with one error of the module, which says all of `parts`; `kamailio -c` says the same.
fn assert_call_refused(call: &str, parts: &[&str]) {
    let route = format!("request_route {{ if ({call}) {{ exit; }} }}");
    let said = Server::b2b().route(&route).start_refused();
    let errors: Vec<&str> = said.lines().filter(|line| line.contains("ERROR: presence_b2b")).collect();
    let [error] = errors[..] else { panic!("{call}: not one error of the module:\n{said}") };
    for part in parts {
        assert!(error.contains(part), "{call}: {error:?} lacks {part:?}");
    }
}

/// Constants that can never be right refuse the start.
#[test]
fn bad_constants_refuse_the_start() {
    for (call, parts) in [
        (r#"b2b_subscribe("alice", "$fu")"#, &["b2b_subscribe, parameter 1", "\"alice\" is not a SIP URI"][..]),
        (r#"b2b_subscribe("$ru", "tel:+49301234")"#, &["parameter 2", "\"tel:+49301234\" is not a SIP URI"]),
        (r#"b2b_subscribe("$ru", "$fu", "presense")"#, &["parameter 3", "unknown event package \"presense\"", "reg"]),
        (r#"b2b_subscribe("$ru", "$fu", "presence", "x")"#, &["parameter 4", "unknown flag in \"x\""]),
        (
            r#"b2b_subscribe("$ru", "$fu", "presence", "expires=60")"#,
            &["parameter 4", "options are the fifth parameter"],
        ),
        (r#"b2b_subscribe("$ru", "$fu", "presence", "", "expire=60")"#, &["parameter 5", "\"expire\"", "expires"]),
        (r#"b2b_subscribe_with("$ru", "$fu", "", "", "share")"#, &["parameter 5", "option share"]),
        (r#"b2b_unsubscribe("sip:", "$fu")"#, &["b2b_unsubscribe, parameter 1", "is not a SIP URI"]),
        (r#"b2b_unsubscribe("$ru", "$fu", "dialogue")"#, &["parameter 3", "unknown event package \"dialogue\""]),
        (
            r#"b2b_subscribe("$ru", "$fu", "", "d")"#,
            &["b2b_subscribe, parameter 4", "the flag d needs the module dialog"],
        ),
        (
            r#"b2b_credentials("$ru", "$fu", "", "a:b", "$var(p)")"#,
            &["b2b_credentials, parameter 4", "contains a colon"],
        ),
        (r#"b2b_credentials("$ru", "$fu", "", "alice", "HA1:zz")"#, &["parameter 5", "HA1: must be followed by"]),
    ] {
        assert_call_refused(call, parts);
    }
}

/// Good constants, absent ones, a filter that is not known before the parameters are, and whatever has a pseudo-variable start.
#[test]
fn good_constants_and_variables_start() {
    let route = r#"
request_route {
    $var(bad) = "nonsense";
    if (is_method("OPTIONS")) {
        b2b_subscribe("sip:alice@example.com", "sips:bob@example.com", "presence;id=desk");
        b2b_subscribe("$ru", "$fu", "", "", "");
        b2b_subscribe("$var(bad)", "$fu", "$var(bad)", "$var(bad)", "$var(bad)");
        b2b_subscribe("$ru", "$fu", "presence", "", "filter=unknown");
        b2b_unsubscribe("$var(bad)", "sip:bob@example.com", "reg");
        b2b_credentials("$ru", "$fu", "", "alice", "wonderland");
    }
    sl_send_reply("200", "OK");
}
"#;
    Server::b2b().route(route).start().stop();
}
