//! The rules that hold in every state, checked by an observer that sees only inputs and outputs.

use super::super::*;
use super::challenges::{self, Answered, Asks};
use super::world::{Book, Fork, Message, Refusal, Sending, Word, World};
use crate::time::Millis;

/// The longest run of SUBSCRIBEs closer together than `min_resubscribe_time`: the first, its redirection, the one with a
/// longer Expires, and the unsubscribe.
const LONGEST_RUN: u8 = 4;

/// The same behind two outbound proxies, with one more for each of the two that fails; and with a 305.
const LONGEST_DETOUR: u8 = 7;

/// The observer's memory.
#[derive(Clone, Debug, Default)]
pub struct Ghost {
    /// The newest NOTIFY answered with 200: its dialog, its notifier, its CSeq.
    pub accepted: Option<(u32, Fork, u32)>,
    /// The newest confirmed remote side: tag, target, route set.
    remote: Option<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    /// The entity tag in the newest accepted NOTIFY of our dialog.
    known_state: Option<&'static [u8]>,
    /// Whether a NOTIFY has made the dialog that is ours.
    made: bool,
    /// Whether the newest accepted NOTIFY ended its dialog.
    ended: bool,
    pub spoken: Spoken,
    /// Call-ID and From tag of the newest SUBSCRIBE, and whether it was to open a dialog.
    pub named: Option<([Vec<u8>; 2], bool)>,
    /// A NOTIFY had made a dialog of the names of the SUBSCRIBE that was challenged.
    pub taken: bool,
}

/// The observer's memory of the SUBSCRIBEs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spoken {
    /// When the newest was sent.
    pub sent: Option<Millis>,
    /// How many have been sent with less than `min_resubscribe_time` in between.
    pub run: u8,
    /// The next one need not wait: a 3xx or 423 has just led to it, or an outbound proxy has failed.
    pub hastened: bool,
    /// Bit n: the outbound proxy at place n has failed in this run.
    pub failed: u8,
    /// The outcome of challenges.
    pub answered: Answered,
}

/// A ghost as its future depends on it.
pub type Seen =
    (Option<(Fork, (u32, u32))>, Option<(Vec<u8>, Vec<u8>, Vec<u8>)>, [bool; 4], Option<u64>, [u8; 2], Answered);

impl Ghost {
    pub fn seen(&self, now: Millis, ranks: impl Fn(u32, Fork, u32) -> (u32, u32)) -> Seen {
        let accepted = self.accepted.map(|(dialog, fork, cseq)| (fork, ranks(dialog, fork, cseq)));
        let Spoken { sent, run, hastened, failed, answered } = self.spoken;
        let sent = sent.map(|at| now.since(at).as_secs().min(2));
        (accepted, self.remote.clone(), [self.made, self.ended, self.taken, hastened], sent, [run, failed], answered)
    }
}

/// The input, as the observer understands it.
#[derive(Clone, Copy, Debug)]
pub enum Given {
    Start,
    Deadline,
    Refresh,
    FlowLost,
    Credentials,
    Unsubscribe,
    /// The newest request takes the outbound proxy at this place.
    Through(u8),
    Message(Message),
}

/// Checks one step: `before` and `world` are the worlds before and after it.
pub fn judge(before: &World, world: &mut World, given: Given, output: &Output) -> Result<(), String> {
    sending(before, world, given, output)?;
    answering(before, world, given, output)?;
    telling(before, world, output)?;
    replying(before, world, given);
    challenges::learning(before, world, given, output)?;
    if world.own_dialog() != before.own_dialog() || world.subscription.call_id().is_empty() {
        world.ghost.remote = None;
        world.ghost.made = false;
        world.ghost.accepted = None;
        world.ghost.known_state = None;
    }
    standing(world)
}

