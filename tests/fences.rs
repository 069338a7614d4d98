//! Fences around the source: which room may use which, where `unsafe` may be, what must not be in code that runs, how long a
//! file may be.

mod imports;
mod scans;
mod shape;
mod tokens;
mod top;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use self::scans::{foreign_places, indexings, levels_up, panics, rooms_named, unexplained_unsafe, unsafe_lines};
use self::tokens::{Token, places, test_modules, tokens_of, without_tests};

/// The arrows between rooms (law L7): a room and the rooms that it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("module", &["surface", "notifier", "engine", "config", "c_api", "host"]),
    (
        "surface",
        &[
            "config",
            "engine",
            "registry",
            "latest",
            "provision",
            "store",
            "memory",
            "qsa",
            "subscription",
            "document",
            "host",
            "time",
        ],
    ),
    (
        "notifier",
        &[
            "engine",
            "registry",
            "registrations",
            "calls",
            "qsa",
            "subscription",
            "document",
            "host",
            "grammar",
            "memory",
        ],
    ),
    (
        "engine",
        &[
            "registry",
            "gate",
            "lookup",
            "latest",
            "provision",
            "lists",
            "registrations",
            "calls",
            "bridge",
            "store",
            "qsa",
            "subscription",
            "document",
            "config",
            "host",
            "grammar",
            "memory",
            "time",
        ],
    ),
    ("registry", &["subscription", "memory", "time"]),
    ("calls", &["memory"]),
    ("gate", &["subscription", "memory", "time"]),
    ("lookup", &["memory", "time"]),
    ("latest", &["subscription", "memory", "time"]),
    ("provision", &["qsa", "subscription", "memory"]),
    ("bridge", &["document", "memory", "time"]),
    ("registrations", &["memory"]),
    ("store", &["subscription", "grammar", "memory", "time"]),
    ("c_api", &["lists", "qsa", "subscription", "document", "memory"]),
    ("lists", &["qsa", "subscription", "document", "memory"]),
    ("qsa", &["subscription", "memory"]),
    ("config", &["subscription", "document", "grammar"]),
    ("subscription", &["grammar", "memory", "time"]),
    ("document", &["grammar"]),
    ("grammar", &[]),
    ("host", &["grammar", "memory", "time"]),
    ("time", &["memory"]),
    ("memory", &[]),
];

/// Where `unsafe` may be (law L8).
const UNSAFE_ROOMS: &[&str] = &["src/host.rs", "src/host/", "src/module.rs", "src/module/", "src/c_api"];

/// The attribute in the root of a room without `unsafe`.
const FORBIDS_UNSAFE: &[&str] = &["#", "!", "[", "forbid", "(", "unsafe_code", ")", "]"];

/// Roots of rooms that hold no `unsafe` themselves but cannot forbid it, because a room inside them has it.
const ROOTS_OF_UNSAFE: &[&str] = &["src/lib.rs"];

/// They index only in what runs while they are compiled, where a panic is an error of the compiler.
const INDEXES_AT_COMPILE_TIME: &[&str] = &["src/module/parameters.rs", "src/module/functions.rs"];

/// The most lines a file may have (law L10), and a header, which is mostly comments for its users.
const MOST_LINES: usize = 400;
const MOST_LINES_OF_A_HEADER: usize = 450;

// ---------------------------------------------------------------------------------------------------------------- files

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The project's own files below `folder` (from the root), without what is made or fetched, and without input of readers that is no text.
fn files_in(folder: &str) -> Vec<String> {
    let made = ["target", ".git", "cache", "corpus"];
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if made.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let own = path.strip_prefix(root()).expect("below the root");
                found.push(own.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A Rust file of the module.
struct Source {
    file: String,
    text: String,
    /// Without unit tests.
    tokens: Vec<Token>,
}

impl Source {
    /// `engine` of `src/engine/send.rs` and of `src/engine.rs`.
    fn room(&self) -> &str {
        let inner = self.file.strip_prefix("src/").expect("of src");
        inner.split('/').next().expect("a name").trim_end_matches(".rs")
    }

    /// How many modules below the room's root this file is.
    fn depth(&self) -> usize {
        self.file.matches('/').count().saturating_sub(1)
    }

    fn may_be_unsafe(&self) -> bool {
        UNSAFE_ROOMS.iter().any(|room| self.file.starts_with(room))
    }
}

/// All files of `src` but those for unit tests only, read once.
fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_sources);
    &SOURCES
}

