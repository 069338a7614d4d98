//! The lock of everything in shared memory.

/// The lock for what has this number in `lock::GUARDED`; it matters only where locks are metered.
#[cfg(not(feature = "meter_locks"))]
pub type SharedLock<const WHAT: usize> = super::lock::ProcessLock;
/// The lock for what has this number in [`GUARDED`](super::lock::GUARDED).
#[cfg(feature = "meter_locks")]
pub type SharedLock<const WHAT: usize> = super::meter::Metered<WHAT>;
