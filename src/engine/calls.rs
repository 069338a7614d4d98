//! The calls of local users: what the notifier of calls needs of the engine.

use super::Engine;
use crate::calls::Ringing;
use crate::host::log;

/// Seconds between two lines about calls without room.
const PAUSE: u64 = 10;

impl Engine {
    /// Wakes the workers that have to tell of calls.
    pub fn ring_for_calls(&self, workers: Ringing) {
        workers.into_iter().flatten().for_each(|worker| self.ring(worker));
    }

    /// Says that there was no room for a call.
    pub fn untracked_call(&self, user: &[u8]) {
        if let Some(times) = self.calls.untracked_news(PAUSE, Self::now().0 / 1000) {
            log::warn(&format!(
                "no room for a call of {}, which its subscribers do not see ({times} since the last such line): a user has at most \
                 {} calls at a time, and all calls take at most {} MB of shared memory",
                log::peer(user),
                crate::calls::MOST_CALLS,
                crate::calls::MOST_BYTES >> 20,
            ));
        }
    }
}
