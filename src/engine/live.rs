//! The parameters that change while the server runs: what the processes share is told at once, and each process makes its own policy
//! again before its next step.

use std::cell::RefCell;
use std::rc::Rc;

use super::Engine;
use crate::config::{Integers, Live};
use crate::gate::GateLimits;
use crate::host::{blocks, clock};
use crate::qsa::Budget;
use crate::subscription::{Env, Policy};
use crate::time::Millis;

thread_local! {
    /// This process's policy, and the number of changes that it knows of.
    static POLICY: RefCell<Option<(u32, Rc<Policy>)>> = const { RefCell::new(None) };
}

/// What the core is given with one input (law L9).
pub(super) struct Surroundings<'e> {
    engine: &'e Engine,
    now: Millis,
    random: u64,
    /// `None` while the parameters are as they were at the start.
    policy: Option<Rc<Policy>>,
}

impl Surroundings<'_> {
    pub(super) fn env(&self) -> Env<'_> {
        Env {
            now: self.now,
            policy: self.policy.as_deref().unwrap_or(&self.engine.config.policy),
            packages: &self.engine.config.packages,
            random: self.random,
            credentials: &self.engine.credentials,
        }
    }
}

impl Engine {
    pub(super) fn at(&self, now: Millis) -> Surroundings<'_> {
        let changes = self.live.changes();
        let policy = (changes != 0).then(|| self.changed_policy(changes));
        Surroundings { engine: self, now, random: clock::spread(), policy }
    }

    #[cold]
    fn changed_policy(&self, changes: u32) -> Rc<Policy> {
        POLICY.with_borrow_mut(|known| match known {
            Some((of, policy)) if *of == changes => Rc::clone(policy),
            _ => {
                // Whoever changes them now counts afterwards, and they are read again.
                let policy = Rc::new(self.config.policy_texts.with(&self.live.integers()));
                *known = Some((changes, Rc::clone(&policy)));
                policy
            }
        })
    }

    /// Takes the newest parameters, if they differ; gives those before and now then. Each process calls it when it learns of a change,
    /// before its next work: the first tells what all share, and the others wait for that.
    pub fn take_parameters(
        &self,
        newest: impl FnOnce() -> Option<[i32; Integers::COUNT]>,
    ) -> Option<(Integers, Integers)> {
        // Asked for under the lock: a process that comes late brings no older values back.
        let _changing = self.changing.lock();
        let values = newest()?;
        let before = self.live.take(values)?;
        self.tell_limits();
        self.live.told();
        Some((before, Integers::of(values)))
    }

    /// Tells everything that has limits of its own in shared memory.
    fn tell_limits(&self) {
        let live = &self.live;
        blocks::set_limit(live.max_memory());
        // All values are in their ranges.
        let _ = self.registry.set_limit(live.max_subscriptions());
        self.hub.set_budget(budget(live));
        for queue in self.event_queues.iter().chain(&self.share_queues) {
            self.hub.queue_set_limit(*queue, live.queue_limit());
        }
        for queue in &self.unsolicited.queues {
            queue.set_limits(live.queue_limit() as usize, live.queue_bytes());
        }
        let policy = self.config.policy_texts.with(&live.integers());
        self.gate.set_limits(gate_limits(live, &policy), Self::now());
        self.lookups.set_longest(policy.failure_backoff_max);
        // It may sleep for as long as it was told before.
        if let Some(store) = &self.store {
            store.ring();
        }
    }
}

/// How many bytes may wait in each queue.
pub(super) fn budget(live: &Live) -> Budget {
    Budget { queue: live.queue_bytes(), subscription: live.subscription_queue_bytes() }
}

pub(super) fn gate_limits(live: &Live, policy: &Policy) -> GateLimits {
    GateLimits {
        destination_rate: live.destination_rate(),
        total_rate: live.total_rate(),
        breaker_failures: live.breaker_failures(),
        breaker_time: live.breaker_time(),
        breaker_most: policy.failure_backoff_max,
        // Then the request that probes is taken for lost.
        probe_wait: policy.watchdog,
        hold_most: live.destination_hold_max(),
    }
}
