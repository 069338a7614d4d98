//! The next batch.

use std::collections::VecDeque;
use std::mem;

use super::outcome::Denied;
use super::queue::Queued;
use super::{Outbox, RowChange, id};
use crate::store::row::Written;
use crate::time::Millis;

/// What is written together. The caller fetches the contents; a subscription that is not there any more is skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowBatch {
    /// Which statement each row is written by.
    pub written: Written,
    /// Whole rows.
    pub whole: Vec<u64>,
    /// Numbers of rows that are there.
    pub numbers: Vec<u64>,
    /// Rows to delete.
    pub delete: Vec<u64>,
    /// Rows to replace with tombstones.
    pub tombstone: Vec<u64>,
    /// Tombstones up to this statement go.
    pub purge: Option<Written>,
    /// Since when the oldest of it waits.
    pub(super) since: Millis,
    /// It is the second attempt with a row that was refused.
    pub(super) is_second: bool,
}

impl RowBatch {
    /// How many rows it concerns.
    #[must_use]
    pub fn len(&self) -> usize {
        [&self.whole, &self.numbers, &self.delete, &self.tombstone].map(Vec::len).iter().sum()
    }

    /// Whether it has nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.purge.is_none()
    }

    /// Whether it has rows that say something.
    pub(super) fn has_contents(&self) -> bool {
        !self.whole.is_empty() || !self.numbers.is_empty()
    }

    /// Whether it removes something.
    pub(super) fn removes(&self) -> bool {
        !self.delete.is_empty() || !self.tombstone.is_empty() || self.purge.is_some()
    }

    fn new(written: Written, since: Millis) -> Self {
        let (whole, numbers, delete, tombstone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { written, whole, numbers, delete, tombstone, purge: None, since, is_second: false }
    }

    /// Two halves of it, which differ in kind if it has several kinds; `None` if there is only one row of those that have contents.
    pub(super) fn split(&mut self) -> Option<[Self; 2]> {
        let mut other = Self::new(self.written, self.since);
        if self.has_contents() && self.removes() {
            (other.whole, other.numbers) = (mem::take(&mut self.whole), mem::take(&mut self.numbers));
        } else if !self.whole.is_empty() && !self.numbers.is_empty() {
            other.whole = mem::take(&mut self.whole);
        } else if self.whole.len() > 1 {
            other.whole = self.whole.split_off(self.whole.len() / 2);
        } else if self.numbers.len() > 1 {
            other.numbers = self.numbers.split_off(self.numbers.len() / 2);
        } else {
            return None;
        }
        Some([mem::replace(self, Self::new(self.written, self.since)), other])
    }
}

impl Outbox {
    /// The next batch, of at most `most` rows; `None` if nothing waits, or the pause after a failure is not over.
    pub fn batch(&mut self, most: usize, now: Millis) -> Option<RowBatch> {
        if self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        let written = Written::new(self.run, self.batch.saturating_add(1));
        let batch = match self.next_suspect() {
            Some(suspect) => RowBatch { written, ..suspect },
            None => self.collected(written, most, now),
        };
        if batch.is_empty() {
            return None;
        }
        self.batch = self.batch.saturating_add(1);
        // From now on they may have a row.
        for id in &batch.whole {
            let (index, generation) = super::parts(*id);
            self.set_row(index, generation);
            self.unsure.insert(index);
        }
        Some(batch)
    }

    /// A half of a batch that was refused, without the rows of subscriptions that have ended since.
    fn next_suspect(&mut self) -> Option<RowBatch> {
        while let Some(mut suspect) = self.suspects.pop() {
            suspect.whole.retain(|id| self.is_there(*id));
            suspect.numbers.retain(|id| self.is_there(*id));
            if !suspect.is_empty() {
                return Some(suspect);
            }
        }
        None
    }

    /// The row that was refused first.
    fn next_aside(&mut self) -> Option<(u64, Queued)> {
        let (index, queued) =
            [RowChange::Whole, RowChange::Numbers].into_iter().find_map(|change| self.aside.pop(change))?;
        Some((id(index, queued.generation), queued))
    }

    fn collected(&mut self, written: Written, most: usize, now: Millis) -> RowBatch {
        let most = most.max(1);
        // While the database refuses every row, one is enough to see whether it does.
        let most_contents = if self.denied == Some(Denied::Contents) { 1 } else { most };
        let mut batch = RowBatch::new(written, now);
        while batch.len() < most_contents
            && let Some((id, queued)) = self.next_of(RowChange::Whole)
        {
            batch.whole.push(id);
            batch.since = batch.since.min(queued.since);
        }
        let deleted = self.gone.len().min(most.saturating_sub(batch.len()));
        let is_doubtful = self.doubt.is_some_and(|since| now < since.after(self.late));
        let list = if is_doubtful { &mut batch.tombstone } else { &mut batch.delete };
        list.extend(taken(&mut self.gone, deleted, &mut batch.since));
        while batch.len() < most
            && batch.whole.len().saturating_add(batch.numbers.len()) < most_contents
            && let Some((id, queued)) = self.next_of(RowChange::Numbers)
        {
            batch.numbers.push(id);
            batch.since = batch.since.min(queued.since);
        }
        if batch.is_empty()
            && let Some((id, queued)) = self.next_aside()
        {
            batch.is_second = true;
            batch.since = queued.since;
            match queued.change {
                RowChange::Whole => batch.whole.push(id),
                RowChange::Numbers => batch.numbers.push(id),
            }
        }
        batch.purge = self.tombstones.filter(|(since, _)| now >= since.after(self.late)).map(|(_, up_to)| up_to);
        batch
    }

    fn next_of(&mut self, change: RowChange) -> Option<(u64, Queued)> {
        self.waiting.pop(change).map(|(index, queued)| (id(index, queued.generation), queued))
    }
}

/// The ids of the first so many.
fn taken(gone: &mut VecDeque<(u64, Millis)>, count: usize, since: &mut Millis) -> Vec<u64> {
    let taken = gone.drain(..count);
    let mut ids = Vec::with_capacity(count);
    for (id, waits) in taken {
        *since = (*since).min(waits);
        ids.push(id);
    }
    ids
}
