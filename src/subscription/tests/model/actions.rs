//! What can happen next in the world, and what comes of it.

use super::super::*;
use super::broken::Flaw;
use super::challenges::{Asks, CHALLENGES};
use super::rules::{self, Given};
use super::search::Visited;
use super::world::{
    Book, Fork, HeldBack, Message, Refusal, Sending, Serving, UNDER_WAY, Word, World, fork_of, number_of,
};
use crate::grammar::RouteSet;
use crate::testing::etag;
use crate::testing::offered;
use crate::testing::tag;
use crate::testing::{uri, uris};
use std::num::NonZero;

/// One thing that can happen. Those that use up a mishap are marked by [`Action::is_mishap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Time goes on to the subscription's deadline, which is handed in.
    Due,
    /// The deadline passes by a second and nobody has handed it in yet.
    Late,
    /// Time goes on to the expiry of a dialog at its notifier, which says so.
    Expire(usize),
    /// The request leaves, and the transaction layer says so now or later.
    Leave {
        word_later: bool,
    },
    /// The request does not leave; the word comes when it comes.
    Stuck(Sending),
    /// The request may not leave for a second (its rate), or for three (its destination does not answer).
    Hold {
        long: bool,
    },
    /// The outbound proxy that the request begins with is held: it takes the other.
    PassOver,
    /// A message arrives.
    Arrive(usize),
    /// A message arrives, and will arrive again.
    ArriveTwice(usize),
    /// A SUBSCRIBE gets lost, or a reply: nobody hears of it, or the transaction layer gives up.
    Lose {
        which: usize,
        timeout: bool,
    },
    /// The first SUBSCRIBE is accepted: by one notifier, for a while and with a first state; or by both.
    Accept {
        which: usize,
        fork: Fork,
        short: bool,
        pending: bool,
    },
    AcceptBoth {
        which: usize,
    },
    /// One notifier accepts and says so by its NOTIFY; the reply that gets through is the other one's refusal.
    AcceptBehind {
        which: usize,
        refusal: Refusal,
    },
    /// A SUBSCRIBE is refused.
    Refuse {
        which: usize,
        refusal: Refusal,
    },
    /// A notifier sends a NOTIFY of its own accord.
    Notify {
        serving: usize,
        word: Word,
        moved: bool,
    },
    /// A notifier forgets everything.
    Restart,
    Start,
    Refresh,
    /// The connection of the dialog is lost.
    LoseFlow,
    /// Somebody gives the subscription credentials of its own.
    Credentials,
    Unsubscribe,
}

impl Action {
    /// How many mishaps it uses up. That time goes on while messages are under way is one.
    fn price(self, world: &World) -> u8 {
        let waits = matches!(self, Self::Due | Self::Late | Self::Expire(_))
            && world.subscription.deadline().is_some_and(|at| at > world.now)
            && !world.under_way.is_empty();
        u8::from(waits) + u8::from(self.is_mishap())
    }

    /// Whether it uses up a challenge.
    fn is_challenge(self) -> bool {
        match self {
            Self::Credentials => true,
            Self::Refuse { refusal, .. } | Self::AcceptBehind { refusal, .. } => Asks::of(refusal).is_some(),
            _ => false,
        }
    }

    /// Whether it can happen where challenges are what matters: there one notifier accepts, and what is refused is
    /// refused for good, moved, or not answered.
    fn is_narrow(self) -> bool {
        match self {
            Self::Due
            | Self::Leave { .. }
            | Self::Hold { long: false }
            | Self::Arrive(_)
            | Self::ArriveTwice(_)
            | Self::Accept { fork: Fork::A, short: false, pending: false, .. }
            | Self::Notify { word: Word::Deactivated, .. }
            | Self::Start
            | Self::Refresh
            | Self::LoseFlow
            | Self::Credentials
            | Self::Unsubscribe => true,
            Self::AcceptBehind { refusal, .. } => Asks::of(refusal).is_some(),
            Self::Refuse { refusal, .. } => {
                !matches!(refusal, Refusal::TooBrief | Refusal::BadEvent | Refusal::Timeout | Refusal::Nothing)
            }
            Self::Late
            | Self::Expire(_)
            | Self::Stuck(_)
            | Self::Hold { .. }
            | Self::Lose { .. }
            | Self::Accept { .. }
            | Self::AcceptBoth { .. }
            | Self::Notify { .. }
            | Self::PassOver
            | Self::Restart => false,
        }
    }

