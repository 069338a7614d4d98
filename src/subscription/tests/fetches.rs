//! The state is asked for once (RFC 6665 §4.4.3).

use super::*;
use crate::testing::{tag, uris};

/// Its SUBSCRIBE is in flight.
fn asking(seconds: u32) -> Life {
    let mut life = Life::under(Terms { fetch: Some(seconds), ..Terms::default() }, policy());
    life.give(Input::Start);
    life.due();
    life
}

/// The last message: status, code, reason. Nothing is left.
fn last(life: &Life, output: &Output) -> (Status, u16, String) {
    let (status, code, reason, next) = told(output);
    assert!(output.forget && life.forgotten && next.is_none() && output.news.is_some_and(|news| news.last));
    (status, code, reason)
}

#[test]
fn one_subscribe_for_no_time_and_one_notify() {
    for (header, status, reason) in [
        ("terminated;reason=timeout", Status::Terminated, "timeout"),
        ("terminated", Status::Terminated, ""),
        ("terminated;reason=deactivated;retry-after=1", Status::Terminated, "deactivated"),
        ("terminated;reason=rejected", Status::Rejected, "rejected"),
        ("active;expires=0", Status::Active, ""),
        ("active;expires=3600", Status::Active, ""),
        ("pending", Status::Pending, ""),
        ("waiting", Status::Pending, ""),
    ] {
        for answered in [false, true] {
            let mut life = asking(32);
            let request = life.request().clone();
            assert!(request.is_initial() && request.expires == 0);
            if answered {
                assert!(life.reply_with(200, |reply| reply.expires = Some(0)).news.is_none());
                assert_eq!((life.state(), life.due_in()), ("confirmed", 32.0));
            }
            let output = life.notify(header);
            assert_eq!(last(&life, &output), (status, 0, reason.to_owned()), "{header}");
            assert_eq!(output.answer, Some(Answer::Ok));
            assert!(output.news.is_some_and(|news| news.with_body), "{header}");
            assert_eq!(life.sent.len(), 1);
        }
    }
}

/// A fork that did not accept may end first: that is a result only if it sends a state.
#[test]
fn the_end_of_another_fork_is_not_the_result() {
    let end = |life: &mut Life| {
        let output = life.notify_with("terminated;reason=noresource", |notify| {
            (notify.remote_tag, notify.content) = (tag(b"gone"), Content::Empty);
        });
        assert_eq!((output.answer, output.news), (Some(Answer::Ok), None));
    };
    let noresource = (Status::Terminated, 0, "noresource".to_owned());
    let timeout = (Status::Terminated, 0, "timeout".to_owned());
    type Step = fn(&mut Life) -> Output;
    let from_gone: Step = |life| life.reply_with(200, |reply| reply.remote_tag = tag(b"gone"));
    let state: Step = |life| life.notify("terminated;reason=timeout");
    for (then, result) in [
        (from_gone, &noresource),
        (|life| life.reply(404), &noresource),
        (state, &timeout),
        (|life| life.due(), &noresource),
    ] {
        let mut life = asking(3600);
        end(&mut life);
        assert_eq!(life.due_in(), 32.0, "Timer N");
        let output = then(&mut life);
        assert_eq!(last(&life, &output), *result);
    }
    // In either order. The fork that has accepted may use all of the fetch's time.
    let mut life = asking(100);
    end(&mut life);
    assert!(life.reply(200).news.is_none());
    assert_eq!(life.due_in(), 100.0);
    let output = life.due();
    assert_eq!(last(&life, &output).2, "no NOTIFY");
    let mut life = asking(32);
    life.reply(200);
    end(&mut life);
    let output = state(&mut life);
    assert_eq!(last(&life, &output), timeout);
    // The second time, its notifier is known.
    let mut life = asking(10);
    end(&mut life);
    end(&mut life);
    let output = life.due();
    assert_eq!(last(&life, &output), noresource, "its deadline comes before Timer N");
}

/// A NOTIFY with a body that cannot be used is refused, and the fetch waits for another one. A terminating NOTIFY ends it, whatever its body.
#[test]
fn what_cannot_be_used_is_no_result() {
    let mut life = asking(32);
    life.reply(200);
    let output = life.notify_with("active", |notify| notify.content = Content::Unsupported);
    assert_eq!((output.answer, output.news), (Some(Answer::UnsupportedMediaType), None));
    assert_eq!(life.notify("").answer.map(|answer| answer.code_and_phrase().0), Some(400));
    assert_eq!(life.notify_with("active", |notify| notify.event = b"dialog").answer, Some(Answer::BadEvent));
    let output = life.notify_with("terminated;reason=timeout", |notify| notify.content = Content::Unsupported);
    assert_eq!(last(&life, &output), (Status::Terminated, 0, "timeout".to_owned()));
    assert!(output.news.is_some_and(|news| !news.with_body));
}

