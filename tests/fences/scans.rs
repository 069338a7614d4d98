//! The scans of the fences. A test shows for each on a sample that it can fail.

use std::collections::BTreeSet;

use super::tokens::{Token, begin_with, places, test_modules, tokens_of, without_tests};

/// What ends a process, or a request, when it is reached (law L6).
const PANICKING_METHODS: &[&str] = &["unwrap", "expect", "unwrap_err", "expect_err"];
const PANICKING_MACROS: &[&str] =
    &["panic", "todo", "unimplemented", "unreachable", "assert", "assert_eq", "assert_ne"];

/// The rooms a piece of code names: `crate::room` and `crate::{room, …}`.
pub fn rooms_named(tokens: &[Token]) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for at in places(tokens, &["crate", ":", ":"]) {
        let rest = &tokens[at + 3..];
        if !begin_with(rest, &["{"]) {
            rooms.extend(rest.first().map(|room| room.text.clone()));
            continue;
        }
        let mut depth = 0;
        for (before, token) in rest.iter().zip(&rest[1..]) {
            match before.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && matches!(before.text.as_str(), "{" | ",") && token.is_word() {
                rooms.insert(token.text.clone());
            }
        }
    }
    rooms
}

/// The most `super::` in a row.
pub fn levels_up(tokens: &[Token]) -> usize {
    let runs = places(tokens, &["super"]).map(|at| {
        let mut levels = 1;
        while begin_with(&tokens[at + 3 * levels - 2..], &[":", ":", "super"]) {
            levels += 1;
        }
        levels
    });
    runs.max().unwrap_or(0)
}

/// The lines (from 1) that hold `unsafe`.
pub fn unsafe_lines(tokens: &[Token]) -> Vec<usize> {
    places(tokens, &["unsafe"]).map(|at| tokens[at].line()).collect()
}

/// The lines of `unsafe` blocks and implementations without a SAFETY comment in the lines right before.
pub fn unexplained_unsafe(text: &str, tokens: &[Token]) -> Vec<usize> {
    const NEAR: usize = 6;
    let raw: Vec<&str> = text.lines().collect();
    let opens =
        |at: &usize| [["unsafe", "{"], ["unsafe", "impl"]].iter().any(|words| begin_with(&tokens[*at..], words));
    let explained =
        |line: &usize| raw[line.saturating_sub(NEAR + 1)..*line].iter().any(|line| line.contains("// SAFETY: "));
    let lines = places(tokens, &["unsafe"]).filter(opens).map(|at| tokens[at].line());
    lines.filter(|line| !explained(line)).collect()
}

/// The places that may panic, as line and name: methods, also by their path, and macros.
pub fn panics(tokens: &[Token]) -> Vec<(usize, String)> {
    let found = tokens.windows(2).filter_map(|pair| {
        let [first, second] = pair else { return None };
        let is_method = matches!(first.text.as_str(), "." | ":") && PANICKING_METHODS.contains(&second.text.as_str());
        let is_macro = PANICKING_MACROS.contains(&first.text.as_str()) && second.text == "!";
        let name = if is_method { second } else { Some(first).filter(|_| is_macro)? };
        Some((name.line(), name.text.clone()))
    });
    found.collect()
}

/// The lines that index or slice: `name[…]`, `…)[…]`, but not the whole (`[..]`), which cannot fail.
pub fn indexings(tokens: &[Token]) -> Vec<usize> {
    let indexes = |at: &usize| {
        let (before, open) = (&tokens[*at], &tokens[*at + 1]);
        let is_value = before.is_word() || matches!(before.text.as_str(), ")" | "]" | "?" | "\"\"");
        // Where there is a space, a type or a pattern begins.
        let indexes = is_value && open.text == "[" && before.end == open.start;
        indexes && !begin_with(&tokens[*at + 1..], &["[", ".", ".", "]"])
    };
    (0..tokens.len().saturating_sub(1)).filter(indexes).map(|at| tokens[at].line()).collect()
}

/// Places of the machine the project was written on: they mean nothing anywhere else.
pub fn foreign_places(text: &str) -> Vec<usize> {
    let places = ["work", "tmp", "home", "root"].map(|folder| format!("/{folder}/"));
    let shared = ["..", "shared"].join("/");
    let holds = |line: &str| places.iter().chain([&shared]).any(|place| line.contains(place.as_str()));
    text.lines().enumerate().filter(|(_, line)| holds(line)).map(|(number, _)| number + 1).collect()
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
/* unsafe */ fn i() { write!(a, "[{}]", b.map(Option::unwrap)); c()?[0]; panic!("x") }
macro_rules! m { () => { crate::lookup::d(unsafe { e[2] }) }; }
struct Y(pub(super) [u8; 4]);
"##;
    let all = tokens_of(text);
    assert_eq!(test_modules(&all), ["more"]);
    let tokens = without_tests(all);
    assert_eq!(rooms_named(&tokens).into_iter().collect::<Vec<_>>(), ["engine", "host", "lookup", "qsa", "registry"]);
    assert_eq!(levels_up(&tokens), 2);
    assert_eq!(unsafe_lines(&tokens), [11, 18, 21]);
    assert_eq!(unexplained_unsafe(text, &tokens), [11]);
    let panics = panics(&tokens);
    let panics: Vec<_> = panics.iter().map(|(line, name)| (*line, name.as_str())).collect();
    assert_eq!(panics, [(5, "unwrap"), (20, "unwrap"), (20, "panic")]);
    assert_eq!(indexings(&tokens), [10, 20, 21]);
    assert_eq!(foreign_places(&["a", "/tmp", "/x"].concat()), [1]);
    assert!(foreign_places("/usr/lib/kamailio/modules, a workshop").is_empty());
}
