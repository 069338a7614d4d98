//! All subscriptions, in shared memory: found by handle, by name, by dialog and by deadline.
//!
//! A [`Registry`] is split into shards. Each has one lock, and behind it the records in slots, an index of names, an index
//! of dialogs and an index of deadlines. The name of a subscription (record, subscriber, package, event id) decides its
//! shard, so that "find or insert" is one step under one lock; the Call-IDs the registry makes carry the number of the
//! shard, so that a NOTIFY finds its shard from the message alone. At most one shard is locked at a time (law L2).
//! A subscription whose SUBSCRIBE was forked has a record for each other dialog, its forks, in the same shard.
//! Whatever the caller's closures do under the lock must be brief and must stay inside the module.
//!
//! Memory comes from the allocator `A`, is reserved before anything changes (law L5), and grows in chunks: only the hash
//! tables, of eight bytes an entry, are ever moved to grow. Everything here is plain data without process-local state,
//! valid in every process that maps it at the same address (law L1).
#![forbid(unsafe_code)]

mod call_id;
mod due;
mod error;
mod flows;
mod forks;
mod handle;
mod history;
mod index;
mod layout;
mod life;
mod marks;
mod prints;
mod queries;
mod records;
mod restore;
mod shard;
mod steps;
mod stored;
mod table;
mod tally;
#[cfg(test)]
mod tests;
mod trace;
mod walk;
mod worker_board;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use parking_lot::lock_api::RawMutex;

use crate::memory::{HashKey, OutOfMemory};
use layout::Layout;
use shard::RegistryShard;

pub use call_id::{FreshIds, RANDOM_LEN};
pub use error::{CreateError, InsertError};
pub use handle::Handle;
pub use life::Life;
pub use marks::StoreMark;
pub use restore::Restored;
pub use steps::{Arrived, Inserted, Stepped};
pub use tally::{Tally, TallyGrid};
pub use trace::Trace;
pub use walk::{WalkPlace, Walked};
pub use worker_board::WorkerBoard;

/// The size of a registry. The number of shards is fixed for its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Number of shards: a power of two from 1 to [`Limits::MOST_SHARDS`].
    pub shards: usize,
    /// Most subscriptions at a time; 0 for no other limit than [`Limits::MOST_SUBSCRIPTIONS`].
    pub max_subscriptions: u32,
}

impl Limits {
    /// The largest number of shards.
    pub const MOST_SHARDS: usize = 256;

    /// The largest number of subscriptions: what the operator-visible number of a [`Handle`] has room for.
    pub const MOST_SUBSCRIPTIONS: u32 = handle::MOST_SLOTS;
}

/// The table of all subscriptions `S`, each with its owner's data `O`, in memory from `A`, behind locks `L`.
pub struct Registry<S, O, A: Allocator + Clone, L> {
    layout: Layout,
    limit: AtomicU32,
    live: AtomicU32,
    created: AtomicU64,
    destroyed: AtomicU64,
    shards: Box<[RegistryShard<S, O, A, L>], A>,
    /// Whether steps are put into words at the moment.
    is_traced: fn() -> bool,
}

/// The largest number of subscriptions that this parameter allows.
fn limit_of(max_subscriptions: u32) -> Result<u32, CreateError> {
    match max_subscriptions {
        0 => Ok(Limits::MOST_SUBSCRIPTIONS),
        max @ 1..=Limits::MOST_SUBSCRIPTIONS => Ok(max),
        max => Err(CreateError::Limit { limit: max }),
    }
}

impl<S: Life, O: Copy, A: Allocator + Clone, L: RawMutex> Registry<S, O, A, L> {
    /// An empty registry. `key` should not be guessable: it keeps outsiders from choosing records that collide.
    ///
    /// # Errors
    /// [`CreateError::Shards`] or [`CreateError::Limit`] for limits out of range, [`CreateError::OutOfMemory`].
    pub fn try_new_in(limits: Limits, key: HashKey, alloc: A) -> Result<Self, CreateError> {
        let layout = Layout::new(limits.shards, key).ok_or(CreateError::Shards { shards: limits.shards })?;
        let limit = limit_of(limits.max_subscriptions)?.into();
        let mut shards = Vec::new_in(alloc.clone());
        shards.try_reserve_exact(limits.shards).map_err(|_| OutOfMemory)?;
        for number in 0..limits.shards {
            shards.push(RegistryShard::new(layout, number, alloc.clone()));
        }
        Ok(Self {
            layout,
            limit,
            live: AtomicU32::new(0),
            created: AtomicU64::new(0),
            destroyed: AtomicU64::new(0),
            shards: shards.into_boxed_slice(),
            is_traced: || false,
        })
    }
}

impl<S, O, A: Allocator + Clone, L> Registry<S, O, A, L> {
    /// Bytes of a subscription in the table; the indexes and its own blocks come on top.
    pub const RECORD: usize = records::Records::<table::Record<S, O>, A>::SLOT;

    /// How many subscriptions there are now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.load(Ordering::Relaxed) as usize
    }

    /// Bytes of the records, also of those that are free; the indexes and the subscriptions' own blocks come on top.
    #[must_use]
    pub fn bytes_of_records(&self) -> usize {
        self.shards.iter().map(|shard| shard.slots()).sum::<usize>().saturating_mul(Self::RECORD)
    }

    /// Whether there is no subscription.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many subscriptions there are of each kind. Takes no lock.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::NONE;
        self.shards.iter().for_each(|shard| shard.add_tally_to(&mut sum));
        sum
    }

    /// How many subscriptions of each package are in each state. Takes no lock.
    #[must_use]
    pub fn tally_grid(&self) -> TallyGrid {
        let mut sum = tally::EMPTY_GRID;
        self.shards.iter().for_each(|shard| shard.add_grid_to(&mut sum));
        sum
    }

    /// How many subscriptions were ever inserted.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    /// How many subscriptions were ever removed.
    #[must_use]
    pub fn destroyed(&self) -> u64 {
        self.destroyed.load(Ordering::Relaxed)
    }

    /// The most subscriptions there can be.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes how many there can be; 0 for no other limit than [`Limits::MOST_SUBSCRIPTIONS`]. Those that are too many stay.
    ///
    /// # Errors
    /// [`CreateError::Limit`]: nothing has changed.
    pub fn set_limit(&self, max_subscriptions: u32) -> Result<(), CreateError> {
        self.limit.store(limit_of(max_subscriptions)?, Ordering::Relaxed);
        Ok(())
    }
}
