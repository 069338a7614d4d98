//! Redirections (RFC 3261 §8.1.3.4).

use super::*;

const A: &[u8] = b"sip:a@192.0.2.1";
const B: &[u8] = b"sip:b@192.0.2.2";
const C: &[u8] = b"sip:c@192.0.2.3";
const D: &[u8] = b"sip:d@192.0.2.4";

fn redirect(life: &mut Life, code: u16, to: &[&[u8]]) -> Output {
    let cseq = life.request().cseq;
    life.give(Input::Reply(Reply { cseq, code, reason: b"phrase", redirect: to, ..Reply::default() }))
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
    // A dead target, a refusing one: the next.
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
    for (code, to) in [
        (302, &[][..]),
        (302, &[RECORD][..]),
        (302, &[&b""[..]][..]),
        (305, &[][..]),
        (305, &[&b"tel:+1"[..]][..]),
        (380, &[A][..]),
    ] {
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
