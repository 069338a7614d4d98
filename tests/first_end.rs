//! The first NOTIFY ends its dialog. The SUBSCRIBE may have reached other notifiers: the end of one fork does not end the
//! subscription (RFC 6665 §4.1.4, §4.4.1), in whatever order they come.

use std::time::Duration;

use serde_json::json;

use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

/// The events at the two forks and the SUBSCRIBE's 2xx, in this order.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// One ends at once.
    Ends,
    /// The other is active.
    Lives,
    /// The other accepts.
    Accepts,
}

fn begin(server: &Server, notifier: &Notifier, user: &str, package: &str) -> (u64, Received) {
    let parameters = json!([notifier.uri(user), server.uri("watcher"), package]);
    let id = server.rpc("presence_b2b.subscribe", parameters).expect("an id").as_u64().expect("a number");
    (id, notifier.expect_subscribe(SOON))
}

fn ends(dialog: &mut Dialog, reason: &str) {
    assert_eq!(dialog.notify(Notify::terminated(reason, 0)).status(), 200);
}

#[test]
fn another_fork_that_lives_is_the_subscription() {
    use Step::{Accepts, Ends, Lives};
    let notifier = Notifier::udp();
    let server = Server::eager(60).start();
    leaves_nothing(&server, || {
        for package in ["presence", "dialog"] {
            for steps in [
                [Ends, Lives, Accepts],
                [Ends, Accepts, Lives],
                [Accepts, Ends, Lives],
                [Accepts, Lives, Ends],
                [Lives, Ends, Accepts],
                [Lives, Accepts, Ends],
            ] {
                let mut news = Newsreader::new(&server);
                let (id, subscribe) = begin(&server, &notifier, "alice", package);
                let (mut one, mut other) = (notifier.dialog(&subscribe), notifier.dialog(&subscribe));
                let mut lives = false;
                for step in steps {
                    match step {
                        Ends => {
                            let answer = one.notify(Notify::terminated("noresource", 0)).status();
                            // If there is only one dialog, the NOTIFY of another one belongs to no subscription.
                            let is_nobodys = lives && package == "presence";
                            assert_eq!(answer, if is_nobodys { 481 } else { 200 }, "{package} {steps:?}");
                        }
                        Lives => {
                            assert_eq!(other.notify(Notify::active(600)).status(), 200, "{package} {steps:?}");
                            let told = news.next("the state");
                            assert_eq!((told.fork, &*told.status), (0, "active"), "{package} {steps:?}");
                            lives = true;
                        }
                        Accepts => other.accept(&subscribe, 600),
                    }
                }
                let shown = server.await_shown(id, "state", "confirmed");
                assert_eq!((&shown["status"], &shown["remote_tag"]), (&json!("active"), &json!(other.local_tag)));
                server.refresh(id);
                let refresh = other.expect_subscribe(SOON);
                other.accept(&refresh, 600);
                server.end(id, &mut other);
                assert!(news.all().iter().all(|told| told.fork == 1 || told.status == "active"), "{steps:?}");
            }
        }
    });
    server.stop();
}

/// The 2xx has its tag, before or after it; or there is no 2xx, as no other notifier has accepted the SUBSCRIBE.
#[test]
fn the_fork_that_is_the_only_one_ends_the_subscription() {
    let notifier = Notifier::udp();
    let server = Server::eager(60).start();
    leaves_nothing(&server, || {
        type Way = fn(&Notifier, &mut Dialog, &Received, &str);
        let before: Way = |_, dialog, subscribe, reason| {
            dialog.accept(subscribe, 600);
            ends(dialog, reason);
        };
        let after: Way = |_, dialog, subscribe, reason| {
            ends(dialog, reason);
            dialog.accept(subscribe, 600);
        };
        let refused: Way = |notifier, dialog, subscribe, reason| {
            ends(dialog, reason);
            notifier.reject(subscribe, 404, &[]);
        };
        for way in [before, after, refused] {
            for (reason, status) in [("noresource", "terminated"), ("rejected", "rejected")] {
                let mut news = Newsreader::new(&server);
                let (_, subscribe) = begin(&server, &notifier, "alice", "dialog");
                way(&notifier, &mut notifier.dialog(&subscribe), &subscribe, reason);
                let told = news.next("the end");
                assert_eq!((&*told.status, told.code, &*told.reason, told.next_attempt), (status, 0, reason, None));
                server.await_no_subscription();
                news.assert_no_more();
            }
            // After a reason that asks for another attempt, there is one.
            let mut news = Newsreader::new(&server);
            let (id, subscribe) = begin(&server, &notifier, "alice", "dialog");
            way(&notifier, &mut notifier.dialog(&subscribe), &subscribe, "deactivated");
            let told = news.next("the end of the dialog");
            assert_eq!((&*told.status, &*told.reason), ("terminated", "deactivated"));
            let again = notifier.expect_subscribe(SOON);
            assert_ne!(again.need("Call-ID"), subscribe.need("Call-ID"));
            let mut dialog = notifier.activate(&again, 600);
            assert_eq!(news.next("the state").status, "active");
            server.end(id, &mut dialog);
            news.assert_no_more();
        }
    });
    server.stop();
}

