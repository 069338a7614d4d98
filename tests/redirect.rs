//! 3xx: the targets it names are tried, best first, each once and not without end (RFC 3261 §8.1.3.4).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::address::own_ip;
use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

/// It is the same attempt: only the target and the transaction are new.
fn assert_goes_on(next: &Received, before: &Received, target: &str) {
    assert_eq!(next.uri(), target);
    for name in ["To", "From", "Call-ID", "Event", "Expires", "Contact"] {
        assert_eq!(next.headers(name), before.headers(name), "{name}");
    }
    assert!(next.cseq().0 > before.cseq().0);
    assert_ne!(next.branch(), before.branch());
}

#[test]
fn a_redirection_is_followed_and_the_dialog_is_with_the_target() {
    let (registrar, home) = (Notifier::udp(), Notifier::tcp());
    let server = Server::quick().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&registrar.uri("alice"), &server.uri("watcher"));
        let first = registrar.expect_subscribe(SOON);
        registrar.redirect(&first, &[&home.uri("desk")]);
        let moved = home.expect_subscribe(SOON);
        assert_eq!(moved.uri(), home.uri("desk"));
        assert_eq!((moved.need("To"), moved.need("Call-ID")), (first.need("To"), first.need("Call-ID")));
        assert_eq!(moved.need("Contact"), format!("<sip:{};transport=tcp>", server.addr()), "the socket now used");
        let mut dialog = home.activate(&moved, 600);
        assert_eq!(news.next("the state").status, "active");
        server.show_when(id, "no failure counted", |shown| shown["retries"] == 0);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.uri(), dialog.contact);
        dialog.accept(&refresh, 600);
        server.end(id, &mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

/// The best is dead, the second refuses, the third, named first, takes it. All that is one attempt, which
/// `min_resubscribe_time` does not hold back.
#[test]
fn targets_are_tried_best_first() {
    let (registrar, refusing, taking) = (Notifier::udp(), Notifier::udp(), Notifier::udp());
    let dead = format!("sip:alice@{}", own_ip());
    let server = Server::quick().b2b_param("min_resubscribe_time", 3600).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&registrar.uri("alice"), &server.uri("watcher"));
        let first = registrar.expect_subscribe(SOON);
        let contacts = format!(
            "<{}>;q=0.2, \"The best, <they> say\" <{dead}>;q=1.0;expires=9, <{}>;q=0.25",
            taking.uri("third"),
            refusing.uri("second")
        );
        registrar.reject(&first, 302, &[("Contact", &contacts)]);
        let second = refusing.expect_subscribe(SOON);
        assert_goes_on(&second, &first, &refusing.uri("second"));
        assert!(second.cseq().0 == first.cseq().0 + 2, "the dead one was tried");
        refusing.reject(&second, 480, &[]);
        let third = taking.expect_subscribe(SOON);
        assert_goes_on(&third, &second, &taking.uri("third"));
        let mut dialog = taking.activate(&third, 600);
        server.show_when(id, "active", |shown| shown["status"] == "active");
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// Each target names a new one. After five the attempt has failed; the next one begins with the record again.
#[test]
fn a_chain_of_redirections_ends() {
    let notifier = Notifier::udp();
    let record = notifier.uri("step0");
    let server = Server::quick().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&record, &server.uri("watcher"));
        let mut call_id = String::new();
        for step in 0..=5 {
            let subscribe = notifier.expect_subscribe(SOON);
            assert_eq!(subscribe.uri(), notifier.uri(&format!("step{step}")));
            notifier.redirect(&subscribe, &[&notifier.uri(&format!("step{}", step + 1))]);
            call_id = subscribe.need("Call-ID").to_owned();
        }
        let told = news.next("the failure");
        assert_eq!((told.status.as_str(), told.code, told.next_attempt), ("terminated", 302, Some(1)));
        assert_eq!(server.show(id)["last_reply"], 302);
        let again = notifier.expect_subscribe(SOON);
        assert_eq!(again.uri(), record);
        assert_ne!(again.need("Call-ID"), call_id);
        let mut dialog = notifier.activate(&again, 600);
        server.end(id, &mut dialog);
    });
    server.stop();
}

#[test]
fn a_circle_of_redirections_is_left_at_once() {
    let (one, two) = (Notifier::udp(), Notifier::udp());
    let server = Server::quick().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&one.uri("alice"), &server.uri("watcher"));
        one.redirect(&one.expect_subscribe(SOON), &[&two.uri("alice")]);
        two.redirect(&two.expect_subscribe(SOON), &[&one.uri("alice"), &two.uri("alice")]);
        let told = news.next("the failure");
        assert_eq!((told.code, told.reason.as_str(), told.next_attempt), (302, "Moved Temporarily", Some(1)));
        server.unsubscribe(id);
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn a_redirection_to_nowhere_is_a_failure() {
    let notifier = Notifier::udp();
    let server = Server::quick().hostile().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        // 305 names a proxy, which has a SIP URI, and 380 another service (RFC 3261 §21.3.4, §21.3.5).
        let answers = [(302, None), (302, Some("<>")), (305, Some("<tel:+1>")), (380, Some("<sip:192.0.2.1>"))];
        for (before, (code, contact)) in answers.into_iter().enumerate() {
            let subscribe = notifier.expect_subscribe(SOON);
            assert_eq!(subscribe.uri(), notifier.uri("alice"));
            let headers: Vec<(&str, &str)> = contact.iter().map(|contact| ("Contact", *contact)).collect();
            notifier.reject(&subscribe, code, &headers);
            let told = news.next("the failure");
            assert_eq!((told.status.as_str(), told.code), ("terminated", code));
            assert_eq!(server.show(id)["retries"].as_u64(), Some(before as u64 + 1));
        }
        server.unsubscribe(id);
        server.await_no_subscription();
    });
    server.stop();
}

