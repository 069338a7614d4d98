//! Records in slots. Each has a generation, its place in the count of all records that ever were in a slot of the shard; the low
//! bits of it, which operators see, come again late (see [`Records::count`]). Those that belong together are a circle of slots.

use allocator_api2::alloc::Allocator;

use super::handle::COUNT_MASK;
use crate::memory::{Occupant, OutOfMemory, Slots};

/// A value and what leads to it.
struct Numbered<T> {
    /// Never 0.
    generation: u32,
    /// The next slot in the circle; its own when it is alone.
    next: u32,
    value: T,
}

impl<T> Occupant for Numbered<T> {
    fn generation(&self) -> u32 {
        self.generation
    }
}

/// Values of `T` by slot and generation.
pub(super) struct Records<T, A: Allocator + Clone> {
    slots: Slots<Numbered<T>, A>,
    /// The newest value's generation.
    newest: u32,
    /// As many generations after the newest have low bits that no value has.
    clear: u32,
    /// The newest one before those that were counted here: all after it were.
    restored: u32,
}

impl<T, A: Allocator + Clone> Records<T, A> {
    /// The size of a slot, in bytes.
    pub(super) const SLOT: usize = Slots::<Numbered<T>, A>::SLOT;

    /// No slots yet, and never more than `most` (rounded down to whole chunks).
    pub(super) fn new_in(most: usize, alloc: A) -> Self {
        Self { slots: Slots::new_in(most, alloc), newest: 0, clear: 0, restored: 0 }
    }

    /// How many slots there are, live and free.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many values there are.
    pub(super) fn live(&self) -> u32 {
        self.slots.live()
    }

    /// Whether no value can be inserted any more before one is removed.
    pub(super) fn is_full(&self) -> bool {
        self.slots.is_full()
    }

    /// Makes sure that there is this slot; fails also if it is beyond the most.
    pub(super) fn try_reserve_at(&mut self, slot: u32) -> Result<(), OutOfMemory> {
        self.slots.try_reserve_at(slot)
    }

    /// Makes sure that the next [`Records::insert`] finds a slot, unless it is full.
    pub(super) fn try_reserve(&mut self) -> Result<(), OutOfMemory> {
        self.slots.try_reserve()
    }

    /// Puts a value into the slot that has rested longest, alone in its circle; gives slot and generation. Fails without a
    /// free slot.
    pub(super) fn insert(&mut self, value: T) -> Result<(u32, u32), OutOfMemory> {
        if !self.slots.has_free() {
            return Err(OutOfMemory);
        }
        let generation = self.count();
        let slot = self.slots.insert(|next| Numbered { generation, next, value }).ok_or(OutOfMemory)?;
        Ok((slot, generation))
    }

    /// Whether [`Records::restore`] succeeds: there is the slot, it is free, and no value that was counted here has the low bits of
    /// this generation.
    pub(super) fn can_restore(&self, slot: u32, generation: u32) -> bool {
        let counted = self.newest.wrapping_sub(self.restored);
        let after = generation.wrapping_sub(self.restored) & COUNT_MASK;
        let is_counted = counted > COUNT_MASK || (1..=counted).contains(&after);
        generation & COUNT_MASK != 0 && !is_counted && self.slots.is_free(slot)
    }

    /// Puts a value of an earlier run into its slot, with its generation, alone in its circle. The next ones are counted
    /// behind it. It comes back if that is [not possible](Records::can_restore).
    pub(super) fn restore(&mut self, slot: u32, generation: u32, value: T) -> Result<(), T> {
        if !self.can_restore(slot, generation) {
            return Err(value);
        }
        self.pass(generation);
        self.slots.insert_at(slot, Numbered { generation, next: slot, value }).map_err(|numbered| numbered.value)
    }

    /// The slot is taken by [`Records::insert`] after all others that are free now.
    pub(super) fn rest(&mut self, slot: u32) {
        self.slots.rest(slot);
    }

    /// The next generations are counted behind this one, which is of an earlier run.
    pub(super) fn pass(&mut self, generation: u32) {
        if self.slots.live() == 0 && self.newest == 0 {
            self.clear = COUNT_MASK;
        }
        match generation.checked_sub(self.newest) {
            // Some were counted here, far behind the newest before them.
            _ if self.newest != self.restored => self.keep_clear(generation),
            Some(0) | None => self.keep_clear(generation),
            Some(further) => {
                self.clear = self.clear.saturating_sub(further);
                (self.newest, self.restored) = (generation, generation);
            }
        }
    }

    /// A value has this generation: it is not counted a second time.
    fn keep_clear(&mut self, generation: u32) {
        let ahead = generation.wrapping_sub(self.newest) & COUNT_MASK;
        self.clear = self.clear.min(ahead.wrapping_sub(1) & COUNT_MASK);
    }

    /// The next value is counted far ahead, if none was counted here before: values of an earlier run may follow.
    pub(super) fn leave_room(&mut self) {
        const ROOM: u32 = COUNT_MASK.div_ceil(2);
        if self.newest == self.restored {
            self.newest = self.newest.wrapping_add(ROOM);
            self.restored = self.newest;
            self.clear = self.clear.saturating_sub(ROOM);
        }
    }

    /// The generation of the next value: its low bits are not 0, and no value has them. They come again when all have
    /// had their turn, but for those that were skipped because a value lives that long: not more than two for each
    /// value, and so after 4,000,000 others at the earliest.
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
                        // Values made one after the other are skipped in few steps.
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

    /// How far ahead the next generation with the low bits of a value is; 0: it is this one.
    fn nearest(&self) -> u32 {
        let ahead = self.slots.iter().map(|value| value.generation.wrapping_sub(self.newest) & COUNT_MASK);
        ahead.min().unwrap_or(COUNT_MASK)
    }

    /// The next value is counted from here on.
    #[cfg(test)]
    pub(super) fn count_from(&mut self, newest: u32) {
        (self.newest, self.restored, self.clear) = (newest, newest, 0);
    }

    /// Takes the value out of a slot, which is to be alone in its circle; later looks with its generation find nothing.
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        self.slots.remove(index).map(|removed| removed.value)
    }

    /// Whether the value in a slot has this generation.
    pub(super) fn is(&self, index: u32, generation: u32) -> bool {
        self.slots.find(index, generation).is_some()
    }

    /// The value in a slot, with its generation.
    pub(super) fn get(&self, index: u32) -> Option<(u32, &T)> {
        self.slots.get(index).map(|found| (found.generation, &found.value))
    }

    /// The value in a slot, with its generation.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<(u32, &mut T)> {
        self.slots.get_mut(index).map(|found| (found.generation, &mut found.value))
    }

    /// The next slot in the circle that a slot with a value is in.
    pub(super) fn next(&self, index: u32) -> Option<u32> {
        self.slots.get(index).map(|found| found.next)
    }

    /// Has another slot follow in the circle; gives the one that did.
    pub(super) fn set_next(&mut self, index: u32, next: u32) -> Option<u32> {
        self.slots.get_mut(index).map(|found| std::mem::replace(&mut found.next, next))
    }
}
