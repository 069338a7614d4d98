//! The entries of one shard.

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;
use hashbrown::HashTable;

use super::Destination;
use super::entry::DestinationEntry;
use crate::memory::OutOfMemory;
use crate::time::Millis;

/// The most entries of one shard.
pub(super) const MOST_ENTRIES: usize = 1024;

/// Entries there is room for from the start.
const FIRST_ENTRIES: usize = 16;

/// How many entries are looked at when one has to make room.
const LOOKS: u32 = 64;

/// An entry and the count of its occupants, from 1 on.
struct DestinationSlot {
    generation: u32,
    entry: DestinationEntry,
}

/// Where an address is.
#[derive(Clone, Copy)]
pub(super) struct FoundSlot {
    pub(super) slot: u32,
    /// Another one that failed, and is forgotten now, has made room.
    pub(super) pressed: bool,
}

/// Entries by slot, and slots by hash.
pub(super) struct DestinationTable<A: Allocator + Clone> {
    slots: Vec<DestinationSlot, A>,
    index: HashTable<u32, A>,
    /// Where the search for an idle entry goes on.
    hand: u32,
    /// How many breakers are not closed.
    open: u32,
}

impl<A: Allocator + Clone> DestinationTable<A> {
    pub(super) fn try_new_in(alloc: A) -> Result<Self, OutOfMemory> {
        let mut slots = Vec::new_in(alloc.clone());
        slots.try_reserve_exact(FIRST_ENTRIES).map_err(|_| OutOfMemory)?;
        let mut index = HashTable::new_in(alloc);
        index.try_reserve(FIRST_ENTRIES, |_| 0).map_err(|_| OutOfMemory)?;
        Ok(Self { slots, index, hand: 0, open: 0 })
    }

    /// The slot of this address, if it is known.
    pub(super) fn find(&self, hash: u64, address: &[u8]) -> Option<u32> {
        let is = |slot: &u32| self.slots.get(*slot as usize).is_some_and(|slot| slot.entry.is(hash, address));
        self.index.find(hash, is).copied()
    }

    /// The slot of this address; `None` when there is neither room nor memory for it.
    pub(super) fn find_or_insert(&mut self, hash: u64, address: &[u8], now: Millis) -> Option<FoundSlot> {
        if let Some(slot) = self.find(hash, address) {
            return Some(FoundSlot { slot, pressed: false });
        }
        let entry = DestinationEntry::new(hash, address, now);
        let found = if self.slots.len() < MOST_ENTRIES {
            self.slots.try_reserve(1).ok()?;
            let slots = &self.slots;
            self.index.try_reserve(1, |slot| hash_of(slots, *slot)).ok()?;
            let slot = u32::try_from(self.slots.len()).ok()?;
            self.slots.push(DestinationSlot { generation: 1, entry });
            FoundSlot { slot, pressed: false }
        } else {
            self.replace(entry, now)?
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, found.slot, |slot| hash_of(slots, *slot));
        Some(found)
    }

    /// Puts an entry where an idle one was, or one that fails and was asked for longest ago.
    fn replace(&mut self, entry: DestinationEntry, now: Millis) -> Option<FoundSlot> {
        let count = u32::try_from(self.slots.len()).ok()?;
        let mut oldest: Option<(Millis, u32)> = None;
        for _ in 0..LOOKS {
            let place = self.hand;
            self.hand = self.hand.wrapping_add(1).checked_rem(count)?;
            let slot = self.slots.get(place as usize)?;
            if slot.entry.is_idle(now) {
                self.put(place, entry);
                return Some(FoundSlot { slot: place, pressed: false });
            }
            if slot.entry.is_failing(now) && oldest.is_none_or(|(asked, _)| slot.entry.asked < asked) {
                oldest = Some((slot.entry.asked, place));
            }
        }
        let (_, place) = oldest?;
        self.put(place, entry);
        Some(FoundSlot { slot: place, pressed: true })
    }

    /// Puts an entry in the place of another one.
    fn put(&mut self, place: u32, entry: DestinationEntry) {
        let Some(slot) = self.slots.get_mut(place as usize) else { return };
        if let Ok(found) = self.index.find_entry(slot.entry.hash, |other| *other == place) {
            found.remove();
        }
        self.open = self.open.saturating_sub(slot.entry.breaker.is_open().into());
        let generation = if slot.generation < Destination::LAST_GENERATION { slot.generation + 1 } else { 1 };
        *slot = DestinationSlot { generation, entry };
    }

    /// How many breakers are not closed.
    pub(super) fn open(&self) -> u32 {
        self.open
    }

    /// A breaker was open or not, and is now.
    pub(super) fn count_open(&mut self, was: bool, is: bool) {
        self.open = self.open.saturating_add(is.into()).saturating_sub(was.into());
    }

    /// The entry in a slot, with its generation.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<(u32, &mut DestinationEntry)> {
        self.slots.get_mut(slot as usize).map(|slot| (slot.generation, &mut slot.entry))
    }

    /// All entries, to be changed.
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut DestinationEntry> {
        self.slots.iter_mut().map(|slot| &mut slot.entry)
    }

    /// The address of the entry in a slot, to be shown, if it is still that one.
    pub(super) fn address(&self, slot: u32, generation: u32) -> Option<String> {
        let slot = self.slots.get(slot as usize).filter(|slot| slot.generation == generation)?;
        Some(slot.entry.address())
    }

    /// The generation of the entry in a slot.
    pub(super) fn generation(&self, slot: u32) -> Option<u32> {
        self.slots.get(slot as usize).map(|slot| slot.generation)
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = &DestinationEntry> {
        self.slots.iter().map(|slot| &slot.entry)
    }
}

fn hash_of(slots: &[DestinationSlot], slot: u32) -> u64 {
    slots.get(slot as usize).map_or(0, |slot| slot.entry.hash)
}
