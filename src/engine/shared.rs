//! What the processes share: each table with the host's allocator and lock.

use super::Owner;
use crate::host::lock;
use crate::host::shared_lock::SharedLock;
use crate::host::shm::Shm;
use crate::subscription::Subscription;
use crate::{gate, qsa};

/// The table of subscriptions, in shared memory.
pub type ShmRegistry = crate::registry::Registry<Subscription<Shm>, Owner, Shm, SharedLock<{ lock::REGISTRY }>>;

/// The QSA hub, in shared memory.
pub type ShmHub = qsa::Hub<Shm, SharedLock<{ lock::HUB }>>;

/// Internal subscriptions that share a dialog, in shared memory.
pub type ShmShares = qsa::Shares<Shm, SharedLock<{ lock::HUB }>>;

/// What is remembered of lists of resources, in shared memory.
pub type ShmRosters = crate::lists::Rosters<Shm, SharedLock<{ lock::HUB }>>;

/// Addresses of record whose registrations somebody follows, in shared memory.
pub type ShmRegistrations = crate::registrations::Registrations<Shm, SharedLock<{ lock::HUB }>>;

/// The calls of local users, in shared memory.
pub type ShmCalls = crate::calls::Calls<Shm, SharedLock<{ lock::HUB }>>;

/// The gate, in shared memory.
pub type ShmGate = gate::Gate<Shm, SharedLock<{ lock::GATE }>>;

/// The line of those that wait for names and connections, in shared memory.
pub type ShmLookups = crate::lookup::Lookups<Shm, SharedLock<{ lock::LOOKUPS }>>;

/// The newest states of subscriptions, in shared memory.
pub type ShmLatest = crate::latest::Latest<Shm, SharedLock<{ lock::LATEST }>>;

/// The subscriptions that rows of a table have made, in shared memory.
pub type ShmProvisioned = crate::provision::Provisioned<Shm, SharedLock<{ lock::PROVISION }>>;

/// The reading of tables, in shared memory.
pub type ShmReading = crate::provision::TableReading<SharedLock<{ lock::PROVISION }>>;

/// The credentials, in shared memory.
pub(super) type ShmCredentials = crate::provision::CredentialStore<Shm, SharedLock<{ lock::PROVISION }>>;

/// What is published, in shared memory.
pub type ShmPublications = crate::bridge::Publications<Shm, SharedLock<{ lock::BRIDGE }>>;

/// States that nobody subscribed to, for one worker, in shared memory.
pub type ShmUnsolicitedQueue = qsa::UnsolicitedQueue<Shm, SharedLock<{ lock::HUB }>>;

/// Held while parameters change.
pub(super) type ParameterLock = parking_lot::lock_api::Mutex<SharedLock<{ lock::PROVISION }>, ()>;

/// Subscriptions of C modules that wait for their module, in shared memory.
pub(super) type ShmOrphans = crate::store::Orphans<Shm, SharedLock<{ lock::PROVISION }>>;
