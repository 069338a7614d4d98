//! The beginning of a subscription, and the request to end it.

use std::time::Duration;

use super::{Engine, Lack, Owner};
use crate::gate::{Destination, SentTo};
use crate::grammar::is_sips;
use crate::host::shm::Shm;
use crate::host::uri;
use crate::memory::OutOfMemory;
use crate::qsa::{CachedSubscriberData, LastQueued, Refused, SubscriptionId, Wanted};
use crate::registry::{Handle, InsertError, Inserted};
use crate::subscription::{Concealed, Input, OptionError, Options, Output, Subscription};
use crate::time::Millis;

/// Script or RPC have a subscription to the same, of this record of the registry or another one by now.
pub const EXISTS: Refused = Refused { reason: "script or RPC have this subscription already", code: -1 };

/// There is no memory for it.
pub const NO_MEMORY: Refused = Refused { reason: OutOfMemory::TEXT, code: 0 };

/// The result of a step without an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Concluded {
    /// Destination of the newest request, if this step was the first final result of it. A reply that comes after that
    /// is not reported.
    pub(super) concluded: Option<Destination>,
    /// The internal subscription.
    pub(super) subscription: SubscriptionId,
    /// [`Output::bad_contacts`].
    pub(super) bad_contacts: Option<u16>,
    /// [`Stepped::deadline`](crate::registry::Stepped::deadline).
    pub(super) deadline: Option<Millis>,
    /// [`Output::waited`].
    pub(super) waited: Option<Duration>,
}

impl Engine {
    /// Starts the SIP side of an internal subscription, with these options.
    ///
    /// # Errors
    /// Why not, for the operator; nothing is left behind.
    pub fn start(&self, id: SubscriptionId, wanted: &Wanted<'_>, options: &Options) -> Result<Handle, Refused> {
        self.enter(id, wanted, options, |subscription| subscription)
    }

