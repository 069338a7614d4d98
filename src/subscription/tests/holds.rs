//! Requests that must not leave: their destination is held, or it is not their turn.

use super::*;
use crate::testing::uris;

#[test]
fn the_first_request_waits_and_keeps_its_identifiers() {
    let mut life = Life::asking();
    let first = life.request().clone();
    assert!(!first.reserved);
    let output = life.hold(HeldBy::Rate, secs(7));
    assert!(output.news.is_none(), "a turn is not worth telling");
    assert_eq!((life.state(), life.due_in()), ("waiting", 7.0));
    assert_eq!(life.snapshot().last_reason, "held back by rate");
    life.due();
    let again = life.request().clone();
    assert_eq!((&again.call_id, &again.local_tag, again.cseq), (&first.call_id, &first.local_tag, first.cseq));
    assert!(again.reserved, "it has its turn");
    life.reply(200);
    life.notify("active");
    life.due();
    assert!(!life.request().reserved, "once");
}

#[test]
fn a_held_destination_is_told_once() {
    for (by, reason) in [(HeldBy::RetryAfter, "destination held"), (HeldBy::Breaker, "destination does not answer")] {
        let mut life = Life::asking();
        let output = life.hold(by, secs(90));
        assert_eq!(told(&output), (Status::Terminated, 0, reason.to_owned(), Some(90)));
        for _ in 0..3 {
            life.due();
            assert!(!life.request().reserved);
            assert!(life.hold(by, secs(90)).news.is_none(), "told already");
        }
        life.due();
        life.reply(503);
        life.due();
        assert!(life.hold(by, secs(90)).news.is_some(), "another hold");
    }
}

#[test]
fn a_refresh_waits_in_its_dialog() {
    let mut life = Life::active(3600);
    life.due();
    let cseq = life.request().cseq;
    let output = life.hold(HeldBy::Breaker, secs(10));
    assert_eq!(told(&output), (Status::Active, 0, "destination does not answer".to_owned(), Some(10)));
    assert_eq!((life.state(), life.due_in()), ("confirmed", 10.0));
    life.due();
    assert_eq!((life.state(), life.request().cseq), ("resubscription", cseq));
    life.reply(200);
    assert_eq!(life.due_in(), 3570.0);
}

/// The subscription expires at its notifier: when the hold ends, a new dialog is opened.
#[test]
fn a_hold_beyond_the_expiry_ends_the_dialog() {
    let mut life = Life::active(3600);
    let old = life.request().call_id.clone();
    life.due();
    life.hold(HeldBy::RetryAfter, secs(100));
    assert_eq!(life.due_in(), 30.0);
    assert_eq!(told(&life.due()), (Status::Terminated, 0, "expired".to_owned(), Some(70)));
    life.due();
    assert_eq!(life.state(), "unconfirmed");
    assert_ne!(life.request().call_id, old);
}

/// A request that is brought forward does not use a second turn.
#[test]
fn a_turn_is_kept_whoever_brings_the_request_forward() {
    let mut life = Life::asking();
    life.hold(HeldBy::Rate, secs(100));
    for _ in 0..3 {
        life.give(Input::Refresh);
    }
    assert_eq!(life.due_in(), 100.0);
    life.due();
    assert!(life.request().reserved);

    let mut life = Life::active(3600);
    life.due();
    life.hold(HeldBy::Rate, secs(20));
    life.give(Input::Refresh);
    life.notify("active;expires=25");
    assert_eq!(life.due_in(), 20.0);
    life.due();
    assert!(life.request().reserved);
    life.reply_with(200, |reply| reply.expires = Some(3600));
    life.notify("active;expires=100");

    // After the expiry is moved, no request is due, and the later one has no turn yet.
    life.due();
    life.hold(HeldBy::Rate, secs(5));
    life.notify("active;expires=3000");
    life.due();
    assert!(!life.request().reserved);
}

/// The dialog expires before its turn: the new dialog takes that turn.
#[test]
fn a_turn_after_the_expiry_is_that_of_the_new_dialog() {
    let mut life = Life::active(3600);
    life.due();
    life.hold(HeldBy::Rate, secs(100));
    assert_eq!(told(&life.due()), (Status::Terminated, 0, "expired".to_owned(), Some(70)));
    assert_eq!(life.due_in(), 70.0);
    life.due();
    assert!(life.request().reserved && life.request().remote_tag.is_empty());
}

/// A redirection to a target that does not answer does not set the waiting time of the subscription.
#[test]
fn a_redirection_to_a_held_destination_is_a_failure_of_that_way() {
    const TWO: &[&[u8]] = &[b"sip:dead@192.0.2.66", b"sip:other@192.0.2.67"];
    for by in [HeldBy::RetryAfter, HeldBy::Breaker] {
        let mut life = Life::asking();
        life.reply_with(302, |reply| reply.redirect = uris(TWO));
        life.due();
        assert_eq!(life.request().target, TWO[0]);
        assert!(life.hold(by, secs(3600)).news.is_none(), "there is another target");
        life.due();
        assert_eq!(life.request().target, TWO[1]);
        let output = life.hold(by, secs(3600));
        let (status, code, _, next) = told(&output);
        assert_eq!((status, code, next), (Status::Terminated, 0, Some(120)), "as any failure");
        life.give(Input::Refresh);
        life.due();
        assert_eq!(life.request().target, RECORD, "from the record on");
    }
    // A request at that target that has no turn waits.
    let mut life = Life::asking();
    life.reply_with(302, |reply| reply.redirect = uris(TWO));
    life.due();
    life.hold(HeldBy::Rate, secs(5));
    life.due();
    assert_eq!(life.request().target, TWO[0]);
}

