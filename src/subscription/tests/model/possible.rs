//! The events that can come next.

use super::actions::Action;
use super::challenges::CHALLENGES;
use super::world::{Book, Fork, Message, Refusal, Sending, Serving, UNDER_WAY, Word, World};

const REFUSALS: [Refusal; 7] = [
    Refusal::Moved,
    Refusal::Timeout,
    Refusal::TooBrief,
    Refusal::Unknown,
    Refusal::BadEvent,
    Refusal::Unavailable,
    Refusal::Nothing,
];

const WORDS: [(Word, bool); 7] = [
    (Word::Active, true),
    (Word::ActiveSooner, false),
    (Word::Pending, false),
    (Word::Deactivated, false),
    (Word::Rejected, false),
    (Word::Probation, false),
    (Word::Missing, false),
];

/// Everything that can happen next.
pub fn possible(world: &World) -> Vec<Action> {
    let mut all = Vec::new();
    if world.sending.is_some() {
        // The worker that took the request out of the subscription gives it to the transaction layer at once.
        all.extend([Action::Leave { word_later: false }, Action::Leave { word_later: true }]);
        all.extend([Action::Stuck(Sending::Failed), Action::Stuck(Sending::Dropped)]);
        all.extend([Action::Hold { long: false }, Action::Hold { long: true }]);
        all.extend(other_proxy(world).map(|_| Action::PassOver));
    } else {
        time(world, &mut all);
        for which in 0..world.under_way.len() {
            if !world.under_way[..which].contains(&world.under_way[which]) {
                message(world, which, &mut all);
            }
        }
        for (serving, one) in world.serving.iter().enumerate() {
            // A state changes again only after the last NOTIFY has arrived.
            let words = WORDS.into_iter().chain(one.pending.then_some((Word::Active, false)));
            all.extend(words.map(|(word, moved)| Action::Notify { serving, word, moved }));
        }
        if !world.serving.is_empty() {
            all.push(Action::Restart);
        }
        all.extend([Action::Start, Action::Refresh, Action::LoseFlow, Action::Unsubscribe]);
        all.extend((world.challenges > 0).then_some(Action::Credentials));
    }
    // A fetch is answered 200 with Expires 0, together with the NOTIFY.
    all.retain(|action| !(world.is_fetch() && matches!(action, Action::Refuse { refusal: Refusal::Nothing, .. })));
    let room = UNDER_WAY.saturating_sub(world.under_way.len());
    all.retain(|action| {
        let needs = match action {
            Action::Notify { .. } | Action::Expire(_) | Action::ArriveTwice(_) => 1,
            Action::Due if !world.subscription.state().in_flight() => 1,
            Action::AcceptBoth { .. } => 2,
            Action::AcceptBehind { .. } | Action::Refuse { refusal: Refusal::Nothing, .. } => 1,
            _ => 0,
        };
        needs <= room && (!world.narrow || action.is_narrow()) && action.price(world) <= world.mishaps
    });
    all
}

fn time(world: &World, all: &mut Vec<Action>) {
    let deadline = world.subscription.deadline().map(|at| at.max(world.now));
    let next = world.serving.iter().map(|one| one.until.max(world.now)).chain(deadline).min();
    if deadline.is_some() && deadline == next {
        all.extend([Action::Due, Action::Late]);
    }
    let over = |one: &Serving| Some(one.until.max(world.now)) == next;
    all.extend((0..world.serving.len()).filter(|at| over(&world.serving[*at])).map(Action::Expire));
}

fn message(world: &World, which: usize, all: &mut Vec<Action>) {
    if world.challenges > 0 && matches!(world.under_way[which], Message::Subscribe { .. }) {
        all.extend(CHALLENGES.map(|refusal| Action::Refuse { which, refusal }));
    }
    match world.under_way[which] {
        Message::Subscribe { dialog, fork: None, .. } => {
            for fork in [Fork::A, Fork::B] {
                all.push(Action::Accept { which, fork, short: false, pending: false });
            }
            all.push(Action::Accept { which, fork: Fork::A, short: true, pending: false });
            all.push(Action::Accept { which, fork: Fork::A, short: false, pending: true });
            all.push(Action::AcceptBoth { which });
            if world.challenges > 0 {
                all.extend(CHALLENGES.map(|refusal| Action::AcceptBehind { which, refusal }));
            }
            let refusals = [Refusal::Moved, Refusal::TooBrief, Refusal::Unknown, Refusal::BadEvent];
            all.extend(refusals.map(|refusal| Action::AcceptBehind { which, refusal }));
            all.extend(REFUSALS.map(|refusal| Action::Refuse { which, refusal }));
            all.extend(reroutes(world).map(|refusal| Action::Refuse { which, refusal }));
            // An attempt that continues elsewhere may reach a notifier that has already accepted its first request.
            all.retain(|action| !(is_acceptance(*action) && world.serving.iter().any(|one| one.dialog == dialog)));
            if world.serving.iter().any(|one| one.dialog == dialog) {
                all.push(Action::Refuse { which, refusal: Refusal::Stale });
            }
            all.extend([Action::Lose { which, timeout: false }, Action::Lose { which, timeout: true }]);
        }
        Message::Subscribe { dialog, fork: Some(fork), cseq, .. } => {
            match world.serves(dialog, fork) {
                Some(at) if world.serving[at].newest < cseq => {
                    all.push(Action::Arrive(which));
                    all.extend(REFUSALS.map(|refusal| Action::Refuse { which, refusal }));
                    all.extend(reroutes(world).map(|refusal| Action::Refuse { which, refusal }));
                }
                Some(_) => all.push(Action::Refuse { which, refusal: Refusal::Stale }),
                None => all.push(Action::Refuse { which, refusal: Refusal::Unknown }),
            }
            all.extend([Action::Lose { which, timeout: false }, Action::Lose { which, timeout: true }]);
        }
        Message::Accept { .. } | Message::Refuse { .. } => {
            all.extend([Action::Arrive(which), Action::ArriveTwice(which)]);
            all.extend([Action::Lose { which, timeout: false }, Action::Lose { which, timeout: true }]);
        }
        Message::Notify { .. } => {
            all.extend([Action::Arrive(which), Action::ArriveTwice(which), Action::Lose { which, timeout: false }]);
        }
        Message::Word { .. } => all.push(Action::Arrive(which)),
    }
}

/// A 305 comes only in the operator's world, so that the other searches stay small.
fn reroutes(world: &World) -> Option<Refusal> {
    (world.book == Book::Operator).then_some(Refusal::UseProxy)
}

/// Where the request may go, apart from its first proxy.
pub fn other_proxy(world: &World) -> Option<u8> {
    let proxies = world.subscription.picture(world.now).proxies;
    proxies.places(world.book.policy().proxies).nth(1)
}

fn is_acceptance(action: Action) -> bool {
    matches!(action, Action::Accept { .. } | Action::AcceptBoth { .. } | Action::AcceptBehind { .. })
}
