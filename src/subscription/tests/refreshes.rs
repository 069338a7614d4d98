//! Keeping the subscription alive.

use super::*;
use crate::testing::uri;
use proptest::prelude::*;

#[test]
fn the_refresh_comes_in_time() {
    // granted, resubscribe_delta, min_resubscribe_time: when
    let cases = [
        (3600, 30, 30, 3570.0),
        (61, 30, 30, 31.0),
        (60, 30, 30, 30.0),
        (45, 30, 30, 30.0),
        (31, 30, 30, 30.0),
        (30, 30, 30, 15.0),
        (20, 30, 30, 10.0),
        (3, 30, 30, 1.5),
        (1, 30, 30, 1.0),
        (100, 0, 0, 50.0),
        (100, 0, 10, 50.0),
        (100, 500, 10, 10.0),
        (100, 100, 0, 50.0),
        (100, 500, 0, 50.0),
        (100, 99, 0, 1.0),
        (100, 30, 200, 50.0),
        (2, 0, 1, 1.0),
    ];
    for (granted, delta, min, expected) in cases {
        let mut life = Life::started();
        life.policy.resubscribe_delta = secs(delta);
        life.policy.min_resubscribe_time = secs(min);
        life.due();
        life.notify("active");
        life.reply_with(200, |reply| reply.expires = Some(granted));
        assert_eq!(life.due_in(), expected, "granted {granted}, delta {delta}, min {min}");
    }
}

#[test]
fn a_refresh_goes_through_the_dialog() {
    let mut life = Life::active(600);
    life.due();
    let request = life.request().clone();
    assert!(!request.is_initial());
    assert_eq!((request.call_id.as_slice(), request.local_tag.as_slice()), (&b"call1"[..], &b"tag1"[..]));
    assert_eq!((request.remote_tag.as_slice(), request.target.as_slice()), (&b"notifier"[..], NOTIFIER));
    assert_eq!((request.cseq, request.expires), (2, 3600));
    assert_eq!((life.state(), life.due_in()), ("resubscription", 30.0), "the expiry comes before the watchdog");
    life.reply_with(200, |reply| {
        reply.expires = Some(900);
        reply.contact = Some(uri(b"sip:moved@192.0.2.7"));
    });
    assert_eq!((life.state(), life.due_in()), ("confirmed", 870.0));
    assert_eq!(life.snapshot().remote_target, "sip:moved@192.0.2.7");
    life.due();
    assert_eq!(life.request().target, b"sip:moved@192.0.2.7");
}

#[test]
fn a_refresh_may_go_without_a_notify() {
    let mut life = Life::active(600);
    for _ in 0..5 {
        life.due();
        life.reply(200);
        assert_eq!(life.due_in(), 3570.0);
    }
}

/// A refresh is in flight whose NOTIFY is required.
fn insisting() -> Life {
    let mut life = Life::active(600);
    life.policy.timer_n_on_refresh = true;
    life.due();
    life.pass(secs(2));
    life
}

#[test]
fn timer_n_runs_from_the_refresh_where_it_is_insisted_on() {
    let mut life = insisting();
    life.reply(200);
    assert_eq!((life.state(), life.due_in()), ("confirmed", 30.0));
    assert_eq!(life.snapshot().expires_in, Some(3600));
    assert_eq!(told(&life.due()), (Status::Terminated, 0, "no NOTIFY".into(), Some(120)));
    life.due();
    assert!(life.request().is_initial());
}

#[test]
fn a_notify_after_the_refresh_stops_timer_n() {
    for first in [true, false] {
        let mut life = insisting();
        if first {
            life.notify("active");
        }
        life.reply(200);
        if !first {
            life.notify("active");
        }
        assert_eq!((life.state(), life.due_in()), ("confirmed", 3570.0));
    }
}

#[test]
fn no_notification_stops_timer_n() {
    let mut life = insisting();
    let output = life.reply_with(204, |reply| reply.expires = Some(900));
    assert!(output.news.is_none());
    assert_eq!((life.state(), life.due_in(), life.snapshot().expires_in), ("confirmed", 870.0, Some(900)));
    // But not that of a dialog that no NOTIFY has made.
    let mut life = Life::asking();
    life.reply(200);
    life.give(Input::Refresh);
    life.due();
    life.reply(204);
    assert_eq!(life.due_in(), 2.0);
    assert_eq!(told(&life.due()).2, "no NOTIFY");
}

