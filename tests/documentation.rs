//! The pages are right: parameters, functions, fields and commands are all described, examples run, links lead
//! somewhere.

pub mod answers_shown;
mod docbook;
mod examples;
mod troubleshooting;

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::commands::COMMANDS;
use self::fields::{FIELDS, STATE_FIELDS};
use self::functions::{FUNCTIONS, MOST_PARAMETERS};
use self::parameters::{Integer, Integers, Lists, Texts};
use crate::support::kamailio::Server;

// The declarations of the module, from the same source as its own tables.
#[path = "../src/surface/answers.rs"]
#[expect(dead_code, reason = "the module uses it all")]
pub mod answers;
#[path = "../src/surface/commands.rs"]
#[expect(dead_code, reason = "the module uses it all")]
pub mod commands;
#[path = "../src/document/fields.rs"]
pub mod document_fields;
#[path = "../src/surface/fields.rs"]
pub mod fields;
#[path = "../src/surface/functions.rs"]
#[expect(dead_code, reason = "the module uses it all")]
pub mod functions;
#[path = "../src/config/parameters.rs"]
#[expect(dead_code, reason = "the module uses it all")]
mod parameters;

/// The record and the subscriber of the examples' one subscription.
pub const RECORD: &str = "sip:alice@example.com";
pub const SUBSCRIBER: &str = "sip:watcher@example.org";

// ---------------------------------------------------------------------------------------------------------------- pages

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// All pages, as name and text.
fn pages() -> Vec<(String, String)> {
    let in_folder = |folder: &str| {
        let entries =
            fs::read_dir(root().join(folder)).expect("a folder").map(|entry| entry.expect("a page").file_name());
        entries.map(|name| format!("{folder}/{}", name.to_string_lossy())).collect::<Vec<_>>()
    };
    let mut names = in_folder("docs");
    names.retain(|name| name.ends_with(".md"));
    names.extend(in_folder("docs/examples").into_iter().map(|folder| format!("{folder}/README.md")));
    names.extend(["README.md".to_owned(), "CHANGELOG.md".to_owned()]);
    names.sort();
    names.into_iter().map(|name| (name.clone(), text_of(&name))).collect()
}

/// A fenced block of a page.
pub struct Block {
    pub language: String,
    pub text: String,
}

pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(language) if !inside => {
                blocks.push(Block { language: language.to_owned(), text: String::new() });
                inside = true;
            }
            Some(_) => inside = false,
            None if inside => blocks.last_mut().expect("an open block").text.extend([line, "\n"]),
            None => {}
        }
    }
    blocks
}

pub fn blocks_in(file: &str, language: &str) -> Vec<String> {
    blocks(&text_of(file)).into_iter().filter(|block| block.language == language).map(|block| block.text).collect()
}

/// The headings of a page, without the number signs; `#` in blocks is none.
pub fn headings(page: &str) -> Vec<String> {
    let mut inside = false;
    let outside = page.lines().filter(|line| {
        inside ^= line.starts_with("```");
        !inside
    });
    outside.filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_owned()).collect()
}

/// The link to a heading.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

/// All texts between `open` and `close`.
pub fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((inner, after)) = rest.split_once(open).and_then(|(_, after)| after.split_once(close)) {
        found.push(inner);
        rest = after;
    }
    found
}

/// The same names, each once, in both.
fn assert_same(what: &str, of_source: &[&str], of_page: &[&str]) {
    let [source, page] = [of_source, of_page].map(|names| names.iter().copied().collect::<BTreeSet<_>>());
    let missing: Vec<_> = source.difference(&page).collect();
    let surplus: Vec<_> = page.difference(&source).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "{what}: not described {missing:?}, not there {surplus:?}");
    assert!(!source.is_empty(), "{what}: none found");
}

/// Crates that a package consists of, or that build it.
fn crates_of(manifest: &str) -> BTreeSet<String> {
    let mut section = "";
    let mut used = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if let ("[dependencies]" | "[build-dependencies]", Some((name, _))) = (section, line.split_once(" = ")) {
            used.insert(name.to_owned());
        }
    }
    used
}

