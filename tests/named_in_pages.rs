//! What the pages for maintainers name is in the tree: files, paths of the source, types, and the tests of where-to-put-it.

use std::fs;
use std::path::Path;

use crate::conformance::has_test;
use crate::documentation::{between, blocks_in, text_of};

/// The pages for those who change the module.
const PAGES: [&str; 3] = ["docs/architecture.md", "docs/safety.md", "docs/where-to-put-it.md"];

/// What looks like a type or a constant, and is of C, of Kamailio or of the language.
const FOREIGN: [&str; 6] = ["FAKED_REPLY", "FL_SHM_CLONE", "STR_VTOZ", "SAFETY", "SUBSCRIBE", "NOTIFY"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The quoted words of the pages for maintainers, with the page; those in blocks are none.
fn quoted() -> Vec<(&'static str, String)> {
    let mut quoted = Vec::new();
    for page in PAGES {
        let mut inside = false;
        for line in text_of(page).lines() {
            inside ^= line.starts_with("```");
            if !inside && !line.starts_with("```") {
                quoted.extend(line.split('`').skip(1).step_by(2).map(|text| (page, text.to_owned())));
            }
        }
    }
    quoted
}

/// All files of Rust below a folder, with their texts.
fn sources(folder: &str) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root()).expect("of the tree").to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).expect("a text")));
            }
        }
    }
    found
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Whether a text has this word.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let [before, after] = [text[..at].chars().next_back(), text[at + word.len()..].chars().next()];
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Whether a source defines a type, a function or a value of this name.
fn defines(source: &str, name: &str) -> bool {
    const KINDS: [&str; 9] =
        ["struct ", "enum ", "trait ", "type ", "union ", "fn ", "const ", "static ", "macro_rules! "];
    KINDS.iter().any(|kind| has_word(source, &format!("{kind}{name}"))) || {
        // A structure that the macro of the parameters makes.
        source.contains(&format!("    {name}: ")) && source.contains("macro_rules!")
    }
}

/// Whether this is a path of the source, `room::file::Name`, `room::Type::function` or `Type::function`.
fn is_there(path: &str, sources: &[(String, String)]) -> bool {
    let mut prefix = "src".to_owned();
    let mut names: Vec<&str> = path.trim_end_matches("()").split("::").collect();
    while let Some(name) = names.first() {
        let longer = format!("{prefix}/{name}");
        if !root().join(format!("{longer}.rs")).is_file() {
            break;
        }
        prefix = longer;
        names.remove(0);
    }
    let within = |file: &str| file.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with(['/', '.']));
    let mut texts = sources.iter().filter(|(file, _)| within(file)).map(|(_, text)| &text[..]);
    match names[..] {
        [] => true,
        [name] => texts.any(|text| defines(text, name)),
        // A variant or a function of a type, perhaps in another file of its room.
        [of, name] => {
            let texts: Vec<&str> = texts.collect();
            texts.iter().any(|text| defines(text, of)) && texts.iter().any(|text| has_word(text, name))
        }
        _ => false,
    }
}

#[test]
fn files_are_there() {
    let (mut missing, mut count) = (Vec::new(), 0);
    for (page, path) in quoted() {
        let is_path = ["src/", "tests/", "docs/", "cshim/"].iter().any(|folder| path.starts_with(folder));
        if !is_path || path.contains(['<', ' ']) {
            continue;
        }
        count += 1;
        let is_there = match path.strip_suffix('*') {
            None => root().join(&path).exists(),
            // `src/room*`: the file and the folder.
            Some(start) => root().join(start).is_dir() && root().join(format!("{start}.rs")).is_file(),
        };
        if !is_there {
            missing.push(format!("{page}: {path}"));
        }
    }
    assert!(missing.is_empty() && count > 50, "{count} files, missing: {missing:#?}");
}

#[test]
fn paths_and_types_are_there() {
    let sources = sources("src");
    let tests: String = sources.iter().chain(&self::sources("tests")).map(|(_, text)| &text[..]).collect();
    let (mut missing, mut count) = (Vec::new(), 0);
    for (page, text) in quoted() {
        let name = text.trim_end_matches("<'_>").trim_end_matches("()");
        let is_name = name.chars().all(|letter| is_word(letter) || letter == ':');
        let begins_large = name.starts_with(|letter: char| letter.is_ascii_uppercase()) && name.len() > 1;
        if !is_name || FOREIGN.contains(&name) || !(begins_large || name.contains("::")) {
            continue;
        }
        count += 1;
        let is_of_a_test = || page == "docs/where-to-put-it.md" && test_is_there(name);
        let is_of_source =
            if name.contains("::") { is_there(name, &sources) } else { defines(&tests, name) || name == "None" };
        if !is_of_source && !is_of_a_test() {
            missing.push(format!("{page}: {text}"));
        }
    }
    assert!(missing.is_empty() && count > 50, "{count} names, missing: {missing:#?}");
}