#[test]
fn a_refresh_that_fails_has_no_timer_n() {
    let mut life = insisting();
    life.reply(500);
    assert_eq!((life.state(), life.due_in()), ("confirmed", 28.0));
    assert_eq!(life.snapshot().expires_in, Some(28), "it stands until it expires");
}

/// Refreshes that follow each other closer than Timer N do not put it off.
#[test]
fn refreshes_do_not_put_timer_n_off() {
    let mut life = insisting();
    (life.policy.min_resubscribe_time, life.policy.resubscribe_delta) = (secs(1), secs(10));
    for _ in 0..3 {
        life.reply_with(200, |reply| reply.expires = Some(20));
        assert_eq!((life.state(), life.due_in()), ("confirmed", 10.0));
        if life.sent.len() < 4 {
            life.due();
            assert_eq!(life.state(), "resubscription");
        }
    }
    assert_eq!(told(&life.due()).2, "no NOTIFY");
}

#[test]
fn the_expiry_of_a_notify_is_authoritative() {
    let mut life = Life::active(3600);
    life.pass(secs(100));
    life.notify("active;expires=600");
    assert_eq!((life.snapshot().expires_in, life.due_in()), (Some(600), 570.0));
    life.notify("active;expires=20");
    assert_eq!((life.snapshot().expires_in, life.due_in()), (Some(20), 10.0));
    life.notify("pending;expires=86400");
    assert_eq!((life.snapshot().expires_in, life.due_in()), (Some(3500), 3470.0), "no longer than was asked");
    life.notify("active");
    life.notify("active;expires=0");
    assert_eq!((life.snapshot().expires_in, life.due_in()), (Some(3500), 3470.0), "no word");
}

#[test]
fn frequent_notifies_do_not_put_the_refresh_off() {
    let mut life = Life::active(600);
    let refresh = life.subscription.deadline().unwrap();
    while life.now < refresh {
        let left = 600 - life.now.since(life.sent[0].0).as_secs();
        for drift in [0, 1] {
            life.notify(&format!("active;expires={}", left - drift));
        }
        assert_eq!(life.subscription.deadline(), Some(refresh));
        life.pass(secs(1));
    }
}

#[test]
fn a_notify_during_the_refresh_moves_the_expiry_but_not_the_watchdog() {
    let mut life = Life::active(600);
    life.due();
    life.notify("active;expires=100");
    assert_eq!((life.state(), life.due_in(), life.snapshot().expires_in), ("resubscription", 60.0, Some(100)));
}

#[test]
fn an_operator_refreshes_no_sooner_than_allowed() {
    let mut life = Life::active(3600);
    life.pass(secs(10));
    life.give(Input::Refresh);
    assert_eq!(life.due_in(), 20.0);
    life.pass(secs(100));
    life.give(Input::Refresh);
    assert_eq!(life.due_in(), 0.0);
    life.due();
    assert_eq!(life.state(), "resubscription");
    life.give(Input::Refresh);
    assert_eq!(life.due_in(), 60.0, "one at a time");

    let mut life = Life::asking();
    life.reply(503);
    life.pass(secs(40));
    life.give(Input::Refresh);
    assert_eq!(life.due_in(), 0.0, "a retry instead of waiting");
}

#[test]
fn the_codes_that_end_a_dialog_do_and_no_others() {
    let ending = [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604];
    for code in (300..=699).filter(|code| *code != 423) {
        let mut life = Life::active(3600);
        life.pass(secs(1000));
        life.give(Input::Refresh);
        life.due();
        let output = life.reply(code);
        let news = output.news.expect("told");
        assert_eq!(news.code, code);
        if ending.contains(&code) {
            assert_eq!(life.snapshot().call_id, "", "{code}");
            assert_ne!(news.status, Status::Active);
        } else {
            assert_eq!((life.state(), news.status), ("confirmed", Status::Active), "{code}");
            assert_eq!((life.due_in(), news.next_attempt), (120.0, Some(120)), "{code}");
            assert_eq!(life.notify("active").answer, Some(Answer::Ok));
        }
    }
}

#[test]
fn a_lost_dialog_is_replaced_at_once_the_first_time() {
    let mut life = Life::active(3600);
    life.due();
    assert_eq!(told(&life.reply(481)), (Status::Terminated, 481, "phrase".to_owned(), Some(30)));
    assert_eq!(life.due_in(), 30.0, "min_resubscribe_time after the refresh");
    life.due();
    assert!(life.request().is_initial());
    assert_eq!(told(&life.reply(481)).3, Some(120));
}

