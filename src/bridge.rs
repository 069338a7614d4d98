//! Which subscriptions' states are those of users of a presence server, and what that server has been told: in shared memory.
//!
//! A subscription [claims](Publications::claim) a user in a package before it is made, so that no two publish the state of one. From then on
//! its news are noted ([`Publications::note`]), and a worker takes what is due ([`Publications::take`],
//! [`Publications::take_due`]), tells the presence server without a lock, and [reports](Publications::done). Of one publication, one worker is
//! busy with it at a time. What comes in the meantime is published next, so that many messages cost one update.
//!
//! All is behind one lock: few things are done under it, each in constant time. It is locked alone.
#![forbid(unsafe_code)]

mod publication;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;
use parking_lot::lock_api::{Mutex, RawMutex};

use self::publication::{Publication, PublicationTable};
use crate::document::PublishedPackage;
use crate::memory::{HashKey, OutOfMemory, SharedAlloc};
use crate::time::{Due, Millis};

pub use publication::{Outcome, PublishTask, PublishedDocument};

/// The most publications: as many as subscriptions.
const MOST: usize = 1 << 22;

/// How far a chain of publications is followed that might be a circle.
const LONGEST_CHAIN: usize = 32;

/// How many due publications that others are busy with are postponed at a time.
const MOST_BUSY: usize = 64;

/// A user in an event package, as one text each: the same for all that mean the same.
pub type UserKey<'a> = (PublishedPackage, &'a [u8]);

/// A claim of the state of a user.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The event package.
    pub package: PublishedPackage,
    /// The user whose state it becomes.
    pub target: &'a [u8],
    /// Its URI, for documents.
    pub uri: &'a [u8],
    /// The user whose state the subscription is about.
    pub record: &'a [u8],
}

/// Why a subscription cannot publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotClaimed {
    /// Another subscription has this user.
    Taken,
    /// The state would come back to where it is from.
    Circle,
    /// There is no memory.
    OutOfMemory,
}

impl From<OutOfMemory> for NotClaimed {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// All publications.
pub struct Publications<A: SharedAlloc, L> {
    key: HashKey,
    table: Mutex<L, PublicationTable<A>>,
    /// How many there are, to be asked without the lock.
    count: AtomicU64,
    alloc: A,
}

impl<A: SharedAlloc, L: RawMutex> Publications<A, L> {
    /// None yet. `key` should not be guessable: subscribers and peers choose the texts.
    #[must_use]
    pub fn new(key: HashKey, alloc: A) -> Self {
        let table = Mutex::new(PublicationTable::new(MOST, alloc.clone()));
        Self { key, table, count: AtomicU64::new(0), alloc }
    }

    /// How many there are, with those that are being ended.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What identifies a document without being one.
    #[must_use]
    pub fn fingerprint(&self, document: &[u8]) -> u64 {
        self.key.hash(document)
    }

    /// Claims a user for a subscription. One whose subscription has ended is taken over, with what the presence server still has.
    ///
    /// # Errors
    /// [`NotClaimed`]; nothing has changed.
    pub fn claim(&self, subscription: u64, claim: &Claim<'_>, now: Millis) -> Result<(), NotClaimed> {
        let mut table = self.table.lock();
        let claimed = self.enter(&mut table, subscription, claim, now);
        let is_unused = claimed.is_err() && table.slots.live() == 0;
        let unused = is_unused.then(|| std::mem::replace(&mut *table, PublicationTable::new(MOST, self.alloc.clone())));
        drop(table);
        drop(unused);
        claimed
    }