    /// Whether it is one of the bounded number of things that go wrong (or that nobody needs).
    fn is_mishap(self) -> bool {
        match self {
            Self::Due
            | Self::Expire(_)
            | Self::Arrive(_)
            | Self::Start
            | Self::Credentials
            | Self::Unsubscribe
            | Self::Leave { word_later: false }
            | Self::Accept { fork: Fork::A, short: false, pending: false, .. }
            | Self::Refuse {
                refusal:
                    Refusal::Stale | Refusal::Unknown | Refusal::Known | Refusal::Proxy | Refusal::Old | Refusal::Strange,
                ..
            } => false,
            Self::Notify { word, moved, .. } => word != Word::Active || moved,
            Self::Late
            | Self::Leave { word_later: true }
            | Self::Stuck(_)
            | Self::Hold { .. }
            | Self::PassOver
            | Self::ArriveTwice(_)
            | Self::Lose { .. }
            | Self::Accept { .. }
            | Self::AcceptBoth { .. }
            | Self::AcceptBehind { .. }
            | Self::Refuse { .. }
            | Self::Restart
            | Self::Refresh
            | Self::LoseFlow => true,
        }
    }
}

/// The only connection there is.
const FLOW: Flow = Flow(NonZero::<u32>::MIN);

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
            // A changed state is news once in a while: when the last word has arrived.
            let words = WORDS.into_iter().chain(one.pending.then_some((Word::Active, false)));
            all.extend(words.map(|(word, moved)| Action::Notify { serving, word, moved }));
        }
        if !world.serving.is_empty() {
            all.push(Action::Restart);
        }
        all.extend([Action::Start, Action::Refresh, Action::LoseFlow, Action::Unsubscribe]);
        all.extend((world.challenges > 0).then_some(Action::Credentials));
    }
    // A 200 with Expires 0 is what a fetch asks for, and comes with the NOTIFY.
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
            // An attempt that went on meets a notifier that has taken its first request.
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

/// A 305 comes only where an operator has a word, so that the other searches stay small.
fn reroutes(world: &World) -> Option<Refusal> {
    (world.book == Book::Operator).then_some(Refusal::UseProxy)
}

/// Where the request may go besides where it begins.
fn other_proxy(world: &World) -> Option<u8> {
    let proxies = world.subscription.picture(world.now).proxies;
    proxies.places(world.book.policy().proxies).nth(1)
}

fn is_acceptance(action: Action) -> bool {
    matches!(action, Action::Accept { .. } | Action::AcceptBoth { .. } | Action::AcceptBehind { .. })
}

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
                    // A NOTIFY follows that 2xx as any other.
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
    // Whoever is asked once mostly says that this was all; an oddity is a state that goes on.
    let word = match (pending, is_fetch && !short) {
        (true, _) => Word::Pending,
        (false, true) => Word::TimedOut,
        (false, false) => Word::Active,
    };
    notify(world, world.serving.len() - 1, word, false);
}

/// A notifier sends its next NOTIFY.
fn notify(world: &mut World, serving: usize, word: Word, moved: bool) {
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

fn arrive(world: &mut World, message: Message, flaw: Flaw, visited: &mut Visited) -> Result<(), String> {
    match message {
        Message::Subscribe { dialog, fork, cseq, expires } => {
            // A SUBSCRIBE within a dialog that its notifier knows: accepted, and told the state (RFC 6665 §4.2.1.2).
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

/// Hands it to the subscription, does what that says, and lets the observer judge.
fn give(world: &mut World, given: Given, flaw: Flaw, visited: &mut Visited) -> Result<(), String> {
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
