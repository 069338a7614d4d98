//! Challenged requests (RFC 3261 §22).

use super::*;
use crate::subscription::digest::MOST_STALES;
use crate::testing::tag;
use crate::testing::uris;

fn end(value: &str) -> Challenge<'_> {
    Challenge { challenger: Challenger::End, value: value.as_bytes() }
}

fn proxy(value: &str) -> Challenge<'_> {
    Challenge { challenger: Challenger::Proxy, value: value.as_bytes() }
}

fn challenge(life: &mut Life, code: u16, challenges: &[Challenge<'_>]) -> Output {
    let cseq = life.request().cseq;
    let remote_tag = b"challenger";
    life.give(Input::Reply(Reply {
        cseq,
        code,
        reason: b"phrase",
        remote_tag: tag(remote_tag),
        challenges,
        ..Reply::default()
    }))
}

const FIRST: &str = "Digest realm=\"known\", nonce=\"one\", qop=\"auth\"";
const SECOND: &str = "Digest realm=\"known\", nonce=\"two\", qop=\"auth\"";
const STALE: &str = "Digest realm=\"known\", nonce=\"two\", qop=\"auth\", stale=true";

/// Challenger, realm, nonce and count of each authorization in the last request.
fn answers(life: &Life) -> Vec<(Challenger, String, String, u32)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = life.request().authorizations.iter();
    all.map(|one| (one.challenger, text(&one.realm), text(&one.nonce), one.nc)).collect()
}

fn known(nonce: &str, nc: u32) -> Vec<(Challenger, String, String, u32)> {
    vec![(Challenger::End, "known".into(), nonce.into(), nc)]
}

/// Challenged once, repeated, accepted and active.
fn authorized() -> Life {
    let mut life = Life::asking();
    challenge(&mut life, 401, &[end(FIRST)]);
    life.due();
    life.reply(200);
    life.notify("active");
    life
}

#[test]
fn a_challenged_request_is_repeated_at_once_with_an_answer() {
    let mut life = Life::asking();
    assert_eq!(answers(&life), []);
    life.give(Input::Sent { cseq: 1, socket: Socket(7) });
    assert!(challenge(&mut life, 401, &[end(FIRST)]).news.is_none());
    assert_eq!((life.state(), life.due_in()), ("waiting", 0.0));
    life.due();
    let (first, second) = (&life.sent[0].1, &life.sent[1].1);
    assert_eq!((second.cseq, second.is_initial(), second.socket), (2, true, Some(Socket(7))));
    assert_eq!((&second.call_id, &second.local_tag, &second.target), (&first.call_id, &first.local_tag, &first.target));
    assert_eq!(answers(&life), known("one", 1));
    assert_eq!(life.request().authorizations[0].cnonce, CNONCE);
    life.reply(200);
    life.notify("active");
    assert_eq!(life.state(), "confirmed");
}

#[test]
fn the_socket_is_kept_although_the_reply_was_faster() {
    let mut life = Life::asking();
    challenge(&mut life, 401, &[end(FIRST)]);
    life.give(Input::Sent { cseq: 1, socket: Socket(7) });
    life.due();
    assert_eq!(life.request().socket, Some(Socket(7)));
}

#[test]
fn later_requests_are_answered_before_they_are_asked() {
    let mut life = authorized();
    for nc in 2..5 {
        life.due();
        assert_eq!(answers(&life), known("one", nc));
        life.reply(200);
    }
    life.give(Input::Unsubscribe);
    life.due();
    assert_eq!((answers(&life), life.request().expires), (known("one", 5), 0));
}

#[test]
fn a_refresh_with_a_stale_nonce_is_no_failure() {
    for value in [STALE, SECOND] {
        let mut life = authorized();
        life.due();
        let sent = life.now;
        assert!(challenge(&mut life, 401, &[end(value)]).news.is_none());
        assert_eq!((life.state(), life.due_in(), life.snapshot().retries), ("confirmed", 0.0, 0));
        life.due();
        assert_eq!((life.now, answers(&life)), (sent, known("two", 1)));
        assert!(!life.request().is_initial());
        life.reply(200);
        assert_eq!((life.state(), life.snapshot().last_reply), ("confirmed", 200));
    }
}

