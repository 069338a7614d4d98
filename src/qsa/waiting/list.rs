//! A list through nodes that never move. Each node knows its neighbours; the owner of the list keeps the ends.

use crate::memory::{Chunks, SharedAlloc};

/// Ends a list.
pub(super) const NONE: u32 = u32::MAX;

/// The neighbours of a node.
#[derive(Clone, Copy)]
pub(super) struct Neighbours {
    pub(super) before: u32,
    pub(super) after: u32,
}

impl Neighbours {
    /// For a node that is free: the next free one.
    pub(super) fn free(after: u32) -> Self {
        Self { before: NONE, after }
    }
}

/// A node that can be in a list.
pub(super) trait ListNode {
    fn links(&mut self) -> &mut Neighbours;
}

/// The ends of a list.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) first: u32,
    last: u32,
}

impl Ends {
    /// The ends of an empty list.
    pub(super) const EMPTY: Self = Self { first: NONE, last: NONE };

    pub(super) fn is_empty(self) -> bool {
        self.first == NONE
    }

    /// The links of the node that is [appended](Ends::append) next.
    pub(super) fn neighbours_of_next(self) -> Neighbours {
        Neighbours { before: self.last, after: NONE }
    }

    /// Puts a node behind all others. The node has its [links](Ends::neighbours_of_next) already.
    #[inline]
    pub(super) fn append<T: ListNode, const N: usize, A: SharedAlloc>(&mut self, nodes: &mut Chunks<T, N, A>, at: u32) {
        match nodes.get_mut(self.last as usize) {
            Some(before) => before.links().after = at,
            None => self.first = at,
        }
        self.last = at;
    }

    /// Takes the node with these links out.
    #[inline]
    pub(super) fn remove<T: ListNode, const N: usize, A: SharedAlloc>(
        &mut self,
        nodes: &mut Chunks<T, N, A>,
        links: Neighbours,
    ) {
        let Neighbours { before, after } = links;
        match nodes.get_mut(before as usize) {
            Some(node) => node.links().after = after,
            None => self.first = after,
        }
        match nodes.get_mut(after as usize) {
            Some(node) => node.links().before = before,
            None => self.last = before,
        }
    }
}
