//! Redirections (RFC 3261 §8.1.3.4).

use super::*;
use crate::grammar::RouteSet;
use crate::testing::offered;
use crate::testing::uri;
use crate::testing::uris;

const A: &[u8] = b"sip:a@192.0.2.1";
const B: &[u8] = b"sip:b@192.0.2.2";
const C: &[u8] = b"sip:c@192.0.2.3";
const D: &[u8] = b"sip:d@192.0.2.4";

fn redirect(life: &mut Life, code: u16, to: &[&[u8]]) -> Output {
    let cseq = life.request().cseq;
    life.give(Input::Reply(Reply { cseq, code, reason: b"phrase", redirect: uris(to), ..Reply::default() }))
}

#[test]
fn a_redirection_goes_on_with_the_same_attempt() {
    let mut life = Life::asking();
    assert!(redirect(&mut life, 302, &[A, B]).news.is_none());
    assert_eq!((life.state(), life.due_in()), ("waiting", 0.0));
    life.due();
    let request = life.request();
    assert_eq!((request.target.as_slice(), request.cseq), (A, 2));
    assert_eq!((request.call_id.as_slice(), request.local_tag.as_slice()), (&b"call1"[..], &b"tag1"[..]));
    assert!(request.is_initial());
    life.reply(200);
    life.notify("active");
    assert_eq!(life.state(), "confirmed");
    life.pass(secs(10));
    life.notify("terminated;reason=deactivated");
    life.due();
    assert_eq!(life.request().target, RECORD, "the next dialog asks the record again");
}

#[test]
fn every_target_is_tried_in_order_and_once() {
    let mut life = Life::asking();
    redirect(&mut life, 300, &[A, RECORD, A, B]);
    life.due();
    assert_eq!(life.request().target, A);
    // After a target that does not answer and one that refuses, the next.
    life.due();
    assert_eq!(life.state(), "waiting");
    life.due();
    assert_eq!(life.request().target, B);
    redirect(&mut life, 301, &[A, B, C]);
    life.due();
    assert_eq!(life.request().target, C);
    assert_eq!(told(&life.reply(480)), (Status::Terminated, 480, "phrase".into(), Some(120)));
    life.due();
    assert_eq!((life.request().target.as_slice(), life.request().call_id.len()), (RECORD, 5));
}

#[test]
fn redirections_are_bounded() {
    let mut life = Life::asking();
    redirect(&mut life, 302, &[A]);
    life.due();
    redirect(&mut life, 302, &[B]);
    life.due();
    redirect(&mut life, 302, &[C]);
    life.due();
    assert_eq!(life.request().target, C);
    assert_eq!(told(&redirect(&mut life, 302, &[D])).1, 302);
    assert_eq!(life.state(), "waiting");

    let mut life = Life::started();
    life.policy.max_redirects = 0;
    life.due();
    assert!(redirect(&mut life, 302, &[A]).news.is_some());
}

#[test]
fn a_newer_redirection_goes_before_the_older_targets() {
    let mut life = Life::asking();
    redirect(&mut life, 302, &[A, B]);
    life.due();
    redirect(&mut life, 302, &[C]);
    life.due();
    assert_eq!(life.request().target, C);
    life.reply(404);
    life.due();
    assert_eq!(life.request().target, B);
}

#[test]
fn a_6xx_speaks_for_all_targets() {
    let mut life = Life::asking();
    redirect(&mut life, 302, &[A, B]);
    life.due();
    assert_eq!(told(&life.reply(603)).1, 603);
}

#[test]
fn redirections_that_lead_nowhere_are_failures() {
    for (code, to) in [(302, &[][..]), (302, &[RECORD][..]), (305, &[][..]), (380, &[A][..])] {
        let mut life = Life::asking();
        assert_eq!(told(&redirect(&mut life, code, to)), (Status::Terminated, code, "phrase".into(), Some(120)));
    }
}

#[test]
fn a_redirected_refresh_opens_a_new_dialog_there() {
    let mut life = Life::active(600);
    life.due();
    assert!(redirect(&mut life, 302, &[A]).news.is_none());
    life.due();
    let request = life.request();
    assert_eq!((request.target.as_slice(), request.is_initial()), (A, true));
    assert_ne!(request.call_id, b"call1");
    assert_eq!(life.sent[2].0, life.sent[1].0, "not held back");
}

#[test]
fn a_redirection_after_a_notify_takes_new_identifiers() {
    let mut life = Life::asking();
    life.notify("active");
    redirect(&mut life, 302, &[A]);
    assert!(life.notify("active").answer.is_none());
    life.due();
    assert_eq!((life.request().target.as_slice(), life.request().is_initial()), (A, true));
    assert_ne!(life.request().call_id, b"call1");
}

#[test]
fn unsubscribing_ends_a_redirection() {
    let mut life = Life::asking();
    redirect(&mut life, 302, &[A]);
    assert!(life.give(Input::Unsubscribe).forget);
}

/// A subscription to a SIPS URI is never moved to another scheme (RFC 3261 §26.2.2), by no message.
#[test]
fn nothing_leads_from_sips_to_sip() {
    let (secure, open): (&[u8], &[u8]) = (b"sips:pa@192.0.2.1", b"sip:pa@192.0.2.1;transport=tls");
    let mut life = Life::unstarted(policy());
    let (record, package) = (b"sips:alice@example.com", package::PRESENCE.number);
    let subject = Subject { record, subscriber: SUBSCRIBER, package, event_id: b"" };
    life.subscription = Subscription::try_new(subject, life.account.clone()).unwrap();
    life.give(Input::Start);
    life.due();
    redirect(&mut life, 302, &[open, secure, b"sips:b@x"]);
    life.due();
    assert_eq!(life.request().target, secure);
    redirect(&mut life, 305, &[open]);
    assert_eq!((life.subscription.bad_contacts(), life.due_in()), (0, 0.0));
    life.due();
    assert_eq!((life.request().target.as_slice(), life.request().via.as_slice()), (&b"sips:b@x"[..], &b""[..]));
    let accepted = life.reply_with(200, |reply| {
        reply.contact = Some(uri(open));
        reply.route_set = RouteSet::of(b"<sip:edge;lr>");
    });
    assert_eq!(accepted.bad_contacts, Some(1));
    let answer = |output: Output| output.answer;
    let routes = |life: &mut Life, routes: &'static [u8]| {
        answer(life.notify_with("active", |notify| (notify.contact, notify.route_set) = (None, RouteSet::of(routes))))
    };
    assert_eq!(routes(&mut life, b"<sips:edge;lr>, <sip:core;lr>"), Some(Answer::BadRequest("Bad Record-Route")));
    assert_eq!(routes(&mut life, b"<sips:edge;lr>"), Some(Answer::Ok));
    let moved =
        |life: &mut Life, to: &'static [u8]| life.notify_with("active", |n| n.contact = Some(offered(to))).bad_contacts;
    assert_eq!(moved(&mut life, b"sips:moved@x"), None);
    // Repeating it changes nothing.
    assert_eq!([moved(&mut life, open), moved(&mut life, open)], [Some(2), Some(3)]);
    life.due();
    let request = life.request();
    assert_eq!(
        (request.target.as_slice(), request.route_set.as_slice()),
        (&b"sips:moved@x"[..], &b"<sips:edge;lr>"[..])
    );
    assert_eq!(life.reply_with(200, |reply| reply.contact = Some(uri(open))).bad_contacts, Some(4));
    life.due();
    assert_eq!(life.request().target, b"sips:moved@x");
}
