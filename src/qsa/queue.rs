//! Bounded message queues: what is full merges or forgets the oldest of the fattest, and counts it.

use super::error::QsaError;
use super::ids::{QueueId, SubscriptionId};
use super::message::Message;
use super::waiting::{Spare, Waiting, Whose};
use crate::memory::SharedAlloc;

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

/// How many last messages in a row are spared by one displacement.
const MOST_SPARED: usize = 16;

/// How many messages one message displaces at most, as locks are held. Then it is the one that goes.
const MOST_DISPLACED: usize = 32;

/// How many bytes may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// In a queue. A message that takes more than that alone is not taken.
    pub queue: usize,
    /// Of one subscription (and fork) in it, unless one message alone takes more.
    pub subscription: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { queue: 8 << 20, subscription: 1 << 20 }
    }
}

/// The outcome of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the newest in the queue.
    Queued,
    /// The queue was full: it has replaced the message before it of the same subscription and fork.
    Merged,
    /// The queue was full: it is queued, and the oldest messages of those who took the most are lost.
    Displaced,
    /// The queue was full of others who take less: it is lost.
    Overflowed,
    /// There is no such queue: it is lost.
    Lost,
}

/// How a message was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A newer one of the same subscription and fork has taken its place.
    Merged,
    /// There was no room for it, any more or at all.
    Dropped,
}

/// Learns of each message that had to go: of which subscription and fork, and how. Called without a lock.
pub type OnLoss = fn(SubscriptionId, u8, Loss);

/// The messages that had to go, and how: mostly none, so that it is handed on at no cost.
pub struct Gone<A: SharedAlloc>(Vec<(Message<A>, Loss)>);

impl<A: SharedAlloc> Default for Gone<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<A: SharedAlloc> Gone<A> {
    fn of(message: Message<A>) -> Self {
        Self(vec![(message, Loss::Dropped)])
    }

    fn add(&mut self, message: Message<A>, how: Loss) {
        self.0.push((message, how));
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Message<A>> {
        self.0.iter().map(|(message, _)| message)
    }

    /// Tells of all of them.
    fn tell(&self, on_loss: OnLoss) {
        self.0.iter().for_each(|(message, how)| on_loss(message.subscription(), message.fork(), *how));
    }
}

/// The work to do after queueing, when no lock is held any more.
#[must_use = "the consumer must be woken: call finish() when no lock is held"]
pub struct Pushed<A: SharedAlloc> {
    /// The outcome of the message.
    pub outcome: Outcome,
    /// The consumer to wake.
    pub wake: Option<Wake>,
    /// The messages that had to go, to be dropped without a lock (their data may have a destructor).
    pub gone: Gone<A>,
    /// Is told of them.
    pub(super) on_loss: Option<OnLoss>,
}

impl<A: SharedAlloc> Pushed<A> {
    /// Nobody will ever see this message.
    pub(super) fn lost(message: Message<A>) -> Self {
        Self { outcome: Outcome::Lost, wake: None, gone: Gone::of(message), on_loss: None }
    }

    /// Tells of what had to go, drops it and wakes the consumer.
    pub fn finish(self) {
        if let Some(on_loss) = self.on_loss {
            self.gone.tell(on_loss);
        }
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
    /// Bytes they take.
    pub queued_bytes: u64,
}

impl Counters {
    pub(super) fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.delivered += other.delivered;
        self.merged += other.merged;
        self.dropped += other.dropped;
        self.queued += other.queued;
        self.queued_bytes += other.queued_bytes;
    }
}

/// A place for a queue.
pub(super) struct Slot<A: SharedAlloc> {
    generation: u32,
    queue: Option<Queue<A>>,
    /// The counters of the queues that were here before.
    retired: Counters,
}

struct Queue<A: SharedAlloc> {
    waiting: Waiting<A>,
    limit: usize,
    budget: Budget,
    wake: Wake,
    /// Counts the ends of subscriptions: what was queued before the newest may be of one that has ended, whatever its notifiers
    /// know.
    epoch: u32,
    /// Any message may be, or come with a value of the subscriber that is not his any more.
    verifies: bool,
    /// Those of what waits are always 0, as the messages know them.
    counters: Counters,
}

/// A message taken out of a queue.
pub(super) struct Taken<A: SharedAlloc> {
    pub(super) message: Message<A>,
    /// The subscriber's value, unless the subscription has to be looked at.
    pub(super) known: Option<usize>,
    /// To be dropped without the lock.
    _spare: Option<Spare<A>>,
}

impl<A: SharedAlloc> Slot<A> {
    pub(super) fn new() -> Self {
        Self { generation: 0, queue: None, retired: Counters::default() }
    }

    /// Makes a queue here; `None` when there is one already.
    pub(super) fn create(
        &mut self,
        index: usize,
        limit: u32,
        budget: Budget,
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
        let (limit, counters) = (limit as usize, Counters::default());
        self.queue = Some(Queue { waiting, limit, budget, wake, epoch: 0, verifies: false, counters });
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
            return Pushed::lost(message);
        };
        queue.push(last, message)
    }

