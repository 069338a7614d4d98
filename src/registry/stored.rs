//! What a database is told of the subscriptions: which have changed, and what they are now.

use allocator_api2::alloc::Allocator;
use parking_lot::lock_api::RawMutex;

use super::handle::Handle;
use super::life::Life;
use super::marks::StoreMark;
use super::{Registry, table::ShardTable};
use crate::memory::HashKey;

/// How many subscriptions are shown under one lock.
const PIECE: usize = 32;

/// A marked subscription.
#[derive(Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "the writer needs the handle; tests read a registry by its marks"))]
pub struct Marked<'a, S, O> {
    /// Its handle.
    pub handle: Handle,
    /// Its life.
    pub life: &'a S,
    /// Its owner's data.
    pub owner: &'a O,
    /// It is found by its name.
    pub named: bool,
    /// The subscription that it is a fork of, while there is that one.
    pub root: Option<Handle>,
}

impl<S: Life, O, A: Allocator + Clone> ShardTable<S, O, A> {
    fn marked(&self, slot: u32) -> Option<Marked<'_, S, O>> {
        let (handle, record) = self.get(slot)?;
        let root = if record.life.fork() == 0 { None } else { self.root(slot) };
        let root = root.and_then(|root| self.get(root)).map(|(handle, _)| handle);
        Some(Marked { handle, life: &record.life, owner: &record.owner, named: record.indexed.has_name(), root })
    }
}

impl<S: Life, O: Copy, A: Allocator + Clone, L: RawMutex> Registry<S, O, A, L> {
    /// From now on, which is before the first subscription, those that change are marked for
    /// [`take_marks`](Registry::take_marks). The marks take three bits for each slot, and marking never fails.
    #[must_use]
    pub fn with_store(self) -> Self {
        self.shards.iter().for_each(|shard| shard.lock().marks.keep());
        self
    }

    /// Takes at most `most` marks away and shows them to `take`, under the lock: index ([`Handle::index`]), mark and what is in
    /// that slot now; `None` if there is none (any more). It may be another subscription than before. Those with marks smaller than `least`
    /// keep them. Shards are asked in turn from `turn` on, which is left where to go on.
    /// Returns how many it took; fewer than `most`: that was all.
    ///
    /// No lock is held for more than a few dozen subscriptions, and no shard locked that has nothing for it.
    pub fn take_marks(
        &self,
        turn: &mut usize,
        most: usize,
        least: StoreMark,
        mut take: impl FnMut(u32, StoreMark, Option<Marked<'_, S, O>>),
    ) -> usize {
        let mut taken = 0;
        for _ in 0..self.shards.len() {
            *turn = self.layout.wrap(*turn);
            if !self.take_of_shard(*turn, most, least, &mut taken, &mut take) {
                break;
            }
            *turn += 1;
        }
        taken
    }

    /// The same of one shard; whether it has got round.
    fn take_of_shard(
        &self,
        number: usize,
        most: usize,
        least: StoreMark,
        taken: &mut usize,
        take: &mut impl FnMut(u32, StoreMark, Option<Marked<'_, S, O>>),
    ) -> bool {
        let Some(shard) = self.shards.get(number).filter(|shard| shard.may_have(least)) else {
            return true;
        };
        let mut left = None;
        while left != Some(0) && shard.may_have(least) {
            let room = PIECE.min(most.saturating_sub(*taken));
            if room == 0 {
                return false;
            }
            let mut table = shard.lock();
            let words = left.unwrap_or(table.marks.len());
            let mut slots = arrayvec::ArrayVec::<_, PIECE>::new();
            let searched = table.marks.take(room, words, least, |slot, mark| slots.push((slot, mark)));
            for (slot, mark) in slots {
                take(self.layout.index(number, slot), mark, table.marked(slot));
            }
            shard.publish_marks(&table);
            *taken += searched.taken;
            left = Some(words - searched.words);
        }
        true
    }

    /// Whether a mark above [`StoreMark::Counted`] waits to be taken. Takes no lock.
    #[must_use]
    pub fn has_marks(&self) -> bool {
        self.shards.iter().any(|shard| shard.marked() > 0)
    }

    /// How many subscriptions have a mark above [`StoreMark::Counted`]. Takes no lock.
    #[must_use]
    pub fn marked(&self) -> usize {
        self.shards.iter().map(|shard| shard.marked() as usize).sum()
    }

    /// Marks what is in a slot (again): what [`take_marks`](Registry::take_marks) has shown was not written.
    pub fn mark(&self, index: u32, mark: StoreMark) {
        let (number, slot) = self.layout.locate(index);
        let Some(shard) = self.shards.get(number) else { return };
        let mut table = shard.lock();
        table.marks.set(slot, mark);
        shard.publish_marks(&table);
    }

    #[cfg(test)]
    /// The number of shards: see [`Registry::key`].
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The key of the names. With it and the same number of shards, each subscription can be
    /// [restored](Registry::restore) with its handle.
    #[must_use]
    pub fn key(&self) -> HashKey {
        self.layout.key()
    }
}