#[test]
fn crates_are_described() {
    let page = text_of("docs/dependencies.md");
    for (manifest, heading) in [("Cargo.toml", "Crates in the module"), ("top/Cargo.toml", "Crates in b2b-top")] {
        let cells = section(&page, heading).lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
        let names = cells.flat_map(|(names, _)| names.split("`, `").map(str::to_owned));
        assert_eq!(names.collect::<BTreeSet<_>>(), crates_of(&text_of(manifest)), "{heading}");
    }
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    let mut count = 0;
    for (name, page) in pages() {
        let folder = Path::new(&name).parent().expect("a folder").to_owned();
        for link in between(&page, "](", ")").into_iter().filter(|link| !link.starts_with("http")) {
            count += 1;
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { PathBuf::from(&name) } else { folder.join(file) };
            let Ok(bytes) = fs::read(root().join(&target)) else {
                broken.push(format!("{name}: {link}"));
                continue;
            };
            let text = String::from_utf8_lossy(&bytes); // a picture has no headings
            if anchor.is_some_and(|anchor| !headings(&text).iter().any(|heading| slug(heading) == anchor)) {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(broken.is_empty() && count > 20, "{count} links, broken: {broken:#?}");
}

// ----------------------------------------------------------------------------------------------------------- parameters

/// The integer parameters as they are declared.
pub fn integers() -> impl Iterator<Item = (&'static str, Integer)> {
    Integers::NAMES.into_iter().map(named).zip(Integers::FACTS)
}

fn texts() -> impl Iterator<Item = &'static str> {
    Texts::NAMES.into_iter().chain(Lists::NAMES).map(named)
}

pub fn named(name: &'static CStr) -> &'static str {
    name.to_str().expect("a name")
}

/// The part of a page below a heading.
pub fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("## {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

#[test]
fn parameters_are_described() {
    let page = text_of("docs/parameters.md");
    for (name, Integer { default, least, most, unit, changes }) in integers() {
        let section = section(&page, &format!("{name} (integer)"));
        let range = match (least, most) {
            (i32::MIN, i32::MAX) => "any integer".to_owned(),
            (least, most) => format!("{least} to {most}"),
        };
        let unit = if unit.is_empty() { String::new() } else { format!("Unit:{unit}. ") };
        let changes = if changes { "Can be changed at run time" } else { "Read-only at run time" };
        let facts = format!("\n{unit}Range: {range}. Default: {default}. {changes}.\n");
        assert!(section.contains(&facts), "{name}: the page lacks {facts:?}");
    }
    for name in texts() {
        let section = section(&page, &format!("{name} (string)"));
        assert!(section.contains("\nRange: ") && section.contains(" Default: empty"), "{name}: range or default");
        assert!(section.contains("Read-only at run time."), "{name}: at run time");
    }
    let all: Vec<&str> = integers().map(|(name, _)| name).chain(texts()).collect();
    for name in &all {
        let example = format!("modparam(\"presence_b2b\", \"{name}\", ");
        assert_eq!(page.matches(&example).count(), 1, "{name}: one example");
    }
    let headings = headings(&page);
    let described: Vec<&str> = headings.iter().skip(1).filter_map(|heading| heading.split(" (").next()).collect();
    assert_same("parameters", &all, &described);
}

/// The ranges are those the server holds to.
#[test]
fn values_out_of_range_are_refused() {
    for (name, Integer { least, most, unit, .. }) in integers() {
        let Some(outside) = most.checked_add(1).or(least.checked_sub(1)) else { continue };
        let said = Server::b2b().b2b_param(name, i64::from(outside)).start_refused();
        let sentence = format!("modparam {name} is {outside}, but must be {least} to {most}{unit}");
        assert!(said.contains(&sentence), "no {sentence:?} in:\n{said}");
    }
}

/// The values of all examples, at once.
#[test]
fn example_values_are_accepted() {
    // Some of the examples name files, one of them a database.
    let database = crate::credentials_table::empty_tables();
    let examples = blocks_in("docs/parameters.md", "kamailio").concat();
    let examples = examples.replace("/etc/kamailio/kamailio.sqlite", &database.path().join("db").display().to_string());
    let examples = examples.replace("/etc/kamailio/", "{dir}/");
    let filters = blocks_in("docs/options.md", "xml");
    let [filter] = &filters[..] else { panic!("not one filter: {filters:?}") };
    // Another names a KEMI function.
    let server = Server::b2b().kemi("function ksr_request_route() {}").file("basic.xml", filter);
    // And a third needs a presence server.
    let server =
        server.module("presence").modparam("presence", "subs_db_mode", 0).modparam("presence", "publ_cache", 2);
    server.module("db_sqlite").route(&examples).start().stop();
}

// ------------------------------------------------------------------------------------------- functions, fields, messages

/// Parameters in brackets are optional: `b2b_subscribe(record, subscriber [, package [, flags [, options]]])`.
#[test]
fn functions_are_described() {
    let page = text_of("docs/functions.md");
    let headings = headings(&page);
    let described: Vec<&str> = headings.iter().filter_map(|heading| Some(heading.split_once('(')?.0)).collect();
    assert_same("functions", &FUNCTIONS.map(|function| named(function.name)), &described);
    for function in FUNCTIONS {
        let heading = headings.iter().find_map(|heading| heading.strip_prefix(named(function.name))?.strip_prefix('('));
        let (needed, all) = heading.and_then(|rest| rest.strip_suffix(')')).map_or((0, 0), |parameters| {
            let count =
                |text: &str| text.split(',').filter(|part| !part.trim_matches([' ', '[', ']']).is_empty()).count();
            (count(parameters.split('[').next().unwrap_or_default()), count(parameters))
        });
        assert_eq!((needed, all), (function.least, function.parameters.len()), "{}", named(function.name));
        assert!(function.kemi <= all && all <= MOST_PARAMETERS);
        // The KEMI form has the first parameters of the heading.
        let heading = headings.iter().find(|heading| heading.starts_with(&format!("{}(", named(function.name))));
        let heading = heading.expect("its heading");
        let names = heading.split(['(', ')', ',', '[', ']', ' ']).filter(|name| !name.is_empty());
        let names = names.skip(1).take(function.kemi).collect::<Vec<_>>().join(", ");
        let form = format!("\nKEMI: `KSR.presence_b2b.{}({names})`.\n", named(function.name));
        assert!(section(&page, heading).contains(&form), "{heading}: the page has no {form}");
    }
}

/// All fields of `$qsa(...)`: those of messages, and those of documents.
pub fn all_fields() -> Vec<&'static str> {
    let mut fields = FIELDS.to_vec();
    fields.extend(document_fields::FIELDS.iter().map(|field| field.name));
    fields
}

#[test]
fn fields_are_described() {
    let page = text_of("docs/pseudo-variables.md");
    assert_same(
        "fields of $b2b()",
        &[&STATE_FIELDS[..], &["basic"]].concat(),
        &between(&page, "`$b2b(", ")`")
            .into_iter()
            .filter(|field| !field.contains("=>") && *field != "field")
            .collect::<Vec<_>>(),
    );
    let (of_messages, of_documents) = page.split_once("\n## Fields of documents\n").expect("two sections");
    assert_same("fields of messages", &FIELDS, &between(of_messages, "\n| `$qsa(", ")`"));
    for section in of_documents.split("\n### ").skip(1) {
        let format = between(section, "Documents of the type `", "`")[0];
        let declared: Vec<_> = document_fields::FIELDS.iter().filter(|field| field.format == format).collect();
        let names: Vec<_> = declared.iter().map(|field| field.name).collect();
        assert_same(format, &names, &between(section, "| `$qsa(", ")`"));
        for row in section.lines().filter_map(|line| line.strip_prefix("| `$qsa(")) {
            let (name, meaning) = (row.split_once(')').expect("a name").0, row.rsplit(" | ").next());
            let field = declared.iter().find(|field| field.name == name).expect("a field");
            assert_eq!(meaning.and_then(|meaning| meaning.strip_suffix(" |")), Some(field.meaning), "{name}");
        }
    }
    let all = all_fields();
    for (name, page) in pages() {
        for field in between(&page, "$qsa(", ")").into_iter().chain(between(&page, "$(qsa(", ")")) {
            assert!(["field", "..."].contains(&field) || all.contains(&field), "{name}: $qsa({field})");
        }
    }
}

/// All of the module's source, as one text.
fn source() -> String {
    let (mut source, mut folders) = (String::new(), vec![root().join("src")]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => source += &fs::read_to_string(path).expect("a text"),
            }
        }
    }
    source
}

/// Texts that a page quotes are those of the module. An ellipsis is the place of a value.
fn assert_in_source(messages: &[&str]) {
    let source = source();
    for message in messages.iter().filter(|message| !message.starts_with("b2b_")) {
        let words = message.split('…').map(str::trim).filter(|part| part.len() > 1 && *part != ",");
        for part in words {
            let part = part.replace('"', "\\\"");
            assert!(source.contains(&part), "{message}: the source has no {part:?}");
        }
    }
}

/// The messages that operators are told what to do about are ones that the module has.
#[test]
fn log_messages_are_in_the_source() {
    let page = text_of("docs/operations.md");
    let rows = section(&page, "Log messages").lines().filter(|line| line.starts_with("| `"));
    let messages: Vec<&str> =
        rows.filter_map(|row| row.split(" | ").next()).flat_map(|cell| between(cell, "`", "`")).collect();
    assert!(messages.len() > 15, "{messages:?}");
    assert_in_source(&messages);
}

// ------------------------------------------------------------------------------------------------------------------ RPC

#[test]
fn commands_are_described() {
    let server = Server::b2b().start();
    let methods = server.rpc("system.listMethods", Value::Null).expect("system.listMethods");
    let methods: Vec<&str> = methods.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let ours: Vec<&str> = methods.into_iter().filter(|name| name.starts_with("presence_b2b.")).collect();
    let declared: Vec<&str> = COMMANDS.iter().map(|command| named(command.name)).collect();
    assert_same("commands of the server", &ours, &declared);
    let headings = headings(&text_of("docs/rpc.md"));
    assert_same("commands", &declared, &headings.iter().skip(1).map(String::as_str).collect::<Vec<_>>());
    let page = text_of("docs/rpc.md");
    for name in declared {
        assert!(section(&page, name).contains(&format!("\n$ kamcmd {name}")), "{name}: no example");
    }
    server.stop();
}
