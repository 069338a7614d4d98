//! Where subscriptions are kept: one shard of the table.
#![forbid(unsafe_code)]

use allocator_api2::boxed::Box;

use super::error::QsaError;
use super::ids::{MAX_NOTIFIERS, NotifierId, PackageId, QueueId, SubscriptionId};
use super::queue::LastQueued;
use super::wanted::Wanted;
use crate::memory::{Chunks, OutOfMemory, SharedAlloc};
use crate::subscription::Names;

/// How many shards the table has.
pub(super) const SHARDS: usize = 64;

/// Place of the package among an entry's names.
const PACKAGE: usize = 3;

/// Slots added at a time.
const CHUNK: usize = 64;

/// How often a subscription can be held, so that one more is always possible.
const MOST_REFERENCES: u16 = u16::MAX - 1;

/// An internal subscription. They are many: no field is larger than it must be.
pub(super) struct Entry<A: SharedAlloc> {
    /// Record, subscriber, first parameter, and the package's name unless everybody knows it.
    pub(super) names: Names<A>,
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

/// What became of offering the subscription to the notifier at a place of the package.
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

/// A subscription found for a notifier that registers late: what is needed to offer it without a lock.
pub(super) struct Late<A: SharedAlloc> {
    pub(super) id: SubscriptionId,
    names: Names<A>,
    queue: QueueId,
    subscriber_data: usize,
}

impl<A: SharedAlloc> Late<A> {
    pub(super) fn wanted<'a>(&'a self, package: &'a [u8]) -> Wanted<'a> {
        wanted(&self.names, package, self.queue, self.subscriber_data)
    }
}

fn wanted<'a, A: SharedAlloc>(
    names: &'a Names<A>,
    package: &'a [u8],
    queue: QueueId,
    subscriber_data: usize,
) -> Wanted<'a> {
    let [record, subscriber, first_param] = [names.get(0), names.get(1), names.get(2)];
    Wanted { package, record, subscriber, first_param, options: None, queue, subscriber_data }
}

impl<A: SharedAlloc> Entry<A> {
    pub(super) fn new(names: Names<A>, package: PackageId, queue: QueueId, subscriber_data: usize) -> Self {
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

    /// What it was made for.
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

    /// Notes the notifier's answer; false when the subscription has ended meanwhile.
    pub(super) fn close_offer(&mut self, notifier: NotifierId, taken: Option<u64>) -> bool {
        if !self.subscribed {
            return false;
        }
        // If not, the notifier was unregistered meanwhile and its place is another's: nobody to tell.
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

enum Slot<A: SharedAlloc> {
    Live(Entry<A>),
    Free { next: Option<u32> },
}

impl<A: SharedAlloc> Slot<A> {
    fn entry(&mut self) -> Option<&mut Entry<A>> {
        match self {
            Self::Live(entry) => Some(entry),
            Self::Free { .. } => None,
        }
    }
}

/// One shard: slots that are used again. Generations are the shard's, so that an empty shard can forget its slots.
pub(super) struct Shard<A: SharedAlloc> {
    slots: Chunks<Slot<A>, CHUNK, A>,
    free: Option<u32>,
    generation: u32,
    live: usize,
}

impl<A: SharedAlloc> Shard<A> {
    pub(super) fn new(alloc: A) -> Self {
        Self { slots: Chunks::new_in(alloc), free: None, generation: 0, live: 0 }
    }

    pub(super) fn insert(&mut self, shard: usize, entry: Entry<A>) -> Result<SubscriptionId, QsaError> {
        let at = match self.free {
            Some(at) => at,
            None => self.grow()?,
        };
        let slot = self.slots.get_mut(at as usize).ok_or(QsaError::Exhausted)?;
        let Slot::Free { next } = slot else { return Err(QsaError::Exhausted) };
        self.free = *next;
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        *slot = Slot::Live(Entry { generation: self.generation, ..entry });
        self.live += 1;
        Ok(id(self.generation, at as usize, shard))
    }

    /// Adds free slots; gives the first.
    fn grow(&mut self) -> Result<u32, QsaError> {
        let (first, after) = (self.slots.len(), self.slots.len() + CHUNK);
        if after > u32::MAX as usize / SHARDS {
            return Err(QsaError::Exhausted);
        }
        self.slots.try_grow(|at| Slot::Free { next: (at + 1 < after).then_some(at as u32 + 1) })?;
        self.free = Some(first as u32);
        Ok(first as u32)
    }

    pub(super) fn get(&mut self, id: SubscriptionId) -> Option<&mut Entry<A>> {
        self.slots.get_mut(place(id))?.entry().filter(|entry| entry.generation == generation(id))
    }

    /// Removes the entry when it has ended and nobody holds on to it. To be dropped without the lock.
    pub(super) fn remove_if_done(&mut self, id: SubscriptionId) -> Option<Removed<A>> {
        let entry = self.get(id)?;
        if entry.subscribed || entry.references > 0 {
            return None;
        }
        let slot = self.slots.get_mut(place(id))?;
        let entry = std::mem::replace(slot, Slot::Free { next: self.free });
        self.free = Some(place(id) as u32);
        self.live -= 1;
        let slots = (self.live == 0).then(|| {
            self.free = None;
            let alloc = self.slots.allocator().clone();
            std::mem::replace(&mut self.slots, Chunks::new_in(alloc))
        });
        Some(Removed { _entry: entry, _slots: slots })
    }

    /// Looks at up to `most` slots from `cursor` on for a subscription of `package` not yet offered to `notifier`. Where
    /// there is no memory to offer one, it stays without.
    pub(super) fn scan(
        &mut self,
        shard: usize,
        cursor: &mut usize,
        most: usize,
        package: PackageId,
        notifier: NotifierId,
    ) -> Scan<A> {
        let alloc = self.slots.allocator().clone();
        for _ in 0..most {
            let at = *cursor;
            let Some(slot) = self.slots.get_mut(at) else { return Scan::End };
            *cursor += 1;
            if let Some(entry) = slot.entry()
                && entry.package == package
                && entry.open_offer(notifier, &alloc) == Ok(true)
            {
                return Scan::Found(Late {
                    id: id(entry.generation, at, shard),
                    names: entry.names.clone(),
                    queue: entry.queue,
                    subscriber_data: entry.subscriber_data,
                });
            }
        }
        Scan::More
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }
}

/// What a look at some slots gave.
pub(super) enum Scan<A: SharedAlloc> {
    /// This one, now claimed for the notifier.
    Found(Late<A>),
    /// Nothing here; go on.
    More,
    /// The shard's end.
    End,
}

/// What was taken out of a shard.
pub(super) struct Removed<A: SharedAlloc> {
    _entry: Slot<A>,
    _slots: Option<Chunks<Slot<A>, CHUNK, A>>,
}

fn id(generation: u32, at: usize, shard: usize) -> SubscriptionId {
    SubscriptionId(u64::from(generation) << 32 | (at * SHARDS + shard) as u64)
}

fn generation(id: SubscriptionId) -> u32 {
    (id.0 >> 32) as u32
}

fn place(id: SubscriptionId) -> usize {
    (id.0 as u32) as usize / SHARDS
}

/// The shard that keeps `id`.
pub(super) fn shard_of(id: SubscriptionId) -> usize {
    id.0 as usize % SHARDS
}
