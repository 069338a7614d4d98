//! Addresses of record.

use super::sets::{HOST, USERINFO, is_all};
use super::split_once;

/// User and host of a SIP or SIPS URI, in the form in which the same address has always the same text (RFC 3261 §19.1.4): the escapes of the
/// user are resolved, the host is in lower case; password, port, parameters and headers do not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aor {
    /// The user; empty if the URI has none.
    pub user: Vec<u8>,
    /// The host.
    pub host: Vec<u8>,
}

impl Aor {
    /// Reads a URI; `None` if it is no SIP or SIPS URI, or has a user that is none.
    #[must_use]
    pub fn read(uri: &[u8]) -> Option<Self> {
        let (user, host) = parts(uri)?;
        Some(Self { user: resolved(user)?, host: host.to_ascii_lowercase() })
    }

    /// The user of a URI with its escapes, which others may compare letter by letter; empty for none.
    #[must_use]
    pub fn user_as_written(uri: &[u8]) -> &[u8] {
        parts(uri).map_or(&[], |(user, _)| user)
    }

    /// The host of a URI; `None` if it is no SIP or SIPS URI.
    #[must_use]
    pub fn host_as_written(uri: &[u8]) -> Option<&[u8]> {
        parts(uri).map(|(_, host)| host)
    }

    /// As one text, `user@host`.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        [&self.user[..], b"@", &self.host].concat()
    }
}

/// User and host as they are written.
fn parts(uri: &[u8]) -> Option<(&[u8], &[u8])> {
    let (scheme, rest) = split_once(uri, b':')?;
    if !scheme.eq_ignore_ascii_case(b"sip") && !scheme.eq_ignore_ascii_case(b"sips") {
        return None;
    }
    let (user, place) = match split_once(rest, b'@') {
        Some((userinfo, place)) if is_all(userinfo, USERINFO) => {
            (split_once(userinfo, b':').map_or(userinfo, |(user, _)| user), place)
        }
        Some(_) => return None,
        None => (&[][..], rest),
    };
    Some((user, host(place)?))
}

/// The host at the beginning of what is behind a user.
fn host(place: &[u8]) -> Option<&[u8]> {
    if place.starts_with(b"[") {
        return place.get(..=memchr::memchr(b']', place)?);
    }
    let end = place.iter().position(|byte| matches!(byte, b':' | b';' | b'?')).unwrap_or(place.len());
    place.get(..end).filter(|host| is_all(host, HOST))
}

/// The text without escapes; `None` if one is malformed, or encodes a control character.
fn resolved(text: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        whole.push(if byte == b'%' { digit(bytes.next()?)? << 4 | digit(bytes.next()?)? } else { byte });
    }
    (!whole.iter().any(u8::is_ascii_control)).then_some(whole)
}

fn digit(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
