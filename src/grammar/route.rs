//! Route sets: the Record-Route headers of a message, checked entry by entry.

use super::address::{Address, Addresses, parameters};
use super::is_token;
use super::uri::PeerUri;

/// The longest route set that is taken from a peer, in bytes of a Route header.
pub const LONGEST_ROUTE_SET: usize = 4096;

/// A route set as the value of a Route header, of judged entries only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteSet<'a> {
    text: &'a [u8],
    is_sips: bool,
}

impl<'a> RouteSet<'a> {
    /// No routes.
    pub const NONE: Self = Self { text: b"", is_sips: true };

    /// The value of the Route header; empty for no routes.
    #[must_use]
    pub fn text(self) -> &'a [u8] {
        self.text
    }

    /// Whether there are no routes.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.text.is_empty()
    }

    /// Whether all of its URIs are SIPS URIs.
    #[must_use]
    pub fn is_sips(self) -> bool {
        self.is_sips
    }
}

impl Default for RouteSet<'_> {
    fn default() -> Self {
        Self::NONE
    }
}

/// The route set of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    text: Vec<u8>,
    is_sips: bool,
}

/// Routes that cannot be used, or too many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRoutes;

impl Routes {
    /// Reads the values of Record-Route headers, in the order of the message.
    ///
    /// # Errors
    /// When one entry is no address of a good URI between angle brackets, or they are too many.
    pub fn judge<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Result<Self, BadRoutes> {
        Self::in_order(headers, false)
    }

    /// The same from the last to the first.
    ///
    /// # Errors
    /// As of [`judge`](Self::judge).
    pub fn judge_reversed<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Result<Self, BadRoutes> {
        Self::in_order(headers, true)
    }

    fn in_order<'a>(headers: impl Iterator<Item = &'a [u8]>, is_reversed: bool) -> Result<Self, BadRoutes> {
        let mut entries = Vec::new();
        let (mut is_sips, mut length) = (true, 0usize);
        for entry in headers.flat_map(Addresses::of) {
            let entry = entry.map_err(|_| BadRoutes)?;
            let uri = PeerUri::judge(entry.uri).filter(|_| entry.is_bracketed).ok_or(BadRoutes)?;
            is_sips &= uri.is_sips();
            let written = written(&entry, uri)?;
            length = length.saturating_add(written.len()).saturating_add(", ".len());
            if length > LONGEST_ROUTE_SET {
                return Err(BadRoutes);
            }
            entries.push(written);
        }
        if is_reversed {
            entries.reverse();
        }
        Ok(Self { text: entries.join(&b", "[..]), is_sips })
    }

    /// The route set.
    #[must_use]
    pub fn set(&self) -> RouteSet<'_> {
        RouteSet { text: &self.text, is_sips: self.is_sips }
    }
}

/// An entry as it goes into a Route header: as it was written, but for white space around its parts and a name that cannot
/// be in a header (RFC 3261 §12.1.1: the route set is the URIs).
fn written(entry: &Address<'_>, uri: PeerUri<'_>) -> Result<Vec<u8>, BadRoutes> {
    let mut text = Vec::new();
    if is_name(entry.name) {
        text = [entry.name, b" "].concat();
    }
    text.extend([b"<", uri.text(), b">"].concat());
    let said = |(name, value): &(&[u8], Option<&[u8]>)| !name.is_empty() || value.is_some();
    for (name, value) in parameters(entry.parameters.ok_or(BadRoutes)?).filter(said) {
        if !is_token(name) || !value.is_none_or(is_value) {
            return Err(BadRoutes);
        }
        text.extend([b";", name].concat());
        if let Some(value) = value {
            text.extend([b"=", value].concat());
        }
    }
    Ok(text)
}

/// Whether a display name can stand in a line: between quotes, or of tokens.
fn is_name(text: &[u8]) -> bool {
    let is_printable = text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let is_quoted = || text.len() > 1 && text.starts_with(b"\"") && text.ends_with(b"\"");
    let are_tokens = || text.split(|byte| *byte == b' ').all(|word| word.is_empty() || is_token(word));
    !text.is_empty() && is_printable && (is_quoted() || are_tokens())
}

/// Whether the value of a parameter is a token, a host or a quoted string that can stand in a line.
fn is_value(text: &[u8]) -> bool {
    let is_host = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"[]:.-".contains(byte));
    match text.strip_prefix(b"\"") {
        Some(inner) => inner.ends_with(b"\"") && inner.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' '),
        None => is_token(text) || !text.is_empty() && is_host(text),
    }
}

#[cfg(test)]
impl<'a> RouteSet<'a> {
    /// Reads the value of a Route header as the module writes it.
    pub fn of(text: &'a [u8]) -> Self {
        let routes = Routes::judge([text].into_iter().filter(|text| !text.is_empty())).unwrap();
        assert_eq!(routes.text, text);
        Self { text, is_sips: routes.is_sips }
    }
}