fn sending(before: &World, world: &mut World, given: Given, output: &Output) -> Result<(), String> {
    let Some(request) = &output.send else { return Ok(()) };
    let policy = world.book.policy();
    rule!(matches!(given, Given::Deadline), "only the deadline sends, not {given:?}");
    rule!(!before.subscription.state().in_flight(), "one request at a time");
    rule!(request.cseq == before.subscription.local_cseq + 1, "CSeq {} is not one more", request.cseq);
    rule!(!world.unsubscribed || request.expires == 0, "asks for more although nobody wants it");
    rule!(!world.unsubscribed || !world.is_fetch(), "ends what is over by itself");
    rule!(world.unsubscribed || request.expires > 0 || world.is_fetch(), "ends what is still wanted");
    rule!(!world.is_fetch() || (request.expires == 0 && request.is_initial()), "asks for more than the state");
    let is_farewell = request.expires == 0 && !world.is_fetch();
    let ghost = &mut world.ghost;
    let known = ghost.known_state.filter(|_| !request.is_initial() && request.expires > 0);
    rule!(request.known_state == known.unwrap_or_default(), "known is {known:?}, said {:?}", request.known_state);
    if request.is_initial() {
        rule!(request.route_set.is_empty(), "a route set without a dialog");
        ghost.remote = None;
        ghost.made = false;
    } else {
        let sent_to = Some((&request.remote_tag, &request.target, &request.route_set));
        let newest = ghost.remote.as_ref().map(|(tag, target, route_set)| (tag, target, route_set));
        rule!(sent_to == newest, "sent to {sent_to:?}, but the newest confirmed is {newest:?}");
    }
    let is_repetition = challenges::repeating(world, request)?;
    let ghost = &mut world.ghost.spoken;
    let close = ghost.sent.is_some_and(|at| world.now.since(at) < policy.min_resubscribe_time);
    rule!(!close || ghost.hastened || is_farewell, "two SUBSCRIBEs too close together");
    ghost.run = if close { ghost.run + u8::from(!is_repetition) } else { 1 };
    let longest = if world.book == Book::Rfc { LONGEST_RUN } else { LONGEST_DETOUR };
    rule!(ghost.run <= longest, "{} SUBSCRIBEs in a run", ghost.run);
    ghost.failed = if close { ghost.failed } else { 0 };
    let again = ghost.failed >> request.proxies.current() & 1 == 1;
    rule!(!again || is_farewell, "an outbound proxy is asked twice in one attempt");
    rule!(request.via.is_empty() || policy.proxies == 0, "another proxy than those of the operator");
    rule!(request.via.is_empty() || ghost.hastened, "a proxy that nobody has just named");
    ghost.sent = Some(world.now);
    ghost.hastened = false;
    Ok(())
}

fn answering(before: &World, world: &mut World, given: Given, output: &Output) -> Result<(), String> {
    let Given::Message(Message::Notify { dialog, fork, cseq, moved, word }) = given else {
        rule!(output.answer.is_none(), "an answer without a NOTIFY");
        return Ok(());
    };
    let news = output.news.as_ref();
    let other = before.ghost.accepted.filter(|(known, other, _)| *known == dialog && *other != fork);
    let newest = before.ghost.accepted.filter(|(known, of, _)| *known == dialog && *of == fork).map(|known| known.2);
    let is_gone = before.subscription.picture(before.now).gone.iter().any(|[tag, _]| tag == fork.tag())
        && before.ghost.remote.as_ref().is_none_or(|(tag, ..)| tag != fork.tag());
    match output.answer {
        None => {
            rule!(news.is_none(), "news from a NOTIFY of no dialog");
            // Between two requests of a continuing attempt there is no dialog.
            let waits = matches!(before.subscription.state(), State::Waiting(_));
            // A NOTIFY that its notifier sent before it ended the dialog comes too late.
            rule!(other.is_some() || waits || is_gone, "a NOTIFY of our dialog is nobody's");
            return Ok(());
        }
        Some(Answer::Ok) if is_gone => {
            rule!(news.is_none() && word.ends(), "the end of a fork is told again");
            return Ok(());
        }
        Some(Answer::Ok) if may_be_another(before, fork, word) => return first_end(world, output),
        Some(Answer::Ok) => rule!(other.is_none(), "a second dialog beside the one with {other:?}"),
        Some(Answer::StaleCseq) => rule!(newest.is_some_and(|newest| cseq <= newest), "a NOTIFY in order is stale"),
        Some(answer) => rule!(word == Word::Missing && answer == MISSING, "{answer:?} to {word:?}"),
    }
    let is_known = newest.is_some_and(|newest| cseq <= newest) && output.answer == Some(Answer::Ok);
    rule!(
        !is_known || word.ends() || matches!(output.untold, Some((Untold::Repeated, _))) || world.unsubscribed,
        "accepted out of order"
    );
    if output.answer == Some(Answer::StaleCseq) && output.news.is_some() {
        // Its notifier has lost its count, and the dialog is left.
        rule!(world.own_dialog() != Some(dialog), "a count is lost, and nothing is done");
        return Ok(());
    }
    if output.answer != Some(Answer::Ok) || is_known {
        rule!(news.is_none(), "news from a NOTIFY that was refused or has been delivered");
        return Ok(());
    }
    rule!(word != Word::Missing, "accepted without a Subscription-State");
    rule!(news.is_some() != world.unsubscribed, "an accepted NOTIFY is delivered once, unless nobody wants it");
    if let Some(news) = news {
        // An operator's policy for failures does not apply to the result of a fetch.
        let book = if world.is_fetch() { Book::Rfc } else { world.book };
        let (status, last) = word.told(book);
        rule!(news.status == status && news.with_body, "{word:?} is told as {:?}", news.status);
        rule!(news.last == (last || world.is_fetch()), "{word:?} is the end or not, against the book");
    }
    rule!(!world.is_fetch() || output.forget, "asked once, and not done after the answer");
    if word.ends() {
        rule!(world.own_dialog() != Some(dialog), "the dialog outlives its end");
    }
    let ghost = &mut world.ghost;
    let remote = match ghost.remote.take().filter(|_| ghost.made) {
        Some((tag, _, route_set)) => (tag, fork.contact(moved).to_vec(), route_set),
        None => (fork.tag().to_vec(), fork.contact(moved).to_vec(), route_of_notify(cseq)),
    };
    ghost.remote = Some(remote);
    ghost.known_state = word.entity_tag();
    (ghost.accepted, ghost.made, ghost.ended) = (Some((dialog, fork, cseq)), true, word.ends());
    Ok(())
}