    fn enter(
        &self,
        table: &mut PublicationTable<A>,
        subscription: u64,
        claim: &Claim<'_>,
        now: Millis,
    ) -> Result<(), NotClaimed> {
        let hash = self.hash((claim.package, claim.target));
        self.closes_no_circle(table, claim)?;
        let of_subscription = |(of, _): &(u64, u32)| self.key.hash(*of);
        table.by_subscription.try_reserve(1, of_subscription).map_err(|_| OutOfMemory)?;
        let slot = match table.find(hash, (claim.package, claim.target)) {
            Some(slot) => {
                let found = table.slots.get_mut(slot).filter(|found| found.subscription == 0);
                found.ok_or(NotClaimed::Taken)?.take_over(subscription, claim.record, self.alloc.clone())?;
                table.deadlines.set(slot, Some(now));
                slot
            }
            None => {
                table.by_target.try_reserve(1, |(hash, _)| *hash).map_err(|_| OutOfMemory)?;
                table.slots.try_reserve()?;
                table.deadlines.try_reserve(table.slots.len())?;
                let made = Publication::try_new(subscription, claim, self.alloc.clone())?;
                let slot = table.slots.insert(|_| made).ok_or(OutOfMemory)?;
                table.by_target.insert_unique(hash, (hash, slot), |(hash, _)| *hash);
                self.count.fetch_add(1, Ordering::Relaxed);
                slot
            }
        };
        table.by_subscription.insert_unique(self.key.hash(subscription), (subscription, slot), of_subscription);
        Ok(())
    }

    /// Who publishes the record's state, whose record is published by whom, and so on: the new target must not be among them. A state that is
    /// published as the record's own makes no circle: it changes nothing.
    fn closes_no_circle(&self, table: &PublicationTable<A>, claim: &Claim<'_>) -> Result<(), NotClaimed> {
        if claim.target == claim.record {
            return Ok(());
        }
        let mut record = claim.record;
        for _ in 0..LONGEST_CHAIN {
            let slot = table.find(self.hash((claim.package, record)), (claim.package, record));
            let publisher = slot.and_then(|slot| table.slots.get(slot)).filter(|found| found.subscription != 0);
            let Some(publisher) = publisher.filter(|publisher| publisher.record() != record) else { return Ok(()) };
            record = publisher.record();
            if record == claim.target {
                return Err(NotClaimed::Circle);
            }
        }
        Err(NotClaimed::Circle)
    }

    /// The URI as which a subscription publishes.
    #[must_use]
    pub fn uri_of(&self, subscription: u64) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let table = self.table.lock();
        let slot = table.slot_of(self.key.hash(subscription), subscription)?;
        table.slots.get(slot).map(|found| found.uri().to_vec())
    }

    /// The subscription has ended: what it has published is to be taken back. Whether a worker has anything to do.
    pub fn end(&self, subscription: u64, now: Millis) -> bool {
        if self.is_empty() {
            return false;
        }
        let hash = self.key.hash(subscription);
        let mut table = self.table.lock();
        let Ok(entry) = table.by_subscription.find_entry(hash, |(of, _)| *of == subscription) else { return false };
        let ((_, slot), _) = entry.remove();
        let gone = table.slots.get_mut(slot).map(Publication::end);
        let removed = self.remove_if_done(&mut table, slot);
        let is_done = removed.is_some();
        if !is_done {
            table.deadlines.set(slot, Some(now));
        }
        drop(table);
        drop((gone, removed));
        !is_done
    }

    /// Notes the newest state of a subscription; `None`: it has become unknown.
    pub fn note(&self, subscription: u64, document: Option<PublishedDocument<A>>) {
        let mut table = self.table.lock();
        let slot = table.slot_of(self.key.hash(subscription), subscription);
        let gone = slot.and_then(|slot| table.slots.get_mut(slot)).map(|found| found.note(document));
        drop(table);
        drop(gone);
    }

    /// Whether a subscription publishes.
    #[must_use]
    pub fn has(&self, subscription: u64) -> bool {
        !self.is_empty() && self.table.lock().slot_of(self.key.hash(subscription), subscription).is_some()
    }

    /// What the presence server is to be told of a subscription's state now; nothing while a worker is busy with it, which learns at the end
    /// that there is more.
    #[must_use]
    pub fn take(&self, subscription: u64) -> Option<PublishTask<A>> {
        let mut table = self.table.lock();
        let slot = table.slot_of(self.key.hash(subscription), subscription)?;
        table.start(slot)
    }

