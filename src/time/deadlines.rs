//! Deadlines of slots: lists in the buckets of a timing wheel.

mod wheel;

use allocator_api2::alloc::Allocator;

use crate::memory::{Chunks, OutOfMemory};
use crate::time::Millis;
use wheel::{NONE, Wheel};

/// Elements added at a time.
const CHUNK: usize = 256;

/// How many slots one call takes to narrower buckets. Each may read memory that was not used for an hour.
pub(super) const MOST_MOVES: usize = 8;

/// In place of the slot before: it is the first of the bucket in the other bits.
const FIRST: u32 = 1 << 31;

/// In place of the slot before: the slot is not armed.
const NOWHERE: u32 = u32::MAX;

/// The deadline of a slot, and its neighbours in the list of its bucket. Sixteen bytes: 16 MB for a million
/// subscriptions.
#[derive(Clone, Copy)]
struct DeadlineNode {
    at: Millis,
    before: u32,
    after: u32,
}

/// A search for the next due deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The deadline of this slot.
    Slot(u32),
    /// Nothing yet.
    Nothing,
    /// The search takes longer than a lock should be held: ask again.
    Unsorted,
}

/// At most one deadline a slot, exact to the millisecond. Arming, moving and cancelling are O(1). Until it is due one is taken to
/// a narrower bucket three times at most; when it is days away, once more each third day.
pub struct Deadlines<A: Allocator + Clone> {
    wheel: Wheel,
    /// For each slot.
    nodes: Chunks<DeadlineNode, CHUNK, A>,
}

impl<A: Allocator + Clone> Deadlines<A> {
    /// No deadlines.
    #[must_use]
    pub fn new_in(alloc: A) -> Self {
        Self { wheel: Wheel::new(), nodes: Chunks::new_in(alloc) }
    }

    /// Makes room for deadlines of all slots below `slots`: arming them cannot fail afterwards.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_reserve(&mut self, slots: usize) -> Result<(), OutOfMemory> {
        while self.nodes.len() < slots {
            self.nodes.try_grow(|_| DeadlineNode { at: Millis(0), before: NOWHERE, after: NONE })?;
        }
        Ok(())
    }

    /// Nothing is due before; `None` without deadlines. That is the earliest deadline, unless one was moved or cancelled, or it is
    /// days away.
    #[must_use]
    pub fn earliest(&self) -> Option<Millis> {
        self.wheel.next().map(|place| Millis(place.at))
    }

    /// The deadline of a slot.
    #[must_use]
    pub fn of(&self, slot: u32) -> Option<Millis> {
        self.node(slot).filter(|node| node.before != NOWHERE).map(|node| node.at)
    }

    /// The earliest deadline, when it is due. Time never goes back.
    pub fn due(&mut self, now: Millis) -> Due {
        let mut moves = MOST_MOVES;
        while let Some(next) = self.wheel.next().filter(|next| next.at <= now.0) {
            self.wheel.turn_to(Millis(next.at));
            let slot = self.wheel.head(next.bucket);
            // A slot alone in its bucket is in order.
            let is_alone = || self.node(slot).is_some_and(|node| node.after == NONE && node.at.0 == next.at);
            if next.is_exact() || is_alone() {
                return Due::Slot(slot);
            }
            if moves == 0 {
                return Due::Unsorted;
            }
            moves = self.sort(next.bucket, moves);
        }
        self.wheel.turn_to(now);
        Due::Nothing
    }

    /// Arms, moves (`Some`) or cancels (`None`) the deadline of a slot there is room for.
    pub fn set(&mut self, slot: u32, deadline: Option<Millis>) {
        let Some(&node) = self.node(slot) else { return };
        let is_armed = node.before != NOWHERE;
        // Most NOTIFYs leave it where it is.
        if is_armed && deadline == Some(node.at) {
            return;
        }
        if is_armed {
            self.unlink(node);
        }
        match deadline {
            Some(at) => self.link(slot, at),
            None if is_armed => self.write(slot, DeadlineNode { before: NOWHERE, ..node }),
            None => {}
        }
    }

    /// Takes slots of a bucket, whose time has come, to narrower ones; how many more may be taken.
    fn sort(&mut self, bucket: u32, mut moves: usize) -> usize {
        while moves > 0 {
            let slot = self.wheel.head(bucket);
            let Some(&node) = self.node(slot) else { break };
            self.unlink(node);
            self.link(slot, node.at);
            moves -= 1;
        }
        moves
    }

    /// Puts a slot before all others of its bucket.
    fn link(&mut self, slot: u32, at: Millis) {
        let place = self.wheel.place(at);
        let after = self.wheel.head(place.bucket);
        if let Some(after) = self.node_mut(after) {
            after.before = slot;
        }
        self.write(slot, DeadlineNode { at, before: FIRST | place.bucket, after });
        self.wheel.push(place, slot);
    }

    /// Takes a slot out of its bucket; this is its node.
    fn unlink(&mut self, node: DeadlineNode) {
        if let Some(after) = self.node_mut(node.after) {
            after.before = node.before;
        }
        if node.before & FIRST != 0 {
            self.wheel.pop(node.before & !FIRST, node.after);
        } else if let Some(before) = self.node_mut(node.before) {
            before.after = node.after;
        }
    }

    fn node(&self, slot: u32) -> Option<&DeadlineNode> {
        self.nodes.get(slot as usize)
    }

    fn node_mut(&mut self, slot: u32) -> Option<&mut DeadlineNode> {
        self.nodes.get_mut(slot as usize)
    }

    fn write(&mut self, slot: u32, node: DeadlineNode) {
        if let Some(place) = self.node_mut(slot) {
            *place = node;
        }
    }
}

#[cfg(test)]
mod tests;
