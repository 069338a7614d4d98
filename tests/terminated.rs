//! The meaning of a notifier's end of a subscription, and when the module subscribes again (RFC 6665 §4.1.3).

use std::time::{Duration, Instant};

use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

/// `on_error_retry_time`: the default wait. Longer than any test.
const WHEN_IN_DOUBT: u32 = 77;

/// When the next SUBSCRIBE comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Never,
    /// In so many seconds, and the test waits for it.
    Comes(u32),
    /// In so many seconds, which is what is told of it.
    Planned(u32),
}

/// Subscription-State; what is told: status and reason; what follows.
const CASES: &[(&str, &str, &str, Next)] = &[
    ("terminated;reason=deactivated", "terminated", "deactivated", Next::Comes(0)),
    ("terminated;reason=deactivated;retry-after=600", "terminated", "deactivated", Next::Comes(0)),
    ("terminated;reason=timeout", "terminated", "timeout", Next::Comes(0)),
    ("Terminated;expires=600;Reason=TimeOut;Retry-After=2", "terminated", "TimeOut", Next::Comes(2)),
    ("terminated;reason=giveup", "terminated", "giveup", Next::Comes(0)),
    ("terminated;reason=giveup;retry-after=600", "terminated", "giveup", Next::Planned(600)),
    ("terminated;reason=probation;retry-after=2", "terminated", "probation", Next::Comes(2)),
    ("terminated;reason=probation", "terminated", "probation", Next::Planned(WHEN_IN_DOUBT)),
    ("terminated;reason=rejected", "rejected", "rejected", Next::Never),
    ("terminated;reason=rejected;retry-after=1", "rejected", "rejected", Next::Never),
    ("terminated;reason=noresource", "terminated", "noresource", Next::Never),
    ("terminated;reason=invariant", "terminated", "invariant", Next::Never),
    ("terminated", "terminated", "", Next::Planned(WHEN_IN_DOUBT)),
    ("terminated;retry-after=2", "terminated", "", Next::Comes(2)),
    ("terminated;reason=out-to-lunch", "terminated", "out-to-lunch", Next::Planned(WHEN_IN_DOUBT)),
    ("terminated;reason=out-to-lunch;retry-after=600", "terminated", "out-to-lunch", Next::Planned(600)),
    // A day is the most that is obeyed.
    ("terminated;reason=probation;retry-after=99999999999", "terminated", "probation", Next::Planned(86_400)),
];

/// How far the subscription has come when it is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Confirmed,
    FirstNotify,
    BeforeThe2xx,
}

struct Ended<'s> {
    watch: Watch<'s>,
    dialog: Dialog,
    at: Instant,
}

fn end_one<'s>(server: &'s Server, notifier: &Notifier, number: usize, when: When) -> Ended<'s> {
    let (state, status, reason, next) = CASES[number];
    let record = notifier.uri(&format!("case{number}"));
    let watch = Watch::begin(server, &record);
    // Those of earlier cases may come again in the meantime.
    let first = |message: &Message| message.method() == "SUBSCRIBE" && message.uri() == record;
    let subscribe = notifier.endpoint.wait_for(SOON, first).expect("the first SUBSCRIBE");
    let mut dialog = notifier.dialog(&subscribe);
    if when != When::BeforeThe2xx {
        dialog.accept(&subscribe, 600);
        watch.await_state("confirmed");
    }
    if when == When::Confirmed {
        assert_eq!(dialog.notify(told(600, "first")).status(), 200);
    }
    let at = Instant::now();
    let last = Notify::state(state).pidf(&pidf("sip:alice@example.com", "closed", Some("last")));
    assert_eq!(dialog.notify(last).status(), 200, "{state}");
    let news = watch.await_note("last");
    if when == When::BeforeThe2xx {
        // Another fork may have accepted: its state is told, and the 2xx says that this was the end.
        assert_eq!((&*news.status, &*news.reason, &*news.basic), ("pending", reason, "closed"), "{state}");
        dialog.accept(&subscribe, 600);
        assert_eq!(dialog.notify(told(600, "after the end")).status(), 481, "{state}");
        return Ended { watch, dialog, at };
    }
    assert_eq!((&*news.status, &*news.reason, &*news.basic), (status, reason, "closed"), "{state}");
    let planned = news.next_attempt;
    match next {
        Next::Never => assert_eq!(planned, None, "{state}"),
        // A second after the SUBSCRIBE before is the least.
        Next::Comes(seconds) => {
            assert!(planned.is_some_and(|planned| planned <= seconds.max(1)), "{state}: {planned:?}")
        }
        Next::Planned(seconds) => assert_eq!(planned, Some(seconds), "{state}"),
    }
    assert_eq!(dialog.notify(told(600, "after the end")).status(), 481, "{state}");
    Ended { watch, dialog, at }
}

fn each_reason_is_understood(when: When) {
    let server = Server::b2b()
        .b2b_param("min_resubscribe_time", 0)
        .b2b_param("on_error_retry_time", i64::from(WHEN_IN_DOUBT))
        .route(TELL)
        .start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut ended: Vec<_> =
            (0..CASES.len()).map(|number| Some(end_one(&server, &notifier, number, when))).collect();
        let due = CASES.iter().filter(|case| matches!(case.3, Next::Comes(_))).count();
        for _ in 0..due {
            let again = notifier.expect_subscribe(SOON);
            let number = (0..CASES.len()).find(|number| again.uri() == notifier.uri(&format!("case{number}")));
            let number = number.expect("a record of this test");
            let (state, .., next) = CASES[number];
            let one = ended[number].take().unwrap_or_else(|| panic!("{state}: a second SUBSCRIBE"));
            let Next::Comes(seconds) = next else { panic!("{state}: a SUBSCRIBE has come") };
            let after = again.at - one.at;
            let least = Duration::from_secs(seconds.into()).saturating_sub(Duration::from_millis(50));
            assert!(after >= least && after < least + Duration::from_secs(8), "{state}: after {after:?}");
            assert_ne!(again.need("Call-ID"), one.dialog.call_id, "{state}: a new dialog");
            one.watch.unsubscribe();
            notifier.reject(&again, 404, &[]);
            one.watch.await_gone(SOON);
        }
        notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(100));
        for (one, (state, .., next)) in ended.into_iter().zip(CASES) {
            let Some(one) = one else { continue };
            if *next == Next::Never {
                one.watch.await_gone(SOON);
            } else {
                assert_eq!(one.watch.show()["state"], "waiting", "{state}");
                one.watch.unsubscribe();
                assert!(one.watch.is_gone(), "{state}");
            }
        }
    });
    server.stop();
}

#[test]
fn in_a_subscription_that_stands() {
    each_reason_is_understood(When::Confirmed);
}

#[test]
fn in_the_first_notify() {
    each_reason_is_understood(When::FirstNotify);
}

#[test]
fn in_a_notify_before_the_2xx() {
    each_reason_is_understood(When::BeforeThe2xx);
}

/// It takes effect at once, even if its body is unusable.
#[test]
fn its_body_does_not_matter() {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for (kind, body) in [("text/plain", "bye"), ("application/pidf+xml", "<presence"), ("/", "x"), ("", "")] {
            let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
            let last = Notify::terminated("noresource", 0);
            let last = if body.is_empty() { last } else { last.body(kind, body) };
            assert_eq!(dialog.notify(last).status(), 200, "{kind}");
            watch.await_gone(SOON);
            let news = watch.await_news("the end", |news| news.status == "terminated");
            assert_eq!((&*news.reason, &*news.basic), ("noresource", ""));
            assert_eq!(watch.news().len(), 2);
        }
    });
    server.stop();
}
