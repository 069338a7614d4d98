//! Subscriptions leave nothing behind in any process of the server or in any of its modules.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::kamailio::Server;
use crate::support::leaks::{growing, leaves_nothing_anywhere, many_leave_nothing_anywhere};
use crate::support::news::TELL;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

#[test]
fn what_grows_with_each_batch_is_a_leak() {
    let amounts = |leak: i64, once: i64| BTreeMap::from([("leak".to_owned(), leak), ("once".to_owned(), once)]);
    let found = growing(&[&amounts(0, 0), &amounts(8, 900), &amounts(16, 900)], 8);
    assert!(matches!(&found[..], [one] if one.contains("leak: [0, 8, 16]")), "{found:?}");
    assert_eq!(growing(&[&amounts(8, 0), &amounts(8, 900), &amounts(16, 0)], 8), [""; 0]);
}

/// With routes, a challenge, a redirection and a refusal, so that all kinds of headers are parsed in a worker.
#[test]
fn lives_leave_nothing_anywhere() {
    let server = Server::b2b().children(1).b2b_param("min_resubscribe_time", 0).b2b_param("workers", 1);
    let server = server.b2b_param("credential", "watcher:here:secret").route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing_anywhere(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let challenge = [("WWW-Authenticate", "Digest realm=\"here\", nonce=\"n\", qop=\"auth\"")];
        notifier.reject(&notifier.expect_subscribe(SOON), 401, &challenge);
        notifier.redirect(&notifier.expect_subscribe(SOON), &[&notifier.uri("moved")]);
        let subscribe = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&subscribe);
        let route = format!("<sip:{};lr>", notifier.endpoint.addr());
        dialog.answer(&subscribe, 200, &[("Expires", "600"), ("Record-Route", &route)]);
        let first = told(600, "first").with("Record-Route", &route);
        assert_eq!(dialog.notify(first).status(), 200);
        watch.await_note("first");
        assert_eq!(dialog.notify(told(600, "refused").event("dialog")).status(), 489);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// Forks, fetches, and all that operators ask: answers and faults.
#[test]
fn forks_fetches_and_commands_leave_nothing_anywhere() {
    let server = Server::b2b().children(1).b2b_param("min_resubscribe_time", 0).b2b_param("workers", 1);
    let server = server.b2b_param("forking", "all").route(TELL).start();
    let [notifier, other] = [Notifier::udp(), Notifier::udp()];
    leaves_nothing_anywhere(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let subscribe = notifier.expect_subscribe(SOON);
        let mut fork = other.dialog(&subscribe);
        let mut dialog = notifier.accept(&subscribe, 600);
        watch.await_state("confirmed");
        assert_eq!(dialog.notify(told(600, "first")).status(), 200);
        watch.await_note("first");
        assert_eq!(fork.notify(told(600, "second")).status(), 200);
        watch.await_note("second");
        assert_eq!(fork.notify(told(600, "third")).status(), 200);
        watch.await_note("third");
        for (command, params) in [
            ("list", json!([])),
            ("list", json!([0, 5000])),
            ("show", json!([watch.id])),
            ("show", json!([1])),
            ("trace", json!(["detailed"])),
            ("destinations", json!([])),
            ("destination_release", json!(["nowhere"])),
            ("version", json!([])),
        ] {
            let _ = server.rpc(&format!("presence_b2b.{command}"), params);
        }
        assert_eq!(fork.notify(Notify::terminated("noresource", 0)).status(), 200);
        watch.end(&mut dialog);

        let params = json!([notifier.uri("bob"), server.uri("watcher"), "presence", "fetch"]);
        server.rpc("presence_b2b.subscribe", params).expect("an id");
        let fetch = notifier.expect_subscribe(SOON);
        assert_eq!(fetch.header("Expires"), Some("0"));
        let mut dialog = notifier.accept(&fetch, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
        server.await_no_subscription();
    });
    server.stop();
}

/// A SUBSCRIBE is at least a second after the one before, so many are refreshed at once.
#[test]
fn refreshes_leave_nothing_anywhere() {
    let server = Server::b2b().children(1).b2b_param("min_resubscribe_time", 0).b2b_param("workers", 1);
    let server = server.route(TELL).start();
    let notifier = Notifier::udp();
    many_leave_nothing_anywhere(&server, |count| {
        let lives: Vec<_> = (0..count)
            .map(|n| {
                let watch = Watch::of(&server, &notifier.uri("alice"), &format!("watcher{n}"));
                let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
                assert_eq!(dialog.notify(told(600, "first")).status(), 200);
                server.refresh(watch.id);
                (watch, dialog)
            })
            .collect();
        for (watch, mut dialog) in lives {
            let refresh = dialog.expect_subscribe(SOON);
            dialog.accept(&refresh, 600);
            assert_eq!(dialog.notify(told(600, "second")).status(), 200);
            watch.await_note("second");
            watch.await_state("confirmed");
            watch.end(&mut dialog);
        }
    });
    server.stop();
}
