//! Bytes in shared memory with several owners.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use allocator_api2::alloc::{AllocError, Allocator, Layout};

use super::shm::Shm;

/// Bytes in shared memory with several owners: each clone is one, and the last frees them.
pub struct SharedBytes(NonNull<Head>);

/// The head before the bytes.
struct Head {
    owners: AtomicU32,
    len: u32,
}

impl SharedBytes {
    /// These bytes: the head, and all parts one behind the other.
    ///
    /// # Errors
    /// When there is no room, or they are 4 GiB or more.
    pub fn try_new(head: &[u8], parts: &[&[u8]]) -> Result<Self, AllocError> {
        let len = parts.iter().try_fold(head.len(), |sum, part| sum.checked_add(part.len())).ok_or(AllocError)?;
        let before = Head { owners: AtomicU32::new(1), len: u32::try_from(len).map_err(|_| AllocError)? };
        let block = Shm.allocate(Self::layout(len)?)?.cast::<Head>();
        // SAFETY: the block is fresh and has room for the head and, right behind it, for `len` bytes, which
        // is what head and parts have together; they are written one behind the other, so that all of them are.
        unsafe {
            block.write(before);
            let mut to = block.add(1).cast::<u8>();
            for part in [head].iter().chain(parts) {
                to.copy_from_nonoverlapping(NonNull::from(*part).cast(), part.len());
                to = to.add(part.len());
            }
        }
        Ok(Self(block))
    }

    /// Whether these are owners of the same bytes.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn layout(len: usize) -> Result<Layout, AllocError> {
        let size = size_of::<Head>().checked_add(len).ok_or(AllocError)?;
        Layout::from_size_align(size, align_of::<Head>()).map_err(|_| AllocError)
    }

    fn head(&self) -> &Head {
        // SAFETY: an owner's block is valid, and its head is written only through the atomic.
        unsafe { self.0.as_ref() }
    }
}

// SAFETY: the bytes are not written once there is an owner; the count is atomic; any process may free the block.
unsafe impl Send for SharedBytes {}
// SAFETY: as above.
unsafe impl Sync for SharedBytes {}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        let len = self.head().len as usize;
        // SAFETY: this many bytes are behind the head, written once, for as long as there is an owner.
        unsafe { NonNull::slice_from_raw_parts(self.0.add(1).cast::<u8>(), len).as_ref() }
    }
}

impl Clone for SharedBytes {
    fn clone(&self) -> Self {
        // A subscription, its forks and the hub; a body and the messages that wait with it. Those are far fewer than 32 bits count.
        self.head().owners.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl Drop for SharedBytes {
    fn drop(&mut self) {
        let len = self.head().len as usize;
        if self.head().owners.fetch_sub(1, Ordering::AcqRel) == 1
            && let Ok(layout) = Self::layout(len)
        {
            // SAFETY: it was allocated with this layout, and this was the last owner.
            unsafe { Shm.deallocate(self.0.cast(), layout) };
        }
    }
}