/// Whether a NOTIFY ends a dialog before one is made, and it is not known yet whether that dialog is with this notifier.
fn may_be_another(before: &World, fork: Fork, word: Word) -> bool {
    let state = before.subscription.state();
    let waits = matches!(state, State::Unconfirmed | State::Confirmed { .. } | State::Resubscription { .. });
    let accepted = before.ghost.remote.as_ref().map(|(tag, ..)| &tag[..]);
    word.ends() && waits && !before.is_fetch() && !before.ghost.made && accepted != Some(fork.tag())
}

/// The end of one fork does not end the others: its state is reported, and the subscription stays active.
fn first_end(world: &World, output: &Output) -> Result<(), String> {
    rule!(!output.forget && !matches!(world.subscription.state(), State::Waiting(_)), "one fork ends for all");
    rule!(output.answer == Some(Answer::Ok), "the end of a fork is refused");
    rule!(output.news.is_none_or(|news| news.status == Status::Pending && news.with_body), "a fork ends for all");
    Ok(())
}

const MISSING: Answer = Answer::BadRequest("Missing or Malformed Subscription-State");

/// Every NOTIFY has a different Record-Route: only that of the first one counts.
pub fn route_of_notify(cseq: u32) -> Vec<u8> {
    if cseq == 1 { b"<sip:first;lr>".to_vec() } else { b"<sip:later;lr>".to_vec() }
}

fn telling(before: &World, world: &World, output: &Output) -> Result<(), String> {
    rule!(!world.unsubscribed || output.news.is_none(), "news after unsubscribe");
    rule!(output.forget == (world.subscription.state() == State::Destroyed && !before.forgotten), "forget once");
    let Some(news) = &output.news else { return Ok(()) };
    rule!(Some(news.status) == world.subscription.status(), "the status is not what was told");
    rule!(news.last == output.forget, "the last news comes with the end");
    rule!(
        news.code != 489 || world.is_fetch() || news.last == (world.book != Book::Operator),
        "489 is the end or not, against the book"
    );
    rule!(
        news.code != 503 || world.is_fetch() || news.last == (world.book == Book::Operator),
        "503 is the end or not, against the book"
    );
    rule!(news.status != Status::Rejected || news.last, "rejected and yet to be tried again");
    Ok(())
}

