//! Small blocks, many to a page: the host's allocator adds up to 40 bytes to each block, and gives none below 56.
//!
//! A *region* is one block of the host's, cut into *pages*; the blocks of a page are of one size. Pages lie at multiples of
//! their size, so that the address of a block leads to its page. A page without blocks serves any size again, and a region
//! without such a page goes back to the host.

use std::ptr::{NonNull, null_mut};

use allocator_api2::alloc::{AllocError, Allocator, Layout};
use parking_lot::lock_api::{Mutex, RawMutex};

/// The largest block there is: three fill a page. The documents of most NOTIFYs are smaller, and a block of the host's takes
/// more of its time.
pub const LARGEST: usize = 1352;

/// The alignment of blocks; their sizes are multiples of it.
pub const ALIGN: usize = 8;

/// Bytes of a page, its head included.
const PAGE: usize = 4096;

/// Bytes of a region. What is left before its first page and behind its last is lost: a page all in all.
const REGION: usize = 64 * PAGE;

/// How many sizes of blocks there are.
const SIZES: usize = LARGEST / ALIGN;

/// The next and the one before in a list.
struct Links<T> {
    before: *mut T,
    after: *mut T,
}

trait Linked: Sized {
    fn links(&mut self) -> &mut Links<Self>;
}

/// At the start of each region.
struct Region {
    /// In the list of regions that have a page to give.
    links: Links<Region>,
    /// Pages that were used and are not, linked by `after`.
    idle: *mut Page,
    /// Where the pages begin that were never used.
    fresh: *mut Page,
    /// How many of these there are.
    left: u32,
    in_use: u32,
}

/// At the start of each page.
struct Page {
    /// In the list of pages of its size that have a block to give.
    links: Links<Page>,
    region: *mut Region,
    /// Where its first free block is; it holds where the next one is. 0 for none.
    free: u16,
    /// Where the blocks begin that were never used.
    fresh: u16,
    /// Bytes of each.
    size: u16,
    in_use: u16,
}

/// Where the blocks of a page begin.
const HEAD: u16 = size_of::<Page>() as u16;

/// How many blocks are in use, and how many bytes they have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Blocks.
    pub blocks: usize,
    /// Their bytes.
    pub bytes: usize,
}

struct PoolState {
    /// Pages with a block to give, by size.
    pages: [*mut Page; SIZES],
    /// Regions with a page to give.
    regions: *mut Region,
    used: Used,
}

// SAFETY: the pointers lead to memory that belongs to the pool and is at the same address in all processes.
unsafe impl Send for PoolState {}

/// The blocks, of memory from `A`, behind one lock `L`.
pub struct Pool<A: Allocator, L> {
    alloc: A,
    state: Mutex<L, PoolState>,
}

impl Linked for Page {
    fn links(&mut self) -> &mut Links<Self> {
        &mut self.links
    }
}

impl Linked for Region {
    fn links(&mut self) -> &mut Links<Self> {
        &mut self.links
    }
}

impl<A: Allocator, L: RawMutex> Pool<A, L> {
    /// No memory yet.
    pub fn new(alloc: A) -> Self {
        let state = PoolState { pages: [null_mut(); SIZES], regions: null_mut(), used: Used::default() };
        Self { alloc, state: Mutex::new(state) }
    }

    /// A block of `size` bytes, 1 to [`LARGEST`], aligned to [`ALIGN`].
    ///
    /// # Errors
    /// No memory.
    pub fn allocate(&self, size: usize) -> Result<NonNull<u8>, AllocError> {
        let mut state = self.state.lock();
        let size = size.next_multiple_of(ALIGN);
        let page = match *state.pages_of(size)? {
            page if page.is_null() => {
                let page = state.page(&self.alloc, u16::try_from(size).map_err(|_| AllocError)?)?;
                // SAFETY: a page of the pool that is in no list.
                unsafe { push(state.pages_of(size)?, page) };
                page
            }
            page => page,
        };
        // SAFETY: pages in the list have a block to give.
        let block = unsafe { Page::take(page) };
        // SAFETY: it is a page of the pool; it is in the list.
        unsafe {
            if (*page).is_full() {
                unlink(state.pages_of(size)?, page);
            }
        }
        state.used = Used { blocks: state.used.blocks + 1, bytes: state.used.bytes + size };
        NonNull::new(block).ok_or(AllocError)
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// The block came from [`Pool::allocate`] of this pool, with this size, and is not used any more.
    pub unsafe fn deallocate(&self, block: NonNull<u8>, size: usize) {
        let mut state = self.state.lock();
        let size = size.next_multiple_of(ALIGN);
        let page = block.as_ptr().map_addr(|address| address & !(PAGE - 1)).cast::<Page>();
        // SAFETY: the block lies in a page that begins at the multiple of PAGE before it; the page is in the list if it had a
        // block to give, and its region is if it had a page to give.
        unsafe {
            let was_full = (*page).is_full();
            Page::give_back(page, block.as_ptr());
            let Ok(pages) = state.pages_of(size) else { return };
            if was_full {
                push(pages, page);
            }
            if (*page).in_use == 0 {
                unlink(pages, page);
                state.close(&self.alloc, page);
            }
        }
        state.used = Used { blocks: state.used.blocks - 1, bytes: state.used.bytes - size };
    }

    /// The blocks in use.
    pub fn used(&self) -> Used {
        self.state.lock().used
    }
}

impl PoolState {
    /// The list of pages with blocks of this size.
    fn pages_of(&mut self, size: usize) -> Result<&mut *mut Page, AllocError> {
        self.pages.get_mut((size / ALIGN).wrapping_sub(1)).ok_or(AllocError)
    }

