//! A SUBSCRIBE that is refused, lost or cannot be sent: the next attempt, its time, and the messages to the subscriber.

use std::time::Duration;

use serde_json::json;

use crate::support::address::own_ip;
use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::news::{News, Newsreader};
use crate::support::notifier::Notifier;
use crate::support::shm::{leaves_nothing, leaves_nothing_in};
use crate::support::wait::SOON;

fn builder() -> Builder {
    Server::eager(1).gives_up_after(700)
}

/// The failure as the event route gets it.
fn assert_told(news: &News, status: &str, code: u16, reason: &str) {
    assert_eq!((news.status.as_str(), news.code, news.reason.as_str()), (status, code, reason), "{news:?}");
}

fn stop_waiting(server: &Server, id: u64) {
    server.unsubscribe(id);
    server.await_no_subscription();
}

#[test]
fn a_refused_subscribe_is_tried_again_as_a_new_one() {
    let notifier = Notifier::udp();
    let server = builder().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        notifier.reject(&first, 404, &[]);
        let told = news.next("the failure");
        assert_told(&told, "terminated", 404, "Scripted");
        assert_eq!((told.id, told.next_attempt), (id, Some(1)));
        let shown = server.show(id);
        assert_eq!((&shown["state"], &shown["status"]), (&json!("waiting"), &json!("terminated")), "{shown}");
        assert_eq!((&shown["retries"], &shown["last_reply"]), (&json!(1), &json!(404)), "{shown}");
        assert_eq!((&shown["last_reason"], &shown["call_id"]), (&json!("Scripted"), &json!("")), "{shown}");
        assert!(shown["next_action_in"].as_u64().is_some_and(|seconds| seconds <= 1), "{shown}");

        let again = notifier.expect_subscribe(SOON);
        assert!(again.at.duration_since(first.at) >= Duration::from_millis(950), "on_error_retry_time");
        assert_ne!(again.need("Call-ID"), first.need("Call-ID"));
        assert_ne!(again.need("From"), first.need("From"));
        let mut dialog = notifier.activate(&again, 600);
        assert_told(&news.next("the state"), "active", 0, "");
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!((&shown["retries"], &shown["last_reply"]), (&json!(0), &json!(200)), "{shown}");
        server.end(id, &mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

#[test]
fn attempts_that_fail_again_and_again_back_off_to_the_cap() {
    let notifier = Notifier::udp();
    let server = builder().b2b_param("failure_backoff_max", 2).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let mut last = None;
        for (failures, (least, most)) in [(0, 0), (1000, 1000), (1000, 2000), (1000, 2000)].into_iter().enumerate() {
            let subscribe = notifier.expect_subscribe(SOON);
            if let Some(last) = last {
                let waited = subscribe.at.duration_since(last);
                // The answer takes time on a busy machine, and the wait is counted from the answer.
                assert!(waited >= Duration::from_millis(least - 50), "attempt {failures} after {waited:?}");
                assert!(waited <= Duration::from_millis(most + 5000), "attempt {failures} after {waited:?}");
            }
            last = Some(subscribe.at);
            notifier.reject(&subscribe, 500, &[]);
            let told = news.next("the failure");
            assert_told(&told, "terminated", 500, "Scripted");
            let most = if failures == 0 { 1 } else { 2 };
            assert!(told.next_attempt.is_some_and(|next| (1..=most).contains(&next)), "{told:?}");
            assert_eq!(server.show(id)["retries"], failures + 1);
        }
        stop_waiting(&server, id);
    });
    server.stop();
}

#[test]
fn retry_after_is_obeyed() {
    let notifier = Notifier::udp();
    let server = builder().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        notifier.reject(&first, 503, &[("Retry-After", "2 (lunch);duration=3600")]);
        let told = news.next("the failure");
        assert_told(&told, "terminated", 503, "Scripted");
        assert_eq!(told.next_attempt, Some(2));
        let again = notifier.expect_subscribe(SOON);
        assert!(again.at.duration_since(first.at) >= Duration::from_millis(1950));
        notifier.reject(&again, 480, &[("Retry-After", "3600")]);
        assert_eq!(news.next("the failure").next_attempt, Some(3600));
        stop_waiting(&server, id);
    });
    server.stop();
}

