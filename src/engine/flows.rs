//! Lost connections: heard of in the server's TCP main process, acted upon by the b2b workers.

use super::Engine;
use crate::host::lock::{FLOWS, SharedLock};
use crate::host::log;
use crate::host::shm::Shm;
use crate::subscription::{Flow, OutOfMemory};
use allocator_api2::vec::Vec;
use parking_lot::lock_api::Mutex;
use std::num::NonZero;

/// How many lost connections may wait for a worker.
const ROOM: usize = 1024;

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
        self.0.lock().retain(|one| *one != flow);
    }
}

/// A connection is lost. Returns at once.
pub fn on_flow_lost(number: NonZero<u32>) {
    let Some(engine) = super::engine().filter(|engine| engine.registry.has_flows()) else { return };
    if engine.lost_flows.add(Flow(number)) {
        engine.ring(0);
    } else {
        log::warn("too many connections are lost at once: some subscriptions learn of it at their next refresh only");
    }
}

impl Engine {
    /// Brings forward the refreshes of subscriptions whose connection is lost, at most `most`; whether there were any.
    pub(super) fn see_to_lost_flows(&self, most: usize) -> bool {
        for done in 0..most {
            let Some(flow) = self.lost_flows.first() else { return done > 0 };
            let Ok(message) = Self::prepare(&[], &[]) else { return false };
            match self.registry.step_flow(flow, Self::now(), &self.env(), self.deliver(message)) {
                Ok(Some(stepped)) => self.settle(stepped.wake, stepped.delivered),
                Ok(None) => self.lost_flows.done(flow),
                Err(OutOfMemory) => return false,
            }
        }
        true
    }
}
