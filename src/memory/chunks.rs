//! A list that grows by chunks: its elements never move, and growing copies only the chunks' addresses.
#![forbid(unsafe_code)]

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;

use super::alloc::OutOfMemory;

/// A list of `T` in chunks of `N`; always filled to the last place of the last chunk.
pub struct Chunks<T, const N: usize, A: Allocator + Clone> {
    chunks: Vec<Box<[T; N], A>, A>,
}

impl<T, const N: usize, A: Allocator + Clone> Chunks<T, N, A> {
    /// Nothing yet.
    #[must_use]
    pub fn new_in(alloc: A) -> Self {
        Self { chunks: Vec::new_in(alloc) }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.len() * N
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The allocator.
    #[must_use]
    pub fn allocator(&self) -> &A {
        self.chunks.allocator()
    }

    /// Adds one chunk, filled by `fill`, which is given each element's index.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing has changed.
    pub fn try_grow(&mut self, mut fill: impl FnMut(usize) -> T) -> Result<(), OutOfMemory> {
        let start = self.len();
        let mut chunk = Vec::new_in(self.chunks.allocator().clone());
        chunk.try_reserve_exact(N).map_err(|_| OutOfMemory)?;
        self.chunks.try_reserve(1).map_err(|_| OutOfMemory)?;
        for offset in 0..N {
            chunk.push(fill(start + offset));
        }
        self.chunks.push(chunk.into_boxed_slice().try_into().map_err(|_| OutOfMemory)?);
        Ok(())
    }

    /// Keeps the first chunk and gives the others, to be dropped elsewhere; `None` when there is no other, or no memory.
    pub fn take_rest(&mut self) -> Option<Self> {
        if self.chunks.len() < 2 {
            return None;
        }
        let mut kept = Vec::new_in(self.chunks.allocator().clone());
        kept.try_reserve(1).ok()?;
        kept.push(self.chunks.swap_remove(0));
        Some(Self { chunks: std::mem::replace(&mut self.chunks, kept) })
    }

    /// The element at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / N)?.get(index % N)
    }

    /// The element at `index`.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.chunks.get_mut(index / N)?.get_mut(index % N)
    }
}
