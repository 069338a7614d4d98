//! The hub: registrations and subscriptions.

use std::sync::atomic::{AtomicUsize, Ordering};

use allocator_api2::vec::Vec;
use parking_lot::lock_api::{Mutex, MutexGuard, RawMutex};

use super::directory::{DEFAULT_DOMAIN, Directory};
use super::entry::InternalSubscription;
use super::error::QsaError;
use super::foreign::Foreign;
use super::ids::{ContentTypeId, DomainId, NotifierId, QueueId, SubscriptionId};
use super::message::Destroy;
use super::notifier::Notifier;
use super::queue::{self, Budget, OnLoss, SharedBudget};
use super::shard::{HubShard, SHARDS, Scan, shard_of};
use super::wanted::Wanted;
use crate::memory::{OutOfMemory, SharedAlloc, SharedTexts};
use crate::subscription::SharedUris;

/// How many slots are looked at under one lock when a notifier comes late.
const SCAN_STEP: usize = 256;

/// Content type and body that tell the whole state of a fork of a subscription, if it is known.
pub type WholeState<A> = fn(SubscriptionId, u8) -> Option<SharedTexts<2, A>>;

/// Learns that a subscriber has ended a subscription. Called without a lock.
pub type OnEnd = fn(SubscriptionId);

/// Everything the QSA knows, in one value for all processes.
pub struct Hub<A: SharedAlloc, L: RawMutex> {
    pub(super) alloc: A,
    pub(super) directory: Mutex<L, Directory<A>>,
    shards: Vec<Mutex<L, HubShard<A>>, A>,
    pub(super) queues: Vec<Mutex<L, queue::QueueSlot<A>>, A>,
    next_shard: AtomicUsize,
    pub(super) budget: SharedBudget,
    /// Tells the time, in units of its own.
    pub(super) clock: fn() -> u32,
    /// Is told of messages that are lost.
    pub(super) on_loss: Option<OnLoss>,
    /// Knows the whole state.
    pub(super) whole_state: Option<WholeState<A>>,
    /// Is told of subscriptions that end.
    pub(super) on_end: Option<OnEnd>,
}

impl<A: SharedAlloc, L: RawMutex> Hub<A, L> {
    /// The domain that is always there. Its name is `default`, or none.
    pub const DEFAULT_DOMAIN: DomainId = DEFAULT_DOMAIN;

    /// An empty hub. Before the fork, into shared memory.
    ///
    /// # Errors
    /// [`QsaError::OutOfMemory`].
    pub fn try_new(alloc: A) -> Result<Self, QsaError> {
        let mut shards = Vec::new_in(alloc.clone());
        shards.try_reserve_exact(SHARDS).map_err(|_| OutOfMemory)?;
        shards.extend(std::iter::repeat_with(|| Mutex::new(HubShard::new(alloc.clone()))).take(SHARDS));
        let mut queues = Vec::new_in(alloc.clone());
        queues.try_reserve_exact(QueueId::MAX).map_err(|_| OutOfMemory)?;
        queues.extend(std::iter::repeat_with(|| Mutex::new(queue::QueueSlot::new())).take(QueueId::MAX));
        let directory = Mutex::new(Directory::try_new(alloc.clone())?);
        let (next_shard, budget) = (AtomicUsize::new(0), SharedBudget::default());
        let (on_loss, whole_state, on_end) = (None, None, None);
        Ok(Self { alloc, directory, shards, queues, next_shard, budget, clock: || 0, on_loss, whole_state, on_end })
    }

    /// How many bytes may wait in each queue that is made from now on.
    #[must_use]
    pub fn with_budget(self, budget: Budget) -> Self {
        self.budget.store(budget);
        self
    }

    /// Changes how many bytes may wait in each queue, those that are there included.
    pub fn set_budget(&self, budget: Budget) {
        self.budget.store(budget);
        for slot in &self.queues {
            slot.lock().set_budget(budget);
        }
    }

