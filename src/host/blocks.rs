//! Blocks of Kamailio's shared memory, counted, and the module's values that stay there until the server ends.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use allocator_api2::alloc::{AllocError, Allocator, Layout};

use super::bindings;
use crate::memory::{Ledger, OutOfMemory, Usage};

/// Blocks of the host's own (`shm_malloc`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocks;

/// Counts what the module has of the server's memory.
static LEDGER: Root<Ledger> = Root::new();

/// Begins to count; the module gets no more than `most` bytes from now on, 0 for no limit. Call once, in `mod_init`.
///
/// # Errors
/// [`OutOfMemory`].
pub fn limit(most: usize) -> Result<(), OutOfMemory> {
    LEDGER.place(Ledger::new(most)).map_err(|_| OutOfMemory)
}

/// Changes the limit of the module's memory to `most` bytes, 0 for none. What it has it keeps.
pub fn set_limit(most: usize) {
    if let Some(ledger) = LEDGER.get() {
        ledger.set_most(most);
    }
}

/// The server's memory that the module has.
#[must_use]
pub fn usage() -> Usage {
    LEDGER.get().map(Ledger::usage).unwrap_or_default()
}

/// See [`Ledger::refusals`].
#[must_use]
pub fn refusals(now_seconds: u64) -> Option<String> {
    LEDGER.get()?.refusals(now_seconds)
}

/// The alignment of `shm_malloc` on every supported version; the module makes larger ones itself.
const HOST_ALIGN: usize = 8;

/// Room before an over-aligned block for the address `shm_malloc` gave.
const BACK_POINTER: usize = size_of::<*mut u8>();

// SAFETY: blocks come from the server's shared memory and stay valid until freed, in whichever process; clones of the unit
// type are the same allocator; `Layout` decides alone whether a block carries a back pointer, in allocate and deallocate alike.
// Nobody asks for a block of size 0.
unsafe impl Allocator for Blocks {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let block = if layout.align() <= HOST_ALIGN {
            malloc(layout.size())?
        } else {
            let raw = malloc(aligned_size(layout).ok_or(AllocError)?)?;
            let start = raw.as_ptr().wrapping_add(BACK_POINTER);
            let aligned = start.wrapping_add(start.align_offset(layout.align()));
            // SAFETY: `aligned` lies at least BACK_POINTER and at most `slack` behind `raw`, inside the block; it is aligned
            // to 16 or more, so the word before it is aligned for a pointer.
            unsafe {
                aligned.wrapping_sub(BACK_POINTER).cast::<*mut u8>().write(raw.as_ptr());
                NonNull::new_unchecked(aligned)
            }
        };
        Ok(NonNull::slice_from_raw_parts(block, layout.size()))
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        let raw = if layout.align() <= HOST_ALIGN {
            block.as_ptr()
        } else {
            // SAFETY: `allocate` wrote the address of the host's block right before every over-aligned one.
            unsafe { block.as_ptr().wrapping_sub(BACK_POINTER).cast::<*mut u8>().read() }
        };
        // SAFETY: `raw` came from shm_malloc and is freed once, by the contract of `deallocate`.
        unsafe { bindings::pb2b_shm_free(raw.cast()) }
        let size = if layout.align() <= HOST_ALIGN { Some(layout.size()) } else { aligned_size(layout) };
        if let (Some(ledger), Some(size)) = (LEDGER.get(), size) {
            ledger.give_back(size);
        }
    }
}

/// The layout that the host is asked for, for an over-aligned block.
fn aligned_size(layout: Layout) -> Option<usize> {
    let slack = layout.align().checked_add(BACK_POINTER)?;
    layout.size().checked_add(slack)
}

fn malloc(size: usize) -> Result<NonNull<u8>, AllocError> {
    let ledger = LEDGER.get();
    if let Some(ledger) = ledger {
        ledger.take(size).map_err(|_| AllocError)?;
    }
    // SAFETY: shm_malloc takes any size and returns NULL when there is no room.
    let block = NonNull::new(unsafe { bindings::pb2b_shm_malloc(size) }.cast());
    if let (None, Some(ledger)) = (block, ledger) {
        ledger.server_refuses(size);
    }
    block.ok_or(AllocError)
}

/// A value placed in shared memory before the fork and found by every process afterwards.
pub struct Root<T>(AtomicPtr<T>);

impl<T: Sync> Root<T> {
    /// A root that holds nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Moves `value` into shared memory; call once, in `mod_init`.
    ///
    /// # Errors
    /// Gives `value` back when there is no room.
    pub fn place(&self, value: T) -> Result<(), T> {
        match Blocks.allocate(Layout::new::<T>()) {
            Ok(block) => {
                let place = block.cast::<T>().as_ptr();
                // SAFETY: `place` is fresh, large enough and aligned for T.
                unsafe { place.write(value) };
                self.0.store(place, Ordering::Release);
                Ok(())
            }
            Err(AllocError) => Err(value),
        }
    }

    /// The value, once placed.
    #[must_use]
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: the pointer is NULL or what `place` wrote before the fork; the value is never moved or dropped: it lives
        // as long as the server (Kamailio frees its shared memory as a whole).
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }
}

impl<T: Sync> Default for Root<T> {
    fn default() -> Self {
        Self::new()
    }
}
