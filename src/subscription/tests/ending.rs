//! Unsubscribing (RFC 6665 §4.1.2.3).

use super::*;
use crate::grammar::RouteSet;
use crate::testing::offered;
use crate::testing::tag;
use crate::testing::uri;
use crate::testing::uris;

#[test]
fn nothing_to_say_before_the_first_request() {
    for mut life in [Life::unstarted(policy()), Life::started()] {
        let output = life.give(Input::Unsubscribe);
        assert!(output.forget && output.news.is_none());
        assert_eq!(life.state(), "destroyed");
    }
}

#[test]
fn a_subscription_is_ended_with_expires_0_and_a_last_notify() {
    let mut life = Life::active(3600);
    life.pass(secs(3));
    life.give(Input::Unsubscribe);
    assert_eq!((life.state(), life.due_in()), ("predestroyed", 0.0), "not held back by min_resubscribe_time");
    life.due();
    assert_eq!((life.request().expires, life.request().cseq, life.request().is_initial()), (0, 2, false));
    assert_eq!((life.state(), life.due_in()), ("predestroyed", 60.0));
    life.reply_with(200, |reply| reply.expires = Some(0));
    assert_eq!((life.state(), life.due_in()), ("waiting_for_termination", 30.0));
    assert_eq!(life.notify("active").answer, Some(Answer::Ok), "crossing");
    let output = life.notify("terminated;reason=deactivated");
    assert!(output.forget && output.answer == Some(Answer::Ok));
}

#[test]
fn a_terminating_notify_before_the_2xx_is_the_end_too() {
    let mut life = Life::active(3600);
    life.give(Input::Unsubscribe);
    life.due();
    assert!(life.notify("terminated;reason=timeout").forget);
}

#[test]
fn without_a_last_notify_it_ends_all_the_same() {
    let mut life = Life::active(3600);
    life.give(Input::Unsubscribe);
    life.due();
    life.reply(202);
    assert!(life.due().forget);
}

#[test]
fn a_refused_or_lost_end_is_an_end() {
    for code in [302, 400, 401, 408, 423, 481, 500, 603] {
        let mut life = Life::active(3600);
        life.give(Input::Unsubscribe);
        life.due();
        assert!(life.reply_with(code, |reply| reply.redirect = uris(&[b"sip:x@y"])).forget, "{code}");
    }
    let mut life = Life::active(3600);
    life.give(Input::Unsubscribe);
    life.due();
    assert!(life.due().forget, "watchdog");
    for input in [Input::SendFailed { cseq: 2 }, Input::Dropped { cseq: 2 }] {
        let mut life = Life::active(3600);
        life.give(Input::Unsubscribe);
        life.due();
        assert!(life.give(input).forget);
    }
}

#[test]
fn an_unanswered_subscription_is_ended_when_it_is_answered() {
    let mut life = Life::asking();
    life.give(Input::Unsubscribe);
    assert_eq!((life.state(), life.due_in()), ("unconfirmed_destroy", 60.0));
    life.reply(200);
    assert_eq!((life.state(), life.due_in()), ("predestroyed", 0.0));
    life.due();
    assert_eq!((life.request().expires, life.request().remote_tag.as_slice()), (0, &b"notifier"[..]));

    for code in [302, 404, 408, 481, 503, 603] {
        let mut life = Life::asking();
        life.give(Input::Unsubscribe);
        assert!(life.reply_with(code, |reply| reply.redirect = uris(&[b"sip:x@y"])).forget, "{code}");
    }
    let mut life = Life::asking();
    life.give(Input::Unsubscribe);
    life.reply_with(200, |reply| reply.expires = Some(0));
    assert_eq!(life.state(), "waiting_for_termination", "nothing granted, and said by a NOTIFY");
    let mut life = Life::asking();
    life.give(Input::Unsubscribe);
    assert!(life.reply_with(200, |reply| reply.remote_tag = tag(b"")).forget, "nobody to tell");
    let mut life = Life::asking();
    life.give(Input::Unsubscribe);
    assert!(life.due().forget, "lost");
}

#[test]
fn a_notify_makes_a_dialog_that_can_be_ended() {
    let mut life = Life::asking();
    life.give(Input::Unsubscribe);
    let output = life.notify_with("active", |notify| notify.route_set = RouteSet::of(b"<sip:p;lr>"));
    assert!(output.answer == Some(Answer::Ok) && output.news.is_none());
    assert_eq!(life.state(), "unconfirmed_destroy");
    life.reply(408);
    assert_eq!(life.state(), "predestroyed");
    life.due();
    assert_eq!((life.request().expires, life.request().route_set.as_slice()), (0, &b"<sip:p;lr>"[..]));

    let mut life = Life::asking();
    life.give(Input::Unsubscribe);
    assert!(life.notify("terminated").forget);
    let mut life = Life::asking();
    life.notify("active");
    life.give(Input::Unsubscribe);
    assert!(life.reply(500).forget, "a refusal is meant");
}

#[test]
fn a_refresh_in_flight_is_waited_for() {
    for code in [200, 408, 423, 500, 503] {
        let mut life = Life::active(600);
        life.due();
        life.give(Input::Unsubscribe);
        assert_eq!(life.state(), "resubscription_destroy");
        life.reply_with(code, |reply| reply.contact = Some(uri(b"sip:moved@x")));
        assert_eq!((life.state(), life.due_in()), ("predestroyed", 0.0), "{code}");
        life.due();
        assert_eq!(life.request().expires, 0);
        assert_eq!(life.request().target == b"sip:moved@x", code == 200);
    }
    for code in [404, 481, 489, 604] {
        let mut life = Life::active(600);
        life.due();
        life.give(Input::Unsubscribe);
        assert!(life.reply(code).forget, "{code}");
    }
    let mut life = Life::active(600);
    life.due();
    life.give(Input::Unsubscribe);
    assert!(life.notify("terminated;reason=deactivated").forget);
    let mut life = Life::active(600);
    life.due();
    life.give(Input::Unsubscribe);
    life.reply_with(200, |reply| reply.expires = Some(0));
    assert_eq!(life.state(), "waiting_for_termination");
}

#[test]
fn notifies_in_between_are_discarded_but_followed() {
    let mut life = Life::active(3600);
    life.give(Input::Unsubscribe);
    let output = life.notify_with("active", |notify| {
        notify.contact = Some(offered(b"sip:moved@x"));
        notify.content = Content::Malformed;
    });
    assert!(output.answer == Some(Answer::Ok) && output.news.is_none());
    assert!(life.notify_with("active", |notify| notify.remote_tag = tag(b"other")).answer.is_none());
    assert_eq!(life.notify_with("active", |notify| notify.event = b"x").answer, Some(Answer::BadEvent));
    life.due();
    assert_eq!(life.request().target, b"sip:moved@x");
}

#[test]
fn memory_is_given_back() {
    let mut life = Life::active(3600);
    life.give(Input::Unsubscribe);
    life.due();
    life.reply(200);
    life.notify("terminated");
    assert_eq!(life.account.out(), SUBJECT, "only the subject is left");
    let account = life.account.clone();
    drop(life);
    assert_eq!(account.out(), 0);
}
