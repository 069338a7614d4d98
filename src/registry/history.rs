//! The newest events of each subscription: a ring for each slot. Without memory for it, or if none are kept, a subscription has
//! no history, and nothing else is different.
//!
//! The rings of 64 slots are one block, as their subscriptions are: a block for each would take 8 bytes for its address, and the
//! first refresh fills it anyway.

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use parking_lot::lock_api::RawMutex;

use super::Registry;
use super::handle::Handle;
use super::life::Life;
use super::table::ShardTable;
use crate::memory::{OutOfMemory, SLOTS_ADDED};
use crate::subscription::{Happened, HistoryEvent, Output};
use crate::time::Millis;

/// The history of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// How many events there were in all.
    pub total: u32,
    /// The newest ones, the oldest of them first.
    pub events: std::vec::Vec<HistoryEvent>,
}

/// The rings of a shard. Each has a word with the number of all events, and then the newest ones.
pub(super) struct Histories<A: Allocator> {
    blocks: Vec<Option<Box<[u32], A>>, A>,
    /// How many events a ring has room for.
    most: u32,
}

impl<A: Allocator + Clone> Histories<A> {
    /// No histories, until they are [kept](Histories::keep).
    pub(super) fn new_in(alloc: A) -> Self {
        Self { blocks: Vec::new_in(alloc), most: 0 }
    }

    /// So many events of each subscription are kept that comes from now on. To be called once, before there are any.
    pub(super) fn keep(&mut self, most: u32) {
        self.most = most;
    }

    pub(super) fn are_kept(&self) -> bool {
        self.most > 0
    }

    /// Bytes of a slot's ring.
    pub(super) fn bytes(&self, slot: u32) -> usize {
        self.ring(slot).map_or(0, size_of_val)
    }

    /// Words of a ring.
    fn words(&self) -> usize {
        1 + self.most as usize * HistoryEvent::WORDS
    }

    /// Another subscription has the slot: it has no events so far.
    pub(super) fn begin(&mut self, slot: u32) {
        if !self.are_kept() {
            return;
        }
        if self.ring(slot).is_none() && self.try_make(slot).is_err() {
            return;
        }
        if let Some(count) = self.ring_mut(slot).and_then(<[u32]>::first_mut) {
            *count = 0;
        }
    }

    /// Makes the block that a slot's ring is in.
    fn try_make(&mut self, slot: u32) -> Result<(), OutOfMemory> {
        let number = slot as usize / SLOTS_ADDED;
        let alloc = self.blocks.allocator().clone();
        let missing = (number + 1).saturating_sub(self.blocks.len());
        self.blocks.try_reserve(missing).map_err(|_| OutOfMemory)?;
        let len = self.words() * SLOTS_ADDED;
        let mut block = Vec::new_in(alloc);
        block.try_reserve_exact(len).map_err(|_| OutOfMemory)?;
        block.resize(len, 0);
        for _ in 0..missing {
            self.blocks.push(None);
        }
        if let Some(place) = self.blocks.get_mut(number) {
            *place = Some(block.into_boxed_slice());
        }
        Ok(())
    }

    fn ring(&self, slot: u32) -> Option<&[u32]> {
        let words = self.words();
        let block = self.blocks.get(slot as usize / SLOTS_ADDED)?.as_deref()?;
        block.get(slot as usize % SLOTS_ADDED * words..)?.get(..words)
    }

    fn ring_mut(&mut self, slot: u32) -> Option<&mut [u32]> {
        let words = self.words();
        let block = self.blocks.get_mut(slot as usize / SLOTS_ADDED)?.as_deref_mut()?;
        block.get_mut(slot as usize % SLOTS_ADDED * words..)?.get_mut(..words)
    }

    /// Adds an event; the oldest one makes room for it. One that [repeats](HistoryEvent::repeats) the newest is not added.
    #[inline]
    pub(super) fn push(&mut self, slot: u32, event: HistoryEvent) {
        let most = self.most;
        let Some((count, ring)) = self.ring_mut(slot).and_then(<[u32]>::split_first_mut) else { return };
        let (rings, _) = ring.as_chunks_mut::<{ HistoryEvent::WORDS }>();
        let place = |number: u32| number.checked_rem(most).unwrap_or(0) as usize;
        let newest = count.checked_sub(1).and_then(|newest| rings.get(place(newest)));
        if newest.is_some_and(|words| event.repeats(HistoryEvent::from_words(*words))) {
            return;
        }
        if let Some(words) = rings.get_mut(place(*count)) {
            *words = event.to_words();
        }
        // After four thousand million events it is a smaller number that leads to the same place.
        let again = || most.saturating_add(1_u64.wrapping_shl(u32::BITS).checked_rem(most.into()).unwrap_or(0) as u32);
        *count = count.checked_add(1).unwrap_or_else(again);
    }

    /// The history of the subscription in a slot; `None` if it has none.
    pub(super) fn read(&self, slot: u32) -> Option<History> {
        let (&total, ring) = self.ring(slot).filter(|_| self.are_kept())?.split_first()?;
        let (rings, _) = ring.as_chunks::<{ HistoryEvent::WORDS }>();
        let begins = total.saturating_sub(self.most);
        let event = |number: u32| rings.get(number.checked_rem(self.most)? as usize).copied();
        Some(History { total, events: (begins..total).filter_map(event).map(HistoryEvent::from_words).collect() })
    }

    #[cfg(test)]
    pub(super) fn count_from(&mut self, slot: u32, total: u32) {
        *self.ring_mut(slot).and_then(<[u32]>::first_mut).expect("a ring") = total;
    }
}

impl<S: Life, O, A: Allocator + Clone> ShardTable<S, O, A> {
    /// Adds the event of an input that the subscription in a slot has taken, which gave this output.
    #[inline]
    pub(super) fn note(&mut self, slot: u32, event: Option<HistoryEvent>, output: &Output, now: Millis) {
        let Some((event, (_, record))) = event.zip(self.records.get(slot)) else { return };
        if let Some(event) = record.life.event(event, output, now) {
            self.histories.push(slot, event);
        }
    }
}

impl<S: Life, O: Copy, A: Allocator + Clone, L: RawMutex> Registry<S, O, A, L> {
    /// So many of the newest events of each subscription are kept; 0 for none. To be called while there are no subscriptions.
    #[must_use]
    pub fn with_history(self, most: u32) -> Self {
        self.shards.iter().for_each(|shard| shard.lock().histories.keep(most));
        self
    }

    /// The history of a subscription. It is empty if there was no memory for it, or none is kept. `None` when the handle is stale.
    #[must_use]
    pub fn history(&self, handle: Handle) -> Option<History> {
        let found = self.at(handle)?;
        Some(found.table.histories.read(found.slot).unwrap_or_default())
    }

    /// Notes in the history of a subscription what was no input; a stale handle is harmless.
    pub fn note(&self, handle: Handle, what: Happened, now: Millis) {
        if let Some(mut found) = self.at(handle) {
            let slot = found.slot;
            found.table.note(slot, Some(HistoryEvent::new(what)), &Output::default(), now);
        }
    }
}
