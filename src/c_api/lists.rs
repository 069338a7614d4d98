//! Rosters of resources, whose messages a C module takes one resource after the other.
//!
//! The process that has taken the first resource gets the others: until its queue is empty for it, as the header says.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;

use super::Wiring;
use super::guard::HubOf;
use crate::lists::Expansion;
use crate::qsa::{Delivered, NoMessage, QueueId};

thread_local! {
    /// The list of each queue whose resources this process is taking.
    static OPEN: RefCell<HashMap<u64, Box<dyn Any>>> = RefCell::default();
}

/// The next message of a queue.
pub(super) fn pop<W: Wiring>(hub: &HubOf<W>, queue: QueueId) -> Result<Delivered<W::Alloc>, NoMessage> {
    if OPEN.with_borrow(|open| !open.is_empty()) {
        return pop_listed::<W>(hub, queue, None);
    }
    let delivered = hub.take(queue)?;
    if Expansion::may_be(&delivered) { pop_listed::<W>(hub, queue, Some(delivered)) } else { Ok(delivered) }
}

/// The same where a list is open, or `first`, which has been taken, may be one.
#[cold]
fn pop_listed<W: Wiring>(
    hub: &HubOf<W>,
    queue: QueueId,
    mut first: Option<Delivered<W::Alloc>>,
) -> Result<Delivered<W::Alloc>, NoMessage> {
    let Some(lists) = W::rosters() else { return first.map_or_else(|| hub.take(queue), Ok) };
    // Nobody else is told while this process has it open.
    let open = OPEN.with_borrow_mut(|open| open.remove(&queue.to_u64()));
    let mut open = open.and_then(|open| open.downcast::<Expansion<W::Alloc>>().ok());
    loop {
        if let Some(mut list) = open.take()
            && hub.queue_is_empty(queue).is_some()
            && let Some(told) = list.next(lists, hub)
        {
            OPEN.with_borrow_mut(|all| all.insert(queue.to_u64(), list));
            return Ok(told);
        }
        let delivered = first.take().map_or_else(|| hub.take(queue), Ok)?;
        if !Expansion::may_be(&delivered) {
            return Ok(delivered);
        }
        match Expansion::open(delivered, lists, hub) {
            Ok(list) => open = Some(Box::new(list)),
            Err(message) => return Ok(*message),
        }
    }
}
