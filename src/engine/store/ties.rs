//! What subscriptions end with beside the script, for their rows: few have such a tie.

use hashbrown::HashTable;
use parking_lot::lock_api::Mutex;

use crate::host::lock;
use crate::host::shared_lock::SharedLock;
use crate::host::shm::Shm;
use crate::memory::{HashKey, OutOfMemory, Packed};

/// A subscription's handle, as a number, and its tie.
type Tied = (u64, Packed<1, Shm>);

/// The ties of stored subscriptions. The lock is a leaf lock.
pub(super) struct StoredTies {
    key: HashKey,
    ties: Mutex<SharedLock<{ lock::PROVISION }>, HashTable<Tied, Shm>>,
}

impl StoredTies {
    pub(super) fn new(key: HashKey) -> Self {
        Self { key, ties: Mutex::new(HashTable::new_in(Shm)) }
    }

    /// Ties a subscription; an earlier tie of it is forgotten.
    pub(super) fn put(&self, handle: u64, tie: &[u8]) -> Result<(), OutOfMemory> {
        let tie = Packed::try_new([tie], Shm)?;
        let hash = self.key.hash(handle);
        let mut ties = self.ties.lock();
        if let Some((_, there)) = ties.find_mut(hash, |(of, _)| *of == handle) {
            let before = std::mem::replace(there, tie);
            drop(ties);
            drop(before);
            return Ok(());
        }
        ties.try_reserve(1, |(of, _)| self.key.hash(of)).map_err(|_| OutOfMemory)?;
        ties.insert_unique(hash, (handle, tie), |(of, _)| self.key.hash(of));
        Ok(())
    }

    /// The tie of a subscription; empty for none.
    pub(super) fn of(&self, handle: u64) -> Vec<u8> {
        let ties = self.ties.lock();
        ties.find(self.key.hash(handle), |(of, _)| *of == handle).map_or_else(Vec::new, |(_, tie)| tie.get(0).to_vec())
    }

    /// The subscription is no more.
    pub(super) fn remove(&self, handle: u64) {
        let mut ties = self.ties.lock();
        let removed = ties.find_entry(self.key.hash(handle), |(of, _)| *of == handle).ok();
        let removed = removed.map(|found| found.remove().0);
        drop(ties);
        drop(removed);
    }
}
