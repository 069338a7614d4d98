//! Subscriptions that outlive the server: what the processes share for that.
//!
//! Whoever changes a subscription marks it in the registry, under the lock that it has anyway. One process, the writer, takes the marks,
//! copies what they name, and writes it. A database may be slow or away, so nobody else waits for it: what is to leave once it is
//! written waits for a second at most.

mod blame;
mod by_row;
mod restore;
mod rows;
mod status;
mod takes;
mod ties;
mod writer;

use std::time::Duration;

use super::{Engine, ShmOrphans, ShmStepped};
use crate::config::OnShutdown;
use crate::host::process::{Bell, ProcessError};
use crate::host::shm::Shm;
use crate::memory::{HashKey, OutOfMemory};
use crate::registry::{Handle, StoreMark};
use crate::subscription::Input;
use crate::time::Millis;

pub use restore::Ownerless;
pub(super) use restore::orphan_of;
pub use status::{StoreCount, StoreState, StoreStatus};
pub use writer::{StoreWriter, settle_row};

/// The tie of a subscription that ends with a call.
pub const CALL_TIE: &[u8] = b"call";

/// The most bytes for subscriptions that wait for C modules: there is room for more than 4,000,000.
const MOST_ORPHAN_BYTES: usize = 256 << 20;

/// What the processes share for the store.
pub struct Store {
    /// How it goes.
    pub status: StoreStatus,
    /// Subscriptions of C modules that wait for their module.
    pub orphans: ShmOrphans,
    /// When the server started, as far as they are concerned.
    pub started: Millis,
    ties: ties::StoredTies,
    /// Wakes the writer.
    bell: Bell,
}

impl Store {
    /// The store of a new engine.
    ///
    /// # Errors
    /// There is no pipe for the writer's bell.
    pub(super) fn new(key: HashKey, now: Millis) -> Result<Self, ProcessError> {
        Ok(Self {
            status: StoreStatus::default(),
            orphans: ShmOrphans::new_in(MOST_ORPHAN_BYTES, Shm),
            started: now,
            ties: ties::StoredTies::new(key),
            bell: Bell::hung()?,
        })
    }

    /// Wakes the writer.
    pub(super) fn ring(&self) {
        self.bell.ring();
    }

    /// Waits until the writer is woken, `limit` at most.
    pub fn wait(&self, limit: Duration) {
        self.bell.wait(limit);
    }

    /// The tie of a subscription; empty for none.
    #[must_use]
    pub fn tie_of(&self, handle: Handle) -> Vec<u8> {
        self.ties.of(handle.to_u64())
    }

    /// The row of a subscription has been removed: so is what is remembered for it.
    pub fn forget(&self, handle: Handle) {
        self.ties.remove(handle.to_u64());
    }
}

impl Engine {
    /// The store, if subscriptions are stored.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// Whether the subscriptions stay when the server stops.
    #[must_use]
    pub(super) fn keeps_at_stop(&self) -> bool {
        self.store.is_some() && self.config.on_shutdown == OnShutdown::Keep
    }

    /// What a step has left to be written before it goes on. If the database does not answer, it goes on without.
    #[inline]
    pub(super) fn see_to_unsaved(&self, stepped: &ShmStepped) {
        if !stepped.output.unsaved {
            return;
        }
        let Some(store) = &self.store else { return };
        match store.status.state(Self::now()) {
            StoreState::Good => store.ring(),
            StoreState::Slow | StoreState::Away => self.saved(stepped.handle),
        }
    }

    /// The row of a subscription is written.
    pub fn saved(&self, handle: Handle) {
        self.apply(handle, Input::Saved);
    }

    /// Another subscription of an earlier run goes on.
    pub fn count_restored(&self) {
        if let Some(store) = &self.store {
            store.status.count(StoreCount::Restored, 1);
        }
    }

    /// A subscription ends with this beside the script, also after a restart.
    ///
    /// # Errors
    /// There is no room to remember it.
    pub fn store_tie(&self, handle: Handle, tie: &[u8]) -> Result<(), OutOfMemory> {
        let Some(store) = &self.store else { return Ok(()) };
        store.ties.put(handle.to_u64(), tie)?;
        self.registry.mark(handle.index(), StoreMark::Whole);
        Ok(())
    }
}
