//! Walks through all subscriptions in pieces: each call does a bounded part of the work and says where the next one goes on.
//!
//! A walk goes by slots, so that whatever comes and goes on the way, a subscription that is there all the time is met once.

use std::ops::ControlFlow;

use allocator_api2::alloc::Allocator;
use parking_lot::lock_api::RawMutex;

use super::Registry;
use super::handle::{Handle, INDEX_BITS};
use super::life::Life;
use super::table::ShardTable;

/// How many slots are looked at before others get the lock.
const PIECE: u32 = 256;

/// A slot that cannot have the record that is looked for counts as the part of one that is looked at.
const PRINTS: usize = 64;

/// A slot to go on with, in the order of shards and slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WalkPlace(u32);

impl WalkPlace {
    /// Places have numbers below this one.
    pub const END: u32 = 1 << INDEX_BITS;

    /// The place with a number that [`WalkPlace::number`] has given; any number below [`WalkPlace::END`] is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        (number < Self::END).then_some(Self(number))
    }

    /// Its number; 0 is the beginning.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

/// How far a walk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// How many subscriptions were looked at.
    pub looked_at: usize,
    /// Where the next walk goes on; `None` at the end.
    pub next: Option<WalkPlace>,
}

/// A subscription that a walk has met.
pub struct Met<'t, S, O> {
    /// Where: a walk from here meets it again.
    pub place: WalkPlace,
    /// How many the walk has looked at before it.
    pub looked_at: usize,
    /// Its handle.
    pub handle: Handle,
    /// The subscription.
    pub life: &'t S,
    /// Its owner's data.
    pub owner: &'t O,
}

/// Why a subscription would stay as it is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unattended {
    /// It has no deadline: nothing that does not come from outside brings it on.
    NoDeadline,
    /// It has one, but the index of deadlines has none for it, or another one.
    NotIndexed,
}

impl Unattended {
    /// For operators.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoDeadline => "no deadline",
            Self::NotIndexed => "deadline not indexed",
        }
    }
}

impl<S: Life, O: Copy, A: Allocator + Clone, L: RawMutex> Registry<S, O, A, L> {
    /// Shows `f` the subscriptions from a place on, those of one record if it is given, until it has seen enough. The work of one
    /// call is that of looking at `most` slots, whether or not they hold something; slots that hold another record than the one
    /// that is looked for take a fraction of it. One shard is locked at a time, and not for long.
    pub fn walk(
        &self,
        from: WalkPlace,
        most: usize,
        record: Option<&[u8]>,
        mut f: impl FnMut(&Met<'_, S, O>) -> ControlFlow<()>,
    ) -> Walked {
        self.walk_tables(from, most, record, |_, met| match record {
            Some(record) if met.life.subject().record != record => ControlFlow::Continue(()),
            _ => f(met),
        })
    }

    /// As [`Registry::walk`], and shows those that would stay as they are for ever. That is a defect.
    pub fn audit(
        &self,
        from: WalkPlace,
        most: usize,
        mut f: impl FnMut(&Met<'_, S, O>, Unattended) -> ControlFlow<()>,
    ) -> Walked {
        self.walk_tables(from, most, None, |table, met| {
            let (_, slot) = self.layout.locate(met.handle.index());
            match table.unattended(slot, met.life) {
                Some(why) => f(met, why),
                None => ControlFlow::Continue(()),
            }
        })
    }

    fn walk_tables(
        &self,
        from: WalkPlace,
        most: usize,
        record: Option<&[u8]>,
        mut f: impl FnMut(&ShardTable<S, O, A>, &Met<'_, S, O>) -> ControlFlow<()>,
    ) -> Walked {
        let print = record.map(|record| self.layout.print(record));
        let (first, mut slot) = self.layout.slot_at(from.0);
        let mut left = most.saturating_mul(PRINTS);
        let mut looked_at = 0;
        for (number, shard) in self.shards.iter().enumerate().skip(first) {
            loop {
                // Where nothing lives, nothing is looked at.
                let table = if shard.live() == 0 { None } else { Some(shard.lock()) };
                let Some(table) = table.filter(|table| (slot as usize) < table.slots()) else { break };
                let end = u32::try_from(table.slots()).unwrap_or(u32::MAX).min(slot.saturating_add(PIECE));
                while slot < end {
                    let place = WalkPlace(self.layout.place_at(number, slot));
                    if left == 0 {
                        return Walked { looked_at, next: Some(place) };
                    }
                    slot += 1;
                    let found = table.get(slot - 1);
                    let is_other = |print| found.as_ref().is_none_or(|(_, record)| record.print != print);
                    if print.is_some_and(is_other) {
                        left -= 1;
                        continue;
                    }
                    left = left.saturating_sub(PRINTS);
                    let Some((handle, found)) = found else { continue };
                    let met = Met { place, looked_at, handle, life: &found.life, owner: &found.owner };
                    looked_at += 1;
                    if f(&table, &met).is_break() {
                        let next = WalkPlace::from_number(place.0 + 1);
                        return Walked { looked_at, next };
                    }
                }
            }
            slot = 0;
        }
        Walked { looked_at, next: None }
    }
}

impl<S: Life, O, A: Allocator + Clone> ShardTable<S, O, A> {
    /// Why the subscription in a slot would stay as it is for ever, if it would.
    fn unattended(&self, slot: u32, life: &S) -> Option<Unattended> {
        let deadline = life.deadline();
        if deadline.is_none() && life.needs_deadline() {
            return Some(Unattended::NoDeadline);
        }
        (self.indexed_deadline(slot) != deadline).then_some(Unattended::NotIndexed)
    }
}
