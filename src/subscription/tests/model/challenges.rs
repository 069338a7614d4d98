//! Challenges: the same world, in which every SUBSCRIBE may be challenged, by a realm with credentials or by one without,
//! and credentials may be given at any time. There are so many more states that the search allows fewer mishaps.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::super::*;
use super::broken::Flaw;
use super::rules::Given;
use super::search::{Visited, explore_from};
use super::world::{Book, Message, Refusal, Sending, World};
use super::{FETCH, OF_PROXIES, table};
use crate::subscription::digest::{MOST_ANSWERS, MOST_STALES};

/// Any number of challenges.
pub const ANY_NUMBER: u8 = u8::MAX;

/// The credentials of the realm that has them.
pub static CREDENTIALS: LazyLock<Vec<Credential>> = LazyLock::new(|| vec![credential("user:known:secret")]);

/// The refusals that are challenges.
pub const CHALLENGES: [Refusal; 4] = [Refusal::Known, Refusal::Proxy, Refusal::Old, Refusal::Strange];

/// The demand of a challenge.
#[derive(Clone, Copy, Debug)]
pub struct Asks {
    challenger: Challenger,
    realm: &'static [u8],
    nonce: &'static [u8],
    is_stale: bool,
    pub challenges: &'static [Challenge<'static>],
}

const KNOWN: &[Challenge<'_>] =
    &[Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"one\"" }];
