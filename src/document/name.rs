//! XML names and characters (XML 1.0 §2.2, §2.3; Namespaces in XML §3).

use std::hash::{DefaultHasher, Hasher};

use super::bytes::letters;

/// A name as written, in UTF-8, split at its colon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct QName<'a> {
    /// The name as written.
    pub(super) whole: &'a [u8],
    /// The part before the colon, or nothing.
    pub(super) prefix: &'a [u8],
    /// The part after the colon, or the whole.
    pub(super) local: &'a [u8],
}

impl<'a> QName<'a> {
    /// A name that is certain to be one, split.
    #[inline]
    pub(super) fn of(whole: &'a [u8]) -> Self {
        match whole.iter().position(|byte| *byte == b':').and_then(|colon| whole.split_at_checked(colon)) {
            Some((prefix, [_, local @ ..])) => Self { whole, prefix, local },
            _ => Self { whole, prefix: &[], local: whole },
        }
    }
}

/// Takes the qualified name at the start of `text`, if there is one; the rest is the second value.
#[inline(always)]
pub(super) fn take_qname(text: &[u8]) -> Option<(QName<'_>, &[u8])> {
    let (first, rest) = text.split_at_checked(name_length(text)?)?;
    let [b':', after @ ..] = rest else {
        return Some((QName { whole: first, prefix: &[], local: first }, rest));
    };
    let (local, rest) = after.split_at_checked(name_length(after)?)?;
    let whole = text.get(..first.len() + 1 + local.len())?;
    // One colon is enough.
    (rest.first() != Some(&b':')).then_some((QName { whole, prefix: first, local }, rest))
}

/// The length of the name without a colon (NCName) at the start of `text`.
#[inline(always)]
fn name_length(text: &[u8]) -> Option<usize> {
    let mut length = letters(text);
    if length == 0 {
        length = match class(*text.first()?) {
            ByteClass::Start => 1,
            ByteClass::Wide => wide(text, is_wide_name_start)?,
            ByteClass::Name | ByteClass::Other => return None,
        };
    }
    loop {
        let rest = text.get(length..)?;
        length += match rest.first().map(|byte| class(*byte)) {
            Some(ByteClass::Start | ByteClass::Name) => 1 + letters(rest.get(1..)?),
            Some(ByteClass::Wide) => match wide(rest, is_wide_name_char) {
                Some(more) => more,
                None => return Some(length),
            },
            Some(ByteClass::Other) | None => return Some(length),
        };
    }
}

/// The part that a byte can have in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ByteClass {
    /// In no name.
    Other,
    /// Inside a name, not at its start.
    Name,
    /// Anywhere in a name.
    Start,
    /// Part of a character beyond ASCII.
    Wide,
}

#[inline(always)]
fn class(byte: u8) -> ByteClass {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'_' => ByteClass::Start,
        b'0'..=b'9' | b'-' | b'.' => ByteClass::Name,
        0x80.. => ByteClass::Wide,
        _ => ByteClass::Other,
    }
}

/// The length of the character at the start of `text`, if it is one that is `wanted`.
#[cold]
fn wide(text: &[u8], wanted: fn(char) -> bool) -> Option<usize> {
    let length = match *text.first()? {
        0xF0.. => 4,
        0xE0.. => 3,
        _ => 2,
    };
    let each = std::str::from_utf8(text.get(..length)?).ok()?.chars().next()?;
    wanted(each).then_some(length)
}

