//! NOTIFYs and what they are answered.

use super::*;
use crate::grammar::RouteSet;
use crate::testing::tag;
use crate::testing::uri;

/// Makes one NOTIFY different; the lifetimes are those of literals.
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
        let news = News {
            status,
            code: 0,
            reason: Brief::new(reason.as_bytes()),
            next_attempt: None,
            with_body,
            last: false,
            fork: 0,
        };
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
        ("stale before bad body", |n| (n.cseq, n.content) = (1, Content::TooLarge), Some(Answer::StaleCseq)),
        ("a repetition", |n| n.cseq = 101, Some(Answer::Ok)),
        ("a repetition with a bad body", |n| (n.cseq, n.content) = (101, Content::Malformed), Some(Answer::Ok)),
        ("a body of another type", |n| n.content = Content::Unsupported, Some(Answer::UnsupportedMediaType)),
        ("a broken body", |n| n.content = Content::Malformed, Some(Answer::BadRequest("Malformed Body"))),
        ("a large body", |n| n.content = Content::TooLarge, Some(Answer::TooLarge)),
    ];
    // No refresh can come sooner than it is planned.
    let mut life = Life::unstarted(Policy { min_resubscribe_time: secs(3600), ..policy() });
    life.give(Input::Start);
    life.due();
    life.reply(200);
    life.notify("active");
    assert_eq!(life.snapshot().remote_cseq, 101);
    let before = life.snapshot();
    for (name, change, answer) in cases {
        let output = life.notify_with("active;expires=50", |notify| {
            notify.contact = Some(uri(b"sip:elsewhere@x"));
            change(notify);
        });
        assert_eq!(output.answer, answer, "{name}");
        assert!(output.news.is_none(), "{name}");
        assert_eq!(life.snapshot(), before, "{name}");
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
    let subject = Subject { record: RECORD, subscriber: SUBSCRIBER, package: package::PRESENCE, event_id: b"7" };
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
        notify.contact = Some(uri(b"sip:moved@x"));
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
    // After 10 s of life: what is told, and when the next attempt is.
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
            let output = life.notify(&format!("terminated;reason={reason};expires=99"));
            assert_eq!(output.answer, Some(Answer::Ok));
            let word = reason.split(';').next().unwrap();
            assert_eq!(told(&output), (status, 0, word.to_owned(), next), "{reason} in {flight}");
            assert_eq!((output.forget, output.news.unwrap().with_body), (next.is_none(), true));
            // What is forgotten has been told.
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
    }
}

#[test]
fn an_old_terminated_notify_is_not_acted_upon() {
    let mut life = Life::active(3600);
    assert_eq!(life.notify_with("terminated", |notify| notify.cseq = 100).answer, Some(Answer::StaleCseq));
    assert_eq!(life.state(), "confirmed");
}

#[test]
fn without_a_transaction_an_accepted_number_is_a_retransmission() {
    let mut life = Life::active(3600);
    let newest = life.remote_cseq;
    let mut told = |cseq: u32, may_repeat: bool| {
        let output = life.notify_with("active", |notify| (notify.cseq, notify.may_repeat) = (cseq, may_repeat));
        (output.answer, output.news.is_some())
    };
    assert_eq!(told(newest + 2, true), (Some(Answer::Ok), true));
    assert_eq!(told(newest + 33, true), (Some(Answer::Ok), true));
    for (cseq, may_repeat, answer) in [
        (newest + 33, true, Answer::Ok),
        (newest + 2, true, Answer::Ok),
        (newest + 2, false, Answer::StaleCseq),
        (newest + 1, true, Answer::StaleCseq),
        (newest + 3, true, Answer::StaleCseq),
        (newest, true, Answer::StaleCseq),
        (0, true, Answer::StaleCseq),
    ] {
        assert_eq!(told(cseq, may_repeat), (Some(answer), false), "{cseq}");
    }
    assert_eq!(told(newest + 66, true), (Some(Answer::Ok), true));
    assert_eq!(told(newest + 33, true), (Some(Answer::StaleCseq), false), "too long ago to be known");
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
