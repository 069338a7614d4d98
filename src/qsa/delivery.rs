//! The hub: messages and queues.

use parking_lot::lock_api::{Mutex, MutexGuard, RawMutex};

use super::cached_data::CachedSubscriberData;
use super::entry::InternalSubscription;
use super::error::QsaError;
use super::hub::Hub;
use super::ids::{ContentTypeId, QueueId, SubscriptionId};
use super::message::{Data, Delivered, Message, Prepared, news};
use super::queue::{
    Dequeued, LastQueued, NoMessage, Pushed, QueueCounters, QueueOutcome, QueueSlot, QueueSnapshot, Wake,
};
use crate::memory::SharedAlloc;
use crate::subscription::{News, Status};

impl<A: SharedAlloc, L: RawMutex> Hub<A, L> {
    /// Makes a queue for at most `limit` messages.
    ///
    /// # Errors
    /// No memory, no place, or a limit of 0.
    pub fn queue_create(&self, limit: u32, wake: Wake) -> Result<QueueId, QsaError> {
        if limit == 0 {
            return Err(QsaError::NoLimit);
        }
        let mut slots = self.queues.iter().enumerate();
        let made = slots.find_map(|(index, slot)| {
            slot.lock().create(index, limit, || self.budget.load(), wake, self.alloc.clone())
        });
        made.unwrap_or(Err(QsaError::TooManyQueues))
    }

    /// Ends a queue; the messages in it, and those that come for it later, are dropped. Gives back how it was woken.
    ///
    /// # Errors
    /// [`QsaError::UnknownQueue`].
    pub fn queue_destroy(&self, queue: QueueId) -> Result<Wake, QsaError> {
        let ended = self.slot(queue).and_then(|mut slot| slot.destroy(queue));
        ended.map(|(wake, _left)| wake).ok_or(QsaError::UnknownQueue)
    }

    /// Changes how many messages may wait in a queue. Those that are too many stay until new ones come.
    pub fn queue_set_limit(&self, queue: QueueId, limit: u32) {
        if let Some(mut slot) = self.slot(queue) {
            slot.set_limit(queue, limit);
        }
    }

    /// How many queues there are.
    #[must_use]
    pub fn queues(&self) -> usize {
        self.queues.iter().filter(|slot| slot.lock().is_used()).count()
    }

    /// All queues, each as it is at some moment.
    #[must_use]
    pub fn queue_snapshots(&self) -> Vec<QueueSnapshot> {
        let slots = self.queues.iter().enumerate();
        slots.filter_map(|(index, slot)| slot.lock().queue_snapshot(index, (self.clock)())).collect()
    }

    /// Whether nothing waits in the queue; `None` when there is no such queue.
    #[must_use]
    pub fn queue_is_empty(&self, queue: QueueId) -> Option<bool> {
        self.slot(queue)?.is_empty(queue)
    }

    /// The counters of one queue.
    #[must_use]
    pub fn queue_counters(&self, queue: QueueId) -> Option<QueueCounters> {
        self.slot(queue)?.counters(queue)
    }

    /// The counters of all queues there are and ever were.
    #[must_use]
    pub fn counters(&self) -> QueueCounters {
        let mut totals = QueueCounters::default();
        for slot in &self.queues {
            totals.add(&slot.lock().totals());
        }
        totals
    }

    /// Bytes of a subscription's waiting messages: those of one fork, by its newest.
    #[must_use]
    pub fn queued_bytes_of(&self, queue: QueueId, last: LastQueued, of: SubscriptionId, fork: u8) -> usize {
        self.slot(queue).map_or(0, |mut slot| slot.queued_bytes_of(queue, last, of, fork))
    }

    /// Queues a message. Takes constant time and the queue's lock only, calls nothing and frees nothing, so that it may
    /// be called under the lock of a registry shard; [`Pushed::finish`] must follow when that is released.
    pub fn push(&self, queue: QueueId, last: &mut LastQueued, message: Message<A>) -> Pushed<A> {
        let now = (self.clock)();
        let pushed = match self.slot(queue) {
            Some(mut slot) => slot.push(queue, last, message, now),
            None => Pushed::lost(message),
        };
        Pushed { on_loss: self.on_loss, ..pushed }
    }

    /// Takes the oldest message whose subscription has not ended. The subscription, which is seldom in a cache, is looked at
    /// only where the queue cannot do without.
    #[must_use]
    pub fn pop(&self, queue: QueueId) -> Option<Delivered<A>> {
        self.take(queue).ok()
    }

    /// As [`Hub::pop`]; says why there is none.
    ///
    /// # Errors
    /// [`NoMessage`].
    pub fn take(&self, queue: QueueId) -> Result<Delivered<A>, NoMessage> {
        loop {
            let mut spare = None;
            let Dequeued { mut message, cached } =
                self.slot(queue).ok_or(NoMessage::Unknown)?.take(queue, &mut spare)?;
            let look = |entry: &mut InternalSubscription<A>| entry.subscribed.then_some(entry.subscriber_data);
            let subscriber_data = cached.or_else(|| self.with_entry(message.subscription(), look).flatten());
            if let Some(subscriber_data) = subscriber_data {
                if message.news().merged {
                    self.tell_all(&mut message);
                }
                return Ok(Delivered { message, subscriber_data, listed: None });
            }
            self.slot(queue).ok_or(NoMessage::Unknown)?.taken_for_nothing(queue);
        }
    }