#[test]
fn retries_within_the_dialog_fit_before_the_expiry() {
    // Half of what is left when the retry time would be too late.
    let mut life = Life::started();
    life.policy.resubscribe_delta = secs(100);
    life.due();
    life.notify("active");
    life.reply(200);
    life.due();
    life.reply(500);
    assert_eq!((life.state(), life.due_in()), ("confirmed", 50.0));
    life.due();
    assert!(!life.request().is_initial());
    life.pass(secs(1));
    // 49 s are left: half of that is too soon, 30 s after the last one is not.
    life.reply(500);
    assert_eq!(life.due_in(), 29.0);
    life.due();
    assert!(!life.request().is_initial());
    // 20 s are left, and 30 s are the least: a new dialog follows.
    assert_eq!(told(&life.reply(500)), (Status::Active, 500, "phrase".to_owned(), Some(30)));
    assert_eq!(life.due_in(), 20.0);
    assert_eq!(life.notify("active").answer, Some(Answer::Ok), "it stands until then");
    assert_eq!(told(&life.due()), (Status::Terminated, 0, "expired".to_owned(), Some(10)));
    life.due();
    assert!(life.request().is_initial());
}

#[test]
fn a_retry_after_beyond_the_expiry_is_honoured() {
    let mut life = Life::active(600);
    life.due();
    let output = life.reply_with(503, |reply| reply.retry_after = Some(300));
    assert_eq!(told(&output).3, Some(300));
    assert_eq!(life.due_in(), 30.0);
    assert_eq!(told(&life.due()), (Status::Terminated, 0, "expired".to_owned(), Some(270)));
    assert_eq!(life.due_in(), 270.0);
}

#[test]
fn a_retry_after_within_the_dialog_is_honoured() {
    let mut life = Life::active(3600);
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    life.reply_with(503, |reply| reply.retry_after = Some(700));
    assert_eq!(life.due_in(), 700.0);
    life.notify("active;expires=1000");
    assert_eq!(life.due_in(), 700.0, "a NOTIFY does not move the retry");
    life.due();
    life.reply(200);
    assert_eq!(life.due_in(), 3570.0);
}

#[test]
fn a_notify_shows_that_a_lost_refresh_has_worked() {
    let mut life = Life::active(600);
    life.due();
    life.pass(secs(10));
    life.reply(408);
    life.notify("active;expires=3590");
    assert_eq!((life.snapshot().expires_in, life.due_in(), life.snapshot().retries), (Some(3590), 3560.0, 0));
}

#[test]
fn what_expires_while_a_refresh_is_out_is_told_then() {
    let mut life = Life::active(600);
    life.due();
    let output = life.due();
    assert_eq!((told(&output), life.snapshot().retries), ((Status::Terminated, 0, "expired".to_owned(), Some(0)), 0));
    assert_eq!(life.state(), "waiting");
    assert!(life.reply(200).news.is_none(), "too late");
    assert!(life.due().send.is_some_and(|request| request.is_initial()));

    // No refresh, but the 2xx to the first SUBSCRIBE is out.
    let mut life = Life::asking();
    life.notify("active;expires=20");
    assert_eq!(life.due_in(), 20.0);
    assert_eq!(told(&life.due()), (Status::Terminated, 0, "expired".to_owned(), Some(10)));

    // The deadline is handed in late.
    let mut life = Life::active(600);
    life.pass(secs(700));
    let output = life.deadline();
    assert_eq!(told(&output), (Status::Terminated, 0, "expired".to_owned(), Some(0)));
    assert!(output.send.is_none());
}

