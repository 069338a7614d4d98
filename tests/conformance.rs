//! The page on conformance is right: every row is there, and every test it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How many rows the page has.
const ROWS: usize = 78;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The file that the tests of this path are in: `file`, `room::file`, or `room::file::part`.
fn source_of(path: &str) -> PathBuf {
    match path.split_once("::") {
        None => root().join(format!("tests/{path}.rs")),
        Some((room, file)) => {
            let file = file.replace("::", "/");
            root().join(format!("src/{room}/tests/{file}.rs"))
        }
    }
}

/// Whether a source has a test of this name: `#[test]`, perhaps more attributes, and the function.
pub fn has_test(source: &str, name: &str) -> bool {
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line == "#[test]";
        } else if !line.starts_with("//") {
            if is_test && line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name)).is_some_and(is_a_call) {
                return true;
            }
            is_test = false;
        }
    }
    false
}

fn is_a_call(rest: &str) -> bool {
    rest.starts_with('(')
}

/// The names of tests in a text: code spans with a path.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("::") && !quoted.starts_with("file::"))
}

/// What is wrong with the page.
fn problems(page: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for name in names(page).filter(|name| !name.starts_with("room::")).collect::<BTreeSet<_>>() {
        let (path, function) = name.rsplit_once("::").expect("a path");
        if !fs::read_to_string(source_of(path)).is_ok_and(|source| has_test(&source, function)) {
            problems.push(format!("no test is called {name}"));
        }
    }
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Row"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let numbers: Vec<_> = rows.iter().filter_map(|row| row.first()?.parse::<usize>().ok()).collect();
    if numbers != (1..=ROWS).collect::<Vec<_>>() {
        problems.push(format!("the rows are {numbers:?}"));
    }
    for row in &rows {
        let [_, rfc, what, proof] = row[..] else {
            problems.push(format!("{} columns: {row:?}", row.len()));
            continue;
        };
        let excused = ["not yet", "does not apply"].iter().any(|excuse| proof.to_lowercase().contains(excuse));
        if rfc.is_empty() || what.is_empty() || !(excused || names(proof).next().is_some()) {
            problems.push(format!("neither test nor reason: {row:?}"));
        }
    }
    problems
}

fn page() -> String {
    fs::read_to_string(root().join("docs/conformance.md")).expect("the page")
}

#[test]
fn every_named_test_exists() {
    assert_eq!(problems(&page()), Vec::<String>::new());
}

#[test]
fn a_page_that_lies_is_noticed() {
    let page = page();
    assert_eq!(problems(&page.replace("`install::", "`installed::")), problems(&page), "only what it names");
    let lies = [
        ("request::the_first_subscribe_over_udp", "request::the_first_subscribe_over_pigeon", "no test is called"),
        ("request::the_first_subscribe_over_udp", "request::first_subscribe_over", "no test is called"),
        ("request::the_first_subscribe_over_udp", "nowhere::the_first_subscribe_over_udp", "no test is called"),
        ("subscription::substates::the_grammar", "subscription::substates::the_gramma", "no test is called"),
        ("| 17 |", "| 71 |", "the rows are"),
        ("Does not apply: the module is a server with", "Surely: it is a server with", "neither test nor reason"),
        ("| 6665 §8.3.1 |", "|", "columns"),
    ];
    for (truth, lie, said) in lies {
        let lied = page.replace(truth, lie);
        assert!(lied != page, "{truth}");
        let found = problems(&lied);
        assert!(
            found.iter().any(|problem| problem.contains(said) && !problems(&page).contains(problem)),
            "{lie}: {found:?}"
        );
    }
}
