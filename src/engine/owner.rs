//! The owner of a subscription.

use crate::gate::{Destination, SentTo};
use crate::qsa::{CachedSubscriberData, LastQueued, QueueId, SubscriptionId};

/// Whose subscription a record of the registry is. Packed: each byte costs 1 MB for a million subscriptions.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(2))]
pub struct Owner {
    /// The internal subscription.
    pub subscription: SubscriptionId,
    /// Where its news go.
    pub queue: QueueId,
    /// Its newest message in that queue.
    pub last: LastQueued,
    /// The subscriber's value, when it is sure to stay.
    pub cached: CachedSubscriberData,
    /// Where its newest SUBSCRIBE went, or is held for.
    pub sent_to: SentTo,
}

impl Owner {
    /// The newest SUBSCRIBE has come to its end: the destination that this is to be reported to, once.
    pub(super) fn conclude(&mut self) -> Option<Destination> {
        let (kept, destination) = self.sent_to.concluded();
        self.sent_to = kept;
        destination
    }
}
