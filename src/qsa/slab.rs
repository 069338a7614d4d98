//! Where subscriptions are kept: one shard of the table.
#![forbid(unsafe_code)]

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;

use super::error::QsaError;
use super::ids::{MAX_NOTIFIERS, NotifierId, PackageId, QueueId, SubscriptionId};
use super::notifier::Subscribed;
use super::queue::LastQueued;
use crate::subscription::{OutOfMemory, Packed};

/// How many shards the table has.
pub(super) const SHARDS: usize = 64;

/// An internal subscription.
pub(super) struct Entry<A: Allocator> {
    text: Packed<4, A>,
    pub(super) package: PackageId,
    pub(super) queue: QueueId,
    pub(super) subscriber_data: usize,
    /// How many hold on to it beyond its end.
    pub(super) references: u32,
    pub(super) subscribed: bool,
    /// Its newest message among those queued by [`Hub::notify`](super::Hub::notify).
    pub(super) last: LastQueued,
    offers: [Offer; MAX_NOTIFIERS],
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

/// A subscription as it can be looked at; valid while its shard is locked.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Whose state is wanted.
    pub record: &'a [u8],
    /// Who wants it.
    pub subscriber: &'a [u8],
    /// Subscription parameter of the package.
    pub first_param: &'a [u8],
    /// The kind of state.
    pub package: &'a [u8],
    /// Where its messages go.
    pub queue: QueueId,
    /// The subscriber's own value.
    pub subscriber_data: usize,
    /// False when it has ended and is only held on to.
    pub subscribed: bool,
}

/// The texts of a subscription, copied to be used without a lock.
pub(super) struct Copied {
    record: std::vec::Vec<u8>,
    subscriber: std::vec::Vec<u8>,
    first_param: std::vec::Vec<u8>,
    queue: QueueId,
    subscriber_data: usize,
}

impl Copied {
    pub(super) fn subscribed<'a>(
        &'a self,
        id: SubscriptionId,
        notifier: NotifierId,
        package: &'a [u8],
    ) -> Subscribed<'a> {
        Subscribed {
            id,
            notifier,
            record: &self.record,
            subscriber: &self.subscriber,
            package,
            first_param: &self.first_param,
            queue: self.queue,
            subscriber_data: self.subscriber_data,
        }
    }
}

impl<A: Allocator> Entry<A> {
    /// `text`: record, subscriber, first parameter, package.
    pub(super) fn new(text: Packed<4, A>, package: PackageId, queue: QueueId, subscriber_data: usize) -> Self {
        Self {
            text,
            package,
            queue,
            subscriber_data,
            references: 0,
            subscribed: true,
            last: LastQueued::default(),
            offers: [Offer::default(); MAX_NOTIFIERS],
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            record: self.text.get(0),
            subscriber: self.text.get(1),
            first_param: self.text.get(2),
            package: self.text.get(3),
            queue: self.queue,
            subscriber_data: self.subscriber_data,
            subscribed: self.subscribed,
        }
    }

    fn copied(&self) -> Copied {
        let view = self.view();
        Copied {
            record: view.record.to_vec(),
            subscriber: view.subscriber.to_vec(),
            first_param: view.first_param.to_vec(),
            queue: view.queue,
            subscriber_data: view.subscriber_data,
        }
    }

    /// Whether the caller is to offer the subscription to `notifier`: true once only.
    pub(super) fn open_offer(&mut self, notifier: NotifierId) -> bool {
        match self.offers.get_mut(notifier.place()) {
            Some(offer) if self.subscribed && offer.notifier != notifier => {
                *offer = Offer { notifier, state: OfferState::Open, value: 0 };
                true
            }
            _ => false,
        }
    }

    /// Notes the notifier's answer; false when the subscription has ended meanwhile.
    pub(super) fn close_offer(&mut self, notifier: NotifierId, taken: Option<u64>) -> bool {
        if !self.subscribed {
            return false;
        }
        match self.offers.get_mut(notifier.place()) {
            Some(offer) if offer.notifier == notifier => {
                offer.state = if taken.is_some() { OfferState::Taken } else { OfferState::Refused };
                offer.value = taken.unwrap_or(0);
                true
            }
            // The notifier was unregistered meanwhile and its place is another's: nobody to tell.
            _ => true,
        }
    }