    /// Puts the whole state in the place of a document that tells only what has changed, if it is known.
    #[cold]
    fn tell_all(&self, message: &mut Message<A>) {
        let whole = self.whole_state.filter(|_| message.news().with_body);
        if let Some(texts) = whole.and_then(|whole| whole(message.subscription(), message.fork())) {
            message.set_texts(texts);
        }
    }

    /// Tells the subscriber: for notifiers. The texts are copied; at most 31 bytes of the reason are kept.
    ///
    /// # Errors
    /// No memory, no such subscription (any more), or its queue is gone.
    pub fn notify(
        &self,
        id: SubscriptionId,
        status: Status,
        reason: &[u8],
        content_type: &[u8],
        body: &[u8],
    ) -> Result<(), QsaError> {
        self.notify_news(id, &news(status, reason, !content_type.is_empty() || !body.is_empty()), content_type, body)
    }

    /// Like [`Hub::notify`], for notifiers that know more.
    ///
    /// # Errors
    /// As [`Hub::notify`].
    pub fn notify_news(
        &self,
        id: SubscriptionId,
        news: &News,
        content_type: &[u8],
        body: &[u8],
    ) -> Result<(), QsaError> {
        let pushed = self.queue_news(id, news, content_type, body)?;
        pushed.finish();
        Ok(())
    }

    /// As [`Hub::notify_news`], for callers that hold a lock: [`Pushed::finish`] must follow when that is released.
    ///
    /// # Errors
    /// As [`Hub::notify`].
    pub(super) fn queue_news(
        &self,
        id: SubscriptionId,
        news: &News,
        content_type: &[u8],
        body: &[u8],
    ) -> Result<Pushed<A>, QsaError> {
        self.queue_prepared(id, news, Message::prepare(content_type, body, &self.alloc)?)
    }

    /// As [`Hub::queue_news`], with texts that are in memory already.
    pub(super) fn queue_prepared(
        &self,
        id: SubscriptionId,
        news: &News,
        prepared: Prepared<A>,
    ) -> Result<Pushed<A>, QsaError> {
        self.queue(id, prepared.complete(id, CachedSubscriberData::NOTHING, news))
    }

    /// Tells the subscriber with a value instead of a body. The hub takes charge of `value` in every case but that
    /// of an unknown content type, error or not: it is destroyed exactly once.
    ///
    /// # Errors
    /// As [`Hub::notify`], and [`QsaError::UnknownContentType`].
    pub fn notify_data(
        &self,
        id: SubscriptionId,
        status: Status,
        reason: &[u8],
        content_type: ContentTypeId,
        value: usize,
    ) -> Result<(), QsaError> {
        let (data, prepared) = {
            let directory = self.directory.lock();
            let (destroy, name) = directory.known_content_type(content_type).ok_or(QsaError::UnknownContentType)?;
            (Data::new(value, destroy), Message::prepare(name, &[], &self.alloc))
        };
        let prepared: Prepared<A> = prepared?;
        self.queue(id, prepared.complete_with_data(id, &news(status, reason, true), data)).map(Pushed::finish)
    }

    fn queue(&self, id: SubscriptionId, message: Message<A>) -> Result<Pushed<A>, QsaError> {
        // A message that finds no subscription is dropped here, without a lock.
        let mut message = Some(message);
        let pushed = self.with_entry(id, |entry| {
            if !entry.subscribed {
                return None;
            }
            message.take().map(|message| self.push(entry.queue, &mut entry.last, message))
        });
        let pushed = pushed.flatten().ok_or(QsaError::UnknownSubscription)?;
        if pushed.outcome == QueueOutcome::Lost {
            pushed.finish();
            return Err(QsaError::UnknownQueue);
        }
        Ok(pushed)
    }

    /// One of the queue's subscriptions has ended, and its notifiers have nothing more to queue.
    pub(super) fn doubt(&self, queue: QueueId) {
        if let Some(mut slot) = self.slot(queue) {
            slot.doubt(queue);
        }
    }

    /// Not all that the notifiers know of the queue's subscriptions is true any more.
    pub(super) fn verify(&self, queue: QueueId) {
        if let Some(mut slot) = self.slot(queue) {
            slot.verify(queue);
        }
    }

    pub(super) fn queue_exists(&self, queue: QueueId) -> bool {
        self.slot(queue).is_some_and(|mut slot| slot.exists(queue))
    }

    fn slot(&self, queue: QueueId) -> Option<MutexGuard<'_, L, QueueSlot<A>>> {
        self.queues.get(queue.index()).map(Mutex::lock)
    }
}
