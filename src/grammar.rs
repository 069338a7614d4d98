//! SIP's tokens, and headers as nearly all of them are: read without the host's parser, which is for the others and takes
//! memory for each. And the gate for what peers say (law L11): [`PeerUri`], [`RouteSet`], [`Tag`] and [`EntityTag`] are made here
//! only, of texts that have been judged.
#![forbid(unsafe_code)]

mod address;
mod line;
mod lines;
mod route;
mod tag;
#[cfg(test)]
mod tests;
mod uri;

pub use address::{Address, Addresses, Unreadable, parameters, preference};
pub use line::{is_disruptive, one_line};
pub use lines::{reduced, seconds};
pub use route::{BadRoutes, LONGEST_ROUTE_SET, RouteSet, Routes};
pub use tag::{EntityTag, LONGEST_ENTITY_TAG, LONGEST_TAG, Tag};
pub use uri::{LONGEST_URI, OfferedUri, PeerUri, Target, is_sips};

use std::str::{self, FromStr};

/// A byte of a token.
const TOKEN: u8 = 1;

/// A byte of a URI between angle brackets that needs no second look.
const URI: u8 = 2;

/// A byte of a host that is no IPv6 reference.
const HOST: u8 = 4;

/// A byte of a user that needs no second look.
const USER: u8 = 8;

/// A byte of a user or password (RFC 3261 §25.1), or one that is met there.
const USERINFO: u8 = 16;

/// A byte of a parameter of a URI, or one that is met there.
const PARAMETER: u8 = 32;

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
        let is_unreserved = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' | b'%');
        // Not by the grammar: # and brackets.
        let is_userinfo = is_unreserved
            || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/' | b':' | b'#' | b'[' | b']');
        // Not by the grammar: the second = of a value.
        let is_parameter = is_unreserved || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$' | b'=');
        *set = (is_token as u8 * TOKEN)
            | (is_uri as u8 * URI)
            | (is_host as u8 * HOST)
            | (is_user as u8 * USER)
            | (is_userinfo as u8 * USERINFO)
            | (is_parameter as u8 * PARAMETER);
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
