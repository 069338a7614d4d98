//! What happens after a batch.

use std::mem;
use std::time::Duration;

use super::batch::RowBatch;
use super::queue::Queued;
use super::{Outbox, RowChange, parts};
use crate::store::row::Written;
use crate::time::Millis;

/// How a batch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFailure {
    /// Nobody knows whether it was carried out, or still will be: the database is away or did not answer. Also every failure that has nothing to
    /// do with the rows.
    Ambiguous,
    /// The database did not carry it out, but takes another row: because of what is in it.
    Refused,
    /// The database did not carry it out, and takes no other row either.
    Denied,
}

/// What a database does not take, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// Any row.
    Contents,
    /// The end of a row.
    Removals,
}

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Outbox {
    /// How many rows are refused one by one, with none written in between, until that is taken for a fault of the database.
    pub(super) const MOST_IN_ROW: usize = 16;

    /// The batch was carried out, all of it; `has_contents` if there was a row with contents: subscriptions may have ended since. The ids of the
    /// whole rows are returned: their subscriptions are saved.
    pub fn done(&mut self, batch: RowBatch, has_contents: bool, now: Millis) -> Vec<u64> {
        self.count(&batch);
        for id in &batch.whole {
            let (index, generation) = parts(*id);
            if self.row(index) == generation {
                self.unsure.remove(&index);
            }
            if self.moved.get(&index).is_some_and(|(moved, _)| *moved == generation) {
                self.gone.extend(self.moved.remove(&index).map(|(_, old)| (old, now)));
            }
        }
        if !batch.tombstone.is_empty() {
            self.purge_later(batch.written, now);
        }
        if batch.purge.is_some() {
            self.tombstones = self.newer_tombstones.take().map(|up_to| (now, up_to));
        }
        if has_contents {
            self.in_row = 0;
        }
        let is_over = match self.denied {
            None => true,
            Some(Denied::Contents) => has_contents || batch.removes() && !self.has_contents(),
            Some(Denied::Removals) => batch.removes(),
        };
        if is_over {
            self.recover();
        }
        batch.whole
    }

    /// A tombstone is there that this statement or an earlier one has written.
    pub fn purge_later(&mut self, written: Written, now: Millis) {
        match self.tombstones {
            None => self.tombstones = Some((now, written)),
            Some(_) => self.newer_tombstones = Some(written),
        }
    }

    /// The batch failed. The id of the row that is left out from now on, if it is one.
    pub fn failed(&mut self, mut batch: RowBatch, failure: WriteFailure, now: Millis) -> Option<u64> {
        match failure {
            WriteFailure::Ambiguous => {
                self.counters.ambiguous = self.counters.ambiguous.saturating_add(1);
                self.doubt = Some(now);
                self.put_back(batch);
                self.pause(now);
            }
            WriteFailure::Refused => {
                self.counters.refused = self.counters.refused.saturating_add(1);
                if self.denied == Some(Denied::Contents) && self.in_row < Self::MOST_IN_ROW {
                    self.recover();
                }
                if let Some(halves) = batch.split() {
                    self.suspects.extend(halves.into_iter().filter(|half| !half.is_empty()));
                } else if let Some((id, change)) = single(&batch) {
                    return self.refused(id, change, &batch, now);
                } else {
                    // Nothing in it has contents that could be refused.
                    self.put_back(batch);
                    self.denied.get_or_insert(Denied::Removals);
                    self.pause(now);
                }
            }
            WriteFailure::Denied => {
                self.counters.refused = self.counters.refused.saturating_add(1);
                for change in [RowChange::Whole, RowChange::Numbers] {
                    while let Some((index, queued)) = self.aside.pop(change) {
                        self.put_one_back(index, queued);
                    }
                }
                self.suspects.push(batch);
                self.deny(now);
            }
        }
        None
    }

    /// A single row was refused.
    fn refused(&mut self, id: u64, change: RowChange, batch: &RowBatch, now: Millis) -> Option<u64> {
        let (index, generation) = parts(id);
        self.in_row = self.in_row.saturating_add(1);
        let are_many = self.in_row >= Self::MOST_IN_ROW;
        if batch.is_second && !are_many {
            let is_newest = self.is_there(id) && !self.waiting.has(index);
            is_newest.then(|| self.left_out.insert(index, generation));
            self.counters.left_out = self.counters.left_out.saturating_add(is_newest.into());
            return is_newest.then_some(id);
        }
        self.aside.add(index, Queued { generation, change, since: batch.since });
        if are_many {
            self.deny(now);
        }
        None
    }

    /// The database takes no row: a single one is tried after each pause. What ends is tried by itself.
    fn deny(&mut self, now: Millis) {
        for mut suspect in mem::take(&mut self.suspects) {
            let contents = match suspect.removes() {
                true if suspect.has_contents() => suspect.split().map(|[removals, contents]| {
                    self.suspects.push(removals);
                    contents
                }),
                true => {
                    self.suspects.push(suspect);
                    None
                }
                false => Some(suspect),
            };
            contents.into_iter().for_each(|contents| self.put_back(contents));
        }
        self.denied = Some(Denied::Contents);
        self.pause(now);
    }

    /// The database takes what is written.
    fn recover(&mut self) {
        (self.denied, self.failures, self.retry_at) = (None, 0, None);
    }

    /// Whether a row with contents waits.
    fn has_contents(&self) -> bool {
        let suspects = self.suspects.iter().any(RowBatch::has_contents);
        suspects || self.waiting.len() > 0 || self.aside.len() > 0
    }

    fn put_back(&mut self, batch: RowBatch) {
        let since = batch.since;
        let of = |change| {
            move |id: &u64| {
                let (index, generation) = parts(*id);
                (index, Queued { generation, change, since })
            }
        };
        let whole = batch.whole.iter().rev().map(of(RowChange::Whole));
        let numbers = batch.numbers.iter().rev().map(of(RowChange::Numbers));
        whole.chain(numbers).for_each(|(index, queued)| self.put_one_back(index, queued));
        for id in batch.delete.iter().chain(&batch.tombstone).rev() {
            self.gone.push_front((*id, since));
        }
    }

    /// Queues a change again, unless its subscription has ended in the meantime.
    pub(super) fn put_one_back(&mut self, index: u32, queued: Queued) {
        if self.row(index) == queued.generation {
            self.waiting.put_back(index, queued);
        }
    }

    /// Whether the subscription of a row that was in a batch has not ended.
    pub(super) fn is_there(&self, id: u64) -> bool {
        let (index, generation) = parts(id);
        self.row(index) == generation
    }

    fn pause(&mut self, now: Millis) {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now.after(doubled.min(LONGEST_PAUSE)));
    }

    fn count(&mut self, batch: &RowBatch) {
        let add = |to: &mut u64, more: usize| *to = to.saturating_add(more as u64);
        add(&mut self.counters.batches, 1);
        add(&mut self.counters.whole, batch.whole.len());
        add(&mut self.counters.numbers, batch.numbers.len());
        add(&mut self.counters.deleted, batch.delete.len());
        add(&mut self.counters.tombstones, batch.tombstone.len());
    }
}

/// The one row of a batch that has only one, with contents.
fn single(batch: &RowBatch) -> Option<(u64, RowChange)> {
    let whole = batch.whole.first().map(|id| (*id, RowChange::Whole));
    whole.or_else(|| batch.numbers.first().map(|id| (*id, RowChange::Numbers)))
}
