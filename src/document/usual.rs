//! The pieces of markup as nearly all documents have them: read a block at a time, and only if
//! there is nothing special about them. All other markup is left to [`Cursor`](super::cursor::Cursor).

use super::block::{BLOCK, ByteBlock, Text};
use super::name::take_qname;

/// Where the character data ends that starts at `at`, with `block`: at a `<`.
#[inline(always)]
pub(super) fn text_end(text: Text<'_, '_>, mut at: u32, mut block: ByteBlock) -> Option<u32> {
    loop {
        let ends = block.marks(b'<');
        let odd = block.odd_in_text().before(ends);
        if !odd.is_empty() && !odd.without(block.line_ends()).is_empty() {
            return None;
        }
        if !ends.is_empty() {
            return Some(at + ends.first());
        }
        at += BLOCK;
        block = text.block(at);
    }
}

/// Where the XML declaration ends with which the text starts.
#[inline(always)]
pub(super) fn declaration_end(text: Text<'_, '_>) -> Option<u32> {
    let [b'<', b'?', b'x', b'm', b'l', b' ', ..] = text.bytes() else { return None };
    let end = quoted_end::<b'?'>(text, 6)?;
    (text.byte(end + 1) == b'>').then_some(end + 2)
}

/// A name of letters, hyphens and at most one colon, in a block.
#[derive(Clone, Copy)]
pub(super) struct UsualName {
    /// Where its colon is; its end when it has none.
    pub(super) colon: u32,
    pub(super) end: u32,
}

impl UsualName {
    #[inline(always)]
    pub(super) fn has_prefix(self) -> bool {
        self.colon < self.end
    }
}

/// The name in `block` from `start` (0 or 1) on. When it ends with the block, more of it may follow.
#[inline(always)]
pub(super) fn name(block: ByteBlock, start: u32) -> Option<UsualName> {
    let (letters, inner) = block.letters();
    if !letters.has(start) {
        return None;
    }
    let colon = inner.first_other(start);
    if !block.marks(b':').has(colon) {
        return Some(UsualName { colon, end: colon });
    }
    letters.has(colon + 1).then(|| UsualName { colon, end: inner.second_other(start) })
}

/// The name at `at`, of any length and characters.
#[cold]
pub(super) fn other_name(text: Text<'_, '_>, at: u32) -> Option<UsualName> {
    let (name, _) = take_qname(text.from(at))?;
    let end = name.whole.len() as u32;
    let colon = if name.prefix.is_empty() { end } else { name.prefix.len() as u32 };
    Some(UsualName { colon, end })
}

/// Where the value ends that starts at `at`: at its quote.
#[inline(always)]
pub(super) fn value_end(text: Text<'_, '_>, at: u32, quote: u8) -> Option<u32> {
    match quote {
        b'"' => quoted_end::<b'"'>(text, at),
        b'\'' => quoted_end::<b'\''>(text, at),
        _ => None,
    }
}

#[inline(always)]
fn quoted_end<const QUOTE: u8>(text: Text<'_, '_>, mut at: u32) -> Option<u32> {
    loop {
        let ends = text.block(at).ends_value::<QUOTE>();
        if !ends.is_empty() {
            let end = at + ends.first();
            return (text.byte(end) == QUOTE).then_some(end);
        }
        at += BLOCK;
    }
}

/// Behind the white space at `at`.
#[inline(always)]
pub(super) fn space_end(text: Text<'_, '_>, mut at: u32) -> u32 {
    while let b' ' | b'\t' | b'\r' | b'\n' = text.byte(at) {
        at += 1;
    }
    at
}
