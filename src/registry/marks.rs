//! Which records have changed since the database was told: bits for each slot, in memory that is reserved with the slot, so that
//! marking one never fails. Without a store there are none.

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

use crate::memory::OutOfMemory;
use crate::subscription::Input;

/// How many slots one set of words is for.
const SLOTS: usize = u64::BITS as usize;

/// How many sets of words one search under the lock looks at: a few microseconds.
const MOST_SEARCHED: usize = 2048;

/// What has changed of a subscription; the greater includes the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreMark {
    /// Only what a NOTIFY or its like counts: CSeq, version, counters.
    Counted,
    /// Its state or deadlines, no text.
    Numbers,
    /// All of it, or it has come or gone: a SUBSCRIBE may wait for it.
    Whole,
}

/// The marks of 64 slots, a bit for each.
#[derive(Clone, Copy, Default)]
struct MarkedSlots {
    counted: u64,
    numbers: u64,
    whole: u64,
}

impl MarkedSlots {
    fn above_counted(&self) -> u64 {
        self.numbers | self.whole
    }

    /// Those that have this mark or a greater one.
    fn from(&self, least: StoreMark) -> u64 {
        match least {
            StoreMark::Counted => self.above_counted() | self.counted,
            StoreMark::Numbers => self.above_counted(),
            StoreMark::Whole => self.whole,
        }
    }
}

/// The marks of a shard.
pub(super) struct StoreMarks<A: Allocator> {
    words: Vec<MarkedSlots, A>,
    are_kept: bool,
    /// How many slots have a mark above [`StoreMark::Counted`].
    marked: u32,
    /// How many of these have to be written whole.
    whole: u32,
    /// Where the next search begins, so that each slot has its turn.
    next: usize,
}

/// What a search has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Searched {
    /// How many marks it took.
    pub(super) taken: usize,
    /// How many sets of words it has done with.
    pub(super) words: usize,
}

impl<A: Allocator> StoreMarks<A> {
    /// No marks, until they are [kept](StoreMarks::keep).
    pub(super) fn new_in(alloc: A) -> Self {
        Self { words: Vec::new_in(alloc), are_kept: false, marked: 0, whole: 0, next: 0 }
    }

    /// Marks are kept from now on, of slots for which there is memory from now on.
    pub(super) fn keep(&mut self) {
        self.are_kept = true;
    }

    pub(super) fn are_kept(&self) -> bool {
        self.are_kept
    }

    /// How many slots have a mark above [`StoreMark::Counted`].
    pub(super) fn marked(&self) -> u32 {
        self.marked
    }

    /// How many of these have to be written whole.
    pub(super) fn whole(&self) -> u32 {
        self.whole
    }

    /// How many sets of words there are.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// Makes room for the marks of all slots below `slots`, if they are kept.
    pub(super) fn try_reserve(&mut self, slots: usize) -> Result<(), OutOfMemory> {
        let wanted = slots.div_ceil(SLOTS);
        if self.are_kept && self.words.len() < wanted {
            self.words.try_reserve(wanted - self.words.len()).map_err(|_| OutOfMemory)?;
            self.words.resize(wanted, MarkedSlots::default());
        }
        Ok(())
    }

    /// Marks a slot.
    pub(super) fn set(&mut self, slot: u32, mark: StoreMark) {
        let Some(words) = self.words.get_mut(slot as usize / SLOTS) else { return };
        let bit = 1 << (slot as usize % SLOTS);
        if mark == StoreMark::Counted {
            words.counted |= bit;
            return;
        }
        self.marked += u32::from(words.above_counted() & bit == 0);
        if mark == StoreMark::Whole {
            self.whole += u32::from(words.whole & bit == 0);
            words.whole |= bit;
        } else {
            words.numbers |= bit;
        }
    }

    /// Takes at most `most` marks away and shows them to `take`, each slot with its greatest, if that is `least` or greater. It begins
    /// where the last search has ended and does no more than `words` sets of words.
    pub(super) fn take(
        &mut self,
        most: usize,
        words: usize,
        least: StoreMark,
        mut take: impl FnMut(u32, StoreMark),
    ) -> Searched {
        let mut searched = Searched::default();
        while searched.words < words.min(MOST_SEARCHED) && self.may_have(least) {
            if self.next >= self.words.len() {
                self.next = 0;
            }
            let Some(here) = self.words.get_mut(self.next) else { break };
            let mut wanted = here.from(least);
            while wanted != 0 {
                if searched.taken == most {
                    return searched;
                }
                let bit = wanted & wanted.wrapping_neg();
                let mark = match () {
                    () if here.whole & bit != 0 => StoreMark::Whole,
                    () if here.numbers & bit != 0 => StoreMark::Numbers,
                    () => StoreMark::Counted,
                };
                self.marked -= u32::from(mark > StoreMark::Counted);
                self.whole -= u32::from(mark == StoreMark::Whole);
                (here.whole, here.numbers, here.counted) =
                    (here.whole & !bit, here.numbers & !bit, here.counted & !bit);
                wanted &= !bit;
                searched.taken += 1;
                // There are no more slots than numbers for them.
                take((self.next * SLOTS) as u32 + bit.trailing_zeros(), mark);
            }
            self.next += 1;
            searched.words += 1;
        }
        searched
    }

    /// Whether a slot may have this mark or a greater one.
    fn may_have(&self, least: StoreMark) -> bool {
        match least {
            StoreMark::Counted => true,
            StoreMark::Numbers => self.marked > 0,
            StoreMark::Whole => self.whole > 0,
        }
    }
}

/// The mark after a step with this input that has moved no deadline and changed no text. What the writer itself has said changes
/// nothing that it has to write: a request that waited for it is marked when it leaves.
pub(super) fn least_mark(input: &Input<'_>) -> Option<StoreMark> {
    match input {
        Input::Saved => None,
        Input::Notify(..)
        | Input::Sent { .. }
        | Input::Source { .. }
        | Input::Turn
        | Input::Told
        | Input::Untold(_)
        | Input::PutOff(_)
        | Input::NotForked
        | Input::Credentials { .. } => Some(StoreMark::Counted),
        _ => Some(StoreMark::Numbers),
    }
}
