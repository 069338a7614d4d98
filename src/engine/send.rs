//! News into the subscriber's queue, requests onto the wire.

use super::request::Plan;
use super::{Engine, Owner, Stepped};
use crate::host::log;
use crate::host::shm::Shm;
use crate::host::transaction::{self, Sent};
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
            self.send(stepped.handle, &request);
        }
    }

    /// Sends a SUBSCRIBE and feeds the outcome back.
    fn send(&self, handle: Handle, request: &Request) {
        let cseq = request.cseq;
        let outcome = match Plan::make(request, &self.config) {
            Ok(plan) => match transaction::send(&plan.outgoing(request), handle.to_u64()) {
                Sent::Yes(socket) => Input::Sent { cseq, socket: Socket(socket.token()) },
                Sent::Dropped => Input::Dropped { cseq },
                Sent::Failed => Input::SendFailed { cseq },
            },
            Err(error) => {
                log::warn(&format!("SUBSCRIBE to {} not sent: {error}", String::from_utf8_lossy(&request.record)));
                Input::SendFailed { cseq }
            }
        };
        self.nudge(handle, outcome);
    }
}
