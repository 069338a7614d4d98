//! Addresses of record with subscriptions to their registrations, in shared memory: these subscriptions, and the events since the last message.
//!
//! The location service calls [`Registrations::note`] while it holds its own lock, in any process: that copies a few bytes and marks the
//! address. A worker takes marked addresses ([`Registrations::next_marked`]), reads their contacts from the location service, and under
//! the same lock of that service takes what was noted ([`Registrations::collect`]). So what it tells is one state, and no event is between.
//!
//! Locks: that of the location service first, then one shard of this table. Nothing is called under the lock of a shard.
#![forbid(unsafe_code)]

mod entry;
mod events;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use hashbrown::HashTable;
use parking_lot::lock_api::{Mutex, RawMutex};

use self::entry::AorEntry;
use crate::memory::{HashKey, OutOfMemory, SharedAlloc};

pub use entry::{Collected, Follower, RegistrationBinding};
pub use events::{ContactEvent, ContactFacts, EndedContact};

/// How many shards there are: one for each bit of the marks.
const SHARDS: usize = u64::BITS as usize;

/// A shard: the entries, and the hashes of those that are marked.
struct AorShard<A: SharedAlloc> {
    entries: HashTable<Box<AorEntry<A>, A>, A>,
    marked: Vec<u64, A>,
}

/// All addresses of record with a subscription.
pub struct Registrations<A: SharedAlloc, L> {
    key: HashKey,
    shards: Vec<Mutex<L, AorShard<A>>, A>,
    /// The shards in which an address is marked.
    marks: AtomicU64,
    /// How many addresses there are.
    count: AtomicU64,
    alloc: A,
}

/// Where an address is: what marks it names the worker that looks after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AorShardNumber(u32);

impl AorShardNumber {
    /// Which of `workers` workers looks after it.
    #[must_use]
    pub fn worker(self, workers: usize) -> usize {
        (self.0 as usize).checked_rem(workers).unwrap_or(0)
    }
}

