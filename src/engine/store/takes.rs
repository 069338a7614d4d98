//! Which marks the writer takes, and when.

use std::time::Duration;

use super::super::Engine;
use super::writer::generation;
use crate::registry::StoreMark;
use crate::store::{Outbox, RowChange};
use crate::time::Millis;

/// How often what only NOTIFYs have counted is written.
const COUNTED: Duration = Duration::from_secs(1);

/// Numbers are written once in so many of the intervals of whole rows, or once in the time of [`COUNTED`] if that is earlier.
const NUMBERS: u32 = 10;

/// How many batches of numbers are taken together: sorted by their ids, many of them lie in the same pages of the database.
const BATCHES: usize = 8;

/// What has been taken.
pub(super) struct MarkTaker {
    /// The shard where the next marks are looked for.
    turn: usize,
    /// When all numbers were taken last, of which there were some.
    numbers_at: Millis,
    /// When all marks were taken last.
    counted_at: Millis,
    /// When there was none last that is shown.
    caught_up_at: Millis,
}

/// A marked subscription, in the order of the ids: of rows that are made one after the other.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    generation: Option<u32>,
    index: u32,
    mark: StoreMark,
}

impl MarkTaker {
    pub(super) fn new(now: Millis) -> Self {
        Self { turn: 0, numbers_at: Millis(0), counted_at: Millis(0), caught_up_at: now }
    }

    /// When there was no mark last.
    pub(super) fn caught_up_at(&self) -> Millis {
        self.caught_up_at
    }

    /// Takes marks into the outbox; whether there may be more for which there was no room.
    ///
    /// SUBSCRIBEs wait for whole rows, so these are taken each time. Nobody waits for numbers: they are taken seldom, and many at a time, so that
    /// those of one subscription are one change, and those of neighbours one page. While a batch of them is left, no others are taken. What waits is
    /// bounded, also when the database takes nothing.
    pub(super) fn take(&mut self, engine: &Engine, outbox: &mut Outbox, now: Millis) -> bool {
        let (most, waiting) = (engine.live.db_batch(), outbox.waiting());
        let least = self.least(waiting < most, now, engine.live.db_flush_interval());
        let batches = if least == StoreMark::Whole { BATCHES + 1 } else { BATCHES };
        let room = most.saturating_mul(batches).saturating_sub(waiting);
        let (noted, mut found) = (Engine::now(), Vec::new());
        let taken = engine.registry.take_marks(&mut self.turn, room, least, |index, mark, marked| {
            // A fetch has no row.
            let stored = marked.filter(|marked| marked.life.is_stored()).map(|marked| generation(marked.handle));
            found.push(Found { generation: stored, index, mark });
        });
        found.sort_unstable();
        let has_numbers = found.iter().any(|found| found.mark < StoreMark::Whole);
        for Found { generation, index, mark } in found {
            let change = if mark == StoreMark::Whole { RowChange::Whole } else { RowChange::Numbers };
            outbox.note(index, change, generation, noted);
        }
        let is_all = taken < room;
        if is_all && least < StoreMark::Whole && has_numbers {
            self.numbers_at = noted;
        }
        if is_all && least == StoreMark::Counted {
            self.counted_at = noted;
        }
        if is_all && least < StoreMark::Whole || engine.registry.marked() == 0 {
            self.caught_up_at = noted;
        }
        !is_all
    }

    /// The least mark that is taken now.
    fn least(&self, has_room: bool, now: Millis, interval: Duration) -> StoreMark {
        let numbers = interval.saturating_mul(NUMBERS).min(COUNTED);
        match () {
            () if !has_room => StoreMark::Whole,
            () if now >= self.counted_at.after(COUNTED) => StoreMark::Counted,
            () if now >= self.numbers_at.after(numbers) => StoreMark::Numbers,
            () => StoreMark::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_once_a_second_and_at_once_after_a_rest() {
        let [start, flush] = [Millis(50_000), Millis(100)];
        let takes = MarkTaker { numbers_at: start, counted_at: start, ..MarkTaker::new(start) };
        let least = |after: u64, interval| takes.least(true, Millis(start.0 + after), Duration::from_millis(interval));
        assert_eq!([0, 900, 999, 1000].map(|after| least(after, flush.0)), {
            [StoreMark::Whole, StoreMark::Whole, StoreMark::Whole, StoreMark::Counted]
        });
        // With a shorter interval they are written sooner; with a longer one, as seldom as anything.
        assert_eq!([99, 100].map(|after| least(after, 10)), [StoreMark::Whole, StoreMark::Numbers]);
        assert_eq!([999, 1000].map(|after| least(after, 60_000)), [StoreMark::Whole, StoreMark::Counted]);
        // After a rest, a single change does not wait.
        let rested = MarkTaker { counted_at: start, ..MarkTaker::new(start) };
        assert_eq!(rested.least(true, start, Duration::from_millis(100)), StoreMark::Numbers);
        assert_eq!(rested.least(false, Millis(u64::MAX), Duration::from_millis(100)), StoreMark::Whole);
    }
}
