//! The b2b workers: they send what is due and hand messages to the event route.

use super::Engine;
use crate::host::clock;
use crate::host::log;
use crate::host::process::{self, Bell, ProcessError};
use crate::host::shm::Shm;
use crate::qsa::Delivered;
use crate::subscription::OutOfMemory;
use std::time::Duration;

/// What a worker does with a message of a subscription made by script or RPC.
pub type EventHandler = fn(&Engine, &Delivered<Shm>);

/// How much of one kind of work a worker does before it looks at the other.
const BATCH: usize = 32;

/// The longest sleep: deadlines ring the bell when they come nearer, so this only bounds the harm of a lost ring.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl Engine {
    /// Forks the workers; call in `child_init(PROC_MAIN)`.
    ///
    /// # Errors
    /// When one cannot be forked.
    pub fn fork_workers(&'static self, on_event: EventHandler) -> Result<(), ProcessError> {
        for worker in 0..self.event_queues.len() {
            process::fork("presence_b2b worker", || self.work(worker, on_event))?;
        }
        Ok(())
    }

    /// One round of the worker with this number.
    fn work(&self, worker: usize, on_event: EventHandler) {
        let sent = self.send_due(worker);
        let told = self.tell(worker, on_event);
        let handed_on = self.hand_on(worker, BATCH);
        let lost = self.see_to_lost_flows(BATCH);
        if sent || told || handed_on || lost {
            return;
        }
        match self.event_bells.get(worker) {
            Some(own) => Bell::wait(&[&self.deadline_bell, own], self.time_to_next()),
            None => Bell::wait(&[&self.deadline_bell], self.time_to_next()),
        }
    }

    fn time_to_next(&self) -> Duration {
        match self.registry.next_due() {
            Some(due) => due.since(Self::now()).min(LONGEST_SLEEP),
            None => LONGEST_SLEEP,
        }
    }

    /// Steps what is due; whether there was anything.
    fn send_due(&self, worker: usize) -> bool {
        // Workers begin at different shards, so that they seldom meet at one lock.
        let first = worker * self.config.shards / self.event_queues.len().max(1);
        for done in 0..BATCH {
            let now = Self::now();
            if self.registry.next_due().is_none_or(|due| due > now) {
                return done > 0;
            }
            let Ok(message) = Self::prepare(&[], &[]) else { return false };
            let random = clock::random_bytes();
            match self.registry.step_due(now, &self.env(), first, random, self.deliver(message)) {
                Ok(Some(stepped)) => self.perform(stepped),
                Ok(None) => return done > 0,
                Err(OutOfMemory) => {
                    log::error("out of shared memory: a SUBSCRIBE is put off; enlarge it with the server's option -m");
                    return true;
                }
            }
        }
        true
    }

    /// Hands this worker's messages to the event route; whether there were any.
    fn tell(&self, worker: usize, on_event: EventHandler) -> bool {
        let Some(&queue) = self.event_queues.get(worker) else { return false };
        for done in 0..BATCH {
            match self.hub.pop(queue) {
                Some(delivered) => on_event(self, &delivered),
                None => return done > 0,
            }
        }
        true
    }
}
