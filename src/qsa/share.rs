//! Shares: one dialog for all subscriptions that ask for the same.
//!
//! The *root* of a share is an ordinary subscription whose messages are handed on to the *members*, each in its own queue. The
//! first member makes the root in three steps, so that its notifier is called without any lock:
//!
//! 1. Reserve: the root is entered into the hub, and the share into the table. A subscriber that comes now is a member.
//! 2. Make: the root is offered to its notifier. What that tells at once reaches all members, as the root is known already.
//! 3. If the notifier refuses, yield: the share is taken out again, the first member is refused, and the others are told the end.
//!
//! A shard's lock comes before those of the hub's subscriptions and queues. While it is held, no notifier is called or process woken.

use allocator_api2::vec::Vec;
use hashbrown::HashTable;
use parking_lot::lock_api::{Mutex, RawMutex};

use super::error::QsaError;
use super::hub::Hub;
use super::ids::{DomainId, SubscriptionId};
use super::message::{Message, MessageTexts, Prepared};
use super::wanted::Wanted;
use crate::memory::{HashKey, OutOfMemory, Packed, SharedAlloc};
use crate::subscription::{News, Reason, Status};

/// How many shards the table has.
const SHARDS: usize = 64;

/// The parts that members have in common: record, subscriber, package, parameters.
pub type ShareKey<'a> = [&'a [u8]; 4];

/// Names the share of a key. Not unique: where it names several, the members and roots tell them apart.
pub type ShareHash = u32;

struct Share<A: SharedAlloc> {
    hash: ShareHash,
    key: Packed<4, A>,
    root: SubscriptionId,
    members: Vec<SubscriptionId, A>,
    /// The message for a member that comes late: the newest state, with content type and body.
    newest: Option<(News, MessageTexts<A>)>,
}

/// All shares.
pub struct Shares<A: SharedAlloc, L> {
    key: HashKey,
    shards: Vec<Mutex<L, HashTable<Share<A>, A>>, A>,
    alloc: A,
}

/// The result of handing on a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandedOn {
    /// How many members could not be told, because there was no memory.
    pub untold: usize,
    /// It was the last message: the share is gone, and its root is to be unsubscribed.
    pub ended: bool,
}

/// Why a subscription does not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotShared {
    /// Why there is no root, or no place in its share.
    pub error: QsaError,
    /// How many members that joined in the meantime could not be told the end, because there was no memory.
    pub untold: usize,
}

impl<E: Into<QsaError>> From<E> for NotShared {
    fn from(error: E) -> Self {
        Self { error: error.into(), untold: 0 }
    }
}

/// Where a member has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JoinedAs {
    /// Into a share with others.
    Member,
    /// Into a share of its own: it makes the root.
    First,
    /// There is no share.
    Nowhere,
}

/// The root of a share is being made. If a notifier panics, the share goes.
struct Making<'a, A: SharedAlloc, L: RawMutex> {
    shares: &'a Shares<A, L>,
    hub: &'a Hub<A, L>,
    hash: ShareHash,
    root: SubscriptionId,
    member: SubscriptionId,
    is_settled: bool,
}

impl<A: SharedAlloc, L: RawMutex> Drop for Making<'_, A, L> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.shares.give_up(self.hub, self.hash, self.root, self.member);
            let _ = self.hub.unsubscribe(self.root);
        }
    }
}

