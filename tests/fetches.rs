//! The option `fetch`: the state once, without a subscription.

use std::time::Duration;

use serde_json::json;

use crate::options::{builder, call, subscribe};
use crate::support::endpoint::{Received, Transport};
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::presence_server::PresenceServer;
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

/// The last message of the event route; nothing is left of the fetch.
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
pub fn fetched(notifier: &Notifier) -> Received {
    let first = notifier.expect_subscribe(SOON);
    assert_eq!(first.header("Expires"), Some("0"), "{}", first.message);
    first
}

/// From a real presence server, whose NOTIFY ends the subscription.
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
    // The transaction of the unanswered one outlives it.
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
            assert!(fault.contains("other options (fetch) than subscription "), "{fault}");
            let first = fetched(&notifier);
            let mut dialog = notifier.dialog(&first);
            if is_answered {
                dialog.accept(&first, 0);
                server.await_shown(id, "state", "confirmed");
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
