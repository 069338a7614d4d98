//! Fences around the source: who may use whom, where `unsafe` may live, what must not stand in code that runs, how long a
//! file may be. Each scan is shown to be able to fail, on samples of what it is there to find.

mod shape;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom (law L7): a room and the rooms it may name. Whoever is not here may name nobody.
const MAY_USE: &[(&str, &[&str])] = &[
    ("module", &["surface", "notifier", "engine", "config", "c_api", "qsa", "host", "memory", "time"]),
    ("surface", &["engine", "registry", "gate", "lookup", "qsa", "subscription", "document", "host", "memory", "time"]),
    ("notifier", &["engine", "registry", "qsa", "subscription", "host", "memory", "time"]),
    (
        "engine",
        &[
            "registry",
            "gate",
            "lookup",
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
    ("gate", &["subscription", "memory", "time"]),
    ("lookup", &["memory", "time"]),
    ("c_api", &["qsa", "subscription", "document", "memory"]),
    ("qsa", &["subscription", "memory"]),
    ("config", &["subscription", "document", "grammar", "memory"]),
    ("subscription", &["grammar", "memory", "time"]),
    ("document", &["grammar"]),
    ("grammar", &[]),
    ("host", &["grammar", "memory", "time"]),
    ("time", &["memory"]),
    ("memory", &[]),
];

/// Where `unsafe` may live (law L8).
const UNSAFE_ROOMS: &[&str] =
    &["src/host.rs", "src/host/", "src/module.rs", "src/module/", "src/memory/pool.rs", "src/c_api"];

/// Roots of rooms that hold no `unsafe` themselves but cannot forbid it, because a room inside them has it.
const ROOTS_OF_UNSAFE: &[&str] = &["src/lib.rs", "src/memory.rs"];

/// What ends a process, or a request, when it is reached (law L6).
const PANICS: &[&str] = &[
    ".unwrap()",
    ".expect(",
    ".unwrap_err()",
    ".expect_err(",
    "panic!",
    "todo!",
    "unimplemented!",
    "unreachable!",
    "assert!",
    "assert_eq!",
    "assert_ne!",
];

/// They index only in what runs while they are compiled, where a panic is an error of the compiler.
const INDEXES_AT_COMPILE_TIME: &[&str] = &["src/module/parameters.rs", "src/module/functions.rs"];

/// The most lines a file may have (law L10): of the module, and of its tests and tools.
const MOST_LINES: usize = 400;
const MOST_LINES_OF_TOOLS: usize = 600;

// ---------------------------------------------------------------------------------------------------------------- scans

/// Rust source without comments and the insides of literals; lines stay where they are.
fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            at + text[at..].find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = literal(rest, at.checked_sub(1).map(|before| bytes[before])) {
            at + length
        } else {
            at += 1;
            continue;
        };
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    String::from_utf8(code).expect("whole characters were replaced")
}

/// The length of the string or character literal that begins here.
fn literal(text: &[u8], before: Option<u8>) -> Option<usize> {
    let raw = text.strip_prefix(b"r").filter(|_| !before.is_some_and(is_word));
    if let Some(after) = raw {
        let hashes = after.iter().take_while(|byte| **byte == b'#').count();
        if after.get(hashes) == Some(&b'"') {
            let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            let inner = &after[hashes + 1..];
            let length = inner.windows(end.len()).position(|part| part == end).map_or(inner.len(), |at| at + end.len());
            return Some(1 + hashes + 1 + length);
        }
    }
    let quote = *text.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    if quote == b'\'' {
        // 'a' and '\n' are characters; 'a alone is a lifetime.
        let escaped = text.get(1) == Some(&b'\\');
        let width = std::str::from_utf8(&text[1..]).ok().and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        if !escaped && text.get(1 + width) != Some(&b'\'') {
            return None;
        }
    }
    let mut at = 1;
    while at < text.len() && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    Some((at + 1).min(text.len()))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Code without what is compiled for unit tests only: `#[cfg(test)]` items with a body.
fn without_tests(code: &str) -> String {
    let mut kept = code.to_owned();
    while let Some(start) = kept.find("#[cfg(test)]") {
        let rest = &kept[start..];
        let (brace, semicolon) = (rest.find('{'), rest.find(';').unwrap_or(rest.len()));
        let end = match brace.filter(|brace| *brace < semicolon) {
            None => semicolon,
            Some(brace) => {
                let mut depth = 0usize;
                let close = rest[brace..].char_indices().find(|(_, letter)| {
                    depth = depth + usize::from(*letter == '{') - usize::from(*letter == '}');
                    depth == 0
                });
                brace + close.map_or(rest.len() - brace, |(at, _)| at + 1)
            }
        };
        let blank: String = rest[..end].chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
        kept.replace_range(start..start + end, &blank);
    }
    kept
}

/// The file modules that are compiled for unit tests only: `#[cfg(test)] mod name;`.
fn test_modules(code: &str) -> Vec<String> {
    let items = code.split("#[cfg(test)]").skip(1).filter_map(|item| item.split_once(';')).map(|(item, _)| item);
    let name = |item: &str| item.rsplit_once("mod ").map(|(_, name)| name.trim().to_owned());
    items.filter(|item| !item.contains('{')).filter_map(name).collect()
}

/// The rooms a piece of code names: `crate::room` and `crate::{room, …}`.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if at > 0 && is_word(code.as_bytes()[at - 1]) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let first_word =
            |text: &str| text.bytes().take_while(|byte| is_word(*byte)).map(char::from).collect::<String>();
        match rest.strip_prefix('{') {
            None => drop(rooms.insert(first_word(rest))),
            Some(group) => {
                let mut depth = 1;
                let mut begins = true;
                for (place, letter) in group.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 1 => begins = true,
                        letter if begins && !letter.is_whitespace() => {
                            rooms.insert(first_word(&group[place..]));
                            begins = false;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
    }
    rooms
}

/// The most `super::` in a row.
fn levels_up(code: &str) -> usize {
    let runs = code.match_indices("super").map(|(at, _)| {
        let mut rest = &code[at..];
        let mut levels = 0;
        while let Some(after) = rest.strip_prefix("super") {
            levels += 1;
            rest = after.strip_prefix("::").unwrap_or_default();
        }
        levels
    });
    runs.max().unwrap_or(0)
}

/// The lines (from 1) of code that hold `word` as a word of its own.
fn lines_with_word(code: &str, word: &str) -> Vec<usize> {
    let holds = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let bytes = line.as_bytes();
            let open = at.checked_sub(1).is_none_or(|before| !is_word(bytes[before]));
            open && bytes.get(at + word.len()).is_none_or(|after| !is_word(*after))
        })
    };
    code.lines().enumerate().filter(|(_, line)| holds(line)).map(|(number, _)| number + 1).collect()
}

