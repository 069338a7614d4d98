//! Bounded message queues: a full one merges, or drops the oldest message of the largest subscription, and counts it.

mod full;
mod outcome;

use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::QsaError;
use super::ids::{QueueId, SubscriptionId};
use super::message::Message;
use super::waiting::{Spare, Waiting};
use crate::memory::SharedAlloc;

pub use outcome::{Loss, OnLoss, Pushed, QueueOutcome};

/// How the consumer of a queue is woken: called without any lock whenever the queue ceases to be empty.
#[derive(Clone, Copy, Debug)]
pub struct Wake {
    /// Called in the process that queued the message.
    pub f: fn(usize),
    /// Handed to it.
    pub user: usize,
}

impl Wake {
    /// For consumers that look for themselves.
    #[must_use]
    pub fn nobody() -> Self {
        Self { f: |_| (), user: 0 }
    }

    /// Wakes.
    pub fn call(self) {
        (self.f)(self.user);
    }
}

/// Where a subscription's newest message is in its queue. Code that queues messages keeps one for each subscription
/// (for each fork of it).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastQueued(u32);

impl LastQueued {
    fn at(place: u32) -> Self {
        Self(place.wrapping_add(1))
    }

    /// No queue has so many places as the number that comes before 0.
    fn place(self) -> u32 {
        self.0.wrapping_sub(1)
    }
}

/// How many bytes may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// In a queue. A message that takes more than that alone is not taken.
    pub queue: usize,
    /// Bytes of one subscription (and fork) in it, unless one message alone takes more.
    pub subscription: usize,
}

/// The same, for all processes.
#[derive(Debug)]
pub(super) struct SharedBudget {
    queue: AtomicUsize,
    subscription: AtomicUsize,
}

impl SharedBudget {
    pub(super) fn load(&self) -> Budget {
        Budget { queue: self.queue.load(Ordering::Relaxed), subscription: self.subscription.load(Ordering::Relaxed) }
    }

    pub(super) fn store(&self, budget: Budget) {
        self.queue.store(budget.queue, Ordering::Relaxed);
        self.subscription.store(budget.subscription, Ordering::Relaxed);
    }
}

impl Default for SharedBudget {
    fn default() -> Self {
        let Budget { queue, subscription } = Budget::default();
        Self { queue: queue.into(), subscription: subscription.into() }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { queue: 8 << 20, subscription: 1 << 20 }
    }
}

/// Why no message can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMessage {
    /// None waits.
    Empty,
    /// There is no such queue.
    Unknown,
}

/// How many messages went where. `received = delivered + merged + dropped + queued`, at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounters {
    /// Messages given to the queue.
    pub received: u64,
    /// Messages handed to the consumer.
    pub delivered: u64,
    /// Messages replaced by a newer one of the same subscription.
    pub merged: u64,
    /// Messages lost to overflow, to the end of their subscription or to the end of the queue.
    pub dropped: u64,
    /// Messages waiting.
    pub queued: u64,
    /// Bytes they take.
    pub queued_bytes: u64,
}

impl QueueCounters {
    pub(super) fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.delivered += other.delivered;
        self.merged += other.merged;
        self.dropped += other.dropped;
        self.queued += other.queued;
        self.queued_bytes += other.queued_bytes;
    }
}

/// A queue, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSnapshot {
    /// Its number.
    pub id: QueueId,
    /// Most messages that may wait.
    pub limit: usize,
    /// How many bytes may wait.
    pub budget: Budget,
    /// What went where.
    pub counters: QueueCounters,
    /// How long the oldest message has been waiting, or the one whose place it has taken, in units of the hub's clock.
    pub oldest: Option<u32>,
}

/// A place for a queue.
pub(super) struct QueueSlot<A: SharedAlloc> {
    generation: u32,
    queue: Option<Queue<A>>,
    /// The counters of the queues that were here before.
    retired: QueueCounters,
}

struct Queue<A: SharedAlloc> {
    waiting: Waiting<A>,
    limit: usize,
    budget: Budget,
    wake: Wake,
    /// Counts the ends of subscriptions: what was queued before the newest may be of one that has ended, whatever its notifiers
    /// know.
    epoch: u32,
    /// When the newest message came.
    now: u32,
    /// Any message may be of an ended subscription, or come with data of the subscriber that has changed.
    verifies: bool,
    /// Those of what waits are always 0, as the messages know them.
    counters: QueueCounters,
}

/// A message taken out of a queue.
pub(super) struct Dequeued<A: SharedAlloc> {
    pub(super) message: Message<A>,
    /// The subscriber's value, unless the subscription has to be looked at.
    pub(super) cached: Option<usize>,
}

impl<A: SharedAlloc> QueueSlot<A> {
    pub(super) fn new() -> Self {
        Self { generation: 0, queue: None, retired: QueueCounters::default() }
    }