const PROXY: &[Challenge<'_>] =
    &[Challenge { challenger: Challenger::Proxy, value: b"Digest realm=\"known\", nonce=\"way\"" }];
const OLD: &[Challenge<'_>] =
    &[Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"two\", stale=true" }];
const STRANGE: &[Challenge<'_>] =
    &[Challenge { challenger: Challenger::End, value: b"Digest realm=\"strange\", nonce=\"own\"" }];

impl Asks {
    pub fn of(refusal: Refusal) -> Option<Self> {
        let (end, known) = (Challenger::End, b"known");
        let asks =
            |challenger, realm, nonce, challenges| Self { challenger, realm, nonce, is_stale: false, challenges };
        match refusal {
            Refusal::Known => Some(asks(end, known, b"one", KNOWN)),
            Refusal::Old => Some(Self { is_stale: true, ..asks(end, known, b"two", OLD) }),
            Refusal::Proxy => Some(asks(Challenger::Proxy, known, b"way", PROXY)),
            Refusal::Strange => Some(asks(end, b"strange", b"own", STRANGE)),
            Refusal::Moved
            | Refusal::UseProxy
            | Refusal::Timeout
            | Refusal::TooBrief
            | Refusal::Unknown
            | Refusal::BadEvent
            | Refusal::Unavailable
            | Refusal::Stale
            | Refusal::Nothing => None,
        }
    }

    fn bit(self) -> u8 {
        bit(self.challenger, self.realm)
    }
}

/// One bit for each realm of this world.
fn bit(challenger: Challenger, realm: &[u8]) -> u8 {
    match (challenger, realm) {
        (Challenger::End, b"known") => 1,
        (Challenger::Proxy, _) => 2,
        (Challenger::End, _) => 4,
    }
}

/// The same challenges, as if only the nonce were wrong.
pub fn as_old<'a>(challenges: &'a [Challenge<'a>]) -> &'a [Challenge<'a>] {
    const AGED: &[Challenge<'_>] =
        &[Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"one\", stale=true" }];
    if challenges == KNOWN { AGED } else { challenges }
}

/// The observer's memory of challenges. Sets of realms are sets of [bits](bit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Answered {
    /// The challenge that the next SUBSCRIBE answers.
    awaited: Option<Refusal>,
    /// Repetitions of one SUBSCRIBE, and those of them because of an old nonce.
    repeated: u8,
    stales: u8,
    /// The realms that this SUBSCRIBE has answered with the present credentials.
    had: u8,
    /// The realms that have challenged since the last redirection.
    asked: u8,
    /// A redirection has been followed: the next SUBSCRIBE is still the same attempt.
    goes_on: bool,
    /// Credentials have come while a SUBSCRIBE was being sent: if it is held back, it is made again with these.
    pub late: bool,
}

/// A SUBSCRIBE is sent. Whether it repeats a challenged one: then it must have an answer.
pub fn repeating(world: &mut World, request: &Request) -> Result<bool, String> {
    // The rule about confirmations checks the remote tag of a dialog.
    let names = ([&request.call_id, &request.local_tag].map(Clone::clone), request.is_initial());
    let before = world.ghost.named.replace(names.clone());
    let all = &mut world.ghost.spoken.answered;
    for one in &request.authorizations {
        rule!(all.asked & bit(one.challenger, &one.realm) != 0, "an answer that nobody here has asked for: {one:?}");
    }
    let Some(asks) = all.awaited.take().and_then(Asks::of) else {
        all.late = false;
        if !std::mem::take(&mut all.goes_on) {
            (all.repeated, all.stales, all.had) = (0, 0, 0);
        }
        return Ok(false);
    };
    all.goes_on = false;
    all.repeated += 1;
    all.stales += u8::from(asks.is_stale && all.had & asks.bit() != 0);
    if !std::mem::take(&mut all.late) {
        all.had |= asks.bit();
    }
    rule!(all.repeated <= MOST_ANSWERS, "repeated {} times", all.repeated);
    rule!(all.stales <= MOST_STALES, "repeated {} times because of old nonces", all.stales);
    let answers = |one: &Authorization| {
        (one.challenger, &one.realm[..], &one.nonce[..]) == (asks.challenger, asks.realm, asks.nonce)
    };
    rule!(request.authorizations.iter().any(answers), "repeated without an answer to {asks:?}");
    // Call-ID and tag are in use once a NOTIFY has made a dialog with them.
    rule!(
        before.as_ref() == Some(&names) || (request.is_initial() && world.ghost.taken),
        "repeated as {names:?}, not {before:?}"
    );
    world.ghost.taken = false;
    Ok(true)
}

/// The observer learns: from a challenge, a redirection, credentials, a failure.
pub fn learning(before: &World, world: &mut World, given: Given, output: &Output) -> Result<(), String> {
    let is_held = matches!(given, Given::Message(Message::Word { word: Sending::Held(_), .. }));
    let was_in_flight = before.subscription.state().in_flight();
    let wanted = !world.unsubscribed;
    let all = &mut world.ghost.spoken.answered;
    let fails = output.news.as_ref().is_some_and(|news| news.next_attempt.is_some() || news.last);
    if (is_held && !was_in_flight) || (fails && !is_held) || output.forget {
        (all.awaited, all.goes_on) = (None, false);
    }
    if is_held && all.late {
        all.had = 0;
    }
    match given {
        Given::Credentials => (all.had, all.late) = (0, all.late || was_in_flight),
        Given::Message(Message::Refuse { cseq, refusal })
            if was_in_flight && cseq == before.subscription.local_cseq && !fails && !output.forget =>
        {
            if refusal == Refusal::Moved && wanted {
                (all.had, all.asked, all.goes_on) = (0, 0, true);
            }
            let Some(asks) = Asks::of(refusal) else { return Ok(()) };
            all.asked |= asks.bit();
            // A farewell that follows a challenged refresh is another request.
            if before.subscription.state() != State::ResubscriptionDestroy {
                rule!(asks.is_stale || all.had & asks.bit() == 0, "a wrong answer is given again");
                all.awaited = Some(refusal);
                world.ghost.taken = before.ghost.named.as_ref().is_some_and(|(_, is_initial)| *is_initial)
                    && !before.subscription.remote_tag().is_empty();
            }
        }
        Given::Start
        | Given::Deadline
        | Given::Refresh
        | Given::FlowLost
        | Given::Unsubscribe
        | Given::Through(_)
        | Given::Message(_) => {}
    }
    Ok(())
}

/// Pairs of the columns of challenges that cannot be reached, and why.
const IMPOSSIBLE: &[(&str, &str, &str)] = &[
    ("waiting, unstarted", "401 401x 407", "it has sent nothing that could be answered"),
    ("waiting, refused", "408", "nobody is timed out in this world"),
    ("waiting, refused", "fail drop held 302 423 489", FINAL),
    ("waiting, refused", "actv deac rejd", "a NOTIFY is found by its dialog, and there is none"),
    ("confirmed", "401 401x 407", FINAL),
    ("confirmed, unnotified", "401 401x 407", FINAL),
    ("waiting_for_termination", "401 401x 407", FINAL),
];

const FINAL: &str = "the newest request has had its final reply, which was another one";

/// Pairs that need more.
const FAR: &[(&str, &str, &str)] = &[
    ("waiting, refused", "401 407", "a wrong answer, and its refusal comes twice"),
    ("waiting, continued", "401x", "a refusal that comes twice, and credentials in between"),
    ("confirmed, to retry", "401x", "a refusal of a refresh that comes twice"),
];

/// The same for a fetch.
const IMPOSSIBLE_FETCH: &[(&str, &str, &str)] =
    &[("waiting, fetch goes on", "401x", FINAL), ("confirmed, fetch", "401 401x 407", FINAL)];

/// The columns of challenges.
const COLUMNS: [&str; 4] = ["401", "401x", "407", "cred"];

fn challenged(mishaps: u8, challenges: u8, terms: Terms) -> World {
    let mut world = World::new(mishaps, Book::Rfc, terms);
    (world.challenges, world.narrow) = (challenges, true);
    world
}

/// Searches from each of these worlds. In the columns of challenges, and in the row of refused ones, exactly these pairs
/// remain unreached.
fn explored(worlds: &[World], but_for: &[&[(&'static str, &'static str, &str)]]) {
    let mut met = Visited::default();
    let is_fetch = worlds[0].is_fetch();
    for world in worlds {
        let start = std::time::Instant::now();
        let report = explore_from(world.clone(), Flaw::None).unwrap_or_else(|found| panic!("{found}"));
        let (states, transitions, depth) = (report.states, report.transitions, report.depth);
        let World { mishaps, challenges, .. } = world;
        let time = start.elapsed();
        println!(
            "{mishaps} mishaps, {challenges} challenges: {states} states, {transitions} transitions, depth {depth}, {time:.1?}"
        );
        met.0.extend(report.visited.0);
    }
    let all: BTreeSet<_> = table::pairs()
        .filter(|(row, column)| COLUMNS.contains(column) || *row == "waiting, refused")
        .filter(|(_, column)| !["gap", "old"].contains(column))
        .filter(|(row, column)| !OF_PROXIES.0.contains(row) && !OF_PROXIES.1.contains(column))
        .filter(|(row, _)| row.contains("fetch") == is_fetch)
        .filter(|(row, _)| !row.ends_with("fetch short") && !row.ends_with("is over"))
        .collect();
    let missed: BTreeSet<_> = all.difference(&met.0).copied().collect();
    println!("{} of {} pairs of state and input", all.len() - missed.len(), all.len());
    assert_eq!(missed, super::named(but_for), "pairs that are not met");
}

#[test]
fn every_challenged_life_keeps_the_rules() {
    let of = |(mishaps, challenges)| challenged(mishaps, challenges, Terms::default());
    match searches_further() {
        true => explored(&[(0, 3), (1, 2)].map(of), &[IMPOSSIBLE]),
        false => explored(&[(0, 2), (1, 1)].map(of), &[IMPOSSIBLE, FAR]),
    }
}

#[test]
fn every_challenged_fetch_keeps_the_rules() {
    let most = if searches_further() { ANY_NUMBER } else { 5 };
    explored(
        &[(0, most), (1, 1)].map(|(mishaps, challenges)| challenged(mishaps, challenges, FETCH)),
        &[IMPOSSIBLE_FETCH],
    );
}

fn searches_further() -> bool {
    std::env::var_os("PRESENCE_B2B_MISHAPS").is_some()
}

/// The search can fail.
#[test]
fn a_wrong_answer_that_is_given_again_is_found() {
    let found = explore_from(challenged(0, 2, Terms::default()), Flaw::TriesAgain).expect_err("the flaw is found");
    assert!(found.contains("given again"), "{found}");
}
