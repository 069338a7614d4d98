//! The errors of the hub, in words for the operator.

use super::ids::{MAX_NOTIFIERS, QueueId};
use super::notifier::Refused;
use crate::memory::OutOfMemory;

/// Why something was not done. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QsaError {
    /// There is no memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The notifier of the package does not take the subscription.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The subscription has ended or never was.
    #[error("no such subscription: it has ended or never was")]
    UnknownSubscription,
    /// The domain was released or never was.
    #[error("no such QSA domain: it was released or never registered")]
    UnknownDomain,
    /// The notifier was unregistered or never was.
    #[error("no such notifier: it was unregistered or never was")]
    UnknownNotifier,
    /// The queue was destroyed or never was.
    #[error("no such message queue: it was destroyed or never created")]
    UnknownQueue,
    /// The content type was never registered in a domain that is still there.
    #[error("no such content type: it was never registered or its domain was released")]
    UnknownContentType,
    /// A package without a name.
    #[error("the package has no name")]
    NoPackage,
    /// A subscription to nothing.
    #[error("the record is empty")]
    NoRecord,
    /// A text beyond its bound.
    #[error("the {what} has {length} bytes, but may have {most} at most")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// How many bytes it has.
        length: usize,
        /// How many it may have.
        most: usize,
    },
    /// A name that cannot be shown, or sent.
    #[error("the name of the {what} has control characters")]
    Controls {
        /// Whose name.
        what: &'static str,
    },
    /// A queue that could never hold anything.
    #[error("a message queue must have room for at least 1 message")]
    NoLimit,
    /// All places for notifiers are taken.
    #[error("the package has {MAX_NOTIFIERS} notifiers already, which is the maximum")]
    TooManyNotifiers,
    /// All places for queues are taken.
    #[error("there are {max} message queues already, which is the maximum", max = QueueId::MAX)]
    TooManyQueues,
    /// All numbers or places are used up.
    #[error("too many subscriptions or registrations for the QSA hub")]
    Exhausted,
}
