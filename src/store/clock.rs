//! Instants of one run of the server in a database, for another run: Unix milliseconds there, [`Millis`] of the monotonic clock here.

use std::time::Duration;

use super::row::Run;
use crate::time::Millis;

/// The same moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockMap {
    /// By the clock of the day: milliseconds since 1970.
    pub unix_ms: u64,
    /// By the monotonic clock.
    pub mono: Millis,
}

impl ClockMap {
    /// An instant for a row; 0 for none.
    #[must_use]
    pub fn to_unix(self, instant: Option<Millis>) -> u64 {
        let Some(Millis(instant)) = instant else { return 0 };
        let Millis(mono) = self.mono;
        let ahead = self.unix_ms.saturating_add(instant.saturating_sub(mono));
        ahead.saturating_sub(mono.saturating_sub(instant)).clamp(1, Self::LAST)
    }

    /// The instant of a row that was written at `updated`; none for 0. One before this clock began is its beginning.
    ///
    /// A row cannot have been written later than now. If it says so, the clock of the day has gone back since, and the instants of the row
    /// are taken back as far: what was an hour away is an hour away.
    #[must_use]
    pub fn to_mono(self, instant: u64, updated: u64) -> Option<Millis> {
        if instant == 0 {
            return None;
        }
        let instant = instant.saturating_sub(self.went_back(updated));
        let Millis(mono) = self.mono;
        let ahead = mono.saturating_add(instant.saturating_sub(self.unix_ms));
        Some(Millis(ahead.saturating_sub(self.unix_ms.saturating_sub(instant))))
    }

    /// The same, but not later than this span from now.
    #[must_use]
    pub fn to_mono_within(self, instant: u64, updated: u64, span: Duration) -> Option<Millis> {
        self.to_mono(instant, updated).map(|instant| instant.min(self.mono.after(span)))
    }

    /// By how many milliseconds at least the clock of the day has gone back since `updated`; 0 if nothing shows that it has.
    #[must_use]
    pub fn went_back(self, updated: u64) -> u64 {
        updated.saturating_sub(self.unix_ms)
    }

    /// The last instant that a column has room for.
    const LAST: u64 = i64::MAX as u64;
}

/// A run of the server that begins, and takes over what an earlier one has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The run.
    pub run: Run,
    /// The moment.
    pub clock: ClockMap,
    /// The latest moment that an earlier run has written into column `seen` of table `presence_b2b_nodes`, in Unix milliseconds. A run writes there
    /// [`latest`](Self::latest) before it reads rows.
    pub seen: u64,
}

impl Restart {
    /// The latest moment that is known of: now, unless the clock has gone back since `seen`.
    #[must_use]
    pub fn latest(&self) -> u64 {
        self.clock.unix_ms.max(self.seen)
    }
}
