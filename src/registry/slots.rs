//! A slab: values in slots that are used again and again. Each value has a generation, its place in the count of all values that
//! ever were in a slot of the slab; the low bits of it, which operators see, come again late (see [`Slots::count`]). Those that belong together are a
//! ring of slots.

use super::handle::COUNT_MASK;
use crate::memory::{Chunks, OutOfMemory};
use allocator_api2::alloc::Allocator;

/// Slots added at a time.
pub(super) const CHUNK: usize = 64;

/// Ends the list of free slots.
const NONE: u32 = u32::MAX;

struct Slot<T> {
    /// Never 0 while there is a value.
    generation: u32,
    /// The next in the ring; itself when it is alone. Of a free slot, the next free one.
    next: u32,
    value: Option<T>,
}

/// Values of `T` by slot and generation. Slots are freed and taken in turn, so that each rests as long as
/// possible.
pub(super) struct Slots<T, A: Allocator + Clone> {
    slots: Chunks<Slot<T>, CHUNK, A>,
    most: usize,
    live: u32,
    first_free: u32,
    last_free: u32,
    /// The newest value's generation.
    newest: u32,
    /// As many generations after the newest have low bits that no value has.
    clear: u32,
}

impl<T, A: Allocator + Clone> Slots<T, A> {
    /// What a slot takes, in bytes.
    pub(super) const SLOT: usize = size_of::<Slot<T>>();

    /// No slots yet, and never more than `most` (rounded down to whole chunks).
    pub(super) fn new_in(most: usize, alloc: A) -> Self {
        Self { slots: Chunks::new_in(alloc), most, live: 0, first_free: NONE, last_free: NONE, newest: 0, clear: 0 }
    }

    /// How many slots there are, live and free.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many values there are.
    pub(super) fn live(&self) -> u32 {
        self.live
    }

    /// Whether no value can be inserted any more before one is removed.
    pub(super) fn is_full(&self) -> bool {
        self.first_free == NONE && self.slots.len() + CHUNK > self.most
    }

    /// Makes sure that the next [`Slots::insert`] finds a slot, unless it is full.
    pub(super) fn try_reserve(&mut self) -> Result<(), OutOfMemory> {
        if self.first_free != NONE || self.is_full() {
            return Ok(());
        }
        let start = self.slots.len();
        let last = start + CHUNK - 1;
        let number = |index: usize| u32::try_from(index).unwrap_or(NONE);
        self.slots.try_grow(|index| Slot {
            generation: 0,
            next: if index == last { NONE } else { number(index + 1) },
            value: None,
        })?;
        self.first_free = number(start);
        self.last_free = number(last);
        Ok(())
    }

    /// Puts a value into the slot that has rested longest, alone in its ring; gives slot and generation. Fails without a
    /// free slot.
    pub(super) fn insert(&mut self, value: T) -> Result<(u32, u32), OutOfMemory> {
        let index = self.first_free;
        if self.slots.get(index as usize).is_none_or(|slot| slot.value.is_some()) {
            return Err(OutOfMemory);
        }
        let generation = self.count();
        let slot = self.slots.get_mut(index as usize).ok_or(OutOfMemory)?;
        slot.generation = generation;
        slot.value = Some(value);
        let next = std::mem::replace(&mut slot.next, index);
        self.first_free = next;
        if next == NONE {
            self.last_free = NONE;
        }
        self.live += 1;
        Ok((index, generation))
    }

    /// The generation of the next value: its low bits are not 0, and no value has them. They come again when all have had
    /// their turn, but for those that were passed over because a value lives that long: not more than two for each value, and
    /// so after 4,000,000 others at the earliest.
    fn count(&mut self) -> u32 {
        let mut step = 1;
        loop {
            self.newest = self.newest.wrapping_add(step);
            match self.clear.checked_sub(1) {
                Some(clear) => self.clear = clear,
                // All are looked at, which is rare: once in a whole turn, and once for each that lives that long.
                None => match self.nearest().checked_sub(1) {
                    Some(clear) => self.clear = clear,
                    None => {
                        // Values made one after the other are passed over in few steps.
                        step = step.saturating_mul(2);
                        continue;
                    }
                },
            }
            if self.newest & COUNT_MASK != 0 {
                return self.newest;
            }
            step = 1;
        }
    }

    /// How far ahead the next generation is whose low bits a value has; 0: it is this one.
    fn nearest(&self) -> u32 {
        let slots = (0..self.slots.len()).filter_map(|index| self.slots.get(index));
        let ahead = slots
            .filter(|slot| slot.value.is_some())
            .map(|slot| slot.generation.wrapping_sub(self.newest) & COUNT_MASK);
        ahead.min().unwrap_or(COUNT_MASK)
    }

    /// The next value is counted from here on.
    #[cfg(test)]
    pub(super) fn count_from(&mut self, newest: u32) {
        (self.newest, self.clear) = (newest, 0);
    }

    /// Takes the value out of a slot, which is to be alone in its ring; later looks with its generation find nothing.
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let slot = self.slots.get_mut(index as usize)?;
        let value = slot.value.take()?;
        slot.next = NONE;
        let before = std::mem::replace(&mut self.last_free, index);
        match self.slots.get_mut(before as usize) {
            Some(slot) => slot.next = index,
            None => self.first_free = index,
        }
        self.live -= 1;
        Some(value)
    }

    /// The value in a slot, with its generation.
    pub(super) fn get(&self, index: u32) -> Option<(u32, &T)> {
        let slot = self.slots.get(index as usize)?;
        Some((slot.generation, slot.value.as_ref()?))
    }

    /// The value in a slot, with its generation.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<(u32, &mut T)> {
        let slot = self.slots.get_mut(index as usize)?;
        Some((slot.generation, slot.value.as_mut()?))
    }

    /// The next slot in the ring that a slot with a value is in.
    pub(super) fn next(&self, index: u32) -> Option<u32> {
        let slot = self.slots.get(index as usize)?;
        slot.value.is_some().then_some(slot.next)
    }

    /// Has another slot follow in the ring; gives the one that did.
    pub(super) fn set_next(&mut self, index: u32, next: u32) -> Option<u32> {
        let slot = self.slots.get_mut(index as usize).filter(|slot| slot.value.is_some())?;
        Some(std::mem::replace(&mut slot.next, next))
    }
}