fn is_wide_name_start(each: char) -> bool {
    matches!(each,
        '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_wide_name_char(each: char) -> bool {
    is_wide_name_start(each) || matches!(each, '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Where the first character is that is no Char of XML 1.0 §2.2.
pub(super) fn find_forbidden(text: &[u8]) -> Option<usize> {
    let mut rest = text;
    loop {
        match rest {
            [] => return None,
            // U+FFFE and U+FFFF.
            [0xEF, 0xBF, 0xBE | 0xBF, ..] => break,
            [b'\t' | b'\n' | b'\r' | b' '..=0xFF, after @ ..] => rest = after,
            [..] => break,
        }
    }
    Some(text.len() - rest.len())
}

/// The reference at the start of `text` (from its `&` to its `;`): its character, and the rest.
/// Only character references and the five predefined entities exist without a DTD.
pub(super) fn take_reference(text: &[u8]) -> Option<(char, &[u8])> {
    match text {
        [b'&', b'a', b'm', b'p', b';', rest @ ..] => Some(('&', rest)),
        [b'&', b'l', b't', b';', rest @ ..] => Some(('<', rest)),
        [b'&', b'g', b't', b';', rest @ ..] => Some(('>', rest)),
        [b'&', b'q', b'u', b'o', b't', b';', rest @ ..] => Some(('"', rest)),
        [b'&', b'a', b'p', b'o', b's', b';', rest @ ..] => Some(('\'', rest)),
        [b'&', b'#', b'x', ..] => take_code_point(text, 3, 16),
        [b'&', b'#', ..] => take_code_point(text, 2, 10),
        _ => None,
    }
}

/// The most bytes of a reference.
const MOST_REFERENCE: usize = 33;

/// A character reference whose digits start at `start`.
fn take_code_point(text: &[u8], start: usize, radix: u32) -> Option<(char, &[u8])> {
    let end = text.iter().take(MOST_REFERENCE).position(|byte| *byte == b';')?;
    let digits = text.get(start..end).filter(|digits| !digits.is_empty())?;
    let value = digits.iter().try_fold(0_u32, |sum, digit| {
        let digit = char::from(*digit).to_digit(radix)?;
        sum.checked_mul(radix)?.checked_add(digit)
    })?;
    let each = char::from_u32(value)?;
    let allowed = matches!(each, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    allowed.then_some((each, text.get(end + 1..)?))
}

/// Whether two attribute values, as written, have the same characters once their references and
/// white space are normalised (XML 1.0 §3.3.3).
pub(super) fn same_value(one: &[u8], other: &[u8]) -> bool {
    // A character takes as many bytes at most: one that is so much longer, which may be a whole document long, says more.
    if one.len() / MOST_REFERENCE > other.len() || other.len() / MOST_REFERENCE > one.len() {
        return false;
    }
    let special = |byte: &u8| matches!(byte, b'&' | b'\t' | b'\n' | b'\r');
    let mut both = one.iter().zip(other);
    match both.find(|(one, other)| one != other || special(one)) {
        Some((one, other)) if !special(one) && !special(other) => false,
        None => one.len() == other.len(),
        Some(_) => value_chars(one).eq(value_chars(other)),
    }
}

/// A hash of an attribute value, equal for values that [`same_value`] calls the same.
pub(super) fn value_hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    value_chars(text).for_each(|each| hasher.write_u32(each.into()));
    hasher.finish()
}

/// An attribute value with its references and white space normalised.
pub(super) fn value_text(text: &[u8]) -> String {
    value_chars(text).collect()
}

/// A piece of a text that is UTF-8, cut at character boundaries.
pub(super) fn as_text(piece: &[u8]) -> &str {
    std::str::from_utf8(piece).unwrap_or_default()
}

fn value_chars(text: &[u8]) -> impl Iterator<Item = char> {
    let mut rest = as_text(text);
    std::iter::from_fn(move || {
        if let Some((each, after)) = take_reference(rest.as_bytes()) {
            rest = rest.get(rest.len() - after.len()..).unwrap_or_default();
            return Some(each);
        }
        // One line end is one blank.
        rest = rest.strip_prefix('\r').filter(|after| after.starts_with('\n')).unwrap_or(rest);
        let each = rest.chars().next()?;
        rest = rest.get(each.len_utf8()..).unwrap_or_default();
        Some(if matches!(each, '\t' | '\n' | '\r') { ' ' } else { each })
    })
}
