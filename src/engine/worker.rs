//! The b2b workers: they send due SUBSCRIBEs and give messages to the event route.

use std::cell::RefCell;
use std::time::Duration;

use super::farewell::LAST_WORDS;
use super::send::{Sender, Sending};
use super::tellings::Tellings;
use super::{Engine, Lack};
use crate::host::blocks;
use crate::host::clock;
use crate::host::log;
use crate::host::process::{self, ProcessError};
use crate::host::shm::Shm;
use crate::memory::OutOfMemory;
use crate::qsa::{Delivered, UnsolicitedState};
use crate::time::Millis;

/// The function that a worker calls for a message of a subscription made by script or RPC.
pub type EventHandler = fn(&Engine, &Delivered<Shm>);

/// Further work in the worker with this number: whether there was any.
pub type WorkBeside = fn(&Engine, usize) -> bool;

/// The function that a worker calls for a state that nobody subscribed to.
pub type UnsolicitedHandler = fn(&Engine, &UnsolicitedState<Shm>);

/// How much of one kind of work a worker does before it looks at the other.
const BATCH: usize = 32;

/// The same of what is due: about a millisecond of sending. Where there is more, another worker helps.
const DUE_BATCH: usize = 128;

/// How long it is at one kind of work at most, but for what it has begun.
const LONGEST_TURN: Duration = Duration::from_millis(5);

/// The longest sleep of a process without work.
pub(super) const LONGEST_SLEEP: Duration = crate::registry::WorkerBoard::LONGEST_SLEEP;

/// How many that have to wait for their turn a worker looks at before it rests: thousands are told so in no time, and
/// all others have to wait in the meantime.
const HELD_BATCH: usize = 32;

/// How long a worker rests after it has sent. Deadlines of that time are served together and wake no process, and the
/// SIP workers get at the replies.
const REST: Duration = Duration::from_millis(1);

/// How long a worker pauses when its queue is empty: messages of that time are delivered together, instead of
/// waking the worker for each message, which costs more than telling it.
const NAP: Duration = Duration::from_micros(250);

/// The work that there was for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkFound {
    /// Nothing.
    Nothing,
    /// All of it has been seen to.
    Done,
    /// There may be more.
    More,
}

impl Engine {
    /// How many b2b workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.event_queues.len()
    }

    /// Forks the workers; call in `child_init(PROC_MAIN)`.
    ///
    /// # Errors
    /// When one cannot be forked.
    pub fn fork_workers(
        &'static self,
        on_event: EventHandler,
        on_unsolicited: UnsolicitedHandler,
        beside: WorkBeside,
    ) -> Result<(), ProcessError> {
        for worker in 0..self.event_queues.len() {
            let tellings = RefCell::new(Tellings::default());
            process::fork("presence_b2b worker", Some(LAST_WORDS), || {
                self.tell_unsolicited(worker, on_unsolicited);
                self.work(worker, on_event, beside, &mut tellings.borrow_mut());
            })?;
        }
        Ok(())
    }

    /// One round of the worker with this number.
    fn work(&self, worker: usize, on_event: EventHandler, beside: WorkBeside, tellings: &mut Tellings) {
        if let Some(defect) = self.defects.news() {
            log::error(&format!("BUG: {}; please report this", defect.text()));
        }
        if let Some(line) = blocks::refusals(Self::now().0 / 1000) {
            log::error(&line);
        }
        let due = self.send_due(worker);
        let told = self.tell(worker, on_event, tellings);
        let handed_on = self.hand_on(worker, BATCH);
        let noticed = beside(self, worker);
        let lost = self.see_to_lost_flows(BATCH);
        let published = self.publish_due();
        match (due, told) {
            (WorkFound::More, _) => self.ring(self.board.help(Self::now())),
            (_, WorkFound::More) => {}
            (WorkFound::Done | WorkFound::Nothing, _) if handed_on || lost || published || noticed => {}
            (WorkFound::Done | WorkFound::Nothing, WorkFound::Done) => std::thread::sleep(NAP),
            (WorkFound::Done, WorkFound::Nothing) => self.wait(worker, REST),
            (WorkFound::Nothing, WorkFound::Nothing) => {
                let limit = self.board.sleeps(worker, Self::now(), || self.next_due());
                self.wait(worker, limit);
            }
        }
    }

    /// When a worker has something to do next.
    fn next_due(&self) -> Option<Millis> {
        self.registry.next_due().into_iter().chain(self.next_publication()).min()
    }

    /// Waits until the worker's bell is rung, `limit` at most.
    fn wait(&self, worker: usize, limit: Duration) {
        match self.bells.get(worker) {
            Some(bell) if !limit.is_zero() => bell.wait(limit),
            Some(_) | None => {}
        }
    }

    /// Steps what is due.
    fn send_due(&self, worker: usize) -> WorkFound {
        self.step_what_is_due(worker, |now| self.board.looks(worker, now))
    }

    /// Steps what is due, for the process with this number among its like.
    pub(super) fn step_what_is_due(&self, number: usize, looks: impl Fn(Millis)) -> WorkFound {
        // Workers begin at different shards, so that they seldom meet at one lock.
        let mut turn = number * self.config.shards / self.event_queues.len().max(1);
        let mut held = 0;
        let end = Self::now().after(LONGEST_TURN);
        for done in 0..DUE_BATCH {
            let now = Self::now();
            looks(now);
            if now > end {
                return WorkFound::More;
            }
            let Ok(message) = Self::prepare(&[], &[]) else { return WorkFound::Nothing };
            let random = clock::random_bytes();
            match self.registry.step_due(&self.at(now).env(), &mut turn, random, self.deliver(message)) {
                Ok(Some(stepped)) => {
                    let sending = self.perform(stepped, Sender::Worker);
                    held += usize::from(sending == Some(Sending::Held));
                }
                Ok(None) if done > 0 => return WorkFound::Done,
                Ok(None) => return WorkFound::Nothing,
                Err(OutOfMemory) => {
                    self.lacks(Lack::Subscribe);
                    return WorkFound::Done;
                }
            }
            if held == HELD_BATCH {
                return WorkFound::Done;
            }
        }
        WorkFound::More
    }

    /// Hands this worker's states that nobody subscribed to to the event route; those that are left have rung its bell for the next round.
    fn tell_unsolicited(&self, worker: usize, on_unsolicited: UnsolicitedHandler) {
        let Some(queue) = self.unsolicited.queues.get(worker) else { return };
        let end = Self::now().after(LONGEST_TURN);
        for _ in 0..BATCH {
            let Some(state) = queue.pop() else { return };
            self.publish_unsolicited(&state);
            on_unsolicited(self, &state);
            if Self::now() > end {
                break;
            }
        }
        if queue.len() > 0 {
            self.ring(worker);
        }
    }

    /// Hands this worker's messages to the event route.
    fn tell(&self, worker: usize, on_event: EventHandler, tellings: &mut Tellings) -> WorkFound {
        let Some(&queue) = self.event_queues.get(worker) else { return WorkFound::Nothing };
        self.tell_from((queue, BATCH), tellings, on_event, Self::now().after(LONGEST_TURN))
    }
}
