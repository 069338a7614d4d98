//! The gate for every URI that a peer gives (law L11): behind it there are only URIs that can be a Request-URI or a Route.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str;

use super::number::number;
use super::sets::{PARAMETER, URI, USERINFO, is_all};
use super::split_once;
use super::transport::Transport;

/// The longest URI that is taken from a peer, in bytes.
pub const LONGEST_URI: usize = 1024;

/// A SIP or SIPS URI of a peer, judged: by the grammar of RFC 3261 §25.1, its host and port ones that exist, without headers and
/// method, at most [`LONGEST_URI`] bytes of printable ASCII without blanks, quotes and angle brackets.
///
/// User and parameters may have a few characters that are not in the grammar but are met in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerUri<'a>(&'a [u8]);

impl<'a> PeerUri<'a> {
    /// Judges a URI; `None` for one with headers or a method as well, see [`Target`].
    #[must_use]
    pub fn judge(text: &'a [u8]) -> Option<Self> {
        let parts = UriParts::read(text)?;
        let is_target = parts.headers.is_none() && !parts.names_method()? && text.len() <= LONGEST_URI;
        is_target.then_some(Self(text))
    }

    /// The URI as it was written.
    #[must_use]
    pub fn text(self) -> &'a [u8] {
        self.0
    }

    /// Whether it is a SIPS URI.
    #[must_use]
    pub fn is_sips(self) -> bool {
        is_sips(self.0)
    }

    /// Whether a request for `record` may go there: what is asked for by a SIPS URI goes to no other (RFC 3261 §26.2.2).
    #[must_use]
    pub fn is_as_secure_as(self, record: &[u8]) -> bool {
        self.is_sips() || !is_sips(record)
    }
}

/// A URI that a peer gives for requests to come. Headers and method, which no Request-URI may have (RFC 3261 §19.1.1), are
/// taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a>(Cow<'a, [u8]>);

impl<'a> Target<'a> {
    /// Judges a URI.
    #[must_use]
    pub fn judge(text: &'a [u8]) -> Option<Self> {
        let parts = UriParts::read(text)?;
        let end = text.len().checked_sub(parts.headers.map_or(0, |headers| headers.len().saturating_add(1)))?;
        let without = text.get(..end)?;
        let kept = if parts.names_method()? {
            let before = without.get(..end.checked_sub(parts.parameters.len())?)?;
            let rest = parameters(parts.parameters).filter(|one| !is_method(one));
            Cow::Owned(rest.fold(before.to_vec(), |uri, one| [&uri, &b";"[..], one].concat()))
        } else {
            Cow::Borrowed(without)
        };
        (kept.len() <= LONGEST_URI).then_some(Self(kept))
    }

    /// The URI.
    #[must_use]
    pub fn uri(&self) -> PeerUri<'_> {
        PeerUri(&self.0)
    }
}

/// A URI as a peer gives it, not yet judged: most of them say again what is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OfferedUri<'a>(&'a [u8]);

impl<'a> OfferedUri<'a> {
    /// Reads any text.
    #[must_use]
    pub fn of(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// The given text, which may be anything.
    #[cfg(test)]
    pub fn unjudged(self) -> &'a [u8] {
        self.0
    }

    /// Judges it as a [`Target`].
    #[must_use]
    pub fn judge(self) -> Option<Target<'a>> {
        Target::judge(self.0)
    }

    /// Whether the target that it may turn out to be has the very same text: there is nothing in it that is taken off.
    #[must_use]
    pub fn is_as_given(self) -> bool {
        memchr::memchr2(b';', b'?', self.0)
            .is_none_or(|_| !self.0.contains(&b'?') && !parameters(self.0).any(is_method))
    }
}

/// Whether a URI is a SIPS URI.
#[must_use]
pub fn is_sips(uri: &[u8]) -> bool {
    uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sips:"))
}

/// The parts of a URI by the grammar.
struct UriParts<'a> {
    is_sips: bool,
    /// Each behind its semicolon; empty when there are none.
    parameters: &'a [u8],
    headers: Option<&'a [u8]>,
}

