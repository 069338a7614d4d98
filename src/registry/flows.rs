//! Which records depend on a connection: for each connection a list through the records themselves, so that thousands over
//! one connection cost no more than one.

use allocator_api2::alloc::Allocator;

use super::index::Index;
use super::records::Records;
use super::table::Record;
use crate::memory::OutOfMemory;
use crate::subscription::Flow;

/// Ends a list.
const NONE: u32 = u32::MAX;

/// A record's place in the list of its connection.
#[derive(Clone, Copy)]
pub(super) struct Link {
    flow: Flow,
    before: u32,
    after: u32,
}

/// The first record of each connection. Their numbers are the hashes, which are told apart exactly.
pub(super) struct Flows<A: Allocator> {
    heads: Index<A>,
}

impl<A: Allocator + Clone> Flows<A> {
    pub(super) fn new_in(alloc: A) -> Self {
        Self { heads: Index::new_in(alloc) }
    }

    /// Makes room for one more connection.
    pub(super) fn try_reserve(&mut self) -> Result<(), OutOfMemory> {
        self.heads.try_reserve()
    }

    /// Gives the memory back when there is no connection: most servers never have one again in this shard.
    pub(super) fn tidy(&mut self) {
        if self.heads.is_empty() {
            self.heads.release();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// A record that depends on this connection.
    pub(super) fn find(&self, flow: Flow) -> Option<u32> {
        self.heads.find(flow.0.get(), |_| true)
    }

    /// Has the record in `slot` depend on `flow`, or on none. A connection needs [`Flows::try_reserve`] first.
    pub(super) fn set<S, O>(&mut self, records: &mut Records<Record<S, O>, A>, slot: u32, flow: Option<Flow>) {
        let Some((_, record)) = records.get_mut(slot) else { return };
        if record.flow.map(|link| link.flow) == flow {
            return;
        }
        let head = flow.and_then(|flow| self.find(flow));
        let link = flow.map(|flow| Link { flow, before: NONE, after: head.unwrap_or(NONE) });
        let old = std::mem::replace(&mut record.flow, link);
        if let Some(old) = old {
            self.unlink(records, slot, old);
        }
        match (flow, head) {
            (Some(flow), Some(head)) => {
                change(records, head, |link| link.before = slot);
                self.heads.replace(flow.0.get(), head, slot);
            }
            (Some(flow), None) => self.heads.insert(flow.0.get(), slot),
            (None, _) => {}
        }
    }

    /// Takes a record that has been removed from `slot` out of its list.
    pub(super) fn unlink<S, O>(&mut self, records: &mut Records<Record<S, O>, A>, slot: u32, link: Link) {
        let Link { flow, before, after } = link;
        change(records, after, |link| link.before = before);
        match (before, after) {
            (NONE, NONE) => self.heads.remove(flow.0.get(), slot),
            (NONE, after) => self.heads.replace(flow.0.get(), slot, after),
            (before, after) => change(records, before, |link| link.after = after),
        }
    }
}

fn change<S, O, A: Allocator + Clone>(
    records: &mut Records<Record<S, O>, A>,
    slot: u32,
    change: impl FnOnce(&mut Link),
) {
    if let Some(link) = records.get_mut(slot).and_then(|(_, record)| record.flow.as_mut()) {
        change(link);
    }
}
