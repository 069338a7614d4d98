//! The hub: registrations and subscriptions.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};

use allocator_api2::vec::Vec;
use parking_lot::lock_api::{Mutex, MutexGuard, RawMutex};

use super::directory::{DEFAULT_DOMAIN, Directory};
use super::error::QsaError;
use super::foreign::Foreign;
use super::ids::{ContentTypeId, DomainId, NotifierId, PackageId, QueueId, SubscriptionId};
use super::message::Destroy;
use super::notifier::{Notifier, Refused, Registered, Subscribed};
use super::queue::{self, Budget, OnLoss};
use super::slab::{Entry, SHARDS, Scan, Shard, View, shard_of};
use crate::memory::{OutOfMemory, SharedAlloc};
use crate::subscription::{Names, package};

/// How many slots are looked at under one lock when a notifier comes late.
const SCAN_STEP: usize = 256;

/// Everything the QSA knows, in one value for all processes.
pub struct Hub<A: SharedAlloc, L: RawMutex> {
    pub(super) alloc: A,
    pub(super) directory: Mutex<L, Directory<A>>,
    shards: Vec<Mutex<L, Shard<A>>, A>,
    pub(super) queues: Vec<Mutex<L, queue::Slot<A>>, A>,
    next_shard: AtomicUsize,
    pub(super) budget: Budget,
    /// Is told of messages that are lost.
    pub(super) on_loss: Option<OnLoss>,
}

/// What a subscriber asks for.
#[derive(Clone, Copy, Debug)]
pub struct NewSubscription<'a> {
    /// Where to look for notifiers.
    pub domain: DomainId,
    /// The kind of state.
    pub package: &'a [u8],
    /// Whose state is wanted.
    pub record: &'a [u8],
    /// Who wants it.
    pub subscriber: &'a [u8],
    /// Subscription parameter of the package; empty when there is none.
    pub first_param: &'a [u8],
    /// Where the messages are to go.
    pub queue: QueueId,
    /// The subscriber's own value, given back with each message.
    pub subscriber_data: usize,
}

