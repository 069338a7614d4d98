//! Compact texts: several byte strings in one allocation, with one owner or with several.
#![forbid(unsafe_code)]

mod secrets;

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;

use super::alloc::{OutOfMemory, SharedAlloc};
use super::defects::{Defect, found};

pub use secrets::PackedSecrets;

/// `N` byte strings in one exactly sized allocation, behind their lengths: one block's overhead instead of `N`.
#[cfg_attr(test, derive(Clone))]
pub struct Packed<const N: usize, A: Allocator> {
    /// The length of each string, and then the strings. Empty when they all are.
    bytes: Box<[u8], A>,
}

impl<const N: usize, A: Allocator> Packed<N, A> {
    /// Copies `parts` into one allocation; into none when all are empty.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator has no room.
    pub fn try_new(parts: [&[u8]; N], alloc: A) -> Result<Self, OutOfMemory> {
        let total = packed_len(&parts).ok_or(OutOfMemory)?;
        let mut bytes = Vec::new_in(alloc);
        bytes.try_reserve_exact(total).map_err(|_| OutOfMemory)?;
        // Filled and copied over: the list's own way of appending goes byte by byte.
        bytes.resize(total, 0);
        pack(&parts, &mut bytes).ok_or(OutOfMemory)?;
        Ok(Self { bytes: bytes.into_boxed_slice() })
    }

    /// The string at `index`; empty when there is none.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        unpack::<N>(&self.bytes, index)
    }

    /// All strings, in their order.
    #[must_use]
    pub fn all(&self) -> [&[u8]; N] {
        unpack_all(&self.bytes)
    }

    /// Where they are. Two that exist at the same time are at different places, unless they are empty.
    #[must_use]
    pub fn address(&self) -> usize {
        self.bytes.as_ptr().addr()
    }

    /// Bytes of memory that they take beside this.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// As [`Packed`], with several owners: each clone is one.
pub struct SharedTexts<const N: usize, A: SharedAlloc>(A::Shared);

impl<const N: usize, A: SharedAlloc> SharedTexts<N, A> {
    /// Copies `parts` into one allocation.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator has no room.
    pub fn try_new(parts: [&[u8]; N], alloc: &A) -> Result<Self, OutOfMemory> {
        let mut room = [[0; MOST_BYTES_OF_LENGTH]; N];
        let room = room.as_flattened_mut();
        let lengths = match parts.iter().all(|part| part.is_empty()) {
            true => &[],
            false => write_lengths(&parts, room).ok_or(OutOfMemory)?,
        };
        alloc.try_share(lengths, &parts).map(Self)
    }

    /// The string at `index`; empty when there is none.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        unpack::<N>(self.0.as_ref(), index)
    }

    /// All strings, in their order.
    #[must_use]
    pub fn all(&self) -> [&[u8]; N] {
        unpack_all(self.0.as_ref())
    }

    /// How many bytes they take.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.as_ref().len()
    }

    /// Whether these are owners of the same memory.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        A::is_same(&self.0, &other.0)
    }
}

impl<const N: usize, A: SharedAlloc> Clone for SharedTexts<N, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A byte of a length has so many bits of it, the lowest first; its highest bit says that another one follows.
const LENGTH_BITS: u32 = 7;

/// The bit that says so.
const MORE: u8 = 1 << LENGTH_BITS;

/// Whether each length is one byte, as mostly.
fn are_short<const N: usize>(parts: &[&[u8]; N]) -> bool {
    parts.iter().all(|part| part.len() < usize::from(MORE))
}

/// How many bytes the parts take behind their lengths; none when all are empty.
fn packed_len<const N: usize>(parts: &[&[u8]; N]) -> Option<usize> {
    let texts = parts.iter().try_fold(0usize, |sum, part| sum.checked_add(part.len()))?;
    let lengths = match texts {
        0 => 0,
        _ if are_short(parts) => N,
        _ => parts.iter().map(|part| bytes_of_length(part.len())).sum(),
    };
    texts.checked_add(lengths)
}

