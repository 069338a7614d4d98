//! Protects destinations from the module: rates, holds and breakers, in shared memory.
//!
//! A *destination* is where a request goes next: transport, host and port. Each has an entry with a bucket (how many
//! requests a second), a hold (503 with Retry-After speaks for the whole server, RFC 3261 §21.5.4) and a breaker (after
//! too many failures in a row, one request at a time finds out whether it is back). Code that wants to send asks
//! [`Gate::admit`] before, and tells [`Gate::report`] what came of it.
//!
//! Entries are found by a hash, in shards with a lock each. The locks are leaf locks: held for a few comparisons, never
//! together with another one. There are at most [`MOST_DESTINATIONS`] entries. Idle ones make room for new ones; where none is
//! idle, the one that fails and was asked for longest ago does. The destinations that find neither room nor memory share one
//! bucket (`Gate::overflow`), and have no breaker.
#![forbid(unsafe_code)]

mod breaker;
mod destination;
mod entry;
mod hold;
mod outcome;
mod rate;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use parking_lot::lock_api::{Mutex, RawMutex};

use crate::memory::{HashKey, OutOfMemory};
use crate::subscription::HeldBy;
use crate::time::Millis;
use breaker::Verdict;
use entry::DestinationEntry;
use hold::Hold;
use rate::RateLimit;
use table::DestinationTable;

pub use destination::{Destination, SentTo};
pub use entry::DestinationSnapshot;
pub use outcome::SendOutcome;

/// The most destinations there are entries for.
pub const MOST_DESTINATIONS: usize = SHARDS * table::MOST_ENTRIES;

const SHARD_BITS: u32 = 4;
const SHARDS: usize = 1 << SHARD_BITS;

/// The longest Retry-After that counts: a day, as for a single subscription. Nothing leaves for [`GateLimits::hold_most`] of
/// it; then one request at a time finds out.
pub const LONGEST_HOLD: Duration = Duration::from_secs(86_400);

/// How often it may be said that the table is full.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// The limits of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateLimits {
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
    /// The longest that a Retry-After holds everything; what is left of it after that is probed.
    pub hold_most: Duration,
}

/// Somebody wants to send.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionRequest<'a> {
    /// Where to: the same text for the same destination.
    pub address: &'a [u8],
    /// The subscription that asks: a number, the same as in the report of the outcome.
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
        until: Millis,
        /// The cause of the hold.
        by: HeldBy,
    },
}

/// The gate, in memory from `A`, behind locks `L`.
pub struct Gate<A: Allocator + Clone, L> {
    key: HashKey,
    /// Theoretical arrival time of the bucket for all destinations.
    total_tat: AtomicU64,
    /// Theoretical arrival time of the bucket for the destinations without an entry.
    overflow_tat: AtomicU64,
    /// How many entries that failed have made room, and how many requests have found no entry.
    pressed: AtomicU64,
    /// How much of that has been said, and when, in milliseconds.
    said: AtomicU64,
    said_at: AtomicU64,
    shards: Box<[Mutex<L, GateShard<A>>], A>,
}

/// The limits, with the rates as buckets take them.
#[derive(Clone, Copy)]
struct Bounds {
    limits: GateLimits,
    rate: RateLimit,
    total: RateLimit,
}

impl Bounds {
    fn of(limits: GateLimits) -> Self {
        Self { limits, rate: RateLimit::new(limits.destination_rate), total: RateLimit::new(limits.total_rate) }
    }
}

/// Destinations, and the limits: each shard has its own copy, so that nobody takes another lock for them.
struct GateShard<A: Allocator + Clone> {
    bounds: Bounds,
    table: DestinationTable<A>,
}

