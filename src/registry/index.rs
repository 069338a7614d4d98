//! A hash index of slots. The caller tells entries with equal hashes apart: the index holds no keys.

use allocator_api2::alloc::Allocator;
use hashbrown::HashTable;

use crate::memory::OutOfMemory;

#[derive(Clone, Copy)]
struct HashedSlot {
    hash: u32,
    slot: u32,
}

/// Slots by hash. Keeping the hash makes growing cheap: no slot is read.
pub(super) struct Index<A: Allocator> {
    table: HashTable<HashedSlot, A>,
}

impl<A: Allocator> Index<A> {
    pub(super) fn new_in(alloc: A) -> Self {
        Self { table: HashTable::new_in(alloc) }
    }

    /// Makes room for one more entry: the next [`Index::insert`] allocates nothing.
    pub(super) fn try_reserve(&mut self) -> Result<(), OutOfMemory> {
        self.table.try_reserve(1, |entry| spread(entry.hash)).map_err(|_| OutOfMemory)
    }

    /// Adds an entry; only after [`Index::try_reserve`].
    pub(super) fn insert(&mut self, hash: u32, slot: u32) {
        self.table.insert_unique(spread(hash), HashedSlot { hash, slot }, |entry| spread(entry.hash));
    }

    pub(super) fn remove(&mut self, hash: u32, slot: u32) {
        if let Ok(entry) = self.table.find_entry(spread(hash), |entry| entry.slot == slot) {
            entry.remove();
        }
    }

    /// Puts `slot` in the place of `before`.
    pub(super) fn replace(&mut self, hash: u32, before: u32, slot: u32) {
        if let Ok(mut entry) = self.table.find_entry(spread(hash), |entry| entry.slot == before) {
            entry.get_mut().slot = slot;
        }
    }

    /// A slot with this hash that `is_it`.
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.table.find(spread(hash), |entry| entry.hash == hash && is_it(entry.slot)).map(|entry| entry.slot)
    }

    /// Forgets all entries and gives the memory back.
    pub(super) fn release(&mut self) {
        self.table.clear();
        self.table.shrink_to_fit(|entry| spread(entry.hash));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}

/// The table uses the highest and the lowest bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}
