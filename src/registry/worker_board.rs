//! Which workers sleep, for how long, and which one to wake for a deadline.
//!
//! Waking a process costs more than what it is woken for, so no more are woken than are needed. A worker that is awake looks
//! for what is due before it sleeps; it is not woken. One that has not looked for a while ([`WorkerBoard::STUCK`]) is taken for
//! blocked (by a name server, a connection, the script), and another one is woken in its stead.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use crate::time::Millis;

/// The bit that tells one state of a worker from the other; the rest is the time.
const ASLEEP: u64 = 1 << 63;

/// The activity of a worker, as one number.
#[derive(Clone, Copy)]
enum WorkerState {
    /// It last looked for what is due, or was woken to do so, at this time.
    Awake(Millis),
    /// It sleeps until this time.
    Asleep(Millis),
}

impl From<u64> for WorkerState {
    fn from(number: u64) -> Self {
        let time = Millis(number & !ASLEEP);
        if number & ASLEEP == 0 { Self::Awake(time) } else { Self::Asleep(time) }
    }
}

impl From<WorkerState> for u64 {
    fn from(state: WorkerState) -> Self {
        match state {
            WorkerState::Awake(looked) => looked.0 & !ASLEEP,
            WorkerState::Asleep(until) => until.0 | ASLEEP,
        }
    }
}

/// The workers, asleep or awake. Plain data without process-local state, as all of the registry.
pub struct WorkerBoard {
    states: [AtomicU64; Self::MOST_WORKERS],
    workers: usize,
}

impl WorkerBoard {
    /// The most workers.
    pub const MOST_WORKERS: usize = 64;

    /// How long a worker that is awake may be silent until it is taken for blocked.
    pub const STUCK: Duration = Duration::from_millis(10);

    /// The longest sleep. It bounds the delay of what becomes due while the only worker that is awake is blocked, but not yet
    /// taken for that.
    pub const LONGEST_SLEEP: Duration = Duration::from_secs(1);

    /// For so many workers, all awake; beyond [`WorkerBoard::MOST_WORKERS`] none is known.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let states = [const { AtomicU64::new(0) }; Self::MOST_WORKERS];
        Self { states, workers: workers.min(Self::MOST_WORKERS) }
    }

    /// A worker is awake and looks for what is due.
    pub fn looks(&self, worker: usize, now: Millis) {
        let state = WorkerState::Awake(now).into();
        // Others read it all the time: it is only written when it changes.
        if let Some(mine) = self.states.get(worker).filter(|mine| mine.load(Ordering::Relaxed) != state) {
            mine.store(state, Ordering::Relaxed);
        }
    }

    /// Something will be due at `at`, earlier than all before: which worker is to be woken, if any. To be asked when the
    /// deadline can be [seen](super::Registry::next_due).
    #[must_use]
    pub fn nearer(&self, at: Millis, now: Millis) -> Option<usize> {
        // Either the worker that goes to sleep sees the deadline, or we see that it sleeps.
        fence(Ordering::SeqCst);
        if self.states().any(|(_, state)| sees_to(state, at, now)) {
            return None;
        }
        self.help(now)
    }

    /// There is more to do than one worker does at a time: which other one is to be woken, if any sleeps.
    #[must_use]
    pub fn help(&self, now: Millis) -> Option<usize> {
        self.states()
            .find(|(worker, state)| match state {
                WorkerState::Awake(_) => false,
                // The process that changes it wakes the worker.
                WorkerState::Asleep(_) => self.states.get(*worker).is_some_and(|place| {
                    let (asleep, awake) = ((*state).into(), WorkerState::Awake(now).into());
                    place.compare_exchange(asleep, awake, Ordering::Relaxed, Ordering::Relaxed).is_ok()
                }),
            })
            .map(|(worker, _)| worker)
    }

    /// Whether no worker looks for what is due: each is blocked.
    #[must_use]
    pub fn are_blocked(&self, now: Millis) -> bool {
        self.states().all(|(_, state)| match state {
            WorkerState::Awake(looked) => now.since(looked) >= Self::STUCK,
            WorkerState::Asleep(until) => now.since(until) >= Self::STUCK,
        })
    }

    /// A worker wants to sleep: how long it may, if it wakes up as soon as its bell is rung. It is awake again when it
    /// [looks](Self::looks).
    #[must_use]
    pub fn sleeps(&self, worker: usize, now: Millis, next_due: impl Fn() -> Option<Millis>) -> Duration {
        let latest = now.after(Self::LONGEST_SLEEP);
        let wanted = || {
            let due = next_due().filter(|due| *due < latest);
            // Not all wake up for the same deadline.
            due.filter(|due| !self.states().take(worker).any(|(_, state)| sees_to(state, *due, now))).unwrap_or(latest)
        };
        let until = wanted();
        if let Some(mine) = self.states.get(worker) {
            mine.store(WorkerState::Asleep(until).into(), Ordering::Relaxed);
        }
        fence(Ordering::SeqCst);
        wanted().min(until).since(now)
    }

    fn states(&self) -> impl Iterator<Item = (usize, WorkerState)> {
        self.states.iter().take(self.workers).map(|state| state.load(Ordering::Relaxed).into()).enumerate()
    }
}

/// Whether a worker looks for what is due at `at` without being woken.
fn sees_to(worker: WorkerState, at: Millis, now: Millis) -> bool {
    match worker {
        WorkerState::Awake(looked) => now.since(looked) < WorkerBoard::STUCK,
        WorkerState::Asleep(until) => until <= at,
    }
}
