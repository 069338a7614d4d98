//! The calls of local users, and who follows them, in shared memory.
//!
//! The module dialog tells of each call when it begins, changes and ends, in the process of that moment. [`Calls`] keeps what is to be said
//! of it at both parties that are local users, and marks those whom somebody follows. One worker for each user takes the marks
//! ([`Calls::next_marked`]), so that the documents of one user come in order.
//!
//! There is one lock, held for a few copies and never together with another one of the module.
#![forbid(unsafe_code)]

mod call;
mod table;
#[cfg(test)]
mod tests;
mod user;

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::lock_api::{Mutex, RawMutex};

use self::table::CallTable;
use crate::memory::{HashKey, OutOfMemory, Seldom, SharedAlloc};

#[cfg(test)]
pub use call::Side;
pub use call::{CallState, CallTexts, Party};
pub use user::{CallFollower, SeenCall, SeenEnd, UserCalls};

/// The most calls of one user that are followed at a time.
pub const MOST_CALLS: usize = 64;

/// The most bytes of all calls.
pub const MOST_BYTES: u64 = 64 << 20;

/// The calls of local users.
pub struct Calls<A: SharedAlloc, L> {
    table: Mutex<L, CallTable<A>>,
    /// Calls that there was no room for, at one party or at both.
    untracked: AtomicU64,
    /// The same since it was last said.
    unsaid: Seldom,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallUsage {
    /// Calls that are followed.
    pub calls: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// Calls that there was no room for since the start.
    pub untracked: u64,
}

/// The workers to ring: those of both parties.
pub type Ringing = [Option<usize>; 2];

impl<A: SharedAlloc, L: RawMutex> Calls<A, L> {
    /// No calls yet. `key` should not be guessable: callers choose the users. `workers` take the marks.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new(key: HashKey, workers: usize, alloc: A) -> Result<Self, OutOfMemory> {
        let table = Mutex::new(CallTable::try_new(key, workers, alloc)?);
        Ok(Self { table, untracked: AtomicU64::new(0), unsaid: Seldom::default() })
    }

    /// A call begins, between parties of whom one at least is local: its number, and whom to ring. A party that has too many calls does
    /// not get another one.
    ///
    /// # Errors
    /// There is no room for it at either party; it is counted.
    pub fn begin(
        &self,
        parties: &[Party<'_>; 2],
        texts: &CallTexts<'_>,
        state: CallState,
    ) -> Result<(u64, Ringing), OutOfMemory> {
        let begun = self.table.lock().begin(parties, texts, state);
        let lacks = begun.as_ref().map_or(true, |(_, _, lacks)| *lacks);
        self.count_untracked(lacks);
        begun.map(|(number, ringing, _)| (number, ringing))
    }

    /// The state of a call, and its texts where they may have changed. `state` is asked under the lock, so that the newest word counts,
    /// whichever process brings it. A number that is no call's any more is ignored.
    pub fn change(&self, number: u64, texts: Option<&CallTexts<'_>>, state: impl FnOnce() -> CallState) -> Ringing {
        let mut table = self.table.lock();
        let (ringing, gone, lacks) = table.change(number, texts, state);
        drop(table);
        drop(gone);
        self.count_untracked(lacks);
        ringing
    }

    /// The call is gone for good: it has ended, whatever was heard of it before.
    pub fn end(&self, number: u64) -> Ringing {
        self.table.lock().end(number)
    }

    /// Somebody follows the calls of a user from now on: the worker to ring, who tells the state.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nobody does.
    pub fn follow(&self, aor: &[u8], handle: u64) -> Result<Option<usize>, OutOfMemory> {
        self.table.lock().follow(aor, handle)
    }

    /// Nobody follows them with this handle any more.
    pub fn unfollow(&self, aor: &[u8], handle: u64) {
        self.table.lock().unfollow(aor, handle);
    }

    /// A follower could not be told: the next round tries again.
    pub fn tell_again(&self, aor: &[u8], handle: u64) {
        self.table.lock().tell_again(aor, handle);
    }

    /// The next user of this worker of whose calls somebody is to be told. Calls that have ended are in it for the last time.
    pub fn next_marked(&self, worker: usize) -> Option<UserCalls> {
        self.table.lock().next_marked(worker)
    }

    fn count_untracked(&self, is_lacking: bool) {
        if is_lacking {
            self.untracked.fetch_add(1, Ordering::Relaxed);
            self.unsaid.count(1);
        }
    }

    /// How many calls there was no room for since the last report, if that was `pause` seconds before `now`.
    pub fn untracked_news(&self, pause: u64, now: u64) -> Option<u64> {
        self.unsaid.news(pause, now)
    }

    /// What there is now.
    #[must_use]
    pub fn usage(&self) -> CallUsage {
        let (calls, bytes) = self.table.lock().usage();
        CallUsage { calls, bytes, untracked: self.untracked.load(Ordering::Relaxed) }
    }

    /// Whether nothing is kept: no call, and no user.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.table.lock().is_empty()
    }
}
