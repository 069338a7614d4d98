//! Call-IDs that carry the number of their slot, so that a NOTIFY finds its record without an index.
//!
//! A Call-ID is 20 digits to the base of 32, and so is a local tag of 8. The first five digits of a Call-ID are a number whose
//! low bits are the index of the slot over all shards; all other bits are random: 78 of the Call-ID and the 40 of the tag, where
//! 32 are asked for (RFC 3261 §19.3). They are short: each byte costs 1 MB for a million
//! subscriptions.

use crate::subscription::Fresh;
use crate::subscription::digest::CNONCE_LEN;

/// Length of a Call-ID made here.
pub const CALL_ID_LEN: usize = 20;

/// Length of a local tag made here.
pub const LOCAL_TAG_LEN: usize = 8;

/// How many random bytes the texts of [`FreshIds`] are made of.
pub const RANDOM_LEN: usize = CALL_ID_LEN + LOCAL_TAG_LEN + CNONCE_LEN / 2;

/// How many digits at the front of a Call-ID hold the index of the slot.
const NUMBER_LEN: usize = 5;

/// Bits of a digit.
const DIGIT_BITS: u32 = 5;

/// Random text for a request of a certain shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshIds {
    /// Call-ID.
    pub call_id: [u8; CALL_ID_LEN],
    /// Local tag.
    pub local_tag: [u8; LOCAL_TAG_LEN],
    /// Nonce for authorizations.
    pub cnonce: [u8; CNONCE_LEN],
}

impl FreshIds {
    /// For the slot with this index over all shards, below 2 to the power of `bits`.
    pub(super) fn new(index: u32, bits: u32, random: [u8; RANDOM_LEN]) -> Self {
        let mut ids = Self { call_id: [0; CALL_ID_LEN], local_tag: [0; LOCAL_TAG_LEN], cnonce: [0; CNONCE_LEN] };
        // Each in a loop of its own, so that many digits are made at once.
        let (call_id, rest) = random.split_at(CALL_ID_LEN);
        for (to, byte) in ids.call_id.iter_mut().zip(call_id) {
            *to = digit(byte & 31);
        }
        let (local_tag, rest) = rest.split_at(LOCAL_TAG_LEN);
        for (to, byte) in ids.local_tag.iter_mut().zip(local_tag) {
            *to = digit(byte & 31);
        }
        for (digits, byte) in ids.cnonce.as_chunks_mut::<2>().0.iter_mut().zip(rest) {
            *digits = [digit(byte >> 4), digit(byte & 15)];
        }
        let above = call_id.iter().take(NUMBER_LEN).fold(0, |sum, byte| sum << DIGIT_BITS | u32::from(byte & 31));
        let mut value = above >> bits << bits | index;
        for to in ids.call_id.iter_mut().take(NUMBER_LEN).rev() {
            *to = digit(u8::try_from(value & 31).unwrap_or(0));
            value >>= DIGIT_BITS;
        }
        ids
    }

    /// As a subscription wants them.
    #[must_use]
    pub fn as_fresh(&self) -> Fresh<'_> {
        Fresh { call_id: &self.call_id, local_tag: &self.local_tag, cnonce: self.cnonce }
    }
}

/// The number at the front of a Call-ID; `None` when it does not begin with such digits.
pub(super) fn number_in(call_id: &[u8]) -> Option<u32> {
    call_id.get(..NUMBER_LEN)?.iter().try_fold(0, |number, &digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'v' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << DIGIT_BITS | u32::from(value))
    })
}

/// A digit to the base of up to 32.
fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value - 10) }
}
