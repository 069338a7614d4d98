//! NOTIFYs and their answers.

use super::*;
use crate::grammar::RouteSet;
use crate::testing::offered;
use crate::testing::tag;

/// Changes one thing about a NOTIFY; the texts are literals.
type Change = fn(&mut Notify<'_>);

#[test]
fn news_go_with_the_body() {
    let mut life = Life::asking();
    for (state, content, status, reason, with_body) in [
        ("pending", Content::Empty, Status::Pending, "", false),
        ("active", Content::Acceptable, Status::Active, "", true),
        ("active;reason=because", Content::Empty, Status::Active, "because", false),
        ("unheard-of", Content::Acceptable, Status::Active, "", true),
        ("pending", Content::Acceptable, Status::Pending, "", true),
        ("unheard-of", Content::Acceptable, Status::Pending, "", true),
    ] {
        let output = life.notify_with(state, |notify| notify.content = content);
        assert_eq!(output.answer, Some(Answer::Ok));
        let news = News { with_body, ..News::new(status, Brief::new(reason.as_bytes())) };
        assert_eq!(output.news, Some(news), "{state}");
    }
    assert_eq!(life.snapshot().notifies, 6);
}

#[test]
fn bad_notifies_are_answered_and_change_nothing() {
    let missing = Answer::BadRequest("Missing or Malformed Subscription-State");
    let cases: [(&str, Change, Option<Answer>); 17] = [
        ("another tag", |n| n.remote_tag = tag(b"other"), None),
        ("another tag and event", |n| (n.remote_tag, n.event) = (tag(b"other"), b"dialog"), None),
        ("another event", |n| n.event = b"dialog", Some(Answer::BadEvent)),
        ("another case", |n| n.event = b"Presence", Some(Answer::BadEvent)),
        ("no event", |n| n.event = b"", Some(Answer::BadEvent)),
        ("an id", |n| n.event_id = Some(b"1"), Some(Answer::BadEvent)),
        ("an empty id", |n| n.event_id = Some(b""), Some(Answer::BadEvent)),
        ("no state", |n| n.state = None, Some(missing)),
        ("wrong event before no state", |n| (n.event, n.state) = (b"x", None), Some(Answer::BadEvent)),
        ("stale", |n| n.cseq = 100, Some(Answer::StaleCseq)),
        ("no state before stale", |n| (n.cseq, n.state) = (1, None), Some(missing)),
        ("a bad body, stale or not", |n| (n.cseq, n.content) = (1, Content::TooLarge), Some(Answer::TooLarge)),
        ("a repetition", |n| (n.cseq, n.state) = (101, SubscriptionState::parse(b"active")), Some(Answer::Ok)),
        ("another one with the same number", |n| n.cseq = 101, Some(Answer::StaleCseq)),
        ("a body of another type", |n| n.content = Content::Unsupported, Some(Answer::UnsupportedMediaType)),
        ("a broken body", |n| n.content = Content::Malformed, Some(Answer::BadRequest("Malformed Body"))),
        ("a large body", |n| n.content = Content::TooLarge, Some(Answer::TooLarge)),
    ];
    // No refresh can be sent before its planned time.
    let mut life = Life::unstarted(Policy { min_resubscribe_time: secs(3600), ..policy() });
    life.give(Input::Start);
    life.due();
    life.reply(200);
    life.notify("active");
    assert_eq!(life.snapshot().remote_cseq, 101);
    let before = life.snapshot();
    for (name, change, answer) in cases {
        let output = life.notify_with("active;expires=50", |notify| {
            notify.contact = Some(offered(b"sip:elsewhere@x"));
            change(notify);
        });
        assert_eq!(output.answer, answer, "{name}");
        assert!(output.news.is_none(), "{name}");
        assert_eq!(output.untold.is_some(), answer.is_some(), "what is nobody's is not counted: {name}");
        assert_eq!(Snapshot { untold: [0; Untold::ALL.len()], ..life.snapshot() }, before, "{name}");
    }
}

#[test]
fn a_notify_without_a_tag_makes_no_dialog() {
    let mut life = Life::asking();
    let output = life.notify_with("active", |notify| notify.remote_tag = tag(b""));
    assert_eq!(output.answer, Some(Answer::BadRequest("Missing From Tag")));
    assert_eq!(life.snapshot().remote_tag, "");
}

#[test]
fn the_event_id_must_be_the_own() {
    let subject = Subject { record: RECORD, subscriber: SUBSCRIBER, package: package::PRESENCE.number, event_id: b"7" };
    let mut life = Life::unstarted(policy());
    life.subscription = Subscription::try_new(subject, life.account.clone()).unwrap();
    life.give(Input::Start);
    life.due();
    assert_eq!(life.request().event_id, b"7");
    for wrong in [&b"07"[..], b"", b"8"] {
        let output = life.notify_with("active", |notify| notify.event_id = Some(wrong));
        assert_eq!(output.answer, Some(Answer::BadEvent), "{wrong:?}");
    }
    assert_eq!(life.notify_with("active", |notify| notify.event_id = Some(b"7")).answer, Some(Answer::Ok));
    assert_eq!(life.notify("active").answer, Some(Answer::Ok), "some leave it out");
    life.reply(200);
    life.due();
    assert_eq!(life.request().event_id, b"7", "a refresh repeats it");
}

#[test]
fn gaps_and_large_numbers_are_accepted() {
    let mut life = Life::active(3600);
    for cseq in [105, 1_000_000_000, (1 << 31) - 1, u32::MAX] {
        assert_eq!(life.notify_with("active", |notify| notify.cseq = cseq).answer, Some(Answer::Ok));
        assert_eq!(life.snapshot().remote_cseq, cseq);
    }
}

#[test]
fn a_notify_refreshes_the_target_but_not_the_route_set() {
    let mut life = Life::asking();
    life.reply(200);
    life.notify_with("active", |notify| notify.route_set = RouteSet::of(b"<sip:p;lr>"));
    life.notify_with("active", |notify| {
        notify.contact = Some(offered(b"sip:moved@x"));
        notify.route_set = RouteSet::of(b"<sip:q;lr>");
    });
    life.notify_with("active", |notify| notify.contact = None);
    life.due();
    assert_eq!(
        (life.request().target.as_slice(), life.request().route_set.as_slice()),
        (&b"sip:moved@x"[..], &b"<sip:p;lr>"[..])
    );
}

#[test]
fn what_a_terminated_subscription_does_next() {
    // After 10 s: the message, and when the next attempt is.
    let cases = [
        ("deactivated", Status::Terminated, Some(20)),
        ("deactivated;retry-after=500", Status::Terminated, Some(20)),
        ("timeout", Status::Terminated, Some(20)),
        ("timeout;retry-after=500", Status::Terminated, Some(500)),
        ("probation", Status::Terminated, Some(120)),
        ("probation;retry-after=500", Status::Terminated, Some(500)),
        ("probation;retry-after=5", Status::Terminated, Some(20)),
        ("giveup", Status::Terminated, Some(20)),
        ("giveup;retry-after=77", Status::Terminated, Some(77)),
        ("rejected", Status::Rejected, None),
        ("REJECTED;retry-after=5", Status::Rejected, None),
        ("noresource", Status::Terminated, None),
        ("invariant", Status::Terminated, None),
        ("unheard-of", Status::Terminated, Some(120)),
        ("unheard-of;retry-after=4294967296", Status::Terminated, Some(86_400)),
    ];
    for (reason, status, next) in cases {
        for flight in ["confirmed", "resubscription", "unconfirmed"] {
            let mut life = if flight == "unconfirmed" { Life::asking() } else { Life::active(3600) };
            if flight == "resubscription" {
                life.due();
            }
            assert_eq!(life.state(), flight);
            life.pass(secs(10));
            let notify = format!("terminated;reason={reason};expires=99");
            let mut output = life.notify_with(&notify, |notify| {
                notify.content = if flight == "unconfirmed" { Content::Empty } else { Content::Acceptable };
            });
            assert_eq!(output.answer, Some(Answer::Ok));
            if flight == "unconfirmed" {
                // Another fork may have accepted.
                assert!(output.news.is_none());
                output = life.reply(200);
            }
            let word = reason.split(';').next().unwrap();
            assert_eq!(told(&output), (status, 0, word.to_owned(), next), "{reason} in {flight}");
            let with_body = flight != "unconfirmed";
            assert_eq!((output.forget, output.news.unwrap().with_body), (next.is_none(), with_body));
            // A forgotten subscription was told its end.
            assert!(output.forget || life.snapshot().last_reason == word);
            if let Some(next) = next {
                assert_eq!((life.state(), life.due_in()), ("waiting", f64::from(next)));
                let before = life.snapshot();
                life.reply(200);
                assert_eq!(life.snapshot(), before, "a late reply is harmless");
                life.due();
                let request = life.request();
                assert!(request.is_initial() && request.call_id != b"call1" && request.route_set.is_empty());
            }
        }
    }
}

#[test]
fn a_bare_terminated_backs_off() {
    let mut life = Life::active(3600);
    assert_eq!(told(&life.notify("terminated")), (Status::Terminated, 0, String::new(), Some(120)));
}

#[test]
fn a_terminated_notify_is_acted_upon_whatever_its_body_is() {
    for content in [Content::Empty, Content::Unsupported, Content::Malformed, Content::TooLarge] {
        let mut life = Life::active(3600);
        let output = life.notify_with("terminated;reason=noresource", |notify| notify.content = content);
        assert_eq!((output.answer, output.forget, output.news.unwrap().with_body), (Some(Answer::Ok), true, false));
        assert_eq!(output.untold.is_some(), content != Content::Empty, "the body is not told, and that is counted");
    }
}

/// RFC 3261 §12.2.2 refuses it. But a notifier that has ended the subscription sends nothing further in this dialog.
#[test]
fn a_stale_end_is_the_end_of_the_dialog() {
    for (cseq, state) in [(100, "terminated"), (5, "terminated;reason=noresource"), (101, "terminated;reason=rejected")]
    {
        let mut life = Life::active(3600);
        let output = life.notify_with(state, |notify| notify.cseq = cseq);
        assert_eq!((output.answer, output.untold), (Some(Answer::StaleCseq), Some((Untold::Stale, true))));
        assert_eq!(told(&output), (Status::Terminated, 0, "CSeq out of order".to_owned(), Some(120)));
        assert_eq!(life.state(), "waiting");
        let mut life = Life::active(3600);
        life.give(Input::Unsubscribe);
        let output = life.notify_with(state, |notify| notify.cseq = cseq);
        assert_eq!((output.answer, output.forget), (Some(Answer::StaleCseq), true));
    }
}

/// A NOTIFY follows a 2xx (RFC 6665 §4.2.1.2). If that NOTIFY is stale, no usable one will come.
#[test]
fn a_notifier_that_has_lost_its_count_is_left() {
    // The newest CSeq, that of the stale one, and whether it comes before the 2xx.
    for (newest, stale) in [(5000, 40), (u32::MAX, 1), (150, 120)] {
        for is_before in [false, true] {
            let mut life = Life::active(3600);
            life.notify_with("active", |notify| notify.cseq = newest);
            assert_eq!(life.notify_with("active", |notify| notify.cseq = stale).answer, Some(Answer::StaleCseq));
            assert_eq!(life.state(), "confirmed", "it may be a late one");
            life.due();
            let say = |life: &mut Life, cseq| life.notify_with("pending", |notify| notify.cseq = cseq);
            let output = if is_before {
                let output = say(&mut life, stale + 1);
                assert_eq!((output.answer, output.news), (Some(Answer::StaleCseq), None));
                life.reply(200)
            } else {
                life.reply(200);
                let output = say(&mut life, stale + 1);
                assert_eq!(output.answer, Some(Answer::StaleCseq));
                output
            };
            assert_eq!(told(&output), (Status::Terminated, 0, "CSeq out of order".to_owned(), Some(120)));
            assert_eq!((life.state(), life.snapshot().untold), ("waiting", [0, 2, 0, 0, 0]));
        }
    }
}

#[test]
fn a_late_one_behind_a_good_one_is_none_of_a_lost_count() {
    let mut life = Life::active(3600);
    life.notify_with("active", |notify| notify.cseq = 110);
    life.due();
    // It was delayed: another one has overtaken it, and others were delivered before it.
    assert_eq!(life.notify_with("pending", |notify| notify.cseq = 105).answer, Some(Answer::StaleCseq));
    life.reply(200);
    assert_eq!(life.state(), "confirmed");
    assert_eq!(life.notify_with("active", |notify| notify.cseq = 111).answer, Some(Answer::Ok));
    assert_eq!(life.notify_with("pending", |notify| notify.cseq = 50).answer, Some(Answer::StaleCseq));
    assert_eq!(life.state(), "confirmed", "what is owed has come");
    // No NOTIFY follows a 204.
    life.due();
    life.reply(204);
    assert_eq!(life.notify_with("pending", |notify| notify.cseq = 50).answer, Some(Answer::StaleCseq));
    assert_eq!(life.state(), "confirmed");
    // A held request has not left.
    life.due();
    life.hold(HeldBy::Breaker, secs(60));
    assert_eq!(life.notify_with("pending", |notify| notify.cseq = 50).answer, Some(Answer::StaleCseq));
    assert_eq!(life.state(), "confirmed");
}

/// The branch identifies it as well as the text does.
#[test]
fn what_comes_again_is_known_by_its_branch_or_its_text() {
    let echo = Echo::of_hashes;
    let newest = echo(1, Some(2));
    assert!(echo(1, Some(3)).is_again(newest) && echo(4, Some(2)).is_again(newest) && echo(1, None).is_again(newest));
    assert!(!echo(4, Some(3)).is_again(newest) && !echo(4, None).is_again(newest));
    assert!(!echo(4, None).is_again(echo(1, None)), "none is none");
    assert!(!echo(4, Some(0)).is_again(echo(1, None)));
}

/// The first of each kind is marked, so that it is logged once.
#[test]
fn what_is_not_told_is_counted() {
    let mut life = Life::active(3600);
    for (number, why) in Untold::ALL.into_iter().enumerate() {
        for is_first in [true, false] {
            assert_eq!(life.give(Input::Untold(why)).untold, Some((why, is_first)));
        }
        assert_eq!(life.snapshot().untold[number], 2);
    }
    let mut life = Life::asking();
    life.account.allow(0);
    let output = life.give(Input::Untold(Untold::Merged));
    life.account.allow_all();
    assert_eq!(
        (output.untold, life.snapshot().untold),
        (Some((Untold::Merged, false)), [0; Untold::ALL.len()]),
        "without memory"
    );
}

#[test]
fn an_accepted_number_is_a_retransmission() {
    let mut life = Life::active(3600);
    let newest = life.remote_cseq;
    let mut told = |cseq: u32| {
        let output = life.notify_with("active", |notify| notify.cseq = cseq);
        (output.answer, output.news.is_some())
    };
    assert_eq!(told(newest + 2), (Some(Answer::Ok), true));
    assert_eq!(told(newest + 33), (Some(Answer::Ok), true));
    for (cseq, answer) in [
        (newest + 33, Answer::Ok),
        (newest + 2, Answer::Ok),
        (newest + 1, Answer::StaleCseq),
        (newest + 3, Answer::StaleCseq),
        (newest, Answer::StaleCseq),
        (0, Answer::StaleCseq),
    ] {
        assert_eq!(told(cseq), (Some(answer), false), "{cseq}");
    }
    assert_eq!(told(newest + 66), (Some(Answer::Ok), true));
    assert_eq!(told(newest + 33), (Some(Answer::StaleCseq), false), "too long ago to be known");
    assert_eq!(life.snapshot().untold, [0, 5, 2, 0, 0]);
}

#[test]
fn answers_have_codes() {
    let all = [
        Answer::Ok,
        Answer::BadRequest("x"),
        Answer::TooLarge,
        Answer::UnsupportedMediaType,
        Answer::BadEvent,
        Answer::StaleCseq,
    ];
    assert_eq!(all.map(|answer| answer.code_and_phrase().0), [200, 400, 413, 415, 489, 500]);
}
