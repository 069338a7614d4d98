//! What keeps the module from hammering a destination: rates, holds and breakers, in shared memory.
//!
//! A *destination* is where a request goes next: transport, host and port. Each has an entry with a bucket (how many
//! requests a second), a hold (503 with Retry-After speaks for the whole server, RFC 3261 §21.5.4) and a breaker (after
//! too many failures in a row, one request at a time finds out whether it is back). Whoever wants to send asks
//! [`Gate::admit`] before, and tells [`Gate::report`] what came of it.
//!
//! Entries are found by a hash, in shards with a lock each. The locks are leaf locks: held for a few comparisons, never
//! together with another one. There are at most [`MOST_DESTINATIONS`] entries; idle ones make room for new ones, and a
//! request whose destination finds neither room nor memory passes without an entry.
#![forbid(unsafe_code)]

mod breaker;
mod entry;
mod rate;
mod table;
#[cfg(test)]
mod tests;

pub use breaker::State;
pub use entry::DestinationSnapshot;

use crate::subscription::{HeldBy, Instant, OutOfMemory};
use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use breaker::Asked;
use entry::Entry;
use foldhash::quality::FixedState;
use parking_lot::lock_api::{Mutex, RawMutex};
use rate::Rate;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use table::Table;

/// The most destinations there are entries for.
pub const MOST_DESTINATIONS: usize = SHARDS * table::MOST_ENTRIES;

const SHARD_BITS: u32 = 4;
const SHARDS: usize = 1 << SHARD_BITS;

/// The longest hold: a day, as for a single subscription, so that a slip of the pen (or a hostile value) does not close
/// a destination for good.
pub const LONGEST_HOLD: Duration = Duration::from_secs(86_400);

/// What a gate allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests a second to one destination; 0 = unlimited.
    pub destination_rate: u32,
    /// Requests a second to all destinations; 0 = unlimited.
    pub total_rate: u32,
    /// Failures in a row that open a destination's breaker; 0 = it never opens.
    pub breaker_failures: u32,
    /// How long a breaker stays open the first time; doubled after each probe that fails.
    pub breaker_time: Duration,
    /// The longest a breaker stays open; less than `breaker_time` counts as that.
    pub breaker_most: Duration,
    /// How long the outcome of a probe is awaited before there is another one.
    pub probe_wait: Duration,
}

/// The number of a destination's entry, with its generation: an entry that has made room for another is not mistaken for
/// it, but for the rarest of chances, which do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination(NonZeroU32);

/// Somebody wants to send.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Where to: the same text for the same destination.
    pub address: &'a [u8],
    /// Who asks: a number, the same as in the report of the outcome.
    pub who: u64,
    /// The request has come back at the slot that was reserved for it.
    pub reserved: bool,
    /// A random number, to spread those that wait for the same moment.
    pub random: u64,
}

/// The answer of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The request may leave. Its outcome is to be reported to this destination; `None` when there is no entry.
    Go(Option<Destination>),
    /// It may not leave before `until`. When held by [`HeldBy::Rate`], that moment is reserved for it.
    Held {
        /// When to ask again.
        until: Instant,
        /// What holds it.
        by: HeldBy,
    },
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A final reply: whoever answers is there.
    Answered,
    /// 503, with the seconds of its Retry-After.
    Unavailable {
        /// Retry-After; `None` or 0 when it says nothing.
        retry_after: Option<u32>,
    },
    /// No reply at all, or it could not be sent.
    Silent,
    /// It was not sent, for a reason that says nothing of the destination.
    Unsent,
}

/// The gate, in memory from `A`, behind locks `L`.
pub struct Gate<A: Allocator + Clone, L> {
    limits: Limits,
    rate: Rate,
    total: Rate,
    seed: u64,
    /// Theoretical arrival time of the bucket for all destinations.
    total_tat: AtomicU64,
    shards: Box<[Mutex<L, Table<A>>], A>,
}