/// The lines of `unsafe` blocks and implementations without a SAFETY comment in the lines right before.
fn unexplained_unsafe(text: &str, code: &str) -> Vec<usize> {
    const NEAR: usize = 6;
    let raw: Vec<&str> = text.lines().collect();
    let code: Vec<&str> = code.lines().collect();
    let opens = |line: &str| line.contains("unsafe {") || line.contains("unsafe impl");
    let explained = |at: usize| (at.saturating_sub(NEAR)..=at).any(|line| raw[line].contains("// SAFETY: "));
    (0..raw.len()).filter(|at| opens(code[*at]) && !explained(*at)).map(|at| at + 1).collect()
}

/// What may panic, as line and text.
fn panics(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for panic in PANICS {
            let word_before = |at: usize| at > 0 && is_word(line.as_bytes()[at - 1]) && !panic.starts_with('.');
            if line.match_indices(panic).any(|(at, _)| !word_before(at)) {
                found.push((number + 1, (*panic).to_owned()));
            }
        }
    }
    found
}

/// The lines that index or slice: `name[…]`, `…)[…]`, but not the whole (`[..]`), which cannot fail.
fn indexings(code: &str) -> Vec<usize> {
    let indexes = |line: &str| {
        line.match_indices('[').any(|(at, _)| {
            let before = at.checked_sub(1).map_or(b' ', |before| line.as_bytes()[before]);
            (is_word(before) || matches!(before, b')' | b']')) && !line[at..].starts_with("[..]")
        })
    };
    code.lines().enumerate().filter(|(_, line)| indexes(line)).map(|(number, _)| number + 1).collect()
}