impl NewSubscription<'_> {
    /// The most bytes of the record, and of the subscriber.
    pub const MOST_URI: usize = 1024;

    /// The most bytes of a package's name.
    pub const MOST_PACKAGE: usize = 512;

    /// The most bytes of the parameter.
    pub const MOST_PARAM: usize = 2048;

    /// Whether no text is beyond its bound: they are kept, and go onto the wire.
    ///
    /// # Errors
    /// [`QsaError::TooLong`], of the first that is.
    pub fn check_lengths(&self) -> Result<(), QsaError> {
        let bounds = [
            ("record", self.record, Self::MOST_URI),
            ("subscriber", self.subscriber, Self::MOST_URI),
            ("package", self.package, Self::MOST_PACKAGE),
            ("text of the options", self.first_param, Self::MOST_PARAM),
        ];
        match bounds.into_iter().find(|(_, text, most)| text.len() > *most) {
            Some((what, text, most)) => Err(QsaError::TooLong { what, length: text.len(), most }),
            None => Ok(()),
        }
    }
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
        shards.extend(std::iter::repeat_with(|| Mutex::new(Shard::new(alloc.clone()))).take(SHARDS));
        let mut queues = Vec::new_in(alloc.clone());
        queues.try_reserve_exact(QueueId::MAX).map_err(|_| OutOfMemory)?;
        queues.extend(std::iter::repeat_with(|| Mutex::new(queue::Slot::new())).take(QueueId::MAX));
        let directory = Mutex::new(Directory::try_new(alloc.clone())?);
        let (next_shard, budget) = (AtomicUsize::new(0), Budget::default());
        Ok(Self { alloc, directory, shards, queues, next_shard, budget, on_loss: None })
    }

    /// How many bytes may wait in each queue that is made from now on.
    #[must_use]
    pub fn with_budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// Who is told of each message that is lost to a full queue, or to none.
    #[must_use]
    pub fn with_on_loss(self, on_loss: OnLoss) -> Self {
        Self { on_loss: Some(on_loss), ..self }
    }

    /// How many bytes may wait in each queue.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// The allocator of the hub's memory, for [`Message::prepare`](super::Message::prepare).
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

    /// As [`Hub::domain`], for the module's own use: nobody finds the domain by its name, and [`DomainId::is_own`] tells it from
    /// all others.
    ///
    /// # Errors
    /// As [`Hub::domain`].
    pub fn own_domain(&self, name: &[u8]) -> Result<DomainId, QsaError> {
        self.directory.lock().domain(name, true)
    }

    /// Counts the caller out. The domain goes when nobody is left, no notifier and no subscription.
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
                    Scan::Found(subscription, texts) => {
                        // The subscription was there without this notifier, and stays without it if refused.
                        let _ = self.offer(&registered, &texts.subscribed(subscription, registered.id, package));
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

    /// Makes a subscription and offers it to the package's notifiers. A package without a notifier is no error, as
    /// one may come later (see [`Hub::has_notifier`]).
    ///
    /// # Errors
    /// No memory, unknown domain or queue, no package or record; [`QsaError::Refused`] when there are notifiers and
    /// each refuses. Nothing is left of the subscription then.
    pub fn subscribe(&self, new: &NewSubscription<'_>) -> Result<SubscriptionId, QsaError> {
        self.subscribe_and_hear(new, |_, _| {})
    }

    /// As [`Hub::subscribe`]; `hear` is told what each notifier answers, as soon as it does.
    ///
    /// # Errors
    /// As [`Hub::subscribe`].
    pub fn subscribe_and_hear(
        &self,
        new: &NewSubscription<'_>,
        mut hear: impl FnMut(NotifierId, Result<u64, Refused>),
    ) -> Result<SubscriptionId, QsaError> {
        if new.record.is_empty() {
            return Err(QsaError::NoRecord);
        }
        new.check_lengths()?;
        if !self.queue_exists(new.queue) {
            return Err(QsaError::UnknownQueue);
        }
        let own_package = if package::find(new.package).is_some() { &[] } else { new.package };
        let names = Names::try_new([new.record, new.subscriber, new.first_param, own_package], &self.alloc)?;
        let package = self.directory.lock().enter(new.domain, new.package)?;
        let id = match self.insert(Entry::new(names, package, new.queue, new.subscriber_data)) {
            Ok(id) => id,
            Err(error) => {
                self.directory.lock().leave(package);
                return Err(error);
            }
        };
        // Only now, so that a notifier that comes at this moment is here or finds the subscription in its own search.
        let notifiers = self.directory.lock().notifiers(package);
        let mut refusal = None;
        for registered in notifiers.iter().flatten() {
            let opened = self.with_entry(id, |entry| entry.open_offer(registered.id, &self.alloc));
            if opened == Some(Err(OutOfMemory)) {
                // Whoever has taken it up is told that it is over.
                let _ = self.unsubscribe(id);
                return Err(OutOfMemory.into());
            }
            if opened == Some(Ok(true)) {
                let offered = Subscribed {
                    id,
                    notifier: registered.id,
                    record: new.record,
                    subscriber: new.subscriber,
                    package: new.package,
                    first_param: new.first_param,
                    queue: new.queue,
                    subscriber_data: new.subscriber_data,
                };
                let answer = self.offer(registered, &offered);
                hear(registered.id, answer);
                refusal = answer.err().or(refusal);
            }
        }
        match refusal {
            Some(refusal) if self.withdraw(id, package) => Err(refusal.into()),
            _ => Ok(id),
        }
    }

    /// Ends a subscription: no message of it is delivered from now on, and its notifiers are told.
    ///
    /// # Errors
    /// [`QsaError::UnknownSubscription`] when it has ended already.
    pub fn unsubscribe(&self, id: SubscriptionId) -> Result<(), QsaError> {
        let ended = self.with_entry(id, |entry| {
            let (taken, is_offered) = (entry.taken(), entry.is_offered());
            entry.end().then_some((entry.package, entry.queue, taken, is_offered))
        });
        let (package, queue, taken, is_offered) = ended.flatten().ok_or(QsaError::UnknownSubscription)?;
        let notifiers = self.directory.lock().notifiers(package);
        let mut all_told = !is_offered;
        for (registered, (notifier, value)) in
            notifiers.iter().zip(taken).filter_map(|(registered, taken)| Some((registered, taken?)))
        {
            match registered {
                Some(registered) if registered.id == notifier => {
                    (registered.notifier.unsubscribe)(registered.notifier.user, id, value);
                }
                _ => all_told = false,
            }
        }
        if all_told {
            self.doubt(queue);
        } else {
            // Whoever is just taking it up is told only afterwards, and one that is not registered any more never: they may
            // still queue news.
            self.verify(queue);
        }
        self.directory.lock().leave(package);
        self.release(id)
    }

    /// Holds on to a subscription beyond its end, so that it can still be looked at; for notifiers that answer later.
    ///
    /// # Errors
    /// [`QsaError::UnknownSubscription`], or [`QsaError::Exhausted`] when it is held too often.
    pub fn accept(&self, id: SubscriptionId) -> Result<(), QsaError> {
        self.with_entry(id, Entry::hold).unwrap_or(Err(QsaError::UnknownSubscription))
    }

    /// Lets go of a subscription held with [`Hub::accept`].
    ///
    /// # Errors
    /// [`QsaError::UnknownSubscription`], also when it is not held.
    pub fn release(&self, id: SubscriptionId) -> Result<(), QsaError> {
        let Some(mut shard) = self.shard(id) else { return Err(QsaError::UnknownSubscription) };
        shard.get(id).ok_or(QsaError::UnknownSubscription)?.let_go()?;
        let removed = shard.remove_if_done(id);
        drop(shard);
        drop(removed);
        Ok(())
    }

    /// Record and subscriber of a subscription, for whoever keeps them as well.
    #[must_use]
    pub fn names(&self, id: SubscriptionId) -> Option<Names<A>> {
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
        let set = |entry: &mut Entry<A>| {
            entry.subscriber_data = data;
            entry.queue
        };
        self.verify(self.with_entry(id, set).ok_or(QsaError::UnknownSubscription)?);
        Ok(())
    }

    /// Looks at a subscription. `look` runs under the lock of its shard and must call nothing that locks.
    pub fn with_subscription<R>(&self, id: SubscriptionId, look: impl FnOnce(View<'_>) -> R) -> Option<R> {
        self.with_entry(id, |entry| look(entry.view()))
    }

    /// How many subscriptions there are, those only held on to included.
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

    pub(super) fn with_entry<R>(&self, id: SubscriptionId, f: impl FnOnce(&mut Entry<A>) -> R) -> Option<R> {
        self.shard(id)?.get(id).map(f)
    }

    fn shard(&self, id: SubscriptionId) -> Option<MutexGuard<'_, L, Shard<A>>> {
        self.shards.get(shard_of(id)).map(Mutex::lock)
    }

    fn insert(&self, entry: Entry<A>) -> Result<SubscriptionId, QsaError> {
        let number = self.next_shard.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let shard = self.shards.get(number).ok_or(QsaError::Exhausted)?;
        shard.lock().insert(number, entry)
    }

    /// Calls the notifier for an offer that was opened, and notes the answer.
    fn offer(&self, registered: &Registered, offered: &Subscribed<'_>) -> Result<u64, Refused> {
        let notifier = registered.notifier;
        let answer = (notifier.subscribe)(notifier.user, offered);
        let noted = self.with_entry(offered.id, |entry| entry.close_offer(registered.id, answer.ok()));
        if let (Ok(value), false) = (answer, noted.unwrap_or(false)) {
            // Unsubscribed while the notifier was taking it up, so that nobody else could tell it.
            (notifier.unsubscribe)(notifier.user, offered.id, value);
        }
        answer
    }

    /// Takes back a subscription nobody wants; false when somebody does after all or the subscriber has ended it.
    fn withdraw(&self, id: SubscriptionId, package: PackageId) -> bool {
        let Some(mut shard) = self.shard(id) else { return false };
        let (queue, removed) = match shard.get(id) {
            Some(entry) if entry.subscribed && !entry.is_wanted() => {
                entry.subscribed = false;
                (entry.queue, shard.remove_if_done(id))
            }
            _ => return false,
        };
        drop(shard);
        drop(removed);
        self.doubt(queue);
        self.directory.lock().leave(package);
        true
    }
}
