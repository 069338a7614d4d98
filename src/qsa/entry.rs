//! An internal subscription, and the result of offering it to notifiers.

use allocator_api2::boxed::Box;

use super::error::QsaError;
use super::ids::{MAX_NOTIFIERS, NotifierId, PackageId, QueueId};
use super::queue::LastQueued;
use super::wanted::Wanted;
use crate::memory::{Occupant, OutOfMemory, SharedAlloc};
use crate::subscription::SharedUris;

/// Place of the package among an entry's names.
const PACKAGE: usize = 3;

/// How often a subscription can be held, so that one more is always possible.
const MOST_REFERENCES: u16 = u16::MAX - 1;

/// An internal subscription. They are many: no field is larger than it must be.
pub(super) struct InternalSubscription<A: SharedAlloc> {
    /// Record, subscriber, first parameter, and the package's name unless everybody knows it.
    pub(super) names: SharedUris<A>,
    pub(super) subscriber_data: usize,
    pub(super) package: PackageId,
    pub(super) queue: QueueId,
    /// Its newest message among those queued by [`Hub::notify`](super::Hub::notify).
    pub(super) last: LastQueued,
    /// How many hold on to it beyond its end.
    references: u16,
    pub(super) subscribed: bool,
    /// The offer to the package's first notifier. Few packages have another one.
    state: OfferState,
    notifier: NotifierId,
    value: u64,
    /// The offers to the others.
    others: Option<Box<[Offer; MAX_NOTIFIERS - 1], A>>,
    /// Tells it from those that were in its slot before.
    generation: u32,
}

/// The result of offering the subscription to the notifier at a place of the package.
#[derive(Clone, Copy, Default)]
struct Offer {
    notifier: NotifierId,
    state: OfferState,
    value: u64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum OfferState {
    #[default]
    None,
    /// The notifier's callback is running.
    Open,
    Taken,
    Refused,
}

pub(super) fn wanted<'a, A: SharedAlloc>(
    names: &'a SharedUris<A>,
    package: &'a [u8],
    queue: QueueId,
    subscriber_data: usize,
) -> Wanted<'a> {
    let [record, subscriber, first_param] = [names.get(0), names.get(1), names.get(2)];
    Wanted { package, record, subscriber, first_param, options: None, queue, subscriber_data, stored: None }
}

impl<A: SharedAlloc> Occupant for InternalSubscription<A> {
    fn generation(&self) -> u32 {
        self.generation
    }
}

impl<A: SharedAlloc> InternalSubscription<A> {
    pub(super) fn new(names: SharedUris<A>, package: PackageId, queue: QueueId, subscriber_data: usize) -> Self {
        Self {
            names,
            subscriber_data,
            package,
            queue,
            last: LastQueued::default(),
            references: 0,
            subscribed: true,
            state: OfferState::None,
            notifier: NotifierId::default(),
            value: 0,
            others: None,
            generation: 0,
        }
    }

    /// As it is in its slot.
    pub(super) fn numbered(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// The request that it was made for.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        let package = self.package.known_name().unwrap_or(self.names.get(PACKAGE));
        wanted(&self.names, package, self.queue, self.subscriber_data)
    }

    /// Whether the caller is to offer the subscription to `notifier`: true once only.
    pub(super) fn open_offer(&mut self, notifier: NotifierId, alloc: &A) -> Result<bool, OutOfMemory> {
        let known = self.offer(notifier.place()).notifier;
        if !self.subscribed || known == notifier {
            return Ok(false);
        }
        if notifier.place() > 0 && self.others.is_none() {
            let others = [Offer::default(); MAX_NOTIFIERS - 1];
            self.others = Some(Box::try_new_in(others, alloc.clone()).map_err(|_| OutOfMemory)?);
        }
        self.set_offer(Offer { notifier, state: OfferState::Open, value: 0 });
        Ok(true)
    }

    /// Notes the notifier's answer; false if the subscription has ended in the meantime.
    pub(super) fn close_offer(&mut self, notifier: NotifierId, taken: Option<u64>) -> bool {
        if !self.subscribed {
            return false;
        }
        // If not, the notifier was unregistered in the meantime and another has its place: there is none to tell.
        if self.offer(notifier.place()).notifier == notifier {
            let state = if taken.is_some() { OfferState::Taken } else { OfferState::Refused };
            self.set_offer(Offer { notifier, state, value: taken.unwrap_or(0) });
        }
        true
    }

    /// The offer to the notifier at a place.
    fn offer(&self, place: usize) -> Offer {
        match place.checked_sub(1) {
            None => Offer { notifier: self.notifier, state: self.state, value: self.value },
            Some(other) => self.others.as_deref().and_then(|others| others.get(other)).copied().unwrap_or_default(),
        }
    }

    fn set_offer(&mut self, offer: Offer) {
        match offer.notifier.place().checked_sub(1) {
            None => (self.notifier, self.state, self.value) = (offer.notifier, offer.state, offer.value),
            Some(other) => {
                if let Some(place) = self.others.as_deref_mut().and_then(|others| others.get_mut(other)) {
                    *place = offer;
                }
            }
        }
    }

    fn offers(&self) -> [Offer; MAX_NOTIFIERS] {
        std::array::from_fn(|place| self.offer(place))
    }

    /// Whether somebody has taken it up or may be about to.
    pub(super) fn is_wanted(&self) -> bool {
        self.offers().iter().any(|offer| matches!(offer.state, OfferState::Open | OfferState::Taken))
    }

    /// Whether a notifier is just taking it up, or refusing it.
    pub(super) fn is_offered(&self) -> bool {
        self.offers().iter().any(|offer| offer.state == OfferState::Open)
    }

    /// The notifiers that have taken it up, with their values.
    pub(super) fn taken(&self) -> [Option<(NotifierId, u64)>; MAX_NOTIFIERS] {
        self.offers().map(|offer| (offer.state == OfferState::Taken).then_some((offer.notifier, offer.value)))
    }

    /// Whether it has ended and nobody holds on to it.
    pub(super) fn is_done(&self) -> bool {
        !self.subscribed && self.references == 0
    }

    /// Somebody holds on to it.
    pub(super) fn hold(&mut self) -> Result<(), QsaError> {
        if self.references >= MOST_REFERENCES {
            return Err(QsaError::Exhausted);
        }
        self.references += 1;
        Ok(())
    }

    /// The subscriber has ended it: true once only. It is held on to as by one more until its notifiers have been told.
    pub(super) fn end(&mut self) -> bool {
        let was = std::mem::replace(&mut self.subscribed, false);
        self.references = self.references.saturating_add(was.into());
        was
    }

    /// Somebody lets go of it.
    pub(super) fn let_go(&mut self) -> Result<(), QsaError> {
        self.references = self.references.checked_sub(1).ok_or(QsaError::UnknownSubscription)?;
        Ok(())
    }
}
