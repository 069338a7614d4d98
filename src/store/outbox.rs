//! The decisions of the process that writes: what goes into the next batch, and what happens after a failure.
//!
//! Changes of the same subscription collapse: only its name waits, and the caller fetches the contents when a batch is written. All of this is
//! ordinary memory of one process; if that is lost, the rows themselves say what has a row.
//!
//! * If nobody knows whether a batch was carried out ([`WriteFailure::Ambiguous`]), it is written again after a pause. It may still be carried
//!   out much later. So a row that is deleted in the time after is not deleted, but becomes a tombstone, until nothing can be late any more.
//! * If the database refuses a batch and takes another row in the same table ([`WriteFailure::Refused`]), the batch is halved until the row is
//!   found that it refuses. After a second attempt that row is left out until it changes, and counted.
//! * If it takes no row at all ([`WriteFailure::Denied`]), or refuses many one after the other, it is the database that is at fault: nothing is
//!   left out, and everything is written when one row has been.

mod batch;
mod outcome;
mod queue;

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::row::{Run, Written};
use crate::time::Millis;
use outcome::Denied;
use queue::{Queued, RowQueue};

pub use batch::RowBatch;
pub use outcome::WriteFailure;

/// How much of a row has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowChange {
    /// Numbers and words only.
    Numbers,
    /// A text, or everything.
    Whole,
}

/// What the outbox has counted, rows if nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounters {
    /// Batches written.
    pub batches: u64,
    /// Written whole.
    pub whole: u64,
    /// Written in part.
    pub numbers: u64,
    /// Deleted.
    pub deleted: u64,
    /// Written as tombstones.
    pub tombstones: u64,
    /// Batches that failed, and nobody knows whether they were carried out.
    pub ambiguous: u64,
    /// Batches that were refused.
    pub refused: u64,
    /// Left out until they change: the database refuses them, or no database can keep them.
    pub left_out: u64,
}

/// The changes that wait to be written, and what is known of the rows.
#[derive(Debug)]
pub struct Outbox {
    run: Run,
    /// How long a statement can be carried out after it failed.
    late: Duration,
    /// The number of the newest batch.
    batch: u32,
    /// By index: the generation that has a row, or may have one; 0 for none.
    rows: Vec<u32>,
    /// How many of these are not 0.
    row_count: usize,
    /// Indexes whose row may be there or not: the next write is of the whole row.
    unsure: HashSet<u32>,
    waiting: RowQueue,
    /// Rows to be deleted, oldest first.
    gone: VecDeque<(u64, Millis)>,
    /// Halves of batches that were refused.
    suspects: Vec<RowBatch>,
    /// Single rows that were refused once: they are tried again when nothing else waits.
    aside: RowQueue,
    /// Single rows that were refused since one was written.
    in_row: usize,
    /// What the database does not take at all.
    denied: Option<Denied>,
    /// Rows that are left out until they change: generations by index.
    left_out: HashMap<u32, u32>,
    /// Rows to be deleted once the row that takes their place is there, by the index of that one.
    moved: HashMap<u32, (u32, u64)>,
    /// When a batch failed last of which nobody knows whether it was carried out.
    doubt: Option<Millis>,
    /// Tombstones up to here are purged when nothing can be late that was on its way at that moment, and those that came after.
    tombstones: Option<(Millis, Written)>,
    newer_tombstones: Option<Written>,
    /// Failures in a row, and when the next attempt is due.
    failures: u32,
    retry_at: Option<Millis>,
    counters: OutboxCounters,
}

impl Outbox {
    /// How long a statement can be carried out after it failed, by default: a connection of TCP gives up earlier.
    pub const LATE: Duration = Duration::from_secs(20 * 60);

    /// For a run of the server that has begun: table `presence_b2b_nodes` says so. Nothing of an earlier run is carried out any more, so the
    /// tombstones of earlier runs go at once.
    #[must_use]
    pub fn new(run: Run, late: Duration) -> Self {
        Self {
            run,
            late,
            batch: 0,
            rows: Vec::new(),
            row_count: 0,
            unsure: HashSet::new(),
            waiting: RowQueue::default(),
            gone: VecDeque::new(),
            suspects: Vec::new(),
            aside: RowQueue::default(),
            in_row: 0,
            denied: None,
            left_out: HashMap::new(),
            moved: HashMap::new(),
            doubt: None,
            tombstones: Some((Millis(0), Written::new(run, 0))),
            newer_tombstones: None,
            failures: 0,
            retry_at: None,
            counters: OutboxCounters::default(),
        }
    }

