//! Internal subscriptions that share a dialog: the module itself holds the one that leads to SIP, and hands its news on.

use super::{Engine, Hub, Lack};
use crate::host::shm::Shm;
use crate::memory::OutOfMemory;
use crate::qsa::{Message, NewSubscription, QsaError, QueueId, Refused, ShareHash, Subscribed, SubscriptionId};
use crate::subscription::Options;

/// Name of the module's own QSA domain of the subscriptions that are shared, where nobody but the SIP user agent is a notifier.
pub(super) const DOMAIN: &[u8] = b"shared";

/// The lower half of a notifier's value for a member: no handle has it.
const MEMBER: u64 = u32::MAX as u64;

impl Engine {
    /// The domain of the subscriptions that are shared.
    #[must_use]
    pub fn share_domain(&self) -> crate::qsa::DomainId {
        self.share_domain
    }

    /// Has an internal subscription share the dialog of those who ask for the same, or be the first. Gives the notifier's
    /// value for it, for [`Engine::leave`].
    ///
    /// # Errors
    /// Why not, for the operator; nothing is left behind.
    pub fn share(&self, subscribed: &Subscribed<'_>, options: Options) -> Result<u64, Refused> {
        let options = Options { share: false, ..options }.to_string();
        let Subscribed { record, subscriber, package, .. } = *subscribed;
        let key = [record, subscriber, package, options.as_bytes()];
        let make = |hash| {
            let root = NewSubscription {
                domain: self.share_domain,
                package,
                record,
                subscriber,
                first_param: options.as_bytes(),
                queue: self.share_queue(hash),
                subscriber_data: hash as usize,
            };
            self.hub.subscribe(&root).map_err(NotMade::from)
        };
        let hash = self.shares.join(&self.hub, key, subscribed.id, make)?;
        Ok(u64::from(hash) << 32 | MEMBER)
    }

    /// An internal subscription with this notifier's value has ended; false when it is none that shares.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the number")]
    pub fn leave(&self, subscription: SubscriptionId, value: u64) -> bool {
        if value as u32 != u32::MAX {
            return false;
        }
        if let Some(root) = self.shares.leave((value >> 32) as ShareHash, subscription) {
            let _ = self.hub.unsubscribe(root);
        }
        true
    }

    /// Hands on what waits in this worker's queue of shared subscriptions, at most so many; whether there were any.
    pub(super) fn hand_on(&self, worker: usize, most: usize) -> bool {
        let Some(&queue) = self.share_queues.get(worker) else { return false };
        for done in 0..most {
            let Some(delivered) = self.hub.pop(queue) else { return done > 0 };
            let hash = ShareHash::try_from(delivered.subscriber_data).unwrap_or_default();
            self.hand_on_one(hash, &delivered.message);
        }
        true
    }

    fn hand_on_one(&self, hash: ShareHash, message: &Message<Shm>) {
        let told = self.shares.hand_on(&self.hub, hash, message);
        if told.untold > 0 {
            self.lacks_for(Lack::Share, told.untold);
        }
        if told.ended {
            let _ = self.hub.unsubscribe(message.subscription());
        }
    }

    /// The last message of a subscription that is shared fell out of a full queue: the members are told now.
    pub(super) fn hand_on_lost(&self, message: &Message<Shm>) {
        let hash = self.hub.subscriber_data(message.subscription()).and_then(|hash| ShareHash::try_from(hash).ok());
        if let Some(hash) = hash {
            self.hand_on_one(hash, message);
        }
    }

    /// Whether messages of this queue are for those who share.
    pub(super) fn is_shared(&self, queue: QueueId) -> bool {
        self.share_queues.contains(&queue)
    }

    /// The messages of one share always go to one worker, so that they are handed on in order.
    fn share_queue(&self, hash: ShareHash) -> QueueId {
        let index = (hash as usize).checked_rem(self.share_queues.len()).unwrap_or(0);
        self.share_queues.get(index).copied().unwrap_or_default()
    }
}

/// Why there is no root.
struct NotMade(Refused);

impl From<QsaError> for NotMade {
    fn from(error: QsaError) -> Self {
        Self(match error {
            QsaError::Refused(refused) => refused,
            QsaError::OutOfMemory(OutOfMemory) => super::start::NO_MEMORY,
            _ => Refused::new("the hub has no room for the subscription that is to be shared"),
        })
    }
}

impl From<OutOfMemory> for NotMade {
    fn from(_: OutOfMemory) -> Self {
        Self(super::start::NO_MEMORY)
    }
}

impl From<NotMade> for Refused {
    fn from(NotMade(refused): NotMade) -> Self {
        refused
    }
}

/// Registers the domain in the hub.
pub(super) fn domain(hub: &Hub) -> Result<crate::qsa::DomainId, QsaError> {
    hub.own_domain(DOMAIN)
}
