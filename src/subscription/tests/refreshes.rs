//! Keeping the subscription alive.

use super::*;
use crate::testing::uri;

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

    // No refresh is in flight, but the 2xx to the first SUBSCRIBE has not come.
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

/// RFC 6665 §4.1.3: a 2xx does not undo a NOTIFY that has overtaken it.
#[test]
fn the_earlier_of_two_expiries_counts() {
    let refreshing = || {
        let mut life = Life::active(3600);
        life.pass(secs(100));
        life.give(Input::Refresh);
        life.due();
        life
    };
    // The times of the NOTIFY and of the 2xx, and the one that counts.
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
    // NOTIFYs from before the refresh do not count.
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

/// If nothing can be sent to the notifier's target, its dialog is useless: as after a 481.
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
    // If the same happens again, it backs off. For a request that opens a dialog it is a failure like any other.
    life.reply(200);
    let cseq = life.request().cseq;
    life.give(Input::NoWay { cseq });
    life.notify("active");
    life.policy.overrides = vec![after_codes(481, 481, Action::Never)];
    assert_eq!(told(&no_way(&mut life)), (Status::Rejected, 0, reason, None));
    // A subscriber that has unsubscribed gets no message.
    let mut life = Life::active(3600);
    life.pass(secs(1000));
    life.give(Input::Refresh);
    life.due();
    life.give(Input::Unsubscribe);
    assert!(life.give(Input::NoWay { cseq: 2 }).forget);
}
