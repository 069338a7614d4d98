//! The outcome of a queued message, and of the messages that made room for it.

use super::Wake;
use crate::memory::SharedAlloc;
use crate::qsa::ids::SubscriptionId;
use crate::qsa::message::Message;

/// The outcome of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueOutcome {
    /// It is the newest in the queue.
    Queued,
    /// The queue was full: it has replaced the message before it of the same subscription and fork.
    Merged,
    /// The queue was full: it is queued, and the oldest messages of the subscriptions that took the most are lost.
    Displaced,
    /// The queue was full of messages of subscriptions that take less: it is lost.
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
pub struct LostMessages<A: SharedAlloc>(Vec<(Message<A>, Loss)>);

impl<A: SharedAlloc> Default for LostMessages<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<A: SharedAlloc> LostMessages<A> {
    pub(super) fn of(message: Message<A>) -> Self {
        Self(vec![(message, Loss::Dropped)])
    }

    pub(super) fn add(&mut self, message: Message<A>, how: Loss) {
        self.0.push((message, how));
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Message<A>> {
        self.0.iter().map(|(message, _)| message)
    }

    /// Tells of all of them.
    pub(super) fn tell(&self, on_loss: OnLoss) {
        self.0.iter().for_each(|(message, how)| on_loss(message.subscription(), message.fork(), *how));
    }
}

/// The work to do after queueing, when no lock is held any more.
#[must_use = "the consumer must be woken: call finish() when no lock is held"]
pub struct Pushed<A: SharedAlloc> {
    /// The outcome of the message.
    pub outcome: QueueOutcome,
    /// The consumer to wake.
    pub wake: Option<Wake>,
    /// The messages that had to go, to be dropped without a lock (their data may have a destructor).
    pub gone: LostMessages<A>,
    /// Is told of them.
    pub(in super::super) on_loss: Option<OnLoss>,
}

impl<A: SharedAlloc> Pushed<A> {
    /// Nobody will ever see this message.
    pub(in super::super) fn lost(message: Message<A>) -> Self {
        Self { outcome: QueueOutcome::Lost, wake: None, gone: LostMessages::of(message), on_loss: None }
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