#[test]
fn a_wrong_password_is_tried_once() {
    let mut life = Life::asking();
    challenge(&mut life, 401, &[end(FIRST)]);
    life.due();
    let output = challenge(&mut life, 401, &[end(SECOND)]);
    assert_eq!(told(&output), (Status::Terminated, 401, "credentials rejected".into(), Some(120)));
    life.due();
    assert_eq!((life.sent.len(), answers(&life)), (3, vec![]), "the next attempt begins anew");

    let mut life = authorized();
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    challenge(&mut life, 401, &[end(SECOND)]);
    life.due();
    let output = challenge(&mut life, 401, &[end(FIRST)]);
    assert_eq!(told(&output).2, "credentials rejected");
    assert_eq!((life.state(), life.snapshot().last_reason), ("confirmed", "credentials rejected".into()));
    assert!(life.due_in() >= 29.0, "the dialog stands, and a retry waits");
    life.due();
    assert_eq!(answers(&life), []);
}

#[test]
fn stale_nonces_are_bounded() {
    let mut life = Life::asking();
    challenge(&mut life, 401, &[end(FIRST)]);
    for _ in 0..MOST_STALES {
        life.due();
        assert!(challenge(&mut life, 401, &[end(STALE)]).news.is_none());
    }
    life.due();
    assert_eq!(told(&challenge(&mut life, 401, &[end(STALE)])).2, "nonce stale again and again");
    assert_eq!(life.sent.len(), 2 + usize::from(MOST_STALES));
}

#[test]
fn proxies_and_the_end_challenge_together_or_after_each_other() {
    let inner = "Digest realm=\"known\", nonce=\"inner\", opaque=\"o\"";
    let both =
        [(Challenger::Proxy, "known".into(), "inner".into(), 1), (Challenger::End, "known".into(), "one".into(), 1)];
    let mut life = Life::asking();
    challenge(&mut life, 407, &[proxy(inner), end(FIRST)]);
    life.due();
    assert_eq!(answers(&life), both);
    assert_eq!(life.request().authorizations[0].opaque.as_deref(), Some(&b"o"[..]));

    let mut life = Life::asking();
    challenge(&mut life, 407, &[proxy(inner)]);
    life.due();
    challenge(&mut life, 401, &[end(FIRST)]);
    life.due();
    let again = (Challenger::Proxy, "known".to_owned(), "inner".to_owned(), 2);
    assert_eq!(answers(&life), [both[1].clone(), again]);
    assert_eq!(life.request().call_id, b"call1");
    life.reply(200);
    assert_eq!(life.state(), "confirmed");
}

#[test]
fn a_nonce_that_comes_again_is_counted_on() {
    let mut life = authorized();
    life.due();
    challenge(&mut life, 401, &[end(FIRST)]);
    life.due();
    assert_eq!(answers(&life), known("one", 3));
}

#[test]
fn realms_are_bounded() {
    let mut life = Life::asking();
    life.credentials = vec![credential("user:*:secret")];
    for realm in 0..4 {
        challenge(&mut life, 407, &[proxy(&format!("Digest realm=r{realm}, nonce=n"))]);
        life.due();
        assert_eq!(answers(&life).len(), realm + 1);
    }
    let output = challenge(&mut life, 407, &[proxy("Digest realm=r4, nonce=n")]);
    assert_eq!(told(&output).2, "too many challenges");
}

#[test]
fn a_realm_that_asks_no_more_makes_room() {
    let mut life = Life::asking();
    life.credentials = vec![credential("user:*:secret")];
    for attempt in 0..6 {
        challenge(&mut life, 407, &[proxy(&format!("Digest realm=r{attempt}, nonce=n"))]);
        life.due();
        assert_eq!(answers(&life).len(), (attempt + 1).min(4));
        life.reply(503);
        life.due();
    }
}