/// Places of the machine the project was written on: they mean nothing anywhere else.
fn foreign_places(text: &str) -> Vec<usize> {
    let places = ["work", "tmp", "home", "root"].map(|folder| format!("/{folder}/"));
    let shared = ["..", "shared"].join("/");
    let holds = |line: &str| places.iter().chain([&shared]).any(|place| line.contains(place.as_str()));
    text.lines().enumerate().filter(|(_, line)| holds(line)).map(|(number, _)| number + 1).collect()
}

// ---------------------------------------------------------------------------------------------------------------- files

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The project's own files below `folder` (from the root), without what is made or fetched.
fn files_in(folder: &str) -> Vec<String> {
    let made = ["target", ".git", "cache"];
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
    /// Without comments, literals and unit tests.
    code: String,
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

/// All files of `src` but those for unit tests only.
fn sources() -> Vec<Source> {
    let read: Vec<(String, String, String)> = files_in("src")
        .into_iter()
        .filter(|file| file.ends_with(".rs"))
        .map(|file| {
            let text = text_of(&file);
            let code = code_of(&text);
            (file, text, code)
        })
        .collect();
    let tests: Vec<PathBuf> = read
        .iter()
        .flat_map(|(file, _, code)| {
            let path = Path::new(file);
            let folder = if path.ends_with("lib.rs") { path.with_file_name("") } else { path.with_extension("") };
            test_modules(code).into_iter().map(move |name| folder.join(name))
        })
        .collect();
    let for_tests = |file: &str| {
        let path = Path::new(file).with_extension("");
        tests.iter().any(|test| path.starts_with(test))
    };
    read.into_iter()
        .filter(|(file, ..)| !for_tests(file))
        .map(|(file, text, code)| Source { file, text, code: without_tests(&code) })
        .collect()
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
        let others = rooms_named(&source.code).into_iter().filter(|other| other != room);
        found.extend(
            others
                .filter(|other| !may.contains(&other.as_str()))
                .map(|other| format!("{}: {room} may not use {other}", source.file)),
        );
        if levels_up(&source.code) > source.depth() {
            found.push(format!("{}: super leads out of the room", source.file));
        }
    }
    none("law L7", found);
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
        for line in lines_with_word(&source.code, "unsafe") {
            found.push(format!("{}:{line}: unsafe", source.file));
        }
    }
    none("law L8", found);
}

#[test]
fn rooms_without_unsafe_forbid_it() {
    let sources = sources();
    let forbids = |file: &str| {
        let source = sources.iter().find(|source| source.file == file);
        source.is_some_and(|source| source.code.contains("#![forbid(unsafe_code)]"))
    };
    let guarded = |file: &str| {
        let above = Path::new(file).ancestors().skip(1);
        let mut roots = above.filter_map(|folder| folder.with_extension("rs").to_str().map(str::to_owned));
        forbids(file) || roots.any(|root| forbids(&root))
    };
    let wanted = sources.iter().filter(|source| !source.may_be_unsafe());
    let wanted = wanted.filter(|source| !ROOTS_OF_UNSAFE.contains(&source.file.as_str()));
    none("#![forbid(unsafe_code)] is missing", wanted.map(|s| s.file.clone()).filter(|file| !guarded(file)).collect());
}