fn read_sources() -> Vec<Source> {
    let read: Vec<Source> = rust_files()
        .map(|file| {
            let text = text_of(&file);
            let tokens = tokens_of(&text);
            Source { file, text, tokens }
        })
        .collect();
    let tests: Vec<PathBuf> = read
        .iter()
        .flat_map(|source| {
            let path = Path::new(&source.file);
            let folder = if path.ends_with("lib.rs") { path.with_file_name("") } else { path.with_extension("") };
            test_modules(&source.tokens).into_iter().map(move |name| folder.join(name))
        })
        .collect();
    let is_for_tests = |source: &Source| {
        let path = Path::new(&source.file).with_extension("");
        tests.iter().any(|test| path.starts_with(test))
    };
    read.into_iter()
        .filter(|source| !is_for_tests(source))
        .map(|source| Source { tokens: without_tests(source.tokens), ..source })
        .collect()
}

/// All Rust files of `src`.
fn rust_files() -> impl Iterator<Item = String> {
    files_in("src").into_iter().filter(|file| file.ends_with(".rs"))
}

/// Fails with all that was found, so that one run shows everything.
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

// ---------------------------------------------------------------------------------------------------------------- tests

#[test]
fn rooms_use_only_the_rooms_they_may() {
    let mut found = Vec::new();
    for source in sources() {
        let room = source.room();
        if room == "lib" {
            continue;
        }
        let Some((_, may)) = MAY_USE.iter().find(|(known, _)| *known == room) else {
            found.push(format!("{}: {room} is no room of the table", source.file));
            continue;
        };
        let others = rooms_named(&source.tokens).into_iter().filter(|other| other != room);
        found.extend(
            others
                .filter(|other| !may.contains(&other.as_str()))
                .map(|other| format!("{}: {room} may not use {other}", source.file)),
        );
        if levels_up(&source.tokens) > source.depth() {
            found.push(format!("{}: super leads out of the room", source.file));
        }
    }
    none("law L7", found);
}

/// An arrow that no code needs is removed from the table.
#[test]
fn rooms_may_use_no_more_than_they_do() {
    let mut found = Vec::new();
    for (room, may) in MAY_USE {
        let of_room = sources().iter().filter(|source| source.room() == *room);
        let used: BTreeSet<String> = of_room.flat_map(|source| rooms_named(&source.tokens)).collect();
        let idle = may.iter().filter(|other| !used.contains(**other));
        found.extend(idle.map(|other| format!("{room} does not use {other}")));
    }
    none("arrows that nothing needs", found);
}

