//! Compact text: several byte strings in one allocation, and short ones in none.

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;

/// There is not enough memory; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of shared memory (enlarge it with the server's option -m)")]
pub struct OutOfMemory;

/// `N` byte strings in one exactly sized allocation.
#[cfg_attr(test, derive(Clone))]
pub struct Packed<const N: usize, A: Allocator> {
    ends: [u32; N],
    bytes: Box<[u8], A>,
}

impl<const N: usize, A: Allocator> Packed<N, A> {
    /// Copies `parts` into one allocation.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator has no room or the parts exceed 4 GiB together.
    pub fn try_new(parts: [&[u8]; N], alloc: A) -> Result<Self, OutOfMemory> {
        let mut ends = [0; N];
        let mut total = 0usize;
        for (end, part) in ends.iter_mut().zip(parts) {
            total = total.checked_add(part.len()).ok_or(OutOfMemory)?;
            *end = u32::try_from(total).map_err(|_| OutOfMemory)?;
        }
        let mut bytes = Vec::new_in(alloc);
        bytes.try_reserve_exact(total).map_err(|_| OutOfMemory)?;
        // Filled and copied over: the list's own way of appending goes byte by byte.
        bytes.resize(total, 0);
        let mut rest: &mut [u8] = &mut bytes;
        for part in parts {
            let (room, after) = rest.split_at_mut_checked(part.len()).ok_or(OutOfMemory)?;
            room.copy_from_slice(part);
            rest = after;
        }
        Ok(Self { ends, bytes: bytes.into_boxed_slice() })
    }

    /// The string at `index`; empty when there is none.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        let start = match index.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// Up to 31 bytes of text held in place; longer text is cut at a character's end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Brief {
    len: u8,
    bytes: [u8; Brief::CAPACITY],
}

impl Brief {
    /// How many bytes it holds.
    pub const CAPACITY: usize = 31;

    /// Keeps as much of `text` as there is room for; bytes that are no UTF-8 end it.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let cut = text.get(..Self::CAPACITY).unwrap_or(text);
        let valid = match std::str::from_utf8(cut) {
            Ok(whole) => whole,
            Err(error) => {
                cut.get(..error.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok()).unwrap_or_default()
            }
        };
        let mut brief = Self::default();
        for (to, from) in brief.bytes.iter_mut().zip(valid.bytes()) {
            *to = from;
        }
        brief.len = u8::try_from(valid.len()).unwrap_or(0);
        brief
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Brief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}
