//! News into the subscriber's queue, requests onto the wire.

use super::request::{Plan, PlanError, Way};
use super::{Engine, Owner, Stepped};
use crate::gate::{Admission, Ask, Destination, Outcome};
use crate::host::shm::Shm;
use crate::host::transaction::{self, Sent};
use crate::host::{clock, log};
use crate::qsa::{Message, Prepared, Pushed};
use crate::registry::Handle;
use crate::subscription::{Input, OutOfMemory, Output, Request, Socket};

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
        let destination = match self.admit(handle, &way, request) {
            Admission::Go(destination) => destination,
            Admission::Held { until, by } => {
                self.nudge(handle, Input::Held { cseq, until, by, undo: request.undo });
                return;
            }
        };
        // The reply finds it here, and may be faster than the return of the send.
        if destination != known {
            self.registry.update_owner(handle, |owner| owner.destination = destination);
        }
        let (outcome, report) = match Plan::make(request, way, &self.config) {
            Ok(plan) => match transaction::send(&plan.outgoing(request), handle.to_u64()) {
                Sent::Yes(socket) => (Input::Sent { cseq, socket: Socket(socket.token()) }, None),
                Sent::Dropped => (Input::Dropped { cseq }, Some(Outcome::Unsent)),
                Sent::Failed => (Input::SendFailed { cseq }, Some(Outcome::Silent)),
            },
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

    fn admit(&self, handle: Handle, way: &Way, request: &Request) -> Admission {
        // Where a URI cannot be parsed, the host says so when it is sent.
        let Some(address) = way.destination() else { return Admission::Go(None) };
        let who = handle.to_u64();
        let ask = Ask { address: &address, who, reserved: request.reserved, random: clock::spread() };
        self.gate.admit(&ask, Self::now())
    }
}

fn not_sent(request: &Request, error: &PlanError) {
    log::warn(&format!("SUBSCRIBE to {} not sent: {error}", String::from_utf8_lossy(&request.record)));
}
