//! A notifier's knowledge of the subscriber.

use crate::memory::U48;

/// A notifier's copy of the subscriber's value ([`Wanted::subscriber_data`](super::Wanted::subscriber_data)), or nothing: then
/// the hub is asked when the message is taken. Small: each byte costs 1 MB for a million subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachedSubscriberData(U48);

impl CachedSubscriberData {
    /// No copy.
    pub const NOTHING: Self = Self(U48::MAX);

    /// The value, if six bytes have room for it; no pointer of a process needs more.
    #[must_use]
    pub fn of(value: usize) -> Self {
        let low = U48::low_bits(value as u64);
        if low.get() == value as u64 { Self(low) } else { Self::NOTHING }
    }

    /// The value, where there is a copy.
    #[must_use]
    pub fn get(self) -> Option<usize> {
        usize::try_from(self.0.get()).ok().filter(|_| self != Self::NOTHING)
    }
}
