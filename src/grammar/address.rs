//! Lists of addresses, as Contact, From and Record-Route have them (RFC 3261 §20.10, §25.1), and parameters. What is readable is
//! read, whatever comes after it.

use super::number::thousandths;
use super::quoted::{end_of, parts_unquoted};
use super::split_once;

/// An entry of a list of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// The entry up to its URI: a display name, or nothing.
    pub name: &'a [u8],
    /// The URI, not checked.
    pub uri: &'a [u8],
    /// Whether it is between angle brackets.
    pub is_bracketed: bool,
    /// The parameters from the first semicolon on; `None` if they cannot be read.
    pub parameters: Option<&'a [u8]>,
}

/// An entry that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The entries of a header. If the end of an entry cannot be found, it is the last one.
#[derive(Clone, Debug)]
pub struct Addresses<'a> {
    /// `None` at the end.
    rest: Option<&'a [u8]>,
}

impl<'a> Addresses<'a> {
    /// Reads the value of a header, folded or not.
    #[must_use]
    pub fn of(value: &'a [u8]) -> Self {
        Self { rest: Some(value) }
    }

    fn read(&mut self, text: &'a [u8]) -> Result<Address<'a>, Unreadable> {
        let name_len = end_of(text, b"<,;").ok_or(Unreadable)?;
        let (name, rest) = text.split_at_checked(name_len).ok_or(Unreadable)?;
        let (name, uri, behind) = match rest.strip_prefix(b"<") {
            Some(inner) => {
                let (uri, behind) = split_once(inner, b'>').ok_or(Unreadable)?;
                (name.trim_ascii(), uri, behind)
            }
            None => (&b""[..], name.trim_ascii(), rest),
        };
        let is_bracketed = rest.starts_with(b"<");
        let Some(length) = end_of(behind, b",") else {
            return Ok(Address { name, uri, is_bracketed, parameters: None });
        };
        let (parameters, rest) = behind.split_at_checked(length).ok_or(Unreadable)?;
        self.rest = rest.get(1..);
        let parameters = Some(parameters.trim_ascii()).filter(|text| text.is_empty() || text.starts_with(b";"));
        if uri.is_empty() && !is_bracketed {
            return Err(Unreadable);
        }
        Ok(Address { name, uri, is_bracketed, parameters })
    }
}

impl<'a> Iterator for Addresses<'a> {
    type Item = Result<Address<'a>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        Some(self.read(text))
    }
}

/// The parameters of an address or of an Event header, from the first semicolon on: names, and values as they are written.
pub fn parameters(text: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let pieces = text.strip_prefix(b";").into_iter().flat_map(|text| parts_unquoted(text, b';'));
    pieces.map(|piece| match split_once(piece, b'=') {
        Some((name, value)) => (name.trim_ascii(), Some(value.trim_ascii())),
        None => (piece.trim_ascii(), None),
    })
}

/// The preference that parameters give an entry, in thousandths: 1000 without one, -1 when it is none (RFC 3261 §20.10).
#[must_use]
pub fn preference(text: &[u8]) -> i32 {
    let given = parameters(text).find(|(name, _)| name.eq_ignore_ascii_case(b"q"));
    let Some((_, value)) = given else { return 1000 };
    let (whole, part) = value.map_or((&b""[..], &b""[..]), |value| split_once(value, b'.').unwrap_or((value, b"")));
    let decimals = if part.len() > 3 { None } else { thousandths(part) };
    match (whole, decimals) {
        (b"0", Some(part)) => i32::from(part),
        (b"1", Some(0)) => 1000,
        _ => -1,
    }
}
