//! The lines of `additional_presence_headers`, and their meaning for NOTIFYs.

use super::ConfigError;
use crate::subscription::WRITTEN_HEADERS;

/// Header lines as they go on the wire: the last CRLF is added when it was left out.
pub(super) fn header_lines(mut text: String) -> Result<String, ConfigError> {
    if text.is_empty() {
        return Ok(text);
    }
    if !text.ends_with('\n') {
        text.push_str("\r\n");
    }
    let lines_are_headers = text.split_terminator("\r\n").all(|line| {
        let folded = line.starts_with([' ', '\t']);
        let name = line.split_once(':').map_or("", |(name, _)| name.trim_end());
        folded || (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
    });
    let names = text.split("\r\n").filter_map(|line| line.split_once(':').map(|(name, _)| name.trim_end()));
    if let Some(own) = names.into_iter().find(|name| WRITTEN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name))) {
        return Err(ConfigError::OwnHeader(own.to_owned()));
    }
    if lines_are_headers && text.ends_with("\r\n") && !text.starts_with([' ', '\t']) {
        Ok(text)
    } else {
        Err(ConfigError::Text {
            name: "additional_presence_headers",
            value: text.escape_debug().to_string(),
            wanted: "whole header lines, each ending in \\r\\n, such as \"X-Name: value\\r\\n\"",
        })
    }
}

/// Accepted because the operator says so: the types in Accept lines, without their parameters.
pub(super) fn invited_types(header_lines: &str) -> Vec<String> {
    let types = listed(header_lines, &["Accept"]);
    types.filter_map(|kind| kind.split(';').next().map(|kind| kind.trim().to_ascii_lowercase())).collect()
}

/// The items of a header with these names: those between the commas of all its lines.
pub(super) fn listed(header_lines: &str, names: &'static [&str]) -> impl Iterator<Item = String> {
    let unfolded = header_lines.replace("\r\n ", " ").replace("\r\n\t", " ");
    let values: Vec<String> = unfolded
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| names.iter().any(|known| name.trim().eq_ignore_ascii_case(known)))
        .map(|(_, value)| value.to_owned())
        .collect();
    let items =
        values.into_iter().flat_map(|value| value.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>());
    items.filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_written_anyway_is_refused() {
        for lines in ["Event: foo\r\n", "X-A: b\r\nevent : x", "m: <sip:a@x>", "X: y\r\n z\r\nCSEQ: 1\r\n"] {
            let error = header_lines(lines.into()).expect_err(lines).to_string();
            assert!(error.contains("writes itself"), "{error}");
        }
        // All that RFC 3261 and 6665 have for the headers of a SUBSCRIBE that is made here, short forms too.
        for name in "Via v From f To t Call-ID i CSeq Max-Forwards Route Record-Route Content-Length l Content-Type c \
                     Contact m Event o Expires User-Agent Authorization Proxy-Authorization Suppress-If-Match"
            .split_whitespace()
        {
            assert_eq!(header_lines(format!("{name}: x")), Err(ConfigError::OwnHeader(name.to_owned())), "{name}");
        }
        assert!(header_lines("X-Event: foo\r\nSupported: a\r\nAccept: b/c\r\n".into()).is_ok());
    }

    /// Operators read on the page which ones are refused; a compact form has one letter.
    #[test]
    fn the_page_lists_what_is_refused() {
        let page = include_str!("../../docs/parameters.md").split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, list) = page.split_once("These headers are refused").expect("the list");
        let (list, _) = list.split_once(" and their compact forms").expect("its end");
        let (_, list) = list.split_once(": ").expect("its beginning");
        let mut listed: Vec<&str> = list.split(", ").collect();
        let mut refused: Vec<&str> = WRITTEN_HEADERS.into_iter().filter(|name| name.len() > 1).collect();
        listed.sort_unstable();
        refused.sort_unstable();
        assert_eq!(listed, refused);
    }

    #[test]
    fn supported_lines_name_tags() {
        let lines = "X-A: b\r\nsupported : eventlist,\r\n path\r\nK: timer,\r\n";
        assert_eq!(listed(lines, &["Supported", "k"]).collect::<Vec<_>>(), ["eventlist", "path", "timer"]);
    }

    #[test]
    fn accept_lines_invite_types() {
        let lines = "X-A: b\r\naccept : Application/XPIDF+xml;q=0.5,\r\n text/plain\r\nAccept: a/b\r\n";
        assert_eq!(invited_types(lines), ["application/xpidf+xml", "text/plain", "a/b"]);
    }

    #[test]
    fn header_lines_get_their_end_and_must_be_headers() {
        assert_eq!(header_lines("X-A: b".into()).expect("one"), "X-A: b\r\n");
        assert_eq!(header_lines("X-A: b\r\n c\r\nY: z\r\n".into()).expect("folded"), "X-A: b\r\n c\r\nY: z\r\n");
        for bad in ["hello", "X-A: b\n", "\r\n", "X-A: b\r\n\r\nbody", ": x", " X: y"] {
            assert!(header_lines(bad.into()).is_err(), "{bad:?}");
        }
    }
}
