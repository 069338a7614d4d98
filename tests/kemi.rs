//! The script's functions and the event callback from JavaScript (KEMI); what is the same in all languages is in the modules.

mod callback;
mod functions;
mod languages;
mod variables;

use serde_json::json;

use crate::documentation::all_fields;
use crate::event_route::said;
use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::leaks::leaves_nothing_anywhere;
use crate::support::log::Mark;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// An OPTIONS with X-Do says what to call; the answer's reason phrase is what the function returned.
const SCRIPT: &str = r#"
function ksr_request_route() {
    if (KSR.is_method("NOTIFY")) {
        if (KSR.presence_b2b.handle_notify() < 0) {
            KSR.sl.sl_send_reply(481, "Subscription does not exist");
        }
        return;
    }
    var get = function (name) { return KSR.pv.gete("$hdr(" + name + ")"); };
    var result = 0;
    if (get("X-Do") == "subscribe") {
        result = KSR.presence_b2b.b2b_subscribe(get("X-Record"), get("X-Subscriber"), get("X-Package"), get("X-Flags"));
    } else if (get("X-Do") == "subscribe_with") {
        result = KSR.presence_b2b.b2b_subscribe_with(
            get("X-Record"), get("X-Subscriber"), get("X-Package"), get("X-Flags"), get("X-Options"));
    } else {
        result = KSR.presence_b2b.b2b_unsubscribe(get("X-Record"), get("X-Subscriber"), get("X-Package"));
    }
    KSR.sl.sl_send_reply(200, "returned " + result);
}

function on_qsa(event) {
    var line = "NEWS";
    var fields = ["id", "record", "status", "code", "reason", "next_attempt", "basic", "note", "fork"];
    for (var i = 0; i < fields.length; i++) {
        line += "|" + KSR.pv.getvs("$qsa(" + fields[i] + ")", "<null>");
    }
    KSR.notice(line + "|" + event + "\n");
}
"#;

fn builder() -> Builder {
    Server::b2b().kemi(SCRIPT).b2b_param("min_resubscribe_time", 0).b2b_param("event_callback", "on_qsa")
}

/// What the function returned.
fn call(server: &Server, function: &str, record: &str, package: &str, flags: &str) -> String {
    call_with(server, function, record, package, flags, "")
}

fn call_with(server: &Server, function: &str, record: &str, package: &str, flags: &str, options: &str) -> String {
    let peer = Endpoint::udp();
    let uri = server.uri("script");
    let request = peer.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Do", function).with("X-Record", record);
    let request = request.with("X-Subscriber", server.uri("watcher"));
    let request = request.with("X-Package", package).with("X-Flags", flags).with("X-Options", options);
    let answer = peer.exchange(&request, server.addr(), SOON).to_string();
    let (first, _) = answer.split_once('\n').expect("a first line");
    first.strip_prefix("SIP/2.0 200 returned ").unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn subscribe_be_told_and_unsubscribe() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().children(1).b2b_param("workers", 1).start();
    leaves_nothing_anywhere(&server, || {
        let mut news = Newsreader::new(&server);
        assert_eq!(call(&server, "subscribe", &record, "presence", ""), "1");
        let first = notifier.expect_subscribe(SOON);
        assert_eq!((first.uri(), first.header("Event")), (&record[..], Some("presence")));
        assert_eq!(first.uri_in("From"), Some(&server.uri("watcher")[..]));
        assert_eq!(call(&server, "subscribe", &record, "", ""), "1", "there already; presence is the default");
        let mut dialog = notifier.accept(&first, 600);
        let answer = dialog.notify(Notify::active(600).pidf(&pidf(&record, "open", None)));
        assert_eq!(answer.status(), 200);
        let told = news.next("the callback runs");
        assert_eq!((&told.record, told.status.as_str(), told.code), (&record, "active", 0));
        assert_eq!((told.basic.as_str(), told.next_attempt), ("open", None));
        let mut stranger = dialog.clone();
        stranger.remote = "<sip:watcher@192.0.2.1>;tag=nobody".into();
        assert_eq!(stranger.notify(Notify::active(600)).status(), 481);

        assert_eq!(call(&server, "unsubscribe", &record, "presence", ""), "1");
        farewell(&mut dialog);
        server.await_no_subscription();
        news.assert_no_more();
    });
    let line = server.log().text().lines().rfind(|line| line.contains("NEWS|")).map(str::to_owned);
    assert!(line.is_some_and(|line| line.ends_with("|qsa:notify")), "the callback is told the event's name");
    server.stop();
}