/// Nothing more comes by Timer N, 32 seconds. Both tests of it run at the same time.
#[test]
fn nothing_else_by_timer_n_is_the_end() {
    const TIMER_N: Duration = Duration::from_secs(32);
    let notifier = Notifier::udp();
    let server = Server::eager(60).gives_up_after(50_000).start();
    let mut news = Newsreader::new(&server);
    let (_, unanswered) = begin(&server, &notifier, "unanswered", "dialog");
    let mut gone = notifier.dialog(&unanswered);
    ends(&mut gone, "noresource");
    let (id, accepted) = begin(&server, &notifier, "accepted", "dialog");
    ends(&mut notifier.dialog(&accepted), "noresource");
    let _silent = notifier.accept(&accepted, 600);
    server.await_shown(id, "state", "confirmed");
    // The second time its notifier is known.
    assert_eq!(gone.notify(Notify::terminated("noresource", 0)).status(), 200);
    assert_eq!(news.all(), []);

    let told = news.next_within(TIMER_N + SOON, "the end");
    assert_eq!((told.record, &*told.status, &*told.reason), (notifier.uri("unanswered"), "terminated", "noresource"));
    assert_eq!(told.next_attempt, None);
    let told = news.next("that no NOTIFY has come");
    assert_eq!((told.record, &*told.status, &*told.reason), (notifier.uri("accepted"), "terminated", "no NOTIFY"));
    assert!(told.next_attempt.is_some());
    assert!(unanswered.at.elapsed() >= TIMER_N, "{:?}", unanswered.at.elapsed());
    server.unsubscribe(id);
    server.await_no_subscription();
    server.stop();
}

#[test]
fn a_fetch_takes_the_state_of_another_fork() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = Server::eager(60).start();
    leaves_nothing(&server, || {
        let fetch = || {
            let parameters = json!([&record, server.uri("watcher"), "presence", "fetch=20"]);
            server.rpc("presence_b2b.subscribe", parameters).expect("an id");
            let subscribe = notifier.expect_subscribe(SOON);
            assert_eq!(subscribe.need("Expires"), "0");
            subscribe
        };
        use Step::{Accepts, Ends, Lives};
        for steps in [[Ends, Lives, Accepts], [Ends, Accepts, Lives], [Accepts, Ends, Lives]] {
            let mut news = Newsreader::new(&server);
            let subscribe = fetch();
            let (mut one, mut other) = (notifier.dialog(&subscribe), notifier.dialog(&subscribe));
            for step in steps {
                match step {
                    Ends => ends(&mut one, "noresource"),
                    Lives => {
                        let state = Notify::terminated("timeout", 0).pidf(&pidf(&record, "open", None));
                        assert_eq!(other.notify(state).status(), 200, "{steps:?}");
                    }
                    Accepts => other.accept(&subscribe, 0),
                }
            }
            let told = news.next("the result");
            assert_eq!((&*told.reason, &*told.basic, told.next_attempt), ("timeout", "open", None), "{steps:?}");
            server.await_no_subscription();
            news.assert_no_more();
        }
        // This notifier has accepted, or none has.
        for accepts in [true, false] {
            let mut news = Newsreader::new(&server);
            let subscribe = fetch();
            let mut one = notifier.dialog(&subscribe);
            ends(&mut one, "noresource");
            if accepts {
                one.accept(&subscribe, 0);
            } else {
                notifier.reject(&subscribe, 480, &[]);
            }
            let told = news.next("the result");
            assert_eq!((&*told.status, &*told.reason, told.code), ("terminated", "noresource", 0));
            server.await_no_subscription();
            news.assert_no_more();
        }
    });
    server.stop();
}