    /// The clock that says how long messages have been waiting.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> u32) -> Self {
        Self { clock, ..self }
    }

    /// The function that hears of each message that is lost to a full queue, or to none.
    #[must_use]
    pub fn with_on_loss(self, on_loss: OnLoss) -> Self {
        Self { on_loss: Some(on_loss), ..self }
    }

    /// The function that is asked for what a message is to say whose subscriber wants the whole state
    /// ([`News::merged`](crate::subscription::News::merged)).
    #[must_use]
    pub fn with_whole_state(self, whole_state: WholeState<A>) -> Self {
        Self { whole_state: Some(whole_state), ..self }
    }

    /// The function that hears of each subscription that is ended by its subscriber.
    #[must_use]
    pub fn with_on_end(self, on_end: OnEnd) -> Self {
        Self { on_end: Some(on_end), ..self }
    }

    /// How many bytes may wait in each queue.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.budget.load()
    }

    /// The allocator of the hub's memory, for [`Message::prepare`](super::Message::prepare).
    #[cfg(test)]
    #[must_use]
    pub fn allocator(&self) -> &A {
        &self.alloc
    }

    /// Finds or makes the domain with this name and counts the caller in. `default` and the empty name are the same.
    ///
    /// # Errors
    /// [`QsaError::OutOfMemory`], or a name with control characters.
    pub fn domain(&self, name: &[u8]) -> Result<DomainId, QsaError> {
        self.directory.lock().domain(name, false)
    }

    /// As [`Hub::domain`], for the module's private use: no name finds the domain, and [`DomainId::is_private`] tells it from
    /// all others.
    ///
    /// # Errors
    /// As [`Hub::domain`].
    pub fn private_domain(&self, name: &[u8]) -> Result<DomainId, QsaError> {
        self.directory.lock().domain(name, true)
    }

    /// Counts the caller out. The domain goes when no caller, no notifier and no subscription is left.
    ///
    /// # Errors
    /// [`QsaError::UnknownDomain`].
    pub fn release_domain(&self, domain: DomainId) -> Result<(), QsaError> {
        self.directory.lock().release_domain(domain)
    }

    /// Registers a notifier and offers it the package's subscriptions that exist already (a refusal leaves them as they are).
    ///
    /// # Errors
    /// No memory, unknown domain, no package name, too many notifiers.
    pub fn register_notifier(
        &self,
        domain: DomainId,
        package: &[u8],
        notifier: Notifier,
    ) -> Result<NotifierId, QsaError> {
        let (id, registered) = self.directory.lock().register(domain, package, notifier)?;
        for (number, shard) in self.shards.iter().enumerate() {
            let mut cursor = 0;
            loop {
                let found = shard.lock().scan(number, &mut cursor, SCAN_STEP, id, registered.id);
                match found {
                    Scan::Found(late) => {
                        // The subscription was there without this notifier, and stays without it if refused.
                        let _ = self.offer(&registered, late.id, &late.wanted(package));
                    }
                    Scan::More => {}
                    Scan::End => break,
                }
            }
        }
        Ok(registered.id)
    }

    /// Ends the registration. Nothing is unsubscribed; the notifier's callbacks are not called any more (but one that
    /// runs in another process runs to its end). Gives back what was registered.
    ///
    /// # Errors
    /// [`QsaError::UnknownNotifier`].
    pub fn unregister_notifier(&self, notifier: NotifierId) -> Result<Notifier, QsaError> {
        self.directory.lock().unregister(notifier)
    }

    /// Whether anybody would take up a subscription of the package.
    #[must_use]
    pub fn has_notifier(&self, domain: DomainId, package: &[u8]) -> bool {
        self.directory.lock().has_notifier(domain, package)
    }

    /// Registers a type of messages that carry a value. The first registration of a name wins.
    ///
    /// # Errors
    /// No memory, unknown domain.
    pub fn content_type(
        &self,
        domain: DomainId,
        name: &[u8],
        destroy: Option<Destroy>,
    ) -> Result<ContentTypeId, QsaError> {
        self.directory.lock().content_type(domain, name, destroy)
    }

    /// Keeps a foreign callback under one number.
    ///
    /// # Errors
    /// No memory, or too many of them.
    pub fn keep_foreign(&self, foreign: Foreign) -> Result<usize, QsaError> {
        self.directory.lock().foreign.keep(foreign)
    }

    /// The foreign callback with this number.
    #[must_use]
    pub fn foreign(&self, number: usize) -> Option<Foreign> {
        self.directory.lock().foreign.get(number)
    }

    /// Forgets a foreign callback.
    pub fn forget_foreign(&self, number: usize) {
        self.directory.lock().foreign.forget(number);
    }

    /// Record and subscriber of a subscription, for a second owner.
    #[must_use]
    pub fn names(&self, id: SubscriptionId) -> Option<SharedUris<A>> {
        self.with_entry(id, |entry| entry.names.clone())
    }

    /// The subscriber's own value.
    #[must_use]
    pub fn subscriber_data(&self, id: SubscriptionId) -> Option<usize> {
        self.with_entry(id, |entry| entry.subscriber_data)
    }

    /// Sets the subscriber's own value; messages popped from now on come with it. As notifiers have copies of the old one, the
    /// queue looks at each message's subscription from now on.
    ///
    /// # Errors
    /// [`QsaError::UnknownSubscription`].
    pub fn set_subscriber_data(&self, id: SubscriptionId, data: usize) -> Result<(), QsaError> {
        let set = |entry: &mut InternalSubscription<A>| {
            entry.subscriber_data = data;
            entry.queue
        };
        self.verify(self.with_entry(id, set).ok_or(QsaError::UnknownSubscription)?);
        Ok(())
    }

    /// Looks at what a subscription was made for. `look` runs under the lock of its shard and must call nothing that locks.
    pub fn with_subscription<R>(&self, id: SubscriptionId, look: impl FnOnce(Wanted<'_>) -> R) -> Option<R> {
        self.with_entry(id, |entry| look(entry.wanted()))
    }

    /// Whether messages of the subscription are delivered: its subscriber has not ended it.
    #[must_use]
    pub fn is_subscribed(&self, id: SubscriptionId) -> bool {
        self.with_entry(id, |entry| entry.subscribed).unwrap_or(false)
    }

    /// How many subscriptions there are, those only held on to included.
    #[cfg(test)]
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().live()).sum()
    }

    /// The value of the notifier that has taken the subscription up, of those that `is_it`.
    #[must_use]
    pub fn notifiers_value(&self, id: SubscriptionId, is_it: impl Fn(NotifierId) -> bool) -> Option<u64> {
        let taken = self.with_entry(id, |entry| entry.taken())?;
        taken.into_iter().flatten().find(|(notifier, _)| is_it(*notifier)).map(|(_, value)| value)
    }

    pub(super) fn with_entry<R>(
        &self,
        id: SubscriptionId,
        f: impl FnOnce(&mut InternalSubscription<A>) -> R,
    ) -> Option<R> {
        self.shard(id)?.get(id).map(f)
    }

    pub(super) fn shard(&self, id: SubscriptionId) -> Option<MutexGuard<'_, L, HubShard<A>>> {
        self.shards.get(shard_of(id)).map(Mutex::lock)
    }

    pub(super) fn insert(&self, entry: InternalSubscription<A>) -> Result<SubscriptionId, QsaError> {
        let number = self.next_shard.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let shard = self.shards.get(number).ok_or(QsaError::Exhausted)?;
        shard.lock().insert(number, entry)
    }
}
