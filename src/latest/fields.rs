//! Fields of a document as one text, so that one of them is found without reading the document again.

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptValue<'a> {
    /// A text.
    Text(&'a [u8]),
    /// A number.
    Number(i64),
}

/// The kinds of values, each in front of its value.
const TEXT: u8 = 0;
const NUMBER: u8 = 1;

/// Fields one behind the other: length of the name (1 byte), name, kind (1 byte), length of the value (4 bytes, little-endian), value. A field
/// whose name or value is too long for that is left out.
#[must_use]
pub fn pack_fields<'a>(fields: impl IntoIterator<Item = (&'a str, KeptValue<'a>)>) -> Vec<u8> {
    let mut packed = Vec::new();
    for (name, value) in fields {
        let number;
        let (kind, value) = match value {
            KeptValue::Text(text) => (TEXT, text),
            KeptValue::Number(value) => {
                number = value.to_le_bytes();
                (NUMBER, &number[..])
            }
        };
        if let (Ok(name_length), Ok(length)) = (u8::try_from(name.len()), u32::try_from(value.len())) {
            packed.push(name_length);
            packed.extend_from_slice(name.as_bytes());
            packed.push(kind);
            packed.extend_from_slice(&length.to_le_bytes());
            packed.extend_from_slice(value);
        }
    }
    packed
}

/// The value of a field, if it has one.
#[must_use]
pub fn field<'p>(packed: &'p [u8], wanted: &str) -> Option<KeptValue<'p>> {
    let mut rest = packed;
    while let Some((&length, after)) = rest.split_first() {
        let (name, after) = after.split_at_checked(length.into())?;
        let (&kind, after) = after.split_first()?;
        let (length, after) = after.split_first_chunk()?;
        let (value, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        if name == wanted.as_bytes() {
            return match kind {
                NUMBER => Some(KeptValue::Number(i64::from_le_bytes(value.try_into().ok()?))),
                _ => Some(KeptValue::Text(value)),
            };
        }
        rest = after;
    }
    None
}
