//! A subscription whose state comes from the server itself.

use super::super::package;
use super::*;
use crate::testing::NO_CREDENTIALS;

fn local(terms: Terms) -> (Subscription<Accounted>, Accounted) {
    let alloc = Accounted::new();
    let subject = Subject { record: RECORD, subscriber: SUBSCRIBER, package: package::DIALOG.number, event_id: b"" };
    let made = Subscription::try_new(subject, alloc.clone()).and_then(|made| made.try_under(terms)).expect("memory");
    (made.local(), alloc)
}

fn give(subscription: &mut Subscription<Accounted>, input: Input<'_>) -> Output {
    let policy = policy();
    let env =
        Env { now: Millis(5000), policy: &policy, packages: Packages::KNOWN, random: 7, credentials: &NO_CREDENTIALS };
    let output = subscription.handle(input, &env).expect("memory");
    assert!(output.send.is_none() && subscription.deadline().is_none(), "it never sends and never waits");
    output
}

#[test]
fn each_state_is_told_and_nothing_else_happens() {
    let (mut subscription, _) = local(Terms::default());
    let fresh = Fresh { call_id: b"c", local_tag: b"t", cnonce: [b'0'; 16] };
    for input in [Input::Start, Input::Deadline(fresh), Input::Refresh, Input::Turn, Input::SendFailed { cseq: 0 }] {
        let output = give(&mut subscription, input);
        assert!(output.news.is_none() && !output.forget && output.turn.is_none());
        assert_eq!(subscription.state(), State::Local);
    }
    for notifies in 1..=3 {
        let news = give(&mut subscription, Input::Told).news.expect("news");
        assert_eq!((news.status, news.with_body, news.last), (Status::Active, true, false));
        assert_eq!(subscription.notifies, notifies);
    }
    assert!(give(&mut subscription, Input::Unsubscribe).forget);
    assert_eq!(subscription.state(), State::Destroyed);
    assert!(give(&mut subscription, Input::Told).news.is_none());
}

#[test]
fn a_fetch_ends_with_the_first_state() {
    let (mut subscription, _) = local(Terms { fetch: Some(5), ..Terms::default() });
    give(&mut subscription, Input::Start);
    let output = give(&mut subscription, Input::Told);
    let news = output.news.expect("news");
    assert_eq!((news.status, news.with_body, news.last, output.forget), (Status::Active, true, true, true));
}

#[test]
fn a_notify_never_belongs_to_it() {
    let (mut subscription, _) = local(Terms::default());
    let output = give(&mut subscription, Input::Notify(usual_notify(), Fingerprint::NONE));
    assert!(output.answer.is_none() && output.news.is_none() && !output.fork);
}

/// Other subscriptions ignore the input.
#[test]
fn only_a_local_subscription_is_told() {
    let mut life = Life::unstarted(policy());
    life.give(Input::Start);
    assert!(life.give(Input::Told).news.is_none());
    assert_eq!(life.state(), "waiting");
}
