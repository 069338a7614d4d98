//! Kamailio's shared memory as an allocator.

use std::ptr::{self, NonNull};

use allocator_api2::alloc::{AllocError, Allocator, Layout};

use super::blocks::{self, Blocks, Root};
use super::lock::ProcessLock;
use super::pool::{self, Pool, Used};
use super::shared_bytes::SharedBytes;
use crate::memory::{OutOfMemory, SharedAlloc};

/// Kamailio's shared memory: the same addresses in every process of the server. Small blocks come from pages of our own.
/// There are none before [`prepare`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Shm;

/// The small blocks of this server.
static POOL: Root<Pool<Blocks, ProcessLock>> = Root::new();

/// Makes small blocks possible; call once, in `mod_init`, before anything else needs shared memory. The module gets no more than
/// `most` bytes; 0 for no limit.
///
/// # Errors
/// When there is no room.
pub fn prepare(most: usize) -> Result<(), OutOfMemory> {
    blocks::limit(most)?;
    POOL.place(Pool::new(Blocks)).map_err(|_| OutOfMemory)
}

/// How many small blocks are in use, and their bytes.
#[must_use]
pub fn small_blocks() -> Used {
    POOL.get().map(Pool::used).unwrap_or_default()
}

/// Whether a block is one of the small ones: its layout alone decides, in allocate and deallocate alike.
fn is_small(layout: Layout) -> bool {
    layout.size() <= pool::LARGEST && layout.align() <= pool::ALIGN
}

// SAFETY: blocks come from the pool or the server's shared memory and stay valid until freed, in whichever process; clones of
// the unit type are the same allocator; `Layout` alone decides which of the two a block is from.
unsafe impl Allocator for Shm {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            let dangling = NonNull::new(ptr::without_provenance_mut(layout.align())).ok_or(AllocError)?;
            return Ok(NonNull::slice_from_raw_parts(dangling, 0));
        }
        if !is_small(layout) {
            return Blocks.allocate(layout);
        }
        let block = POOL.get().ok_or(AllocError)?.allocate(layout.size())?;
        Ok(NonNull::slice_from_raw_parts(block, layout.size()))
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        if layout.size() == 0 {
            return;
        }
        if !is_small(layout) {
            // SAFETY: it came from there, by the contract of `deallocate`.
            return unsafe { Blocks.deallocate(block, layout) };
        }
        if let Some(pool) = POOL.get() {
            // SAFETY: it came from there with this size, by the contract of `deallocate`.
            unsafe { pool.deallocate(block, layout.size()) };
        }
    }
}

impl SharedAlloc for Shm {
    type Shared = SharedBytes;

    fn try_share(&self, head: &[u8], parts: &[&[u8]]) -> Result<SharedBytes, OutOfMemory> {
        SharedBytes::try_new(head, parts).map_err(|_| OutOfMemory)
    }

    fn is_same(one: &SharedBytes, other: &SharedBytes) -> bool {
        one.is_same(other)
    }
}
