//! Running out of memory changes nothing.

use super::*;
use crate::grammar::RouteSet;
use crate::testing::offered;
use crate::testing::uris;
use crate::testing::{etag, tag, uri};

/// Each input of a long life fails at each of its allocations in turn, then succeeds.
#[test]
fn every_step_can_fail_and_be_repeated() {
    let mut life = Life::started();
    let fresh = Fresh { call_id: b"call", local_tag: b"tag", cnonce: CNONCE };
    let long = [b"sip:a@x;p=", &[b'x'; 1000][..]].concat();
    let redirect = uris(&[b"sip:a@x", &long]);
    let state = |text: &'static str| SubscriptionState::parse(text.as_bytes());
    let notify = Notify {
        cseq: 5,
        remote_tag: tag(b"other"),
        contact: Some(offered(&long)),
        has_bad_contact: false,
        route_set: RouteSet::of(b"<sip:p;lr>"),
        event: b"presence",
        event_id: None,
        state: state("active;expires=100"),
        entity_tag: None,
        echo: Echo::default(),
        content: Content::Acceptable,
    };
    let accepted =
        |cseq| Reply { cseq, code: 200, remote_tag: tag(b"tag"), contact: Some(uri(b"sip:c@x")), ..Reply::default() };
    let moved = Notify { cseq: 6, contact: Some(offered(b"sip:moved@x")), entity_tag: Some(etag(b"tag")), ..notify };
    let again =
        Notify { cseq: 7, contact: Some(offered(b"sip:again@x")), entity_tag: Some(etag(b"other-tag")), ..notify };
    let contact = |cseq, contact| Reply { contact: Some(uri(contact)), remote_tag: tag(b"other"), ..accepted(cseq) };
    let steps: Vec<(Input<'_>, bool)> = vec![
        (Input::Deadline(fresh), true),
        (Input::Reply(Reply { cseq: 1, code: 302, redirect, ..Reply::default() }), true),
        (Input::Deadline(fresh), true),
        (Input::Reply(Reply { cseq: 2, code: 302, redirect: uris(&[b"sip:b@x"]), ..Reply::default() }), true),
        (Input::Deadline(fresh), true),
        (Input::Reply(accepted(3)), true),
        (Input::Notify(notify, Fingerprint::NONE), true),
        (Input::Deadline(fresh), false),
        (Input::Notify(moved, Fingerprint::NONE), true),
        (Input::Reply(contact(4, b"sip:four@x")), true),
        (Input::Deadline(fresh), false),
        (Input::Unsubscribe, false),
        (Input::Reply(contact(5, b"sip:five@x")), true),
        (Input::Notify(again, Fingerprint::NONE), true),
        (Input::Deadline(fresh), false),
        (Input::Reply(Reply { cseq: 6, code: 200, ..Reply::default() }), false),
        (Input::Deadline(fresh), false),
    ];
    for (number, (input, allocates)) in steps.into_iter().enumerate() {
        if matches!(input, Input::Deadline(_)) {
            life.now = life.now.max(life.subscription.deadline().unwrap());
        }
        let mut failures = 0;
        for allowed in 0.. {
            let before = (life.snapshot(), life.subscription.state(), life.subscription.deadline(), life.account.out());
            life.account.allow(allowed);
            let result = life.try_give(copy_of(&input));
            life.account.allow_all();
            if result.is_ok() {
                break;
            }
            failures += 1;
            let after = (life.snapshot(), life.subscription.state(), life.subscription.deadline(), life.account.out());
            assert_eq!(after, before, "step {number}");
        }
        assert_eq!(failures > 0, allocates, "step {number}");
    }
    assert!(life.forgotten);
}

#[test]
fn a_subscription_that_does_not_fit_is_refused() {
    let account = Accounted::new();
    account.allow(0);
    let subject = Subject { record: RECORD, subscriber: SUBSCRIBER, package: package::PRESENCE.number, event_id: b"" };
    assert!(Subscription::try_new(subject, account.clone()).is_err());
    assert_eq!(account.out(), 0);
}

/// An input is consumed; to repeat it, a test makes another.
pub(super) fn copy_of<'a>(input: &Input<'a>) -> Input<'a> {
    match input {
        Input::Start => Input::Start,
        Input::Deadline(fresh) => Input::Deadline(*fresh),
        Input::Through { cseq, proxy } => Input::Through { cseq: *cseq, proxy: *proxy },
        Input::Sent { cseq, socket } => Input::Sent { cseq: *cseq, socket: *socket },
        Input::Over { cseq, flow } => Input::Over { cseq: *cseq, flow: *flow },
        Input::SendFailed { cseq } => Input::SendFailed { cseq: *cseq },
        Input::NoWay { cseq } => Input::NoWay { cseq: *cseq },
        Input::Dropped { cseq } => Input::Dropped { cseq: *cseq },
        Input::Held { cseq, until, by, undo } => Input::Held { cseq: *cseq, until: *until, by: *by, undo: *undo },
        Input::Turn => Input::Turn,
        Input::Saved => Input::Saved,
        Input::Reply(reply) => Input::Reply(*reply),
        Input::Notify(notify, _) => Input::Notify(*notify, Fingerprint::NONE),
        Input::Source { cseq, address, transport } => {
            Input::Source { cseq: *cseq, address: *address, transport: *transport }
        }
        Input::Untold(why) => Input::Untold(*why),
        Input::PutOff(pause) => Input::PutOff(*pause),
        Input::NotForked => Input::NotForked,
        Input::Refresh => Input::Refresh,
        Input::Credentials { username, secret } => Input::Credentials { username, secret: *secret },
        Input::Told => Input::Told,
        Input::FlowLost(flow) => Input::FlowLost(*flow),
        Input::Unsubscribe => Input::Unsubscribe,
    }
}
