//! The life of a subscription, explored exhaustively.
//!
//! A subscription stands in a small world ([`world`]): a proxy that may fork, two notifiers, a transaction layer, and
//! messages under way that arrive in any order. At each point everything that can happen next ([`actions`]) is tried.
//! What goes wrong (a loss, a delay, a repetition, a refusal, a restart, a late deadline, …) is limited to a number of
//! *mishaps*; what is normal is not limited at all. An observer who sees only what goes in and comes out ([`rules`])
//! judges every step. States that differ only in the clock and in names are one ([`world::World::key`]), so that the
//! search ([`search`]) comes to an end: lives of any length are covered.
//!
//! This is a search of our own and not `stateright`: its models need states that can be compared and hashed as they
//! are, while ours holds the real subscription, whose times and numbers grow; the mapping to a canonical key is most
//! of the work in either case, and the search itself is thirty lines.
//!
//! To add something that can happen (a challenge, say): a `Refusal` or `Word` in `world`, what it is on the wire in
//! `actions::input_of`, and, when the observer has to know of it, a rule.

mod actions;
mod broken;
mod rules;
mod search;
mod world;

use super::table;
use broken::Flaw;
use search::explore;
use std::collections::BTreeMap;

/// What a search with so many mishaps finds, and the pairs of the table it does not meet: a line for each state.
fn explored(mishaps: u8) -> String {
    let start = std::time::Instant::now();
    let report = explore(mishaps, Flaw::None).unwrap_or_else(|found| panic!("{found}"));
    let missed: Vec<_> = table::pairs().filter(|pair| !report.visited.0.contains(pair)).collect();
    let (met, time) = (table::pairs().count() - missed.len(), start.elapsed());
    let (states, transitions, depth) = (report.states, report.transitions, report.depth);
    println!("{mishaps} mishaps: {states} states, {transitions} transitions, depth {depth}, {met} pairs, {time:.1?}");
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (row, column) in missed {
        lines.entry(row).or_default().push(column);
    }
    lines.into_iter().map(|(row, columns)| format!("{row}: {}\n", columns.join(" "))).collect()
}

#[test]
fn every_life_with_two_mishaps_keeps_the_rules() {
    assert_eq!(explored(2), "");
}

/// Takes minutes.
#[test]
#[ignore = "takes minutes; run it after a change of the machine"]
fn every_life_with_three_mishaps_keeps_the_rules() {
    assert_eq!(explored(3), "");
}
