//! A token bucket as a single time (GCRA): nothing runs to refill it.

use crate::time::Millis;

/// Nanoseconds in a millisecond.
const MILLI: u64 = 1_000_000;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000 * MILLI;

/// How many nanoseconds' worth may be used up at once: the SIP workers have NOTIFYs to answer at the same time.
const BURST: u64 = SECOND / 10;

/// A rate a second. A burst is the requests of a tenth of a second, at least one.
#[derive(Clone, Copy, Debug)]
pub(super) struct RateLimit {
    /// Nanoseconds between two; 0 = unlimited.
    interval: u64,
}

impl RateLimit {
    /// `per_second` of 0 is unlimited.
    pub(super) fn new(per_second: u32) -> Self {
        Self { interval: SECOND.checked_div(u64::from(per_second)).map_or(0, |interval| interval.max(1)) }
    }

    pub(super) fn is_unlimited(self) -> bool {
        self.interval == 0
    }

    /// Reserves the next slot for something that is there at `arrival`, and says when it is. `tat` is the bucket's
    /// theoretical arrival time, in nanoseconds: when it will be full again.
    pub(super) fn take(self, tat: &mut u64, arrival: Millis) -> Millis {
        if self.interval == 0 {
            return arrival;
        }
        *tat = (*tat).max(arrival.0.saturating_mul(MILLI)).saturating_add(self.interval);
        Millis(tat.saturating_sub(BURST.max(self.interval)).div_ceil(MILLI)).max(arrival)
    }

    /// Whether this rate is higher than the other.
    pub(super) fn is_above(self, other: Self) -> bool {
        other.interval != 0 && (self.interval == 0 || self.interval < other.interval)
    }

    /// The rate becomes a higher one, and what has been taken of the bucket is paid back sooner. A lower rate leaves it as it is.
    pub(super) fn hasten(self, newer: Self, tat: &mut u64, now: Millis) {
        let now = now.0.saturating_mul(MILLI);
        if newer.is_above(self) && *tat > now {
            let left = u128::from(*tat - now) * u128::from(newer.interval) / u128::from(self.interval.max(1));
            *tat = now.saturating_add(u64::try_from(left).unwrap_or(u64::MAX));
        }
    }

    /// Whether the bucket is full.
    pub(super) fn is_full(tat: u64, now: Millis) -> bool {
        tat <= now.0.saturating_mul(MILLI)
    }
}
