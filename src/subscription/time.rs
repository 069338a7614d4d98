//! Time as an argument (law L9): nothing in this room reads a clock.

use std::time::Duration;

/// A point on the server's monotonic clock, in milliseconds. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// This instant moved `delay` into the future; saturates at the end of time.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long from `earlier` to this instant; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// An instant or none, in eight bytes: subscriptions are many. The last instant of the clock stands for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

impl Moment {
    /// No instant.
    pub(super) const NONE: Self = Self(u64::MAX);

    /// The instant, when there is one.
    pub(super) fn get(self) -> Option<Instant> {
        (self != Self::NONE).then_some(Instant(self.0))
    }
}

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        Self(instant.0.min(u64::MAX - 1))
    }
}

/// Whole seconds, rounded up: "in 0 s" means now.
pub(super) fn seconds_up(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}
