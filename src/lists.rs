//! Rosters of resources (RFC 4662): one message for each resource, and which resources there were.
//!
//! The body of a list is taken apart where its message is consumed, in the memory of that process ([`Expansion`]). What is remembered of
//! the lists of a subscription, so that a resource that has vanished is told, is its roster in shared memory.
//!
//! The lock of a shard of rosters is never held together with another one.
#![forbid(unsafe_code)]

mod expansion;
mod roster;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use hashbrown::HashTable;
use parking_lot::lock_api::{Mutex, RawMutex};

use self::roster::{ListPlace, Roster};
use crate::memory::{HashKey, OutOfMemory, SharedAlloc};
use crate::qsa::{Delivered, Hub, SubscriptionId};

pub use expansion::Expansion;

/// How many shards of rosters there are.
const SHARDS: usize = 64;

/// Learns that a document of the subscription's lists is missing. Called without a lock.
pub type OnGap = fn(SubscriptionId);

/// Learns that so many resources of the subscription's lists found no room in its roster. Called without a lock.
pub type OnUnremembered = fn(SubscriptionId, u64);

/// Learns why the body of a subscription's list cannot be read: it is told as one message. Called without a lock.
pub type OnFault = fn(SubscriptionId, &dyn Display);

/// Hears of the state of a resource, which has this number as long as the resource is remembered, and may tell another document of it.
/// Whether the state is kept. Called without a lock.
pub type OnState<A> = fn(SubscriptionId, u64, &mut Delivered<A>) -> bool;

/// Learns that the state with this number is that of no resource any more. Called without a lock.
pub type OnGone = fn(u64);

/// A roster and its subscription.
type RosterPlace<A> = (SubscriptionId, Box<Roster<A>, A>);

/// The rosters of all subscriptions to lists whose messages have been consumed.
pub struct Rosters<A: SharedAlloc, L> {
    key: HashKey,
    shards: Vec<Mutex<L, HashTable<RosterPlace<A>, A>>, A>,
    /// How many rosters there are.
    count: AtomicU64,
    /// How many resources are in them.
    resources: AtomicU64,
    /// How often a resource was told that found no room.
    unremembered: AtomicU64,
    on_gap: Option<OnGap>,
    on_unremembered: Option<OnUnremembered>,
    on_fault: Option<OnFault>,
    on_state: Option<(OnState<A>, OnGone)>,
    /// The number of the next resource's state.
    number: AtomicU64,
    alloc: A,
}