/// It is the same attempt: `min_resubscribe_time` does not hold it back.
#[test]
fn too_brief_is_asked_again_for_longer_at_once() {
    let notifier = Notifier::udp();
    let server = builder().b2b_param("default_expiration", 60).b2b_param("min_resubscribe_time", 3600).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(first.header("Expires"), Some("60"));
        notifier.reject(&first, 423, &[("Min-Expires", "90")]);
        let wider = notifier.expect_subscribe(SOON);
        assert_eq!((wider.header("Expires"), wider.need("Call-ID")), (Some("90"), first.need("Call-ID")));
        assert_eq!((wider.need("From"), wider.cseq().0), (first.need("From"), first.cseq().0 + 1));
        let mut dialog = notifier.activate(&wider, 90);
        assert_told(&news.next("the state"), "active", 0, "");
        server.end(id, &mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

#[test]
fn a_longer_expiration_once_demanded_is_kept() {
    let notifier = Notifier::udp();
    let server = builder().b2b_param("default_expiration", 60).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        notifier.reject(&notifier.expect_subscribe(SOON), 423, &[("Min-Expires", "90")]);
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 90);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.header("Expires"), Some("90"), "once told is enough");
        dialog.accept(&refresh, 90);
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// Seen in the field; retries at once would never end.
#[test]
fn too_brief_without_a_number_backs_off() {
    let notifier = Notifier::udp();
    let server = builder().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let mut last = None;
        for headers in [&[][..], &[("Min-Expires", "60")], &[("Min-Expires", "soon")]] {
            let subscribe = notifier.expect_subscribe(SOON);
            let waited = last.map(|last| subscribe.at.duration_since(last));
            assert!(waited.is_none_or(|waited| waited >= Duration::from_millis(950)), "{waited:?}");
            last = Some(subscribe.at);
            assert_eq!(subscribe.header("Expires"), Some("3600"));
            notifier.reject(&subscribe, 423, headers);
            assert_told(&news.next("the failure"), "terminated", 423, "Scripted");
        }
        stop_waiting(&server, id);
    });
    server.stop();
}

#[test]
fn a_notifier_that_cannot_serve_is_not_asked_again() {
    let notifier = Notifier::udp();
    let server = builder().start();
    for code in [489, 406] {
        leaves_nothing(&server, || {
            let mut news = Newsreader::new(&server);
            server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
            notifier.reject(&notifier.expect_subscribe(SOON), code, &[]);
            let told = news.next("the end");
            assert_told(&told, "rejected", code, "Scripted");
            assert_eq!(told.next_attempt, None);
            server.await_no_subscription();
            notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(1200));
        });
    }
    server.stop();
}

#[test]
fn silence_is_a_timeout() {
    let silent = Endpoint::udp();
    let server = builder().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&silent.uri("alice"), &server.uri("watcher"));
        let first = silent.expect_request("SUBSCRIBE", SOON);
        assert_told(&news.next("the timeout"), "terminated", 408, "Request Timeout");
        let shown = server.show(id);
        assert_eq!((&shown["last_reply"], &shown["last_reason"]), (&json!(408), &json!("Request Timeout")), "{shown}");
        let again = silent.expect_request("SUBSCRIBE", SOON);
        assert_ne!(again.need("Call-ID"), first.need("Call-ID"));
        silent.reply(&again, 404, "Not Here");
        assert_told(&news.next("the answer"), "terminated", 404, "Not Here");
        stop_waiting(&server, id);
    });
    server.stop();
}

#[test]
fn a_refused_connection_is_tried_again() {
    let ip = own_ip();
    let record = format!("sip:alice@{ip};transport=tcp");
    let server = builder().bad_connections().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&record, &server.uri("watcher"));
        let told = news.next("the failure");
        assert_told(&told, "terminated", 408, "Request Timeout");
        assert_eq!(told.next_attempt, Some(1));
        let notifier = Notifier::on(Endpoint::at(Transport::Tcp, ip));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        server.end(id, &mut dialog);
    });
    server.stop();
}

#[test]
fn a_name_that_does_not_resolve_is_tried_again() {
    let server = builder()
        .global("dns_retr_time=1")
        .global("dns_retr_no=1")
        .allow_log("could not resolve hostname: \"nobody.invalid\"")
        .allow_log("failed to resolve \"nobody.invalid\"")
        .start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe("sip:alice@nobody.invalid", &server.uri("watcher"));
        for _ in 0..2 {
            assert_told(&news.next("the failure"), "terminated", 0, "send failed");
        }
        let shown = server.show(id);
        assert_eq!((&shown["last_reply"], &shown["last_reason"]), (&json!(0), &json!("send failed")), "{shown}");
        stop_waiting(&server, id);
    });
    assert!(server.log().text().contains("nobody.invalid: check DNS"));
    server.stop();
}

/// The host reports a dropped request by its return value only: a module that ignored that would wait for ever. It
/// also forgets the text of the request in shared memory, which is why only the module's own is counted here.
#[test]
fn the_script_may_drop_a_request() {
    let notifier = Notifier::udp();
    let server = builder().route("event_route[tm:local-request] { if ($shv(deaf) == 1) { drop; } }");
    let server = server.modparam("pv", "shvset", "deaf=i:1").start();
    leaves_nothing_in(&server, &["presence_b2b"], || {
        server.rpc("pv.shvSet", json!(["deaf", "int", 1])).expect("deaf");
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let told = news.next("the failure");
        assert_told(&told, "terminated", 0, "dropped by script");
        assert_eq!(told.next_attempt, Some(1));
        server.rpc("pv.shvSet", json!(["deaf", "int", 0])).expect("hears again");
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        server.end(id, &mut dialog);
    });
    server.stop();
}
