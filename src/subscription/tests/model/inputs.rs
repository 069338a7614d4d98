//! The inputs of the subscription: messages as they are on the wire.

use std::num::NonZero;

use super::super::*;
use super::apply::notify;
use super::broken::Flaw;
use super::challenges::Asks;
use super::rules::{self, Given};
use super::search::Visited;
use super::world::{Fork, HeldBack, Message, Refusal, Sending, Serving, Word, World, fork_of, number_of};
use crate::grammar::RouteSet;
use crate::testing::{etag, offered, tag, uri, uris};

/// The only connection there is.
const FLOW: Flow = Flow(NonZero::<u32>::MIN);

pub fn arrive(world: &mut World, message: Message, flaw: Flaw, visited: &mut Visited) -> Result<(), String> {
    match message {
        Message::Subscribe { dialog, fork, cseq, expires } => {
            // A SUBSCRIBE within a dialog that its notifier knows is accepted, and the state is sent (RFC 6665 §4.2.1.2).
            let Some(at) = fork.and_then(|fork| world.serves(dialog, fork)) else { return Ok(()) };
            let until = world.now.after(secs(expires.into()));
            let one = &mut world.serving[at];
            (one.newest, one.until) = (cseq, until);
            let Serving { fork, moved, .. } = *one;
            world.under_way.push(Message::Accept { cseq, fork, moved, expires });
            notify(world, at, if expires == 0 { Word::TimedOut } else { Word::Active }, false);
            Ok(())
        }
        // NOTIFYs are found by their Call-ID and To tag; those that are not found get 481, and their notifier forgets.
        Message::Notify { dialog, fork, .. } if world.own_dialog() != Some(dialog) => {
            world.serving.retain(|one| one.dialog != dialog || one.fork != fork);
            Ok(())
        }
        Message::Notify { .. } | Message::Accept { .. } | Message::Refuse { .. } | Message::Word { .. } => {
            give(world, Given::Message(message), flaw, visited)
        }
    }
}

/// Hands it to the subscription, carries out the output, and lets the observer check the step.
pub fn give(world: &mut World, given: Given, flaw: Flaw, visited: &mut Visited) -> Result<(), String> {
    let before = world.clone();
    let dialogs = world.dialogs + 1;
    let (call_id, local_tag) = (format!("call{dialogs}"), format!("tag{dialogs}"));
    let fresh = Fresh { call_id: call_id.as_bytes(), local_tag: local_tag.as_bytes(), cnonce: [0; 16] };
    let route_set = match given {
        Given::Message(Message::Notify { cseq, .. }) => rules::route_of_notify(cseq),
        _ => b"<sip:reply;lr>".to_vec(),
    };
    visited.note(&world.subscription, given);
    let env = world.env();
    let mut input = match given {
        Given::Through(proxy) => Input::Through { cseq: world.subscription.local_cseq, proxy },
        _ => input_of(given, fresh, &route_set),
    };
    if let Input::Notify(notify, _) = &mut input {
        notify.echo = echo_of(notify);
    }
    let output = flaw.handle(&mut world.subscription, input, &env).map_err(|error| error.to_string())?;
    world.unsubscribed |= matches!(given, Given::Unsubscribe);
    rules::judge(&before, world, given, &output)?;
    world.forgotten |= output.forget;
    if let Some(request) = &output.send {
        let dialog = number_of(&request.call_id).unwrap_or(0);
        world.dialogs = world.dialogs.max(dialog);
        let fork = fork_of(&request.remote_tag);
        world.undoing = HeldBack { undo: request.undo, spoken: before.ghost.spoken, ..world.undoing };
        world.sending = Some(Message::Subscribe { dialog, fork, cseq: request.cseq, expires: request.expires });
    }
    if let Given::Message(Message::Notify { dialog, fork, .. }) = given
        && output.answer.is_none()
    {
        world.serving.retain(|one| one.dialog != dialog || one.fork != fork);
    }
    Ok(())
}

fn input_of<'a>(given: Given, fresh: Fresh<'a>, route_set: &'a [u8]) -> Input<'a> {
    let message = match given {
        Given::Start => return Input::Start,
        Given::Deadline => return Input::Deadline(fresh),
        Given::Refresh => return Input::Refresh,
        Given::FlowLost => return Input::FlowLost(FLOW),
        Given::Credentials => return Input::Credentials { username: b"own", secret: Concealed(b"secret") },
        Given::Unsubscribe => return Input::Unsubscribe,
        Given::Through(_) => unreachable!("its CSeq is the subscription's"),
        Given::Message(message) => message,
    };
    match message {
        Message::Subscribe { .. } => unreachable!("it goes the other way"),
        Message::Accept { cseq, fork, moved, expires } => Input::Reply(Reply {
            cseq,
            code: 200,
            remote_tag: tag(fork.tag()),
            contact: Some(uri(fork.contact(moved))),
            has_bad_contact: false,
            route_set: RouteSet::of(route_set),
            expires: Some(expires),
            flow: Some(FLOW),
            ..Reply::default()
        }),
        Message::Refuse { cseq, refusal } => Input::Reply(Reply {
            cseq,
            code: refusal.code(),
            is_local: refusal == Refusal::Timeout,
            remote_tag: if refusal == Refusal::Nothing { tag(Fork::A.tag()) } else { tag(b"") },
            expires: (refusal == Refusal::Nothing).then_some(0),
            min_expires: (refusal == Refusal::TooBrief).then_some(16),
            retry_after: (refusal == Refusal::Unavailable).then_some(9),
            challenges: Asks::of(refusal).map_or(&[], |asks| asks.challenges),
            redirect: match refusal {
                Refusal::Moved => uris(&[b"sip:elsewhere"]),
                Refusal::UseProxy => uris(&[b"sip:proxy"]),
                _ => &[],
            },
            ..Reply::default()
        }),
        Message::Notify { fork, cseq, moved, word, .. } => Input::Notify(
            Notify {
                cseq,
                remote_tag: tag(fork.tag()),
                contact: Some(offered(fork.contact(moved))),
                has_bad_contact: false,
                route_set: RouteSet::of(route_set),
                event: b"presence",
                event_id: None,
                state: SubscriptionState::parse(word.header().as_bytes()),
                entity_tag: word.entity_tag().map(etag),
                content: Content::Acceptable,
                echo: Echo::default(),
            },
            Fingerprint::NONE,
        ),
        Message::Word { cseq, word: Sending::Sent } => Input::Sent { cseq, socket: Socket(1) },
        Message::Word { cseq, word: Sending::Failed } => Input::SendFailed { cseq },
        Message::Word { cseq, word: Sending::Dropped } => Input::Dropped { cseq },
        Message::Word { cseq, word: Sending::Held(HeldBack { undo, until, by, .. }) } => {
            Input::Held { cseq, until, by, undo }
        }
    }
}
