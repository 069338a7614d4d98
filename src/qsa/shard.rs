//! One shard of the table of internal subscriptions.

use super::entry::{InternalSubscription, wanted};
use super::error::QsaError;
use super::ids::{NotifierId, PackageId, QueueId, SubscriptionId};
use super::wanted::Wanted;
use crate::memory::{Occupant, SharedAlloc, Slots};
use crate::subscription::SharedUris;

/// How many shards the table has.
pub(super) const SHARDS: usize = 64;

/// How many slots a shard can have: a place within all shards has 32 bits.
const MOST_SLOTS: usize = u32::MAX as usize / SHARDS;

/// One shard: its lock is the hub's. Generations are the shard's, so that an empty shard can forget its slots.
pub(super) struct HubShard<A: SharedAlloc> {
    entries: Slots<InternalSubscription<A>, A>,
    generation: u32,
}

/// The part taken out of a shard: the entry, and all slots if it was the last.
pub(super) struct Removed<A: SharedAlloc> {
    _entry: InternalSubscription<A>,
    _slots: Option<Slots<InternalSubscription<A>, A>>,
}

/// A subscription found for a notifier that registers late: what is needed to offer it without a lock.
pub(super) struct Late<A: SharedAlloc> {
    pub(super) id: SubscriptionId,
    names: SharedUris<A>,
    queue: QueueId,
    subscriber_data: usize,
}

impl<A: SharedAlloc> Late<A> {
    pub(super) fn wanted<'a>(&'a self, package: &'a [u8]) -> Wanted<'a> {
        wanted(&self.names, package, self.queue, self.subscriber_data)
    }
}

impl<A: SharedAlloc> HubShard<A> {
    pub(super) fn new(alloc: A) -> Self {
        Self { entries: Slots::new_in(MOST_SLOTS, alloc), generation: 0 }
    }

    pub(super) fn insert(&mut self, shard: usize, entry: InternalSubscription<A>) -> Result<SubscriptionId, QsaError> {
        self.entries.try_reserve()?;
        let generation = self.generation.checked_add(1).unwrap_or(1);
        let at = self.entries.insert(|_| entry.numbered(generation)).ok_or(QsaError::Exhausted)?;
        self.generation = generation;
        Ok(id(generation, at, shard))
    }

    pub(super) fn get(&mut self, id: SubscriptionId) -> Option<&mut InternalSubscription<A>> {
        self.entries.find_mut(place(id), generation(id))
    }

    /// Removes the entry if it has ended and nothing holds on to it. To be dropped without the lock.
    pub(super) fn remove_if_done(&mut self, id: SubscriptionId) -> Option<Removed<A>> {
        self.get(id).filter(|entry| entry.is_done())?;
        let entry = self.entries.remove(place(id))?;
        Some(Removed { _entry: entry, _slots: self.entries.take_if_idle() })
    }

    /// Looks at up to `most` slots from `cursor` on for a subscription of `package` not yet offered to `notifier`. Where
    /// there is no memory to offer one, it stays without.
    pub(super) fn scan(
        &mut self,
        shard: usize,
        cursor: &mut u32,
        most: usize,
        package: PackageId,
        notifier: NotifierId,
    ) -> Scan<A> {
        let alloc = self.entries.allocator().clone();
        for _ in 0..most {
            let at = *cursor;
            if at as usize >= self.entries.len() {
                return Scan::End;
            }
            *cursor += 1;
            if let Some(entry) = self.entries.get_mut(at)
                && entry.package == package
                && entry.open_offer(notifier, &alloc) == Ok(true)
            {
                return Scan::Found(Late {
                    id: id(entry.generation(), at, shard),
                    names: entry.names.clone(),
                    queue: entry.queue,
                    subscriber_data: entry.subscriber_data,
                });
            }
        }
        Scan::More
    }

    #[cfg(test)]
    pub(super) fn live(&self) -> usize {
        self.entries.live() as usize
    }
}

/// The result of a look at some slots.
pub(super) enum Scan<A: SharedAlloc> {
    /// This one, now claimed for the notifier.
    Found(Late<A>),
    /// Nothing here; go on.
    More,
    /// The shard's end.
    End,
}

fn id(generation: u32, at: u32, shard: usize) -> SubscriptionId {
    SubscriptionId(u64::from(generation) << 32 | (at as usize * SHARDS + shard) as u64)
}

fn generation(id: SubscriptionId) -> u32 {
    (id.0 >> 32) as u32
}

fn place(id: SubscriptionId) -> u32 {
    id.0 as u32 / SHARDS as u32
}

/// The shard that keeps `id`.
pub(super) fn shard_of(id: SubscriptionId) -> usize {
    id.0 as usize % SHARDS
}
