//! Changes that wait, those of whole rows first: SUBSCRIBEs wait for them.

use std::collections::{HashMap, VecDeque};

use super::RowChange;
use crate::time::Millis;

/// A change that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queued {
    pub(super) generation: u32,
    pub(super) change: RowChange,
    /// Since when.
    pub(super) since: Millis,
}

/// The changes by index, each once.
#[derive(Debug, Default)]
pub(super) struct RowQueue {
    changes: HashMap<u32, Queued>,
    /// The order. An index that is here and not in `changes`, or there with another kind of change, means nothing.
    whole: VecDeque<u32>,
    numbers: VecDeque<u32>,
}

impl RowQueue {
    /// Adds a change, or joins it with the one that waits.
    pub(super) fn add(&mut self, index: u32, new: Queued) {
        let old = self.changes.get(&index).copied();
        let same = old.filter(|old| old.generation == new.generation);
        let joined = same.map_or(new, |old| Queued {
            change: old.change.max(new.change),
            since: old.since.min(new.since),
            ..new
        });
        self.changes.insert(index, joined);
        if old.is_none_or(|old| old.change != joined.change) {
            self.order(joined.change).push_back(index);
        }
    }

    /// Adds a change that has waited before: it goes to the front.
    pub(super) fn put_back(&mut self, index: u32, old: Queued) {
        match self.changes.get(&index).copied() {
            // Another subscription has the place.
            Some(newer) if newer.generation != old.generation => {}
            Some(_) => self.add(index, old),
            None => {
                self.changes.insert(index, old);
                self.order(old.change).push_front(index);
            }
        }
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Queued> {
        self.changes.remove(&index)
    }

    /// Takes the oldest change of this kind.
    pub(super) fn pop(&mut self, change: RowChange) -> Option<(u32, Queued)> {
        while let Some(index) = self.order(change).pop_front() {
            if self.changes.get(&index).is_some_and(|queued| queued.change == change) {
                return self.changes.remove(&index).map(|queued| (index, queued));
            }
        }
        None
    }

    /// Whether a change waits.
    pub(super) fn has(&self, index: u32) -> bool {
        self.changes.contains_key(&index)
    }

    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Since when the oldest waits.
    pub(super) fn oldest(&mut self) -> Option<Millis> {
        let fronts = [RowChange::Whole, RowChange::Numbers].map(|change| self.front(change));
        fronts.into_iter().flatten().min()
    }

    fn front(&mut self, change: RowChange) -> Option<Millis> {
        loop {
            let index = *self.order(change).front()?;
            match self.changes.get(&index).filter(|queued| queued.change == change) {
                Some(queued) => return Some(queued.since),
                None => self.order(change).pop_front(),
            };
        }
    }

    fn order(&mut self, change: RowChange) -> &mut VecDeque<u32> {
        match change {
            RowChange::Whole => &mut self.whole,
            RowChange::Numbers => &mut self.numbers,
        }
    }
}