impl<'a> UriParts<'a> {
    /// Reads and judges all of a URI but for its parameters.
    fn read(text: &'a [u8]) -> Option<Self> {
        if !is_all(text, URI) {
            return None;
        }
        let (scheme, rest) = split_once(text, b':')?;
        let is_sips = scheme.eq_ignore_ascii_case(b"sips");
        if !is_sips && !scheme.eq_ignore_ascii_case(b"sip") {
            return None;
        }
        let place = match split_once(rest, b'@') {
            Some((userinfo, place)) if is_userinfo(userinfo) => place,
            Some(_) => return None,
            None => rest,
        };
        let (host, rest) = place.split_at_checked(host_len(place)?)?;
        let ends = rest.iter().position(|byte| matches!(byte, b';' | b'?')).unwrap_or(rest.len());
        let (port, rest) = rest.split_at_checked(ends)?;
        if !is_host(host) || !(port.is_empty() || is_port(port.strip_prefix(b":")?)) {
            return None;
        }
        let (parameters, headers) = match split_once(rest, b'?') {
            Some((parameters, headers)) => (parameters, Some(headers)),
            None => (rest, None),
        };
        Some(Self { is_sips, parameters, headers })
    }

    /// Whether there is a method among the parameters; `None` when one of them is none.
    fn names_method(&self) -> Option<bool> {
        let mut names_method = false;
        for one in parameters(self.parameters) {
            let (name, value) = split_once(one, b'=').unwrap_or((one, b""));
            let is_known = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            let is_good = is_all(name, PARAMETER)
                && is_escaped(name)
                && (value.is_empty() || is_all(value, PARAMETER) && is_escaped(value))
                && (!is_known("transport") || is_transport(value, self.is_sips))
                && (!is_known("maddr") || is_host(value));
            if !is_good {
                return None;
            }
            names_method |= is_method(one);
        }
        Some(names_method)
    }
}

/// The parameters, each from behind its semicolon. Empty ones are met in the field and mean nothing.
fn parameters(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b';').filter(|one| !one.is_empty())
}

fn is_method(parameter: &[u8]) -> bool {
    let name = split_once(parameter, b'=').map_or(parameter, |(name, _)| name);
    name.eq_ignore_ascii_case(b"method")
}

/// Whether a transport is one that there is, and that leads to a URI of this scheme: there is no SIPS over UDP.
fn is_transport(value: &[u8], is_sips: bool) -> bool {
    Transport::find(value).is_some_and(|transport| transport != Transport::Udp || !is_sips)
}

/// User and perhaps a password.
fn is_userinfo(text: &[u8]) -> bool {
    let (user, password) = split_once(text, b':').unwrap_or((text, b""));
    is_all(user, USERINFO) && (password.is_empty() || is_all(password, USERINFO)) && is_escaped(text)
}

/// Whether each percent sign has two hexadecimal digits behind it.
fn is_escaped(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'%')
        .skip(1)
        .all(|rest| rest.first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

/// How long the host is that a text begins with.
fn host_len(place: &[u8]) -> Option<usize> {
    if place.starts_with(b"[") {
        return memchr::memchr(b']', place)?.checked_add(1);
    }
    Some(place.iter().position(|byte| matches!(byte, b':' | b';' | b'?')).unwrap_or(place.len()))
}

/// Whether a text is a host that a request can be sent to: a name, an address or an IPv6 reference. An address that is that of
/// no host, or of many, is none.
fn is_host(text: &[u8]) -> bool {
    let Ok(host) = str::from_utf8(text) else { return false };
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return address.is_some_and(|address| !address.is_unspecified() && !address.is_multicast());
    }
    let labels = || host.strip_suffix('.').unwrap_or(host).split('.');
    if labels().next_back().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        let address = host.parse::<Ipv4Addr>().ok();
        return address.is_some_and(|it| !it.is_unspecified() && !it.is_multicast() && !it.is_broadcast());
    }
    // An underscore is in no name by the grammar, but in those of containers.
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        matches!(label.len(), 1..=63)
            && label.bytes().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 254 && labels().all(is_label)
}

fn is_port(digits: &[u8]) -> bool {
    number::<u16>(digits).is_some_and(|port| port > 0) && digits.len() <= "65535".len()
}
