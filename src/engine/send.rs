//! News into the subscriber's queue, requests onto the wire.

use std::time::Duration;

use super::request::{Plan, PlanError, Routed};
use super::{Engine, Lack, Owner, ShmStepped};
use crate::gate::{Admission, AdmissionRequest, Destination, MOST_DESTINATIONS, SendOutcome, SentTo};
use crate::host::names::{self, Missed};
use crate::host::shm::Shm;
use crate::host::transaction::{self, Sent};
use crate::host::{clock, log};
use crate::memory::{Defect, OutOfMemory, found};
use crate::qsa::{Message, Prepared, Pushed};
use crate::registry::Handle;
use crate::subscription::{HeldBy, Input, News, Output, Request, Socket};
use crate::time::Millis;

/// How long a request without a next hop is held: that cannot be, and must not keep a worker busy.
const NO_HOP: Duration = Duration::from_secs(1);

/// A next hop that the gate lets a request through to.
struct Hop<'r> {
    /// Its place among the outbound proxies.
    proxy: u8,
    uri: &'r [u8],
    /// Its destination, where the URI can be parsed.
    address: Option<Vec<u8>>,
    /// Its entry in the gate.
    destination: Option<Destination>,
}

/// What holds a request back.
pub(super) struct HeldBack {
    pub(super) until: Millis,
    pub(super) by: HeldBy,
    /// Where it would go, if that has an entry.
    pub(super) destination: Option<Destination>,
}

/// The kind of process that sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A worker, which never waits: it hands requests that have to wait over to the resolvers.
    Worker,
    /// A resolver; name servers may take this long.
    Resolver(Duration),
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// It has left, or the script has dropped it.
    Left,
    /// It could not be sent.
    Failed,
    /// Its destination may not have it yet.
    Held,
    /// It is in the line for the resolvers.
    HandedOver,
}

impl Engine {
    /// Room for the news of a step, taken before the step (law L5). Without a body it takes no memory.
    pub(super) fn prepare(content_type: &[u8], body: &[u8]) -> Result<Prepared<Shm>, OutOfMemory> {
        Message::prepare(content_type, body, &Shm)
    }

    /// Runs under the shard's lock: the news go into the queue there, so that each subscription's stay in order.
    pub(super) fn deliver(
        &self,
        message: Prepared<Shm>,
    ) -> impl FnOnce(Handle, &Output, &mut Owner) -> Option<Pushed<Shm>> {
        move |handle, output, owner| {
            let news = output.news.as_ref()?;
            if news.keep {
                self.push_latest(handle, output, news, None);
            }
            Some(self.queue(news, owner, message))
        }
    }

    /// Queues a message. Runs under the shard's lock.
    #[inline]
    pub(super) fn queue(&self, news: &News, owner: &mut Owner, message: Prepared<Shm>) -> Pushed<Shm> {
        let mut last = owner.last;
        let pushed = self.hub.push(owner.queue, &mut last, message.complete(owner.subscription, owner.cached, news));
        owner.last = last;
        pushed
    }

    /// Does what a deadline's step wants, and says what became of the request, where there is one.
    pub(super) fn perform(&self, stepped: ShmStepped, sender: Sender) -> Option<Sending> {
        Self::trace(&stepped);
        self.say_turn(stepped.handle, stepped.owner.subscription, &stepped.output);
        self.keep_up(&stepped);
        self.see_to_unsaved(&stepped);
        self.settle(stepped.wake, stepped.delivered);
        stepped.output.send.map(|request| self.send(stepped.handle, &request, sender))
    }

