//! The bytes that the parts of a header may contain.

/// A byte of a token.
pub(super) const TOKEN: u8 = 1;

/// A byte of a URI between angle brackets that needs no second look.
pub(super) const URI: u8 = 2;

/// A byte of a host that is no IPv6 reference.
pub(super) const HOST: u8 = 4;

/// A byte of a user that needs no second look.
pub(super) const USER: u8 = 8;

/// A byte of a user or password (RFC 3261 §25.1), or one that is met there.
pub(super) const USERINFO: u8 = 16;

/// A byte of a parameter of a URI, or one that is met there.
pub(super) const PARAMETER: u8 = 32;

/// A byte of a URI that ends no parameter.
pub(super) const TAG: u8 = 64;

/// The parts that each byte may be in.
static SETS: [u8; 256] = {
    let mut sets = [0; 256];
    let (mut byte, mut left) = (0u8, sets.as_mut_slice());
    while let [set, after @ ..] = left {
        let is_token = is_token_byte(byte);
        let is_uri = byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>');
        let is_host = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let is_user = is_host || matches!(byte, b'_' | b'+');
        let is_unreserved = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' | b'%');
        // Not by the grammar: # and brackets.
        let is_userinfo = is_unreserved
            || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/' | b':' | b'#' | b'[' | b']');
        // Not by the grammar: the second = of a value.
        let is_parameter = is_unreserved || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$' | b'=');
        let is_tag = is_uri && !matches!(byte, b';' | b',');
        *set = (is_token as u8 * TOKEN)
            | (is_uri as u8 * URI)
            | (is_host as u8 * HOST)
            | (is_user as u8 * USER)
            | (is_userinfo as u8 * USERINFO)
            | (is_parameter as u8 * PARAMETER)
            | (is_tag as u8 * TAG);
        (byte, left) = (byte.wrapping_add(1), after);
    }
    sets
};

/// Whether there is a byte, and all are of the set. All are looked at, without a way out between.
pub(super) fn is_all(text: &[u8], set: u8) -> bool {
    let with = |all: u8, byte: &u8| all & SETS.get(usize::from(*byte)).copied().unwrap_or(0);
    let (blocks, rest) = text.as_chunks::<8>();
    // Of a length that is known, and so without a loop.
    let of_blocks = blocks.iter().fold(set, |all, block| block.iter().fold(all, with));
    !text.is_empty() && rest.iter().fold(of_blocks, with) != 0
}

/// Whether a byte may be in a token (RFC 3261 §25.1).
#[must_use]
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether `text` is a token (RFC 3261 §25.1).
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    is_all(text, TOKEN)
}
