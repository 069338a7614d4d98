//! The Content-Type header value (RFC 3261 §20.15, grammar in §25.1; RFC 2045 §5.1).
//!
//! ```text
//! media-type = m-type SLASH m-subtype *(SEMI m-parameter)
//! ```
//!
//! White space, also folded over lines, may surround every separator. Three things are taken that
//! the grammar does not allow and that notifiers send: an unquoted parameter value with characters
//! outside token (`type=application/pidf+xml`), a parameter without a value, and an empty one
//! (`;;` or a `;` at the end).

use std::fmt;

use super::error::{DocumentError, shown};
use super::formats::PIDF_XML;
use crate::grammar::is_token_byte;

/// A parsed Content-Type. Borrows the header value and never allocates, but for an error.
#[derive(Clone, Copy, Debug)]
pub struct ContentType<'a> {
    essence: Essence<'a>,
    parameters: Parameters<'a>,
}

/// The `type/subtype` pair; compares and prints without regard to case and white space.
#[derive(Clone, Copy, Debug)]
pub struct Essence<'a> {
    kind: &'a str,
    subtype: &'a str,
}

/// One parameter of a Content-Type.
#[derive(Clone, Copy, Debug)]
pub struct MediaParameter<'a> {
    /// The parameter's name as sent; compares without regard to case.
    pub name: &'a str,
    /// Its value.
    pub value: ParameterValue<'a>,
}

/// A parameter's value, quotes removed, escapes still in it; prints unescaped.
#[derive(Clone, Copy, Debug)]
pub struct ParameterValue<'a> {
    escaped: &'a str,
    quoted: bool,
}

/// The parameters in the order in which they were sent.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    rest: &'a str,
}

impl<'a> ContentType<'a> {
    /// [`PIDF_XML`].
    const PIDF: Self =
        Self { essence: Essence { kind: "application", subtype: "pidf+xml" }, parameters: Parameters { rest: "" } };

    /// Parses a Content-Type header value.
    pub fn parse(value: &'a [u8]) -> Result<Self, DocumentError> {
        // Nearly all bodies.
        if value == PIDF_XML.as_bytes() {
            return Ok(Self::PIDF);
        }
        let refused =
            |problem| DocumentError::ContentType { value: shown(&String::from_utf8_lossy(value), 80), problem };
        let text = std::str::from_utf8(value).map_err(|_| refused("is not UTF-8"))?;
        Self::parse_str(text).map_err(refused)
    }

    fn parse_str(text: &'a str) -> Result<Self, &'static str> {
        let (kind, rest) = take_token(skip_space(text));
        if kind.is_empty() {
            return Err("has no type");
        }
        let rest = skip_space(rest).strip_prefix('/').ok_or("has no \"/\" after the type")?;
        let (subtype, rest) = take_token(skip_space(rest));
        if subtype.is_empty() {
            return Err("has no subtype");
        }
        let parameters = Parameters { rest };
        let mut walk = parameters;
        while walk.step()?.is_some() {}
        Ok(Self { essence: Essence { kind, subtype }, parameters })
    }

    /// Whether this is the media type `essence`, given as `type/subtype`; parameters do not count.
    pub fn is(&self, essence: &str) -> bool {
        self.essence == *essence
    }

    /// All parameters.
    pub fn parameters(&self) -> Parameters<'a> {
        self.parameters
    }

    /// The value of the first parameter called `name`, without regard to case.
    pub fn parameter(&self, name: &str) -> Option<ParameterValue<'a>> {
        self.parameters().find(|parameter| parameter.name.eq_ignore_ascii_case(name)).map(|parameter| parameter.value)
    }
}

impl PartialEq<str> for Essence<'_> {
    fn eq(&self, other: &str) -> bool {
        let parts = other.split_at_checked(self.kind.len());
        let parts = parts.and_then(|(kind, rest)| Some((kind, rest.strip_prefix('/')?)));
        parts.is_some_and(|(kind, subtype)| *self == Essence { kind, subtype })
    }
}

impl PartialEq for Essence<'_> {
    fn eq(&self, other: &Self) -> bool {
        // Most write it in small letters.
        let same = |one: &str, other: &str| one == other || one.eq_ignore_ascii_case(other);
        same(self.kind, other.kind) && same(self.subtype, other.subtype)
    }
}

impl Eq for Essence<'_> {}

