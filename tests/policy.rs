//! An operator's policy for single packages (`package_policy`).

use serde_json::json;

use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

/// Nothing is waited for but what is asked of the notifier.
fn builder() -> Builder {
    Server::eager(600).b2b_param("refresh_jitter", 0)
}

fn subscribe(server: &Server, record: &str, package: &str) -> u64 {
    let id = server.rpc("presence_b2b.subscribe", json!([record, server.uri("watcher"), package])).expect("an id");
    id.as_u64().expect("a plain integer")
}

#[test]
fn each_package_is_asked_for_as_long_as_its_own_policy_says() {
    let server = builder().b2b_param("package_policy", "reg: default_expiration=7200; resubscribe_delta=1000");
    let server = server.b2b_param("package_policy", "dialog: default_expiration=60; min_resubscribe_time=10");
    let server = server.b2b_param("package_policy", "reg: resubscribe_delta=200").start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for (package, expires, refresh) in [("presence", 3600, 3570), ("reg", 7200, 7000), ("dialog", 60, 30)] {
            let id = subscribe(&server, &notifier.uri("alice"), package);
            let first = notifier.expect_subscribe(SOON);
            assert_eq!((first.need("Event"), first.need("Expires")), (package, &*expires.to_string()));
            let mut dialog = notifier.accept(&first, expires);
            assert_eq!(dialog.notify(Notify::active(expires)).status(), 200);
            let shown = server.await_shown(id, "state", "confirmed");
            let next = shown["next_action_in"].as_u64().expect("a time");
            assert!(next <= refresh && next + 5 > refresh, "{package}: {next}");
            server.end(id, &mut dialog);
        }
    });
    server.stop();
}

#[test]
fn who_is_rejected_is_asked_again_where_the_operator_says_so() {
    let server = builder().b2b_param("package_policy", "presence: rejected=at_once; giveup=never").start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&first, 600);
        assert_eq!(dialog.notify(Notify::state("terminated;reason=rejected")).status(), 200);
        let told = news.next("the end of the dialog");
        assert_eq!((&*told.status, &*told.reason), ("terminated", "rejected"));
        assert!(told.next_attempt.is_some_and(|seconds| seconds <= 1), "{told:?}");

        // The second consecutive time, the retry is not at once.
        let again = notifier.expect_subscribe(SOON);
        assert_ne!(again.need("Call-ID"), first.need("Call-ID"));
        let mut dialog = notifier.accept(&again, 600);
        assert_eq!(dialog.notify(Notify::state("terminated;reason=rejected")).status(), 200);
        let told = news.next("the end of the next dialog");
        assert!(told.next_attempt.is_some_and(|seconds| seconds >= 300), "{told:?}");

        server.refresh(id);
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(Notify::state("terminated;reason=giveup")).status(), 200);
        let told = news.next("the end");
        assert_eq!((&*told.status, &*told.reason, told.next_attempt), ("terminated", "giveup", None));
        server.await_no_subscription();
        news.assert_no_more();
    });
    server.stop();
}

#[test]
fn a_code_that_is_the_end_for_one_package_is_not_for_another() {
    let server = builder().b2b_param("package_policy", "reg: 403-404=never").start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        for (package, status, next) in [("presence", "terminated", Some(600)), ("reg", "rejected", None)] {
            let id = subscribe(&server, &notifier.uri("alice"), package);
            notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
            let told = news.next("the failure");
            assert_eq!((told.id, &*told.status, told.code, told.next_attempt), (id, status, 404, next));
            if next.is_some() {
                server.unsubscribe(id);
            }
            server.await_no_subscription();
        }

        // A refresh as well: this notifier is not asked again, and its further NOTIFYs belong to no subscription.
        let id = subscribe(&server, &notifier.uri("alice"), "reg");
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(news.next("the state").status, "active");
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        dialog.answer(&refresh, 403, &[]);
        let told = news.next("the end");
        assert_eq!((&*told.status, told.code, told.next_attempt), ("rejected", 403, None));
        server.await_no_subscription();
        assert_eq!(dialog.notify(Notify::active(600)).status(), 481);
        news.assert_no_more();
    });
    server.stop();
}
