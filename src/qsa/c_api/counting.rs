//! For tests: an allocator that counts what is in use and can be told to fail.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use allocator_api2::alloc::{AllocError, Allocator, Global, Layout};

/// Ordinary memory, counted.
#[derive(Clone)]
pub struct Counting {
    bytes: Arc<AtomicIsize>,
    left: Arc<AtomicIsize>,
}

impl Counting {
    pub fn new() -> Self {
        Self { bytes: Arc::default(), left: Arc::new(AtomicIsize::new(isize::MAX)) }
    }

    /// Bytes in use.
    pub fn in_use(&self) -> isize {
        self.bytes.load(Ordering::SeqCst)
    }

    /// Lets so many allocations succeed and no more.
    pub fn fail_after(&self, allocations: isize) {
        self.left.store(allocations, Ordering::SeqCst);
    }
}

// SAFETY: every call is handed on to `Global` unchanged, and clones share nothing but counters.
unsafe impl Allocator for Counting {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(AllocError);
        }
        let block = Global.allocate(layout)?;
        self.bytes.fetch_add(layout.size() as isize, Ordering::SeqCst);
        Ok(block)
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        self.bytes.fetch_sub(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: the caller's promise, and the block came from `Global`.
        unsafe { Global.deallocate(ptr, layout) }
    }
}