/// RFC 6665 §4.1.3: a NOTIFY that has overtaken the 2xx is not taken back by it.
#[test]
fn the_earlier_of_two_expiries_counts() {
    let refreshing = || {
        let mut life = Life::active(3600);
        life.pass(secs(100));
        life.give(Input::Refresh);
        life.due();
        life
    };
    // What the NOTIFY says and the 2xx, and what counts.
    for (told, granted, counts) in [
        (Some(60), Some(3600), 60),
        (Some(60), None, 60),
        (Some(3600), Some(60), 60),
        (Some(3500), None, 3500),
        (None, Some(1800), 1800),
    ] {
        let state = told.map_or("active".to_owned(), |seconds: u32| format!("active;expires={seconds}"));
        for is_before in [true, false] {
            let mut life = refreshing();
            if is_before {
                life.notify(&state);
            }
            life.reply_with(200, |reply| reply.expires = granted);
            if !is_before {
                life.notify(&state);
            }
            assert_eq!(life.snapshot().expires_in, Some(counts), "{told:?} {granted:?} {is_before}");
            assert!(life.due_in() < f64::from(counts));
            let mut life = Life::asking();
            if is_before {
                life.notify(&state);
            }
            life.reply_with(200, |reply| reply.expires = granted);
            if !is_before {
                life.notify(&state);
            }
            assert_eq!(life.snapshot().expires_in, Some(counts), "first: {told:?} {granted:?} {is_before}");
        }
    }
    // What was said before the refresh left is no matter.
    let mut life = Life::active(3600);
    life.notify("active;expires=600");
    life.due();
    life.reply(200);
    assert_eq!(life.snapshot().expires_in, Some(3600));
}

#[test]
fn a_refresh_that_grants_nothing_ends_the_dialog() {
    let mut life = Life::active(600);
    life.due();
    assert!(life.reply_with(200, |reply| reply.expires = Some(0)).news.is_none());
    assert_eq!(
        (life.state(), life.due_in()),
        ("confirmed", 30.0),
        "the last NOTIFY, or the end of what was granted before"
    );
    let output = life.due();
    assert_eq!(told(&output), (Status::Terminated, 200, "no time granted".to_owned(), Some(120)));
    assert_eq!(life.state(), "waiting");
}

#[test]
fn a_refresh_that_does_not_leave_is_retried_within_the_dialog() {
    for input in [Input::SendFailed { cseq: 2 }, Input::Dropped { cseq: 2 }] {
        let mut life = Life::active(3600);
        life.pass(secs(1000));
        life.give(Input::Refresh);
        life.due();
        let reason = if matches!(input, Input::Dropped { .. }) { "dropped by script" } else { "send failed" };
        assert_eq!(told(&life.give(input)), (Status::Active, 0, reason.to_owned(), Some(120)));
        assert_eq!(life.state(), "confirmed");
    }
}

/// Where nothing can be sent to what the notifier has named, its dialog is of no use: as after a 481.
#[test]
fn a_refresh_that_no_way_leads_to_ends_the_dialog() {
    let no_way = |life: &mut Life| {
        life.pass(secs(1000));
        life.give(Input::Refresh);
        life.due();
        let cseq = life.request().cseq;
        life.give(Input::NoWay { cseq })
    };
    let mut life = Life::active(3600);
    let reason = "no way to the target".to_owned();
    assert_eq!(told(&no_way(&mut life)), (Status::Terminated, 0, reason.clone(), Some(30)));
    life.due();
    assert!(life.request().is_initial() && life.request().target == RECORD && life.request().call_id == b"call3");
    // When it is told the same again, it backs off; one that opens a dialog is a failure like any other.
    life.reply(200);
    let cseq = life.request().cseq;
    life.give(Input::NoWay { cseq });
    life.notify("active");
    life.policy.overrides = vec![after_codes(481, 481, Action::Never)];
    assert_eq!(told(&no_way(&mut life)), (Status::Rejected, 0, reason, None));
    // Nobody is told of it who has gone.
    let mut life = Life::active(3600);
    life.pass(secs(1000));
    life.give(Input::Refresh);
    life.due();
    life.give(Input::Unsubscribe);
    assert!(life.give(Input::NoWay { cseq: 2 }).forget);
}

/// Standing over connection 7 since a while.
fn connected() -> Life {
    let mut life = Life::asking();
    life.reply_with(200, |reply| reply.flow = Some(flow(7)));
    life.notify("active");
    life.pass(secs(100));
    life
}

#[test]
fn the_loss_of_the_connection_brings_the_refresh_forward() {
    let mut life = connected();
    let planned = life.due_in();
    life.give(Input::FlowLost(flow(6)));
    assert_eq!(life.due_in(), planned, "another connection");
    life.random = 4_000_700;
    life.give(Input::FlowLost(flow(7)));
    assert_eq!(life.due_in(), 0.7);
    assert_eq!(life.subscription.flow(), None);
    let next = life.due_in();
    life.random = 0;
    life.give(Input::FlowLost(flow(7)));
    assert_eq!(life.due_in(), next, "a connection is lost once");
    life.due();
    assert_eq!(life.state(), "resubscription");
    life.reply_with(200, |reply| reply.flow = Some(flow(8)));
    life.give(Input::FlowLost(flow(8)));
    assert_eq!(life.due_in(), 120.0, "it has not lasted until the next SUBSCRIBE");
}