impl<A: SharedAlloc, L: RawMutex> Registrations<A, L> {
    /// Nobody follows anything. `key` should not be guessable: peers choose the addresses.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new(key: HashKey, alloc: A) -> Result<Self, OutOfMemory> {
        let mut shards = Vec::new_in(alloc.clone());
        shards.try_reserve_exact(SHARDS).map_err(|_| OutOfMemory)?;
        let shard = || AorShard { entries: HashTable::new_in(alloc.clone()), marked: Vec::new_in(alloc.clone()) };
        shards.extend(std::iter::repeat_with(|| Mutex::new(shard())).take(SHARDS));
        let [marks, count] = [(); 2].map(|()| AtomicU64::new(0));
        Ok(Self { key, shards, marks, count, alloc })
    }

    /// Follows an address for a subscription, which gets the state when a worker comes to it. Returns the marked shard.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing is left behind.
    pub fn follow(&self, aor: &[u8], subscription: u64) -> Result<AorShardNumber, OutOfMemory> {
        self.with_entry(aor, |entry| {
            entry.followers.try_reserve(1).map_err(|_| OutOfMemory)?;
            entry.followers.push(Follower { subscription, version: 0, is_new: true });
            entry.mark();
            Ok(())
        })
    }

    /// A subscription has ended.
    pub fn unfollow(&self, aor: &[u8], subscription: u64) {
        self.change(self.hash(aor), |entry| entry.unfollow(subscription));
    }

    /// The same where the address is not known. Looks through all of them.
    pub fn unfollow_anything(&self, subscription: u64) {
        for shard in &self.shards {
            let of_it = |entry: &&Box<AorEntry<A>, A>| {
                entry.followers.iter().any(|follower| follower.subscription == subscription)
            };
            let found = shard.lock().entries.iter().find(of_it).map(|entry| entry.aor.get(0).to_vec());
            if let Some(aor) = found {
                self.unfollow(&aor, subscription);
            }
        }
    }

    /// A message could not be queued: the subscription gets the state when a worker comes to it again.
    pub fn tell_again(&self, aor: &[u8], untold: &Follower) {
        let marked = self.look(aor, |entry| {
            let is_it = |follower: &&mut Follower| follower.subscription == untold.subscription;
            if let Some(follower) = entry.followers.iter_mut().find(is_it) {
                (follower.version, follower.is_new) = (untold.version, true);
                entry.mark();
            }
        });
        if marked.is_some() {
            self.list(aor);
        }
    }

    /// Has a worker look at an address that is marked.
    fn list(&self, aor: &[u8]) {
        let hash = self.hash(aor);
        let Some(mut shard) = self.shard(hash).map(Mutex::lock) else { return };
        let AorShard { entries, marked } = &mut *shard;
        let listed = entries.find_mut(hash, |entry| entry.is(hash, aor)).is_some_and(|entry| mark(marked, entry));
        drop(shard);
        self.set_mark(hash, listed);
    }

    /// Has a subscription end with the last contact of an address. Call it while the location service is locked and the address has a
    /// contact. One that is bound already stays so, unless it is just being ended.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn bind(&self, aor: &[u8], handle: u64) -> Result<RegistrationBinding, OutOfMemory> {
        let mut binding = RegistrationBinding::Bound { others: 0 };
        self.with_entry(aor, |entry| {
            binding = entry.bind(handle)?;
            Ok(())
        })?;
        Ok(binding)
    }

    /// The subscriptions that are bound to an address.
    #[must_use]
    pub fn bound_to(&self, aor: &[u8]) -> std::vec::Vec<u64> {
        let look = |entry: &mut AorEntry<A>| entry.bound.iter().map(|bound| bound.handle).collect();
        self.look(aor, look).unwrap_or_default()
    }

    /// These subscriptions have ended.
    pub fn unbind(&self, aor: &[u8], handles: &[u64]) {
        self.change(self.hash(aor), |entry| entry.bound.retain(|bound| !handles.contains(&bound.handle)));
    }

    /// Something has happened to a contact of an address: the shard to look at, if anybody is to hear of it.
    pub fn note(&self, aor: &[u8], event: ContactEvent, contact: &ContactFacts<'_>) -> Option<AorShardNumber> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let (hash, id) = (self.hash(aor), self.key.hash(contact.id));
        let marked = {
            let mut shard = self.shard(hash)?.lock();
            let AorShard { entries, marked } = &mut *shard;
            let entry = entries.find_mut(hash, |entry| entry.is(hash, aor))?;
            if !entry.note(event, id, contact, &self.alloc) {
                return None;
            }
            mark(marked, entry)
        };
        Some(self.set_mark(hash, marked))
    }

    /// Marks all addresses: the location service may have read its database, which it does not report. Returns the marked shards.
    pub fn mark_all(&self) -> std::vec::Vec<AorShardNumber> {
        let mut all = std::vec::Vec::new();
        for (number, shard) in (0..).zip(&self.shards) {
            let mut shard = shard.lock();
            let AorShard { entries, marked } = &mut *shard;
            for entry in entries.iter_mut() {
                entry.mark();
                entry.followers.iter_mut().for_each(|follower| follower.is_new = true);
                mark(marked, entry);
            }
            let is_marked = !marked.is_empty();
            drop(shard);
            if is_marked {
                all.push(self.set_bit(AorShardNumber(number)));
            }
        }
        all
    }

    /// The next address that this worker has to look at.
    #[must_use]
    pub fn next_marked(&self, worker: usize, workers: usize) -> Option<std::vec::Vec<u8>> {
        let mut marks = self.marks.load(Ordering::Acquire);
        while marks != 0 {
            let number = AorShardNumber(marks.trailing_zeros());
            marks &= marks.wrapping_sub(1);
            if number.worker(workers) != worker {
                continue;
            }
            // Before the shard is looked at: what is marked from now on sets it again.
            self.marks.fetch_and(!(1 << number.0), Ordering::AcqRel);
            if let Some(aor) = self.pop_marked(number) {
                self.set_bit(number);
                return Some(aor);
            }
        }
        None
    }

    fn pop_marked(&self, number: AorShardNumber) -> Option<std::vec::Vec<u8>> {
        let mut shard = self.shards.get(number.0 as usize)?.lock();
        let AorShard { entries, marked } = &mut *shard;
        // The entry may have gone since.
        while let Some(hash) = marked.pop() {
            if let Some(entry) = entries.find_mut(hash, |entry| entry.hash == hash && entry.is_listed) {
                entry.is_listed = false;
                return Some(entry.aor.get(0).to_vec());
            }
        }
        None
    }

    /// What is to be told of an address that has these contacts, by their ids; none if nothing is. Call it while the location service is
    /// locked.
    #[must_use]
    pub fn collect(&self, aor: &[u8], contacts: &[&[u8]]) -> Option<Collected> {
        let ids: std::vec::Vec<u64> = contacts.iter().map(|id| self.key.hash(id)).collect();
        self.look(aor, |entry| entry.collect(&ids)).flatten()
    }

    /// How an event that was collected names a contact.
    #[must_use]
    pub fn number_of(&self, contact: &[u8]) -> u64 {
        self.key.hash(contact)
    }

    /// How many addresses have subscriptions.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn hash(&self, aor: &[u8]) -> u64 {
        self.key.hash(aor)
    }

    /// Looks at an entry that is there.
    fn look<R>(&self, aor: &[u8], look: impl FnOnce(&mut AorEntry<A>) -> R) -> Option<R> {
        let hash = self.hash(aor);
        let mut shard = self.shard(hash)?.lock();
        shard.entries.find_mut(hash, |entry| entry.is(hash, aor)).map(|entry| look(entry))
    }

    /// Changes the entry of an address, which is made if there is none, and marks it if the change has.
    fn with_entry(
        &self,
        aor: &[u8],
        change: impl FnOnce(&mut AorEntry<A>) -> Result<(), OutOfMemory>,
    ) -> Result<AorShardNumber, OutOfMemory> {
        let hash = self.hash(aor);
        let mut shard = self.shard(hash).ok_or(OutOfMemory)?.lock();
        let changed = self.entry(&mut shard, hash, aor).and_then(change);
        let AorShard { entries, marked } = &mut *shard;
        let is_it = |entry: &Box<AorEntry<A>, A>| entry.is(hash, aor);
        let is_marked = entries.find_mut(hash, is_it).is_some_and(|entry| entry.is_marked && mark(marked, entry));
        drop(shard);
        if let Err(error) = changed {
            self.change(hash, |_| ());
            return Err(error);
        }
        Ok(self.set_mark(hash, is_marked))
    }

    /// The entry of an address, made if there is none.
    fn entry<'a>(&self, shard: &'a mut AorShard<A>, hash: u64, aor: &[u8]) -> Result<&'a mut AorEntry<A>, OutOfMemory> {
        let AorShard { entries, marked } = shard;
        if entries.find(hash, |entry| entry.is(hash, aor)).is_none() {
            let entry = AorEntry::try_new(hash, aor, &self.alloc)?;
            let entry = Box::try_new_in(entry, self.alloc.clone()).map_err(|_| OutOfMemory)?;
            // Each entry is in the list once: so marking never needs memory. Those of entries that are gone may be in it as well.
            marked.retain(|hash| entries.find(*hash, |entry| entry.hash == *hash && entry.is_listed).is_some());
            let wanted = (entries.len() + 1).saturating_sub(marked.len());
            marked.try_reserve(wanted).map_err(|_| OutOfMemory)?;
            entries.try_reserve(1, |entry| entry.hash).map_err(|_| OutOfMemory)?;
            entries.insert_unique(hash, entry, |entry| entry.hash);
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        entries.find_mut(hash, |entry| entry.is(hash, aor)).map(|entry| &mut **entry).ok_or(OutOfMemory)
    }

    /// Changes the entries with this hash, and removes unused ones.
    fn change(&self, hash: u64, change: impl Fn(&mut AorEntry<A>)) {
        let Some(shard) = self.shard(hash) else { return };
        let mut gone = std::vec::Vec::new();
        let mut shard = shard.lock();
        shard.entries.iter_hash_mut(hash).filter(|entry| entry.hash == hash).for_each(|entry| change(entry));
        while let Ok(found) = shard.entries.find_entry(hash, |entry| entry.hash == hash && entry.is_idle()) {
            gone.push(found.remove().0);
        }
        // Few are followed at a time, mostly: no room is kept for others.
        let empty = (shard.entries.is_empty() && shard.entries.capacity() + shard.marked.capacity() > 0).then(|| {
            let marked = std::mem::replace(&mut shard.marked, Vec::new_in(self.alloc.clone()));
            (std::mem::replace(&mut shard.entries, HashTable::new_in(self.alloc.clone())), marked)
        });
        drop(shard);
        self.count.fetch_sub(gone.len() as u64, Ordering::Relaxed);
        drop((gone, empty));
    }

    fn set_mark(&self, hash: u64, is_marked: bool) -> AorShardNumber {
        let number = AorShardNumber(u32::try_from(place_of(hash)).unwrap_or(0));
        if is_marked { self.set_bit(number) } else { number }
    }

    fn set_bit(&self, number: AorShardNumber) -> AorShardNumber {
        self.marks.fetch_or(1 << number.0, Ordering::AcqRel);
        number
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<L, AorShard<A>>> {
        self.shards.get(usize::try_from(place_of(hash)).ok()?)
    }
}

/// The shard of a hash: not by the bits that a table looks at first.
fn place_of(hash: u64) -> u64 {
    hash >> 32 & (SHARDS as u64 - 1)
}

/// Puts a marked entry into the list, if it is not there.
fn mark<A: SharedAlloc>(marked: &mut Vec<u64, A>, entry: &mut AorEntry<A>) -> bool {
    if !std::mem::replace(&mut entry.is_listed, true) {
        marked.push(entry.hash);
    }
    true
}