/// The same Request-URI through that proxy, in the same attempt; the dialog is where its Contact leads.
#[test]
fn a_305_is_followed_to_the_proxy_it_names() {
    let (home, proxy, place) = (Notifier::udp(), Notifier::tcp(), Notifier::udp());
    let server = Server::quick().b2b_param("min_resubscribe_time", 3600).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&home.uri("alice"), &server.uri("watcher"));
        let first = home.expect_subscribe(SOON);
        let named = format!("<sip:{};transport=tcp;lr>", proxy.endpoint.addr());
        home.reject(&first, 305, &[("Contact", &named)]);
        let second = proxy.expect_subscribe(SOON);
        assert_eq!((second.uri(), second.cseq().0), (first.uri(), first.cseq().0 + 1));
        for name in ["To", "From", "Call-ID", "Event", "Expires", "Route"] {
            assert_eq!(second.headers(name), first.headers(name), "{name}");
        }
        let mut dialog = proxy.dialog(&second);
        dialog.contact = place.uri("alice");
        dialog.accept(&second, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.await_shown(id, "state", "confirmed");
        dialog.move_to(&place.endpoint);
        server.end(id, &mut dialog);
    });
    server.stop();
}

#[test]
fn a_circle_of_305s_is_left_at_once() {
    let (one, two) = (Notifier::udp(), Notifier::udp());
    let server = Server::quick().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&one.uri("alice"), &server.uri("watcher"));
        let to = |notifier: &Notifier| format!("<sip:{}>", notifier.endpoint.addr());
        one.reject(&one.expect_subscribe(SOON), 305, &[("Contact", &to(&two))]);
        two.reject(&two.expect_subscribe(SOON), 305, &[("Contact", &to(&one))]);
        let told = news.next("the failure");
        assert_eq!((told.status.as_str(), told.code, told.next_attempt), ("terminated", 305, Some(1)));
        server.unsubscribe(id);
        server.await_no_subscription();
    });
    server.stop();
}

/// The operator's proxy takes all SUBSCRIBEs.
#[test]
fn a_305_changes_no_outbound_proxy() {
    let (own, other) = (Notifier::udp(), Notifier::udp());
    let server = Server::quick().b2b_param("on_error_retry_time", 600).b2b_param("failure_backoff_max", 600);
    let server = server.b2b_param("presence_outbound_proxy", format!("sip:{}", own.endpoint.addr())).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
        let named = format!("<sip:{}>", other.endpoint.addr());
        own.reject(&own.expect_subscribe(SOON), 305, &[("Contact", &named)]);
        let told = news.next("the failure");
        assert_eq!((told.code, told.next_attempt), (305, Some(600)));
        assert_eq!(other.endpoint.count("SUBSCRIBE"), 0);
        server.unsubscribe(id);
        server.await_no_subscription();
    });
    server.stop();
}

/// A refresh is redirected to a target that does not answer: the granted time ends in the meantime, and the subscriber learns
/// it at that moment.
#[test]
fn what_was_granted_ends_while_a_redirection_is_followed() {
    let (registrar, home) = (Notifier::udp(), Notifier::udp());
    let server = Server::quick().gives_up_after(30_000).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&registrar.uri("alice"), &server.uri("watcher"));
        let dialog = registrar.activate(&registrar.expect_subscribe(SOON), 4);
        assert_eq!(news.next("the state").status, "active");
        let refresh = dialog.expect_subscribe(SOON);
        let granted = Instant::now();
        dialog.accept(&refresh, 4);
        let refresh = dialog.expect_subscribe(SOON);
        registrar.redirect(&refresh, &[&home.uri("desk")]);
        let moved = home.expect_subscribe(SOON);
        assert_eq!(server.show(id)["status"], "active");
        let told = news.next("the end of what was granted");
        let after = granted.elapsed();
        assert_eq!((&*told.status, told.code, &*told.reason), ("terminated", 0, "expired"));
        assert_eq!(told.next_attempt, Some(0), "it is under way");
        assert!((Duration::from_secs(4)..Duration::from_secs(9)).contains(&after), "{after:?}");
        let shown = server.show(id);
        assert_eq!((&shown["state"], &shown["status"]), (&json!("unconfirmed"), &json!("terminated")), "{shown}");
        // The attempt under way continues.
        let mut dialog = home.activate(&moved, 600);
        assert_eq!(news.next("the state").status, "active");
        server.end(id, &mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

/// RFC 3261 §20.10: without a q it is 1. Equal targets are tried in the peer's order.
#[test]
fn targets_of_equal_preference_are_tried_in_their_order() {
    let registrar = Notifier::udp();
    let targets = [(); 3].map(|()| Notifier::udp());
    let server = Server::quick().start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&registrar.uri("alice"), &server.uri("watcher"));
        let [first, second, third] = targets.each_ref().map(|target| format!("<{}>", target.uri("desk")));
        let contacts = format!("{first}, {second};q=1.0, {third}");
        registrar.reject(&registrar.expect_subscribe(SOON), 302, &[("Contact", &contacts)]);
        for target in targets.iter().take(2) {
            target.reject(&target.expect_subscribe(SOON), 480, &[]);
        }
        let mut dialog = targets[2].accept(&targets[2].expect_subscribe(SOON), 600);
        dialog.notify(Notify::active(600));
        server.end(id, &mut dialog);
    });
    server.stop();
}
