//! Failures of the request that opens a dialog.

use super::super::failure::back_off;
use super::*;
use crate::testing::uris;

#[test]
fn failures_are_told_and_retried() {
    for code in (400..=699).filter(|code| ![406, 489].contains(code)) {
        let mut life = Life::asking();
        assert_eq!(told(&life.reply(code)), (Status::Terminated, code, "phrase".to_owned(), Some(120)));
        assert_eq!((life.state(), life.due_in()), ("waiting", 120.0));
        let snapshot = life.snapshot();
        assert_eq!((snapshot.last_reply, snapshot.last_reason.as_str(), snapshot.retries), (code, "phrase", 1));
        life.due();
        assert_eq!(life.request().call_id, b"call2", "a new dialog");
    }
}

#[test]
fn what_will_never_work_is_given_up() {
    for code in [406, 489] {
        let mut life = Life::asking();
        let output = life.reply(code);
        assert_eq!(told(&output), (Status::Rejected, code, "phrase".to_owned(), None));
        assert!(output.forget && output.news.unwrap().last);
        assert_eq!(life.state(), "destroyed");
    }
}

#[test]
fn requests_that_do_not_leave_are_failures() {
    let mut life = Life::asking();
    assert_eq!(
        told(&life.give(Input::SendFailed { cseq: 1 })),
        (Status::Terminated, 0, "send failed".into(), Some(120))
    );
    life.due();
    assert_eq!(told(&life.give(Input::Dropped { cseq: 2 })).2, "dropped by script");
    let mut life = Life::asking();
    assert_eq!(told(&life.due()), (Status::Terminated, 408, "Request Timeout".into(), Some(120)));
    assert_eq!(life.snapshot().last_reply, 408);
}

#[test]
fn retry_after_is_honoured_within_reason() {
    for (told_after, waits) in
        [(1, 30.0), (45, 45.0), (500, 500.0), (86_400, 86_400.0), (u32::MAX, 86_400.0), (0, 120.0)]
    {
        let mut life = Life::asking();
        life.reply_with(503, |reply| reply.retry_after = Some(told_after));
        assert_eq!(life.due_in(), waits, "{told_after}");
    }
}

#[test]
fn back_off_doubles_with_jitter_up_to_the_cap() {
    let policy = policy();
    for random in [0, 1, 59_999, u64::MAX / 3, u64::MAX] {
        assert_eq!(back_off(1, &policy, random), secs(120), "the first is exact");
        for (failures, whole) in [(2, 240), (3, 480), (4, 960), (5, 1920), (6, 3600), (7, 3600), (u32::MAX, 3600)] {
            let delay = back_off(failures, &policy, random);
            assert!(delay >= secs(whole) / 2 && delay <= secs(whole), "{failures}: {delay:?}");
        }
    }
    assert_eq!(back_off(3, &policy, 0), secs(240));
    assert_eq!(back_off(3, &policy, 240_000), secs(480));
    let odd = Policy { on_error_retry_time: secs(0), failure_backoff_max: secs(0), ..policy };
    assert_eq!(back_off(1, &odd, 7), secs(1));
    assert!(back_off(9, &odd, 7) >= Duration::from_millis(500));
}

#[test]
fn success_ends_the_back_off() {
    let mut life = Life::asking();
    for retries in 1..4 {
        life.reply(500);
        assert_eq!(life.snapshot().retries, retries);
        life.due();
    }
    life.reply(200);
    assert_eq!(life.snapshot().retries, 3, "a 2xx alone is not yet success");
    life.notify("pending");
    assert_eq!(life.snapshot().retries, 0);
}

