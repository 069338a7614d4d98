//! SIP's tokens, and headers as nearly all of them are: read without the host's parser, which is for the others and takes
//! memory for each.
#![forbid(unsafe_code)]

mod lines;

pub use lines::{reduced, seconds};

use std::str::{self, FromStr};

/// A byte of a token.
const TOKEN: u8 = 1;

/// A byte of a URI between angle brackets that needs no second look.
const URI: u8 = 2;

/// A byte of a host that is no IPv6 reference.
const HOST: u8 = 4;

/// A byte of a user that needs no second look.
const USER: u8 = 8;

/// What each byte may be in.
static SETS: [u8; 256] = {
    let mut sets = [0; 256];
    let (mut byte, mut left) = (0u8, sets.as_mut_slice());
    while let [set, after @ ..] = left {
        let is_token = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        let is_uri = byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>');
        let is_host = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let is_user = is_host || matches!(byte, b'_' | b'+');
        *set = (is_token as u8 * TOKEN) | (is_uri as u8 * URI) | (is_host as u8 * HOST) | (is_user as u8 * USER);
        (byte, left) = (byte.wrapping_add(1), after);
    }
    sets
};

/// Whether there is a byte, and all are of the set. All are looked at, without a way out between.
fn is_all(text: &[u8], set: u8) -> bool {
    let sets = |byte: &u8| SETS.get(usize::from(*byte)).copied().unwrap_or(0);
    !text.is_empty() && text.iter().fold(set, |all, byte| all & sets(byte)) != 0
}

/// Whether `text` is a token (RFC 3261 §25.1).
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    is_all(text, TOKEN)
}

/// What a header lists between commas, for headers without quoted strings; without the white space around, and without what
/// is empty.
pub fn listed(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Those of the texts that are tokens, with commas between, up to so many bytes: what is beyond is omitted.
#[must_use]
pub fn joined_tokens<'a>(texts: impl Iterator<Item = &'a [u8]>, most: usize) -> Vec<u8> {
    let mut joined = Vec::new();
    for token in texts.filter(|text| is_token(text)) {
        let comma = if joined.is_empty() { &b""[..] } else { b", " };
        if joined.len().saturating_add(comma.len()).saturating_add(token.len()) <= most {
            joined.extend_from_slice(comma);
            joined.extend_from_slice(token);
        }
    }
    joined
}

/// The URI of a name-addr that is nothing else: without display name and parameters.
#[must_use]
pub fn plain_uri(text: &[u8]) -> Option<&[u8]> {
    let uri = text.strip_prefix(b"<")?.strip_suffix(b">")?;
    is_all(uri, URI).then_some(uri)
}

/// The tag of a From without a display name, whose only parameter it is.
#[must_use]
pub fn plain_tag(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'>', text)?.saturating_add(1);
    let (address, parameters) = text.split_at_checked(end)?;
    plain_uri(address)?;
    parameters.strip_prefix(b";tag=").filter(|tag| is_token(tag))
}

/// What a plain SIP URI names: a user, a host that is no IPv6 reference, perhaps a port, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainSipUri<'a> {
    /// The host, as it was written.
    pub host: &'a [u8],
    /// The port, where there is one.
    pub port: Option<u16>,
}

impl<'a> PlainSipUri<'a> {
    /// Reads one; `None` for every other URI, good or bad.
    #[must_use]
    pub fn read(text: &'a [u8]) -> Option<Self> {
        let (user, place) = split_once(text.strip_prefix(b"sip:")?, b'@')?;
        let (host, port) = split_once(place, b':').map_or((place, None), |(host, port)| (host, Some(port)));
        let is_plain = is_all(user, USER) && is_all(host, HOST) && host.first().is_some_and(u8::is_ascii_alphanumeric);
        let port = match port {
            Some(digits) => Some(number(digits).filter(|port| *port > 0)?),
            None => None,
        };
        is_plain.then_some(Self { host, port })
    }
}

/// What the headers of a 2xx to a SUBSCRIBE say, where these are as nearly all are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainTerms<'a> {
    /// The URI of the Contact.
    pub contact: Option<&'a [u8]>,
    /// The Expires header.
    pub expires: Option<u32>,
}

/// Headers that say nothing of the subscription.
const UNHEEDED: [&str; 8] = ["Server", "User-Agent", "Date", "Allow", "Allow-Events", "Supported", "k", "u"];

impl<'a> PlainTerms<'a> {
    /// Reads whole lines to the end of the headers; `None` when there is anything but these headers, each in one line.
    #[must_use]
    pub fn read(mut headers: &'a [u8]) -> Option<Self> {
        let mut terms = Self::default();
        loop {
            let (line, rest) = split_once(headers, b'\n')?;
            let line = line.strip_suffix(b"\r")?;
            if line.is_empty() {
                return Some(terms);
            }
            let (name, value) = split_once(line, b':')?;
            let value = value.trim_ascii();
            if value.is_empty() || rest.starts_with(b" ") || rest.starts_with(b"\t") {
                return None;
            }
            let is = |known: &[&str]| known.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
            if is(&["Contact", "m"]) && terms.contact.is_none() {
                terms.contact = Some(plain_uri(value)?);
            } else if is(&["Expires"]) && terms.expires.is_none() {
                terms.expires = Some(number(value)?);
            } else if is(&["Content-Length", "l"]) {
                number::<u32>(value)?;
            } else if !is(&UNHEEDED) {
                return None;
            }
            headers = rest;
        }
    }
}

