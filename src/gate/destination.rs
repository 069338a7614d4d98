//! Where requests go, in numbers.

use std::num::NonZeroU32;

use super::{SHARD_BITS, SHARDS};

/// The number of a destination's entry, with its generation: an entry that has made room for another is not mistaken for
/// it, but for the rarest of chances, which do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination(NonZeroU32);

impl Destination {
    const SLOT_BITS: u32 = 10;
    /// Bits of the number; the highest one of 32 is left to [`SentTo`].
    const BITS: u32 = 31;
    const GENERATION_BITS: u32 = Self::BITS - SHARD_BITS - Self::SLOT_BITS;

    /// The largest generation; they count from 1, so that no number is 0.
    pub(crate) const LAST_GENERATION: u32 = (1 << Self::GENERATION_BITS) - 1;

    pub(super) fn new(shard: usize, slot: u32, generation: u32) -> Option<Self> {
        let shard = u32::try_from(shard).ok()?;
        let number = (generation << Self::SLOT_BITS | slot) << SHARD_BITS | shard;
        NonZeroU32::new(number).map(Self)
    }

    pub(super) fn parts(self) -> (usize, u32, u32) {
        let number = self.0.get();
        let slot = number >> SHARD_BITS & ((1 << Self::SLOT_BITS) - 1);
        ((number as usize) % SHARDS, slot, number >> (SHARD_BITS + Self::SLOT_BITS))
    }
}

/// Where a request went, or would have gone, and whether its outcome is still to be reported: four bytes of each subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentTo(u32);

/// No destination has this bit.
const AWAITED: u32 = 1 << (u32::BITS - 1);

const _: u32 = AWAITED - (1 << Destination::BITS);

impl SentTo {
    /// It leaves for this destination.
    #[must_use]
    pub fn leaving(destination: Option<Destination>) -> Self {
        Self(destination.map_or(0, |destination| destination.0.get() | AWAITED))
    }

    /// A request is held for this destination, or has failed before it left for it. One that is on its way keeps its own.
    #[must_use]
    pub fn aimed_at(self, destination: Destination) -> Self {
        if self.0 & AWAITED == 0 { Self(destination.0.get()) } else { self }
    }

    /// The destination, if there was one.
    #[must_use]
    pub fn destination(self) -> Option<Destination> {
        NonZeroU32::new(self.0 & !AWAITED).map(Destination)
    }

    /// Whether it went to this destination.
    #[must_use]
    pub fn is(self, destination: Destination) -> bool {
        self.0 & !AWAITED == destination.0.get()
    }

    /// It has come to its end: the same, and the destination that this is to be reported to, if it has not been.
    #[must_use]
    pub fn concluded(self) -> (Self, Option<Destination>) {
        let kept = self.0 & !AWAITED;
        (Self(kept), self.destination().filter(|_| self.0 != kept))
    }

    /// The same, with nothing to report.
    #[must_use]
    pub fn settled(self) -> Self {
        self.concluded().0
    }
}

#[cfg(test)]
mod tests {
    use super::{Destination, SentTo};

    #[test]
    fn an_outcome_is_reported_once_and_the_place_remembered() {
        for (shard, slot, generation) in [(0, 0, 1), (15, 1023, Destination::LAST_GENERATION)] {
            let destination = Destination::new(shard, slot, generation).unwrap();
            let sent = SentTo::leaving(Some(destination));
            let (kept, reported) = sent.concluded();
            assert_eq!((reported, kept.concluded()), (Some(destination), (kept, None)));
            assert!(sent.is(destination) && kept.is(destination) && kept == sent.settled());
            let other = Destination::new(1, 1, 1).unwrap();
            assert!(!kept.is(other));
            assert_eq!((sent.destination(), kept.destination()), (Some(destination), Some(destination)));
            assert_eq!((sent.aimed_at(other), kept.aimed_at(other).concluded().1), (sent, None));
            assert!(kept.aimed_at(other).is(other));
        }
        assert_eq!(SentTo::leaving(None).concluded(), (SentTo::default(), None));
        assert_eq!(SentTo::default().destination(), None);
    }
}
