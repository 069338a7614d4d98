//! How far the reading of the table is, and what came of it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::lock_api::{Mutex, RawMutex};

use super::Round;
use crate::memory::CutText;

/// The most bytes of the reason of a failure that are kept.
const MOST_REASON: usize = 255;

/// What is counted in a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Rows read.
    Rows,
    /// Rows that have made a subscription.
    Added,
    /// Rows whose subscription was replaced, because its options have changed.
    Changed,
    /// Rows whose subscription is there, and stays.
    Kept,
    /// Subscriptions that have ended, because their rows are gone or disabled.
    Ended,
    /// Rows that are disabled.
    Disabled,
    /// Rows that cannot be used.
    Skipped,
    /// Credentials read.
    Credentials,
}

impl Count {
    const LAST: usize = Self::Credentials as usize;
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TablesRead {
    /// All tables that there are.
    All,
    /// The table of credentials.
    Credentials,
}

/// The state of the reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingState {
    /// Nothing has been read.
    Never,
    /// It is asked for, or under way.
    Reading,
    /// All has been read.
    Done,
    /// The table could not be read, or not to its end.
    Failed,
}

impl ReadingState {
    const ALL: [Self; 4] = [Self::Never, Self::Reading, Self::Done, Self::Failed];

    /// Its name for operators.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Reading => "reading",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// The newest reading. One process reads, all may ask for it and look at it.
pub struct TableReading<L> {
    state: AtomicU32,
    /// It is asked for, and has not begun.
    asked: AtomicBool,
    /// It is one of credentials alone.
    of_credentials: AtomicBool,
    round: AtomicU32,
    counts: [AtomicU64; Count::LAST + 1],
    /// When it was asked for, in milliseconds of the clock.
    begun: AtomicU64,
    /// How long it took, in milliseconds.
    took: AtomicU64,
    /// Why it has failed.
    reason: Mutex<L, CutText<MOST_REASON>>,
}

impl<L: RawMutex> Default for TableReading<L> {
    fn default() -> Self {
        let [state, round] = [ReadingState::Never as u32, 0].map(AtomicU32::new);
        let [begun, took] = [0, 0].map(AtomicU64::new);
        let counts = [const { AtomicU64::new(0) }; Count::LAST + 1];
        let [asked, of_credentials] = [false; 2].map(AtomicBool::new);
        Self { state, asked, of_credentials, round, counts, begun, took, reason: Mutex::new(CutText::new(b"")) }
    }
}

impl<L: RawMutex> TableReading<L> {
    /// The state.
    #[must_use]
    pub fn state(&self) -> ReadingState {
        let number = self.state.load(Ordering::Acquire) as usize;
        ReadingState::ALL.get(number).copied().unwrap_or(ReadingState::Never)
    }

    /// Asks for a reading of all tables, or of the one with credentials; false when one is asked for or under way.
    #[must_use]
    pub fn ask(&self, what: TablesRead, now: u64) -> bool {
        let reading = ReadingState::Reading as u32;
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            if state == reading {
                return false;
            }
            match self.state.compare_exchange(state, reading, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(other) => state = other,
            }
        }
        self.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        self.of_credentials.store(what == TablesRead::Credentials, Ordering::Relaxed);
        self.begun.store(now, Ordering::Relaxed);
        self.asked.store(true, Ordering::Release);
        true
    }

    /// What the reading that was asked for last is of.
    #[must_use]
    pub fn what(&self) -> TablesRead {
        if self.of_credentials.load(Ordering::Relaxed) { TablesRead::Credentials } else { TablesRead::All }
    }

    /// Begins what was asked for.
    #[must_use]
    pub fn begin(&self) -> Option<Round> {
        self.asked
            .swap(false, Ordering::AcqRel)
            .then(|| Round(self.round.fetch_add(1, Ordering::Relaxed).wrapping_add(1)))
    }

    /// Adds a number.
    pub fn count(&self, what: Count, more: u64) {
        if let Some(count) = self.counts.get(what as usize) {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// How many there were.
    #[must_use]
    pub fn counted(&self, what: Count) -> u64 {
        self.counts.get(what as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// All has been read, or not, for this reason.
    pub fn end(&self, failure: Option<&str>, now: u64) {
        self.took.store(now.saturating_sub(self.begun.load(Ordering::Relaxed)), Ordering::Relaxed);
        *self.reason.lock() = CutText::new(failure.unwrap_or_default().as_bytes());
        let state = if failure.is_some() { ReadingState::Failed } else { ReadingState::Done };
        self.state.store(state as u32, Ordering::Release);
    }

    /// How long the reading has taken, or takes until now, in milliseconds.
    #[must_use]
    pub fn took(&self, now: u64) -> u64 {
        match self.state() {
            ReadingState::Reading => now.saturating_sub(self.begun.load(Ordering::Relaxed)),
            ReadingState::Never | ReadingState::Done | ReadingState::Failed => self.took.load(Ordering::Relaxed),
        }
    }

    /// Why the newest reading has failed, or its beginning; empty if it has not.
    #[must_use]
    pub fn reason(&self) -> String {
        self.reason.lock().shown()
    }
}
