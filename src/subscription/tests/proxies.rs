//! Outbound proxies: after one fails, the next one is used (RFC 3263 §4.3); and the proxy of a 305 (RFC 3261 §21.3.4).

use super::*;
use crate::testing::uris;
use crate::testing::{NO_CREDENTIALS, tag};

fn behind(proxies: u8) -> Life {
    let mut life = Life::unstarted(Policy { proxies, ..policy() });
    life.give(Input::Start);
    life.due();
    life
}

/// An active subscription through the proxy at this place, with its refresh in flight.
fn refreshing_with(proxies: u8, place: u8) -> Life {
    let mut life = behind(proxies);
    through(&mut life, place);
    life.reply_with(200, |reply| reply.expires = Some(3600));
    life.notify("active");
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    life
}

/// The gate has skipped the proxies before this one.
fn through(life: &mut Life, proxy: u8) {
    let cseq = life.request().cseq;
    life.give(Input::Through { cseq, proxy });
}

fn silence(life: &mut Life) -> Output {
    life.reply_with(408, |reply| reply.is_local = true)
}

fn places(life: &Life) -> Vec<u8> {
    life.request().proxies.places(life.policy.proxies).collect()
}

/// The next request leaves now, through this place first.
fn goes_on(life: &mut Life, output: &Output, place: u8) {
    assert!(output.news.is_none(), "{output:?}");
    assert_eq!(life.due_in(), 0.0);
    life.due();
    assert_eq!(life.request().proxies.current(), place);
}

#[test]
fn each_proxy_is_tried_once_in_one_attempt() {
    let mut life = behind(3);
    assert_eq!(places(&life), [0, 1, 2]);
    let first = life.request().clone();
    let output = silence(&mut life);
    goes_on(&mut life, &output, 1);
    assert_eq!(places(&life), [1, 2]);
    let second = life.request().clone();
    assert_eq!((&second.call_id, &second.local_tag, second.cseq), (&first.call_id, &first.local_tag, first.cseq + 1));
    let cseq = second.cseq;
    let output = life.give(Input::SendFailed { cseq });
    goes_on(&mut life, &output, 2);
    assert_eq!(places(&life), [2]);
    assert_eq!(told(&life.reply(503)), (Status::Terminated, 503, "phrase".into(), Some(120)));
    assert_eq!((life.snapshot().retries, life.sent.len()), (1, 3));
    life.due();
    assert_eq!(places(&life), [0, 1, 2], "a new attempt begins with the first");
    assert_ne!(life.request().call_id, first.call_id);
}

#[test]
fn an_answer_is_an_answer() {
    for code in [404, 408, 480, 500, 504, 603] {
        assert_eq!(told(&behind(2).reply(code)).1, code);
    }
    let mut life = behind(2);
    assert_eq!(told(&life.give(Input::Dropped { cseq: 1 })).2, "dropped by script");
    for proxies in [0, 1] {
        assert_eq!(told(&silence(&mut behind(proxies))).1, 408, "there is no other");
    }
}

#[test]
fn a_lost_request_goes_to_the_next() {
    let mut life = behind(2);
    let output = life.due();
    goes_on(&mut life, &output, 1);
}

#[test]
fn a_refresh_fails_over_in_its_dialog_which_stays_there() {
    let mut life = refreshing_with(2, 0);
    let refresh = life.request().clone();
    let output = silence(&mut life);
    assert_eq!(life.state(), "confirmed");
    goes_on(&mut life, &output, 1);
    let again = life.request().clone();
    assert_eq!(
        (&again.call_id, &again.remote_tag, again.cseq),
        (&refresh.call_id, &refresh.remote_tag, refresh.cseq + 1)
    );
    life.reply(200);
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    assert_eq!(places(&life), [1, 0], "the dialog is with the second now");
    let output = life.reply(503);
    goes_on(&mut life, &output, 0);
    assert_eq!(places(&life), [0]);
    assert_eq!(told(&life.reply(503)).0, Status::Active, "it still stands");
    life.due();
    assert_eq!(places(&life), [1, 0], "and once more round");
}