impl<A: Allocator + Clone, L: RawMutex> Gate<A, L> {
    /// A gate without destinations. `key` should not be guessable: it keeps outsiders from choosing names that collide.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new_in(limits: GateLimits, key: HashKey, alloc: A) -> Result<Self, OutOfMemory> {
        let mut shards = Vec::new_in(alloc.clone());
        shards.try_reserve_exact(SHARDS).map_err(|_| OutOfMemory)?;
        let bounds = Bounds::of(limits);
        for _ in 0..SHARDS {
            shards.push(Mutex::new(GateShard { bounds, table: DestinationTable::try_new_in(alloc.clone())? }));
        }
        Ok(Self {
            key,
            total_tat: AtomicU64::new(0),
            overflow_tat: AtomicU64::new(0),
            pressed: AtomicU64::new(0),
            said: AtomicU64::new(0),
            said_at: AtomicU64::new(0),
            shards: shards.into_boxed_slice(),
        })
    }

    /// Replaces the limits. A destination keeps what is known of it. Where a rate is higher now, the turns that are taken already
    /// count as that much shorter for those that come later; where it is lower, they are kept. In neither case is there a burst.
    pub fn set_limits(&self, limits: GateLimits, now: Millis) {
        let bounds = Bounds::of(limits);
        let mut before = bounds;
        for shard in self.shards.iter() {
            let mut shard = shard.lock();
            before = std::mem::replace(&mut shard.bounds, bounds);
            if bounds.rate.is_above(before.rate) {
                shard.table.entries_mut().for_each(|entry| before.rate.hasten(bounds.rate, &mut entry.tat, now));
            }
        }
        for (old, new, tat) in
            [(before.rate, bounds.rate, &self.overflow_tat), (before.total, bounds.total, &self.total_tat)]
        {
            let hasten = |mut tat| {
                old.hasten(new, &mut tat, now);
                Some(tat)
            };
            let _ = tat.fetch_update(Ordering::Relaxed, Ordering::Relaxed, hasten);
        }
    }

    /// Whether a request may leave now. Takes constant time.
    pub fn admit(&self, ask: &AdmissionRequest<'_>, now: Millis) -> Admission {
        let (hash, number) = self.place(ask.address);
        let Some(shard) = self.shards.get(number) else { return Admission::Go(None) };
        let mut shard = shard.lock();
        let GateShard { bounds, table } = &mut *shard;
        let found = table.find_or_insert(hash, ask.address, now);
        if found.is_none_or(|found| found.pressed) {
            self.pressed.fetch_add(1, Ordering::Relaxed);
        }
        let Some(table::FoundSlot { slot, .. }) = found else {
            let bounds = *bounds;
            drop(shard);
            return self.overflow(&bounds, ask, now);
        };
        let Some((generation, entry)) = table.get_mut(slot) else { return Admission::Go(None) };
        match self.judge(bounds, entry, ask, now) {
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

    /// The hash of an address, and the number of its shard, which is not of the bits that the table inside uses.
    fn place(&self, address: &[u8]) -> (u64, usize) {
        let hash = self.key.hash(address);
        (hash, (hash >> 32) as usize % SHARDS)
    }

    /// A request whose destination has no entry: all of these share one bucket.
    fn overflow(&self, bounds: &Bounds, ask: &AdmissionRequest<'_>, now: Millis) -> Admission {
        if ask.reserved {
            return Admission::Go(None);
        }
        let arrival = self.total_slot(bounds, now);
        match take_shared(bounds.rate, &self.overflow_tat, arrival) {
            until if until > now => Admission::Held { until, by: HeldBy::Rate },
            _ => Admission::Go(None),
        }
    }

    /// How often a destination has found no entry of its own, or only that of another one that failed, where that is new and
    /// has not been said for a minute.
    pub fn pressure(&self, now: Millis) -> Option<u64> {
        let pressed = self.pressed.load(Ordering::Relaxed);
        let said = self.said.load(Ordering::Relaxed);
        let is_due = said == 0 || now.since(Millis(self.said_at.load(Ordering::Relaxed))) >= SAID_EVERY;
        if pressed == said || !is_due {
            return None;
        }
        let taken = self.said.compare_exchange(said, pressed, Ordering::Relaxed, Ordering::Relaxed);
        taken.ok().map(|_| {
            self.said_at.store(now.0, Ordering::Relaxed);
            pressed
        })
    }

    /// How many destinations have a breaker that is not closed.
    pub fn open_breakers(&self) -> u32 {
        self.shards.iter().map(|shard| shard.lock().table.open()).sum()
    }

    /// The destination with this address, as [`Gate::admit`] gives it; `None` when it is not known.
    #[must_use]
    pub fn find(&self, address: &[u8]) -> Option<Destination> {
        let (hash, number) = self.place(address);
        let shard = self.shards.get(number)?.lock();
        let slot = shard.table.find(hash, address)?;
        Destination::new(number, slot, shard.table.generation(slot)?)
    }

    /// The address of a destination, as [`Gate::page`] shows it; `None` when another one has taken its place.
    #[must_use]
    pub fn address(&self, destination: Destination) -> Option<String> {
        let (number, slot, generation) = destination.parts();
        self.shards.get(number)?.lock().table.address(slot, generation)
    }

    /// Lifts the hold of a destination and closes its breaker; false when it is not known.
    pub fn release(&self, address: &[u8]) -> bool {
        let (hash, number) = self.place(address);
        let Some(shard) = self.shards.get(number) else { return false };
        let mut shard = shard.lock();
        let Some(slot) = shard.table.find(hash, address) else { return false };
        let Some((_, entry)) = shard.table.get_mut(slot) else { return false };
        entry.hold = None;
        let was_open = entry.breaker.is_open();
        entry.breaker.good();
        shard.table.count_open(was_open, false);
        true
    }

    /// The cause of a hold, and its end.
    fn judge(
        &self,
        bounds: &Bounds,
        entry: &mut DestinationEntry,
        ask: &AdmissionRequest<'_>,
        now: Millis,
    ) -> Option<(Millis, HeldBy)> {
        entry.asked = now;
        let hold = entry.hold.as_mut();
        let probes = match hold.map_or(Verdict::Pass, |hold| hold.ask(ask.who, ask.random, now, &bounds.limits)) {
            Verdict::Wait(until) => return Some((until, HeldBy::RetryAfter)),
            asked @ (Verdict::Probe | Verdict::Pass) => asked == Verdict::Probe,
        };
        match entry.breaker.ask(ask.who, ask.random, now, &bounds.limits) {
            Verdict::Wait(until) => {
                if let Some(hold) = entry.hold.as_mut().filter(|_| probes) {
                    hold.void(now);
                }
                return Some((until, HeldBy::Breaker));
            }
            Verdict::Probe => return None,
            Verdict::Pass if probes => return None,
            Verdict::Pass => {}
        }
        if ask.reserved {
            return None;
        }
        let arrival = self.total_slot(bounds, now);
        let slot = bounds.rate.take(&mut entry.tat, arrival);
        (slot > now).then_some((slot, HeldBy::Rate))
    }

    /// The slot in the bucket for all destinations, of a request that has none reserved.
    fn total_slot(&self, bounds: &Bounds, now: Millis) -> Millis {
        // Unlimited, it is not even looked at: all processes share it.
        if bounds.total.is_unlimited() { now } else { take_shared(bounds.total, &self.total_tat, now) }
    }

    /// Notes the outcome of a request that `who` was let through with. A destination that has been forgotten is left
    /// alone.
    pub fn report(&self, destination: Destination, who: u64, outcome: SendOutcome, now: Millis) {
        let (number, slot, generation) = destination.parts();
        let Some(shard) = self.shards.get(number) else { return };
        let mut shard = shard.lock();
        let GateShard { bounds: Bounds { limits, .. }, table } = &mut *shard;
        let Some((found, entry)) = table.get_mut(slot) else { return };
        if found != generation {
            return;
        }
        let was_open = entry.breaker.is_open();
        let probed = entry.hold.is_some_and(|hold| hold.is_probed_by(who));
        match outcome {
            SendOutcome::Answered => {
                entry.breaker.good();
                entry.hold = entry.hold.filter(|_| !probed);
            }
            SendOutcome::Unavailable { retry_after } => {
                if let Some(seconds) = retry_after.filter(|seconds| *seconds > 0) {
                    let asked = Duration::from_secs(u64::from(seconds)).min(LONGEST_HOLD);
                    Hold::lengthen(&mut entry.hold, who, asked, now, limits);
                } else if probed {
                    Hold::put_off(&mut entry.hold, now, limits);
                }
                entry.breaker.bad(who, now, limits);
            }
            SendOutcome::Silent => {
                if probed {
                    Hold::put_off(&mut entry.hold, now, limits);
                }
                entry.breaker.bad(who, now, limits);
            }
            SendOutcome::Unsent => {
                if let Some(hold) = entry.hold.as_mut().filter(|_| probed) {
                    hold.void(now);
                }
                entry.breaker.void(who, now);
            }
        }
        let is_open = entry.breaker.is_open();
        table.count_open(was_open, is_open);
    }

    /// Shows `f` the destinations from the `offset`th on, at most `limit`; one shard is locked at a time.
    pub fn page(&self, offset: usize, limit: usize, now: Millis, mut f: impl FnMut(DestinationSnapshot)) {
        let mut skip = offset;
        let mut left = limit;
        for shard in self.shards.iter() {
            let shard = shard.lock();
            for entry in shard.table.entries().skip(skip).take(left) {
                left -= 1;
                f(entry.snapshot(now));
            }
            skip = skip.saturating_sub(shard.table.entries().len());
        }
    }
}

/// A slot in a bucket that several shards share.
fn take_shared(rate: RateLimit, shared: &AtomicU64, arrival: Millis) -> Millis {
    let mut slot = arrival;
    let mut take = |mut tat| {
        slot = rate.take(&mut tat, arrival);
        Some(tat)
    };
    let _ = shared.fetch_update(Ordering::Relaxed, Ordering::Relaxed, &mut take);
    slot
}
