//! Numbers in six bytes: for a million subscriptions, 2 MB less than in eight, for each number.
#![forbid(unsafe_code)]

/// A number of 48 bits that lies on any even address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct U48([u16; 3]);

impl U48 {
    /// The largest number there is room for.
    pub const MAX: Self = Self([u16::MAX; 3]);

    /// The lower 48 bits of a number.
    #[must_use]
    // Cut on purpose: the parts of the number.
    pub const fn low_bits(number: u64) -> Self {
        Self([(number >> 32) as u16, (number >> 16) as u16, number as u16])
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.into_iter().fold(0, |sum, part| sum << 16 | u64::from(part))
    }
}
