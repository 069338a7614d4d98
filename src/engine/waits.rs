//! How long SUBSCRIBEs were under way until their final replies: counted by the processes that have the replies, taken by one that gives
//! them to a histogram of the server.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Engine;
use super::counters::ReplyClass;

/// The upper bounds of the intervals, in milliseconds; there is one more without a bound.
pub const BOUNDS: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 32_000];

/// The low bits of a cell are the sum, in milliseconds; the others are the number of waits.
const SUM_BITS: u32 = 42;

/// The longest wait that is counted, 17 minutes: so that 4 million of one interval have room.
const LONGEST: u64 = 1 << 20;

/// What has been counted since it was taken last, by class and interval. A cell has number and sum in one word, so that both are of the same
/// waits.
#[derive(Default)]
pub(super) struct Waits {
    /// Somebody takes them.
    are_wanted: AtomicBool,
    cells: [[AtomicU64; BOUNDS.len() + 1]; ReplyClass::COUNT],
}

/// Waits of one class and one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waited {
    /// How many.
    pub count: u64,
    /// All together, in milliseconds.
    pub sum: u64,
}

impl Waits {
    pub(super) fn note(&self, class: ReplyClass, wait: Duration) {
        if !self.are_wanted.load(Relaxed) {
            return;
        }
        let wait = u64::try_from(wait.as_millis()).unwrap_or(LONGEST).min(LONGEST);
        let interval = BOUNDS.iter().take_while(|bound| **bound < wait).count();
        if let Some(cell) = self.cells.get(class as usize).and_then(|cells| cells.get(interval)) {
            cell.fetch_add((1 << SUM_BITS) | wait, Relaxed);
        }
    }

    fn take(&self) -> [[Waited; BOUNDS.len() + 1]; ReplyClass::COUNT] {
        self.cells.each_ref().map(|cells| {
            cells.each_ref().map(|cell| {
                // It is written to by nobody while nothing comes.
                let taken = if cell.load(Relaxed) == 0 { 0 } else { cell.swap(0, Relaxed) };
                Waited { count: taken >> SUM_BITS, sum: taken & ((1 << SUM_BITS) - 1) }
            })
        })
    }
}

impl Engine {
    /// From now on waits are counted: somebody [takes](Self::take_waits) them.
    pub fn want_waits(&self) {
        self.counters.waits.are_wanted.store(true, Relaxed);
    }

    /// Whether somebody takes them.
    #[must_use]
    pub fn are_waits_wanted(&self) -> bool {
        self.counters.waits.are_wanted.load(Relaxed)
    }

    /// The waits since they were taken last, by the places of [`ReplyClass::ALL`] and [`BOUNDS`].
    #[must_use]
    pub fn take_waits(&self) -> [[Waited; BOUNDS.len() + 1]; ReplyClass::COUNT] {
        self.counters.waits.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_in_its_interval_and_taken_once() {
        let waits = Waits::default();
        let note = |millis| waits.note(ReplyClass::None, Duration::from_millis(millis));
        note(1);
        let is_empty = |waits: &Waits| waits.take().iter().flatten().all(|of| *of == Waited::default());
        assert!(is_empty(&waits), "nobody wants them");
        waits.are_wanted.store(true, Relaxed);
        [0, 5, 6, 32_000, 32_001, u64::MAX].into_iter().for_each(note);
        let taken = waits.take()[ReplyClass::None as usize];
        let found: Vec<_> = taken.iter().enumerate().filter(|(_, of)| of.count > 0).collect();
        let wanted = [
            (0, Waited { count: 2, sum: 5 }),
            (1, Waited { count: 1, sum: 6 }),
            (11, Waited { count: 1, sum: 32_000 }),
            (12, Waited { count: 2, sum: 32_001 + LONGEST }),
        ];
        assert_eq!(found, wanted.each_ref().map(|(place, of)| (*place, of)));
        assert!(is_empty(&waits));
    }
}
