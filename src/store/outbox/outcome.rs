//! What happens after a batch.

use std::mem;
use std::time::Duration;

use super::batch::RowBatch;
use super::queue::Queued;
use super::{Outbox, RowChange, parts};
use crate::time::Millis;

/// How a batch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFailure {
    /// Nobody knows whether it was carried out, or still will be: the database is away or did not answer. Also every failure that has nothing to
    /// do with the rows.
    Ambiguous,
    /// The database did not carry it out, because of what is in it.
    Refused,
}

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Outbox {
    /// How many rows are refused one by one, with nothing written in between, until that is taken for a fault of the database.
    pub(super) const MOST_ASIDE: usize = 16;

    /// The batch was carried out, all of it. The ids of the whole rows are returned: their subscriptions are saved.
    pub fn done(&mut self, batch: RowBatch, now: Millis) -> Vec<u64> {
        self.count(&batch);
        (self.failures, self.retry_at) = (0, None);
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
            match self.tombstones {
                None => self.tombstones = Some((now, batch.written)),
                Some(_) => self.newer_tombstones = Some(batch.written),
            }
        }
        if batch.purge.is_some() {
            self.tombstones = self.newer_tombstones.take().map(|up_to| (now, up_to));
        }
        if !batch.whole.is_empty() || !batch.numbers.is_empty() {
            self.judge_aside(batch.is_second);
        }
        batch.whole
    }

    /// The batch failed.
    pub fn failed(&mut self, mut batch: RowBatch, failure: WriteFailure, now: Millis) {
        match failure {
            WriteFailure::Ambiguous => {
                self.counters.ambiguous = self.counters.ambiguous.saturating_add(1);
                self.doubt = Some(now);
                self.put_back(batch);
                self.pause(now);
            }
            WriteFailure::Refused => {
                self.counters.refused = self.counters.refused.saturating_add(1);
                if let Some(halves) = batch.split() {
                    self.suspects.extend(halves.into_iter().filter(|half| !half.is_empty()));
                } else if let Some((id, change)) = single(&batch) {
                    let (_, generation) = parts(id);
                    self.aside.push((id, Queued { generation, change, since: batch.since }));
                    let is_last = self.suspects.is_empty() && self.waiting.len() == 0;
                    if self.aside.len() >= Self::MOST_ASIDE || is_last {
                        self.pause(now);
                    }
                } else {
                    // Nothing in it has contents that could be refused.
                    self.put_back(batch);
                    self.pause(now);
                }
            }
        }
    }

    /// Something was written: rows that were refused before are to blame themselves, unless it was too many, or one of them was written.
    fn judge_aside(&mut self, is_second: bool) {
        let was_fault = is_second || self.aside.len() >= Self::MOST_ASIDE;
        for (id, queued) in mem::take(&mut self.aside) {
            let (index, generation) = parts(id);
            if was_fault {
                self.put_one_back(id, queued);
            } else if self.is_current(index, generation) {
                self.left_out.insert(index, generation);
                self.counters.left_out = self.counters.left_out.saturating_add(1);
            }
        }
    }

    fn put_back(&mut self, batch: RowBatch) {
        let since = batch.since;
        let of = |change| move |id: &u64| (*id, Queued { generation: parts(*id).1, change, since });
        let whole = batch.whole.iter().rev().map(of(RowChange::Whole));
        let numbers = batch.numbers.iter().rev().map(of(RowChange::Numbers));
        whole.chain(numbers).for_each(|(id, queued)| self.put_one_back(id, queued));
        for id in batch.delete.iter().chain(&batch.tombstone).rev() {
            self.gone.push_front((*id, since));
        }
    }

    /// Queues a change again, unless its subscription has ended in the meantime.
    fn put_one_back(&mut self, id: u64, queued: Queued) {
        let (index, generation) = parts(id);
        if self.row(index) == generation {
            self.waiting.put_back(index, queued);
        }
    }

    /// Whether a change is the newest that is known of its row.
    fn is_current(&self, index: u32, generation: u32) -> bool {
        self.row(index) == generation && !self.waiting.has(index)
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
