//! Refreshes ahead of their time, after a NOTIFY that was refused.

use super::*;
use crate::testing::tag;

fn refused(life: &mut Life) -> Output {
    life.notify_with("active", |notify| notify.content = Content::Malformed)
}

/// What is due is a refresh.
fn refresh(life: &mut Life) {
    life.due();
    assert_eq!(life.state(), "resubscription");
    life.reply(200);
}

#[test]
fn each_refusal_that_may_cost_the_subscription_brings_one() {
    type Refuse = fn(&mut Life) -> Output;
    let refusals: [(Refuse, u16); 9] = [
        (refused, 400),
        (|life| life.notify_with("active", |notify| notify.content = Content::TooLarge), 413),
        (|life| life.notify_with("active", |notify| notify.content = Content::Unsupported), 415),
        (|life| life.notify_with("active", |notify| notify.cseq = 1), 500),
        (|life| life.notify_with("active", |notify| notify.state = None), 400),
        (|life| life.notify_with("active", |notify| notify.event = b"dialog"), 489),
        // The end as well: a NOTIFY that is not understood does not end the subscription; the refresh shows whether it ended.
        (|life| life.notify_with("terminated", |notify| notify.event = b"dialog"), 489),
        (|life| life.notify_with("terminated", |notify| notify.event_id = Some(b"1")), 489),
        (|life| life.give(Input::Untold(Untold::Refused)), 0),
    ];
    for (refuse, code) in refusals {
        let mut life = Life::active(3600);
        life.pass(secs(100));
        let output = refuse(&mut life);
        assert_eq!(output.answer.map_or(0, |answer| answer.code_and_phrase().0), code);
        assert_eq!((life.state(), life.due_in()), ("confirmed", 0.0), "{code}");
        refresh(&mut life);
    }
    for accepted in [(|life: &mut Life| life.notify_with("active", |notify| notify.cseq = 101)) as Refuse, |life| {
        life.notify_with("active", |notify| notify.remote_tag = tag(b"stranger"))
    }] {
        let mut life = Life::active(3600);
        let before = life.due_in();
        accepted(&mut life);
        assert_eq!(life.due_in(), before);
    }
    // A refused fork does not concern this dialog.
    let mut life = Life::active(3600);
    let before = life.due_in();
    assert_eq!(life.give(Input::NotForked).untold, Some((Untold::Refused, true)));
    assert_eq!((life.due_in(), life.subscription.picture(life.now).early), (before, (0, false, None)));
}

/// Memory is short: the refresh leaves the notifier time to send the NOTIFY again, and not all refreshes are sent at once.
#[test]
fn what_is_put_off_brings_one_later() {
    for (random, wait) in [(0, 30.0), (10_000, 40.0), (30_000, 60.0), (30_001, 30.0)] {
        let mut life = Life::active(3600);
        life.pass(secs(100));
        life.random = random;
        assert_eq!(life.give(Input::PutOff(secs(30))).untold, Some((Untold::Refused, true)));
        assert_eq!((life.state(), life.due_in()), ("confirmed", wait));
        life.random = 0;
        refused(&mut life);
        assert_eq!(life.due_in(), wait, "another refusal brings it no sooner");
        refresh(&mut life);
        refused(&mut life);
        assert_eq!(life.due_in(), 60.0, "the next one in a row");
    }
    let mut life = Life::asking();
    life.reply_with(200, |reply| reply.reason = b"OK");
    life.notify("active");
    life.account.allow(0);
    let before = life.due_in();
    assert_eq!(life.give(Input::PutOff(secs(30))).untold, Some((Untold::Refused, false)));
    assert_eq!(life.due_in(), before, "without any memory the refresh stays where it is");
}

