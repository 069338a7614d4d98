//! Kamailio's shared memory as an allocator, and the one value of ours that lives there for good.

use super::bindings;
use super::lock::ProcessLock;
use crate::memory::pool::{self, Pool, Used};
use crate::memory::{OutOfMemory, SharedAlloc};
use allocator_api2::alloc::{AllocError, Allocator, Layout};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Kamailio's shared memory: the same addresses in every process of the server. Small blocks come from pages of our own.
/// There are none before [`prepare`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Shm;

/// Blocks of the host's own (`shm_malloc`).
#[derive(Clone, Copy, Debug, Default)]
struct Blocks;

/// The small blocks of this server.
static POOL: Root<Pool<Blocks, ProcessLock>> = Root::new();

/// What the module has of the host, and what it may have.
struct Ledger {
    used: AtomicUsize,
    /// 0 for no limit.
    most: usize,
    /// How often more was asked for.
    refused: AtomicU64,
    /// When that was last said, in seconds of the host's clock.
    said: AtomicU64,
    /// Whether it was the limit that refused memory the last time.
    was_limit: AtomicBool,
}

/// That of this server.
static LEDGER: Root<Ledger> = Root::new();

/// The blocks that the host gave, in bytes; what its allocator adds to each is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What the module has.
    pub used: usize,
    /// What it may have; 0 for no limit.
    pub most: usize,
    /// How often it was refused more for that limit.
    pub refused: u64,
    /// What refused it memory the last time.
    pub cause: Cause,
}

/// What refuses memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// The server has none left in one piece.
    #[default]
    Server,
    /// The module's own limit.
    Limit,
}

/// What the module has of the host's memory.
#[must_use]
pub fn memory() -> Memory {
    LEDGER.get().map_or_else(Memory::default, |ledger| Memory {
        used: ledger.used.load(Ordering::Relaxed),
        most: ledger.most,
        refused: ledger.refused.load(Ordering::Relaxed),
        cause: if ledger.was_limit.load(Ordering::Relaxed) { Cause::Limit } else { Cause::Server },
    })
}

/// Makes small blocks possible; call once, in `mod_init`, before anything else needs shared memory. The module gets no more than
/// `most` bytes; 0 for no limit.
///
/// # Errors
/// When there is no room.
pub fn prepare(most: usize) -> Result<(), AllocError> {
    let ledger = Ledger {
        used: AtomicUsize::new(0),
        most,
        refused: AtomicU64::new(0),
        said: AtomicU64::new(0),
        was_limit: AtomicBool::new(false),
    };
    LEDGER.place(ledger).map_err(|_| AllocError)?;
    POOL.place(Pool::new(Blocks)).map_err(|_| AllocError)
}

/// How many seconds lie between two messages about the limit.
const SAID_FOR: u64 = 60;

/// How often the module was refused memory for its limit since that was last told; at most once a minute, and to one process.
#[must_use]
pub fn refused_news(now_seconds: u64) -> Option<Memory> {
    let ledger = LEDGER.get()?;
    if ledger.refused.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let said = ledger.said.load(Ordering::Relaxed);
    if said != 0 && now_seconds < said.saturating_add(SAID_FOR) {
        return None;
    }
    ledger.said.compare_exchange(said, now_seconds.max(1), Ordering::Relaxed, Ordering::Relaxed).ok()?;
    let refused = ledger.refused.swap(0, Ordering::Relaxed);
    Some(Memory { refused, ..memory() })
}

impl Ledger {
    fn take(&self, size: usize) -> Result<(), AllocError> {
        let used = self.used.fetch_add(size, Ordering::Relaxed).saturating_add(size);
        if self.most != 0 && used > self.most {
            self.give_back(size);
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.was_limit.store(true, Ordering::Relaxed);
            return Err(AllocError);
        }
        Ok(())
    }

    fn give_back(&self, size: usize) {
        self.used.fetch_sub(size, Ordering::Relaxed);
    }
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

/// What `shm_malloc` aligns to on every supported version; beyond it we align ourselves.
const HOST_ALIGN: usize = 8;

/// Room before an over-aligned block for the address `shm_malloc` gave.
const BACK_POINTER: usize = size_of::<*mut u8>();

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

/// What is asked of the host for an over-aligned block.
fn aligned_size(layout: Layout) -> Option<usize> {
    let slack = layout.align().checked_add(BACK_POINTER)?;
    layout.size().checked_add(slack)
}

fn malloc(size: usize) -> Result<NonNull<u8>, AllocError> {
    let ledger = LEDGER.get();
    if let Some(ledger) = ledger {
        ledger.take(size)?;
    }
    // SAFETY: shm_malloc takes any size and returns NULL when there is no room.
    let block = NonNull::new(unsafe { bindings::pb2b_shm_malloc(size) }.cast());
    if let (None, Some(ledger)) = (block, ledger) {
        ledger.give_back(size);
        ledger.was_limit.store(false, Ordering::Relaxed);
    }
    block.ok_or(AllocError)
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

/// Bytes in shared memory with several owners: each clone is one, and the last frees them.
pub struct SharedBytes(NonNull<Head>);

/// What stands before the bytes.
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
        // SAFETY: the block is fresh and has room for what stands before the bytes and, right behind it, for `len` bytes, which
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
        // SAFETY: an owner's block is valid, and nobody writes to its head but through the atomic.
        unsafe { self.0.as_ref() }
    }
}

// SAFETY: nobody writes to the bytes once there is an owner; the count is atomic; any process may free the block.
unsafe impl Send for SharedBytes {}
// SAFETY: as above.
unsafe impl Sync for SharedBytes {}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        let len = self.head().len as usize;
        // SAFETY: so many bytes stand behind the head, written once, for as long as there is an owner.
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
