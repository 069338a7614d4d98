//! How the writing of subscriptions goes, as all processes see it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::lock_api::Mutex;

use crate::host::lock;
use crate::host::shared_lock::SharedLock;
use crate::memory::CutText;
use crate::time::Millis;

/// The most bytes of the reason of a failure that are kept.
const MOST_REASON: usize = 255;

/// How long a write may take before nobody waits for it any more.
const SLOW: u64 = 1000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreCount {
    /// Rows written.
    Written,
    /// Statements executed.
    Writes,
    /// Attempts that have failed.
    Failures,
    /// Rows that the database refuses for what they say.
    Refused,
    /// Subscriptions that were restored at the start.
    Restored,
    /// Rows that were left out at the start, because they cannot be used.
    Skipped,
    /// How long reading them took, in milliseconds.
    RestoreTook,
    /// Rows now.
    Rows,
    /// Rows that wait to be written, when it was last looked.
    Waiting,
}

impl StoreCount {
    const LAST: usize = Self::Waiting as usize;
}

/// How the database answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// It takes what is written.
    Good,
    /// A write takes long.
    Slow,
    /// It does not take what is written.
    Away,
}

impl StoreState {
    /// Its name for operators.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Slow => "slow",
            Self::Away => "away",
        }
    }
}

/// One process writes, all may look.
pub struct StoreStatus {
    counts: [AtomicU64; StoreCount::LAST + 1],
    /// When the present write has begun, in milliseconds of the clock; 0 if none is under way.
    busy: AtomicU64,
    /// Since when the oldest change waits; 0 if none does.
    behind: AtomicU64,
    /// The newest attempt has failed.
    away: AtomicU32,
    reason: Mutex<SharedLock<{ lock::PROVISION }>, CutText<MOST_REASON>>,
}

impl Default for StoreStatus {
    fn default() -> Self {
        let [busy, behind] = [0, 0].map(AtomicU64::new);
        let counts = [const { AtomicU64::new(0) }; StoreCount::LAST + 1];
        Self { counts, busy, behind, away: AtomicU32::new(0), reason: Mutex::new(CutText::new(b"")) }
    }
}

impl StoreStatus {
    /// Adds a number.
    pub fn count(&self, what: StoreCount, more: u64) {
        if let Some(count) = self.counts.get(what as usize) {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Sets a number.
    pub fn set(&self, what: StoreCount, to: u64) {
        if let Some(count) = self.counts.get(what as usize) {
            count.store(to, Ordering::Relaxed);
        }
    }

    /// A number.
    #[must_use]
    pub fn counted(&self, what: StoreCount) -> u64 {
        self.counts.get(what as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How the database answers.
    #[must_use]
    pub fn state(&self, now: Millis) -> StoreState {
        let busy = self.busy.load(Ordering::Relaxed);
        match () {
            () if self.away.load(Ordering::Relaxed) != 0 => StoreState::Away,
            () if busy != 0 && now.0.saturating_sub(busy) > SLOW => StoreState::Slow,
            () => StoreState::Good,
        }
    }

    /// How long the oldest change has been waiting, in milliseconds.
    #[must_use]
    pub fn lag(&self, now: Millis) -> u64 {
        match self.behind.load(Ordering::Relaxed) {
            0 => 0,
            since => now.0.saturating_sub(since),
        }
    }

    /// Since when the oldest change waits, if one does.
    pub fn set_behind(&self, since: Option<Millis>) {
        self.behind.store(since.map_or(0, |since| since.0.max(1)), Ordering::Relaxed);
    }

    /// A write begins, or has ended.
    pub fn set_busy(&self, since: Option<Millis>) {
        self.busy.store(since.map_or(0, |since| since.0.max(1)), Ordering::Relaxed);
    }

    /// The newest attempt has failed for this reason, or has not.
    pub fn set_failure(&self, reason: Option<&str>) {
        *self.reason.lock() = CutText::new(reason.unwrap_or_default().as_bytes());
        self.away.store(reason.is_some().into(), Ordering::Relaxed);
    }

    /// Why the newest attempt has failed; empty if it has not.
    #[must_use]
    pub fn reason(&self) -> String {
        self.reason.lock().shown()
    }
}
