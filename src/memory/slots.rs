//! Values in slots that are used again and again. A slot keeps its number and its place in memory.
#![forbid(unsafe_code)]

use allocator_api2::alloc::Allocator;

use super::alloc::OutOfMemory;
use super::chunks::Chunks;

/// Slots added at a time.
pub const SLOTS_ADDED: usize = 64;

/// Ends the list of free slots.
const NONE: u32 = u32::MAX;

/// The value in a slot. It knows its generation itself, as this takes the least memory.
pub trait Occupant {
    /// Tells it from all that were in its slot before.
    fn generation(&self) -> u32;
}

enum Slot<T> {
    Live(T),
    Free {
        /// The one that is taken before it; of the first it may be any.
        before: u32,
        /// The one that is taken after it.
        next: u32,
    },
}

impl<T> Slot<T> {
    fn value(&self) -> Option<&T> {
        match self {
            Self::Live(value) => Some(value),
            Self::Free { .. } => None,
        }
    }

    fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Live(value) => Some(value),
            Self::Free { .. } => None,
        }
    }
}

/// Values of `T` in numbered slots. Slots are freed and taken in turn, so that each rests as long as possible.
pub struct Slots<T, A: Allocator + Clone> {
    slots: Chunks<Slot<T>, SLOTS_ADDED, A>,
    most: usize,
    live: u32,
    first_free: u32,
    last_free: u32,
}

impl<T, A: Allocator + Clone> Slots<T, A> {
    /// The size of a slot, in bytes.
    pub const SLOT: usize = size_of::<Slot<T>>();

    /// No slots yet, and never more than `most` (rounded down to a multiple of [`SLOTS_ADDED`]).
    #[must_use]
    pub fn new_in(most: usize, alloc: A) -> Self {
        Self { slots: Chunks::new_in(alloc), most, live: 0, first_free: NONE, last_free: NONE }
    }

    /// How many slots there are, live and free.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no slot yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many values there are.
    #[must_use]
    pub fn live(&self) -> u32 {
        self.live
    }

    /// The allocator.
    #[must_use]
    pub fn allocator(&self) -> &A {
        self.slots.allocator()
    }