#[test]
fn failures_are_told_and_refusals_are_negative() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder()
        .b2b_param("on_error_retry_time", 60)
        .allow_log("no subscription to alice: the record is not a SIP URI")
        .allow_log("unknown event package \"presense\"")
        .allow_log("unknown flag in \"x\"")
        .allow_log("the flag d needs the module dialog")
        .allow_log("b2b_unsubscribe: no such subscription")
        .start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        for (function, record, package, flags) in [
            ("subscribe", "alice", "presence", ""),
            ("subscribe", &record[..], "presense", ""),
            ("subscribe", &record[..], "presence", "x"),
            ("subscribe", &record[..], "presence", "d"),
            ("unsubscribe", &record[..], "presence", ""),
        ] {
            assert_eq!(call(&server, function, record, package, flags), "-1", "{function} {record} {package} {flags}");
        }
        assert_eq!(call(&server, "subscribe", &record, "dialog", ""), "1");
        notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
        let told = news.next("the failure");
        assert_eq!((told.status.as_str(), told.code, told.next_attempt), ("terminated", 404, Some(60)));
        assert_eq!(call(&server, "unsubscribe", &record, "dialog", ""), "1");
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn options_have_a_function_of_their_own() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().allow_log("option expires is \"no\", but must be").start();
    leaves_nothing(&server, || {
        let with = |options: &str| call_with(&server, "subscribe_with", &record, "presence", "", options);
        let mark = server.log().mark();
        assert_eq!(with("expires=no"), "-1");
        let lines = server.log().since(mark, "ERROR: presence_b2b");
        let said = "option expires is \"no\", but must be 1 to 315360000 seconds";
        assert!(lines.len() == 1 && lines[0].contains(said), "{lines:?}");
        for (options, event, expires) in [("", "presence", "3600"), ("id=desk;expires=77", "presence;id=desk", "77")] {
            assert_eq!(with(options), "1");
            let first = notifier.expect_subscribe(SOON);
            assert_eq!((first.header("Event"), first.header("Expires")), (Some(event), Some(expires)));
            let mut dialog = notifier.activate(&first, 60);
            assert_eq!(call(&server, "unsubscribe", &record, event, ""), "1");
            farewell(&mut dialog);
            server.await_no_subscription();
        }
    });
    server.stop();
}

