//! Why the registry refuses.

use crate::memory::OutOfMemory;

/// The registry did not do what was asked, and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// There are as many subscriptions as there may be.
    #[error("the limit of {limit} subscriptions is reached: raise modparam max_subscriptions, or end some of them")]
    Full {
        /// The limit.
        limit: u32,
    },
    /// There is no shared memory left.
    #[error("out of shared memory (enlarge it with the server's option -m, or raise modparam max_memory)")]
    OutOfMemory,
    /// The number of shards is out of range.
    #[error("{shards} is no power of two from 1 to 256: not a number of shards")]
    Shards {
        /// The number asked for.
        shards: usize,
    },
    /// The limit of subscriptions is out of range.
    #[error("{limit} subscriptions are beyond the largest limit, 4194303")]
    Limit {
        /// The limit asked for.
        limit: u32,
    },
}

impl From<OutOfMemory> for RegistryError {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}