    /// A page without blocks in use, for blocks of `size`; in no list.
    fn page(&mut self, alloc: &impl Allocator, size: u16) -> Result<*mut Page, AllocError> {
        if self.regions.is_null() {
            let region = Region::open(alloc)?;
            // SAFETY: a region of the pool that is in no list.
            unsafe { push(&mut self.regions, region) };
        }
        let region = self.regions;
        // SAFETY: regions in the list have a page to give, which is theirs alone.
        unsafe {
            let page = Region::take(region);
            if !(*region).has_page() {
                unlink(&mut self.regions, region);
            }
            page.write(Page { links: Links::none(), region, free: 0, fresh: HEAD, size, in_use: 0 });
            Ok(page)
        }
    }

    /// Gives a page without blocks in use back to its region, and the region to the host if that was its last.
    ///
    /// # Safety
    /// It is a page of the pool, and in no list.
    unsafe fn close(&mut self, alloc: &impl Allocator, page: *mut Page) {
        // SAFETY: the region of a page lives as long as one of its pages is in use; it is in the list if it had one to give.
        unsafe {
            let region = (*page).region;
            if !(*region).has_page() {
                push(&mut self.regions, region);
            }
            (*page).links.after = (*region).idle;
            (*region).idle = page;
            (*region).in_use -= 1;
            if (*region).in_use == 0 {
                unlink(&mut self.regions, region);
                Region::close(region, alloc);
            }
        }
    }
}

impl Region {
    fn layout() -> Result<Layout, AllocError> {
        Layout::from_size_align(REGION, ALIGN).map_err(|_| AllocError)
    }

    fn open(alloc: &impl Allocator) -> Result<*mut Self, AllocError> {
        let start = alloc.allocate(Self::layout()?)?.cast::<u8>().as_ptr();
        let head = start.wrapping_add(size_of::<Self>());
        let pages = head.wrapping_add(head.align_offset(PAGE));
        let room = (start.addr() + REGION).saturating_sub(pages.addr());
        let region = start.cast::<Self>();
        let left = u32::try_from(room / PAGE).map_err(|_| AllocError)?;
        // SAFETY: the block is ours, aligned to ALIGN and larger than its head.
        unsafe {
            region.write(Self { links: Links::none(), idle: null_mut(), fresh: pages.cast(), left, in_use: 0 });
        }
        Ok(region)
    }

    /// # Safety
    /// The region is in no list and none of its pages in use.
    unsafe fn close(region: *mut Self, alloc: &impl Allocator) {
        if let (Some(region), Ok(layout)) = (NonNull::new(region), Self::layout()) {
            // SAFETY: it was allocated with this layout.
            unsafe { alloc.deallocate(region.cast(), layout) };
        }
    }

    fn has_page(&self) -> bool {
        !self.idle.is_null() || self.left > 0
    }

    /// A page that is not in use.
    ///
    /// # Safety
    /// The region has one.
    unsafe fn take(region: *mut Self) -> *mut Page {
        // SAFETY: idle pages were written when they were used; fresh ones lie one behind the other.
        unsafe {
            (*region).in_use += 1;
            let idle = (*region).idle;
            if !idle.is_null() {
                (*region).idle = (*idle).links.after;
                return idle;
            }
            let page = (*region).fresh;
            (*region).fresh = page.wrapping_byte_add(PAGE);
            (*region).left -= 1;
            page
        }
    }
}

impl Page {
    fn is_full(&self) -> bool {
        self.free == 0 && usize::from(self.fresh) + usize::from(self.size) > PAGE
    }

    /// A block that is not in use.
    ///
    /// # Safety
    /// The page has one.
    unsafe fn take(page: *mut Self) -> *mut u8 {
        // SAFETY: both lie inside the page; a free block holds where the next one is.
        unsafe {
            (*page).in_use += 1;
            let offset = match (*page).free {
                0 => {
                    let fresh = (*page).fresh;
                    (*page).fresh = fresh + (*page).size;
                    fresh
                }
                free => {
                    (*page).free = page.byte_add(usize::from(free)).cast::<u16>().read();
                    free
                }
            };
            page.byte_add(usize::from(offset)).cast()
        }
    }

    /// # Safety
    /// The block is in use and lies in the page.
    unsafe fn give_back(page: *mut Self, block: *mut u8) {
        // SAFETY: nothing else uses the block any more, and it has room for a number.
        unsafe {
            block.cast::<u16>().write((*page).free);
            (*page).free = (block.addr() & (PAGE - 1)) as u16;
            (*page).in_use -= 1;
        }
    }
}

impl<T> Links<T> {
    fn none() -> Self {
        Self { before: null_mut(), after: null_mut() }
    }
}

/// Puts `one` at the front of a list.
///
/// # Safety
/// `one` is valid and in no list; all in the list are valid.
unsafe fn push<T: Linked>(list: &mut *mut T, one: *mut T) {
    // SAFETY: by the contract.
    unsafe {
        *(*one).links() = Links { before: null_mut(), after: *list };
        if let Some(after) = list.as_mut() {
            after.links().before = one;
        }
    }
    *list = one;
}

/// Takes `one` out of a list.
///
/// # Safety
/// `one` is in the list; all in the list are valid.
unsafe fn unlink<T: Linked>(list: &mut *mut T, one: *mut T) {
    // SAFETY: by the contract.
    unsafe {
        let Links { before, after } = std::mem::replace((*one).links(), Links::none());
        match before.as_mut() {
            Some(before) => before.links().after = after,
            None => *list = after,
        }
        if let Some(after) = after.as_mut() {
            after.links().before = before;
        }
    }
}

#[cfg(test)]
mod tests;
