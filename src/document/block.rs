//! Sixteen bytes of a text looked at in one step: a vector instruction compares them all at once.

use wide::bytemuck::cast;
use wide::i8x16;

/// How many bytes a block has.
pub(super) const BLOCK: u32 = 16;
const SIZE: usize = BLOCK as usize;

/// The longest text in which places do not overflow.
pub(super) const MOST_TEXT: usize = (u32::MAX - 4 * BLOCK) as usize;

/// The last bytes of a text, and zeros behind them, which XML does not allow.
pub(super) struct Tail([u8; 2 * SIZE]);

impl Tail {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut tail = [0; 2 * SIZE];
        let (last, _) = tail.split_at_mut(SIZE);
        match text.last_chunk::<SIZE>() {
            Some(chunk) => last.copy_from_slice(chunk),
            None => last.iter_mut().rev().zip(text.iter().rev()).for_each(|(to, from)| *to = *from),
        }
        Self(tail)
    }
}

/// A text of at most [`MOST_TEXT`] bytes, and places in it. Behind its end it has zeros.
#[derive(Clone, Copy)]
pub(super) struct Text<'a, 't> {
    bytes: &'a [u8],
    tail: &'t Tail,
}

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(super) struct ByteBlock(i8x16);

/// Some of the bytes of a block: a bit for each, the first one lowest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteMarks(u32);

impl<'a, 't> Text<'a, 't> {
    /// `tail` is that of `bytes`. `None` when they are too many.
    pub(super) fn new(bytes: &'a [u8], tail: &'t Tail) -> Option<Self> {
        (bytes.len() <= MOST_TEXT).then_some(Self { bytes, tail })
    }

    #[inline(always)]
    pub(super) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The text behind a place.
    #[inline(always)]
    pub(super) fn from(self, place: u32) -> &'a [u8] {
        self.bytes.get(place as usize..).unwrap_or_default()
    }

    /// The text between two places.
    #[inline(always)]
    pub(super) fn between(self, start: u32, end: u32) -> &'a [u8] {
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    #[inline(always)]
    pub(super) fn byte(self, place: u32) -> u8 {
        self.bytes.get(place as usize).copied().unwrap_or(0)
    }

    #[inline(always)]
    pub(super) fn block(self, place: u32) -> ByteBlock {
        let place = place as usize;
        let chunk = self.bytes.get(place..place + SIZE).and_then(|part| part.first_chunk());
        ByteBlock(cast(*chunk.unwrap_or_else(|| self.last(place))))
    }

    /// The block at a place less than a block before the end, or behind it.
    #[cold]
    fn last(self, place: usize) -> &'t [u8; SIZE] {
        let left = self.bytes.len().saturating_sub(place).min(SIZE);
        self.tail.0.get(SIZE - left..).and_then(|part| part.first_chunk()).unwrap_or(&[0; SIZE])
    }
}

impl ByteBlock {
    /// Its first eight bytes, the first one lowest.
    #[inline(always)]
    pub(super) fn word(self) -> u64 {
        let [low, _]: [u64; 2] = cast(self.0);
        u64::from_le(low)
    }

    /// Where it has this byte.
    #[inline(always)]
    pub(super) fn marks(self, byte: u8) -> ByteMarks {
        ByteMarks::of(self.are(byte))
    }

    /// Where it has the same bytes as another.
    #[inline(always)]
    pub(super) fn same(self, other: Self) -> ByteMarks {
        ByteMarks::of(self.0.simd_eq(other.0))
    }

    /// Letters of ASCII; and these with hyphens.
    #[inline(always)]
    pub(super) fn letters(self) -> (ByteMarks, ByteMarks) {
        // In small letters, and moved so far up that nothing signed is above `z`.
        let small = self.0 | i8x16::splat(0x20);
        let moved = small + i8x16::splat(i8::MAX - b'z'.cast_signed());
        let letters = moved.simd_gt(i8x16::splat(i8::MAX - 26));
        (ByteMarks::of(letters), ByteMarks::of(letters | self.are(b'-')))
    }

    /// Bytes that need a look in a text: all beyond ASCII, control characters, `&` and `]`.
    #[inline(always)]
    pub(super) fn odd_in_text(self) -> ByteMarks {
        ByteMarks::of(self.unprintable() | self.are(b'&') | self.are(b']'))
    }

    /// Where a value in such quotes ends, if it is plain.
    #[inline(always)]
    pub(super) fn ends_value<const QUOTE: u8>(self) -> ByteMarks {
        ByteMarks::of(self.unprintable() | self.are(b'&') | self.are(b'<') | self.are(QUOTE))
    }

    /// Line ends and tabs.
    #[inline(always)]
    pub(super) fn line_ends(self) -> ByteMarks {
        ByteMarks::of(self.are(b'\n') | self.are(b'\r') | self.are(b'\t'))
    }

    #[inline(always)]
    fn are(self, byte: u8) -> i8x16 {
        self.0.simd_eq(i8x16::splat(byte.cast_signed()))
    }

    /// Below the blank, or negative.
    #[inline(always)]
    fn unprintable(self) -> i8x16 {
        self.0.simd_lt(i8x16::splat(b' '.cast_signed()))
    }
}

impl ByteMarks {
    #[inline(always)]
    fn of(mask: i8x16) -> Self {
        Self(mask.to_bitmask())
    }

    /// The first byte that is marked; at least [`BLOCK`] when there is none.
    #[inline(always)]
    pub(super) fn first(self) -> u32 {
        self.0.trailing_zeros()
    }

    /// The first byte from `start` on that is not marked; `start` is 0 or 1.
    #[inline(always)]
    pub(super) fn first_other(self, start: u32) -> u32 {
        (self.0 | start).trailing_ones()
    }

    /// The second one.
    #[inline(always)]
    pub(super) fn second_other(self, start: u32) -> u32 {
        let marks = self.0 | start;
        (marks | marks.wrapping_add(1)).trailing_ones()
    }

    #[inline(always)]
    pub(super) fn has(self, index: u32) -> bool {
        self.0.wrapping_shr(index) & 1 != 0
    }

    #[inline(always)]
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those before the first of `other`; all when there is none.
    #[inline(always)]
    pub(super) fn before(self, other: Self) -> Self {
        Self(self.0 & (other.0 ^ other.0.wrapping_sub(1)))
    }

    /// Those that are not among `other`.
    #[inline(always)]
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
