//! The shard of a name, a Call-ID or a handle.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::call_id;
use super::handle::{Handle, INDEX_BITS, MOST_SLOTS, PLACE_BITS};
use super::prints::RecordPrint;
use super::{Arrived, FreshIds, Limits};
use crate::memory::HashKey;
use crate::subscription::{Fingerprint, Subject};

/// A shard and a hash for the index inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShardPlace {
    pub(super) shard: usize,
    pub(super) hash: u32,
}

/// The number of shards and the key of the hashes: the same in every process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    shard_bits: u32,
    key: HashKey,
    seed: u64,
}

impl Layout {
    pub(super) fn new(shards: usize, key: HashKey) -> Option<Self> {
        let in_range = shards.is_power_of_two() && shards <= Limits::MOST_SHARDS;
        in_range.then(|| Self { shard_bits: shards.trailing_zeros(), key, seed: key.seed() })
    }

    fn mask(self) -> usize {
        (1 << self.shard_bits) - 1
    }

    /// Any number as that of a shard.
    pub(super) fn wrap(self, number: usize) -> usize {
        number & self.mask()
    }

    pub(super) fn key(self) -> HashKey {
        self.key
    }

    /// How many slots a shard may have.
    pub(super) fn most_slots(self) -> usize {
        MOST_SLOTS as usize >> self.shard_bits
    }

    pub(super) fn of_name(self, subject: &Subject<'_>) -> ShardPlace {
        let name = (subject.record, subject.subscriber, subject.package, subject.event_id);
        self.place(self.key.hash(name))
    }

    /// The shard that a Call-ID leads to.
    #[cfg(test)]
    pub(super) fn shard_of_call_id(self, call_id: &[u8]) -> usize {
        match call_id::number_in(call_id) {
            Some(number) => self.wrap(number as usize),
            None => self.of_call_id(call_id).shard,
        }
    }

    /// See [`Fingerprint`]; the key is the seed.
    ///
    /// Not SipHash: it would take 330 to 590 instructions more for each NOTIFY. An attacker gains nothing from two texts
    /// that collide: the attack needs one that collides with unknown texts, Call-ID and tags, under an unknown seed, and the
    /// hash is never shown. With known Call-ID and tags no collision is needed.
    pub(super) fn fingerprint(self, arrived: &Arrived<'_>) -> Fingerprint {
        let Arrived { call_id, local_tag, contact, notify } = arrived;
        let said = (call_id, local_tag, notify.remote_tag, contact, notify.entity_tag);
        Fingerprint::of_hash(FixedState::with_seed(self.seed).hash_one(said))
    }

    /// The print of a record. Whoever makes one that collides with others only makes those take longer to find.
    // Cut on purpose: some bits of the hash.
    pub(super) fn print(self, record: &[u8]) -> RecordPrint {
        RecordPrint(FixedState::with_seed(self.seed).hash_one(record) as u8)
    }

    /// The number of a slot in the order of shards and slots.
    pub(super) fn place_at(self, shard: usize, slot: u32) -> u32 {
        (self.wrap(shard) as u32) << (INDEX_BITS - self.shard_bits) | slot
    }

    /// Shard and slot of a number in that order.
    pub(super) fn slot_at(self, place: u32) -> (usize, u32) {
        let bits = INDEX_BITS - self.shard_bits;
        (self.wrap((place >> bits) as usize), place & ((1 << bits) - 1))
    }

    pub(super) fn of_call_id(self, call_id: &[u8]) -> ShardPlace {
        let place = self.place(self.key.hash(call_id));
        match call_id::number_in(call_id) {
            Some(number) => ShardPlace { shard: self.wrap(number as usize), ..place },
            None => place,
        }
    }

    /// The hash is the lower half, the shard comes from the upper half.
    // Cut on purpose: the two halves of the hash.
    fn place(self, hash: u64) -> ShardPlace {
        ShardPlace { shard: self.wrap((hash >> 32) as usize), hash: hash as u32 }
    }

    pub(super) fn handle(self, shard: usize, slot: u32, generation: u32) -> Handle {
        Handle::new(self.index(shard, slot), generation)
    }

    /// The index of a slot over all shards.
    pub(super) fn index(self, shard: usize, slot: u32) -> u32 {
        slot << self.shard_bits | self.wrap(shard) as u32
    }

    /// Shard and slot of an index over all shards.
    pub(super) fn locate(self, index: u32) -> (usize, u32) {
        (self.wrap(index as usize), index >> self.shard_bits)
    }

    /// The shard of an operator-visible number, and which of its slots may have it: the first, and each so many after it.
    pub(super) fn slots_of_id(self, id: u32) -> Option<(usize, u32, usize)> {
        let (shard, slot) = self.locate(Handle::place_of_id(id)?);
        Some((shard, slot, 1 << (PLACE_BITS - self.shard_bits)))
    }

    /// Shard and slot that a Call-ID leads to if it was made here.
    pub(super) fn slot_of_call_id(self, call_id: &[u8]) -> Option<(usize, u32)> {
        let number = call_id::number_in(call_id)?;
        Some(self.locate(number & ((1 << INDEX_BITS) - 1)))
    }

    /// Identifiers for the dialog of a slot.
    pub(super) fn fresh(self, shard: usize, slot: u32, random: [u8; super::RANDOM_LEN]) -> FreshIds {
        FreshIds::new(self.index(shard, slot), INDEX_BITS, random)
    }
}
