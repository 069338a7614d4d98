//! Texts that must not outlive their use.

use allocator_api2::alloc::Allocator;
use zeroize::Zeroize;

use super::Packed;
use crate::memory::OutOfMemory;

/// As [`Packed`], for secrets: they are overwritten before their memory is given back.
#[cfg_attr(test, derive(Clone))]
pub struct PackedSecrets<const N: usize, A: Allocator>(Packed<N, A>);

impl<const N: usize, A: Allocator> PackedSecrets<N, A> {
    /// Copies `parts` into one allocation; into none when all are empty.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator has no room.
    pub fn try_new(parts: [&[u8]; N], alloc: A) -> Result<Self, OutOfMemory> {
        Packed::try_new(parts, alloc).map(Self)
    }

    /// The string at `index`; empty when there is none.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        self.0.get(index)
    }

    /// Bytes of memory that they take beside this.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size()
    }
}

impl<const N: usize, A: Allocator> Drop for PackedSecrets<N, A> {
    fn drop(&mut self) {
        self.0.bytes.zeroize();
    }
}
