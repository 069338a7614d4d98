//! Messages of shared subscriptions go to their members.

use super::{Engine, Lack, ShmHub, ShmShares};
use crate::host::shm::Shm;
use crate::memory::{Defect, found};
use crate::qsa::{DomainId, Message, QsaError, QueueId, ShareHash, SubscriptionId};
use crate::registry::Handle;

/// Name of the module's own QSA domain for shared subscriptions. The SIP user agent is its only notifier.
pub(super) const DOMAIN: &[u8] = b"shared";

/// The lower half of a notifier's value for a member: no handle has it.
const MEMBER: u32 = u32::MAX;

/// The notifier's value for a member of a share.
#[must_use]
pub fn value_of_member(hash: ShareHash) -> u64 {
    u64::from(hash) << 32 | u64::from(MEMBER)
}

/// The share of the member with this value; none if it is no member.
// Cut on purpose: the two halves of the number.
#[must_use]
pub fn share_of_member(value: u64) -> Option<ShareHash> {
    (value as u32 == MEMBER).then_some((value >> 32) as ShareHash)
}

impl Engine {
    /// The domain of the subscriptions that are shared.
    #[must_use]
    pub fn share_domain(&self) -> DomainId {
        self.share_domain
    }

    /// The subscriptions that are shared.
    #[must_use]
    pub fn shares(&self) -> &ShmShares {
        &self.shares
    }

    /// Where the messages of one share go: always to one worker, so that they are handed on in order.
    #[must_use]
    pub fn share_queue(&self, hash: ShareHash) -> QueueId {
        super::queue_of(&self.share_queues, hash.into())
    }

    /// Hands on what waits in this worker's queue of shared subscriptions, at most so many; whether there were any.
    pub(super) fn hand_on(&self, worker: usize, most: usize) -> bool {
        let Some(&queue) = self.share_queues.get(worker) else { return false };
        for done in 0..most {
            let Some(delivered) = self.hub.pop(queue) else { return done > 0 };
            self.hand_on_one(share_of(delivered.subscriber_data), &delivered.message);
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
        if let Some(value) = self.hub.subscriber_data(message.subscription()) {
            self.hand_on_one(share_of(value), message);
        }
    }

    /// The SIP subscription of an internal one, or of the share that it is a member of; none if another notifier has it.
    pub(super) fn handle_of(&self, subscription: SubscriptionId) -> Option<Handle> {
        let value = |of| self.hub.notifiers_value(of, |notifier| self.is_user_agent(notifier));
        let own = value(subscription)?;
        match share_of_member(own) {
            None => Handle::from_u64(own),
            Some(hash) => Handle::from_u64(value(self.shares.root_of(hash, subscription)?)?),
        }
    }

    /// Whether messages of this queue are for those who share.
    pub(super) fn is_shared(&self, queue: QueueId) -> bool {
        self.share_queues.contains(&queue)
    }
}

/// The share that the value of its root names.
fn share_of(value: usize) -> ShareHash {
    ShareHash::try_from(value).unwrap_or_else(|_| found(Defect::Share))
}

/// Registers the domain in the hub.
pub(super) fn domain(hub: &ShmHub) -> Result<DomainId, QsaError> {
    hub.private_domain(DOMAIN)
}
