//! A hierarchical timing wheel: buckets of slots; near buckets are narrow.
//!
//! Nothing ticks. Each bucket knows when the earliest of what was put into it is due, and the wheel turns from one such instant
//! to the next, however far that is. A bucket is taken apart when its earliest is due, not when its time begins. A process that
//! sleeps until then is woken for a deadline, not for the wheel, and most deadlines are put into two buckets in all.

use crate::time::Millis;

/// The number of a slot that is none: the end of a list.
pub(super) const NONE: u32 = u32::MAX;

/// Buckets of one width.
#[derive(Clone, Copy)]
struct Level {
    /// A bucket is `1 << shift` milliseconds wide.
    shift: u32,
    /// There are `1 << bits` of them.
    bits: u32,
    /// The number of the first one.
    first: u32,
}

/// A subscription is refreshed within the 70 minutes of the third level, as a rule, and a request has its answer long before its
/// watchdog leaves that level.
const LEVELS: [Level; 4] = [
    EXACT,
    Level { shift: 6, bits: 8, first: 64 },   // 64 ms each, 16 s in all
    Level { shift: 14, bits: 8, first: 320 }, // 16 s, 70 minutes
    TOP,
];

/// Milliseconds, 64 in all.
const EXACT: Level = Level { shift: 0, bits: 6, first: 0 };

/// 70 minutes each, three days in all; what is later than that is in the last bucket.
const TOP: Level = Level { shift: 22, bits: 6, first: 576 };

/// The buckets of all levels.
const BUCKETS: usize = TOP.end() as usize;

/// Buckets of a word of the bitmap; each level begins a word.
const WORD: usize = u64::BITS as usize;

impl Level {
    /// The number behind that of the last bucket.
    const fn end(self) -> u32 {
        self.first + (1 << self.bits)
    }

    fn size(self) -> u64 {
        1 << self.bits
    }

    /// The number of the stretch of time that this instant is in.
    fn stretch(self, at: u64) -> u64 {
        at >> self.shift
    }

    /// The bucket of such a stretch.
    // Cut on purpose: less than the number of buckets.
    fn bucket(self, stretch: u64) -> u32 {
        self.first + (stretch & (self.size() - 1)) as u32
    }

    /// How long an instant is after the beginning of its stretch.
    // Cut on purpose: no bucket is that wide.
    fn offset(self, at: u64) -> u32 {
        (at & ((1 << self.shift) - 1)) as u32
    }
}

/// A bucket, and an instant in its stretch before which nothing in it is due.
#[derive(Clone, Copy)]
pub(super) struct BucketPlace {
    pub(super) bucket: u32,
    pub(super) at: u64,
    offset: u32,
}

impl BucketPlace {
    /// Whether all of the bucket is due at one instant.
    pub(super) fn is_exact(self) -> bool {
        self.bucket < EXACT.end()
    }
}

/// The local knowledge of a list of slots.
#[derive(Clone, Copy)]
struct Bucket {
    head: u32,
    /// How long after the beginning of the bucket the earliest is due that was put into it. It is not put right when that one
    /// leaves.
    earliest: u32,
}

const EMPTY: Bucket = Bucket { head: NONE, earliest: 0 };

/// The buckets of a shard.
pub(super) struct Wheel {
    /// Everything before has been seen to. Never later than what is in a bucket.
    now: u64,
    /// The filled bucket with the earliest instant.
    next: Option<BucketPlace>,
    /// Which buckets are filled.
    filled: [u64; BUCKETS / WORD],
    buckets: [Bucket; BUCKETS],
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { now: 0, next: None, filled: [0; BUCKETS / WORD], buckets: [EMPTY; BUCKETS] }
    }

    /// The filled bucket with the earliest instant: nothing is due before.
    pub(super) fn next(&self) -> Option<BucketPlace> {
        self.next
    }

    /// Goes to an instant that is not later than the next one.
    pub(super) fn turn_to(&mut self, at: Millis) {
        self.now = self.now.max(at.0);
    }

    /// Where an instant belongs; what is over is due now.
    pub(super) fn place(&self, at: Millis) -> BucketPlace {
        let at = at.0.max(self.now);
        let near = |level: &Level| level.stretch(at) - level.stretch(self.now) < level.size();
        let (level, at) = match LEVELS.into_iter().find(near) {
            Some(level) => (level, at),
            None => (TOP, (TOP.stretch(self.now) + TOP.size() - 1) << TOP.shift),
        };
        BucketPlace { bucket: level.bucket(level.stretch(at)), at, offset: level.offset(at) }
    }

    /// The first slot of a bucket; [`NONE`] when it is empty.
    pub(super) fn head(&self, bucket: u32) -> u32 {
        self.buckets.get(bucket as usize).map_or(NONE, |bucket| bucket.head)
    }

    /// A slot has been put before all others of its bucket.
    pub(super) fn push(&mut self, place: BucketPlace, slot: u32) {
        let BucketPlace { bucket, at, offset } = place;
        let bucket = bucket as usize;
        let Some(list) = self.buckets.get_mut(bucket) else { return };
        let earliest = if list.head == NONE { offset } else { offset.min(list.earliest) };
        *list = Bucket { head: slot, earliest };
        if let Some(word) = self.filled.get_mut(bucket / WORD) {
            *word |= 1 << (bucket % WORD);
        }
        if self.next.is_none_or(|next| at < next.at) {
            self.next = Some(place);
        }
    }

    /// The first slot of a bucket has left it, this one is the first now ([`NONE`]: it was the last).
    pub(super) fn pop(&mut self, bucket: u32, slot: u32) {
        if let Some(list) = self.buckets.get_mut(bucket as usize) {
            list.head = slot;
        }
        if slot != NONE {
            return;
        }
        if let Some(word) = self.filled.get_mut(bucket as usize / WORD) {
            *word &= !(1 << (bucket as usize % WORD));
        }
        if self.next.is_some_and(|next| next.bucket == bucket) {
            self.next = LEVELS.into_iter().filter_map(|level| self.first_of(level)).min_by_key(|place| place.at);
        }
    }

    /// The first filled bucket of a level: its stretch is before those of all others.
    fn first_of(&self, level: Level) -> Option<BucketPlace> {
        let from = level.stretch(self.now);
        let words = self.filled.get(level.first as usize / WORD..level.end() as usize / WORD)?;
        let stretch = from + first_from(words, (level.bucket(from) - level.first) as usize)?;
        let bucket = level.bucket(stretch);
        let offset = self.buckets.get(bucket as usize)?.earliest;
        Some(BucketPlace { bucket, at: (stretch << level.shift) + u64::from(offset), offset })
    }
}

/// How far the first bit that is set is from `start` on, round the end; the number of words is a power of two.
fn first_from(words: &[u64], start: usize) -> Option<u64> {
    // As a rule, most levels are empty.
    if words.iter().all(|word| *word == 0) {
        return None;
    }
    let (word, bit) = (start / WORD, start % WORD);
    let from_bit = u64::MAX << bit;
    (0..=words.len()).find_map(|step| {
        let mask = match step {
            0 => from_bit,
            _ if step == words.len() => !from_bit,
            _ => u64::MAX,
        };
        let found = words.get((word + step) & (words.len() - 1))? & mask;
        (found != 0).then(|| (step * WORD) as u64 + u64::from(found.trailing_zeros()) - bit as u64)
    })
}
