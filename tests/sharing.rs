//! Internal subscriptions that share one dialog (option `share`), each with its own messages.

use serde_json::{Value, json};

use crate::c_api::{builder, call, start};
use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::leaks::leaves_nothing_anywhere;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing_in;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::told;

fn subscribe(server: &Server, record: &str, subscriber: &str, options: &str) -> String {
    let id = call(server, "subscribe", json!(["presence", record, subscriber, options]));
    id.as_str().expect("an id").to_owned()
}

/// The next message of the C module's queue.
fn pop(server: &Server) -> Value {
    eventually(SOON, "a message", || server.rpc("qsa_test.pop", json!([])).ok())
}

/// The next messages: subscriber, note and status.
fn pops(server: &Server, count: usize) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = (0..count)
        .map(|_| pop(server))
        .map(|news| {
            let note = &news["presentity"]["tuples"][0]["notes"][0]["text"];
            (text(&news["id"]), text(&news["status"]), text(note))
        })
        .collect();
    all.sort();
    all
}

fn assert_told(server: &Server, who: &[&String], status: &str, note: &str) {
    let mut expected: Vec<_> = who.iter().map(|id| (id.to_string(), status.to_owned(), note.to_owned())).collect();
    expected.sort();
    assert_eq!(pops(server, who.len()), expected);
}

/// Only the message of this request comes, through the same worker.
fn none(server: &Server, notifier: &Notifier) {
    let id = subscribe(server, &notifier.uri("nobody"), WATCHER, "share");
    notifier.reject(&notifier.expect_subscribe(SOON), 489, &[]);
    let next = pop(server);
    assert_eq!((&next["id"], &next["code"]), (&json!(id), &json!(489)), "{next}");
    call(server, "unsubscribe", json!([id]));
}

const WATCHER: &str = "sip:watcher@example.org";

#[test]
fn one_dialog_for_all_who_ask_for_the_same() {
    let server = builder(1000).children(1).b2b_param("workers", 1).start();
    let notifier = Notifier::udp();
    leaves_nothing_anywhere(&server, || {
        let (record, asked) = (notifier.uri("alice"), notifier.endpoint.count("SUBSCRIBE"));
        let first = subscribe(&server, &record, WATCHER, "share");
        let second = subscribe(&server, &record, WATCHER, "Share");
        let request = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&request, 600);
        assert_eq!(dialog.notify(told(600, "one")).status(), 200);
        assert_told(&server, &[&first, &second], "active", "one");

        // A late one gets the newest state at once, without a request.
        let late = subscribe(&server, &record, WATCHER, "share");
        assert_told(&server, &[&late], "active", "one");
        assert_eq!(dialog.notify(told(600, "two")).status(), 200);
        assert_told(&server, &[&first, &second, &late], "active", "two");
        let listed = server.rpc("presence_b2b.list", json!([])).expect("a list");
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");

        call(&server, "unsubscribe", json!([first]));
        assert_eq!(dialog.notify(told(600, "three")).status(), 200);
        assert_told(&server, &[&second, &late], "active", "three");
        call(&server, "unsubscribe", json!([second]));
        call(&server, "unsubscribe", json!([late]));
        farewell(&mut dialog);
        server.await_no_subscription();
        assert_eq!(notifier.endpoint.count("SUBSCRIBE") - asked, 2, "one to open and one to end");
        none(&server, &notifier);
    });
    server.stop();
}

#[test]
fn what_differs_in_anything_has_a_dialog_of_its_own() {
    let server = start(1000);
    let notifier = Notifier::udp();
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || {
        let record = notifier.uri("alice");
        let through = format!("share;outbound=sip:{}", notifier.endpoint.addr());
        let wishes = [
            (WATCHER, "share"),
            (WATCHER, "share;id=a"),
            (WATCHER, "share;expires=77"),
            (WATCHER, "share;header=\"X-A: 1\""),
            (WATCHER, "share;header=\"X-A: 1\";header=\"X-B: 2\""),
            (WATCHER, &through[..]),
            (WATCHER, "share;target=source"),
            (WATCHER, "share;list"),
            (WATCHER, "share;lenient"),
            ("sip:other@example.org", "share"),
            (WATCHER, ""),
        ];
        let mut all = Vec::new();
        for (number, (subscriber, options)) in wishes.into_iter().enumerate() {
            let id = subscribe(&server, &record, subscriber, options);
            let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 77);
            let note = number.to_string();
            assert_eq!(dialog.notify(told(77, &note)).status(), 200, "{options}");
            assert_told(&server, &[&id], "active", &note);
            all.push((id, dialog));
        }
        // The same in other words.
        let same = subscribe(&server, &record, WATCHER, "HEADER=\"X-A:  1 \" ; target=Contact; share");
        assert_told(&server, &[&same], "active", "3");
        call(&server, "unsubscribe", json!([same]));
        for (id, mut dialog) in all {
            call(&server, "unsubscribe", json!([id]));
            farewell(&mut dialog);
        }
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn failures_and_the_end_are_told_to_all() {
    let server = builder(1000).b2b_param("workers", 1).start();
    let notifier = Notifier::udp();
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || {
        let record = notifier.uri("alice");
        let [one, two] = [(); 2].map(|()| subscribe(&server, &record, WATCHER, "share"));
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(told(600, "here")).status(), 200);
        assert_told(&server, &[&one, &two], "active", "here");
        assert_eq!(dialog.notify(Notify::terminated("deactivated", 0)).status(), 200);
        assert_told(&server, &[&one, &two], "terminated", "");
        // A late member is not told an unknown state.
        let late = subscribe(&server, &record, WATCHER, "share");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(told(600, "back")).status(), 200);
        assert_told(&server, &[&one, &two, &late], "active", "back");
        assert_eq!(dialog.notify(Notify::terminated("rejected", 0)).status(), 200);
        for _ in 0..3 {
            let last = pop(&server);
            assert_eq!((&last["status"], &last["last"]), (&json!("rejected"), &json!(1)), "{last}");
        }
        server.await_no_subscription();

        // A member that asks again begins from scratch.
        let again = subscribe(&server, &record, WATCHER, "share");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(told(600, "anew")).status(), 200);
        assert_told(&server, &[&again], "active", "anew");
        for id in [one, two, late, again] {
            call(&server, "unsubscribe", json!([id]));
        }
        farewell(&mut dialog);
        server.await_no_subscription();
        none(&server, &notifier);
    });
    server.stop();
}

#[test]
fn bad_wishes_leave_nothing() {
    let server = builder(1000).allow_log("option share is \"").start();
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || {
        for (record, options, said) in [
            ("no uri", "share", "refused"),
            ("sip:a@127.0.0.1", "share=yes", "refused"),
            ("sip:a@127.0.0.1", "share;fetch", "refused"),
        ] {
            let mark = server.log().mark();
            let fault = server.rpc("qsa_test.subscribe", json!(["presence", record, WATCHER, options]));
            assert!(fault.expect_err("refused").message.contains(said), "{options}");
            assert_eq!(server.log().since(mark, "ERROR: presence_b2b").len(), usize::from(options != "share"));
        }
        let own = server.rpc("presence_b2b.subscribe", json!(["sip:a@127.0.0.1", WATCHER, "presence", "share"]));
        assert!(own.expect_err("refused").message.contains("option share is for C modules only"));
    });
    server.stop();
}