impl<A: SharedAlloc, L: RawMutex> Shares<A, L> {
    /// No shares yet. `key` should not be guessable.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new(key: HashKey, alloc: A) -> Result<Self, OutOfMemory> {
        let mut shards = Vec::new_in(alloc.clone());
        shards.try_reserve_exact(SHARDS).map_err(|_| OutOfMemory)?;
        shards.extend(std::iter::repeat_with(|| Mutex::new(HashTable::new_in(alloc.clone()))).take(SHARDS));
        Ok(Self { key, shards, alloc })
    }

    /// Joins `member` to the share with this key and tells it the newest state there is. The first member makes the root, which is what
    /// `root` says of the share's hash, in this domain.
    ///
    /// # Errors
    /// [`NotShared`]; nothing is left behind.
    pub fn join<'w>(
        &self,
        hub: &Hub<A, L>,
        (domain, key): (DomainId, ShareKey<'_>),
        member: SubscriptionId,
        root: impl FnOnce(ShareHash) -> Wanted<'w>,
    ) -> Result<ShareHash, NotShared> {
        let hash = self.hash(key);
        if self.place(hub, hash, key, member, None)? == JoinedAs::Member {
            return Ok(hash);
        }
        let wanted = root(hash);
        let entered = hub.enter(domain, &wanted)?;
        let share = Share::try_new(hash, key, member, entered.id, &self.alloc);
        match share.and_then(|share| self.place(hub, hash, key, member, Some(share))) {
            Ok(JoinedAs::First) => {}
            // Another one was faster.
            Ok(JoinedAs::Member | JoinedAs::Nowhere) => {
                let _ = hub.unsubscribe(entered.id);
                return Ok(hash);
            }
            Err(error) => {
                let _ = hub.unsubscribe(entered.id);
                return Err(error.into());
            }
        }
        let mut making = Making { shares: self, hub, hash, root: entered.id, member, is_settled: false };
        match hub.offer_to_all(entered, &wanted) {
            Ok(_) => {
                making.is_settled = true;
                Ok(hash)
            }
            Err(error) => {
                making.is_settled = true;
                Err(NotShared { error, untold: self.give_up(hub, hash, entered.id, member) })
            }
        }
    }

    /// Joins a member to the share there is, or puts the new one there, if there is one.
    fn place(
        &self,
        hub: &Hub<A, L>,
        hash: ShareHash,
        key: ShareKey<'_>,
        member: SubscriptionId,
        new: Option<Share<A>>,
    ) -> Result<JoinedAs, OutOfMemory> {
        let mut shares = self.shard(hash).ok_or(OutOfMemory)?.lock();
        if let Some(share) = shares.find_mut(hash.into(), |share| share.has(key)) {
            share.members.try_reserve(1).map_err(|_| OutOfMemory)?;
            share.members.push(member);
            let newest = share.newest.as_ref();
            let told =
                newest.and_then(|(news, texts)| hub.queue_prepared(member, news, Prepared::with(texts.clone())).ok());
            drop(shares);
            if let Some(told) = told {
                told.finish();
            }
            return Ok(JoinedAs::Member);
        }
        if new.is_some() {
            shares.try_reserve(1, |share| share.hash.into()).map_err(|_| OutOfMemory)?;
        }
        Ok(match new {
            None => JoinedAs::Nowhere,
            Some(new) => {
                shares.insert_unique(hash.into(), new, |share| share.hash.into());
                JoinedAs::First
            }
        })
    }

    /// The root could not be made: the share goes, and its other members are told the end. Returns how many could not be told
    /// because there was no memory.
    fn give_up(&self, hub: &Hub<A, L>, hash: ShareHash, root: SubscriptionId, first: SubscriptionId) -> usize {
        let Some(shard) = self.shard(hash) else { return 0 };
        let mut shares = shard.lock();
        // Its root may have been made by a notifier that refused it at once: then all have been told.
        let Ok(entry) = shares.find_entry(hash.into(), |share| share.root == root) else { return 0 };
        let (share, _) = entry.remove();
        drop(shares);
        let news = News { code: 503, last: true, ..News::new(Status::Terminated, Reason::ServiceUnavailable) };
        let others = share.members.iter().filter(|member| **member != first);
        let told = others.map(|member| hub.notify_news(*member, &news, b"", b""));
        told.filter(|told| matches!(told, Err(QsaError::OutOfMemory(_)))).count()
    }

    /// Takes a member out; gives the root when it was the last one, to be unsubscribed. The share is gone then. While the root is being made
    /// its first member stays in.
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
        let outdated = share.remember(message);
        for member in &share.members {
            match hub.queue_prepared(*member, message.news(), Prepared::with(message.texts())) {
                Ok(one) => pushed.push(one),
                // A member that has ended, or has no queue any more, misses nothing.
                Err(error) => done.untold += usize::from(matches!(error, QsaError::OutOfMemory(_))),
            }
        }
        let ended = message.is_last().then(|| entry.remove().0);
        drop(shares);
        drop(outdated);
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

    /// The root of the share that has this member.
    #[must_use]
    pub fn root_of(&self, hash: ShareHash, member: SubscriptionId) -> Option<SubscriptionId> {
        self.shard(hash)?.lock().find(hash.into(), |share| share.members.contains(&member)).map(|share| share.root)
    }

    /// The hash of the share with this key.
    #[cfg(test)]
    pub fn hash_of(&self, key: ShareKey<'_>) -> ShareHash {
        self.hash(key)
    }

    // Cut on purpose: half of the hash.
    fn hash(&self, key: ShareKey<'_>) -> ShareHash {
        self.key.hash(key) as ShareHash
    }

    fn shard(&self, hash: ShareHash) -> Option<&Mutex<L, HashTable<Share<A>, A>>> {
        self.shards.get(hash as usize % SHARDS)
    }
}

impl<A: SharedAlloc> Share<A> {
    fn try_new(
        hash: ShareHash,
        key: ShareKey<'_>,
        member: SubscriptionId,
        root: SubscriptionId,
        alloc: &A,
    ) -> Result<Self, OutOfMemory> {
        let mut members = Vec::new_in(alloc.clone());
        members.try_reserve_exact(1).map_err(|_| OutOfMemory)?;
        members.push(member);
        let key = Packed::try_new(key, alloc.clone())?;
        Ok(Self { hash, key, root, members, newest: None })
    }

    fn has(&self, key: ShareKey<'_>) -> bool {
        key.iter().enumerate().all(|(index, part)| self.key.get(index) == *part)
    }

    /// Keeps what is the state now; news without a body leave the body there was. What is kept no longer is to be dropped without the
    /// lock.
    fn remember(&mut self, message: &Message<A>) -> Option<(News, MessageTexts<A>)> {
        let news = *message.news();
        // A late member is told the newest state of the subscription itself; a fork's next message reaches it when it
        // comes.
        if news.fork != 0 {
            return None;
        }
        if !matches!(news.status, Status::Active | Status::Pending) {
            return self.newest.take();
        }
        // The time until the next attempt is not true any more for a later member.
        let news = News { next_attempt: None, ..news };
        match &mut self.newest {
            Some((known, _)) if !news.with_body => {
                *known = News { with_body: known.with_body, ..news };
                None
            }
            newest => newest.replace((news, message.texts())),
        }
    }
}
