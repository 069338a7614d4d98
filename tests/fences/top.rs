//! Fences around b2b-top: which of its rooms may use which.

use super::scans::rooms_named;
use super::tokens::{tokens_of, without_tests};
use super::{files_in, none, text_of};

/// A room of `top/src` and the rooms that it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &[]),
    ("screen", &["failure", "model", "once", "options", "rpc", "view"]),
    ("once", &["model", "options", "rpc", "text", "view"]),
    ("options", &["model", "rpc", "text"]),
    ("rpc", &["failure", "text"]),
    ("view", &["model", "text"]),
    ("model", &["failure", "text"]),
    ("failure", &[]),
    ("text", &[]),
];

fn room_of(file: &str) -> &str {
    let inner = file.trim_start_matches("top/src/");
    inner.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// The state and the pictures are pure: they know nothing of sockets and terminals.
#[test]
fn rooms_of_b2b_top_use_only_the_rooms_they_may() {
    let mut found = Vec::new();
    let files = files_in("top/src").into_iter().filter(|file| file.ends_with(".rs") && !file.ends_with("/tests.rs"));
    for file in files {
        let room = room_of(&file);
        let Some((_, may)) = MAY_USE.iter().find(|(known, _)| *known == room) else {
            found.push(format!("{file}: {room} is no room of the table"));
            continue;
        };
        let used = rooms_named(&without_tests(tokens_of(&text_of(&file))));
        let others = used.into_iter().filter(|other| other != room && !may.contains(&other.as_str()));
        found.extend(others.map(|other| format!("{file}: {room} may not use {other}")));
    }
    none("law L7, b2b-top", found);
}
