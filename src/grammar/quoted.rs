//! Quoted strings (RFC 3261 §25.1), and where a text ends or is split outside of them.

/// The text between the quotes, with its escapes; `None` if the text does not begin and end with a quote.
#[must_use]
pub fn quoted(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The text between the quotes, or the text unchanged.
#[must_use]
pub fn unquoted(text: &[u8]) -> &[u8] {
    quoted(text).unwrap_or(text)
}

/// The inside of a quoted string without its escapes; `None` when it ends in the middle of one, and so did not
/// end at its quote.
#[must_use]
pub fn unescaped(inner: &[u8]) -> Option<Vec<u8>> {
    let mut is_escaped = false;
    let said = inner.iter().copied().filter(|byte| {
        is_escaped = *byte == b'\\' && !is_escaped;
        !is_escaped
    });
    let said = said.collect();
    (!is_escaped).then_some(said)
}

/// Where a text has the first of these bytes outside of quotes; its length where it has none, `None` when a quote is not closed.
pub(super) fn end_of(text: &[u8], ends: &[u8]) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if !is_quoted && ends.contains(byte) => return Some(at),
            _ => {}
        }
    }
    (!is_quoted).then_some(text.len())
}

/// The text before the first `separator` outside of quotes, and the text behind it. A quote that is not closed goes
/// to the end.
#[must_use]
pub fn split_unquoted(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    // Mostly there is no quoted string before it.
    let end = match memchr::memchr2(separator, b'"', text) {
        Some(first) if text.get(first) == Some(&b'"') => end_of(text, &[separator]).unwrap_or(text.len()),
        Some(first) => first,
        None => return (text, None),
    };
    let (before, behind) = text.split_at_checked(end).unwrap_or((text, b""));
    (before, behind.get(1..))
}

/// The parts of a text between separators that are outside of quotes.
pub fn parts_unquoted(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (part, behind) = split_unquoted(rest?, separator);
        rest = behind;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_taken_off_and_escapes_undone() {
        assert_eq!((unquoted(b"\"a\\\"b\""), unquoted(b"a"), unquoted(b"\"")), (&b"a\\\"b"[..], &b"a"[..], &b"\""[..]));
        assert_eq!((quoted(b"\"\""), quoted(b"\"a"), quoted(b"a\"")), (Some(&b""[..]), None, None));
        assert_eq!(unescaped(br#"a\"\\b"#), Some(br#"a"\b"#.to_vec()));
        assert_eq!(unescaped(br"a\"), None);
    }

    #[test]
    fn what_is_quoted_is_not_split() {
        let parts = |text: &'static str| {
            parts_unquoted(text.as_bytes(), b';').map(|part| std::str::from_utf8(part).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(parts(""), [""]);
        assert_eq!(parts("a;b;"), ["a", "b", ""]);
        assert_eq!(parts(r#"a;b="c;\";d";e"#), ["a", r#"b="c;\";d""#, "e"]);
        assert_eq!(parts(r#"a;"b;c"#), ["a", r#""b;c"#]);
        assert_eq!(parts(r"a\;b"), [r"a\", "b"]);
    }
}
