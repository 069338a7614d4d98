//! Notifiers.

use super::ids::{NotifierId, SubscriptionId};
use super::wanted::Wanted;

/// Takes up a subscription: returns the notifier's own value for it (a registry handle, say), given back at the end. The texts are
/// valid during the call only.
///
/// Runs without any lock in the process that subscribes (or, for subscriptions that existed before, in the one that
/// registers the notifier). May notify at once.
pub type SubscribeCallback = fn(user: usize, NotifierId, SubscriptionId, &Wanted<'_>) -> Result<u64, Refused>;

/// Lets go of a subscription that was taken up with `value`. Runs without any lock, exactly once for each taken up
/// subscription, in the process that unsubscribes. The subscription can be looked at till it returns.
pub type UnsubscribeCallback = fn(user: usize, SubscriptionId, value: u64);

/// A notifier: two functions (valid in every process, as all code is loaded before the fork) and a number for them.
#[derive(Clone, Copy, Debug)]
pub struct Notifier {
    /// Called for every subscription of the package.
    pub subscribe: SubscribeCallback,
    /// Called at the end of every subscription that was taken up.
    pub unsubscribe: UnsubscribeCallback,
    /// Handed to both.
    pub user: usize,
}

/// A notifier does not take the subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Why, for the operator.
    pub reason: &'static str,
    /// The notifier's own number for it; 0 when it has none.
    pub code: i32,
}

impl Refused {
    /// A refusal in words.
    #[must_use]
    pub fn new(reason: &'static str) -> Self {
        Self { reason, code: 0 }
    }
}

/// A notifier at its place in a package.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registered {
    pub id: NotifierId,
    pub notifier: Notifier,
}
