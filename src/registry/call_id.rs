//! Call-IDs that carry the number of their shard, so that a NOTIFY finds it without a look anywhere else.
//!
//! A Call-ID is 32 lower-case hexadecimal digits. The first four are a number whose low bits are those of the shard; all
//! other bits are random (at least 120).

use crate::subscription::Fresh;
use crate::subscription::digest::CNONCE_LEN;

/// Length of a Call-ID made here.
pub const CALL_ID_LEN: usize = 32;

/// Length of a local tag made here.
pub const LOCAL_TAG_LEN: usize = 16;

/// How many random bytes the texts of [`FreshIds`] are made of.
pub const RANDOM_LEN: usize = (CALL_ID_LEN + LOCAL_TAG_LEN + CNONCE_LEN) / 2;

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
        let dialog = ids.call_id.as_chunks_mut::<2>().0.iter_mut().chain(ids.local_tag.as_chunks_mut::<2>().0);
        let text = dialog.chain(ids.cnonce.as_chunks_mut::<2>().0);
        for (digits, byte) in text.zip(random) {
            *digits = [digit(byte >> 4), digit(byte & 15)];
        }
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

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value - 10) }
}