/// What the pictures of the ways name: `room::part`, and `room.function` where the room is a value; the hub is of `qsa`.
#[test]
fn steps_of_the_ways_are_there() {
    let sources = sources("src");
    let (mut missing, mut count) = (Vec::new(), 0);
    for block in blocks_in("docs/architecture.md", "text") {
        for step in block.split(|letter| !is_word(letter) && !matches!(letter, '.' | ':')) {
            let Some((room, name)) = step.split_once("::").or_else(|| step.split_once('.')) else { continue };
            let room = if room == "hub" { "qsa" } else { room };
            let name = name.trim_end_matches(['.', ':']);
            if name.is_empty() || !root().join(format!("src/{room}.rs")).is_file() {
                continue;
            }
            count += 1;
            if !is_there(&format!("{room}::{name}"), &sources) {
                missing.push(step.to_owned());
            }
        }
    }
    assert!(missing.is_empty() && count > 15, "{count} steps, missing: {missing:#?}");
}

/// Whether this is a file of tests, or a test in one: `file`, `file::test`, `file::part`, and `room::file` for the tests of a room.
fn test_is_there(name: &str) -> bool {
    let (file, test) = name.split_once("::").unwrap_or((name, ""));
    let source = |path: String| fs::read_to_string(root().join(path)).ok();
    match source(format!("tests/{file}.rs")) {
        Some(_) if test.is_empty() => true,
        Some(text) if has_test(&text, test) => true,
        _ => {
            let (module, function) = test.split_once("::").unwrap_or((test, ""));
            ["src/{file}/tests/{module}.rs", "src/{file}/{module}.rs", "tests/{file}/{module}.rs"]
                .map(|path| path.replace("{file}", file).replace("{module}", module))
                .into_iter()
                .filter_map(source)
                .any(|text| text.contains("#[test]") && (function.is_empty() || has_test(&text, function)))
        }
    }
}

#[test]
fn tests_that_notice_are_there() {
    let page = text_of("docs/where-to-put-it.md");
    let (mut missing, mut count) = (Vec::new(), 0);
    for row in page.lines().filter(|line| line.starts_with("| **")) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for name in between(cell, "`", "`").into_iter().filter(|name| !name.starts_with("make ")) {
            count += 1;
            // `room::...` is all that a room has.
            let is_there = name
                .strip_suffix("::...")
                .map_or_else(|| test_is_there(name), |room| root().join(format!("src/{room}/tests")).is_dir());
            if !is_there && !root().join(format!("src/{name}.rs")).is_file() {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty() && count > 30, "{count} tests, missing: {missing:#?}");
}

/// "`Name` in `src/file.rs`": the name is in that very file.
#[test]
fn names_are_in_the_files_that_the_page_says() {
    let page = text_of("docs/where-to-put-it.md");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in page.lines() {
        let parts: Vec<&str> = line.split('`').collect();
        for at in (1..parts.len()).step_by(2).filter(|at| parts[*at].starts_with("src/") && parts[*at].ends_with(".rs"))
        {
            let Ok(text) = fs::read_to_string(root().join(parts[at])) else { continue };
            let mut place = at;
            let mut joins: &[&str] = &[" in ", " of "];
            while place >= 2 && joins.contains(&parts[place - 1]) {
                place -= 2;
                joins = &[" and ", ", "];
                count += 1;
                if !defines(&text, parts[place]) {
                    wrong.push(format!("{} in {}", parts[place], parts[at]));
                }
            }
        }
    }
    assert!(wrong.is_empty() && count > 15, "{count} names, not there: {wrong:#?}");
}

/// The checks can fail.
#[test]
fn what_is_not_there_is_missed() {
    let sources = sources("src");
    for path in ["memory::slots", "registry::Handle", "host::names::from_cache", "qsa::Shares::join", "Input::Turn"] {
        assert!(is_there(path, &sources), "{path}");
    }
    for path in ["memory::no_such", "registry::Shares", "host::names::no_such", "qsa::Shares::no_such", "NoSuch::Turn"]
    {
        assert!(!is_there(path, &sources), "{path}");
    }
    for name in ["rpc", "documentation::links_lead_somewhere", "subscription::reasons"] {
        assert!(test_is_there(name), "{name}");
    }
    for name in ["no_such", "documentation::no_such", "subscription::no_such"] {
        assert!(!test_is_there(name), "{name}");
    }
    assert!(defines("pub(super) fn headers(", "headers") && !defines("fn all_headers(); headers()", "headers"));
}