    /// Whether no value can be inserted any more before one is removed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.has_free() && self.slots.len() + SLOTS_ADDED > self.most
    }

    /// Whether there is a slot for the next [`Slots::insert`].
    #[must_use]
    pub fn has_free(&self) -> bool {
        self.first_free != NONE
    }

    /// Makes sure that the next [`Slots::insert`] finds a slot, unless it is full.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing has changed.
    pub fn try_reserve(&mut self) -> Result<(), OutOfMemory> {
        if self.has_free() || self.is_full() {
            return Ok(());
        }
        self.grow()
    }

    /// Makes sure that there is a slot with this number.
    ///
    /// # Errors
    /// [`OutOfMemory`]: the slots that there are have not changed. It is also what a number beyond the most gives.
    pub fn try_reserve_at(&mut self, index: u32) -> Result<(), OutOfMemory> {
        while self.slots.len() <= index as usize {
            if self.slots.len() + SLOTS_ADDED > self.most {
                return Err(OutOfMemory);
            }
            self.grow()?;
        }
        Ok(())
    }

    /// Adds slots, to be taken before all others that are free: nobody has had them.
    fn grow(&mut self) -> Result<(), OutOfMemory> {
        let start = self.slots.len();
        let last = start + SLOTS_ADDED - 1;
        // The number behind the last is one as well: no slot has NONE.
        let numbers = u32::try_from(start).ok().zip(u32::try_from(last + 1).ok()).ok_or(OutOfMemory)?;
        let (first_added, last_added) = (numbers.0, numbers.1 - 1);
        let first_free = self.first_free;
        let (mut before, mut number) = (NONE, first_added);
        self.slots.try_grow(|index| {
            let free = Slot::Free { before, next: if index == last { first_free } else { number + 1 } };
            before = number;
            number += 1;
            free
        })?;
        match self.slots.get_mut(first_free as usize) {
            Some(Slot::Free { before, .. }) => *before = last_added,
            _ => self.last_free = last_added,
        }
        self.first_free = first_added;
        Ok(())
    }

    /// Has a slot follow the free ones.
    fn append(&mut self, index: u32) {
        let before = std::mem::replace(&mut self.last_free, index);
        match self.slots.get_mut(before as usize) {
            Some(Slot::Free { next, .. }) => *next = index,
            _ => self.first_free = index,
        }
    }

    /// Puts the value that `make` makes for the number of its slot into the slot that has rested longest; gives the number.
    /// `None` without a free slot.
    pub fn insert(&mut self, make: impl FnOnce(u32) -> T) -> Option<u32> {
        let index = self.first_free;
        let slot = self.slots.get_mut(index as usize)?;
        let Slot::Free { next, .. } = *slot else { return None };
        *slot = Slot::Live(make(index));
        self.first_free = next;
        if next == NONE {
            self.last_free = NONE;
        }
        self.live += 1;
        Some(index)
    }

    /// Puts a value into the slot with this number. It comes back if that is not free or there is none.
    ///
    /// # Errors
    /// The value.
    pub fn insert_at(&mut self, index: u32, value: T) -> Result<(), T> {
        if !self.unlink(index) {
            return Err(value);
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            *slot = Slot::Live(value);
            self.live += 1;
        }
        Ok(())
    }

    /// Has a free slot rest longer than all others that are free now.
    pub fn rest(&mut self, index: u32) {
        if self.unlink(index) {
            let before = self.last_free;
            if let Some(slot) = self.slots.get_mut(index as usize) {
                *slot = Slot::Free { before, next: NONE };
                self.append(index);
            }
        }
    }

    /// Takes a slot out of the list of those that are free; whether it was in it.
    fn unlink(&mut self, index: u32) -> bool {
        let Some(&mut Slot::Free { before, next }) = self.slots.get_mut(index as usize) else { return false };
        let before = if index == self.first_free { NONE } else { before };
        match self.slots.get_mut(before as usize) {
            Some(Slot::Free { next: after, .. }) => *after = next,
            _ => self.first_free = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(Slot::Free { before: ahead, .. }) => *ahead = before,
            _ => self.last_free = before,
        }
        true
    }

    /// Whether there is a slot with this number, and it has no value.
    #[must_use]
    pub fn is_free(&self, index: u32) -> bool {
        matches!(self.slots.get(index as usize), Some(Slot::Free { .. }))
    }

    /// Takes the value out of a slot.
    pub fn remove(&mut self, index: u32) -> Option<T> {
        let slot = self.slots.get_mut(index as usize)?;
        slot.value()?;
        let free = Slot::Free { before: self.last_free, next: NONE };
        let Slot::Live(value) = std::mem::replace(slot, free) else { return None };
        self.append(index);
        self.live -= 1;
        Some(value)
    }

    /// All slots, when none has a value: to be dropped elsewhere. There are none any more.
    pub fn take_if_idle(&mut self) -> Option<Self> {
        let none = Self::new_in(self.most, self.allocator().clone());
        (self.live == 0 && !self.is_empty()).then(|| std::mem::replace(self, none))
    }

    /// The value in a slot.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)?.value()
    }

    /// The value in a slot.
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)?.value_mut()
    }

    /// All values, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.slots.len()).filter_map(|index| self.slots.get(index)?.value())
    }
}

impl<T: Occupant, A: Allocator + Clone> Slots<T, A> {
    /// The value in a slot, if it is the one with this generation.
    #[must_use]
    pub fn find(&self, index: u32, generation: u32) -> Option<&T> {
        self.get(index).filter(|value| value.generation() == generation)
    }

    /// The value in a slot, if it is the one with this generation.
    pub fn find_mut(&mut self, index: u32, generation: u32) -> Option<&mut T> {
        self.get_mut(index).filter(|value| value.generation() == generation)
    }
}

#[cfg(test)]
mod tests;