impl<A: Allocator + Clone, L: RawMutex> Gate<A, L> {
    /// A gate without destinations. `seed` should not be guessable: it keeps outsiders from choosing names that collide.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new_in(limits: Limits, seed: u64, alloc: A) -> Result<Self, OutOfMemory> {
        let mut shards = Vec::new_in(alloc.clone());
        shards.try_reserve_exact(SHARDS).map_err(|_| OutOfMemory)?;
        for _ in 0..SHARDS {
            shards.push(Mutex::new(Table::try_new_in(alloc.clone())?));
        }
        Ok(Self {
            limits,
            rate: Rate::new(limits.destination_rate),
            total: Rate::new(limits.total_rate),
            seed,
            total_tat: AtomicU64::new(0),
            shards: shards.into_boxed_slice(),
        })
    }

    /// Whether a request may leave now. Takes constant time.
    pub fn admit(&self, ask: &Ask<'_>, now: Instant) -> Admission {
        let hash = FixedState::with_seed(self.seed).hash_one(ask.address);
        // Not of the bits that the table inside uses.
        let number = (hash >> 32) as usize % SHARDS;
        let Some(shard) = self.shards.get(number) else { return Admission::Go(None) };
        let mut table = shard.lock();
        let Some(slot) = table.find_or_insert(hash, ask.address, now) else {
            drop(table);
            return match self.total_slot(ask, now) {
                Some(until) if until > now => Admission::Held { until, by: HeldBy::Rate },
                Some(_) | None => Admission::Go(None),
            };
        };
        let Some((generation, entry)) = table.get_mut(slot) else { return Admission::Go(None) };
        match self.judge(entry, ask, now) {
            Some((until, by)) => {
                entry.held = entry.held.saturating_add(1);
                Admission::Held { until, by }
            }
            None => {
                entry.sent = entry.sent.saturating_add(1);
                Admission::Go(Destination::new(number, slot, generation))
            }
        }
    }

    /// What holds a request, and until when.
    fn judge(&self, entry: &mut Entry, ask: &Ask<'_>, now: Instant) -> Option<(Instant, HeldBy)> {
        entry.asked = now;
        if let Some(until) = entry.hold.filter(|until| *until > now) {
            return Some((until, HeldBy::RetryAfter));
        }
        match entry.breaker.ask(ask.who, ask.random, now, &self.limits) {
            Asked::Wait(until) => return Some((until, HeldBy::Breaker)),
            Asked::Probe => return None,
            Asked::Pass => {}
        }
        if ask.reserved {
            return None;
        }
        let arrival = self.total_slot(ask, now).unwrap_or(now);
        let slot = self.rate.take(&mut entry.tat, arrival);
        (slot > now).then_some((slot, HeldBy::Rate))
    }

    /// The slot in the bucket for all destinations; `None` when the request needs none.
    fn total_slot(&self, ask: &Ask<'_>, now: Instant) -> Option<Instant> {
        if ask.reserved || self.total.is_unlimited() {
            return None;
        }
        let mut slot = now;
        let mut take = |mut tat| {
            slot = self.total.take(&mut tat, now);
            Some(tat)
        };
        let _ = self.total_tat.fetch_update(Ordering::Relaxed, Ordering::Relaxed, &mut take);
        Some(slot)
    }

    /// What came of a request that `who` was let through with. A destination that is not known any more is left alone.
    pub fn report(&self, destination: Destination, who: u64, outcome: Outcome, now: Instant) {
        let (number, slot, generation) = destination.parts();
        let Some(shard) = self.shards.get(number) else { return };
        let mut table = shard.lock();
        let Some((found, entry)) = table.get_mut(slot) else { return };
        if found != generation {
            return;
        }
        match outcome {
            Outcome::Answered => entry.breaker.good(),
            Outcome::Unavailable { retry_after } => {
                if let Some(seconds) = retry_after.filter(|seconds| *seconds > 0) {
                    let until = now.after(Duration::from_secs(u64::from(seconds)).min(LONGEST_HOLD));
                    entry.hold = entry.hold.max(Some(until));
                }
                entry.breaker.bad(who, now, &self.limits);
            }
            Outcome::Silent => entry.breaker.bad(who, now, &self.limits),
            Outcome::Unsent => entry.breaker.void(who, now),
        }
    }

    /// Shows `f` the destinations from the `offset`th on, at most `limit`; one shard is locked at a time.
    pub fn page(&self, offset: usize, limit: usize, now: Instant, mut f: impl FnMut(DestinationSnapshot)) {
        let mut skip = offset;
        let mut left = limit;
        for shard in self.shards.iter() {
            let table = shard.lock();
            for entry in table.entries().skip(skip).take(left) {
                left -= 1;
                f(entry.snapshot(now));
            }
            skip = skip.saturating_sub(table.entries().len());
        }
    }
}

impl Destination {
    const SLOT_BITS: u32 = 10;
    const GENERATION_BITS: u32 = 32 - SHARD_BITS - Self::SLOT_BITS;

    /// The largest generation; they count from 1, so that no number is 0.
    pub(crate) const LAST_GENERATION: u32 = (1 << Self::GENERATION_BITS) - 1;

    fn new(shard: usize, slot: u32, generation: u32) -> Option<Self> {
        let shard = u32::try_from(shard).ok()?;
        let number = (generation << Self::SLOT_BITS | slot) << SHARD_BITS | shard;
        NonZeroU32::new(number).map(Self)
    }

    fn parts(self) -> (usize, u32, u32) {
        let number = self.0.get();
        let slot = number >> SHARD_BITS & ((1 << Self::SLOT_BITS) - 1);
        ((number as usize) % SHARDS, slot, number >> (SHARD_BITS + Self::SLOT_BITS))
    }
}
