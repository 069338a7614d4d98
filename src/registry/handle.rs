//! The name of a subscription outside its shard (law L3).

/// Bits of an operator-visible number that hold the index.
pub(super) const INDEX_BITS: u32 = 22;

/// Bits of an operator-visible number that hold the generation.
const GENERATION_MASK: u32 = (1 << (31 - INDEX_BITS)) - 1;

/// How many slots can be named: `index + 1` fits the index bits and is not 0.
pub(super) const MOST_SLOTS: u32 = (1 << INDEX_BITS) - 1;

/// A slot and the generation of its occupant. A handle whose subscription has gone finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    index: u32,
    generation: u32,
}

impl Handle {
    /// `generation` is never 0.
    pub(super) fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    /// The slot, over all shards.
    pub(super) fn index(self) -> u32 {
        self.index
    }

    /// Counts the occupants of the slot.
    pub(super) fn generation(self) -> u32 {
        self.generation
    }

    /// The handle as one number, never 0: fits a callback's parameter.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The handle that [`Handle::to_u64`] made this number of; `None` for numbers it never makes.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the number")]
    pub fn from_u64(number: u64) -> Option<Self> {
        let handle = Self { index: number as u32, generation: (number >> 32) as u32 };
        (handle.generation != 0 && handle.index < MOST_SLOTS).then_some(handle)
    }

    /// The number operators see: positive, 31 bits, unlike that of the slot's last 511 occupants.
    #[must_use]
    pub fn id(self) -> u32 {
        // Generations start at 1: the first occupants get the shortest numbers.
        (self.generation.wrapping_sub(1) & GENERATION_MASK) << INDEX_BITS | (self.index + 1)
    }

    /// Index and low bits of the count of generations that [`Handle::id`] made this number of.
    pub(super) fn parts_of_id(id: u32) -> Option<(u32, u32)> {
        let index = (id & MOST_SLOTS).checked_sub(1)?;
        (id >> 31 == 0).then_some((index, id >> INDEX_BITS))
    }

    /// Whether a generation's count, from 0 on, has these low bits.
    pub(super) fn generation_matches(generation: u32, low_bits: u32) -> bool {
        generation.wrapping_sub(1) & GENERATION_MASK == low_bits
    }
}
