//! A ring of messages that grows up to a limit and shrinks when it has run dry.
#![forbid(unsafe_code)]

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

use super::message::Message;
use crate::subscription::OutOfMemory;

/// Room made at once; kept as long as the ring lives.
const INITIAL: usize = 32;

/// Messages in the order of their sequence numbers, which have no gaps.
pub(super) struct Ring<A: Allocator> {
    slots: Vec<Option<Message<A>>, A>,
    head: usize,
    len: usize,
    /// Sequence number of the oldest message (of the next one when empty). After the largest comes 0.
    first: u32,
}

impl<A: Allocator + Clone> Ring<A> {
    pub(super) fn try_new(limit: usize, first: u32, alloc: A) -> Result<Self, OutOfMemory> {
        Ok(Self { slots: empty_slots(INITIAL.min(limit), alloc)?, head: 0, len: 0, first })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Sequence number of the next message.
    pub(super) fn next(&self) -> u32 {
        self.first.wrapping_add(self.len as u32)
    }

    /// Whether a further message has room, made now if need be.
    pub(super) fn make_room(&mut self, limit: usize) -> bool {
        if self.len >= limit {
            return false;
        }
        self.len < self.slots.len() || self.resize(self.slots.len().saturating_mul(2).min(limit)).is_ok()
    }

    /// The queued message with this sequence number.
    pub(super) fn by_number(&mut self, number: u32) -> Option<&mut Message<A>> {
        let position = number.wrapping_sub(self.first) as usize;
        if position >= self.len {
            return None;
        }
        let at = self.at(position);
        self.slots.get_mut(at)?.as_mut()
    }

    /// Appends; gives the message back when there is no room.
    pub(super) fn push(&mut self, message: Message<A>) -> Result<u32, Message<A>> {
        if self.len >= self.slots.len() {
            return Err(message);
        }
        let (number, at) = (self.next(), self.at(self.len));
        let Some(slot) = self.slots.get_mut(at) else { return Err(message) };
        *slot = Some(message);
        self.len += 1;
        Ok(number)
    }

    /// The oldest message.
    pub(super) fn pop(&mut self) -> Option<Message<A>> {
        let message = self.slots.get_mut(self.head)?.take()?;
        self.head = self.at(1);
        self.len -= 1;
        self.first = self.first.wrapping_add(1);
        if self.len == 0 && self.slots.len() > INITIAL {
            // Without memory for the small ring the large one stays.
            let _ = self.resize(INITIAL);
        }
        Some(message)
    }

    fn at(&self, position: usize) -> usize {
        let at = self.head + position;
        if at >= self.slots.len() { at - self.slots.len() } else { at }
    }

    fn resize(&mut self, capacity: usize) -> Result<(), OutOfMemory> {
        let mut slots = empty_slots(capacity, self.slots.allocator().clone())?;
        for (position, to) in slots.iter_mut().enumerate().take(self.len) {
            let at = self.at(position);
            *to = self.slots.get_mut(at).and_then(Option::take);
        }
        self.slots = slots;
        self.head = 0;
        Ok(())
    }
}

fn empty_slots<A: Allocator>(capacity: usize, alloc: A) -> Result<Vec<Option<Message<A>>, A>, OutOfMemory> {
    let mut slots = Vec::new_in(alloc);
    slots.try_reserve_exact(capacity).map_err(|_| OutOfMemory)?;
    slots.extend(std::iter::repeat_with(|| None).take(capacity));
    Ok(slots)
}