    /// Enters the subscription that `make` makes of an internal one with these options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub(super) fn enter(
        &self,
        id: SubscriptionId,
        wanted: &Wanted<'_>,
        options: &Options,
        make: impl FnOnce(Subscription<Shm>) -> Subscription<Shm>,
    ) -> Result<Handle, Refused> {
        let package = self.config.packages.find(wanted.package).ok_or_else(|| Refused::new("unknown event package"))?;
        if !uri::is_sip_uri(wanted.record) {
            return Err(Refused::new("the record is not a SIP URI"));
        }
        if !uri::is_sip_uri(wanted.subscriber) {
            return Err(Refused::new("the subscriber is not a SIP URI"));
        }
        if is_sips(wanted.record) && !options.outbound.is_empty() && !uri::means_tls(options.outbound.as_bytes()) {
            return Err(Refused::new(
                "the record is a SIPS URI, but option outbound is not reached over TLS: use a sips: URI or transport=tls there",
            ));
        }
        let names = self.hub.names(id).ok_or_else(|| Refused::new("the subscription has ended meanwhile"))?;
        let now = Self::now();
        let made = Subscription::try_named(names, package.number, options.id.as_bytes(), Shm);
        let made = made.and_then(|made| made.try_with(options)).map(make);
        let named = self.is_event_queue(wanted.queue);
        let owner = Owner {
            subscription: id,
            queue: wanted.queue,
            last: LastQueued::default(),
            // The caller sets the data of script and RPC next.
            cached: if named {
                CachedSubscriberData::NOTHING
            } else {
                CachedSubscriberData::of(wanted.subscriber_data)
            },
            sent_to: SentTo::default(),
        };
        if let Some(adopted) = self.adopt(owner, wanted, options).filter(|_| !named) {
            return Ok(adopted);
        }
        let surroundings = self.at(now);
        let env = surroundings.env();
        let entered = match wanted.stored {
            None => made.map_err(InsertError::from).and_then(|made| self.registry.insert(made, owner, named, &env)),
            Some(part) => self.enter_stored(made, owner, named, &part, &env),
        };
        match entered {
            Ok(Inserted::New { handle, wake }) => {
                if named {
                    // The event route shows the id; only the module reads the subscriber's value.
                    let _ = self.hub.set_subscriber_data(id, handle.id() as usize);
                }
                self.trace_start(handle);
                self.settle(wake, None);
                Ok(handle)
            }
            Ok(Inserted::Existing(_)) => Err(EXISTS),
            Err(InsertError::OutOfMemory(OutOfMemory)) => Err(NO_MEMORY),
            Err(InsertError::Full { .. }) => {
                Err(Refused::new("as many subscriptions as modparam max_subscriptions allows"))
            }
        }
    }

    /// The internal subscription behind this record has ended: end the SIP side. A stale handle is harmless.
    pub fn end(&self, handle: Handle) {
        self.apply(handle, Input::Unsubscribe);
        self.forget_states(handle);
    }

    /// Asks for a SUBSCRIBE now, as far as `min_resubscribe_time` allows: how long it takes until the module acts. `None` when
    /// there is no such subscription.
    #[must_use]
    pub fn refresh(&self, handle: Handle) -> Option<Duration> {
        let now = Self::now();
        let stepped = self.step(handle, Input::Refresh, now)?;
        Some(stepped.deadline.map_or(Duration::ZERO, |deadline| deadline.since(now)))
    }

    /// Gives a subscription and its forks credentials of their own; `false` when there is no such subscription.
    #[must_use]
    pub fn give_credentials(&self, handle: Handle, username: &[u8], secret: &[u8]) -> bool {
        let give = |handle| self.apply(handle, Input::Credentials { username, secret: Concealed(secret) });
        let given = give(handle);
        for fork in self.registry.forks_of(handle) {
            give(fork);
        }
        given
    }

    /// Reads options.
    ///
    /// # Errors
    /// When they are malformed, or name a filter that is not there.
    pub fn options(&self, text: &[u8]) -> Result<Options, OptionError> {
        let mut options = Options::parse(text)?;
        options.find_filter(self.config.filters.iter().map(|filter| filter.name.as_str()))?;
        Ok(options)
    }

    /// Options as text, those of a [snapshot](crate::subscription::Snapshot) as well; empty for none.
    #[must_use]
    pub fn options_text(&self, mut options: Options) -> String {
        let filter = options.terms.filter.and_then(|place| self.config.filters.get(usize::from(place)));
        options.filter = filter.map(|filter| filter.name.clone()).unwrap_or_default();
        options.to_string()
    }

    /// Hands in an input that needs no answer and brings no body.
    pub(super) fn apply(&self, handle: Handle, input: Input<'_>) -> bool {
        self.step(handle, input, Self::now()).is_some()
    }

    /// As [`apply`](Self::apply): what it came to.
    pub(super) fn step(&self, handle: Handle, input: Input<'_>, now: Millis) -> Option<Concluded> {
        self.step_aimed(handle, input, None, now)
    }

    /// As [`step`](Self::step), of a request that is for this destination and does not leave.
    pub(super) fn step_aimed(
        &self,
        handle: Handle,
        input: Input<'_>,
        aim: Option<Destination>,
        now: Millis,
    ) -> Option<Concluded> {
        let message = Self::prepare(&[], &[]).ok()?;
        let (deliver, mut concluded) = (self.deliver(message), None);
        let note = |handle, output: &Output, owner: &mut Owner| {
            if output.concluded {
                concluded = owner.conclude();
            }
            if let Some(aim) = aim {
                owner.sent_to = owner.sent_to.aimed_at(aim);
            }
            deliver(handle, output, owner)
        };
        match self.registry.step(handle, input, &self.at(now).env(), note) {
            Ok(Some(stepped)) => {
                Self::trace(&stepped);
                self.say_turn(stepped.handle, stepped.owner.subscription, &stepped.output);
                self.keep_up(&stepped);
                self.settle(stepped.wake, stepped.delivered);
                Some(Concluded {
                    concluded,
                    subscription: stepped.owner.subscription,
                    bad_contacts: stepped.output.bad_contacts,
                    deadline: stepped.deadline,
                    waited: stepped.output.waited,
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
