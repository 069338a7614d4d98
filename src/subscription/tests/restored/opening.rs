//! A SUBSCRIBE that opens a dialog waits for the row that knows of it.

use super::*;

/// The dialog is begun, and its row is to be written.
fn unsaved() -> Life {
    let mut life = Life::unstarted(stores());
    life.give(Input::Start);
    let output = life.due();
    assert!(output.unsaved && output.send.is_none() && life.subscription.is_unsaved());
    life
}

#[test]
fn it_leaves_once_the_row_is_there() {
    let mut life = unsaved();
    let begun = ids(&life);
    assert_eq!(life.due_in(), 2.0);
    assert!(life.deadline().send.is_none(), "not yet");
    life.give(Input::Saved);
    assert!(!life.subscription.is_unsaved());
    let output = life.due();
    assert!(!output.unsaved && output.send.is_some());
    assert_eq!((sent_ids(&life), life.state()), (begun, "unconfirmed"));
    assert!(!life.request().reserved, "it takes part in the rates");
    life.reply_with(200, |reply| reply.expires = Some(3600));
    life.notify("active");
    life.give(Input::Saved);
    assert_eq!(life.due().send.map(|request| request.cseq), Some(2), "a refresh waits for nothing");
}

#[test]
fn a_database_that_is_away_stops_nothing() {
    let mut life = unsaved();
    let begun = ids(&life);
    assert!(life.due().send.is_some());
    assert_eq!(sent_ids(&life), begun);
}

#[test]
fn the_same_attempt_waits_once_and_the_next_one_again() {
    let mut life = unsaved();
    life.give(Input::Saved);
    life.due();
    life.hold(HeldBy::Rate, secs(5));
    assert!(life.due().send.is_some(), "after a hold");
    life.reply(302);
    assert_eq!(life.state(), "waiting");
    assert!(life.due().unsaved, "another dialog");
}

#[test]
fn a_fetch_does_not_wait() {
    let mut life = Life::under(Terms { fetch: Some(10), ..Terms::default() }, stores());
    life.give(Input::Start);
    assert!(life.due().send.is_some());
}

#[test]
fn one_that_waits_can_be_ended() {
    assert!(unsaved().give(Input::Unsubscribe).forget);
}

/// It may have left before the server stopped: its NOTIFY is awaited.
#[test]
fn what_may_have_left_goes_on_as_the_same() {
    let mut sent = unsaved();
    sent.give(Input::Saved);
    let row = sent.restarted(secs(1), false);
    sent.due();
    for before in [row, sent.restarted(secs(1), false)] {
        let begun = ids(&before);
        let mut again = before.restarted(secs(0), false);
        assert_eq!((again.state(), again.due_in()), ("unconfirmed", 5.0));
        assert_eq!(again.due().turn, None, "no failure");
        assert_eq!((again.state(), again.due_in()), ("waiting", 0.0));
        again.due();
        assert_eq!(sent_ids(&again), begun);
        assert!(again.request().cseq > HEADROOM);
        // The NOTIFY has come.
        let mut again = before.restarted(secs(0), false);
        assert!(again.notify("active;expires=50").news.is_some());
        assert_eq!(again.due_in(), 0.0);
        again.due();
        assert_eq!((again.state(), ids(&again)[0].clone()), ("confirmed", begun[0].clone()));
        assert!(again.due_in() > 15.0 && again.due_in() < 50.0);
        again.due();
        assert_eq!(sent_ids(&again)[..2], begun[..2]);
        // Nobody wants it any more.
        let mut again = before.restarted(secs(0), false);
        again.give(Input::Unsubscribe);
        assert_eq!(again.notify("active;expires=50").answer, Some(Answer::Ok));
        again.due();
        again.due();
        assert_eq!((again.request().expires, again.state()), (0, "predestroyed"));
        let mut again = again.restarted(secs(0), false);
        again.due();
        assert_eq!(again.request().expires, 0);
    }
}

#[test]
fn a_held_attempt_keeps_its_moment_and_its_names() {
    let mut life = unsaved();
    life.give(Input::Saved);
    life.due();
    let begun = ids(&life);
    life.hold(HeldBy::RetryAfter, secs(100));
    let mut again = life.restarted(secs(10), false);
    assert_eq!((again.state(), again.due_in()), ("waiting", 90.0));
    again.due();
    assert_eq!(sent_ids(&again), begun);
}

#[test]
fn the_end_of_a_dialog_that_was_left_is_told() {
    let mut life = Life::active(600);
    life.policy = stores();
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    let targets = crate::testing::uris(&[b"sip:a@x"]);
    life.reply_with(302, |reply| reply.redirect = targets);
    assert!(life.due().unsaved);
    let mut again = life.restarted(secs(600), false);
    assert_eq!(again.subscription.status(), Some(Status::Active));
    assert_eq!(told(&again.due()).0, Status::Terminated);
}
