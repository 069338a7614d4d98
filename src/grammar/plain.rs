//! Headers and URIs as nearly all of them are; the rest is for the host's parser.

use std::str::FromStr;

use super::number::number;
use super::sets::{HOST, URI, USER, is_all, is_token};
use super::split_once;

/// The URI of a name-addr that is nothing else: without display name and parameters.
#[must_use]
pub fn plain_uri(text: &[u8]) -> Option<&[u8]> {
    let uri = text.strip_prefix(b"<")?.strip_suffix(b">")?;
    is_all(uri, URI).then_some(uri)
}

/// The tag of a From that has no display name and no other parameter.
#[must_use]
pub fn plain_tag(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'>', text)?.saturating_add(1);
    let (address, parameters) = text.split_at_checked(end)?;
    plain_uri(address)?;
    parameters.strip_prefix(b";tag=").filter(|tag| is_token(tag))
}

/// The parts of a plain SIP URI: a user, a host that is no IPv6 reference, perhaps a port, and nothing else.
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
            Some(digits) => Some(plain_number(digits).filter(|port| *port > 0)?),
            None => None,
        };
        is_plain.then_some(Self { host, port })
    }
}

/// The headers of a 2xx to a SUBSCRIBE, if they are in the form that nearly all have.
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
                terms.expires = Some(plain_number(value)?);
            } else if is(&["Content-Length", "l"]) {
                plain_number::<u32>(value)?;
            } else if !is(&UNHEEDED) {
                return None;
            }
            headers = rest;
        }
    }
}

/// A number with no more digits than it can need.
fn plain_number<N: FromStr>(digits: &[u8]) -> Option<N> {
    number(digits).filter(|_| digits.len() <= "4294967295".len())
}