#[test]
fn without_credentials_a_challenge_is_a_failure() {
    for (value, reason) in [
        ("Digest realm=\"other\", nonce=\"n\"", "no credentials for the realm"),
        ("Digest realm=\"known\", nonce=\"n\", algorithm=X", "no supported digest algorithm"),
        ("Digest realm=\"known", "malformed challenge"),
    ] {
        let mut life = Life::asking();
        let output = challenge(&mut life, 401, &[end(value)]);
        assert_eq!(told(&output), (Status::Terminated, 401, reason.into(), Some(120)));
        assert_eq!((life.snapshot().last_reply, life.snapshot().last_reason), (401, reason.to_owned()));
    }
    let mut life = Life::asking();
    assert_eq!(told(&challenge(&mut life, 401, &[])), (Status::Terminated, 401, "phrase".into(), Some(120)));
    let mut life = authorized();
    life.due();
    assert_eq!(told(&life.reply(403)).1, 403);
}

#[test]
fn a_subscription_has_credentials_of_its_own() {
    let own = Input::Credentials { username: b"me", secret: Concealed(b"own") };
    let mut life = Life::started();
    assert_eq!(life.give(own).news, None);
    life.due();
    challenge(&mut life, 401, &[end("Digest realm=\"strange\", nonce=\"n\"")]);
    life.due();
    let answer = &life.request().authorizations[0];
    assert_eq!((answer.username.as_slice(), &answer.secret), (&b"me"[..], &Secret::Password(b"own".to_vec().into())));
}

#[test]
fn credentials_that_were_missing_bring_the_next_attempt_forward() {
    let mut life = Life::asking();
    challenge(&mut life, 401, &[end("Digest realm=\"strange\", nonce=\"n\"")]);
    assert_eq!(life.due_in(), 120.0);
    life.give(Input::Credentials { username: b"me", secret: Concealed(b"own") });
    assert_eq!(life.due_in(), 30.0);
    let mut life = Life::asking();
    life.reply(503);
    life.give(Input::Credentials { username: b"me", secret: Concealed(b"own") });
    assert_eq!(life.due_in(), 120.0);
}

#[test]
fn credentials_may_come_while_others_are_tried() {
    let own = || Input::Credentials { username: b"me", secret: Concealed(b"own") };
    let mut life = Life::asking();
    challenge(&mut life, 401, &[end(FIRST)]);
    life.due();
    life.give(own());
    assert!(challenge(&mut life, 401, &[end(SECOND)]).news.is_none());
    life.due();
    assert_eq!(life.request().authorizations[0].username, b"me");
    assert_eq!(told(&challenge(&mut life, 401, &[end(FIRST)])).2, "credentials rejected");
}

#[test]
fn credentials_that_come_before_the_repetition_are_tried_once() {
    let mut life = Life::asking();
    challenge(&mut life, 401, &[end(FIRST)]);
    life.give(Input::Credentials { username: b"me", secret: Concealed(b"own") });
    life.due();
    assert_eq!(life.request().authorizations[0].username, b"me");
    assert_eq!(told(&challenge(&mut life, 401, &[end(SECOND)])).2, "credentials rejected");
}

#[test]
fn the_next_nonce_is_taken() {
    let mut life = authorized();
    life.due();
    life.reply_with(200, |reply| reply.authentication_info = Some(b"qop=auth, nextnonce=\"three\", nc=00000002"));
    for nc in 1..3 {
        life.due();
        assert_eq!(answers(&life), known("three", nc));
        life.reply(200);
    }
}

#[test]
fn another_target_is_not_shown_the_answer() {
    let mut life = Life::asking();
    challenge(&mut life, 401, &[end(FIRST)]);
    life.due();
    life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:other@pa.example.com"]));
    life.due();
    assert_eq!((life.request().target.as_slice(), answers(&life)), (&b"sip:other@pa.example.com"[..], vec![]));
    challenge(&mut life, 401, &[end(FIRST)]);
    life.due();
    assert_eq!((life.request().target.as_slice(), answers(&life)), (&b"sip:other@pa.example.com"[..], known("one", 1)));
}