#[test]
fn interval_too_brief_is_repeated_once() {
    let mut life = Life::asking();
    let output = life.reply_with(423, |reply| reply.min_expires = Some(7200));
    assert!(output.news.is_none());
    assert_eq!(life.due_in(), 0.0);
    life.due();
    let request = life.request();
    assert_eq!((request.call_id.as_slice(), request.local_tag.as_slice()), (&b"call1"[..], &b"tag1"[..]));
    assert_eq!((request.cseq, request.expires), (2, 7200));
    let output = life.reply_with(423, |reply| reply.min_expires = Some(9000));
    assert_eq!(told(&output), (Status::Terminated, 423, "phrase".into(), Some(120)));
    life.due();
    assert_eq!(life.request().expires, 7200, "what was learnt stays");
}

#[test]
fn interval_too_brief_without_a_usable_min_expires_backs_off() {
    for min_expires in [None, Some(0), Some(3600), Some(u32::MAX)] {
        let mut life = Life::asking();
        assert_eq!(
            told(&life.reply_with(423, |reply| reply.min_expires = min_expires)).3,
            Some(120),
            "{min_expires:?}"
        );
    }
}

#[test]
fn interval_too_brief_on_a_refresh_is_repeated_within_the_dialog() {
    let mut life = Life::active(600);
    life.due();
    assert!(life.reply_with(423, |reply| reply.min_expires = Some(7200)).news.is_none());
    assert_eq!((life.state(), life.due_in()), ("confirmed", 0.0));
    life.due();
    assert_eq!((life.request().expires, life.request().is_initial()), (7200, false));
    assert!(life.reply_with(423, |reply| reply.min_expires = Some(9000)).news.is_some());
}

/// A notifier that fails in the same way every time gets few requests.
#[test]
fn nobody_is_hammered() {
    let terminated = ["deactivated", "timeout", "probation", "giveup", "", "unheard-of"];
    type Behaviour = Box<dyn Fn(&mut Life)>;
    let mut behaviours: Vec<(String, usize, Behaviour)> = Vec::new();
    for code in (300..700).filter(|code| ![406, 489].contains(code)) {
        behaviours.push((code.to_string(), 10, Box::new(move |life| drop(life.reply(code)))));
    }
    for reason in terminated {
        let state = if reason.is_empty() { "terminated".to_owned() } else { format!("terminated;reason={reason}") };
        let only = state.clone();
        behaviours.push((format!("first {state}"), 10, Box::new(move |life| drop(life.notify(&only)))));
        let after = state.clone();
        behaviours.push((
            format!("active, then {state}"),
            3600 / 30 + 1,
            Box::new(move |life| {
                life.notify("active");
                life.reply(200);
                life.notify(&after);
            }),
        ));
    }
    behaviours.push(("200 and silence".into(), 10, Box::new(|life| drop(life.reply(200)))));
    behaviours.push(("silence".into(), 10, Box::new(|_| {})));
    behaviours.push((
        "nothing granted".into(),
        10,
        Box::new(|life| drop(life.reply_with(200, |r| r.expires = Some(0)))),
    ));
    behaviours.push((
        "423".into(),
        20,
        Box::new(|life| drop(life.reply_with(423, |r| r.min_expires = Some(r.cseq * 9999)))),
    ));
    behaviours.push((
        "a circle of redirections".into(),
        20,
        Box::new(|life| drop(life.reply_with(302, |r| r.redirect = uris(&[b"sip:a@x", b"sip:b@x", RECORD])))),
    ));
    behaviours.push((
        "481 to every refresh".into(),
        3600 / 30,
        Box::new(|life| {
            if life.request().is_initial() {
                life.reply_with(200, |reply| reply.expires = Some(60));
                life.notify("active");
            } else {
                life.reply(481);
            }
        }),
    ));
    for (name, most, behaviour) in behaviours {
        let mut life = Life::started();
        let end = life.now.after(secs(3600));
        while life.subscription.deadline().unwrap() < end {
            if life.due().send.is_some() {
                behaviour(&mut life);
            }
        }
        assert!(life.sent.len() <= most, "{name}: {} requests in an hour", life.sent.len());
        assert!(life.sent.len() >= 3, "{name}: {} requests in an hour", life.sent.len());
    }
}