    /// The next that is due.
    #[must_use]
    pub fn take_due(&self, now: Millis) -> Option<PublishTask<A>> {
        if self.is_empty() {
            return None;
        }
        let mut table = self.table.lock();
        for _ in 0..MOST_BUSY {
            match table.deadlines.due(now) {
                Due::Slot(slot) => {
                    if let Some(task) = table.start(slot) {
                        return Some(task);
                    }
                }
                Due::Nothing => return None,
                Due::Unsorted => {}
            }
        }
        None
    }

    /// The next of all, due or not, of which the presence server has a state: for the end of the server. It counts as ended. One that another
    /// worker is busy with is left to that.
    #[must_use]
    pub fn take_any(&self) -> Option<PublishTask<A>> {
        loop {
            let mut table = self.table.lock();
            let slot = table.idle_slot()?;
            let gone = table.slots.get_mut(slot).map(Publication::end);
            let task = table.start(slot).filter(|task| task.is_there);
            if task.is_some() {
                drop(table);
                drop(gone);
                return task;
            }
            let removed = self.remove(&mut table, slot);
            drop(table);
            drop((gone, removed));
        }
    }

    /// When something is due next.
    #[must_use]
    pub fn next_due(&self) -> Option<Millis> {
        if self.is_empty() { None } else { self.table.lock().deadlines.earliest() }
    }

    /// Stops publishing the subscription of a task: watchers see its state as unknown until it ends.
    pub fn stop(&self, task: &PublishTask<A>) {
        let mut table = self.table.lock();
        let found = table.slots.get_mut(task.slot).filter(|found| found.subscription == task.subscription);
        if let Some(found) = found {
            found.stopped = true;
        }
    }

    /// A worker has done with a task. Whether there is more to tell right away.
    pub fn done(&self, task: &PublishTask<A>, outcome: Outcome, now: Millis) -> bool {
        let mut table = self.table.lock();
        let Some(found) = table.slots.get_mut(task.slot) else { return false };
        let next = found.done(task, outcome, now);
        let removed = self.remove_if_done(&mut table, task.slot);
        if removed.is_none() {
            table.deadlines.set(task.slot, Some(next));
        }
        drop(table);
        let is_there = removed.is_none();
        drop(removed);
        is_there && next <= now
    }

    fn remove_if_done(&self, table: &mut PublicationTable<A>, slot: u32) -> Option<TakenOut<A>> {
        table.slots.get(slot).filter(|found| found.is_done())?;
        self.remove(table, slot)
    }

    /// Takes a publication out: to be dropped without the lock.
    fn remove(&self, table: &mut PublicationTable<A>, slot: u32) -> Option<TakenOut<A>> {
        let found = table.slots.get(slot)?;
        let (target, subscription) = (self.hash(found.target()), found.subscription);
        if let Ok(entry) = table.by_target.find_entry(target, |(_, of)| *of == slot) {
            entry.remove();
        }
        if let Ok(entry) = table.by_subscription.find_entry(self.key.hash(subscription), |(_, of)| *of == slot) {
            entry.remove();
        }
        table.deadlines.set(slot, None);
        let publication = table.slots.remove(slot);
        let is_last = self.count.fetch_sub(1, Ordering::Relaxed) == 1;
        let empty = || std::mem::replace(table, PublicationTable::new(MOST, self.alloc.clone()));
        Some((publication, is_last.then(empty)))
    }

    fn hash(&self, user: UserKey<'_>) -> u64 {
        self.key.hash(user)
    }
}

/// A publication that has been taken out, and the memory of all if it was the last.
type TakenOut<A> = (Option<Publication<A>>, Option<PublicationTable<A>>);

/// A table of the slots of what has a hash.
type BySlot<A> = HashTable<(u64, u32), A>;
