//! Kamailio's `str` and Rust's slices.
//!
//! The host's functions take texts as `char *`, and many of them write: they put a NUL behind a text, or into it, for as long
//! as they look at it. So nothing of ours is handed over itself, and no literal: the host gets [copies](lend).

use std::cell::Cell;

use zeroize::Zeroizing;

use super::bindings::str_;

/// The bytes a `str` points at; empty for a null or negative one.
///
/// # Safety
/// The bytes that `text` points at must be readable and unchanged for `'a`.
pub unsafe fn bytes<'a>(text: &str_) -> &'a [u8] {
    match usize::try_from(text.len) {
        // SAFETY: not null and of this length, by the caller's promise.
        Ok(len) if !text.s.is_null() && len > 0 => unsafe { std::slice::from_raw_parts(text.s.cast(), len) },
        _ => &[],
    }
}

/// How much memory a process keeps for the copies to come.
const KEPT: usize = 64 * 1024;

thread_local! {
    /// Memory for copies that is not in use.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends the host copies of `texts` while `work` runs: writable, and with a NUL behind each. Takes no memory that an earlier call
/// has not taken, unless calls are nested or the texts are longer.
pub fn lend<const N: usize, R>(texts: [&[u8]; N], work: impl FnOnce([str_; N]) -> R) -> R {
    let mut memory = SPARE.take();
    memory.clear();
    // All at once: the texts must not move once they are pointed at.
    memory.reserve(texts.iter().map(|text| text.len() + 1).sum());
    let lent = texts.map(|text| copy(text, &mut memory));
    let result = work(lent);
    if memory.capacity() <= KEPT {
        SPARE.set(memory);
    }
    result
}

/// As [`lend`], for any number of texts.
pub fn lend_all<R>(texts: &[&[u8]], work: impl FnOnce(Vec<str_>) -> R) -> R {
    let mut memory = Vec::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    let lent = texts.iter().map(|text| copy(text, &mut memory)).collect();
    work(lent)
}

/// As [`lend`], for a secret: the copy is overwritten when `work` is done.
pub fn lend_secret<R>(text: &[u8], work: impl FnOnce(str_) -> R) -> R {
    let mut memory = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    work(copy(text, &mut memory))
}

/// Puts a text and a NUL behind what `memory` has; there must be room.
fn copy(text: &[u8], memory: &mut Vec<u8>) -> str_ {
    // A `str` has no room for the length of a longer one.
    let (text, len) = i32::try_from(text.len()).map_or((&[][..], 0), |len| (text, len));
    let at = memory.len();
    memory.extend_from_slice(text);
    memory.push(0);
    str_ { s: memory.as_mut_ptr().wrapping_add(at).cast(), len }
}

/// The part of `text` that the host has found in its copy of it, which was lent as `lent`.
#[must_use]
pub fn part_of<'a>(text: &'a [u8], lent: &str_, part: &str_) -> &'a [u8] {
    let start = part.s.addr().checked_sub(lent.s.addr());
    let len = usize::try_from(part.len).unwrap_or(0);
    start.and_then(|start| text.get(start..start.checked_add(len)?)).unwrap_or_default()
}

/// A copy that the host may write to, and that stays where it is until the next one.
#[derive(Debug, Default)]
pub struct HeldText(Vec<u8>);

impl HeldText {
    /// A fresh copy of `text`, with a NUL behind it. Copies of one text are all at the same address.
    pub fn hold(&mut self, text: &[u8]) -> str_ {
        self.0.clear();
        self.0.reserve(text.len() + 1);
        copy(text, &mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The changes that the host may make to a text: `STR_VTOZ`, and the script's transformations.
    fn mangle(text: &str_) {
        // SAFETY: within the copy and the NUL behind it.
        unsafe {
            let (first, behind) = (text.s, text.s.add(text.len as usize));
            assert_eq!(*behind, 0);
            *first = b'X' as _;
            *behind = b'Y' as _;
        }
    }

    #[test]
    fn each_copy_is_terminated_and_apart_from_the_others() {
        let long = vec![b'l'; 300_000];
        for _ in 0..3 {
            lend([b"alice", b"", &long, b"bob"], |lent| {
                // SAFETY: the copies live.
                let texts = lent.each_ref().map(|text| unsafe { bytes(text) }.to_vec());
                assert_eq!(texts, [&b"alice"[..], b"", &long, b"bob"]);
                lent.iter().rev().for_each(mangle);
                lend([b"within"], |[inner]| mangle(&inner));
                // SAFETY: the copies live, and the first byte of an empty one is its NUL.
                let seen = lent.each_ref().map(|text| unsafe { *text.s } as u8);
                assert_eq!(seen, [b'X', b'Y', b'X', b'X']);
            });
        }
    }

    #[test]
    fn a_part_is_found_in_the_original() {
        let text = b"sip:alice@example.com;lr";
        lend([text], |[lent]| {
            let part = |at: usize, len| str_ { s: lent.s.wrapping_add(at), len };
            assert_eq!(part_of(text, &lent, &part(4, 5)), b"alice");
            assert_eq!(part_of(text, &lent, &part(22, 9)), b"", "not within");
            assert_eq!(part_of(text, &lent, &part(4, -1)), b"");
            assert_eq!(part_of(text, &lent, &str_::default()), b"");
        });
    }

    #[test]
    fn a_place_gives_the_text_as_it_was_at_the_same_address() {
        let mut place = HeldText::default();
        let first = place.hold(b"note");
        mangle(&first);
        let again = place.hold(b"note");
        // SAFETY: the place lives.
        assert_eq!((again.s, unsafe { bytes(&again) }), (first.s, &b"note"[..]));
    }
}
