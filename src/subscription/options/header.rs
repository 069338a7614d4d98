//! Option `header`: header lines of one subscription's own, checked so that nothing else gets into a SUBSCRIBE with them.

use crate::grammar::is_token;

/// Headers that the module or the server writes into each SUBSCRIBE, where they belong there: a second one would contradict it.
pub const WRITTEN: [&str; 25] = [
    "Via",
    "v",
    "From",
    "f",
    "To",
    "t",
    "Call-ID",
    "i",
    "CSeq",
    "Max-Forwards",
    "Route",
    "Content-Length",
    "l",
    "Content-Type",
    "c",
    "Contact",
    "m",
    "Event",
    "o",
    "Expires",
    "User-Agent",
    "Authorization",
    "Proxy-Authorization",
    "Suppress-If-Match",
    "Record-Route",
];

/// Headers that promise what NOTIFYs may be like: what they say of a body is not known when one comes.
const PROMISES: [&str; 6] = ["Accept", "Accept-Encoding", "Content-Encoding", "e", "Supported", "k"];

/// The most lines of one subscription.
const MOST_LINES: usize = 8;

/// The most bytes of them together, with their ends.
const MOST_BYTES: usize = 1024;

/// Adds a line, such as `X-Tenant: 42`, to those that are there.
///
/// # Errors
/// What is wanted instead; nothing is added.
pub(super) fn add(lines: &mut String, line: &[u8]) -> Result<(), String> {
    let parts = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':'));
    let (name, value) = parts.map(|(name, value)| (name.trim_end_matches(' '), value.trim())).unwrap_or_default();
    if !is_token(name.as_bytes()) || value.is_empty() || value.chars().any(char::is_control) {
        return Err("one header line, such as \"X-Name: value\", without line ends and control characters".to_owned());
    }
    let is_one_of = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is_one_of(&WRITTEN) {
        return Err(format!("another header than {name}, which the module or the server writes itself"));
    }
    if is_one_of(&PROMISES) {
        return Err(format!(
            "another header than {name}: only modparam additional_presence_headers can set that one, for all subscriptions"
        ));
    }
    let line = format!("{name}: {value}\r\n");
    if lines.matches('\n').count() == MOST_LINES || lines.len().saturating_add(line.len()) > MOST_BYTES {
        return Err(format!("one of at most {MOST_LINES} lines, which have {MOST_BYTES} bytes together at most"));
    }
    lines.push_str(&line);
    Ok(())
}

/// The same lines as options.
pub(super) fn as_options(lines: &str) -> impl Iterator<Item = String> {
    lines.split_terminator("\r\n").map(|line| format!("header={}", super::in_quotes(line)))
}
