//! XML names and characters (XML 1.0 §2.2, §2.3; Namespaces in XML §3).

use std::hash::{DefaultHasher, Hasher};

/// A name as written, split at its colon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct QName<'a> {
    /// The name as written.
    pub(super) whole: &'a str,
    /// What stands before the colon, or nothing.
    pub(super) prefix: &'a str,
    /// What stands after the colon, or the whole.
    pub(super) local: &'a str,
}

/// Takes the qualified name at the start of `text`, if one is there.
pub(super) fn take_qname(text: &str) -> Option<QName<'_>> {
    let end = text.find(|each| !is_name_char(each) && each != ':').unwrap_or(text.len());
    let whole = text.get(..end)?;
    let (prefix, local) = match whole.split_once(':') {
        Some((prefix, local)) if is_name(prefix) => (prefix, local),
        Some(_) => return None,
        None => ("", whole),
    };
    is_name(local).then_some(QName { whole, prefix, local })
}

/// Whether `text`, made of name characters and colons only, is a name without a colon.
fn is_name(text: &str) -> bool {
    text.starts_with(is_name_start) && !text.contains(':')
}

fn is_name_start(each: char) -> bool {
    if each.is_ascii() {
        return each.is_ascii_alphabetic() || each == '_';
    }
    matches!(each,
        '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(each: char) -> bool {
    is_name_start(each)
        || each.is_ascii_digit()
        || matches!(each, '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Char of XML 1.0 §2.2.
pub(super) fn is_xml_char(each: char) -> bool {
    match each {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        other => other >= ' ',
    }
}

/// The reference at the start of `text` (from its `&` to its `;`): its character and its length.
/// Only character references and the five predefined entities exist without a DTD.
pub(super) fn take_reference(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('&')?;
    let end = body.bytes().take(32).position(|byte| byte == b';')?;
    let name = body.get(..end)?;
    let each = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        numeric => {
            let digits = numeric.strip_prefix('#')?;
            let (digits, radix) = match digits.strip_prefix('x') {
                Some(digits) => (digits, 16),
                None => (digits, 10),
            };
            if !digits.starts_with(|each: char| each.is_ascii_hexdigit()) {
                return None;
            }
            char::from_u32(u32::from_str_radix(digits, radix).ok()?).filter(|it| is_xml_char(*it))?
        }
    };
    Some((each, end + 2))
}

/// Whether two attribute values, as written, have the same characters once their references and
/// white space are normalised (XML 1.0 §3.3.3).
pub(super) fn same_value(one: &str, other: &str) -> bool {
    let special = |byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r');
    let plain = |text: &str| !text.bytes().any(special);
    one == other || !(plain(one) && plain(other)) && value_chars(one).eq(value_chars(other))
}

/// A hash of an attribute value, equal for values that [`same_value`] calls the same.
pub(super) fn value_hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    value_chars(text).for_each(|each| hasher.write_u32(each.into()));
    hasher.finish()
}

fn value_chars(mut rest: &str) -> impl Iterator<Item = char> {
    std::iter::from_fn(move || {
        if let Some((each, length)) = take_reference(rest) {
            rest = rest.get(length..).unwrap_or_default();
            return Some(each);
        }
        rest = rest.strip_prefix("\r\n").map_or(rest, |_| {
            // One line end is one blank.
            rest.get(1..).unwrap_or_default()
        });
        let each = rest.chars().next()?;
        rest = rest.get(each.len_utf8()..).unwrap_or_default();
        Some(if matches!(each, '\t' | '\n' | '\r') { ' ' } else { each })
    })
}
