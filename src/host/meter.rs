//! Locks that measure how long they are held and how often they are waited for: for the benchmark, and only if the
//! module is built with the feature `meter_locks`. How long is time on the clock: a holder that has to wait for a processor
//! keeps its lock in the meantime.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::lock_api::{GuardNoSend, RawMutex};

use super::blocks::Root;
use super::clock::now_nanos;
use super::lock::{GUARDED, ProcessLock};
use crate::time::Histogram;

/// The measurements of all locks.
static METER: Root<Meter> = Root::new();

#[derive(Default)]
struct Meter([LockKind; GUARDED.len()]);

/// The measurements of the locks that guard one thing.
#[derive(Default)]
struct LockKind {
    taken: AtomicU64,
    waited: AtomicU64,
    longest: AtomicU64,
    held: Histogram,
}

/// The measurements of the locks that guard one thing, since they were last read; times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The thing that they guard.
    pub what: &'static str,
    /// How often one was taken.
    pub taken: u64,
    /// How often it was held by another process then.
    pub waited: u64,
    /// How long half of them were held at most.
    pub held_p50: u64,
    /// How long 99 of 100 were held at most.
    pub held_p99: u64,
    /// How long 999 of 1000 were held at most.
    pub held_p999: u64,
    /// How long the one was that was held longest.
    pub held_longest: u64,
}

/// Begins to measure; in `mod_init`. False when there is no room.
#[must_use]
pub fn start() -> bool {
    METER.place(Meter::default()).is_ok()
}

/// Takes what has been measured, so that the next time begins at zero.
#[must_use]
pub fn take() -> Vec<Reading> {
    let kinds = METER.get().into_iter().flat_map(|meter| GUARDED.iter().zip(&meter.0));
    let reading = |(what, kind): (&&'static str, &LockKind)| {
        let [held_p50, held_p99, held_p999] = kind.held.take();
        let [taken, waited, held_longest] = [&kind.taken, &kind.waited, &kind.longest].map(|one| one.swap(0, Relaxed));
        Reading { what, taken, waited, held_p50, held_p99, held_p999, held_longest }
    };
    kinds.map(reading).collect()
}

/// A lock that guards what has the number `WHAT` in [`GUARDED`].
pub struct Metered<const WHAT: usize> {
    lock: ProcessLock,
    since: AtomicU64,
}

impl<const WHAT: usize> Metered<WHAT> {
    fn kind() -> Option<&'static LockKind> {
        METER.get()?.0.get(WHAT)
    }

    fn begin(&self) {
        if let Some(kind) = Self::kind() {
            kind.taken.fetch_add(1, Relaxed);
        }
        self.since.store(now_nanos(), Relaxed);
    }

    fn end(&self) {
        let time = now_nanos().saturating_sub(self.since.load(Relaxed));
        if let Some(kind) = Self::kind() {
            kind.held.add(time);
            kind.longest.fetch_max(time, Relaxed);
        }
    }
}

// SAFETY: mutual exclusion is that of the lock inside.
unsafe impl<const WHAT: usize> RawMutex for Metered<WHAT> {
    #[allow(clippy::declare_interior_mutable_const, reason = "what lock_api asks for: each use makes a new lock")]
    const INIT: Self = Self { lock: ProcessLock::INIT, since: AtomicU64::new(0) };

    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        if !self.lock.try_lock() {
            if let Some(kind) = Self::kind() {
                kind.waited.fetch_add(1, Relaxed);
            }
            self.lock.lock();
        }
        self.begin();
    }

    fn try_lock(&self) -> bool {
        let got = self.lock.try_lock();
        if got {
            self.begin();
        }
        got
    }

    unsafe fn unlock(&self) {
        self.end();
        // SAFETY: the caller holds the lock, by the contract of RawMutex.
        unsafe { self.lock.unlock() }
    }
}