    /// Whether somebody has taken it up or may be about to.
    pub(super) fn is_wanted(&self) -> bool {
        self.offers.iter().any(|offer| matches!(offer.state, OfferState::Open | OfferState::Taken))
    }

    /// The notifiers that have taken it up, with their values.
    pub(super) fn taken(&self) -> [Option<(NotifierId, u64)>; MAX_NOTIFIERS] {
        self.offers.map(|offer| (offer.state == OfferState::Taken).then_some((offer.notifier, offer.value)))
    }
}

struct Slot<A: Allocator> {
    generation: u32,
    next_free: Option<u32>,
    entry: Option<Box<Entry<A>, A>>,
}

/// One shard: slots that are used again. Generations are the shard's, so that an empty shard can forget its slots.
pub(super) struct Shard<A: Allocator> {
    slots: Vec<Slot<A>, A>,
    free: Option<u32>,
    generation: u32,
    live: usize,
}

impl<A: Allocator + Clone> Shard<A> {
    pub(super) fn new(alloc: A) -> Self {
        Self { slots: Vec::new_in(alloc), free: None, generation: 0, live: 0 }
    }

    pub(super) fn insert(&mut self, shard: usize, entry: Box<Entry<A>, A>) -> Result<SubscriptionId, QsaError> {
        let at = match self.free {
            Some(at) => at,
            None => self.grow()?,
        };
        let slot = self.slots.get_mut(at as usize).ok_or(QsaError::Exhausted)?;
        self.free = slot.next_free.take();
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        slot.generation = self.generation;
        slot.entry = Some(entry);
        self.live += 1;
        Ok(id(slot.generation, at as usize, shard))
    }

    fn grow(&mut self) -> Result<u32, QsaError> {
        let at = self.slots.len();
        if at >= u32::MAX as usize / SHARDS {
            return Err(QsaError::Exhausted);
        }
        self.slots.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.slots.push(Slot { generation: 0, next_free: None, entry: None });
        self.free = Some(at as u32);
        Ok(at as u32)
    }

    pub(super) fn get(&mut self, id: SubscriptionId) -> Option<&mut Entry<A>> {
        let slot = self.slots.get_mut(place(id))?;
        if slot.generation != generation(id) {
            return None;
        }
        slot.entry.as_deref_mut()
    }

    /// Removes the entry when it has ended and nobody holds on to it. To be dropped without the lock.
    pub(super) fn remove_if_done(&mut self, id: SubscriptionId) -> Option<Removed<A>> {
        let entry = self.get(id)?;
        if entry.subscribed || entry.references > 0 {
            return None;
        }
        let slot = self.slots.get_mut(place(id))?;
        let entry = slot.entry.take()?;
        slot.next_free = self.free.replace(place(id) as u32);
        self.live -= 1;
        let slots = (self.live == 0).then(|| {
            self.free = None;
            let alloc = self.slots.allocator().clone();
            std::mem::replace(&mut self.slots, Vec::new_in(alloc))
        });
        Some(Removed { _entry: entry, _slots: slots })
    }

    /// Looks at up to `most` slots from `cursor` on for a subscription of `package` not yet offered to `notifier`.
    pub(super) fn scan(
        &mut self,
        shard: usize,
        cursor: &mut usize,
        most: usize,
        package: PackageId,
        notifier: NotifierId,
    ) -> Scan {
        for _ in 0..most {
            let at = *cursor;
            let Some(slot) = self.slots.get_mut(at) else { return Scan::End };
            *cursor += 1;
            if let Some(entry) = slot.entry.as_deref_mut()
                && entry.package == package
                && entry.open_offer(notifier)
            {
                return Scan::Found(id(slot.generation, at, shard), entry.copied());
            }
        }
        Scan::More
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }
}

/// What a look at some slots gave.
pub(super) enum Scan {
    /// This one, now claimed for the notifier.
    Found(SubscriptionId, Copied),
    /// Nothing here; go on.
    More,
    /// The shard's end.
    End,
}

/// What was taken out of a shard.
pub(super) struct Removed<A: Allocator> {
    _entry: Box<Entry<A>, A>,
    _slots: Option<Vec<Slot<A>, A>>,
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