    /// A subscription was restored from the row with this id, under the same id.
    pub fn inherit(&mut self, id: u64) {
        let (index, generation) = parts(id);
        self.set_row(index, generation);
    }

    /// A subscription was restored from the row `from` as `to`: its new row is written, and then the old one is deleted.
    pub fn moved(&mut self, from: u64, to: u64, now: Millis) {
        let (index, generation) = parts(to);
        self.moved.insert(index, (generation, from));
        self.note(index, RowChange::Whole, Some(generation), now);
    }

    /// The row with this id belongs to no subscription.
    pub fn discard(&mut self, id: u64, now: Millis) {
        self.gone.push_back((id, now));
    }

    /// A subscription has changed: `current` is the generation that is there now at this index, `None` if none is.
    pub fn note(&mut self, index: u32, change: RowChange, current: Option<u32>, now: Millis) {
        self.left_out.remove(&index);
        if let Some(refused) = self.aside.remove(index) {
            self.put_one_back(index, refused);
        }
        let row = self.row(index);
        if row != 0 && current != Some(row) {
            self.gone.push_back((id(index, row), now));
            self.set_row(index, 0);
            self.unsure.remove(&index);
        }
        if self.moved.get(&index).is_some_and(|(generation, _)| current != Some(*generation)) {
            self.gone.extend(self.moved.remove(&index).map(|(_, old)| (old, now)));
        }
        let Some(generation) = current.filter(|generation| *generation != 0) else {
            self.waiting.remove(index);
            return;
        };
        let is_there = row == generation && !self.unsure.contains(&index);
        let change = if is_there { change } else { RowChange::Whole };
        self.waiting.add(index, Queued { generation, change, since: now });
    }

    /// No database can keep this subscription ([`Unstorable`](super::Unstorable)): it is left out until it changes, and its row goes if it has one.
    pub fn leave_out(&mut self, id: u64, now: Millis) {
        let (index, generation) = parts(id);
        if self.row(index) == generation {
            self.set_row(index, 0);
            self.unsure.remove(&index);
            self.gone.push_back((id, now));
        }
        self.waiting.remove(index);
        self.left_out.insert(index, generation);
        self.counters.left_out = self.counters.left_out.saturating_add(1);
    }

    /// How many rows there are, or may be.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.row_count
    }

    /// How many changes wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let suspects: usize = self.suspects.iter().map(RowBatch::len).sum();
        self.waiting.len().saturating_add(self.gone.len()).saturating_add(suspects).saturating_add(self.aside.len())
    }

    /// How long the oldest change has waited; none if none waits.
    pub fn lag(&mut self, now: Millis) -> Option<Duration> {
        let gone = self.gone.front().map(|(_, since)| *since);
        let suspects = self.suspects.iter().map(|batch| batch.since);
        let oldest = suspects.chain(gone).chain(self.waiting.oldest()).chain(self.aside.oldest()).min();
        oldest.map(|since| now.since(since))
    }

    /// Whether the database refuses whatever it is told, and not what a row says.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.denied.is_some()
    }

    /// How many rows are left out now.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out.len()
    }

    #[cfg(test)]
    /// The counters.
    #[must_use]
    pub fn counters(&self) -> OutboxCounters {
        self.counters
    }

    /// When the next attempt is due after a failure; `None` if nothing has failed.
    #[must_use]
    pub fn retry_at(&self) -> Option<Millis> {
        self.retry_at
    }

    fn row(&self, index: u32) -> u32 {
        self.rows.get(index as usize).copied().unwrap_or(0)
    }

    fn set_row(&mut self, index: u32, generation: u32) {
        let index = index as usize;
        if index >= self.rows.len() {
            self.rows.resize(index.saturating_add(1), 0);
        }
        if let Some(row) = self.rows.get_mut(index) {
            let (was, is) = (*row != 0, generation != 0);
            self.row_count = self.row_count.saturating_add(is.into()).saturating_sub(was.into());
            *row = generation;
        }
    }
}

/// Index and generation of a handle as a number.
fn parts(id: u64) -> (u32, u32) {
    // Cut on purpose: the two halves of the number.
    (id as u32, (id >> 32) as u32)
}

fn id(index: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(index)
}