#[test]
fn there_is_one_at_a_time_and_each_comes_later_than_the_one_before() {
    let mut life = Life::active(3600);
    // From one SUBSCRIBE to the next: at least min_resubscribe_time, then twice as long each time, at most as planned.
    for wait in [30, 60, 120, 240, 480, 960, 1920, 3570, 3570] {
        refused(&mut life);
        let due = life.due_in();
        assert_eq!(due, f64::from(wait));
        life.pass(secs(1));
        assert_eq!(life.notify("active").answer, Some(Answer::Ok));
        refused(&mut life);
        assert_eq!(life.due_in(), due - 1.0, "one is planned already");
        refresh(&mut life);
    }
    // An interval without a refusal ends the series.
    refresh(&mut life);
    refused(&mut life);
    assert_eq!(life.due_in(), 30.0);
}

/// The notifier may have answered the request in flight before it sent the refused NOTIFY.
#[test]
fn what_is_in_flight_is_followed_by_one() {
    type Refuse = fn(&mut Life) -> Output;
    let end: Refuse = |life| life.notify_with("terminated", |notify| notify.event = b"dialog");
    let untold: Refuse = |life| life.give(Input::Untold(Untold::Refused));
    for refuse in [refused as Refuse, end, untold] {
        let mut life = Life::active(3600);
        life.due();
        let before = life.due_in();
        refuse(&mut life);
        assert_eq!((life.state(), life.due_in()), ("resubscription", before));
        life.pass(secs(1));
        life.reply(200);
        assert_eq!((life.state(), life.due_in()), ("confirmed", 29.0));
        // The next NOTIFY is refused too.
        life.due();
        refuse(&mut life);
        life.reply(200);
        assert_eq!(life.due_in(), 60.0);
        life.due();
        life.reply(200);
        assert_eq!(life.due_in(), 3570.0);

        let mut life = Life::asking();
        refuse(&mut life);
        life.reply(200);
        assert_eq!((life.state(), life.due_in()), ("confirmed", 30.0), "before Timer N");
    }
    // A retry that is planned anyway replaces the refresh.
    let mut life = Life::active(3600);
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    refused(&mut life);
    life.reply_with(503, |reply| reply.retry_after = Some(500));
    assert_eq!(life.due_in(), 500.0);
}

#[test]
fn a_hold_does_not_end_the_row() {
    let mut life = Life::active(3600);
    for _ in 0..2 {
        refused(&mut life);
        refresh(&mut life);
    }
    refused(&mut life);
    assert_eq!(life.due_in(), 120.0);
    life.due();
    life.hold(HeldBy::Breaker, secs(60));
    refresh(&mut life);
    refused(&mut life);
    assert_eq!(life.due_in(), 240.0);
}

#[test]
fn who_has_no_refresh_to_bring_forward_is_left_alone() {
    let mut asking = Life::asking();
    let before = asking.due_in();
    refused(&mut asking);
    assert_eq!((asking.state(), asking.due_in()), ("unconfirmed", before));
    // A retry keeps its time, which may come from the notifier.
    let mut retrying = Life::active(3600);
    retrying.due();
    retrying.reply_with(503, |reply| reply.retry_after = Some(20));
    let before = retrying.due_in();
    refused(&mut retrying);
    assert_eq!((retrying.state(), retrying.due_in()), ("confirmed", before));
    let mut fetch = Life::under(Terms { fetch: Some(32), ..Terms::default() }, policy());
    fetch.give(Input::Start);
    fetch.due();
    fetch.reply(200);
    refused(&mut fetch);
    assert_eq!((fetch.state(), fetch.due_in()), ("confirmed", 32.0));
}

#[test]
fn a_refused_first_notify_does_not_put_timer_n_off() {
    let mut life = Life::asking();
    life.reply(200);
    refused(&mut life);
    assert_eq!(life.due_in(), 30.0);
    life.due();
    assert_eq!(life.state(), "resubscription");
    life.reply(200);
    assert_eq!(life.due_in(), 2.0);
    assert_eq!(told(&life.due()).2, "NOTIFY refused");
}

/// Nor does a NOTIFY that is accepted in the meantime, whatever expiry it names.
#[test]
fn a_later_expiry_does_not_take_it_back() {
    let mut life = Life::active(3600);
    life.notify("active;expires=600");
    refused(&mut life);
    assert_eq!(life.due_in(), 30.0);
    life.notify("active;expires=3000");
    assert_eq!(life.due_in(), 30.0);
}