impl<'a> ParameterValue<'a> {
    /// The value as sent, without quotes but with its escapes (RFC 3261 §25.1 quoted-pair).
    pub fn as_sent(&self) -> &'a str {
        self.escaped
    }

    /// The characters of the value, escapes undone.
    pub fn chars(&self) -> impl Iterator<Item = char> + use<'a> {
        let quoted = self.quoted;
        let mut source = self.escaped.chars();
        std::iter::from_fn(move || match source.next()? {
            '\\' if quoted => source.next(),
            other => Some(other),
        })
    }
}

impl fmt::Display for ParameterValue<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|each| fmt::Write::write_char(out, each))
    }
}

impl<'a> Parameters<'a> {
    /// The next parameter, `None` at the end, or what is wrong.
    fn step(&mut self) -> Result<Option<MediaParameter<'a>>, &'static str> {
        loop {
            let rest = skip_space(self.rest);
            if rest.is_empty() {
                self.rest = rest;
                return Ok(None);
            }
            let rest = rest.strip_prefix(';').ok_or("has something other than \";\" before a parameter")?;
            let (name, rest) = take_token(skip_space(rest));
            let rest = skip_space(rest);
            if name.is_empty() {
                if rest.is_empty() || rest.starts_with(';') {
                    self.rest = rest;
                    continue;
                }
                return Err("has a parameter without a name");
            }
            let (value, rest) = match rest.strip_prefix('=') {
                Some(rest) => take_value(skip_space(rest))?,
                None => (plain(""), rest),
            };
            self.rest = rest;
            return Ok(Some(MediaParameter { name, value }));
        }
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = MediaParameter<'a>;

    fn next(&mut self) -> Option<MediaParameter<'a>> {
        // The whole list was walked when the Content-Type was parsed: no error is left.
        self.step().ok().flatten()
    }
}

fn plain(text: &str) -> ParameterValue<'_> {
    ParameterValue { escaped: text, quoted: false }
}

/// SWS of RFC 3261 §25.1, and folds without CR. A line end that is no fold ends it: whoever writes the value into a header would begin
/// another one there.
#[inline]
fn skip_space(text: &str) -> &str {
    match text.as_bytes() {
        [b' ' | b'\t' | b'\r' | b'\n', ..] => skip_spaces(text),
        _ => text,
    }
}

fn skip_spaces(mut text: &str) -> &str {
    loop {
        let width = match text.as_bytes() {
            [b' ' | b'\t', ..] => 1,
            [b'\n', b' ' | b'\t', ..] => 2,
            [b'\r', b'\n', b' ' | b'\t', ..] => 3,
            _ => return text,
        };
        text = text.get(width..).unwrap_or_default();
    }
}

/// Whether a quoted value has a control character that is neither a tab nor part of a fold.
fn has_control(value: &str) -> bool {
    let mut rest = value.as_bytes();
    loop {
        rest = match rest {
            [] => return false,
            [byte, after @ ..] if !byte.is_ascii_control() => after,
            [b'\t', after @ ..] | [b'\n', b' ' | b'\t', after @ ..] | [b'\r', b'\n', b' ' | b'\t', after @ ..] => after,
            [..] => return true,
        };
    }
}

fn take_token(text: &str) -> (&str, &str) {
    take_while(text, is_token_byte)
}

/// Splits behind the bytes that are `wanted`: all or none of those beyond ASCII.
#[inline]
fn take_while(text: &str, wanted: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !wanted(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// quoted-string, or the lenient form of a token.
fn take_value(text: &str) -> Result<(ParameterValue<'_>, &str), &'static str> {
    let Some(inside) = text.strip_prefix('"') else {
        let (value, rest) =
            take_while(text, |byte| !matches!(byte, b';' | b'"' | b'\\' | b' ') && !byte.is_ascii_control());
        if rest.starts_with(['"', '\\']) {
            return Err("has a quote inside an unquoted parameter value");
        }
        return Ok((plain(value), rest));
    };
    let mut escaped = false;
    let end = inside.find(|each| {
        let closes = each == '"' && !escaped;
        escaped = each == '\\' && !escaped;
        closes
    });
    let (value, rest) =
        end.and_then(|end| inside.split_at_checked(end)).ok_or("has a parameter value whose quote is not closed")?;
    if has_control(value) {
        return Err("has a control character in a quoted parameter value");
    }
    let value = ParameterValue { escaped: value, quoted: true };
    Ok((value, rest.strip_prefix('"').unwrap_or(rest)))
}
