//! `presence_b2b.history`: what a subscription has been through, as its notifier has seen it.

use serde_json::{Value, json};

use crate::stored::{again, folder, settled, storing};
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

/// `presence_b2b.history`.
fn history(server: &Server, id: u64) -> Value {
    server.rpc("presence_b2b.history", json!([id])).expect("a history")
}

/// An event in few words: direction, event, kind, code, expires, reason and state; `-` for what it does not have.
fn line(event: &Value) -> String {
    let fields = ["direction", "event", "kind", "code", "expires", "reason", "state"];
    let word = |name: &&str| match &event[*name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    fields.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn lines(server: &Server, id: u64) -> Vec<String> {
    let history = history(server, id);
    history["events"].as_array().expect("a list").iter().map(line).collect()
}

/// Waits until the newest event begins so: the reply to the notifier leaves before others read what has happened.
fn await_newest(server: &Server, id: u64, begins: &str) -> Vec<String> {
    eventually(SOON, begins, || {
        Some(lines(server, id)).filter(|lines| lines.last().is_some_and(|line| line.starts_with(begins)))
    })
}

/// Whether a text is a time like `2026-11-27T21:45:14.123Z`.
fn is_time(text: &str) -> bool {
    let pattern = "0000-00-00T00:00:00.000Z";
    let suits = |(char, like): (char, char)| if like == '0' { char.is_ascii_digit() } else { char == like };
    text.len() == pattern.len() && text.chars().zip(pattern.chars()).all(suits)
}

#[test]
fn it_has_what_the_notifier_has_seen() {
    let server = Server::eager(100).b2b_param("history", 30).b2b_param("credential", "watcher:example:secret").start();
    let notifier = Notifier::udp();
    let watch = Watch::begin(&server, &notifier.uri("alice"));
    let id = watch.id;
    let challenge = "Digest realm=\"example\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"";
    notifier.reject(&notifier.expect_subscribe(SOON), 401, &[("WWW-Authenticate", challenge)]);
    notifier.reject(&notifier.expect_subscribe(SOON), 423, &[("Min-Expires", "7200")]);
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 7200);
    watch.await_state("confirmed");
    assert_eq!(dialog.notify(Notify::pending(7000)).status(), 200);
    await_newest(&server, id, "in NOTIFY pending");
    assert_eq!(dialog.notify(told(7000, "here")).status(), 200);
    assert_eq!(dialog.notify(Notify::active(7000).body("text/plain", "nothing of presence")).status(), 415);
    await_newest(&server, id, "in NOTIFY active 415");
    watch.refresh();
    dialog.answer(&dialog.expect_subscribe(SOON), 503, &[]);
    watch.await_state("confirmed");
    await_newest(&server, id, "in reply - 503");
    watch.unsubscribe();
    dialog.accept(&dialog.expect_subscribe(SOON), 0);
    watch.await_state("waiting_for_termination");

    let expected = [
        "none new - - - - waiting",
        "out SUBSCRIBE new - 3600 - unconfirmed",
        "in reply - 401 - - waiting",
        "out SUBSCRIBE retry - 3600 - unconfirmed",
        "in reply - 423 - - waiting",
        "out SUBSCRIBE retry - 7200 - unconfirmed",
        "in reply - 200 7200 OK confirmed",
        "in NOTIFY pending 200 7000 - confirmed",
        "in NOTIFY active 200 7000 - confirmed",
        "in NOTIFY active 415 7000 - confirmed",
        "none refresh - - - - confirmed",
        "out SUBSCRIBE refresh - 7200 - resubscription",
        "in reply - 503 - - confirmed",
        "none unsubscribe - - - - predestroyed",
        "out SUBSCRIBE end - 0 - predestroyed",
        "in reply - 200 0 OK waiting_for_termination",
    ];
    assert_eq!(lines(&server, id), expected);
    let history = history(&server, id);
    assert_eq!((&history["id"], &history["total"]), (&json!(id), &json!(expected.len())));
    assert_eq!(history["record"], notifier.uri("alice"));
    assert_eq!((&history["subscriber"], &history["package"]), (&json!(server.uri("watcher")), &json!("presence")));
    let times: Vec<_> =
        history["events"].as_array().unwrap().iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.iter().all(|time| is_time(time)) && times.is_sorted(), "{times:?}");

    assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    watch.await_gone(SOON);
    let fault = server.rpc("presence_b2b.history", json!([id])).expect_err("it has gone");
    assert_eq!((fault.code, fault.message), (404, format!("there is no subscription {id}")));
    server.stop();
}

#[test]
fn silence_and_an_end_by_the_notifier_are_events() {
    // A busy machine answers later than an idle one.
    let server = Server::eager(1).gives_up_after(3000).b2b_param("history", 30).start();
    let notifier = Notifier::udp();
    let watch = Watch::begin(&server, &notifier.uri("alice"));
    notifier.expect_subscribe(SOON);
    await_newest(&server, watch.id, "none timeout - 408");
    let mut dialog = eventually(SOON, "a SUBSCRIBE that can be answered", || {
        let next = notifier.try_subscribe(SOON)?;
        (next.cseq().0 > 1).then(|| notifier.activate(&next, 600))
    });
    // Two processes take them, so either may be first.
    let are_there = |lines: &Vec<String>| {
        ["in reply - 200", "in NOTIFY active"].iter().all(|begins| lines.iter().any(|line| line.starts_with(begins)))
    };
    eventually(SOON, "reply and NOTIFY", || Some(lines(&server, watch.id)).filter(are_there));
    assert_eq!(dialog.notify(Notify::terminated("we-are-closed", 100)).status(), 200);
    let lines = await_newest(&server, watch.id, "in NOTIFY terminated 200");
    let parts = ["out SUBSCRIBE new - 3600 - unconfirmed", "none timeout - 408 - Request Timeout waiting"];
    assert_eq!(lines[1..3], parts);
    assert_eq!(lines[3], "out SUBSCRIBE retry - 3600 - unconfirmed");
    assert_eq!(lines.last().unwrap(), "in NOTIFY terminated 200 - other waiting");
    server.stop();
}

