//! Call-IDs that carry the number of their shard, so that a NOTIFY finds it without a look anywhere else.
//!
//! A Call-ID is 20 digits. The first four are hexadecimal, a number whose low bits are those of the shard; the others, as all
//! of a local tag, are to the base of 32: subscriptions are many. All other bits are random: at least 88 of the Call-ID and
//! the 40 of the tag, where 32 are asked for (RFC 3261 §19.3).

use crate::subscription::Fresh;
use crate::subscription::digest::CNONCE_LEN;

/// Length of a Call-ID made here.
pub const CALL_ID_LEN: usize = 20;

/// Length of a local tag made here.
pub const LOCAL_TAG_LEN: usize = 8;

/// How many random bytes the texts of [`FreshIds`] are made of.
pub const RANDOM_LEN: usize = NUMBER_LEN / 2 + (CALL_ID_LEN - NUMBER_LEN) + LOCAL_TAG_LEN + CNONCE_LEN / 2;

/// How many digits at the front of a Call-ID hold the number of the shard.
const NUMBER_LEN: usize = 4;

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
    /// Writes `shard` into the bits of `mask` of the first two random bytes.
    pub(super) fn new(shard: usize, mask: usize, mut random: [u8; RANDOM_LEN]) -> Self {
        let [high, low, ..] = &mut random;
        let number = usize::from(u16::from_be_bytes([*high, *low])) & !mask | shard & mask;
        [*high, *low] = u16::try_from(number).unwrap_or(0).to_be_bytes();
        let mut ids = Self { call_id: [0; CALL_ID_LEN], local_tag: [0; LOCAL_TAG_LEN], cnonce: [0; CNONCE_LEN] };
        let mut random = random.into_iter();
        let (number, rest) = ids.call_id.split_at_mut(NUMBER_LEN);
        write_bytes(number, &mut random);
        for (to, byte) in rest.iter_mut().chain(&mut ids.local_tag).zip(&mut random) {
            *to = digit(byte & 31);
        }
        write_bytes(&mut ids.cnonce, &mut random);
        ids
    }

    /// As a subscription wants them.
    #[must_use]
    pub fn as_fresh(&self) -> Fresh<'_> {
        Fresh { call_id: &self.call_id, local_tag: &self.local_tag, cnonce: self.cnonce }
    }
}

/// The number at the front of a Call-ID; `None` when it does not begin with four lower-case hexadecimal digits.
pub(super) fn number_in(call_id: &[u8]) -> Option<usize> {
    call_id.get(..NUMBER_LEN)?.iter().try_fold(0, |number, &digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | usize::from(value))
    })
}

/// Each byte as two hexadecimal digits.
fn write_bytes(to: &mut [u8], bytes: &mut impl Iterator<Item = u8>) {
    for (digits, byte) in to.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *digits = [digit(byte >> 4), digit(byte & 15)];
    }
}

/// A digit to the base of up to 32.
fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value - 10) }
}