impl<A: SharedAlloc, L: RawMutex> Rosters<A, L> {
    /// No rosters yet. `key` should not be guessable: peers choose the resources.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new(key: HashKey, alloc: A) -> Result<Self, OutOfMemory> {
        let mut shards = Vec::new_in(alloc.clone());
        shards.try_reserve_exact(SHARDS).map_err(|_| OutOfMemory)?;
        shards.extend(std::iter::repeat_with(|| Mutex::new(HashTable::new_in(alloc.clone()))).take(SHARDS));
        let [count, resources, unremembered, number] = [(); 4].map(|()| AtomicU64::new(0));
        let (on_gap, on_unremembered, on_fault, on_state) = (None, None, None, None);
        Ok(Self {
            key,
            shards,
            count,
            resources,
            unremembered,
            on_gap,
            on_unremembered,
            on_fault,
            on_state,
            number,
            alloc,
        })
    }

    /// The function that hears of missing documents.
    #[must_use]
    pub fn with_on_gap(self, on_gap: OnGap) -> Self {
        Self { on_gap: Some(on_gap), ..self }
    }

    /// The function that hears of resources without room.
    #[must_use]
    pub fn with_on_unremembered(self, on_unremembered: OnUnremembered) -> Self {
        Self { on_unremembered: Some(on_unremembered), ..self }
    }

    /// The function that hears of bodies that cannot be read.
    #[must_use]
    pub fn with_on_fault(self, on_fault: OnFault) -> Self {
        Self { on_fault: Some(on_fault), ..self }
    }

    /// The functions that hear of states.
    #[must_use]
    pub fn with_on_state(self, on_state: OnState<A>, on_gone: OnGone) -> Self {
        Self { on_state: Some((on_state, on_gone)), ..self }
    }

    /// How many resources of lists are remembered.
    #[must_use]
    pub fn resources(&self) -> u64 {
        self.resources.load(Ordering::Relaxed)
    }

    /// How often a resource was told that found no room: it is not told if it vanishes.
    #[must_use]
    pub fn unremembered(&self) -> u64 {
        self.unremembered.load(Ordering::Relaxed)
    }

    /// The subscription has ended: its roster goes.
    pub fn remove(&self, id: SubscriptionId) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let hash = self.key.hash(id);
        let Some(shard) = self.shard(hash) else { return };
        let mut rosters = shard.lock();
        let removed = rosters.find_entry(hash, |(of, _)| *of == id).ok().map(|found| found.remove().0);
        // Lists are few: no room is kept for others.
        let empty = rosters.is_empty().then(|| std::mem::replace(&mut *rosters, HashTable::new_in(self.alloc.clone())));
        drop(rosters);
        drop(empty);
        if let Some((_, roster)) = removed {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.resources.fetch_sub(roster.len() as u64, Ordering::Relaxed);
            roster.numbers().for_each(|number| self.gone(number));
        }
    }

    /// The state with this number is that of no resource any more.
    fn gone(&self, number: u64) {
        if let Some((_, on_gone)) = self.on_state {
            on_gone(number);
        }
    }

    /// Tells the state of a resource. Another process may have forgotten the resource in the meantime: then its state goes as well.
    fn keep(&self, (place, number): (ListPlace, u64), told: &mut Delivered<A>) {
        let Some((on_state, _)) = self.on_state else { return };
        let id = told.message.subscription();
        if !on_state(id, number, told) {
            return;
        }
        let uri = told.listed.as_ref().map(|listed| listed.record.as_bytes()).unwrap_or_default();
        let hash = self.key.hash(id);
        let known = self.shard(hash).and_then(|shard| {
            let rosters = shard.lock();
            rosters.find(hash, |(of, _)| *of == id).and_then(|(_, roster)| roster.number_of(&self.key, (place, uri)))
        });
        if known != Some(number) {
            self.gone(number);
        }
    }

    /// Looks at the roster of a subscription, and makes it if there is none. `None` for want of memory.
    fn with_roster<R>(&self, id: SubscriptionId, look: impl FnOnce(&mut Roster<A>) -> R) -> Option<R> {
        let hash = self.key.hash(id);
        let mut rosters = self.shard(hash)?.lock();
        if rosters.find(hash, |(of, _)| *of == id).is_none() {
            let roster = Box::try_new_in(Roster::new(self.alloc.clone()), self.alloc.clone()).ok()?;
            rosters.try_reserve(1, |(of, _)| self.key.hash(of)).ok()?;
            rosters.insert_unique(hash, (id, roster), |(of, _)| self.key.hash(of));
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        let (_, roster) = rosters.find_mut(hash, |(of, _)| *of == id)?;
        let before = roster.len() as u64;
        let result = look(roster);
        // The difference may be negative.
        self.resources.fetch_add((roster.len() as u64).wrapping_sub(before), Ordering::Relaxed);
        Some(result)
    }

    /// Forgets what was made for a subscription that had ended in the meantime: nobody else would.
    fn forget_if_ended(&self, hub: &Hub<A, L>, id: SubscriptionId) {
        if !hub.is_subscribed(id) {
            self.remove(id);
        }
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<L, HashTable<RosterPlace<A>, A>>> {
        let index = (hash >> 32).checked_rem(self.shards.len() as u64)?;
        self.shards.get(usize::try_from(index).ok()?)
    }
}