#[test]
fn the_oldest_events_make_room() {
    let server = Server::b2b().b2b_param("history", 3).route(TELL).start();
    let notifier = Notifier::udp();
    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    for n in 1..=10 {
        assert_eq!(dialog.notify(told(600 + n, &format!("note {n}"))).status(), 200);
    }
    await_newest(&server, watch.id, "in NOTIFY active 200 610");
    let newest = [608, 609, 610].map(|expires| format!("in NOTIFY active 200 {expires} - confirmed"));
    assert_eq!(lines(&server, watch.id), newest);
    // Made, SUBSCRIBE, reply, and all NOTIFYs.
    assert_eq!(history(&server, watch.id)["total"], 14);
    watch.end(&mut dialog);
    server.stop();
}

#[test]
fn none_are_kept_if_nobody_wants_them() {
    let server = Server::b2b().b2b_param("history", 0).route(TELL).start();
    let notifier = Notifier::udp();
    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    let fault = server.rpc("presence_b2b.history", json!([watch.id])).expect_err("there is none");
    assert_eq!(fault.code, 400);
    assert!(fault.message.starts_with("no events are kept"), "{fault}");
    watch.end(&mut dialog);
    server.stop();
}

#[test]
fn bad_ids_are_refused() {
    let server = Server::b2b().start();
    for (params, code, text) in [
        (json!([]), 400, "the parameter id is missing"),
        (json!([7]), 404, "there is no subscription 7"),
        (json!([-1]), 400, "id is \"-1\", but must be a number from 0 to 2147483647: presence_b2b.list shows the ids"),
        (json!(["sip:alice@example.com"]), 400, "id is \"sip:alice@example.com\", but must be a number"),
        (json!([2_147_483_647]), 404, "there is no subscription 2147483647"),
    ] {
        let fault = server.rpc("presence_b2b.history", params).expect_err("no such subscription");
        assert_eq!(fault.code, code, "{fault}");
        assert!(fault.message.starts_with(text), "{fault}");
    }
    server.stop();
}

#[test]
fn a_restored_subscription_says_so() {
    let dir = folder();
    let server = storing(dir.path()).start();
    let notifier = Notifier::udp();
    let (watch, _dialog, _) = Watch::standing(&server, &notifier, 3600);
    let id = watch.id;
    settled(&server);
    let ip = server.ip();
    server.stop();
    let server = again(dir.path(), ip);
    let restored = lines(&server, id);
    assert_eq!(restored[0], "none restored - - - - confirmed", "{restored:?}");
    server.stop();
}

/// At debug level of the module alone: the same as the history has, in the same order.
#[test]
fn the_debug_log_of_a_life_agrees_with_its_history() {
    let server = Server::eager(100)
        .module("debugger")
        .modparam("debugger", "mod_hash_size", 4)
        .modparam("debugger", "mod_level_mode", 1)
        .start();
    let notifier = Notifier::udp();
    let steps = |id: u64| {
        let begins = format!("step of subscription {id}, \"{}\": ", notifier.uri("alice"));
        let text = server.log().text();
        let steps = text.lines().filter_map(|line| line.split_once(&begins)).map(|(_, step)| step.to_owned());
        steps.collect::<Vec<_>>()
    };
    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    assert_eq!(steps(watch.id), [] as [String; 0]);
    watch.end(&mut dialog);
    server.rpc("dbg.set_mod_level", json!(["presence_b2b", 3])).expect("the level is set");

    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    watch.refresh();
    dialog.accept(&dialog.expect_subscribe(SOON), 600);
    await_newest(&server, watch.id, "in reply - 200");
    let history = lines(&server, watch.id);
    // Each event's step, by what the input is called.
    let named = |line: &String| match &line.split(' ').collect::<Vec<_>>()[..] {
        [_, "new", ..] => "start; new -> waiting".to_owned(),
        [_, "SUBSCRIBE", ..] => "SUBSCRIBE ".to_owned(),
        [_, "reply", _, code, ..] => format!("reply {code} to SUBSCRIBE "),
        [_, "NOTIFY", ..] => "NOTIFY ".to_owned(),
        [_, "refresh", ..] => "refresh by an operator".to_owned(),
        _ => panic!("{line}"),
    };
    let wanted: Vec<_> = history.iter().map(named).collect();
    assert_eq!(wanted.len(), 7, "{history:?}");
    eventually(SOON, "a step for each event, in the same order", || {
        let steps = steps(watch.id);
        let mut at = steps.iter();
        wanted.iter().all(|name| at.any(|step| step.starts_with(name))).then_some(())
    });
    assert!(steps(watch.id).iter().all(|step| step.contains(" -> ") && step.contains("deadline")));
    // The rest of the server is as quiet as before.
    assert!(!server.log().text().lines().any(|line| line.contains("DEBUG: tm ")), "{}", server.log().text());

    server.rpc("dbg.set_mod_level", json!(["presence_b2b", 2])).expect("the level is set");
    let before = steps(watch.id).len();
    let id = watch.id;
    watch.end(&mut dialog);
    assert_eq!(steps(id).len(), before);
    server.stop();
}
