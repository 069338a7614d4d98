//! What is read from tables, in shared memory: credentials, the subscriptions that rows have made, and how far a reading is.
//!
//! A reading has a number, its round. It marks the subscription of each row with it; the subscriptions that have an earlier mark
//! when all rows have been read are those whose rows have gone.
#![forbid(unsafe_code)]

mod credentials;
mod reading;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;
use parking_lot::lock_api::{Mutex, RawMutex};

use crate::memory::{HashKey, OutOfMemory, SharedAlloc};
use crate::qsa::SubscriptionId;

pub use credentials::CredentialStore;
pub use reading::{Count, ReadingState, TableReading, TablesRead};

/// The number of a reading of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round(pub(in crate::provision) u32);

impl Round {
    /// Before the first reading.
    pub const BEFORE: Self = Self(0);
}

/// A subscription that a row has made. Packed: 12 bytes instead of 16 for each row.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct RowMark {
    subscription: SubscriptionId,
    round: u32,
}

/// The subscriptions that rows have made. The lock is a leaf lock.
pub struct Provisioned<A: SharedAlloc, L> {
    key: HashKey,
    marks: Mutex<L, HashTable<RowMark, A>>,
    /// How many there are, to be read without the lock.
    count: AtomicU64,
    alloc: A,
}

impl<A: SharedAlloc, L: RawMutex> Provisioned<A, L> {
    /// None yet.
    #[must_use]
    pub fn new(key: HashKey, alloc: A) -> Self {
        Self { key, marks: Mutex::new(HashTable::new_in(alloc.clone())), count: AtomicU64::new(0), alloc }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Bytes that the marks take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.marks.lock().allocation_size() as u64
    }

    /// The reading that has found the row of this subscription last; `None` if no row has made it.
    #[must_use]
    pub fn round_of(&self, subscription: SubscriptionId) -> Option<Round> {
        if self.len() == 0 {
            return None;
        }
        let hash = self.key.hash(subscription);
        self.marks.lock().find(hash, |mark| mark.is_of(subscription)).map(|mark| Round(mark.round))
    }

    /// A reading has found the row of this subscription.
    ///
    /// # Errors
    /// There is no room for a new one: nothing has changed.
    pub fn mark(&self, subscription: SubscriptionId, round: Round) -> Result<(), OutOfMemory> {
        let (hash, round) = (self.key.hash(subscription), round.0);
        let mut marks = self.marks.lock();
        if let Some(mark) = marks.find_mut(hash, |mark| mark.is_of(subscription)) {
            mark.round = round;
            return Ok(());
        }
        let hash_of = |mark: &RowMark| self.key.hash(mark.subscription_id());
        marks.try_reserve(1, hash_of).map_err(|_| OutOfMemory)?;
        marks.insert_unique(hash, RowMark { subscription, round }, hash_of);
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The subscription has ended.
    pub fn remove(&self, subscription: SubscriptionId) {
        if self.len() == 0 {
            return;
        }
        let hash = self.key.hash(subscription);
        let mut marks = self.marks.lock();
        let Ok(found) = marks.find_entry(hash, |mark| mark.is_of(subscription)) else { return };
        found.remove();
        self.count.fetch_sub(1, Ordering::Relaxed);
        // No room is kept for the next reading.
        let empty = marks.is_empty().then(|| std::mem::replace(&mut *marks, HashTable::new_in(self.alloc.clone())));
        drop(marks);
        drop(empty);
    }

    /// The subscriptions whose rows the reading has not found.
    #[must_use]
    pub fn not_in(&self, round: Round) -> Vec<SubscriptionId> {
        let marks = self.marks.lock();
        marks.iter().filter(|mark| mark.round != round.0).map(|mark| mark.subscription).collect()
    }
}

impl RowMark {
    fn subscription_id(&self) -> SubscriptionId {
        self.subscription
    }

    fn is_of(&self, subscription: SubscriptionId) -> bool {
        self.subscription_id() == subscription
    }
}
