//! A hash that shows in one comparison that a NOTIFY says nothing new of its dialog.

use crate::memory::U48;

/// A keyed hash of what a NOTIFY says of its dialog: Call-ID, tags, Contact and SIP-ETag. A dialog keeps that of the newest
/// NOTIFY it has accepted, and the next one with the same belongs to the same dialog and leaves its texts as they are, which
/// then need not be read: with very many subscriptions they are in memory that no processor has seen lately.
///
/// The key must be secret, so that no peer can make a NOTIFY with the fingerprint of a dialog that it does not know. One that is
/// made up has it once in 2 to the power of 48, beside the 32 random bits that a tag needs (RFC 3261 §19.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct Fingerprint(U48);

impl Fingerprint {
    /// The fingerprint of nothing: [`Fingerprint::is_of_the_same`] finds it equal to none, not even to itself.
    pub const NONE: Self = Self(U48::low_bits(0));

    /// From a hash: its lower 48 bits.
    #[must_use]
    pub fn of_hash(hash: u64) -> Self {
        Self(U48::low_bits(hash))
    }

    /// Whether both are of the same texts; never when one is of nothing.
    #[must_use]
    pub fn is_of_the_same(self, other: Self) -> bool {
        self != Self::NONE && self == other
    }
}