/// Writes the parts behind their lengths to where there is room for exactly that.
fn pack<const N: usize>(parts: &[&[u8]; N], to: &mut [u8]) -> Option<()> {
    if to.is_empty() {
        return Some(());
    }
    let mut rest = to;
    if are_short(parts) {
        let (lengths, after) = rest.split_first_chunk_mut::<N>()?;
        for (length, part) in lengths.iter_mut().zip(parts) {
            *length = u8::try_from(part.len()).ok()?;
        }
        rest = after;
    } else {
        for part in parts {
            rest = write_length(part.len(), rest)?;
        }
    }
    for part in parts {
        let (room, after) = rest.split_at_mut_checked(part.len())?;
        room.copy_from_slice(part);
        rest = after;
    }
    Some(())
}

/// The lengths of all parts, and what is behind them, where each length is one byte: mostly so.
fn brief_lengths<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    let (lengths, texts) = bytes.split_first_chunk::<N>()?;
    let all = lengths.iter().fold(0, |all, length| all | length);
    (all & MORE == 0).then_some((*lengths, texts))
}

/// One of `N` parts.
fn unpack<const N: usize>(bytes: &[u8], index: usize) -> &[u8] {
    if let Some((lengths, texts)) = brief_lengths::<N>(bytes) {
        let start = lengths.iter().take(index).map(|length| usize::from(*length)).sum();
        let length = lengths.get(index).map_or(0, |length| usize::from(*length));
        return texts.get(start..).and_then(|rest| rest.get(..length)).unwrap_or_else(|| found(Defect::Texts));
    }
    unpack_all::<N>(bytes).get(index).copied().unwrap_or_default()
}

/// All `N` parts, in their order.
fn unpack_all<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    if let Some((lengths, mut rest)) = brief_lengths::<N>(bytes) {
        return lengths.map(|length| {
            let (text, after) = rest.split_at_checked(usize::from(length)).unwrap_or_else(|| found(Defect::Texts));
            rest = after;
            text
        });
    }
    let (mut lengths, mut rest) = ([0; N], bytes);
    for length in &mut lengths {
        let Some((this, after)) = read_length(rest) else {
            // Nothing at all when all are empty.
            if !bytes.is_empty() {
                found::<()>(Defect::Texts);
            }
            return [&[]; N];
        };
        (*length, rest) = (this, after);
    }
    lengths.map(|length| {
        let (text, after) = rest.split_at_checked(length).unwrap_or_else(|| found(Defect::Texts));
        rest = after;
        text
    })
}

/// Writes all lengths to the front of `room`; gives what it has written.
fn write_lengths<'a>(parts: &[&[u8]], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let whole = room.len();
    let mut rest = &mut *room;
    for part in parts {
        rest = write_length(part.len(), rest)?;
    }
    let left = rest.len();
    room.get(..whole.checked_sub(left)?)
}

/// The most that [`bytes_of_length`] gives.
const MOST_BYTES_OF_LENGTH: usize = usize::BITS.div_ceil(LENGTH_BITS) as usize;

fn bytes_of_length(length: usize) -> usize {
    let bits = (usize::BITS - length.leading_zeros()).max(1);
    bits.div_ceil(LENGTH_BITS) as usize
}

/// Writes a length to the front of `to`; gives what is behind it.
fn write_length(mut length: usize, mut to: &mut [u8]) -> Option<&mut [u8]> {
    loop {
        let low = u8::try_from(length & usize::from(MORE - 1)).ok()?;
        length >>= LENGTH_BITS;
        let (first, after) = to.split_first_mut()?;
        *first = if length > 0 { low | MORE } else { low };
        to = after;
        if length == 0 {
            return Some(to);
        }
    }
}

/// Reads a length from the front of `from`; gives it and what is behind it.
#[inline]
fn read_length(from: &[u8]) -> Option<(usize, &[u8])> {
    let (mut length, mut bits, mut rest) = (0, 0, from);
    loop {
        let (byte, after) = rest.split_first()?;
        length |= usize::from(byte & (MORE - 1)).checked_shl(bits)?;
        if byte & MORE == 0 {
            return Some((length, after));
        }
        (bits, rest) = (bits + LENGTH_BITS, after);
    }
}

#[cfg(test)]
mod tests;
