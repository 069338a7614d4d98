//! The state of one destination.

use std::time::Duration;

use super::breaker::{Breaker, BreakerState};
use super::hold::Hold;
use super::rate::RateLimit;
use crate::memory::CutText;
use crate::time::Millis;

/// After this time without a request, failures and breaker are forgotten when the room is needed.
const FORGET: Duration = Duration::from_secs(3600);

/// How much of an address is kept to be shown; a longer one is told apart by its hash all the same.
const SHOWN: usize = 80;

/// One destination. Plain data: making and dropping one needs no memory of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct DestinationEntry {
    /// Hash of the whole address.
    pub(super) hash: u64,
    address: CutText<SHOWN>,
    /// Theoretical arrival time of the bucket.
    pub(super) tat: u64,
    /// The hold of a Retry-After.
    pub(super) hold: Option<Hold>,
    pub(super) breaker: Breaker,
    /// When a request was last about to be sent.
    pub(super) asked: Millis,
    pub(super) sent: u64,
    pub(super) held: u64,
}

/// A destination as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationSnapshot {
    /// Transport, host and port; a very long one is cut.
    pub address: String,
    /// State of the breaker.
    pub state: BreakerState,
    /// Failures since the last answer.
    pub failures: u32,
    /// Seconds until a hold ends or is probed, or until an open breaker lets a request through; 0 when nothing is held.
    pub held_for: u32,
    /// Requests let through.
    pub sent: u64,
    /// Times a request was held back.
    pub held: u64,
}

impl DestinationEntry {
    pub(super) fn new(hash: u64, address: &[u8], now: Millis) -> Self {
        let (address, breaker) = (CutText::new(address), Breaker::NEW);
        Self { hash, address, tat: 0, hold: None, breaker, asked: now, sent: 0, held: 0 }
    }

    /// Whether this is the entry of an address with this hash.
    pub(super) fn is(&self, hash: u64, address: &[u8]) -> bool {
        self.hash == hash && self.address.begins(address)
    }

    /// The address as operators see it.
    pub(super) fn address(&self) -> String {
        self.address.shown()
    }

    /// Whether nothing is lost when another destination takes its place, but for counts.
    pub(super) fn is_idle(&self, now: Millis) -> bool {
        let is_well = self.breaker.failures() == 0 && self.breaker.state() == BreakerState::Closed;
        let is_closed = self.breaker.open_until().is_none_or(|until| until <= now);
        is_closed && self.has_no_claim(now) && (is_well || now.since(self.asked) > FORGET)
    }

    /// Whether it fails and nothing else is to be remembered of it: it may have to make room.
    pub(super) fn is_failing(&self, now: Millis) -> bool {
        self.has_no_claim(now) && self.breaker.failures() > 0
    }

    /// Whether no Retry-After and no turn have to be kept.
    fn has_no_claim(&self, now: Millis) -> bool {
        self.hold.is_none_or(|hold| hold.is_over(now)) && RateLimit::is_full(self.tat, now)
    }

    pub(super) fn snapshot(&self, now: Millis) -> DestinationSnapshot {
        let hold = self.hold.filter(|hold| !hold.is_over(now)).map(|hold| hold.free_at());
        let until = hold.max(self.breaker.open_until());
        let held = until.map_or(Duration::ZERO, |until| until.since(now));
        DestinationSnapshot {
            address: self.address(),
            state: self.breaker.state(),
            failures: self.breaker.failures(),
            held_for: u32::try_from(held.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
            sent: self.sent,
            held: self.held,
        }
    }
}