/// A notifier that closes every connection is not refreshed at without end.
#[test]
fn losses_in_a_row_back_off_until_a_connection_lasts() {
    let mut life = connected();
    let lose = |life: &mut Life, number| {
        life.give(Input::FlowLost(flow(number)));
        let due_in = life.due_in();
        life.due();
        let cseq = life.request().cseq;
        life.give(Input::Over { cseq, flow: flow(number + 1) });
        life.reply_with(200, |reply| reply.flow = Some(flow(number + 1)));
        due_in
    };
    assert_eq!([7, 8, 9, 10].map(|number| lose(&mut life, number)), [0.0, 120.0, 120.0, 240.0]);
    life.due();
    let cseq = life.request().cseq;
    life.give(Input::Over { cseq, flow: flow(11) });
    life.reply_with(200, |reply| reply.flow = Some(flow(11)));
    life.pass(secs(40));
    life.give(Input::FlowLost(flow(11)));
    assert_eq!(life.due_in(), 0.0, "it has lasted until the refresh");
}

/// It went over the connection that is lost: nobody waits for tm to give up.
#[test]
fn what_is_under_way_over_a_lost_connection_has_failed() {
    let mut life = Life::asking();
    let cseq = life.request().cseq;
    life.give(Input::FlowLost(flow(7)));
    assert_eq!(life.state(), "unconfirmed", "it goes over another one, as far as is known");
    life.give(Input::Over { cseq: cseq + 1, flow: flow(7) });
    life.give(Input::FlowLost(flow(7)));
    assert_eq!(life.state(), "unconfirmed", "of another request");
    life.give(Input::Over { cseq, flow: flow(7) });
    let output = life.give(Input::FlowLost(flow(7)));
    assert_eq!(told(&output), (Status::Terminated, 0, "connection lost".to_owned(), Some(120)));
    assert!(output.concluded);

    let mut life = connected();
    life.give(Input::Refresh);
    life.due();
    let output = life.give(Input::FlowLost(flow(7)));
    assert_eq!(told(&output), (Status::Active, 0, "connection lost".to_owned(), Some(120)));
    assert_eq!((life.state(), life.subscription.flow()), ("confirmed", None));
}

#[test]
fn the_loss_of_the_connection_is_no_word_to_what_ends() {
    let mut life = connected();
    life.give(Input::Unsubscribe);
    let before = (life.state(), life.due_in());
    life.give(Input::FlowLost(flow(7)));
    assert_eq!((life.state(), life.due_in()), before);
}

proptest! {
    /// The refresh is never later than without the jitter, never sooner than it allows, and never before what holds it back.
    #[test]
    fn the_jitter_keeps_its_bounds(
        granted in 1u64..100_000,
        delta in 0u64..5000,
        min in 0u64..5000,
        jitter in 0u8..=50,
        random in any::<u64>(),
    ) {
        let policy = Policy { resubscribe_delta: secs(delta), min_resubscribe_time: secs(min), ..policy() };
        let plan = schedule::refresh_delay(secs(granted), &policy, random);
        let jittered = Policy { refresh_jitter: jitter, ..policy.clone() };
        let delay = schedule::refresh_delay(secs(granted), &jittered, random);
        prop_assert!(delay <= plan && delay >= plan * (100 - u32::from(jitter)) / 100);
        prop_assert!(delay >= secs(1));
        prop_assert!(delay >= policy.min_resubscribe_time || delay == plan);
    }
}

#[test]
fn the_jitter_reaches_both_ends() {
    let policy = Policy { refresh_jitter: 10, ..policy() };
    let delay = |random| schedule::refresh_delay(secs(3600), &policy, random);
    assert_eq!((delay(0), delay(357_000)), (secs(3570), secs(3213)));
    assert_eq!(delay(357_001), secs(3570), "and begins anew");
}

#[test]
fn subscriptions_granted_together_are_refreshed_apart() {
    let due = (0..100u64).map(|number| {
        let mut life = Life::asking();
        life.policy.refresh_jitter = 10;
        life.random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        life.notify("active");
        life.reply(200);
        life.subscription.deadline().unwrap().0 / 1000
    });
    let seconds: std::collections::BTreeSet<_> = due.collect();
    assert!(seconds.len() > 50, "a hundred in {} seconds", seconds.len());
}