#[test]
fn unsafe_is_explained() {
    let mut found = Vec::new();
    for source in sources() {
        let lines = unexplained_unsafe(&source.text, &source.code);
        found.extend(lines.into_iter().map(|line| format!("{}:{line}", source.file)));
    }
    none("no SAFETY comment", found);
}

#[test]
fn nothing_panics_by_intent() {
    let mut found = Vec::new();
    for source in sources() {
        let all = panics(&source.code);
        found.extend(all.into_iter().map(|(line, what)| format!("{}:{line}: {what}", source.file)));
        if !INDEXES_AT_COMPILE_TIME.contains(&source.file.as_str()) {
            found.extend(indexings(&source.code).into_iter().map(|line| format!("{}:{line}: indexing", source.file)));
        }
    }
    none("law L6", found);
}

/// Every room is compiled with the unit tests, so that none of them is idle.
#[test]
fn unit_tests_leave_nothing_out() {
    let left_out = files_in("src").into_iter().filter(|file| code_of(&text_of(file)).contains("#[cfg(not(test))]"));
    none("not in unit tests", left_out.collect());
}

#[test]
fn files_are_not_long() {
    let folders = ["src", "tests", "build", "cshim", "examples"];
    let files = folders.into_iter().filter(|folder| root().join(folder).is_dir()).flat_map(files_in);
    let lengths = files.map(|file| (text_of(&file).lines().count(), file));
    let most = |file: &str| if file.starts_with("src/") { MOST_LINES } else { MOST_LINES_OF_TOOLS };
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

/// The scans find what they are there to find, and nothing else.
#[test]
fn the_fences_hold() {
    let text = r##"
// unsafe crate::host panic!
const A: &str = "unsafe crate::host .unwrap()"; const B: &str = r#"a " unsafe"#; const C: char = '"';
use crate::{engine::{self, Engine}, host, qsa::Hub};
fn f<'a>(a: &'a [u8]) -> u8 { super::super::g(); crate::registry::h(a.first().unwrap()) }
#[cfg(test)]
mod tests { fn g() { if true { a.expect("x"); } } }
#[cfg(test)]
mod more;
fn h(a: &[u8]) -> u8 { let b = &a[..]; debug_assert!(true); a[1] }
unsafe impl Sync for X {}





// SAFETY: it is.
unsafe impl Send for X {}
fn unsafe_name() {}
"##;
    let code = code_of(text);
    assert_eq!(code.lines().count(), text.lines().count());
    let code = without_tests(&code);
    assert_eq!(rooms_named(&code).into_iter().collect::<Vec<_>>(), ["engine", "host", "qsa", "registry"]);
    assert_eq!(levels_up(&code), 2);
    assert_eq!(lines_with_word(&code, "unsafe"), [11, 18]);
    assert_eq!(unexplained_unsafe(text, &code), [11]);
    assert_eq!(panics(&code), [(5, ".unwrap()".to_owned())]);
    assert_eq!(indexings(&code), [10]);
    assert_eq!(test_modules(&code_of(text)), ["more"]);
    assert_eq!(foreign_places(&["a", "/tmp", "/x"].concat()), [1]);
    assert!(foreign_places("/usr/lib/kamailio/modules, a workshop").is_empty());

    let source = |file: &str| Source { file: file.into(), text: String::new(), code: String::new() };
    assert_eq!((source("src/config.rs").room(), source("src/config.rs").depth()), ("config", 0));
    assert_eq!((source("src/qsa.rs").room(), source("src/qsa.rs").depth()), ("qsa", 0));
    assert_eq!((source("src/c_api/table.rs").room(), source("src/c_api/table.rs").depth()), ("c_api", 1));
    assert_eq!(source("src/subscription/machine/reply.rs").depth(), 2);
    assert!(source("src/module/functions.rs").may_be_unsafe() && !source("src/qsa/hub.rs").may_be_unsafe());
}