#[test]
fn a_farewell_fails_over() {
    let mut life = refreshing_with(3, 1);
    life.reply(200);
    life.give(Input::Unsubscribe);
    life.due();
    for place in [1, 2, 0] {
        assert_eq!((life.request().proxies.current(), life.request().expires), (place, 0));
        silence(&mut life);
        if place > 0 {
            life.due();
        }
    }
    assert!(life.forgotten);

    let mut life = refreshing_with(2, 0);
    life.give(Input::Unsubscribe);
    silence(&mut life);
    life.due();
    assert_eq!((life.request().proxies.current(), life.request().expires), (1, 0), "not again where nobody answers");
}

/// A proxy that the gate has skipped at the beginning is tried last. One that is skipped later is not tried again.
#[test]
fn those_passed_over_keep_the_order() {
    let mut life = behind(3);
    through(&mut life, 2);
    let output = silence(&mut life);
    goes_on(&mut life, &output, 0);
    through(&mut life, 1);
    assert!(silence(&mut life).news.is_some(), "the first is not returned to");

    let mut life = behind(2);
    life.give(Input::Through { cseq: 0, proxy: 1 });
    let output = silence(&mut life);
    goes_on(&mut life, &output, 1);
}

#[test]
fn what_is_left_and_held_is_a_failure_there() {
    let mut life = behind(2);
    silence(&mut life);
    life.due();
    let output = life.hold(HeldBy::Breaker, secs(600));
    assert_eq!(told(&output), (Status::Terminated, 408, "phrase".into(), Some(120)));
    life.due();
    assert_eq!(places(&life), [0, 1]);
    assert_eq!(told(&life.hold(HeldBy::Breaker, secs(600))).2, "destination does not answer");

    let mut life = refreshing_with(2, 0);
    life.reply(503);
    life.due();
    let output = life.hold(HeldBy::RetryAfter, secs(600));
    assert_eq!((told(&output).0, told(&output).1), (Status::Active, 503));
    assert_eq!((life.state(), life.due_in()), ("confirmed", 120.0));

    // A request that only waits for its turn stays with its proxy.
    let mut life = behind(2);
    silence(&mut life);
    life.due();
    assert!(life.hold(HeldBy::Rate, secs(5)).news.is_none());
    life.due();
    assert_eq!(places(&life), [1]);
    assert_eq!(told(&silence(&mut life)).1, 408);
}

#[test]
fn a_redirection_and_a_challenge_stay_with_the_proxy() {
    let mut life = behind(2);
    silence(&mut life);
    life.due();
    life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:a@x.example.com", b"sip:b@x.example.com"]));
    life.due();
    assert_eq!((places(&life), life.request().target.as_slice()), (vec![1], &b"sip:a@x.example.com"[..]));
    // No proxy has answered: the target may be at fault. The next attempt has all proxies again.
    silence(&mut life);
    life.due();
    assert_eq!((places(&life), life.request().target.as_slice()), (vec![0, 1], &b"sip:b@x.example.com"[..]));
    const KNOWN: &[Challenge<'static>] =
        &[Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"n\"" }];
    silence(&mut life);
    life.due();
    life.reply_with(401, |reply| reply.challenges = KNOWN);
    life.due();
    assert_eq!((places(&life), life.request().authorizations.len()), (vec![1], 1));
}

#[test]
fn a_fork_begins_with_the_proxy_of_its_dialog() {
    let mut life = behind(2);
    life.policy.forking = Forking::All;
    silence(&mut life);
    life.due();
    life.reply(200);
    life.notify("active");
    let env =
        Env { now: life.now, policy: &life.policy, packages: Packages::KNOWN, random: 0, credentials: &NO_CREDENTIALS };
    let fork = life.subscription.try_fork(1, &env).unwrap().unwrap();
    let mut fork = life.beside(fork);
    fork.notify_with("active", |notify| notify.remote_tag = tag(b"other"));
    fork.due();
    assert_eq!(places(&fork), [1, 0]);
}

