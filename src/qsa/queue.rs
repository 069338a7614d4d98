//! Bounded message queues: what is full merges or forgets the oldest, and counts it.
#![forbid(unsafe_code)]

use allocator_api2::alloc::Allocator;

use super::error::QsaError;
use super::ids::QueueId;
use super::message::Message;
use super::ring::Ring;

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

/// Where a subscription's newest message stands in its queue. Whoever queues messages keeps one for each subscription (for
/// each fork of it).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastQueued(u32);

/// How many last messages in a row are spared by one displacement.
const MOST_SPARED: usize = 16;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the newest in the queue.
    Queued,
    /// The queue was full: it stands in the place of the message before it of the same subscription and fork.
    Merged,
    /// The queue was full: it is queued and the oldest message of all is lost.
    Displaced,
    /// There is no such queue: it is lost.
    Lost,
}

/// What is to be done after queueing, when no lock is held any more.
#[must_use = "the consumer must be woken: call finish() when no lock is held"]
pub struct Pushed<A: Allocator> {
    /// What became of the message.
    pub outcome: Outcome,
    /// The consumer to wake.
    pub wake: Option<Wake>,
    /// The message that had to go, to be dropped without a lock (its data may have a destructor).
    pub gone: Option<Message<A>>,
}

impl<A: Allocator> Pushed<A> {
    /// Drops what had to go and wakes the consumer.
    pub fn finish(self) {
        drop(self.gone);
        if let Some(wake) = self.wake {
            wake.call();
        }
    }
}

/// How many messages went where. `received = delivered + merged + dropped + queued`, at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
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
}

impl Counters {
    pub(super) fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.delivered += other.delivered;
        self.merged += other.merged;
        self.dropped += other.dropped;
        self.queued += other.queued;
    }
}

/// A place for a queue.
pub(super) struct Slot<A: Allocator> {
    generation: u32,
    queue: Option<Queue<A>>,
    next_number: u32,
    /// The counters of the queues that were here before.
    retired: Counters,
}

struct Queue<A: Allocator> {
    ring: Ring<A>,
    limit: usize,
    wake: Wake,
    /// So many of the oldest messages may be of a subscription that has ended, whatever their notifiers know.
    doubtful: usize,
    /// Any message may be, or come with a value of the subscriber that is not his any more.
    verifies: bool,
    /// `queued`: always 0, as the ring knows it.
    counters: Counters,
}

impl<A: Allocator + Clone> Slot<A> {
    pub(super) fn new() -> Self {
        Self { generation: 0, queue: None, next_number: 1, retired: Counters::default() }
    }

    /// Makes a queue here; `None` when there is one already.
    pub(super) fn create(
        &mut self,
        index: usize,
        limit: u32,
        wake: Wake,
        alloc: A,
    ) -> Option<Result<QueueId, QsaError>> {
        if self.queue.is_some() {
            return None;
        }
        let limit = limit as usize;
        let ring = match Ring::try_new(limit, self.next_number, alloc) {
            Ok(ring) => ring,
            Err(error) => return Some(Err(error.into())),
        };
        self.generation = (self.generation + 1) & (u32::MAX >> 8);
        self.generation = self.generation.max(1);
        self.queue = Some(Queue { ring, limit, wake, doubtful: 0, verifies: false, counters: Counters::default() });
        Some(Ok(QueueId::new(self.generation, index)))
    }

    /// Ends the queue; what is left in it is given back to be dropped without the lock.
    pub(super) fn destroy(&mut self, id: QueueId) -> Option<(Wake, Ring<A>)> {
        self.get(id)?;
        let queue = self.queue.take()?;
        self.next_number = queue.ring.next();
        self.retired.add(&queue.counters);
        self.retired.dropped += queue.ring.len() as u64;
        Some((queue.wake, queue.ring))
    }

    /// Whether there is a queue here.
    pub(super) fn is_used(&self) -> bool {
        self.queue.is_some()
    }

    pub(super) fn exists(&mut self, id: QueueId) -> bool {
        self.get(id).is_some()
    }

    pub(super) fn push(&mut self, id: QueueId, last: &mut LastQueued, message: Message<A>) -> Pushed<A> {
        let Some(queue) = self.get(id) else {
            self.retired.received += 1;
            self.retired.dropped += 1;
            return Pushed { outcome: Outcome::Lost, wake: None, gone: Some(message) };
        };
        queue.push(last, message)
    }

    /// Takes the oldest message out and counts it as delivered. It comes with the subscriber's value, unless the subscription
    /// has to be looked at.
    pub(super) fn take(&mut self, id: QueueId) -> Option<(Message<A>, Option<usize>)> {
        let queue = self.get(id)?;
        let (message, is_doubtful) = queue.pop()?;
        queue.counters.delivered += 1;
        let known = message.known().get().filter(|_| !is_doubtful && !queue.verifies);
        Some((message, known))
    }

    /// The subscriptions of all messages that wait now are looked at.
    pub(super) fn doubt(&mut self, id: QueueId) {
        if let Some(queue) = self.get(id) {
            queue.doubtful = queue.ring.len();
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
        self.get(id).map(|queue| queue.ring.len() == 0)
    }

    /// The counters of the queue.
    pub(super) fn counters(&mut self, id: QueueId) -> Option<Counters> {
        self.get(id).map(|queue| queue.snapshot())
    }

    /// The counters of the queue and all that were here before.
    pub(super) fn totals(&self) -> Counters {
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

impl<A: Allocator + Clone> Queue<A> {
    fn push(&mut self, last: &mut LastQueued, message: Message<A>) -> Pushed<A> {
        self.counters.received += 1;
        let wake = (self.ring.len() == 0).then_some(self.wake);
        let (mut outcome, mut gone) = (Outcome::Queued, None);
        if !self.ring.make_room(self.limit) {
            if let Some(queued) = self.ring.by_number(last.0)
                && (queued.subscription(), queued.fork()) == (message.subscription(), message.fork())
            {
                let mut older = std::mem::replace(queued, message);
                queued.inherit(&mut older);
                self.counters.merged += 1;
                return Pushed { outcome: Outcome::Merged, wake: None, gone: Some(older) };
            }
            gone = self.displace();
            self.counters.dropped += 1;
            outcome = Outcome::Displaced;
        }
        match self.ring.push(message) {
            Ok(number) => {
                last.0 = number;
                Pushed { outcome, wake, gone }
            }
            Err(message) => {
                // Cannot be: there was room or it was just made.
                self.counters.dropped += 1;
                Pushed { outcome: Outcome::Lost, wake: None, gone: Some(message) }
            }
        }
    }

    /// Takes out the oldest message, and tells whether it is in doubt.
    fn pop(&mut self) -> Option<(Message<A>, bool)> {
        let message = self.ring.pop()?;
        let is_doubtful = self.doubtful > 0;
        self.doubtful = self.doubtful.saturating_sub(1);
        Some((message, is_doubtful))
    }

    /// Takes out the oldest message; the last ones of their subscriptions are spared and go to the end, where nothing of
    /// theirs can be overtaken. Only so many in one go, as locks are held.
    fn displace(&mut self) -> Option<Message<A>> {
        for _ in 0..MOST_SPARED {
            let (message, is_doubtful) = self.pop()?;
            if !message.is_last() {
                return Some(message);
            }
            if let Err(message) = self.ring.push(message) {
                return Some(message);
            }
            if is_doubtful {
                self.doubtful = self.ring.len();
            }
        }
        self.pop().map(|(message, _)| message)
    }

    fn snapshot(&self) -> Counters {
        let mut counters = self.counters;
        counters.queued += self.ring.len() as u64;
        counters
    }
}