    /// Takes the oldest message out and counts it as delivered. It comes with the subscriber's value, unless the subscription
    /// has to be looked at.
    pub(super) fn take(&mut self, id: QueueId) -> Option<Taken<A>> {
        let queue = self.get(id)?;
        let (message, epoch, spare) = queue.waiting.pop()?;
        queue.counters.delivered += 1;
        let known = message.known().get().filter(|_| epoch == queue.epoch && !queue.verifies);
        Some(Taken { message, known, _spare: spare })
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

    /// What a subscription's messages take that wait, by its newest one.
    pub(super) fn queued_bytes_of(&mut self, id: QueueId, last: LastQueued, of: SubscriptionId, fork: u8) -> usize {
        self.get(id).map_or(0, |queue| {
            let whose =
                queue.waiting.whose(last.place(), |queued| (queued.subscription(), queued.fork()) == (of, fork));
            whose.map_or(0, |whose| queue.waiting.bytes_of(whose))
        })
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

impl<A: SharedAlloc> Queue<A> {
    fn push(&mut self, last: &mut LastQueued, message: Message<A>) -> Pushed<A> {
        self.counters.received += 1;
        let wake = (self.waiting.len() == 0).then_some(self.wake);
        let own = self.waiting.account_of(last.place(), &message);
        if self.has_room(own, Waiting::cost(&message)) {
            return self.append(last, message, own, Outcome::Queued, wake, Gone::default());
        }
        self.push_full(last, message, wake)
    }

    /// Whether a message of so many bytes can be appended.
    fn has_room(&mut self, own: Option<Whose>, cost: usize) -> bool {
        let own = own.map(|own| self.waiting.bytes_of(own));
        self.waiting.len() < self.limit
            && self.waiting.bytes().saturating_add(cost) <= self.budget.queue
            && own.is_none_or(|own| own.saturating_add(cost) <= self.budget.subscription)
            && self.waiting.try_reserve().is_ok()
    }

    /// Merges first; what then still is too much displaces others who take as much or more, or else goes itself.
    fn push_full(&mut self, last: &mut LastQueued, message: Message<A>, wake: Option<Wake>) -> Pushed<A> {
        let mut message = message;
        let mut gone = Gone::default();
        let mut left = MOST_DISPLACED;
        loop {
            let own = self.waiting.account_of(last.place(), &message);
            let cost = Waiting::cost(&message);
            let (before, newest) =
                own.map_or((0, 0), |own| (self.waiting.bytes_of(own), self.waiting.newest_cost(own)));
            let after = before.saturating_sub(newest).saturating_add(cost);
            let total = self.waiting.bytes().saturating_sub(newest).saturating_add(cost);
            let has_older = before > newest;
            let victim = match own {
                Some(own) if after > self.budget.subscription && has_older => {
                    if left > 0 {
                        self.waiting.pop_older(own)
                    } else {
                        None
                    }
                }
                Some(own) if total <= self.budget.queue => return self.merge(last, message, own, gone),
                None if self.has_room(None, cost) => {
                    let outcome = if left < MOST_DISPLACED { Outcome::Displaced } else { Outcome::Queued };
                    return self.append(last, message, None, outcome, wake, gone);
                }
                _ if left > 0 && cost <= self.budget.queue => {
                    // If there are too many messages but not too many bytes, every new message is accepted.
                    let least = if total <= self.budget.queue { 0 } else { after };
                    self.waiting.pop_fattest(least, MOST_SPARED)
                }
                _ => None,
            };
            match victim {
                Some(victim) => {
                    gone.add(victim, Loss::Dropped);
                    left -= 1;
                    self.counters.dropped += 1;
                }
                // Otherwise nobody would learn of the end.
                None if message.is_last() && message.text_len() > 0 => {
                    message.strip();
                    left = MOST_DISPLACED;
                }
                None => {
                    gone.add(message, Loss::Dropped);
                    self.counters.dropped += 1;
                    return Pushed { outcome: Outcome::Overflowed, wake: None, gone, on_loss: None };
                }
            }
        }
    }

    fn append(
        &mut self,
        last: &mut LastQueued,
        message: Message<A>,
        own: Option<Whose>,
        outcome: Outcome,
        wake: Option<Wake>,
        gone: Gone<A>,
    ) -> Pushed<A> {
        let mut gone = gone;
        match self.waiting.push(message, own, self.epoch) {
            Ok(at) => {
                *last = LastQueued::at(at);
                Pushed { outcome, wake, gone, on_loss: None }
            }
            Err(message) => {
                // Cannot be: there was room.
                self.counters.dropped += 1;
                gone.add(message, Loss::Dropped);
                Pushed { outcome: Outcome::Overflowed, wake: None, gone, on_loss: None }
            }
        }
    }

    fn merge(&mut self, last: &mut LastQueued, message: Message<A>, own: Whose, gone: Gone<A>) -> Pushed<A> {
        let mut gone = gone;
        let outcome = match self.waiting.replace_newest(own, message) {
            Ok((at, older)) => {
                *last = LastQueued::at(at);
                self.counters.merged += 1;
                gone.add(older, Loss::Merged);
                Outcome::Merged
            }
            Err(message) => {
                // Cannot be: the account was just found.
                self.counters.dropped += 1;
                gone.add(message, Loss::Dropped);
                Outcome::Overflowed
            }
        };
        Pushed { outcome, wake: None, gone, on_loss: None }
    }

    fn snapshot(&self) -> Counters {
        let mut counters = self.counters;
        counters.queued += self.waiting.len() as u64;
        counters.queued_bytes += self.waiting.bytes() as u64;
        counters
    }
}
