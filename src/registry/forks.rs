//! A subscription and its forks: a circle of slots within one shard.

use std::sync::atomic::Ordering;

use allocator_api2::alloc::Allocator;
use parking_lot::lock_api::RawMutex;

use super::handle::Handle;
use super::life::Life;
use super::table::{Record, ShardTable};
use super::{InsertError, Registry};
use crate::subscription::{Env, Input, Output};

/// Most forks a subscription has at a time, besides its first dialog, if their bytes allow so many
/// ([`Policy::fork_bytes`](crate::subscription::Policy::fork_bytes)). More NOTIFYs of forks are not taken.
pub const MOST_FORKS: u8 = 16;

impl<S, O, A: Allocator + Clone> ShardTable<S, O, A> {
    /// The other slots of the circle a slot is in, from the next on.
    pub(super) fn kin(&self, slot: u32) -> impl Iterator<Item = u32> {
        let mut at = slot;
        std::iter::from_fn(move || {
            at = self.records.next(at)?;
            (at != slot).then_some(at)
        })
        .take(usize::from(MOST_FORKS))
    }

    /// Puts a slot that is alone into the circle of another one.
    pub(super) fn join(&mut self, slot: u32, circle: u32) {
        if let Some(next) = self.records.set_next(circle, slot) {
            self.records.set_next(slot, next);
        }
    }

    /// Takes a slot out of its circle.
    pub(super) fn part(&mut self, slot: u32) {
        let Some(before) = self.kin(slot).last() else { return };
        if let Some(next) = self.records.set_next(slot, slot) {
            self.records.set_next(before, next);
        }
    }
}

impl<S: Life, O, A: Allocator + Clone> ShardTable<S, O, A> {
    pub(super) fn fork_in(&self, slot: u32) -> Option<u8> {
        self.get(slot).map(|(_, record)| record.life.fork())
    }

    fn bytes_in(&self, slot: u32) -> usize {
        self.get(slot).map_or(0, |(_, record)| record.life.bytes())
    }

    /// The slot of the subscription that a slot's record is a fork of.
    pub(super) fn root(&self, slot: u32) -> Option<u32> {
        self.kin(slot).find(|slot| self.fork_in(*slot) == Some(0))
    }

    /// The least number that no fork of a subscription has.
    fn free_number(&self, root: u32) -> Option<u8> {
        (1..=MOST_FORKS).find(|number| self.kin(root).all(|slot| self.fork_in(slot) != Some(*number)))
    }
}

impl<S: Life, O: Copy, A: Allocator + Clone, L: RawMutex> Registry<S, O, A, L> {
    /// The subscription that this one is a fork of; `None` for one that is no fork, or whose subscription has gone.
    #[must_use]
    pub fn root_of(&self, handle: Handle) -> Option<Handle> {
        let found = self.at(handle)?;
        let root = found.table.root(found.slot).filter(|_| found.table.fork_in(found.slot) != Some(0))?;
        found.table.get(root).map(|(handle, _)| handle)
    }

    /// Bytes of memory of a subscription with its forks, without its names.
    #[must_use]
    pub fn bytes_of(&self, handle: Handle) -> usize {
        let Some(found) = self.at(handle) else { return 0 };
        let (table, slot) = (&found.table, found.slot);
        let kin = table.kin(slot).filter(|_| table.fork_in(slot) == Some(0));
        let bytes = |slot| table.bytes_in(slot).saturating_add(table.histories.bytes(slot));
        kin.fold(bytes(slot), |sum, fork| sum.saturating_add(bytes(fork)))
    }

    /// The forks of a subscription.
    #[must_use]
    pub fn forks_of(&self, handle: Handle) -> Vec<Handle> {
        let Some(found) = self.at(handle) else { return Vec::new() };
        let table = &found.table;
        table.kin(found.slot).filter_map(|slot| table.get(slot)).map(|(handle, _)| handle).collect()
    }

    /// Makes the fork of a subscription that a NOTIFY is the first of, and hands it that NOTIFY, the `input`. `None` when there are
    /// enough forks, or they take enough memory.
    pub(super) fn fork(
        &self,
        table: &mut ShardTable<S, O, A>,
        root: u32,
        input: Input<'_>,
        env: &Env<'_>,
    ) -> Result<Option<(u32, Output)>, InsertError> {
        let Some(number) = table.free_number(root) else { return Ok(None) };
        table.try_reserve()?;
        let Some((_, record)) = table.get(root) else { return Ok(None) };
        let Some(mut life) = record.life.try_fork(number, env)? else { return Ok(None) };
        let owner = record.owner;
        let event = life.event_of(&input);
        let output = life.handle(input, env)?;
        // It does not come to that: what a fork would not take is not offered to it.
        if output.answer.is_none() || output.forget {
            return Ok(None);
        }
        let forks = table.kin(root).filter(|slot| table.fork_in(*slot) != Some(0));
        let bytes = forks.fold(life.bytes(), |sum, slot| sum.saturating_add(table.bytes_in(slot)));
        if bytes > env.policy.fork_bytes {
            return Ok(None);
        }
        if table.is_full() || !self.claim() {
            return Err(InsertError::Full { limit: self.limit() });
        }
        let handle = table.insert(life, owner, false).inspect_err(|_| self.unclaim())?;
        self.created.fetch_add(1, Ordering::Relaxed);
        let (_, slot) = self.layout.locate(handle.index());
        table.note(slot, event, &output, env.now);
        table.join(slot, root);
        Ok(Some((slot, output)))
    }

    /// A subscription has ended or is to end: its forks end as well, each in its own dialog. Those that need no dialog for
    /// it are given back, to be dropped without the lock.
    pub(super) fn end_forks(
        &self,
        table: &mut ShardTable<S, O, A>,
        root: u32,
        env: &Env<'_>,
    ) -> Vec<(Handle, Record<S, O>)> {
        if table.fork_in(root) != Some(0) {
            return Vec::new();
        }
        let forks: Vec<u32> = table.kin(root).collect();
        let mut gone = Vec::new();
        for slot in forks {
            // Nobody is told anything by now, and unsubscribing needs no memory.
            let ended = table.step(slot, Input::Unsubscribe, env);
            if ended.is_ok_and(|output| output.is_some_and(|output| output.forget)) {
                let handle = table.get(slot).map(|(handle, _)| handle);
                gone.extend(handle.zip(table.remove(slot).inspect(|_| self.unclaim_destroyed())));
            }
        }
        gone
    }
}
