//! A dialog is left in the middle of an attempt, and its granted time ends before the attempt does.

use super::*;
use crate::testing::{tag, uris};

type Leave = fn(&mut Life);

const EXPIRED: (Status, u16, &str) = (Status::Terminated, 0, "expired");

/// Active, and its refresh has led elsewhere 30 seconds before the end.
fn redirected() -> Life {
    let mut life = Life::active(3600);
    life.due();
    assert_eq!(life.state(), "resubscription");
    life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:a@x.example.com"]));
    life
}

fn expires(life: &mut Life) -> Option<u32> {
    let (status, code, reason, next) = told(&life.due());
    assert_eq!((status, code, &*reason), EXPIRED);
    next
}

#[test]
fn whatever_goes_on_its_end_is_told_when_it_comes() {
    let nothing: Leave = |_| {};
    let asked: Leave = |life| {
        life.due();
    };
    let held: Leave = |life| {
        life.due();
        life.hold(HeldBy::Lookup, secs(300));
    };
    let waits_for_its_turn: Leave = |life| {
        life.due();
        life.hold(HeldBy::Rate, secs(300));
    };
    let led_on: Leave = |life| {
        life.due();
        life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:b@x.example.com"]));
        life.due();
    };
    let accepted: Leave = |life| {
        life.due();
        assert!(life.reply(200).news.is_none());
    };
    let cases = [
        (asked, "unconfirmed", 0, 30.0),
        (held, "waiting", 270, 270.0),
        (waits_for_its_turn, "waiting", 270, 270.0),
        (led_on, "unconfirmed", 0, 30.0),
        (accepted, "confirmed", 0, 2.0),
    ];
    for (leave, state, next, left) in cases {
        let mut life = redirected();
        leave(&mut life);
        assert_eq!((life.state(), life.due_in()), (state, 30.0));
        assert_eq!(life.subscription.status(), Some(Status::Active));
        assert_eq!(expires(&mut life), Some(next), "{state}");
        // An attempt under way continues.
        assert_eq!((life.state(), life.due_in()), (state, left));
    }
    let mut life = redirected();
    nothing(&mut life);
    life.pass(secs(31));
    assert_eq!(told(&life.deadline()).3, Some(0), "the worker is late");
    life.due();
    assert_eq!(life.request().target, b"sip:a@x.example.com");
    life.reply(200);
    assert_eq!(told(&life.notify("active")).0, Status::Active);
    assert_eq!(life.due_in(), 3570.0);
}

#[test]
fn another_word_ends_the_wait_for_it() {
    let mut life = redirected();
    life.due();
    life.reply(200);
    assert_eq!(told(&life.notify("active")).0, Status::Active);
    assert_eq!(life.due_in(), 3570.0);
    let mut life = redirected();
    life.due();
    assert_eq!(told(&life.reply(404)), (Status::Terminated, 404, "phrase".to_owned(), Some(120)));
    assert_eq!(life.due_in(), 120.0);
    let mut life = redirected();
    life.due();
    life.give(Input::Unsubscribe);
    assert_eq!((life.state(), life.due_in()), ("unconfirmed_destroy", 60.0));
}

/// A new dialog is tried through another proxy although a NOTIFY has made one: the granted time is the NOTIFY's.
#[test]
fn a_dialog_that_a_notify_has_made_is_left_too() {
    let mut life = Life::unstarted(Policy { proxies: 2, ..policy() });
    life.give(Input::Start);
    life.due();
    life.notify("active;expires=40");
    assert!(life.reply(503).news.is_none());
    life.due();
    assert_eq!((life.state(), life.due_in()), ("unconfirmed", 40.0));
    assert_eq!(expires(&mut life), Some(0));
    assert_eq!(life.due_in(), 20.0, "the watchdog");
    // If the NOTIFY names no expiry, the granted time is the requested one.
    let mut life = Life::asking();
    life.policy.watchdog = secs(10_000);
    life.notify("pending");
    life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:a@x.example.com"]));
    life.due();
    assert_eq!(life.due_in(), 3600.0);
}

#[test]
fn what_brings_the_next_attempt_forward_leaves_the_end_where_it_is() {
    let mut life = redirected();
    life.due();
    life.hold(HeldBy::Lookup, secs(300));
    life.pass(secs(10));
    life.give(Input::Refresh);
    assert_eq!(life.due_in(), 20.0, "it waits for its turn");
    life.give(Input::Turn);
    assert_eq!(life.due_in(), 0.0);
    life.due();
    assert_eq!((life.state(), life.due_in()), ("unconfirmed", 20.0));
    // The end of the first fork is not a known state.
    life.notify_with("terminated;reason=timeout", |notify| notify.remote_tag = tag(b"gone"));
    assert_eq!(life.due_in(), 20.0);
    assert_eq!(expires(&mut life), Some(0));
    assert_eq!(life.due_in(), 12.0, "Timer N");
}

#[test]
fn without_memory_it_is_believed_no_longer() {
    let mut life = Life::unstarted(Policy { proxies: 2, ..policy() });
    life.give(Input::Start);
    life.due();
    life.notify("active;expires=40");
    life.account.allow(0);
    let output = life.reply(503);
    let (status, code, reason, next) = told(&output);
    assert_eq!(((status, code, &*reason), next), (EXPIRED, Some(0)));
}
