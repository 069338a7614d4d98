//! A list that grows by chunks: what it holds never moves, and growing copies no more than the chunks' addresses.

use crate::subscription::OutOfMemory;
use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;

/// A list of `T` in chunks of `N`; always filled to the last place of the last chunk.
pub(super) struct Chunks<T, const N: usize, A: Allocator + Clone> {
    chunks: Vec<Box<[T], A>, A>,
}

impl<T, const N: usize, A: Allocator + Clone> Chunks<T, N, A> {
    pub(super) fn new_in(alloc: A) -> Self {
        Self { chunks: Vec::new_in(alloc) }
    }

    pub(super) fn len(&self) -> usize {
        self.chunks.len() * N
    }

    /// Adds one chunk, filled by `fill`, which is given each element's index.
    pub(super) fn try_grow(&mut self, mut fill: impl FnMut(usize) -> T) -> Result<(), OutOfMemory> {
        let start = self.len();
        let mut chunk = Vec::new_in(self.chunks.allocator().clone());
        chunk.try_reserve_exact(N).map_err(|_| OutOfMemory)?;
        self.chunks.try_reserve(1).map_err(|_| OutOfMemory)?;
        for offset in 0..N {
            chunk.push(fill(start + offset));
        }
        self.chunks.push(chunk.into_boxed_slice());
        Ok(())
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / N)?.get(index % N)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.chunks.get_mut(index / N)?.get_mut(index % N)
    }
}