/// A 2xx confirms the remote side too; after a 3xx or 423 another SUBSCRIBE is sent at once.
fn replying(before: &World, world: &mut World, given: Given) {
    let state = before.subscription.state();
    let newest = before.subscription.local_cseq;
    // The watchdog has expired, or the transaction layer or the proxy has given up.
    let has_failed = match given {
        Given::Deadline => state.in_flight() && world.subscription.state() != state,
        Given::Message(Message::Refuse { cseq, refusal: Refusal::Timeout | Refusal::Unavailable })
        | Given::Message(Message::Word { cseq, word: Sending::Failed }) => state.in_flight() && cseq == newest,
        Given::FlowLost => state.in_flight() && before.subscription.flow().is_some(),
        Given::Message(_)
        | Given::Start
        | Given::Refresh
        | Given::Credentials
        | Given::Unsubscribe
        | Given::Through(_) => false,
    };
    if has_failed && world.book == Book::Proxies {
        world.ghost.spoken.hastened = true;
        world.ghost.spoken.failed |= 1 << before.subscription.picture(before.now).proxies.current();
    }
    match given {
        Given::Message(Message::Accept { cseq, fork, moved, .. })
            if state.in_flight() && cseq == before.subscription.local_cseq =>
        {
            let ghost = &mut world.ghost;
            let contact = fork.contact(moved).to_vec();
            // The target of a NOTIFY has precedence over that of the 2xx to the first SUBSCRIBE, however late the 2xx comes.
            let is_told = before.ghost.made && state.name().starts_with("unconfirmed");
            match &mut ghost.remote {
                Some((tag, target, _)) if tag == fork.tag() && !is_told => *target = contact,
                Some(_) => {}
                None => ghost.remote = Some((fork.tag().to_vec(), contact, b"<sip:reply;lr>".to_vec())),
            }
        }
        Given::Message(Message::Refuse { cseq, refusal })
            if state.in_flight() && cseq == before.subscription.local_cseq =>
        {
            world.ghost.spoken.hastened |= matches!(refusal.code(), 302 | 305 | 423) || Asks::of(refusal).is_some();
            if refusal == Refusal::Nothing && world.ghost.remote.is_none() {
                world.ghost.remote = Some((Fork::A.tag().to_vec(), RECORD.to_vec(), b"<sip:reply;lr>".to_vec()));
            }
        }
        Given::Message(Message::Word { cseq, word: Sending::Held(held) })
            if cseq == before.subscription.local_cseq && world.subscription.local_cseq < cseq =>
        {
            let Spoken { hastened, answered: Answered { late, .. }, .. } = world.ghost.spoken;
            world.ghost.spoken = held.spoken;
            world.ghost.spoken.answered.late = late;
            world.ghost.spoken.hastened |= hastened;
        }
        Given::Message(
            Message::Accept { .. }
            | Message::Refuse { .. }
            | Message::Notify { .. }
            | Message::Subscribe { .. }
            | Message::Word { word: Sending::Sent | Sending::Failed | Sending::Dropped | Sending::Held(_), .. },
        )
        | Given::Start
        | Given::Deadline
        | Given::Refresh
        | Given::FlowLost
        | Given::Credentials
        | Given::Unsubscribe
        | Given::Through(_) => {}
    }
}

/// The rules for every state.
fn standing(world: &World) -> Result<(), String> {
    let (subscription, state) = (&world.subscription, world.subscription.state());
    let idle = matches!(state, State::Destroyed | State::Waiting(Attempt::Unstarted));
    rule!(subscription.deadline().is_none() == idle, "deadline {:?} in {state:?}", subscription.deadline());
    rule!(
        !world.ghost.ended || world.unsubscribed || subscription.status() != Some(Status::Active),
        "terminated, and shown as active"
    );
    let picture = subscription.picture(Millis(0));
    let expiry = picture.dialog.as_ref().and_then(|dialog| dialog.expiry);
    if let (State::Confirmed { .. }, Some(expiry)) = (state, expiry) {
        rule!(picture.deadline.is_some_and(|at| at <= expiry), "stands beyond what was granted");
    }
    let is_told = matches!(subscription.status(), Some(Status::Active | Status::Pending)) && !world.unsubscribed;
    let left = picture.left.map(|(until, _)| until).filter(|_| is_told);
    rule!(left.is_none_or(|until| subscription.deadline() <= Some(until)), "shown as active beyond what was granted");
    rule!(!is_told || !matches!(state, State::Waiting(_)) || left.is_some(), "no dialog, and shown as active for ever");
    let until = subscription.fetch_until();
    rule!(
        until.is_none_or(|until| subscription.deadline().is_some_and(|at| at <= until.max(world.now))),
        "waits too long"
    );
    if matches!(state, State::Confirmed { .. }) {
        rule!(expiry.is_some() || until.is_some(), "stands for ever");
        let tag = picture.dialog.map(|dialog| dialog.remote_tag);
        rule!(tag == world.ghost.remote.as_ref().map(|(tag, ..)| tag.clone()), "stands with nobody");
    }
    Ok(())
}
