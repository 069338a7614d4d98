//! One publication, and the table of all.

use std::time::Duration;

use hashbrown::HashTable;

use super::{BySlot, Claim, UserKey};
use crate::document::PublishedPackage;
use crate::memory::{OutOfMemory, Packed, SharedAlloc, SharedTexts, Slots};
use crate::time::{Deadlines, Millis};

/// Content type and body, as they came.
pub type PublishedDocument<A> = SharedTexts<2, A>;

/// What the presence server is to be told.
pub struct PublishTask<A: SharedAlloc> {
    pub(super) slot: u32,
    /// Counts what has been noted.
    pub(super) noted: u32,
    /// The event package.
    pub package: PublishedPackage,
    /// The URI of the user.
    pub uri: Vec<u8>,
    /// The state; `None` while it is not known.
    pub document: Option<PublishedDocument<A>>,
    /// 0 once it has ended.
    pub(super) subscription: u64,
    /// The subscription has ended, and so does the state.
    pub is_end: bool,
    /// The presence server may have a state of it.
    pub is_there: bool,
    /// The fingerprint of what it has for sure.
    pub told: Option<u64>,
    /// When it was told so.
    pub told_at: Millis,
}

/// How a task has come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The presence server has the document with this fingerprint, which is to be renewed after that time.
    Told(u64, Duration),
    /// It had it before: nothing was done, and it is to be renewed that long after it was told.
    Unchanged(Duration),
    /// Nothing is to be told yet.
    Nothing,
    /// It has lost its state.
    Removed,
    /// It refused; again after that time.
    Failed(Duration),
}

/// The state of one user in one package.
pub(super) struct Publication<A: SharedAlloc> {
    /// Target and URI.
    names: Packed<2, A>,
    record: Packed<1, A>,
    package: PublishedPackage,
    /// A worker is busy with it.
    busy: bool,
    is_there: bool,
    /// The module has stopped publishing its subscription.
    pub(super) stopped: bool,
    noted: u32,
    /// 0 once it has ended.
    pub(super) subscription: u64,
    document: Option<PublishedDocument<A>>,
    told: Option<u64>,
    told_at: Millis,
}

impl<A: SharedAlloc> Publication<A> {
    pub(super) fn try_new(subscription: u64, claim: &Claim<'_>, alloc: A) -> Result<Self, OutOfMemory> {
        Ok(Self {
            names: Packed::try_new([claim.target, claim.uri], alloc.clone())?,
            record: Packed::try_new([claim.record], alloc)?,
            package: claim.package,
            busy: false,
            is_there: false,
            stopped: false,
            noted: 0,
            subscription,
            document: None,
            told: None,
            told_at: Millis(0),
        })
    }

    /// Its subscription has ended; another one takes its place, without a state so far.
    pub(super) fn take_over(&mut self, subscription: u64, record: &[u8], alloc: A) -> Result<(), OutOfMemory> {
        self.record = Packed::try_new([record], alloc)?;
        self.subscription = subscription;
        self.stopped = false;
        self.noted = self.noted.wrapping_add(1);
        Ok(())
    }

    pub(super) fn target(&self) -> UserKey<'_> {
        (self.package, self.names.get(0))
    }

    pub(super) fn uri(&self) -> &[u8] {
        self.names.get(1)
    }

    pub(super) fn record(&self) -> &[u8] {
        self.record.get(0)
    }

    /// Its subscription has ended. What is given back is to be dropped without the lock.
    pub(super) fn end(&mut self) -> Option<PublishedDocument<A>> {
        self.subscription = 0;
        self.noted = self.noted.wrapping_add(1);
        self.document.take()
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_done(&self) -> bool {
        self.subscription == 0 && !self.is_there && !self.busy
    }

    /// As [`Publications::note`](super::Publications::note). What is given back is to be dropped without the lock.
    pub(super) fn note(&mut self, document: Option<PublishedDocument<A>>) -> Option<PublishedDocument<A>> {
        self.noted = self.noted.wrapping_add(1);
        std::mem::replace(&mut self.document, document)
    }

    /// As [`Publications::done`](super::Publications::done): when it is due next.
    pub(super) fn done(&mut self, task: &PublishTask<A>, outcome: Outcome, now: Millis) -> Millis {
        self.busy = false;
        let next = match outcome {
            Outcome::Told(fingerprint, renewal) => {
                (self.is_there, self.told, self.told_at) = (true, Some(fingerprint), now);
                now.after(renewal)
            }
            Outcome::Unchanged(renewal) => self.told_at.after(renewal),
            Outcome::Nothing => Millis(u64::MAX),
            Outcome::Removed => {
                (self.is_there, self.told) = (false, None);
                Millis(u64::MAX)
            }
            Outcome::Failed(pause) => {
                // What the presence server has now is not known.
                (self.is_there, self.told) = (true, None);
                return now.after(pause);
            }
        };
        if self.noted == task.noted { next } else { now }
    }
}

/// All publications.
pub(super) struct PublicationTable<A: SharedAlloc> {
    pub(super) slots: Slots<Publication<A>, A>,
    /// By the hash of package and target.
    pub(super) by_target: BySlot<A>,
    /// By subscription.
    pub(super) by_subscription: BySlot<A>,
    pub(super) deadlines: Deadlines<A>,
}

impl<A: SharedAlloc> PublicationTable<A> {
    pub(super) fn new(most: usize, alloc: A) -> Self {
        Self {
            slots: Slots::new_in(most, alloc.clone()),
            by_target: HashTable::new_in(alloc.clone()),
            by_subscription: HashTable::new_in(alloc.clone()),
            deadlines: Deadlines::new_in(alloc),
        }
    }

    pub(super) fn find(&self, hash: u64, user: UserKey<'_>) -> Option<u32> {
        let is_it = |(_, slot): &(u64, u32)| self.slots.get(*slot).is_some_and(|found| found.target() == user);
        self.by_target.find(hash, is_it).map(|(_, slot)| *slot)
    }

    pub(super) fn slot_of(&self, hash: u64, subscription: u64) -> Option<u32> {
        self.by_subscription.find(hash, |(of, _)| *of == subscription).map(|(_, slot)| *slot)
    }

    /// The slot of one that no worker is busy with.
    pub(super) fn idle_slot(&self) -> Option<u32> {
        let is_idle = |slot: &u32| self.slots.get(*slot).is_some_and(|found| !found.busy);
        self.by_target.iter().map(|(_, slot)| *slot).find(is_idle)
    }

    /// A worker is busy with a publication from now on, unless one is already: then that one learns of what has come.
    pub(super) fn start(&mut self, slot: u32) -> Option<PublishTask<A>> {
        self.deadlines.set(slot, None);
        let found = self.slots.get_mut(slot).filter(|found| !found.busy)?;
        found.busy = true;
        Some(PublishTask {
            slot,
            noted: found.noted,
            package: found.package,
            uri: found.uri().to_vec(),
            document: found.document.clone().filter(|_| !found.stopped),
            subscription: found.subscription,
            is_end: found.subscription == 0,
            is_there: found.is_there,
            told: found.told,
            told_at: found.told_at,
        })
    }
}