#[test]
fn a_farewell_waits_unless_the_dialog_ends_before() {
    let leaving = || {
        let mut life = Life::active(3600);
        life.give(Input::Unsubscribe);
        life.due();
        life
    };
    let mut life = leaving();
    let cseq = life.request().cseq;
    assert!(life.hold(HeldBy::Breaker, secs(3000)).news.is_none());
    assert_eq!((life.state(), life.due_in()), ("predestroyed", 3000.0));
    life.due();
    assert_eq!((life.request().cseq, life.request().expires), (cseq, 0));
    let mut life = leaving();
    assert!(life.hold(HeldBy::Breaker, secs(3600)).forget);
}

#[test]
fn nobody_waits_for_a_first_request_that_nobody_wants() {
    let mut life = Life::asking();
    life.give(Input::Unsubscribe);
    assert!(life.hold(HeldBy::Rate, secs(1)).forget);
}

#[test]
fn a_refresh_that_nobody_wants_becomes_a_farewell() {
    let mut life = Life::active(3600);
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    life.give(Input::Unsubscribe);
    life.hold(HeldBy::RetryAfter, secs(60));
    assert_eq!((life.state(), life.due_in()), ("predestroyed", 60.0));
    life.due();
    assert_eq!(life.request().expires, 0);
}

#[test]
fn what_was_held_is_not_counted_as_asked() {
    let mut life = Life::active(3600);
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    life.hold(HeldBy::Breaker, secs(60));
    // The longest a NOTIFY can grant is counted from what was really sent.
    life.notify("active;expires=3600");
    assert_eq!(life.snapshot().expires_in, Some(3500));
    assert_eq!(life.snapshot().retries, 0);
}

#[test]
fn an_answer_to_a_challenge_stays_one() {
    const ASKED: &[Challenge<'static>] =
        &[Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"n\"" }];
    let mut life = Life::asking();
    life.reply_with(401, |reply| reply.challenges = ASKED);
    life.due();
    life.hold(HeldBy::Rate, secs(5));
    life.due();
    assert_eq!(life.request().authorizations.len(), 1);
    let output = life.reply_with(401, |reply| reply.challenges = ASKED);
    assert_eq!(told(&output).0, Status::Terminated, "it had its answer");
}

/// A fetch sends no request after its deadline.
#[test]
fn a_fetch_that_is_held_for_too_long_is_over() {
    let asking = || {
        let mut life = Life::under(Terms { fetch: Some(20), ..Terms::default() }, policy());
        life.give(Input::Start);
        life.due();
        life
    };
    let mut life = asking();
    assert_eq!(told(&life.hold(HeldBy::Breaker, secs(19))).3, Some(19));
    assert_eq!(life.due_in(), 19.0);
    let mut life = asking();
    let output = life.hold(HeldBy::Breaker, secs(20));
    assert_eq!(told(&output), (Status::Terminated, 0, "destination does not answer".to_owned(), None));
    assert!(output.forget);
}

/// A reserved turn is handed in: the request leaves at once, needs no other turn, and leaves once only.
#[test]
fn a_turn_is_told() {
    for by in [HeldBy::Lookup, HeldBy::Unreached] {
        let mut life = Life::asking();
        let first = life.request().clone();
        assert!(!first.queued);
        life.hold(by, secs(100));
        assert_eq!((life.state(), life.due_in()), ("waiting", 100.0));
        assert_eq!(life.snapshot().last_reason, "waiting for name or connection");
        life.give(Input::Turn);
        assert_eq!(life.due_in(), 0.0);
        life.due();
        let again = life.request().clone();
        assert_eq!((&again.call_id, again.cseq), (&first.call_id, first.cseq));
        assert!(again.reserved && again.queued);
        life.reply(200);
        life.notify("active");
        let due = life.due_in();
        life.give(Input::Turn);
        assert_eq!(life.due_in(), due, "there is no turn any more");
    }
}

#[test]
fn a_wait_for_a_turn_is_told_only_when_it_is_long() {
    let mut life = Life::active(3600);
    life.due();
    assert!(life.hold(HeldBy::Lookup, secs(4)).news.is_none());
    life.due();
    assert!(life.request().queued, "its turn is still to come");
    let output = life.hold(HeldBy::Unreached, secs(10));
    assert_eq!(told(&output), (Status::Active, 0, "waiting for name or connection".to_owned(), Some(10)));
    life.due();
    assert!(life.hold(HeldBy::Unreached, secs(100)).news.is_none(), "once");
    assert_eq!(told(&life.due()).2, "expired", "at the moment of the expiry, whoever's turn it is");
    life.give(Input::Turn);
    assert!(life.due_in() > 0.0, "the turn was that of the dialog");
}

#[test]
fn a_farewell_waits_for_its_turn() {
    let mut life = Life::active(3600);
    life.give(Input::Unsubscribe);
    life.due();
    life.hold(HeldBy::Lookup, secs(100));
    assert_eq!((life.state(), life.due_in()), ("predestroyed", 100.0));
    life.give(Input::Turn);
    assert_eq!(life.due_in(), 0.0);
    life.due();
    assert_eq!(life.request().expires, 0);
}

/// A turn that does not belong to the request is ignored: one that was reserved for a rate, or one of no request.
#[test]
fn nobody_else_has_a_turn() {
    for by in [HeldBy::Rate, HeldBy::RetryAfter, HeldBy::Breaker] {
        let mut life = Life::asking();
        life.hold(by, secs(100));
        life.give(Input::Turn);
        assert_eq!(life.due_in(), 100.0);
    }
}
