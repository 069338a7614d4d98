//! News into the subscriber's queue, requests onto the wire.

use super::request::{Plan, PlanError, Way};
use super::{Engine, Owner, Stepped};
use crate::gate::{Admission, Ask, Destination, Outcome};
use crate::host::shm::Shm;
use crate::host::transaction::{self, Sent};
use crate::host::{clock, log};
use crate::qsa::{Message, Prepared, Pushed};
use crate::registry::Handle;
use crate::subscription::{HeldBy, Input, Instant, OutOfMemory, Output, Request, Socket};

/// The place of a next hop among the outbound proxies, its URI, and its entry in the gate.
type Hop<'w> = (u8, &'w [u8], Option<Destination>);

impl Engine {
    /// Room for the news of a step, taken before the step (law L5). Without a body it takes no memory.
    pub(super) fn prepare(content_type: &[u8], body: &[u8]) -> Result<Prepared<Shm>, OutOfMemory> {
        Message::prepare(content_type, body, Shm)
    }

    /// What runs under the shard's lock: the news go into the queue, so that each subscription's stay in order.
    pub(super) fn deliver(
        &self,
        message: Prepared<Shm>,
    ) -> impl FnOnce(Handle, &Output, &mut Owner) -> Option<Pushed<Shm>> {
        move |_, output, owner| {
            let news = output.news.as_ref()?;
            Some(self.hub.push(owner.queue, &mut owner.last, message.complete(owner.subscription, news)))
        }
    }

    /// Does what a deadline's step wants.
    pub(super) fn perform(&self, stepped: Stepped) {
        self.settle(stepped.wake, stepped.delivered);
        if let Some(request) = stepped.output.send {
            self.send(stepped.handle, stepped.owner.destination, &request);
        }
    }

    /// Sends a SUBSCRIBE, if its destination may have it, and feeds the outcome back.
    fn send(&self, handle: Handle, known: Option<Destination>, request: &Request) {
        let cseq = request.cseq;
        let way = match Way::of(request, &self.config) {
            Ok(way) => way,
            Err(error) => {
                not_sent(request, &error);
                self.nudge(handle, Input::SendFailed { cseq });
                return;
            }
        };
        let (proxy, hop, destination) = match self.choose(handle, &way, request) {
            Ok((proxy, hop, destination)) => (proxy, hop.to_vec(), destination),
            Err((until, by)) => {
                self.nudge(handle, Input::Held { cseq, until, by, undo: request.undo });
                return;
            }
        };
        // The reply finds it here, and may be faster than the return of the send.
        if destination != known {
            self.registry.update_owner(handle, |owner| owner.destination = destination);
        }
        if proxy != request.proxies.current() {
            self.nudge(handle, Input::Through { cseq, proxy });
        }
        let (outcome, report) = match Plan::make(request, way, hop, &self.config) {
            Ok(plan) => {
                // The NOTIFY may be faster as well, and its answer names the socket.
                let socket = Socket(plan.socket().token());
                if request.socket != Some(socket) {
                    self.nudge(handle, Input::Sent { cseq, socket });
                }
                match transaction::send(&plan.outgoing(request), handle.to_u64()) {
                    Sent::Yes(socket) => (Input::Sent { cseq, socket: Socket(socket.token()) }, None),
                    Sent::Dropped => (Input::Dropped { cseq }, Some(Outcome::Unsent)),
                    Sent::Failed => (Input::SendFailed { cseq }, Some(Outcome::Silent)),
                }
            }
            Err(error) => {
                not_sent(request, &error);
                (Input::SendFailed { cseq }, Some(Outcome::Silent))
            }
        };
        let now = Self::now();
        if let (Some(destination), Some(report)) = (destination, report) {
            self.gate.report(destination, handle.to_u64(), report, now);
        }
        self.nudge(handle, outcome);
    }

    /// The first hop that the gate lets it through to. Where one is held, another is as good; where it only has to wait for
    /// its turn, it waits. When all are held: until when and by what the one is that is free first.
    fn choose<'w>(&self, handle: Handle, way: &'w Way, request: &Request) -> Result<Hop<'w>, (Instant, HeldBy)> {
        let (who, now) = (handle.to_u64(), Self::now());
        let mut first_free: Option<(Instant, HeldBy)> = None;
        for (proxy, hop, address) in way.hops() {
            // Where a URI cannot be parsed, the host says so when it is sent.
            let Some(address) = address else { return Ok((proxy, hop, None)) };
            let ask = Ask { address: &address, who, reserved: request.reserved, random: clock::spread() };
            match self.gate.admit(&ask, now) {
                Admission::Go(destination) => return Ok((proxy, hop, destination)),
                Admission::Held { until, by: HeldBy::Rate } => return Err((until, HeldBy::Rate)),
                Admission::Held { until, by: by @ (HeldBy::RetryAfter | HeldBy::Breaker) } => {
                    first_free = first_free.filter(|(at, _)| *at <= until).or(Some((until, by)));
                }
            }
        }
        Err(first_free.unwrap_or((now, HeldBy::Rate)))
    }
}

fn not_sent(request: &Request, error: &PlanError) {
    log::warn(&format!("SUBSCRIBE to {} not sent: {error}", String::from_utf8_lossy(&request.record)));
}
