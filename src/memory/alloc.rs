//! The allocator of shared memory, and its error when there is none left.
#![forbid(unsafe_code)]

use std::ffi::CStr;

use allocator_api2::alloc::Allocator;

/// There is not enough memory; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Self::TEXT)]
pub struct OutOfMemory;

impl OutOfMemory {
    /// Its text, for C.
    pub const C_TEXT: &CStr =
        c"out of shared memory (enlarge it with the server's option -m, or raise modparam max_memory)";

    /// Its text.
    pub const TEXT: &str = match Self::C_TEXT.to_str() {
        Ok(text) => text,
        Err(_) => "",
    };
}

/// An allocator whose memory can have several owners.
pub trait SharedAlloc: Allocator + Clone {
    /// Bytes that all its clones own; the last of them frees the memory.
    type Shared: Clone + AsRef<[u8]>;

    /// These bytes: the head, and all parts one behind the other.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn try_share(&self, head: &[u8], parts: &[&[u8]]) -> Result<Self::Shared, OutOfMemory>;

    /// Whether these are owners of the same memory.
    fn is_same(one: &Self::Shared, other: &Self::Shared) -> bool;
}
