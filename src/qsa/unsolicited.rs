//! States that nobody subscribed to, on their way to the worker that delivers them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use allocator_api2::vec::Vec;
use parking_lot::lock_api::{Mutex, RawMutex};

use crate::memory::{OutOfMemory, SharedAlloc, SharedTexts};

/// Record, package, content type and body.
pub type UnsolicitedState<A> = SharedTexts<4, A>;

/// Why a state is not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotQueued {
    /// As many wait as may, or as many bytes.
    Full,
    /// There is no memory.
    OutOfMemory,
}

impl From<OutOfMemory> for NotQueued {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// A queue in order of arrival. When it is full, it takes nothing: the sender of a state has to send it again.
pub struct UnsolicitedQueue<A: SharedAlloc, L> {
    waiting: Mutex<L, UnsolicitedStates<A>>,
    /// How many wait, to be read without the lock.
    count: AtomicU64,
    /// Most states.
    most: AtomicUsize,
    /// Most bytes of them.
    most_bytes: AtomicUsize,
    alloc: A,
}

/// Taken from the end of `older`, which `newer` turned round becomes when it is empty.
struct UnsolicitedStates<A: SharedAlloc> {
    newer: Vec<UnsolicitedState<A>, A>,
    older: Vec<UnsolicitedState<A>, A>,
    bytes: usize,
}

impl<A: SharedAlloc, L: RawMutex> UnsolicitedQueue<A, L> {
    /// An empty queue.
    #[must_use]
    pub fn new(most: usize, most_bytes: usize, alloc: A) -> Self {
        let [newer, older] = [(); 2].map(|()| Vec::new_in(alloc.clone()));
        let waiting = Mutex::new(UnsolicitedStates { newer, older, bytes: 0 });
        let [most, most_bytes] = [most, most_bytes].map(AtomicUsize::new);
        Self { waiting, count: AtomicU64::new(0), most, most_bytes, alloc }
    }

    /// Changes how much may wait. What waits already stays.
    pub fn set_limits(&self, most: usize, most_bytes: usize) {
        self.most.store(most, Ordering::Relaxed);
        self.most_bytes.store(most_bytes, Ordering::Relaxed);
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Queues a state.
    ///
    /// # Errors
    /// [`NotQueued`]: nothing has changed.
    pub fn push(&self, texts: [&[u8]; 4]) -> Result<(), NotQueued> {
        let state = UnsolicitedState::try_new(texts, &self.alloc)?;
        let mut waiting = self.waiting.lock();
        let bytes = waiting.bytes.saturating_add(state.size());
        let [most, most_bytes] = [&self.most, &self.most_bytes].map(|most| most.load(Ordering::Relaxed));
        if waiting.newer.len().saturating_add(waiting.older.len()) >= most || bytes > most_bytes {
            return Err(NotQueued::Full);
        }
        waiting.newer.try_reserve(1).map_err(|_| OutOfMemory)?;
        waiting.newer.push(state);
        waiting.bytes = bytes;
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The oldest state.
    #[must_use]
    pub fn pop(&self) -> Option<UnsolicitedState<A>> {
        if self.len() == 0 {
            return None;
        }
        let mut waiting = self.waiting.lock();
        if waiting.older.is_empty() {
            waiting.newer.reverse();
            let UnsolicitedStates { newer, older, .. } = &mut *waiting;
            std::mem::swap(newer, older);
        }
        let state = waiting.older.pop()?;
        waiting.bytes = waiting.bytes.saturating_sub(state.size());
        self.count.fetch_sub(1, Ordering::Relaxed);
        // A burst keeps no memory.
        let is_empty = waiting.newer.is_empty() && waiting.older.is_empty();
        let empty = is_empty.then(|| {
            let UnsolicitedStates { newer, older, .. } = &mut *waiting;
            [newer, older].map(|list| std::mem::replace(list, Vec::new_in(self.alloc.clone())))
        });
        drop(waiting);
        drop(empty);
        Some(state)
    }
}
