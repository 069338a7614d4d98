//! The name of a subscription outside its shard (law L3).

/// Bits of an index.
pub(super) const INDEX_BITS: u32 = 22;

/// Bits of an operator-visible number that hold the low bits of the index: those of the shard, and of the slot as many as
/// remain, so that few slots have to be looked at. The rest is the count of occupants, of all slots of the shard together.
pub(super) const PLACE_BITS: u32 = 9;

/// As many bits of the count of occupants are in an operator-visible number.
pub(super) const COUNT_MASK: u32 = (1 << (31 - PLACE_BITS)) - 1;

/// How many slots can be named: the all-ones index is none.
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

    /// The slot, over all shards: below 2 to the power of 22.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// The occupant's place in the count of all occupants of the shard's slots.
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
    // Cut on purpose: the two halves of the number.
    pub fn from_u64(number: u64) -> Option<Self> {
        let handle = Self { index: number as u32, generation: (number >> 32) as u32 };
        (handle.generation != 0 && handle.index < MOST_SLOTS).then_some(handle)
    }

    /// The number operators see: positive, 31 bits, unlike all others in use and those of the shard's last 4,000,000 occupants.
    #[must_use]
    pub fn id(self) -> u32 {
        (self.generation & COUNT_MASK) << PLACE_BITS | self.index & ((1 << PLACE_BITS) - 1)
    }

    /// The low bits of the index that [`Handle::id`] made this number of; `None` for numbers it never makes.
    pub(super) fn place_of_id(id: u32) -> Option<u32> {
        (id >> 31 == 0 && id >> PLACE_BITS != 0).then_some(id & ((1 << PLACE_BITS) - 1))
    }
}
