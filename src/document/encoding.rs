//! From the bytes of a body to text.
//!
//! Order of authority (RFC 7303 §3): byte order mark, then the charset parameter of the
//! Content-Type, then the XML declaration, then UTF-8. Some notifiers put a line end before the
//! XML declaration or a zero byte after the document: both are cut off.

use std::borrow::Cow;

use super::bytes::find;
use super::content_type::ContentType;
use super::error::{DocumentError, shown};

/// The declarations that nearly everybody writes; they need no reading.
const USUAL: [&[u8]; 2] = [b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>", b"<?xml version='1.0' encoding='UTF-8'?>"];

/// The charsets that a Content-Type may name: UTF-8, US-ASCII and ISO-8859-1, with the other names that senders have for
/// them. A document in UTF-16 is read by its byte order mark, where no parameter says anything.
const CHARSETS: [&str; 6] = ["utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1"];

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf16(ByteOrder),
    Latin1,
}

#[derive(Clone, Copy)]
enum ByteOrder {
    Big,
    Little,
}

impl ContentType<'_> {
    /// The text of a body that this Content-Type describes, by the rules of [`decode`].
    pub(super) fn text_of<'b>(&self, body: &'b [u8]) -> Result<Cow<'b, str>, DocumentError> {
        decode(body, self.checked_charset()?)
    }

    /// Whether the charset parameter, if there is one, names a charset that this module hands on: [`CHARSETS`].
    ///
    /// # Errors
    /// [`DocumentError::Charset`].
    pub(super) fn check_charset(&self) -> Result<(), DocumentError> {
        self.checked_charset().map(|_| ())
    }

    fn checked_charset(&self) -> Result<Option<&'static str>, DocumentError> {
        let Some(charset) = self.parameter("charset") else { return Ok(None) };
        let is_it = |known: &str| charset.chars().map(|each| each.to_ascii_lowercase()).eq(known.chars());
        match CHARSETS.into_iter().find(|known| is_it(known)) {
            Some(known) => Ok(Some(known)),
            None => Err(DocumentError::Charset { name: shown(&charset.to_string(), 40) }),
        }
    }

    /// The text of a body in UTF-8, as nearly all are, without BOM and without white space or zeros around it: bytes that
    /// may be no UTF-8 after all.
    pub(super) fn utf8_of<'b>(&self, body: &'b [u8]) -> Option<&'b [u8]> {
        // Whoever decodes the body says why one with another charset is refused.
        let charset = self.checked_charset().ok()?;
        match body {
            [0xEF, 0xBB, 0xBF, rest @ ..] => Some(trim(rest)),
            [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => None,
            unmarked => match unmarked_encoding(unmarked, charset) {
                Ok(Encoding::Utf8) => Some(trim(unmarked)),
                Ok(Encoding::Utf16(_) | Encoding::Latin1) | Err(_) => None,
            },
        }
    }
}

/// Decodes `body` to text without BOM and without white space or zeros around it. Borrows when
/// the body is UTF-8 already.
pub(super) fn decode<'a>(body: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, DocumentError> {
    let (encoding, mark) = match body {
        [0xEF, 0xBB, 0xBF, ..] => (Encoding::Utf8, 3),
        [0xFE, 0xFF, ..] => (Encoding::Utf16(ByteOrder::Big), 2),
        [0xFF, 0xFE, ..] => (Encoding::Utf16(ByteOrder::Little), 2),
        unmarked => (unmarked_encoding(unmarked, charset)?, 0),
    };
    let bytes = body.get(mark..).unwrap_or_default();
    let text = match encoding {
        Encoding::Utf8 => Cow::Borrowed(utf8(bytes, mark)?),
        Encoding::Utf16(order) => Cow::Owned(utf16(bytes, mark, order)?),
        Encoding::Latin1 => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    };
    let trimmed = match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim_text(text)),
        Cow::Owned(text) => Cow::Owned(trim_text(&text).to_owned()),
    };
    if trimmed.is_empty() {
        return Err(DocumentError::Empty);
    }
    Ok(trimmed)
}

