//! The Query Status API: subscribers, notifiers, and the queues between them.
//!
//! A [`Hub`] is one value in shared memory. *Subscribers* make internal subscriptions with
//! [`Hub::subscribe`]; the *notifiers* of the package take them up and answer with messages, which wait in a bounded
//! [queue](Hub::queue_create) until the subscriber takes them with [`Hub::pop`]. Domains hold packages, packages have
//! notifiers and subscriptions.
//!
//! Everything is named by a number that may be stale without harm, never by a pointer. No lock is held while a callback
//! of anybody runs. Lock order: a shard of shares or of the registry, then a shard of the hub, then one queue; the
//! directory is locked alone.
#![forbid(unsafe_code)]

mod cached_data;
mod delivery;
mod directory;
mod entry;
mod error;
mod foreign;
mod hub;
mod ids;
mod message;
mod notifier;
mod queue;
mod shard;
mod share;
mod subscribing;
#[cfg(test)]
mod tests;
mod unsolicited;
mod waiting;
mod wanted;

pub use cached_data::CachedSubscriberData;
pub use error::QsaError;
pub use hub::Hub;
pub use ids::{ContentTypeId, DomainId, NotifierId, QueueId, SubscriptionId};
pub use message::{Delivered, Destroy, Listed, Message, Prepared};
pub use notifier::{Notifier, Refused};
pub use queue::{Budget, LastQueued, Loss, NoMessage, Pushed, Wake};
pub use share::{NotShared, ShareHash, Shares};
pub use unsolicited::{NotQueued, UnsolicitedQueue, UnsolicitedState};
pub use wanted::{StoredPart, Wanted};
