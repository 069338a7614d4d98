//! Lost connections: the server's TCP main process notes them, the b2b workers act.

use std::num::NonZero;

use allocator_api2::vec::Vec;
use parking_lot::lock_api::Mutex;

use super::{Engine, Lack, Owner};
use crate::gate::SendOutcome;
use crate::host::connection;
use crate::host::lock::FLOWS;
use crate::host::log;
use crate::host::shared_lock::SharedLock;
use crate::host::shm::Shm;
use crate::memory::OutOfMemory;
use crate::registry::Handle;
use crate::subscription::{Flow, Input, Output};

/// How many lost connections may wait for a worker. Only connections that a subscription uses are noted.
const ROOM: usize = 8192;

/// Lost connections that no worker has seen to yet.
pub(super) struct LostFlows(Mutex<SharedLock<FLOWS>, Vec<Flow, Shm>>);

impl LostFlows {
    pub(super) fn try_new() -> Result<Self, OutOfMemory> {
        let mut flows = Vec::new_in(Shm);
        flows.try_reserve_exact(ROOM).map_err(|_| OutOfMemory)?;
        Ok(Self(Mutex::new(flows)))
    }

    /// False when there is no room.
    fn add(&self, flow: Flow) -> bool {
        let mut flows = self.0.lock();
        if flows.last() == Some(&flow) {
            return true;
        }
        let has_room = flows.len() < ROOM;
        if has_room {
            flows.push(flow);
        }
        has_room
    }

    fn first(&self) -> Option<Flow> {
        self.0.lock().last().copied()
    }

    fn done(&self, flow: Flow) {
        let mut flows = self.0.lock();
        // It is mostly the one that was taken.
        if let Some(place) = flows.iter().rposition(|one| *one == flow) {
            flows.swap_remove(place);
        }
    }
}

/// A connection is lost. Returns at once.
pub fn on_flow_lost(number: NonZero<u32>) {
    let uses = |engine: &&Engine| engine.registry.uses_flow(Flow(number));
    let Some(engine) = super::engine().filter(uses) else { return };
    if engine.lost_flows.add(Flow(number)) {
        engine.ring(0);
    } else {
        log::warn("too many connections are lost at once: some subscriptions learn of it at their next refresh only");
    }
}

impl Engine {
    /// The newest request has taken this connection. One that was lost before that was known is noticed now.
    pub(super) fn goes_over(&self, handle: Handle, cseq: u32, number: NonZero<u32>) {
        if !self.config.refresh_on_flow_loss {
            return;
        }
        self.apply(handle, Input::Over { cseq, flow: Flow(number) });
        if !connection::is_there(number) {
            on_flow_lost(number);
        }
    }

    /// For at most `most` lost connections, brings the refreshes of their subscriptions forward and ends the requests that were
    /// under way. Returns whether there were any.
    pub(super) fn see_to_lost_flows(&self, most: usize) -> bool {
        for done in 0..most {
            let Some(flow) = self.lost_flows.first() else { return done > 0 };
            let Ok(message) = Self::prepare(&[], &[]) else { return false };
            let now = Self::now();
            let deliver = self.deliver(message);
            // The gate learns of the failure here, and not again when tm gives up.
            let deliver = |handle, output: &Output, owner: &mut Owner| {
                let pushed = deliver(handle, output, owner);
                (pushed, if output.concluded { owner.conclude() } else { None })
            };
            match self.registry.step_flow(flow, &self.at(now).env(), deliver) {
                Ok(Some(stepped)) => {
                    Self::trace(&stepped);
                    self.keep_up(&stepped);
                    let (pushed, destination) = stepped.delivered;
                    self.settle(stepped.wake, pushed);
                    if let Some(destination) = destination {
                        self.gate.report(destination, stepped.handle.to_u64(), SendOutcome::Silent, now);
                    }
                }
                Ok(None) => {
                    self.lost_flows.done(flow);
                    // Whoever went over it after the last look, and found it noted still, has not noted it again.
                    on_flow_lost(flow.0);
                }
                Err(OutOfMemory) => {
                    self.lacks(Lack::Step);
                    return false;
                }
            }
        }
        true
    }
}