fn trim_text(text: &str) -> &str {
    let trimmed = trim(text.as_bytes());
    let start = text.len() - trim_start(text.as_bytes()).len();
    text.get(start..start + trimmed.len()).unwrap_or_default()
}

fn trim(text: &[u8]) -> &[u8] {
    let mut text = trim_start(text);
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n' | 0] = text {
        text = rest;
    }
    text
}

fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = text {
        text = rest;
    }
    text
}

fn unmarked_encoding(body: &[u8], charset: Option<&str>) -> Result<Encoding, DocumentError> {
    if charset.is_none() && USUAL.iter().any(|usual| body.starts_with(usual)) {
        return Ok(Encoding::Utf8);
    }
    let name = charset.map(str::as_bytes).or_else(|| declared(body));
    let Some(name) = name else {
        return Ok(Encoding::Utf8);
    };
    // US-ASCII is read as its superset. UTF-16 without a mark, in a body whose declaration could
    // be read byte by byte, is a transcoded document: it is UTF-8 by now.
    let known: [(&[u8], Encoding); 9] = [
        (b"utf-8", Encoding::Utf8),
        (b"utf8", Encoding::Utf8),
        (b"us-ascii", Encoding::Utf8),
        (b"ascii", Encoding::Utf8),
        (b"utf-16", Encoding::Utf8),
        (b"utf-16be", Encoding::Utf16(ByteOrder::Big)),
        (b"utf-16le", Encoding::Utf16(ByteOrder::Little)),
        (b"iso-8859-1", Encoding::Latin1),
        (b"latin1", Encoding::Latin1),
    ];
    let found = known
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, encoding)| *encoding)
        .ok_or_else(|| DocumentError::Encoding { name: shown(&String::from_utf8_lossy(name), 40) })?;
    match found {
        Encoding::Utf16(_) if body.first() == Some(&b'<') && body.get(1) != Some(&0) => Ok(Encoding::Utf8),
        other => Ok(other),
    }
}

/// The encoding that an XML declaration names (XML 1.0 §4.3.3), read byte by byte.
fn declared(body: &[u8]) -> Option<&[u8]> {
    let head = body.trim_ascii_start().strip_prefix(b"<?xml")?;
    let head = head.get(..head.len().min(256)).unwrap_or_default();
    let end = find(head, b"?>")?;
    let head = head.get(..end)?;
    let at = find(head, b"encoding")?;
    let value = head.get(at + 8..)?.trim_ascii_start().strip_prefix(b"=")?;
    let (quote, value) = value.trim_ascii_start().split_first()?;
    value.split(|byte| byte == quote).next()
}

fn utf8(bytes: &[u8], mark: usize) -> Result<&str, DocumentError> {
    std::str::from_utf8(bytes)
        .map_err(|error| DocumentError::Undecodable { encoding: "UTF-8", offset: mark + error.valid_up_to() })
}

fn utf16(bytes: &[u8], mark: usize, order: ByteOrder) -> Result<String, DocumentError> {
    let refused = |offset| DocumentError::Undecodable { encoding: "UTF-16", offset };
    let (pairs, odd) = bytes.as_chunks::<2>();
    // A zero byte that ends a C string is no half of a character.
    if !odd.is_empty() && odd != [0] {
        return Err(refused(mark + bytes.len()));
    }
    let units = pairs.iter().map(|pair| match order {
        ByteOrder::Big => u16::from_be_bytes(*pair),
        ByteOrder::Little => u16::from_le_bytes(*pair),
    });
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut offset = mark;
    for decoded in char::decode_utf16(units) {
        let each = decoded.map_err(|_| refused(offset))?;
        offset += each.len_utf16() * 2;
        text.push(each);
    }
    Ok(text)
}
