//! The pages show the answers of `trace`, `list` and `show` with the fields that are declared: tables, JSON and README.

use serde_json::Value;

use super::answers::{HistoryEventFields, HistoryFields, ProvisioningFields, Statistics, SubscriptionFields};
use super::{between, blocks, blocks_in, named, section, text_of};

/// The fields that a subscription without event id, options, a kept state and forks does not have.
pub const ABSENT: [&str; 6] = ["event_id", "options", "source", "kept_bytes", "provisioned", "fork_of"];

/// The declared fields that every active subscription has.
pub fn always_there() -> Vec<&'static str> {
    SubscriptionFields::NAMES.map(named).into_iter().filter(|name| !ABSENT.contains(name)).collect()
}

/// The names in the first column of the tables in a section of the page.
fn in_tables(section: &str) -> Vec<&str> {
    let cells = section.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split(" | ").next());
    cells.flat_map(|cell| between(cell, "`", "`")).collect()
}

/// The result that the JSON example of a section shows.
fn in_json(section: &str) -> Value {
    let block = blocks(section).into_iter().find(|block| block.language == "json").expect("a JSON example");
    let shown: Value = serde_json::from_str(block.text.lines().last().expect("an answer")).expect("JSON");
    shown["result"].clone()
}

/// The names of a struct, sorted.
fn keys(fields: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = fields.as_object().expect("a struct").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names
}

/// The names in each answer of a command that the README shows, in order.
fn in_readme(command: &str) -> Vec<Vec<String>> {
    let all = blocks_in("README.md", "console").concat();
    let steps = all.split("$ kamcmd ").filter(|step| step.starts_with(command));
    let answers = steps.map(|step| {
        let names = step.lines().filter_map(|line| line.strip_prefix('\t')?.split_once(": "));
        names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    });
    answers.filter(|names| !names.is_empty()).collect()
}

#[test]
fn statistics_are_described() {
    let declared = Statistics::NAMES.map(named);
    let page = text_of("docs/rpc.md");
    let section = section(&page, "presence_b2b.trace");
    assert_eq!(in_tables(section), declared);
    let shown = in_json(section);
    assert_eq!(keys(&shown), sorted(declared.into_iter().chain(["states"])), "the JSON example");
    let sessions = in_readme("presence_b2b.trace\n");
    assert!(!sessions.is_empty() && sessions.iter().all(|names| *names == declared), "README: {sessions:?}");
}

#[test]
fn fields_of_subscriptions_are_described() {
    let page = text_of("docs/rpc.md");
    let section = section(&page, "presence_b2b.list");
    assert_eq!(in_tables(section), SubscriptionFields::NAMES.map(named));
    let shown = in_json(section);
    assert_eq!(keys(&shown[0]), sorted(always_there()), "the JSON example");
    let sessions = in_readme("presence_b2b.show ");
    assert!(!sessions.is_empty() && sessions.iter().all(|names| *names == always_there()), "README: {sessions:?}");
}

#[test]
fn fields_of_the_reading_of_tables_are_described() {
    let page = text_of("docs/rpc.md");
    let section = section(&page, "presence_b2b.provisioning");
    assert_eq!(in_tables(section), ProvisioningFields::NAMES.map(named));
    let shown = in_json(section);
    let there = ProvisioningFields::NAMES.map(named).into_iter().filter(|name| *name != "reason");
    assert_eq!(keys(&shown), sorted(there), "the JSON example");
}

#[test]
fn fields_of_histories_are_described() {
    let page = text_of("docs/rpc.md");
    let section = section(&page, "presence_b2b.history");
    let (before, of_events) = (HistoryFields::NAMES.map(named), HistoryEventFields::NAMES.map(named));
    let declared: Vec<_> = before.into_iter().chain(["events"]).chain(of_events).collect();
    // The rest of the first column are what events are called.
    assert!(in_tables(section).starts_with(&declared), "{:?}", in_tables(section));
    let shown = in_json(section);
    assert_eq!(keys(&shown), sorted(before.into_iter().chain(["events"])), "the JSON example");
    for event in shown["events"].as_array().expect("a list") {
        assert!(keys(event).iter().all(|name| of_events.contains(name)), "the JSON example: {event}");
    }
}

#[test]
fn names_of_events_are_described() {
    let page = text_of("docs/rpc.md");
    let (_, table) = section(&page, "presence_b2b.history").split_once("| `event` | `kind` |").expect("a table");
    let names: Vec<_> = in_tables(table);
    let source = text_of("src/subscription/history.rs");
    let (_, words) = source.split_once("pub fn words(self)").expect("the names of events");
    let words = words.split_once("\n    }\n").expect("an end").0;
    let mut of_source: Vec<_> =
        words.lines().filter_map(|line| between(line, "(", ",").pop().and(line.split('"').nth(1))).collect();
    of_source.sort_unstable();
    of_source.dedup();
    assert_eq!(sorted(names), of_source);
}
