//! One shard: its lock, the data behind it, and the numbers that are read without it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use allocator_api2::alloc::Allocator;
use parking_lot::lock_api::{Mutex, MutexGuard, RawMutex};

use super::layout::Layout;
use super::marks::StoreMark;
use super::table::ShardTable;
use super::tally::{PublishedTally, Tally, TallyGrid};
use crate::time::Millis;

/// When something is due in a shard without deadlines.
const NEVER: u64 = u64::MAX;

/// A shard, on cache lines of its own.
#[repr(align(64))]
pub(super) struct RegistryShard<S, O, A: Allocator + Clone, L> {
    earliest: AtomicU64,
    live: AtomicU32,
    slots: AtomicUsize,
    foreign: AtomicU32,
    flows: AtomicBool,
    marked: AtomicU32,
    whole: AtomicU32,
    tally: PublishedTally,
    table: Mutex<L, ShardTable<S, O, A>>,
}

/// A locked shard.
pub(super) type LockedShard<'a, S, O, A, L> = MutexGuard<'a, L, ShardTable<S, O, A>>;

impl<S, O, A: Allocator + Clone, L: RawMutex> RegistryShard<S, O, A, L> {
    pub(super) fn new(layout: Layout, number: usize, alloc: A) -> Self {
        Self {
            earliest: AtomicU64::new(NEVER),
            live: AtomicU32::new(0),
            slots: AtomicUsize::new(0),
            foreign: AtomicU32::new(0),
            flows: AtomicBool::new(false),
            marked: AtomicU32::new(0),
            whole: AtomicU32::new(0),
            tally: PublishedTally::new(),
            table: Mutex::new(ShardTable::new_in(layout, number, alloc)),
        }
    }

    pub(super) fn lock(&self) -> LockedShard<'_, S, O, A, L> {
        self.table.lock()
    }

    /// Publishes the state of the table for readers without the lock. Returns until when they may sleep, if that is earlier now.
    pub(super) fn publish(&self, table: &ShardTable<S, O, A>) -> Option<Millis> {
        self.live.store(table.live(), Ordering::Relaxed);
        self.slots.store(table.slots(), Ordering::Relaxed);
        self.foreign.store(table.foreign(), Ordering::Release);
        self.flows.store(table.has_flows(), Ordering::Release);
        self.publish_marks(table);
        self.tally.publish(&table.tally);
        let now = table.earliest().map_or(NEVER, |at| at.0);
        (now < self.earliest.swap(now, Ordering::AcqRel)).then_some(Millis(now))
    }

    /// The same, of the marks alone.
    pub(super) fn publish_marks(&self, table: &ShardTable<S, O, A>) {
        self.marked.store(table.marks.marked(), Ordering::Release);
        self.whole.store(table.marks.whole(), Ordering::Release);
    }
}

impl<S, O, A: Allocator + Clone, L> RegistryShard<S, O, A, L> {
    /// Nothing is due before.
    pub(super) fn earliest(&self) -> Option<Millis> {
        let at = self.earliest.load(Ordering::Acquire);
        (at != NEVER).then_some(Millis(at))
    }

    /// How many subscriptions it has.
    pub(super) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed) as usize
    }

    /// How many slots it has, live and free.
    pub(super) fn slots(&self) -> usize {
        self.slots.load(Ordering::Relaxed)
    }

    /// Adds how many it has of each kind.
    pub(super) fn add_tally_to(&self, sum: &mut Tally) {
        self.tally.add_to(sum);
    }

    /// The same, by package and state.
    pub(super) fn add_grid_to(&self, sum: &mut TallyGrid) {
        self.tally.add_grid_to(sum);
    }

    /// How many of its slots have a mark above [`StoreMark::Counted`].
    pub(super) fn marked(&self) -> u32 {
        self.marked.load(Ordering::Acquire)
    }

    /// Whether one of its slots may have this mark or a greater one.
    pub(super) fn may_have(&self, least: StoreMark) -> bool {
        match least {
            StoreMark::Counted => true,
            StoreMark::Numbers => self.marked() > 0,
            StoreMark::Whole => self.whole.load(Ordering::Acquire) > 0,
        }
    }

    /// Whether one of its subscriptions depends on a connection.
    pub(super) fn has_flows(&self) -> bool {
        self.flows.load(Ordering::Acquire)
    }

    /// Whether it has a dialog whose Call-ID leads to another shard.
    pub(super) fn has_foreign(&self) -> bool {
        self.foreign.load(Ordering::Acquire) > 0
    }
}