    /// Makes a queue here; `None` when there is one already.
    pub(super) fn create(
        &mut self,
        index: usize,
        limit: u32,
        budget: impl Fn() -> Budget,
        wake: Wake,
        alloc: A,
    ) -> Option<Result<QueueId, QsaError>> {
        if self.queue.is_some() {
            return None;
        }
        let waiting = match Waiting::try_new(alloc) {
            Ok(waiting) => waiting,
            Err(error) => return Some(Err(error.into())),
        };
        self.generation = (self.generation + 1) & (u32::MAX >> 8);
        self.generation = self.generation.max(1);
        let (limit, budget, counters) = (limit as usize, budget(), QueueCounters::default());
        self.queue = Some(Queue { waiting, limit, budget, wake, epoch: 0, now: 0, verifies: false, counters });
        Some(Ok(QueueId::new(self.generation, index)))
    }

    /// Ends the queue; what is left in it is given back to be dropped without the lock.
    pub(super) fn destroy(&mut self, id: QueueId) -> Option<(Wake, Waiting<A>)> {
        self.get(id)?;
        let queue = self.queue.take()?;
        self.retired.add(&queue.counters);
        self.retired.dropped += queue.waiting.len() as u64;
        Some((queue.wake, queue.waiting))
    }

    /// Changes how many bytes may wait here. What waits already stays until there is need for its room.
    pub(super) fn set_budget(&mut self, budget: Budget) {
        if let Some(queue) = &mut self.queue {
            queue.budget = budget;
        }
    }

    /// Changes how many messages may wait here, likewise.
    pub(super) fn set_limit(&mut self, id: QueueId, limit: u32) {
        if let Some(queue) = self.get(id) {
            queue.limit = limit as usize;
        }
    }

    /// Whether there is a queue here.
    pub(super) fn is_used(&self) -> bool {
        self.queue.is_some()
    }

    pub(super) fn exists(&mut self, id: QueueId) -> bool {
        self.get(id).is_some()
    }

    pub(super) fn push(&mut self, id: QueueId, last: &mut LastQueued, message: Message<A>, now: u32) -> Pushed<A> {
        let Some(queue) = self.get(id) else {
            self.retired.received += 1;
            self.retired.dropped += 1;
            return Pushed::lost(message);
        };
        queue.push(last, message, now)
    }

    /// Takes the oldest message out and counts it as delivered. It comes with the subscriber's value, unless the subscription
    /// has to be looked at. What becomes `spare` is to be dropped without the lock.
    #[inline]
    pub(super) fn take(&mut self, id: QueueId, spare: &mut Option<Spare<A>>) -> Result<Dequeued<A>, NoMessage> {
        let Some(queue) = self.get(id) else { return Err(NoMessage::Unknown) };
        let Some((message, epoch)) = queue.waiting.pop(spare) else { return Err(NoMessage::Empty) };
        queue.counters.delivered += 1;
        let cached = message.cached().get().filter(|_| epoch == queue.epoch && !queue.verifies);
        Ok(Dequeued { message, cached })
    }

    /// The subscriptions of all messages that wait now are looked at.
    pub(super) fn doubt(&mut self, id: QueueId) {
        if let Some(queue) = self.get(id) {
            queue.epoch = queue.epoch.wrapping_add(1);
        }
    }

    /// The subscriptions of all messages are looked at from now on.
    pub(super) fn verify(&mut self, id: QueueId) {
        if let Some(queue) = self.get(id) {
            queue.verifies = true;
        }
    }

    /// The message taken out was not delivered after all.
    pub(super) fn taken_for_nothing(&mut self, id: QueueId) {
        let counters = match self.get(id) {
            Some(queue) => &mut queue.counters,
            None => &mut self.retired,
        };
        counters.delivered = counters.delivered.saturating_sub(1);
        counters.dropped += 1;
    }

    pub(super) fn is_empty(&mut self, id: QueueId) -> Option<bool> {
        self.get(id).map(|queue| queue.waiting.len() == 0)
    }

    /// Bytes of a subscription's waiting messages, by its newest one.
    pub(super) fn queued_bytes_of(&mut self, id: QueueId, last: LastQueued, of: SubscriptionId, fork: u8) -> usize {
        self.get(id).map_or(0, |queue| {
            let whose =
                queue.waiting.whose(last.place(), |queued| (queued.subscription(), queued.fork()) == (of, fork));
            whose.map_or(0, |whose| queue.waiting.bytes_of(whose))
        })
    }

    /// The counters of the queue.
    pub(super) fn counters(&mut self, id: QueueId) -> Option<QueueCounters> {
        self.get(id).map(|queue| queue.snapshot())
    }

    /// The queue here, the place with this index.
    pub(super) fn queue_snapshot(&self, index: usize, now: u32) -> Option<QueueSnapshot> {
        let queue = self.queue.as_ref()?;
        let id = QueueId::new(self.generation, index);
        let oldest = queue.waiting.oldest().map(|since| now.wrapping_sub(since));
        Some(QueueSnapshot { id, limit: queue.limit, budget: queue.budget, counters: queue.snapshot(), oldest })
    }

    /// The counters of the queue and all that were here before.
    pub(super) fn totals(&self) -> QueueCounters {
        let mut totals = self.retired;
        if let Some(queue) = &self.queue {
            totals.add(&queue.snapshot());
        }
        totals
    }

    fn get(&mut self, id: QueueId) -> Option<&mut Queue<A>> {
        if id != QueueId::new(self.generation, id.index()) {
            return None;
        }
        self.queue.as_mut()
    }
}
