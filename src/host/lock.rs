//! Kamailio's `gen_lock_t` behind `lock_api`: the only lock that may be shared between processes (law L1).

use std::cell::UnsafeCell;

use parking_lot::lock_api::{GuardNoSend, RawMutex};

use super::bindings;

/// The things that locks guard.
#[cfg(feature = "meter_locks")]
pub const GUARDED: [&str; 8] = ["registry", "hub", "gate", "flows", "lookups", "latest", "provision", "bridge"];
/// A shard of the table of subscriptions.
pub const REGISTRY: usize = 0;
/// A part of the QSA hub, such as a queue, or of the table of shared subscriptions.
pub const HUB: usize = 1;
/// A part of the gate.
pub const GATE: usize = 2;
/// The lost connections.
pub const FLOWS: usize = 3;
/// The line of those that wait for names and connections.
pub const LOOKUPS: usize = 4;
/// The newest states of subscriptions, and their names.
pub const LATEST: usize = 5;
/// The marks of the subscriptions of a table.
pub const PROVISION: usize = 6;
/// What is published.
pub const BRIDGE: usize = 7;

/// One `gen_lock_t`, in place.
#[repr(transparent)]
pub struct ProcessLock(UnsafeCell<bindings::gen_lock_t>);

// SAFETY: gen_lock_t is made to be shared between processes and threads; all access goes through the host's functions.
unsafe impl Sync for ProcessLock {}
// SAFETY: an unlocked lock may move (it is moved to its place before it is shared).
unsafe impl Send for ProcessLock {}

// SAFETY: lock and unlock are the host's mutual exclusion.
unsafe impl RawMutex for ProcessLock {
    // SAFETY: all zero bytes are an unlocked gen_lock_t on every supported build; the shim asserts it when compiled.
    #[allow(clippy::declare_interior_mutable_const, reason = "what lock_api asks for: each use makes a new lock")]
    const INIT: Self = Self(UnsafeCell::new(unsafe { std::mem::zeroed() }));

    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        // SAFETY: the lock is initialised (INIT) and lives as long as `self`.
        unsafe { bindings::pb2b_lock_get(self.0.get().cast()) }
    }

    fn try_lock(&self) -> bool {
        // SAFETY: as in `lock`; the host's function returns 1 when it got the lock.
        unsafe { bindings::pb2b_lock_try(self.0.get().cast()) == 1 }
    }

    unsafe fn unlock(&self) {
        // SAFETY: the caller holds the lock, by the contract of RawMutex.
        unsafe { bindings::pb2b_lock_release(self.0.get().cast()) }
    }
}
