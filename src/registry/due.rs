//! Deadlines that are due.

use std::time::Duration;

use allocator_api2::alloc::Allocator;
use parking_lot::lock_api::RawMutex;

use super::life::Life;
use super::steps::{LockedSlot, Step, Stepped};
use super::trace::begin;
use super::{Handle, RANDOM_LEN, Registry};
use crate::memory::OutOfMemory;
use crate::subscription::{Env, Input, Output};
use crate::time::{Due, Millis};

/// How long a deadline is put off when its step fails.
const RETRY: Duration = Duration::from_secs(1);

impl<S: Life, O: Copy, A: Allocator + Clone, L: RawMutex> Registry<S, O, A, L> {
    /// Nothing is due before; `None` without deadlines. Takes no lock.
    #[must_use]
    pub fn next_due(&self) -> Option<Millis> {
        self.shards.iter().filter_map(|shard| shard.earliest()).min()
    }

    /// Hands one subscription whose deadline is due [`Input::Deadline`], as [`Registry::step`]; `None` when no deadline
    /// is due. Shards are asked in turn from `turn` on (any number: workers begin at different ones), which is left at the
    /// shard it was in; only those with due work are locked. Of `random`, unguessable bytes never used before, a Call-ID and
    /// a tag are made.
    ///
    /// # Errors
    /// [`OutOfMemory`]: the subscription has not changed and is due again in a second.
    pub fn step_due<R>(
        &self,
        env: &Env<'_>,
        turn: &mut usize,
        random: [u8; RANDOM_LEN],
        deliver: impl FnOnce(Handle, &Output, &mut O) -> R,
    ) -> Result<Option<Stepped<O, R>>, OutOfMemory> {
        let is_traced = (self.is_traced)();
        let first = *turn;
        loop {
            let mut unsorted = false;
            for number in (0..self.shards.len()).map(|step| self.layout.wrap(first.wrapping_add(step))) {
                let Some(shard) = self.shards.get(number) else { continue };
                if shard.earliest().is_none_or(|at| at > env.now) {
                    continue;
                }
                let mut table = shard.lock();
                let slot = match table.due(env.now) {
                    Due::Slot(slot) => slot,
                    Due::Nothing => {
                        shard.publish(&table);
                        continue;
                    }
                    // Others may have the lock before this shard's turn comes again.
                    Due::Unsorted => {
                        unsorted = true;
                        continue;
                    }
                };
                *turn = number;
                let fresh = self.layout.fresh(number, slot, random);
                let input = Input::Deadline(fresh.as_fresh());
                let trace = is_traced.then(|| begin(&table, slot, &input)).flatten();
                let result = table.step_due(slot, input, env.now.after(RETRY), env);
                let step = Step::of(LockedSlot { shard, table, slot }, result, false, env, trace);
                return step.map(|step| self.finish(step, deliver));
            }
            if !unsorted {
                return Ok(None);
            }
        }
    }

    /// Hands the subscription with this handle [`Input::Turn`] and, if it is due then, [`Input::Deadline`], in one step;
    /// `None` when there is none. Of `random` as in [`Registry::step_due`].
    ///
    /// # Errors
    /// [`OutOfMemory`]: the subscription has not changed, or is due again in a second.
    pub fn step_turn<R>(
        &self,
        handle: Handle,
        random: [u8; RANDOM_LEN],
        env: &Env<'_>,
        deliver: impl FnOnce(Handle, &Output, &mut O) -> R,
    ) -> Result<Option<Stepped<O, R>>, OutOfMemory> {
        let is_traced = (self.is_traced)();
        let Some(LockedSlot { shard, mut table, slot }) = self.at(handle) else { return Ok(None) };
        let (number, _) = self.layout.locate(handle.index());
        let fresh = self.layout.fresh(number, slot, random);
        let trace = is_traced.then(|| begin(&table, slot, &Input::Turn)).flatten();
        let turned = table.step(slot, Input::Turn, env);
        let result = match turned {
            Ok(_) => table.step_due(slot, Input::Deadline(fresh.as_fresh()), env.now.after(RETRY), env),
            Err(error) => Err(error),
        };
        Step::of(LockedSlot { shard, table, slot }, result, false, env, trace).map(|step| self.finish(step, deliver))
    }
}
