//! The process's own memory in the place of memory that processes share.

use std::ptr::NonNull;
use std::sync::Arc;

use allocator_api2::alloc::{AllocError, Allocator, Global, Layout};

use crate::memory::{OutOfMemory, SharedAlloc};

/// The heap.
#[derive(Clone, Copy, Debug)]
pub struct Heap;

// SAFETY: blocks are the global allocator's, which all values of the type are.
unsafe impl Allocator for Heap {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Global.allocate(layout)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: by the caller's promise.
        unsafe { Global.deallocate(block, layout) }
    }
}

impl SharedAlloc for Heap {
    type Shared = Arc<[u8]>;

    fn try_share(&self, head: &[u8], parts: &[&[u8]]) -> Result<Arc<[u8]>, OutOfMemory> {
        Ok([head, &parts.concat()].concat().into())
    }

    fn is_same(one: &Arc<[u8]>, other: &Arc<[u8]>) -> bool {
        Arc::ptr_eq(one, other)
    }
}