#[test]
fn what_a_target_has_asked_for_is_not_shown_to_the_record_afterwards() {
    let mut life = Life::asking();
    life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:other@pa.example.com"]));
    life.due();
    challenge(&mut life, 401, &[end(FIRST)]);
    life.due();
    assert_eq!((&life.request().target[..], answers(&life)), (&b"sip:other@pa.example.com"[..], known("one", 1)));
    life.reply(500);
    life.due();
    assert_eq!((&life.request().target[..], answers(&life)), (RECORD, Vec::new()));
}

#[test]
fn redirections_do_not_make_challenges_endless() {
    let mut life = Life::asking();
    life.policy.max_redirects = 100;
    let mut reason = String::new();
    for n in 0..100 {
        if challenge(&mut life, 401, &[end(FIRST)]).news.is_some() {
            reason = life.snapshot().last_reason;
            break;
        }
        life.due();
        let target = format!("sip:{n}@pa.example.com");
        let cseq = life.request().cseq;
        life.give(Input::Reply(Reply { cseq, code: 302, redirect: uris(&[target.as_bytes()]), ..Reply::default() }));
        life.due();
    }
    assert_eq!((reason.as_str(), life.sent.len()), ("too many challenges", 1 + 2 * usize::from(digest::MOST_ANSWERS)));
}

#[test]
fn an_unsubscribe_is_authorized_too() {
    let mut life = Life::active(600);
    life.give(Input::Unsubscribe);
    life.due();
    assert!(!challenge(&mut life, 401, &[end(FIRST)]).forget);
    life.due();
    assert_eq!((answers(&life), life.request().expires), (known("one", 1), 0));
    assert!(challenge(&mut life, 401, &[end(SECOND)]).forget);
    assert_eq!(life.account.out(), SUBJECT);

    // The challenge of a refresh is answered in the last SUBSCRIBE too.
    let mut life = Life::active(600);
    life.due();
    life.give(Input::Unsubscribe);
    challenge(&mut life, 401, &[end(FIRST)]);
    life.due();
    assert_eq!((answers(&life), life.request().expires), (known("one", 1), 0));
}

#[test]
fn a_late_challenge_is_ignored() {
    let mut life = Life::active(600);
    let cseq = life.request().cseq;
    let challenges = [end(FIRST)];
    life.due();
    life.give(Input::Reply(Reply { cseq, code: 401, challenges: &challenges, ..Reply::default() }));
    assert_eq!(life.state(), "resubscription");
}

#[test]
fn running_out_of_memory_changes_nothing() {
    let mut life = Life::asking();
    let challenges = [end(FIRST), proxy("Digest realm=\"known\", nonce=\"p\"")];
    let inputs = || {
        [
            Input::Reply(Reply { cseq: 1, code: 401, challenges: &challenges, ..Reply::default() }),
            Input::Credentials { username: b"me", secret: Concealed(b"own") },
        ]
    };
    for (number, allocations) in [3, 1].into_iter().enumerate() {
        for allowed in 0..allocations {
            let before = (life.snapshot(), life.subscription.state(), life.account.out());
            life.account.allow(allowed);
            let [first, second] = inputs();
            assert!(life.try_give(if number == 0 { first } else { second }).is_err());
            life.account.allow_all();
            assert_eq!((life.snapshot(), life.subscription.state(), life.account.out()), before);
        }
        let [first, second] = inputs();
        life.give(if number == 0 { first } else { second });
    }
    life.due();
    assert_eq!(answers(&life).len(), 2);
    let info = |cseq| Reply {
        cseq,
        code: 200,
        remote_tag: tag(b"t"),
        authentication_info: Some(b"nextnonce=x"),
        ..Reply::default()
    };
    for allowed in 0..2 {
        life.account.allow(allowed);
        assert!(life.try_give(Input::Reply(info(2))).is_err());
        life.account.allow_all();
        assert_eq!(life.state(), "unconfirmed");
    }
    life.give(Input::Reply(info(2)));
    assert_eq!(life.state(), "confirmed");
}
