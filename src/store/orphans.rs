//! Restored subscriptions whose subscriber, a module of the server, has not come back yet. In shared memory.
//!
//! They are found by a hash of what they are about. The lock is a leaf lock: whether a handle is the one that is sought is asked without it.

use allocator_api2::alloc::Allocator;
use hashbrown::HashTable;
use parking_lot::lock_api::{Mutex, RawMutex};

use crate::memory::OutOfMemory;

/// How many of the same hash are looked at for one that is sought.
const MOST_TRIED: usize = 16;

/// A subscription that waits, as a number, and the hash of what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Orphan {
    hash: u64,
    handle: u64,
}

/// Bytes for each, at most: 17, of which a table that has just grown uses a quarter.
const BYTES_EACH: usize = 80;

/// Those that wait.
pub struct Orphans<A: Allocator + Clone, L> {
    table: Mutex<L, HashTable<Orphan, A>>,
    /// How many there may be.
    most: usize,
    alloc: A,
}

impl<A: Allocator + Clone, L: RawMutex> Orphans<A, L> {
    /// None yet, and never more than `most` bytes of them.
    #[must_use]
    pub fn new_in(most: usize, alloc: A) -> Self {
        Self { table: Mutex::new(HashTable::new_in(alloc.clone())), most: most / BYTES_EACH, alloc }
    }

    /// Adds one. The hash is of an unguessable key: others choose what it is of.
    ///
    /// # Errors
    /// There is no room for it: nothing has changed.
    pub fn add(&self, hash: u64, handle: u64) -> Result<(), OutOfMemory> {
        let mut table = self.table.lock();
        if table.len() >= self.most {
            return Err(OutOfMemory);
        }
        table.try_reserve(1, |orphan| orphan.hash).map_err(|_| OutOfMemory)?;
        table.insert_unique(hash, Orphan { hash, handle }, |orphan| orphan.hash);
        Ok(())
    }

    /// Takes the first of this hash that is the one that is sought. `is_it` is asked without the lock; two processes that seek the same never both
    /// get it.
    pub fn take(&self, hash: u64, mut is_it: impl FnMut(u64) -> bool) -> Option<u64> {
        let mut found = [0u64; MOST_TRIED];
        let table = self.table.lock();
        let of_hash = table.iter_hash(hash).filter(|orphan| orphan.hash == hash);
        let count = found.iter_mut().zip(of_hash).map(|(to, orphan)| *to = orphan.handle).count();
        drop(table);
        found.into_iter().take(count).find(|handle| is_it(*handle) && self.remove(hash, *handle))
    }

    /// Removes one, for instance because it has ended; false if it is not there any more.
    pub fn remove(&self, hash: u64, handle: u64) -> bool {
        let mut table = self.table.lock();
        let Ok(entry) = table.find_entry(hash, |orphan| *orphan == Orphan { hash, handle }) else { return false };
        entry.remove();
        let empty = table.is_empty().then(|| std::mem::replace(&mut *table, HashTable::new_in(self.alloc.clone())));
        drop(table);
        // The memory goes back without the lock.
        drop(empty);
        true
    }

    /// Takes up to so many, in any order: their time is over.
    #[must_use]
    pub fn drain(&self, most: usize) -> Vec<u64> {
        let mut taken = Vec::with_capacity(most);
        let mut table = self.table.lock();
        // One walk through the table, however large it is: `extract_if` removes only what the walk has come to.
        taken.extend(table.extract_if(|_| true).take(most).map(|orphan| orphan.handle));
        let empty = table.is_empty().then(|| std::mem::replace(&mut *table, HashTable::new_in(self.alloc.clone())));
        drop(table);
        drop(empty);
        taken
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cfg(test)]
    /// Bytes that they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.lock().allocation_size()
    }
}