/// Digits, no more than a number can need.
fn number<N: FromStr>(digits: &[u8]) -> Option<N> {
    let is_number = digits.len() <= "4294967295".len() && digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr::memchr(at, text)?)?;
    Some((before, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_are_those_of_the_grammar() {
        for byte in 0..=u8::MAX {
            let is_token = byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
            assert_eq!(super::is_token(&[byte]), is_token, "{byte}");
            let is_uri = plain_uri(&[b'<', byte, b'>']).is_some();
            assert_eq!(is_uri, byte.is_ascii_graphic() && !b"<>\"".contains(&byte), "{byte}");
        }
        assert!(!is_token(b"") && is_token(b"a-1"));
    }

    #[test]
    fn lists_are_taken_apart_and_only_tokens_are_joined_again() {
        let list = b"a , b,\r\n c,, ,\"d\",e;f";
        let items: Vec<_> = listed(list).collect();
        assert_eq!(items, [&b"a"[..], b"b", b"c", b"\"d\"", b"e;f"]);
        assert_eq!(joined_tokens(items.into_iter(), 100), b"a, b, c");
        let joined = |texts: &[&str], most| joined_tokens(texts.iter().map(|text| text.as_bytes()), most);
        assert_eq!(joined(&["a\r\nX: y", "b", ""], 100), b"b");
        assert_eq!(joined(&["a", "long", "bc"], 5), b"a, bc");
        assert_eq!(joined(&["abcdef"], 5), b"");
    }

    #[test]
    fn what_is_plain_is_read_and_the_rest_is_left_to_the_parser() {
        assert_eq!(plain_uri(b"<sip:a@x;transport=tcp>"), Some(&b"sip:a@x;transport=tcp"[..]));
        for other in
            [&b"sip:a@x"[..], b"<>", b"", b"<sip:a@x>;q=1", b"A <sip:a@x>", b"<sip:a@x>, <sip:b@x>", b"< sip:a@x>"]
        {
            assert_eq!(plain_uri(other), None, "{other:?}");
        }
        assert_eq!(plain_tag(b"<sip:a@x>;tag=a.1-b"), Some(&b"a.1-b"[..]));
        for other in [
            &b"<sip:a@x>"[..],
            b"<sip:a@x>;tag=",
            b"<sip:a@x>;x=y;tag=a",
            b"<sip:a@x>;tag=a;x=y",
            b"<sip:a@x> ;tag=a",
            b"\"<b>;tag=c\" <sip:a@x>;tag=a",
            b"sip:a@x;tag=a",
            b"<sip:a@x>;TAG=a",
            b"<sip:a@x>;tag=a b",
        ] {
            assert_eq!(plain_tag(other), None, "{other:?}");
        }
    }

    #[test]
    fn plain_sip_uris_are_told_from_all_others() {
        let plain = |host: &'static [u8], port| Some(PlainSipUri { host, port });
        assert_eq!(PlainSipUri::read(b"sip:+a.b-c_1@Host-1.example"), plain(b"Host-1.example", None));
        assert_eq!(PlainSipUri::read(b"sip:a@127.0.0.1:65535"), plain(b"127.0.0.1", Some(65535)));
        for other in [
            &b""[..],
            b"sip:",
            b"sip:x",
            b"sip:@x",
            b"sip:a@",
            b"sip:a@.x",
            b"sip:a@-x",
            b"sip:a@x_y",
            b"sip:a@x:",
            b"sip:a@x:0",
            b"sip:a@x:65536",
            b"sip:a@x:5060;transport=tcp",
            b"sip:a@x;lr",
            b"sip:a@x?y=z",
            b"sip:a:b@x",
            b"sip:a@b@x",
            b"sip:a@[::1]",
            b"sip:a@[::1]:5060",
            b"sip:a@x:5060:1",
            b"sip:a b@x",
            b"sip:a;x=y@x",
            b"sips:a@x",
            b"SIP:a@x",
            b"tel:+1",
            b" sip:a@x",
        ] {
            assert_eq!(PlainSipUri::read(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_terms_of_a_plain_answer_are_read() {
        let terms = |contact: &'static [u8], expires| Some(PlainTerms { contact: Some(contact), expires });
        let rest = b"Contact: <sip:a@x>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(PlainTerms::read(rest), terms(b"sip:a@x", Some(3600)));
        let rest = b"EXPIRES:60 \r\nm:<sip:a@x>\r\nserver: b, c: d\r\nl:\t3\r\n\r\n: x";
        assert_eq!(PlainTerms::read(rest), terms(b"sip:a@x", Some(60)));
        assert_eq!(PlainTerms::read(b"\r\n"), Some(PlainTerms::default()));
    }

    #[test]
    fn what_a_plain_answer_does_not_have_is_left_to_the_parser() {
        for line in [
            "Record-Route: <sip:p;lr>",
            "Authentication-Info: nextnonce=\"1\"",
            "Contact: <sip:a@x>, <sip:b@x>",
            "Contact: <sip:a@x>\r\nContact: <sip:b@x>",
            "Contact: <sip:a@x>;q=0.5",
            "Contact: *",
            "Contact:",
            "Contact : <sip:a@x>",
            " Contact: <sip:a@x>",
            "Contact:\r\n <sip:a@x>",
            "Server: a\r\n Contact: <sip:a@x>",
            "Server: a\r\n\tb",
            "Expires: 1\r\nExpires: 2",
            "Expires: ",
            "Expires: -1",
            "Expires: +1",
            "Expires: 4294967296",
            "Expires: 00000000060",
            "Content-Length: 1x",
            "Retry-After: 1",
            "To: <sip:a@x>;tag=1",
            "Expires",
            "Server: a\nExpires: 1",
        ] {
            assert_eq!(PlainTerms::read(format!("{line}\r\n\r\n").as_bytes()), None, "{line}");
        }
        for cut in ["", "Expires: 1", "Expires: 1\r\n", "Expires: 1\r\n\r", "\n"] {
            assert_eq!(PlainTerms::read(cut.as_bytes()), None, "{cut:?}");
        }
    }
}
