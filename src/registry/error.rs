//! The errors of the registry.

use crate::memory::OutOfMemory;

/// The registry is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There is no shared memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
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

/// There is no room for one more subscription; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// There are as many subscriptions as there may be.
    #[error("the limit of {limit} subscriptions is reached: raise modparam max_subscriptions, or end some of them")]
    Full {
        /// The limit.
        limit: u32,
    },
    /// There is no shared memory left.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}