    /// Sends a SUBSCRIBE and feeds the outcome back.
    pub(super) fn send(&self, handle: Handle, request: &Request, sender: Sender) -> Sending {
        let cseq = request.cseq;
        let not_sent = |error: &PlanError, aim: Option<Destination>| {
            log::warn(&format!("SUBSCRIBE to {} not sent: {error}", String::from_utf8_lossy(&request.record)));
            let is_lost = error.is_of_dialog(request, &self.config);
            let input = if is_lost { Input::NoWay { cseq } } else { Input::SendFailed { cseq } };
            self.step_aimed(handle, input, aim, Self::now());
        };
        let routed = match Routed::of(request, &self.config) {
            Ok(routed) => routed,
            Err(error) => {
                not_sent(&error, None);
                return Sending::Failed;
            }
        };
        let Hop { proxy, uri, address, destination } = match self.choose(handle, &routed, request.reserved) {
            Ok(hop) => hop,
            Err(held) => {
                self.hold(handle, request, &held);
                return Sending::Held;
            }
        };
        if proxy != request.proxies.current() {
            self.apply(handle, Input::Through { cseq, proxy });
        }
        let report = |outcome| {
            if let Some(destination) = destination {
                self.gate.report(destination, handle.to_u64(), outcome, Self::now());
            }
        };
        let make = || Plan::make(&routed, uri, address.as_deref());
        let plan = match sender {
            Sender::Resolver(bound) => names::within(bound, make),
            Sender::Worker => match names::from_cache(make) {
                Ok(Ok(plan)) if !plan.socket().may_block() => Ok(plan),
                Ok(Err(error)) => Err(error),
                Ok(Ok(_)) | Err(Missed) => {
                    report(SendOutcome::Unsent);
                    self.hand_over(handle, request, uri, address.as_deref(), destination);
                    return Sending::HandedOver;
                }
            },
        };
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => {
                report(if error.is_of_destination() { SendOutcome::Silent } else { SendOutcome::Unsent });
                not_sent(&error, destination);
                return Sending::Failed;
            }
        };
        // Said before: reply and NOTIFY may be faster than the return of the send. The one is for the destination, the
        // answer to the other names the socket.
        let socket = Socket(plan.socket().token());
        self.leaves(handle, cseq, socket, destination);
        let leave = || transaction::send(&plan.outgoing(), handle.to_u64());
        let sent = match sender {
            Sender::Worker => leave(),
            Sender::Resolver(bound) => names::within(bound, leave),
        };
        match sent {
            Sent::Yes { socket: used, connection } => {
                self.counters.count_subscribe(request.kind);
                let used = Socket(used.token());
                if used != socket {
                    self.apply(handle, Input::Sent { cseq, socket: used });
                }
                if let Some(connection) = connection {
                    self.goes_over(handle, cseq, connection);
                }
            }
            Sent::Dropped => self.has_not_left(handle, Input::Dropped { cseq }, destination, SendOutcome::Unsent),
            failed @ (Sent::Failed | Sent::Impossible) => {
                let outcome = if failed == Sent::Failed { SendOutcome::Silent } else { SendOutcome::Unsent };
                self.has_not_left(handle, Input::SendFailed { cseq }, destination, outcome);
                return Sending::Failed;
            }
        }
        Sending::Left
    }

    /// A request does not leave yet.
    pub(super) fn hold(&self, handle: Handle, request: &Request, held: &HeldBack) {
        let HeldBack { until, by, destination } = *held;
        let input = Input::Held { cseq: request.cseq, until, by, undo: request.undo };
        self.step_aimed(handle, input, destination, Self::now());
    }

    /// A request is about to leave through `socket` to `destination`.
    fn leaves(&self, handle: Handle, cseq: u32, socket: Socket, destination: Option<Destination>) {
        let note = |_, _: &Output, owner: &mut Owner| owner.sent_to = SentTo::leaving(destination);
        let input = Input::Sent { cseq, socket };
        match self.registry.step(handle, input, &self.at(Self::now()).env(), note) {
            Ok(Some(stepped)) => {
                Self::trace(&stepped);
                self.settle(stepped.wake, None);
            }
            Ok(None) => {}
            // It needs no memory of its own, and the deadline brings the subscription back.
            Err(OutOfMemory) => self.lacks(Lack::Step),
        }
    }

    /// A request has not left, after all was ready for it. It is counted once: tm may have told its end, or the connection have
    /// been lost, before the send returned.
    fn has_not_left(&self, handle: Handle, input: Input<'_>, destination: Option<Destination>, outcome: SendOutcome) {
        let now = Self::now();
        let (counted, outcome) = match self.step(handle, input, now) {
            Some(stepped) => (stepped.concluded, outcome),
            // Its subscription has gone in the meantime. A probe is given back; where it has been counted, that changes nothing.
            None => (destination, SendOutcome::Unsent),
        };
        if let Some(destination) = counted {
            self.gate.report(destination, handle.to_u64(), outcome, now);
        }
    }

    /// Where the newest SUBSCRIBE of a subscription went, or is held for, as `presence_b2b.destinations` shows it; `None` if that is not known.
    pub fn destination_of(&self, handle: Handle) -> Option<String> {
        let sent_to = self.registry.view(handle, |_, owner| owner.sent_to)?;
        self.gate.address(sent_to.destination()?)
    }

    /// Lifts what holds a destination; how many subscriptions that were held ask again, or `None` when it is not known. What is
    /// held by another destination finds that out.
    pub fn release(&self, address: &[u8]) -> Option<usize> {
        if !self.gate.release(address) {
            return None;
        }
        let mut held = Vec::new();
        self.registry.page(0, usize::MAX, |handle, subscription, _| {
            if subscription.is_held() {
                held.push(handle);
            }
        });
        Some(held.into_iter().filter(|handle| self.refresh(*handle).is_some()).count())
    }

    /// The first hop that the gate lets it through to. Where one is held, another is as good; where it only has to wait for
    /// its turn, it waits. When all are held: the one that is free first.
    fn choose<'r>(&self, handle: Handle, routed: &Routed<'r>, reserved: bool) -> Result<Hop<'r>, HeldBack> {
        let (who, now) = (handle.to_u64(), Self::now());
        let mut first_free: Option<HeldBack> = None;
        for (proxy, uri, address) in routed.hops() {
            // Where a URI cannot be parsed, the host says so when it is sent.
            let Some(named) = &address else { return Ok(Hop { proxy, uri, address, destination: None }) };
            let ask = AdmissionRequest { address: named, who, reserved, random: clock::spread() };
            let admission = self.gate.admit(&ask, now);
            if let Some(times) = self.gate.pressure(now) {
                log::warn(&format!(
                    "more than {MOST_DESTINATIONS} destinations are busy or failing: so far {times} had to make room or share one \
                     rate; presence_b2b.destinations shows which fail: end subscriptions that are not needed"
                ));
            }
            let (until, by) = match admission {
                Admission::Go(destination) => return Ok(Hop { proxy, uri, address, destination }),
                Admission::Held { until, by } => (until, by),
            };
            let held = || HeldBack { until, by, destination: self.gate.find(named) };
            if by == HeldBy::Rate {
                return Err(held());
            }
            first_free = first_free.filter(|first| first.until <= until).or_else(|| Some(held()));
        }
        Err(first_free.unwrap_or_else(|| {
            found::<()>(Defect::Hop);
            HeldBack { until: now.after(NO_HOP), by: HeldBy::Rate, destination: None }
        }))
    }
}
