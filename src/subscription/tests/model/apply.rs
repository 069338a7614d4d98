//! The events: at the notifiers, on the wire, and of the current request.

use super::super::*;
use super::actions::Action;
use super::broken::Flaw;
use super::inputs::{arrive, give};
use super::possible::other_proxy;
use super::rules::Given;
use super::search::Visited;
use super::world::{Fork, HeldBack, Message, Refusal, Sending, Serving, Word, World};

/// Lets it happen.
pub fn apply(world: &mut World, action: Action, flaw: Flaw, visited: &mut Visited) -> Result<(), String> {
    world.mishaps -= action.price(world);
    if action.is_challenge() {
        world.challenge();
    }
    match action {
        Action::Due => {
            world.now = world.now.max(world.subscription.deadline().unwrap());
            give(world, Given::Deadline, flaw, visited)
        }
        Action::Late => {
            world.now = world.now.max(world.subscription.deadline().unwrap()).after(secs(1));
            Ok(())
        }
        Action::Expire(serving) => {
            world.now = world.now.max(world.serving[serving].until);
            notify(world, serving, Word::TimedOut, false);
            Ok(())
        }
        Action::Leave { word_later } => {
            let request = world.sending.take().unwrap();
            world.under_way.push(request);
            word(world, request, Sending::Sent, word_later, flaw, visited)
        }
        Action::Stuck(what) => {
            let request = world.sending.take().unwrap();
            word(world, request, what, true, flaw, visited)
        }
        Action::Hold { long } => {
            let request = world.sending.take().unwrap();
            let (time, by) = if long { (3, HeldBy::Breaker) } else { (1, HeldBy::Rate) };
            let held = HeldBack { until: world.now.after(secs(time)), by, ..world.undoing };
            word(world, request, Sending::Held(held), true, flaw, visited)
        }
        Action::PassOver => match other_proxy(world) {
            Some(place) => give(world, Given::Through(place), flaw, visited),
            None => Ok(()),
        },
        Action::Arrive(which) => {
            let message = world.under_way.swap_remove(which);
            arrive(world, message, flaw, visited)
        }
        Action::ArriveTwice(which) => {
            let message = world.under_way[which];
            arrive(world, message, flaw, visited)
        }
        Action::Lose { which, timeout } => {
            let message = world.under_way.swap_remove(which);
            if let (
                true,
                Message::Subscribe { cseq, .. } | Message::Accept { cseq, .. } | Message::Refuse { cseq, .. },
            ) = (timeout, message)
            {
                world.under_way.push(Message::Refuse { cseq, refusal: Refusal::Timeout });
            }
            Ok(())
        }
        Action::Accept { which, fork, short, pending } => {
            let message = world.under_way.swap_remove(which);
            open(world, message, fork, short, pending, true);
            Ok(())
        }
        Action::AcceptBoth { which } => {
            let message = world.under_way.swap_remove(which);
            open(world, message, Fork::A, false, false, true);
            open(world, message, Fork::B, false, false, false);
            Ok(())
        }
        Action::AcceptBehind { which, refusal } => {
            let message = world.under_way.swap_remove(which);
            open(world, message, Fork::A, false, false, false);
            if let Message::Subscribe { cseq, .. } = message {
                world.under_way.push(Message::Refuse { cseq, refusal });
            }
            Ok(())
        }
        Action::Refuse { which, refusal } => {
            if let Message::Subscribe { dialog, fork, cseq, .. } = world.under_way.swap_remove(which) {
                if refusal == Refusal::Unknown || refusal == Refusal::BadEvent {
                    world.serving.retain(|one| one.dialog != dialog || Some(one.fork) != fork);
                }
                world.under_way.push(Message::Refuse { cseq, refusal });
                if refusal == Refusal::Nothing {
                    // A NOTIFY follows this 2xx as it follows any other.
                    let until = world.now;
                    let fork = fork.unwrap_or(Fork::A);
                    let serving =
                        Serving { dialog, fork, newest: cseq, notified: 0, until, moved: false, pending: false };
                    let at = world.serves(dialog, fork).unwrap_or(world.serving.len());
                    if at == world.serving.len() {
                        world.serving.push(serving);
                    }
                    notify(world, at, Word::TimedOut, false);
                }
            }
            Ok(())
        }
        Action::Notify { serving, word, moved } => {
            notify(world, serving, word, moved);
            Ok(())
        }
        Action::Restart => {
            world.serving.clear();
            Ok(())
        }
        Action::Start => give(world, Given::Start, flaw, visited),
        Action::Refresh => give(world, Given::Refresh, flaw, visited),
        Action::LoseFlow => give(world, Given::FlowLost, flaw, visited),
        Action::Credentials => give(world, Given::Credentials, flaw, visited),
        Action::Unsubscribe => give(world, Given::Unsubscribe, flaw, visited),
    }
}

fn word(
    world: &mut World,
    request: Message,
    word: Sending,
    later: bool,
    flaw: Flaw,
    visited: &mut Visited,
) -> Result<(), String> {
    let Message::Subscribe { cseq, .. } = request else { return Ok(()) };
    let message = Message::Word { cseq, word };
    if later {
        world.under_way.push(message);
        return Ok(());
    }
    give(world, Given::Message(message), flaw, visited)
}

/// A notifier takes the first SUBSCRIBE.
fn open(world: &mut World, message: Message, fork: Fork, short: bool, pending: bool, answers: bool) {
    let Message::Subscribe { dialog, cseq, expires, .. } = message else { return };
    let is_fetch = expires == 0;
    let expires = if short && !is_fetch { 6 } else { expires };
    let until = world.now.after(secs(expires.into()));
    world.serving.push(Serving { dialog, fork, newest: cseq, notified: 0, until, moved: false, pending });
    if answers {
        world.under_way.push(Message::Accept { cseq, fork, moved: false, expires });
    }
    // A notifier usually ends a fetch with its NOTIFY; one that leaves the subscription active is a mishap.
    let word = match (pending, is_fetch && !short) {
        (true, _) => Word::Pending,
        (false, true) => Word::TimedOut,
        (false, false) => Word::Active,
    };
    notify(world, world.serving.len() - 1, word, false);
}

/// A notifier sends its next NOTIFY.
pub fn notify(world: &mut World, serving: usize, word: Word, moved: bool) {
    let one = &mut world.serving[serving];
    one.notified += 1;
    one.moved |= moved;
    one.pending = word == Word::Pending;
    if word == Word::ActiveSooner {
        one.until = one.until.min(world.now.after(secs(4)));
    }
    let Serving { dialog, fork, notified: cseq, moved, .. } = *one;
    if word.ends() {
        world.serving.remove(serving);
    }
    world.under_way.push(Message::Notify { dialog, fork, cseq, moved, word });
}