#[test]
fn refusals_are_the_end() {
    for (code, status) in [
        (401, Status::Terminated),
        (403, Status::Terminated),
        (404, Status::Terminated),
        (406, Status::Rejected),
        (423, Status::Terminated),
        (481, Status::Terminated),
        (488, Status::Terminated),
        (489, Status::Rejected),
        (603, Status::Terminated),
    ] {
        let mut life = asking(3600);
        let output = life.reply_with(code, |reply| reply.min_expires = Some(7));
        assert_eq!(last(&life, &output), (status, code, "phrase".to_owned()));
    }
}

#[test]
fn what_may_pass_is_tried_again_if_there_is_time() {
    let lost: fn(&mut Life) -> Output = |life| life.give(Input::SendFailed { cseq: 1 });
    let busy: fn(&mut Life) -> Output = |life| life.reply(503);
    let silent: fn(&mut Life) -> Output = |life| life.reply(408);
    for (failure, code) in [(lost, 0), (busy, 503), (silent, 408)] {
        let mut life = asking(3600);
        let output = failure(&mut life);
        assert_eq!((told(&output).1, told(&output).3), (code, Some(120)));
        assert!(!output.forget);
        life.due();
        assert_eq!((life.request().expires, life.request().cseq), (0, 2));
        let mut life = asking(119);
        let output = failure(&mut life);
        assert_eq!(last(&life, &output).1, code, "there is no time for another");
    }
    let mut life = asking(119);
    let output = life.reply_with(503, |reply| reply.retry_after = Some(40));
    assert_eq!(told(&output).3, Some(40), "Retry-After is obeyed");
}

#[test]
fn its_deadline_is_kept_in_every_state() {
    let mut life = asking(32);
    life.pass(secs(31));
    assert_eq!(life.due_in(), 1.0, "in flight");
    let output = life.due();
    assert_eq!(last(&life, &output), (Status::Terminated, 408, "Request Timeout".to_owned()));

    let mut life = asking(32);
    life.pass(secs(1));
    life.reply(200);
    assert_eq!(life.due_in(), 31.0, "accepted");
    let output = life.due();
    assert_eq!(last(&life, &output), (Status::Terminated, 0, "no NOTIFY".to_owned()));

    let mut life = asking(3600);
    life.reply(500);
    life.pass(secs(3600));
    let output = life.deadline();
    assert_eq!(last(&life, &output).1, 408, "the worker is late");
    assert_eq!(life.sent.len(), 1);

    let mut life = asking(3600);
    assert_eq!(life.due_in(), 60.0, "the watchdog bites first");
    assert_eq!(told(&life.due()).3, Some(120));
}

#[test]
fn redirections_and_challenges_go_on() {
    let mut life = asking(32);
    life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:a@x.example.com", b"sip:b@x.example.com"]));
    life.due();
    assert_eq!((&life.request().target[..], life.request().expires), (&b"sip:a@x.example.com"[..], 0));
    life.reply(404);
    life.due();
    assert_eq!(life.request().target, b"sip:b@x.example.com", "the next target");
    const KNOWN: Challenge<'static> =
        Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"n\"" };
    life.reply_with(401, |reply| reply.challenges = &[KNOWN]);
    life.due();
    assert_eq!((life.request().authorizations.len(), life.request().expires), (1, 0));
    life.reply(200);
    assert!(life.notify("terminated;reason=timeout").forget);
}

#[test]
fn an_operator_brings_a_retry_forward_and_nothing_else() {
    let mut life = asking(3600);
    life.reply(500);
    life.give(Input::Refresh);
    assert_eq!(life.due_in(), 30.0);
    life.due();
    life.reply(200);
    let before = life.due_in();
    life.give(Input::Refresh);
    assert_eq!(life.due_in(), before);
}

#[test]
fn unsubscribing_forgets_it_quietly() {
    let unsubscribed = |mut life: Life| {
        let sent = life.sent.len();
        let output = life.give(Input::Unsubscribe);
        assert!(output.forget && output.news.is_none());
        assert_eq!((life.sent.len(), life.subscription.deadline()), (sent, None));
    };
    unsubscribed(asking(32));
    let mut life = asking(32);
    life.reply(200);
    unsubscribed(life);
    let mut life = asking(3600);
    life.reply(503);
    unsubscribed(life);
    unsubscribed(Life::under(Terms { fetch: Some(1), ..Terms::default() }, policy()));
}

#[test]
fn max_subscribe_delay_does_not_hold_it_up() {
    let mut life = Life::under(
        Terms { fetch: Some(32), ..Terms::default() },
        Policy { max_subscribe_delay: secs(100), ..policy() },
    );
    life.random = 77_777;
    life.give(Input::Start);
    assert_eq!(life.due_in(), 0.0);
}