fn use_proxy(life: &mut Life, to: &[&[u8]]) -> Output {
    let cseq = life.request().cseq;
    life.give(Input::Reply(Reply { cseq, code: 305, reason: b"phrase", redirect: uris(to), ..Reply::default() }))
}

#[test]
fn a_305_is_followed_once() {
    let mut life = Life::asking();
    let first = life.request().clone();
    assert!(use_proxy(&mut life, &[b"SIP:proxy", b"sip:other"]).news.is_none());
    life.due();
    let second = life.request().clone();
    assert_eq!((second.via.as_slice(), &second.target, second.cseq), (&b"SIP:proxy"[..], &first.target, 2));
    assert_eq!((&second.call_id, &second.local_tag), (&first.call_id, &first.local_tag));
    assert_eq!(told(&use_proxy(&mut life, &[b"sip:third"])), (Status::Terminated, 305, "phrase".into(), Some(120)));
    life.due();
    assert!(life.request().via.is_empty(), "a new attempt");
}

/// Requests of the dialog follow its route set.
#[test]
fn the_proxy_of_a_305_is_that_of_the_attempt_alone() {
    let mut life = Life::asking();
    use_proxy(&mut life, &[b"sip:proxy"]);
    life.due();
    life.reply_with(423, |reply| reply.min_expires = Some(7200));
    life.due();
    assert_eq!((life.request().via.as_slice(), life.request().expires), (&b"sip:proxy"[..], 7200));
    life.reply(200);
    life.notify("active");
    life.due();
    assert_eq!((life.state(), life.request().via.as_slice()), ("resubscription", &b""[..]));
    // A refresh is repeated in the dialog; so is an unsubscribe.
    use_proxy(&mut life, &[b"sip:again"]);
    life.due();
    assert_eq!((life.state(), life.request().via.as_slice()), ("resubscription", &b"sip:again"[..]));
    assert!(use_proxy(&mut life, &[b"sip:again"]).news.is_some());
    life.give(Input::Unsubscribe);
    life.due();
    assert!(life.request().via.is_empty());
    use_proxy(&mut life, &[b"sip:again"]);
    life.due();
    assert_eq!((life.request().via.as_slice(), life.request().expires), (&b"sip:again"[..], 0));
    assert!(use_proxy(&mut life, &[b"sip:again"]).forget);
}

#[test]
fn a_305_counts_among_the_redirections() {
    let redirect = |life: &mut Life, to: &'static [&'static [u8]]| {
        life.reply_with(302, |reply| reply.redirect = uris(to));
        life.due();
    };
    let mut life = Life::asking();
    redirect(&mut life, &[b"sip:a@x"]);
    use_proxy(&mut life, &[b"sip:proxy"]);
    life.due();
    assert_eq!((life.request().target.as_slice(), life.request().via.as_slice()), (&b"sip:a@x"[..], &b"sip:proxy"[..]));
    redirect(&mut life, &[b"sip:b@x", b"sip:c@x"]);
    assert_eq!((life.request().target.as_slice(), life.request().via.as_slice()), (&b"sip:b@x"[..], &b""[..]));
    assert!(life.reply(480).news.is_some(), "three have been tried");
    life.policy.max_redirects = 0;
    life.due();
    assert!(use_proxy(&mut life, &[b"sip:proxy"]).news.is_some());
}

#[test]
fn a_305_is_not_followed_where_the_operator_has_named_proxies() {
    for proxies in [1, 2] {
        assert_eq!(told(&use_proxy(&mut behind(proxies), &[b"sip:proxy"])).1, 305);
    }
}
