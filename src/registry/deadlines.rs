//! The deadlines of a shard: a heap of slots, four children a node, ordered by instant.

use crate::subscription::{Chunks, Instant, OutOfMemory};
use allocator_api2::alloc::Allocator;

/// Children of a node: a flatter heap than a binary one, with fewer scattered reads when arming.
const ARITY: usize = 4;

/// Elements added at a time.
const CHUNK: usize = 256;

/// The position of a slot that is not armed.
const NOWHERE: u32 = u32::MAX;

/// A deadline of a slot, in twelve bytes: subscriptions are many.
#[derive(Clone, Copy)]
struct Node {
    /// The instant: its upper and its lower half.
    at: [u32; 2],
    slot: u32,
}

impl Node {
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the number")]
    fn new(at: Instant, slot: u32) -> Self {
        Self { at: [(at.0 >> 32) as u32, at.0 as u32], slot }
    }

    fn at(self) -> Instant {
        let [upper, lower] = self.at;
        Instant(u64::from(upper) << 32 | u64::from(lower))
    }
}

/// At most one deadline a slot. Arming, moving and cancelling are O(log n), the earliest one is at hand.
pub(super) struct Deadlines<A: Allocator + Clone> {
    /// The first `armed` nodes are the heap.
    heap: Chunks<Node, CHUNK, A>,
    armed: usize,
    /// Where in the heap each slot is.
    positions: Chunks<u32, CHUNK, A>,
}

impl<A: Allocator + Clone> Deadlines<A> {
    pub(super) fn new_in(alloc: A) -> Self {
        Self { heap: Chunks::new_in(alloc.clone()), armed: 0, positions: Chunks::new_in(alloc) }
    }

    /// Makes room for deadlines of all slots below `slots`: arming them cannot fail afterwards.
    pub(super) fn try_reserve(&mut self, slots: usize) -> Result<(), OutOfMemory> {
        while self.positions.len() < slots {
            self.positions.try_grow(|_| NOWHERE)?;
        }
        while self.heap.len() < slots {
            self.heap.try_grow(|_| Node::new(Instant(u64::MAX), NOWHERE))?;
        }
        Ok(())
    }

    /// The earliest deadline and its slot.
    pub(super) fn earliest(&self) -> Option<(Instant, u32)> {
        let first = self.node(0)?;
        Some((first.at(), first.slot))
    }

    /// Arms, moves (`Some`) or cancels (`None`) the deadline of a slot there is room for.
    pub(super) fn set(&mut self, slot: u32, deadline: Option<Instant>) {
        let Some(&position) = self.positions.get(slot as usize) else { return };
        match (deadline, position) {
            (Some(at), NOWHERE) => {
                if self.armed < self.heap.len() {
                    self.armed += 1;
                    self.sift_up(self.armed - 1, Node::new(at, slot));
                }
            }
            // Most NOTIFYs leave it where it is.
            (Some(at), position) if self.node(position as usize).is_some_and(|node| node.at() == at) => {}
            (Some(at), position) => self.place(position as usize, Node::new(at, slot)),
            (None, NOWHERE) => {}
            (None, position) => self.cancel(position as usize, slot),
        }
    }

    fn cancel(&mut self, position: usize, slot: u32) {
        let Some(last) = self.armed.checked_sub(1).and_then(|index| self.node(index)) else { return };
        self.armed -= 1;
        if let Some(position) = self.positions.get_mut(slot as usize) {
            *position = NOWHERE;
        }
        if position < self.armed {
            self.place(position, last);
        }
    }

    fn node(&self, position: usize) -> Option<Node> {
        if position < self.armed { self.heap.get(position).copied() } else { None }
    }

    /// Writes `node` at `position`, where another node may have been, and restores the order.
    fn place(&mut self, position: usize, node: Node) {
        match self.node(parent(position)) {
            Some(above) if position > 0 && node.at < above.at => self.sift_up(position, node),
            _ => self.sift_down(position, node),
        }
    }

    fn sift_up(&mut self, mut position: usize, node: Node) {
        while position > 0 {
            let Some(above) = self.node(parent(position)).filter(|above| node.at < above.at) else { break };
            self.write(position, above);
            position = parent(position);
        }
        self.write(position, node);
    }

    fn sift_down(&mut self, mut position: usize, node: Node) {
        while let Some((child, below)) = self.least_child(position).filter(|(_, below)| below.at < node.at) {
            self.write(position, below);
            position = child;
        }
        self.write(position, node);
    }

    fn least_child(&self, position: usize) -> Option<(usize, Node)> {
        let first = position * ARITY + 1;
        let last = (first + ARITY).min(self.armed);
        (first..last).filter_map(|child| Some((child, self.node(child)?))).min_by_key(|(_, node)| node.at)
    }

    fn write(&mut self, position: usize, node: Node) {
        if let Some(place) = self.heap.get_mut(position) {
            *place = node;
        }
        if let Some(place) = self.positions.get_mut(node.slot as usize) {
            *place = u32::try_from(position).unwrap_or(NOWHERE);
        }
    }
}

fn parent(position: usize) -> usize {
    position.saturating_sub(1) / ARITY
}
