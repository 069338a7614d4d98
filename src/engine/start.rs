//! A subscription begins, and how it is told to end.

use super::{Engine, Lack, Owner};
use crate::gate::Destination;
use crate::host::shm::Shm;
use crate::host::uri;
use crate::memory::OutOfMemory;
use crate::qsa::{Known, LastQueued, QueueId, Refused, SubscriptionId};
use crate::registry::{Handle, Inserted, RegistryError};
use crate::subscription::{Input, Options, Output, Package, Subscription};
use crate::time::Millis;
use std::time::Duration;

/// An internal subscription that is to be served over SIP.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// URI of the record.
    pub record: &'a [u8],
    /// URI of the subscriber.
    pub subscriber: &'a [u8],
    /// Event package.
    pub package: &'static Package,
    /// What it is to be like.
    pub options: &'a Options,
    /// The internal subscription.
    pub subscription: SubscriptionId,
    /// Where its news go.
    pub queue: QueueId,
    /// The subscriber's own value.
    pub subscriber_data: usize,
}

/// Script or RPC have a subscription to the same, of this record of the registry or another one by now.
pub(super) const EXISTS: Refused = Refused { reason: "script or RPC have this subscription already", code: -1 };

pub(super) const NO_MEMORY: Refused = Refused {
    reason: "out of shared memory: enlarge it with the server's option -m, or raise modparam max_memory",
    code: 0,
};

/// What a step without an answer came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Concluded {
    /// Where the newest request went to, if this was the final word about it, the first one. A reply that comes later still is
    /// told nobody.
    pub(super) concluded: Option<Destination>,
    /// The internal subscription.
    pub(super) subscription: SubscriptionId,
    /// [`Output::bad_contacts`].
    pub(super) bad_contacts: Option<u16>,
    /// [`Stepped::deadline`](crate::registry::Stepped::deadline).
    pub(super) deadline: Option<Millis>,
}

impl Engine {
    /// Starts the SIP side of an internal subscription.
    ///
    /// # Errors
    /// Why not, for the operator; nothing is left behind.
    pub fn start(&self, origin: &Origin<'_>) -> Result<Handle, Refused> {
        if !uri::is_sip_uri(origin.record) {
            return Err(Refused::new("the record is not a SIP URI"));
        }
        if !uri::is_sip_uri(origin.subscriber) {
            return Err(Refused::new("the subscriber is not a SIP URI"));
        }
        let Origin { package, options, subscription, .. } = *origin;
        let names = self.hub.names(subscription).ok_or_else(|| Refused::new("the subscription has ended meanwhile"))?;
        let now = Self::now();
        let made = Subscription::try_named(names, package, options.id.as_bytes(), Shm);
        let subscription = made.and_then(|made| made.try_under(options.terms)).map_err(|OutOfMemory| NO_MEMORY)?;
        let named = self.is_own(origin.queue);
        let owner = Owner {
            subscription: origin.subscription,
            queue: origin.queue,
            last: LastQueued::default(),
            // That of script and RPC is about to be set.
            known: if named { Known::NOTHING } else { Known::of(origin.subscriber_data) },
            destination: None,
        };
        match self.registry.insert(subscription, owner, named, now, &self.env()) {
            Ok(Inserted::New { handle, wake }) => {
                if named {
                    // The event route shows the id; nobody but the module reads the subscriber's value.
                    let _ = self.hub.set_subscriber_data(origin.subscription, handle.id() as usize);
                }
                self.settle(wake, None);
                Ok(handle)
            }
            Ok(Inserted::Existing(_)) => Err(EXISTS),
            Err(RegistryError::OutOfMemory) => Err(NO_MEMORY),
            Err(RegistryError::Full { .. } | RegistryError::Shards { .. } | RegistryError::Limit { .. }) => {
                Err(Refused::new("as many subscriptions as modparam max_subscriptions allows"))
            }
        }
    }

    /// The internal subscription behind this record has ended: end the SIP side. A stale handle is harmless.
    pub fn end(&self, handle: Handle) {
        self.nudge(handle, Input::Unsubscribe);
    }

    /// Asks for a SUBSCRIBE now, as far as `min_resubscribe_time` allows: how long it takes until the module acts. `None` when
    /// there is no such subscription.
    #[must_use]
    pub fn refresh(&self, handle: Handle) -> Option<Duration> {
        let now = Self::now();
        let stepped = self.step(handle, Input::Refresh, now)?;
        Some(stepped.deadline.map_or(Duration::ZERO, |deadline| deadline.since(now)))
    }

    /// Hands in an input that needs no answer and brings no body.
    pub(super) fn nudge(&self, handle: Handle, input: Input<'_>) -> bool {
        self.step(handle, input, Self::now()).is_some()
    }

    /// As [`nudge`](Self::nudge): what it came to.
    pub(super) fn step(&self, handle: Handle, input: Input<'_>, now: Millis) -> Option<Concluded> {
        let message = Self::prepare(&[], &[]).ok()?;
        let (deliver, mut concluded) = (self.deliver(message), None);
        let note = |handle, output: &Output, owner: &mut Owner| {
            if output.concluded {
                concluded = owner.destination;
                owner.destination = None;
            }
            deliver(handle, output, owner)
        };
        match self.registry.step(handle, input, now, &self.env(), note) {
            Ok(Some(stepped)) => {
                self.say_turn(stepped.handle, stepped.owner.subscription, &stepped.output);
                self.settle(stepped.wake, stepped.delivered);
                Some(Concluded {
                    concluded,
                    subscription: stepped.owner.subscription,
                    bad_contacts: stepped.output.bad_contacts,
                    deadline: stepped.deadline,
                })
            }
            Ok(None) => None,
            Err(OutOfMemory) => {
                self.lacks(Lack::Step);
                None
            }
        }
    }
}
