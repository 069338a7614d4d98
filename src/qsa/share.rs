//! One subscription for many: who asks for the same thing is told by the same dialog.
//!
//! The *root* of a share is an ordinary subscription whose messages are handed on to the *members*, each in its own queue. The
//! lock of a shard of shares comes before all others of the hub; nobody is woken while it is held.
#![forbid(unsafe_code)]

use std::hash::BuildHasher;

use allocator_api2::vec::Vec;
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use parking_lot::lock_api::{Mutex, RawMutex};

use super::error::QsaError;
use super::hub::Hub;
use super::ids::SubscriptionId;
use super::message::{Message, Prepared, Texts};
use crate::memory::{OutOfMemory, Packed, SharedAlloc};
use crate::subscription::{News, Status};

/// How many shards the table has.
const SHARDS: usize = 64;

/// What members have in common: record, subscriber, package, parameters.
pub type ShareKey<'a> = [&'a [u8]; 4];

/// Names the share of a key. Not unique: where it names several, the members and roots tell them apart.
pub type ShareHash = u32;

struct Share<A: SharedAlloc> {
    hash: ShareHash,
    key: Packed<4, A>,
    root: SubscriptionId,
    members: Vec<SubscriptionId, A>,
    /// What a member that comes late is told: the newest state, with content type and body.
    newest: Option<(News, Texts<A>)>,
}

/// All shares.
pub struct Shares<A: SharedAlloc, L> {
    seed: u64,
    shards: Vec<Mutex<L, HashTable<Share<A>, A>>, A>,
    alloc: A,
}

/// What handing on a message came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandedOn {
    /// How many members could not be told for want of memory.
    pub untold: usize,
    /// It was the last message: the share is gone, and its root is to be unsubscribed.
    pub ended: bool,
}

impl<A: SharedAlloc, L: RawMutex> Shares<A, L> {
    /// No shares yet. `seed` should not be guessable.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new(seed: u64, alloc: A) -> Result<Self, OutOfMemory> {
        let mut shards = Vec::new_in(alloc.clone());
        shards.try_reserve_exact(SHARDS).map_err(|_| OutOfMemory)?;
        shards.extend(std::iter::repeat_with(|| Mutex::new(HashTable::new_in(alloc.clone()))).take(SHARDS));
        Ok(Self { seed, shards, alloc })
    }

    /// Joins `member` to the share with this key and tells it the newest state there is. The first member's `make` makes
    /// the root; it is told the share's hash and runs under the lock, so that nobody else makes another one.
    ///
    /// # Errors
    /// No memory, or `make`'s; nothing has changed then.
    pub fn join<E: From<OutOfMemory>>(
        &self,
        hub: &Hub<A, L>,
        key: ShareKey<'_>,
        member: SubscriptionId,
        make: impl FnOnce(ShareHash) -> Result<SubscriptionId, E>,
    ) -> Result<ShareHash, E> {
        let hash = self.hash(key);
        let Some(shard) = self.shard(hash) else { return Err(OutOfMemory.into()) };
        let mut shares = shard.lock();
        let mut told = None;
        match shares.find_mut(hash.into(), |share| share.has(key)) {
            Some(share) => {
                share.members.try_reserve(1).map_err(|_| OutOfMemory)?;
                share.members.push(member);
                if let Some((news, text)) = &share.newest {
                    told = hub.queue_prepared(member, news, Prepared::with(text.clone())).ok();
                }
            }
            None => {
                let mut members = Vec::new_in(self.alloc.clone());
                members.try_reserve_exact(1).map_err(|_| OutOfMemory)?;
                members.push(member);
                let packed = Packed::try_new(key, self.alloc.clone())?;
                shares.try_reserve(1, |share| share.hash.into()).map_err(|_| OutOfMemory)?;
                let root = make(hash)?;
                let share = Share { hash, key: packed, root, members, newest: None };
                shares.insert_unique(hash.into(), share, |share| share.hash.into());
            }
        }
        drop(shares);
        if let Some(told) = told {
            told.finish();
        }
        Ok(hash)
    }

    /// Takes a member out; gives the root when it was the last one, to be unsubscribed. The share is gone then.
    #[must_use]
    pub fn leave(&self, hash: ShareHash, member: SubscriptionId) -> Option<SubscriptionId> {
        let mut shares = self.shard(hash)?.lock();
        let mut entry = shares.find_entry(hash.into(), |share| share.members.contains(&member)).ok()?;
        let share = entry.get_mut();
        share.members.retain(|one| *one != member);
        if !share.members.is_empty() {
            return None;
        }
        let (share, _) = entry.remove();
        drop(shares);
        Some(share.root)
    }

    /// Hands a message of a root on to all members, in the order of the root's messages when one process does so.
    pub fn hand_on(&self, hub: &Hub<A, L>, hash: ShareHash, message: &Message<A>) -> HandedOn {
        let mut done = HandedOn::default();
        let mut pushed = std::vec::Vec::new();
        let Some(shard) = self.shard(hash) else { return done };
        let mut shares = shard.lock();
        let Ok(mut entry) = shares.find_entry(hash.into(), |share| share.root == message.subscription()) else {
            return done;
        };
        let share = entry.get_mut();
        share.remember(message);
        for member in &share.members {
            match hub.queue_prepared(*member, message.news(), Prepared::with(message.texts())) {
                Ok(one) => pushed.push(one),
                // Whoever has ended or has no queue any more misses nothing.
                Err(error) => done.untold += usize::from(matches!(error, QsaError::OutOfMemory(_))),
            }
        }
        let ended = message.is_last().then(|| entry.remove().0);
        drop(shares);
        done.ended = ended.is_some();
        for one in pushed {
            one.finish();
        }
        done
    }

    /// How many members share the root of this share; 0 when there is none.
    #[cfg(test)]
    pub fn members(&self, hash: ShareHash, root: SubscriptionId) -> usize {
        let Some(shard) = self.shard(hash) else { return 0 };
        shard.lock().find(hash.into(), |share| share.root == root).map_or(0, |share| share.members.len())
    }

    #[allow(clippy::cast_possible_truncation, reason = "half of the hash")]
    fn hash(&self, key: ShareKey<'_>) -> ShareHash {
        FixedState::with_seed(self.seed).hash_one(key) as ShareHash
    }

    fn shard(&self, hash: ShareHash) -> Option<&Mutex<L, HashTable<Share<A>, A>>> {
        self.shards.get(hash as usize % SHARDS)
    }
}

impl<A: SharedAlloc> Share<A> {
    fn has(&self, key: ShareKey<'_>) -> bool {
        key.iter().enumerate().all(|(index, part)| self.key.get(index) == *part)
    }

    /// Keeps what is the state now; news without a body leave the body there was.
    fn remember(&mut self, message: &Message<A>) {
        let news = *message.news();
        // A late member is told where the subscription itself stands; a fork's next word reaches it as it comes.
        if news.fork != 0 {
            return;
        }
        if !matches!(news.status, Status::Active | Status::Pending) {
            self.newest = None;
            return;
        }
        // How long until an attempt is not true any more when somebody comes late.
        let news = News { next_attempt: None, ..news };
        match &mut self.newest {
            Some((known, _)) if !news.with_body => *known = News { with_body: known.with_body, ..news },
            newest => *newest = Some((news, message.texts())),
        }
    }
}