/// As [`crate::event_route`] does natively: a text can be assigned to anything assignable, and does not change.
#[test]
fn every_field_can_be_assigned() {
    let fields = all_fields();
    let script = format!(
        r#"{SCRIPT}
function on_abuse(event) {{
    var fields = {fields:?};
    var tell = function () {{
        var line = "";
        for (var i = 0; i < fields.length; i++) {{
            line += fields[i] + "=" + KSR.pv.getvs("$qsa(" + fields[i] + ")", "<null>") + "|";
        }}
        return line;
    }};
    var before = tell();
    for (var i = 0; i < fields.length; i++) {{
        var name = "$qsa(" + fields[i] + ")";
        if (KSR.pv.is_null(name) > 0) {{
            continue;
        }}
        var value = KSR.pv.get(name);
        KSR.pv.sets("$ru", "" + value);
        KSR.pv.sets("$ru", "sip:you@192.0.2.1");
        KSR.pv.sets("$du", "" + value);
        KSR.pv.sets("$rU", "" + value);
        KSR.pv.sets("$fs", "" + value);
        KSR.pv.sets("$br", "" + value);
        KSR.setdsturi("" + value);
        KSR.corex.append_branch_uri("" + value);
        KSR.pv.gete("$(qsa(" + fields[i] + "){{s.striptail,1}})");
        KSR.pv.gete("$(qsa(" + fields[i] + "){{s.rtrim}})");
        KSR.xlog.xlog("L_NOTICE", "DU " + fields[i] + "=$(du).END\n");
    }}
    KSR.notice("SAME " + (before == tell()) + ".END\n");
    KSR.notice("TOLD " + before + ".END\n");
}}
"#
    );
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server =
        Server::b2b().kemi(&script).b2b_param("min_resubscribe_time", 0).b2b_param("event_callback", "on_abuse");
    let server = server
        .global("max_branches=30")
        .allow_log("parse_phostport(): ")
        .allow_log("append_branch(): max nr of branches exceeded")
        .allow_log("pv_set_branch(): append_branch action failed")
        .allow_log("pv_set_force_sock(): ")
        .allow_log("pv_set_branch(): str value required")
        .allow_log("sr_kemi_pv_sets(): unable to set pv [$")
        .start();
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let id = server.subscribe(&record, &server.uri("watcher"));
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        dialog.notify(Notify::active(600).pidf(&pidf(&record, "closed", Some("at lunch"))));
        assert_eq!(said(&server, mark, "SAME "), "true");
        assert!(said(&server, mark, "TOLD ").contains("basic=closed|note=at lunch|"));
        for (field, value) in [("record", &record[..]), ("status", "active"), ("id", &id.to_string())] {
            assert_eq!(said(&server, mark, &format!("DU {field}=")), value, "{field}");
        }
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// A callback may drop, with no further effect: it runs in an environment of its own.
#[test]
fn a_callback_may_drop() {
    let script = format!(
        r#"{SCRIPT}
function on_drop(event) {{
    KSR.notice("DROPPING " + KSR.pv.get("$qsa(status)") + ".END\n");
    KSR.x.drop();
}}
"#
    );
    let notifier = Notifier::udp();
    let server =
        Server::b2b().kemi(&script).b2b_param("min_resubscribe_time", 0).b2b_param("event_callback", "on_drop");
    let server = server.b2b_param("workers", 1).start();
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(said(&server, mark, "DROPPING "), "active");
        // The drop does not affect a SUBSCRIBE of the same worker.
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// The callback that a parameter names does not exist. The engine does not report that; the module does, once. Nothing else
/// is affected.
#[test]
fn a_callback_that_is_missing_harms_nobody() {
    let notifier = Notifier::udp();
    let server = builder()
        .b2b_param("event_callback", "nobody")
        .allow_log("the function nobody of modparam event_callback")
        .start();
    let told = || server.log().since(Mark::default(), "the function nobody of modparam event_callback");
    leaves_nothing(&server, || {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        eventually(SOON, "the log says so", || (!told().is_empty()).then_some(()));
        server.end(id, &mut dialog);
    });
    assert_eq!(told().len(), 1, "{:?}", told());
    server.stop();
}

/// One that fails at some messages only, after it has taken others, is noticed as well.
#[test]
fn a_callback_that_fails_later_is_noticed() {
    let script = format!(
        r#"{SCRIPT}
var messages = 0;
function on_some(event) {{
    messages++;
    if (messages == 1) {{
        KSR.notice("TAKEN " + KSR.pv.get("$qsa(status)") + ".END\n");
    }}
}}
"#
    );
    let notifier = Notifier::udp();
    let server = Server::b2b().kemi(&script).b2b_param("event_callback", "on_some").b2b_param("workers", 1);
    let server = server
        .b2b_param("min_resubscribe_time", 0)
        .allow_log("the function on_some of modparam event_callback has not read")
        .start();
    let mark = server.log().mark();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    assert_eq!(said(&server, mark, "TAKEN "), "active");
    assert!(server.log().since(mark, "event_callback").is_empty());
    assert_eq!(dialog.notify(Notify::pending(600)).status(), 200);
    eventually(SOON, "the log says so", || (!server.log().since(mark, "has not read").is_empty()).then_some(()));
    server.end(id, &mut dialog);
    server.stop();
}

/// A callback needs an engine to run it.
#[test]
fn a_callback_without_an_engine_refuses_the_start() {
    let said = Server::b2b().b2b_param("event_callback", "on_qsa").start_refused();
    assert!(said.contains("modparam event_callback is \"on_qsa\", but the script runs in no KEMI engine"), "{said}");
}

/// The callback is found again after the script was reloaded.
#[test]
fn a_reload_of_the_script_leaves_nothing_anywhere() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().children(1).b2b_param("workers", 1).start();
    leaves_nothing_anywhere(&server, || {
        let mut news = Newsreader::new(&server);
        server.rpc("app_jsdt.reload", json!([])).expect("it is loaded again");
        assert_eq!(call(&server, "subscribe", &record, "presence", ""), "1");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(Notify::active(600).pidf(&pidf(&record, "open", None))).status(), 200);
        assert_eq!(news.next("the callback runs").basic, "open");
        assert_eq!(call(&server, "unsubscribe", &record, "presence", ""), "1");
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}
