//! The hub: how a subscription begins and ends.

use parking_lot::lock_api::RawMutex;

use super::entry::InternalSubscription;
use super::error::QsaError;
use super::hub::Hub;
use super::ids::{DomainId, MAX_NOTIFIERS, PackageId, SubscriptionId};
use super::notifier::{Refused, Registered};
use super::wanted::{Made, Wanted};
use crate::memory::{OutOfMemory, SharedAlloc};
use crate::subscription::{SharedUris, package};

/// A subscription that is in the hub and has not been offered to a notifier yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entered {
    pub(super) id: SubscriptionId,
    package: PackageId,
}

impl<A: SharedAlloc, L: RawMutex> Hub<A, L> {
    /// Makes a subscription and offers it to the notifiers that the package has in this domain: gives what they have made of it. A
    /// package without a notifier is no error, as one may come later (see [`Hub::has_notifier`]).
    ///
    /// # Errors
    /// No memory, unknown domain or queue, no package or record; [`QsaError::Refused`], the first notifier's reason, when there are
    /// notifiers and each refuses. Nothing is left of the subscription then.
    pub fn subscribe(&self, domain: DomainId, wanted: &Wanted<'_>) -> Result<Made, QsaError> {
        self.offer_to_all(self.enter(domain, wanted)?, wanted)
    }

    /// As [`Hub::subscribe`]; `prepare` learns the subscription before any notifier does, and may refuse it. If nothing comes of it after that,
    /// nobody tells what it has prepared.
    ///
    /// # Errors
    /// As [`Hub::subscribe`], and what `prepare` refuses.
    pub fn subscribe_prepared(
        &self,
        domain: DomainId,
        wanted: &Wanted<'_>,
        prepare: impl FnOnce(SubscriptionId) -> Result<(), Refused>,
    ) -> Result<Made, QsaError> {
        let entered = self.enter(domain, wanted)?;
        if let Err(refused) = prepare(entered.id) {
            self.withdraw(entered.id, entered.package);
            return Err(refused.into());
        }
        self.offer_to_all(entered, wanted)
    }

    /// The first half of [`Hub::subscribe`]: the subscription is there, but no notifier was asked. Takes only locks of the hub and
    /// calls no notifier.
    ///
    /// # Errors
    /// As [`Hub::subscribe`], but for refusals.
    pub(super) fn enter(&self, domain: DomainId, wanted: &Wanted<'_>) -> Result<Entered, QsaError> {
        if wanted.record.is_empty() {
            return Err(QsaError::NoRecord);
        }
        wanted.check_lengths()?;
        if !self.queue_exists(wanted.queue) {
            return Err(QsaError::UnknownQueue);
        }
        let own_package = if package::find(wanted.package).is_some() { &[] } else { wanted.package };
        let names =
            SharedUris::try_new([wanted.record, wanted.subscriber, wanted.first_param, own_package], &self.alloc)?;
        let package = self.directory.lock().enter(domain, wanted.package)?;
        match self.insert(InternalSubscription::new(names, package, wanted.queue, wanted.subscriber_data)) {
            Ok(id) => Ok(Entered { id, package }),
            Err(error) => {
                self.directory.lock().leave(package);
                Err(error)
            }
        }
    }

    /// The second half of [`Hub::subscribe`]: asks the notifiers, each without any lock.
    ///
    /// # Errors
    /// No memory; [`QsaError::Refused`]. Nothing is left of the subscription then.
    pub(super) fn offer_to_all(&self, entered: Entered, wanted: &Wanted<'_>) -> Result<Made, QsaError> {
        let Entered { id, package } = entered;
        let mut made = Made { id, answers: [None; MAX_NOTIFIERS] };
        // Only now, so that a notifier that comes at this moment is here or finds the subscription in its own search.
        let notifiers = self.directory.lock().notifiers(package);
        for (registered, place) in notifiers.iter().flatten().zip(&mut made.answers) {
            let opened = self.with_entry(id, |entry| entry.open_offer(registered.id, &self.alloc));
            if opened == Some(Err(OutOfMemory)) {
                // A notifier that has taken it up is told that it is over.
                let _ = self.unsubscribe(id);
                return Err(OutOfMemory.into());
            }
            if opened == Some(Ok(true)) {
                *place = Some((registered.id, self.offer(registered, id, wanted)));
            }
        }
        let refusal = made.answers.iter().flatten().find_map(|(_, answer)| answer.err());
        match refusal {
            Some(refusal) if self.withdraw(id, package) => Err(refusal.into()),
            _ => Ok(made),
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
        if let Some(on_end) = self.on_end {
            on_end(id);
        }
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
            // A notifier that is just taking it up is told only afterwards, and one that is not registered any more
            // never: they may still queue news.
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
        self.with_entry(id, InternalSubscription::hold).unwrap_or(Err(QsaError::UnknownSubscription))
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

    /// Calls the notifier for an offer that was opened, and notes the answer.
    pub(super) fn offer(
        &self,
        registered: &Registered,
        id: SubscriptionId,
        wanted: &Wanted<'_>,
    ) -> Result<u64, Refused> {
        let notifier = registered.notifier;
        let answer = (notifier.subscribe)(notifier.user, registered.id, id, wanted);
        let noted = self.with_entry(id, |entry| entry.close_offer(registered.id, answer.ok()));
        if let (Ok(value), false) = (answer, noted.unwrap_or(false)) {
            // Unsubscribed while the notifier was taking it up: only this call can tell it.
            (notifier.unsubscribe)(notifier.user, id, value);
        }
        answer
    }

    /// Takes back a subscription that no notifier took; false if one took it after all or the subscriber has ended it.
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
