//! Breadth-first search through all states of the world.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::fmt::Write;

use super::super::*;
use super::actions::Action;
use super::alone::stand_alone;
use super::apply::apply;
use super::broken::Flaw;
use super::possible::possible;
use super::rules::Given;
use super::world::{Book, Message, Refusal, Sending, Word, World};

/// The states that a search has seen.
#[derive(Debug)]
pub struct Report {
    pub states: usize,
    pub transitions: usize,
    pub depth: u32,
    pub visited: Visited,
}

/// The pairs of state and input that were reached, by the names of the table.
#[derive(Debug, Default)]
pub struct Visited(pub BTreeSet<(&'static str, &'static str)>);

impl Visited {
    pub fn note(&mut self, subscription: &Subscription<Accounted>, given: Given) {
        if let Some(column) = column_of(given, subscription.local_cseq) {
            self.0.insert((row_of(subscription), column));
        }
    }
}

/// The row of the table a subscription is in.
pub fn row_of(subscription: &Subscription<Accounted>) -> &'static str {
    let is_fetch = subscription.fetch_until().is_some();
    let made = subscription.dialog.as_ref().is_some_and(|dialog| dialog.is_made());
    match subscription.state() {
        State::Waiting(Attempt::Unstarted) => "waiting, unstarted",
        State::Waiting(Attempt::Continued) if is_fetch => "waiting, fetch goes on",
        State::Waiting(Attempt::Fresh) if is_fetch => "waiting, fetch",
        State::Unconfirmed if is_fetch => "unconfirmed, fetch",
        State::Confirmed { .. } if is_fetch => "confirmed, fetch",
        State::Waiting(Attempt::Continued) => "waiting, continued",
        State::Waiting(Attempt::Fresh) if matches!(subscription.last_reply, 401 | 407) => "waiting, refused",
        State::Unconfirmed if made => "unconfirmed, notified",
        State::Confirmed { awaits: Awaits::FirstNotify { .. }, .. } => "confirmed, unnotified",
        State::Confirmed { awaits: Awaits::Retry, .. } => "confirmed, to retry",
        State::Confirmed { awaits: Awaits::Expiry, .. } => "confirmed, to expire",
        State::Predestroyed(Farewell::Due) => "predestroyed, due",
        State::Predestroyed(Farewell::Sent) => "predestroyed, sent",
        state => state.name(),
    }
}

/// The column of the table an input is in; replies and outcomes only if they concern the newest request.
fn column_of(given: Given, newest: u32) -> Option<&'static str> {
    let message = match given {
        Given::Start => return Some("strt"),
        Given::Deadline => return Some("due"),
        Given::Refresh => return Some("refr"),
        Given::FlowLost => return Some("flow"),
        Given::Credentials => return Some("cred"),
        Given::Unsubscribe => return Some("unsb"),
        Given::Through(_) => return Some("thru"),
        Given::Message(message) => message,
    };
    match message {
        Message::Accept { cseq, .. } if cseq == newest => Some("200"),
        Message::Refuse { cseq, refusal: Refusal::Strange } if cseq == newest => Some("401x"),
        Message::Refuse { cseq, refusal: Refusal::Known } if cseq == newest => Some("401"),
        Message::Refuse { cseq, refusal } if cseq == newest => match refusal.code() {
            302 => Some("302"),
            305 => Some("305"),
            407 => Some("407"),
            408 => Some("408"),
            423 => Some("423"),
            481 => Some("481"),
            489 => Some("489"),
            _ => None,
        },
        Message::Word { cseq, word } if cseq == newest => Some(match word {
            Sending::Sent => "sent",
            Sending::Failed => "fail",
            Sending::Dropped => "drop",
            Sending::Held(_) => "held",
        }),
        Message::Notify { word: Word::Active, .. } => Some("actv"),
        Message::Notify { word: Word::Deactivated, .. } => Some("deac"),
        Message::Notify { word: Word::Rejected, .. } => Some("rejd"),
        Message::Accept { .. }
        | Message::Refuse { .. }
        | Message::Word { .. }
        | Message::Notify { .. }
        | Message::Subscribe { .. } => None,
    }
}

/// Goes through everything that can happen with at most this number of mishaps, until nothing new is found. An error
/// names the broken rule and the shortest way to it.
pub fn explore(mishaps: u8, flaw: Flaw, book: Book, terms: Terms) -> Result<Report, String> {
    explore_from(World::new(mishaps, book, terms), flaw)
}

/// The same from any starting point.
pub fn explore_from(first: World, flaw: Flaw) -> Result<Report, String> {
    let account = first.subscription.allocator().clone();
    let mut known = HashSet::from([first.key()]);
    let mut ways: Vec<(usize, Option<Action>)> = vec![(0, None)];
    let mut open = VecDeque::from([(0, 0, first)]);
    let mut report = Report { states: 0, transitions: 0, depth: 0, visited: Visited::default() };
    while let Some((at, depth, world)) = open.pop_front() {
        report.states += 1;
        report.depth = report.depth.max(depth);
        let found = |ways: &[_], action, rule: String| way(ways, at, action, &rule, &world);
        if flaw == Flaw::None {
            stand_alone(&world, &account).map_err(|rule| found(&ways, None, rule))?;
        }
        for action in possible(&world) {
            report.transitions += 1;
            let mut next = world.clone();
            apply(&mut next, action, flaw, &mut report.visited).map_err(|rule| found(&ways, Some(action), rule))?;
            if known.insert(next.key()) {
                ways.push((at, Some(action)));
                open.push_back((ways.len() - 1, depth + 1, next));
            }
        }
    }
    Ok(report)
}

/// The way to a broken rule, for people to read.
fn way(ways: &[(usize, Option<Action>)], mut at: usize, last: Option<Action>, rule: &str, world: &World) -> String {
    let mut actions: Vec<Action> = last.into_iter().collect();
    while let (before, Some(action)) = ways[at] {
        actions.push(action);
        at = before;
    }
    let mut text = format!("{rule}, after:\n");
    for action in actions.iter().rev() {
        let _ = writeln!(text, "  {action:?}");
    }
    let _ = writeln!(text, "before the last: {:#?}\n{:?}", world.subscription.snapshot(world.now), world.under_way);
    text
}