/// The page for maintainers has the same table.
#[test]
fn the_architecture_page_says_the_same() {
    let [page, picture] = ["docs/architecture.md", "docs/rooms.svg"].map(text_of);
    for (room, may) in MAY_USE {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{room}` |")));
        let cell = row.and_then(|row| row.trim_end_matches(" |").rsplit(" | ").next()).unwrap_or_default();
        let said: BTreeSet<&str> = cell.split(", ").filter(|word| !word.starts_with("nothing")).collect();
        assert_eq!(said, may.iter().copied().collect(), "{room}");
        assert!(picture.contains(&format!("class=\"t\">{room}<")), "{room} is not in the picture");
    }
}

#[test]
fn unsafe_lives_where_it_may() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.may_be_unsafe()) {
        for line in unsafe_lines(&source.tokens) {
            found.push(format!("{}:{line}: unsafe", source.file));
        }
    }
    none("law L8", found);
}

#[test]
fn rooms_without_unsafe_forbid_it() {
    let forbids = |file: &str| {
        let source = sources().iter().find(|source| source.file == file);
        source.is_some_and(|source| places(&source.tokens, FORBIDS_UNSAFE).next().is_some())
    };
    let guarded = |file: &str| {
        let above = Path::new(file).ancestors().skip(1);
        let mut roots = above.filter_map(|folder| folder.with_extension("rs").to_str().map(str::to_owned));
        forbids(file) || roots.any(|root| forbids(&root))
    };
    let wanted = sources().iter().filter(|source| !source.may_be_unsafe());
    let wanted = wanted.filter(|source| !ROOTS_OF_UNSAFE.contains(&source.file.as_str()));
    none("#![forbid(unsafe_code)] is missing", wanted.map(|s| s.file.clone()).filter(|file| !guarded(file)).collect());
}

#[test]
fn unsafe_is_explained() {
    let mut found = Vec::new();
    for source in sources() {
        let lines = unexplained_unsafe(&source.text, &source.tokens);
        found.extend(lines.into_iter().map(|line| format!("{}:{line}", source.file)));
    }
    none("no SAFETY comment", found);
}

#[test]
fn nothing_panics_by_intent() {
    let mut found = Vec::new();
    for source in sources() {
        let all = panics(&source.tokens);
        found.extend(all.into_iter().map(|(line, what)| format!("{}:{line}: {what}", source.file)));
        if !INDEXES_AT_COMPILE_TIME.contains(&source.file.as_str()) {
            found.extend(indexings(&source.tokens).into_iter().map(|line| format!("{}:{line}: indexing", source.file)));
        }
    }
    none("law L6", found);
}

/// Every room is compiled with the unit tests, so that none of them is idle.
#[test]
fn unit_tests_leave_nothing_out() {
    const LEFT_OUT: &[&str] = &["cfg", "(", "not", "(", "test", ")", ")"];
    let leaves_out = |file: &String| places(&tokens_of(&text_of(file)), LEFT_OUT).next().is_some();
    let left_out = rust_files().filter(leaves_out);
    none("not in unit tests", left_out.collect());
}

#[test]
fn files_are_not_long() {
    let files = ["src", "tests", "build", "cshim", "top"].into_iter().flat_map(files_in);
    let lengths = files.map(|file| (text_of(&file).lines().count(), file));
    let most = |file: &str| if file.ends_with(".h") { MOST_LINES_OF_A_HEADER } else { MOST_LINES };
    let long = lengths.filter(|(lines, file)| *lines > most(file));
    let found: Vec<String> = long.map(|(lines, file)| format!("{file}: {lines} lines")).collect();
    none("law L10", found);
}

#[test]
fn no_file_names_places_of_one_machine() {
    let mut found = Vec::new();
    for file in files_in("") {
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        found.extend(foreign_places(&text).into_iter().map(|line| format!("{file}:{line}")));
    }
    none("a path of somebody's machine", found);
}

#[test]
fn a_file_belongs_to_a_room() {
    let source = |file: &str| Source { file: file.into(), text: String::new(), tokens: Vec::new() };
    assert_eq!((source("src/config.rs").room(), source("src/config.rs").depth()), ("config", 0));
    assert_eq!((source("src/qsa.rs").room(), source("src/qsa.rs").depth()), ("qsa", 0));
    assert_eq!((source("src/c_api/table.rs").room(), source("src/c_api/table.rs").depth()), ("c_api", 1));
    assert_eq!(source("src/subscription/machine/reply.rs").depth(), 2);
    assert!(source("src/module/functions.rs").may_be_unsafe() && !source("src/qsa/hub.rs").may_be_unsafe());
}
