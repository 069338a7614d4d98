//! The resolvers: they send SUBSCRIBEs that may have to wait for a name server, a connection, or a peer that does not
//! read.

use std::time::{Duration, Instant};

use super::send::{HeldBack, Sender, Sending};
use super::{Engine, Lack, worker};
use crate::gate::Destination;
use crate::host::process::{self, ProcessError};
use crate::host::{clock, log, uri};
use crate::lookup::{LookupAnswer, LookupOutcome, LookupRequest, MOST_WAITING, Task};
use crate::memory::OutOfMemory;
use crate::registry::Handle;
use crate::subscription::{HeldBy, Request};

/// After so long in the line the subscriber is told that the request waits.
const PATIENCE: Duration = Duration::from_secs(4);

/// How often a request in the line looks whether it still has to be there.
const LONG_WAIT: Duration = Duration::from_secs(60);

/// How long a resolver sleeps while there is something in the line that is not to be taken yet.
const PAUSE: Duration = Duration::from_millis(200);

/// How late a deadline may be before a resolver steps in for workers that are all blocked.
const LATE: Duration = Duration::from_millis(40);

impl Engine {
    /// Forks the resolvers; call in `child_init(PROC_MAIN)`.
    ///
    /// # Errors
    /// When one cannot be forked.
    pub fn fork_resolvers(&'static self) -> Result<(), ProcessError> {
        for resolver in 0..self.resolver_bells.len() {
            process::fork("presence_b2b resolver", None, || self.resolve(resolver))?;
        }
        Ok(())
    }

    /// A request that a worker cannot send at once: it waits behind the name of its next hop.
    pub(super) fn hand_over(
        &self,
        handle: Handle,
        request: &Request,
        next_hop: &[u8],
        address: Option<&[u8]>,
        aim: Option<Destination>,
    ) {
        let now = Self::now();
        let (name, notifier) = (address.map_or(next_hop, host_of), uri::destination(&request.record));
        let ask = LookupRequest {
            name,
            notifier: notifier.as_deref().map_or(&request.record, host_of),
            who: handle.to_u64(),
        };
        let is_slow = request.queued || self.lookups.is_slow(&ask);
        let (by, time) = if is_slow { (HeldBy::Unreached, LONG_WAIT) } else { (HeldBy::Lookup, PATIENCE) };
        let spread = Duration::from_millis(clock::spread() % 1000);
        // Said before: a resolver may be faster than we are.
        let until = now.after(time.saturating_add(spread));
        self.hold(handle, request, &HeldBack { until, by, destination: aim });
        match self.lookups.ask(&ask, now) {
            LookupAnswer::Waits { wakes: true, .. } => self.resolver_bells.iter().for_each(process::Bell::ring),
            LookupAnswer::Waits { wakes: false, .. } => {}
            LookupAnswer::Full { say: Some(count) } => log::warn(&format!(
                "the line for names and connections is full: {MOST_WAITING} SUBSCRIBEs wait, and {count} more so far have to ask \
                 again later; presence_b2b.lookups shows which names are slow: repair them, or raise modparam resolvers"
            )),
            LookupAnswer::Full { say: None } => {}
        }
    }

    /// One round of the resolver with this number.
    fn resolve(&self, resolver: usize) {
        self.step_in(resolver);
        let Some(task) = self.lookups.take(resolver, Self::now()) else {
            let idle = if self.lookups.waiting() > 0 { PAUSE } else { worker::LONGEST_SLEEP };
            let late = self.registry.next_due().map_or(idle, |due| due.since(Self::now()).saturating_add(LATE));
            if let Some(bell) = self.resolver_bells.get(resolver) {
                bell.wait(idle.min(late));
            }
            return;
        };
        let begun = Instant::now();
        let outcome = self.take_turn(task);
        self.lookups.done(resolver, task, outcome, begun.elapsed(), Self::now());
    }

    /// The request whose turn it is, if it still wants to leave.
    fn take_turn(&self, task: Task) -> LookupOutcome {
        let (Some(handle), Ok(message)) = (Handle::from_u64(task.who), Self::prepare(&[], &[])) else {
            return LookupOutcome::Nothing;
        };
        let (now, random) = (Self::now(), clock::random_bytes());
        let stepped = match self.registry.step_turn(handle, random, &self.at(now).env(), self.deliver(message)) {
            Ok(Some(stepped)) => stepped,
            Ok(None) => return LookupOutcome::Nothing,
            Err(OutOfMemory) => {
                self.lacks(Lack::Subscribe);
                return LookupOutcome::Nothing;
            }
        };
        match self.perform(stepped, Sender::Resolver(task.bound)) {
            Some(Sending::Left) => LookupOutcome::Left,
            Some(Sending::Failed) => LookupOutcome::Failed,
            Some(Sending::Held | Sending::HandedOver) | None => LookupOutcome::Nothing,
        }
    }

    /// Steps the due deadlines if all workers are blocked, for example in the script: expiries are told in time.
    fn step_in(&self, resolver: usize) {
        let now = Self::now();
        let is_late = self.registry.next_due().is_some_and(|due| now.since(due) >= LATE);
        if is_late && self.board.are_blocked(now) {
            self.step_what_is_due(resolver, |_| {});
        }
    }
}

/// The host of a [destination](uri::destination).
fn host_of(destination: &[u8]) -> &[u8] {
    let host = destination.iter().position(|byte| *byte == b':').and_then(|colon| destination.get(colon + 1..));
    let host = host.unwrap_or(destination);
    let end = host.iter().rposition(|byte| matches!(byte, b':' | b']'));
    match end {
        Some(end) if host.get(end) == Some(&b':') => host.get(..end).unwrap_or(host),
        Some(_) | None => host,
    }
}
