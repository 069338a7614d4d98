//! Everything that changes a subscription: insertion, steps, removal.

use std::sync::atomic::Ordering;

use allocator_api2::alloc::Allocator;
use parking_lot::lock_api::RawMutex;

use super::Registry;
use super::error::InsertError;
use super::handle::Handle;
use super::life::Life;
use super::shard::{LockedShard, RegistryShard};
use super::table::Sought;
use super::trace::{Trace, begin};
use crate::memory::OutOfMemory;
use crate::subscription::{Env, Fingerprint, Flow, Happened, HistoryEvent, Input, Notify, Output};
use crate::time::Millis;

/// The result of an insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The subscription is in the registry, started, its deadline armed.
    New {
        /// Its handle.
        handle: Handle,
        /// Its shard's earliest deadline, when that is earlier now: a worker has to look then.
        wake: Option<Millis>,
    },
    /// A named subscription with this name is there already; the one offered was dropped.
    Existing(Handle),
}

impl Inserted {
    /// The handle of the subscription with the name asked for, new or not.
    #[cfg(test)]
    #[must_use]
    pub fn handle(self) -> Handle {
        match self {
            Self::New { handle, .. } | Self::Existing(handle) => handle,
        }
    }
}

/// A NOTIFY that has come, and the dialog that it claims to be of.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// Call-ID.
    pub call_id: &'a [u8],
    /// To tag: our own.
    pub local_tag: &'a [u8],
    /// The first Contact header as it came, if there is one.
    pub contact: Option<&'a [u8]>,
    /// Its contents. The Contact is not judged yet.
    pub notify: Notify<'a>,
}

/// The result of one step.
#[derive(Debug)]
pub struct Stepped<O, R> {
    /// The subscription that took the step; stale when `output.forget`.
    pub handle: Handle,
    /// The work to do now that the lock is released.
    pub output: Output,
    /// The result of `deliver`.
    pub delivered: R,
    /// The owner's data as `deliver` left it.
    pub owner: O,
    /// The shard's earliest deadline, when that is earlier now: a worker has to look then.
    pub wake: Option<Millis>,
    /// The subscription's own deadline as the step has left it; another process may have moved it by now.
    pub deadline: Option<Millis>,
    /// The forks that have gone with the subscription.
    pub forks: Vec<Handle>,
    /// The step in words, if [steps are traced](Registry::with_trace).
    pub trace: Option<Box<Trace>>,
}

/// A slot of a locked shard.
pub(super) struct LockedSlot<'a, S, O, A: Allocator + Clone, L: RawMutex> {
    pub(super) shard: &'a RegistryShard<S, O, A, L>,
    pub(super) table: LockedShard<'a, S, O, A, L>,
    pub(super) slot: u32,
}

/// A step that was taken, its shard still locked.
pub(super) struct Step<'a, S, O, A: Allocator + Clone, L: RawMutex> {
    found: LockedSlot<'a, S, O, A, L>,
    /// Its output; `None` if the subscription had gone.
    output: Option<Output>,
    /// It was an unsubscribe, with which forks end as well.
    ends: bool,
    env: &'a Env<'a>,
    trace: Option<Box<Trace>>,
}

impl<'a, S: Life, O, A: Allocator + Clone, L: RawMutex> Step<'a, S, O, A, L> {
    /// A step with this result. One that has failed may have put its deadline off, which everybody may see.
    pub(super) fn of(
        found: LockedSlot<'a, S, O, A, L>,
        result: Result<Option<Output>, OutOfMemory>,
        ends: bool,
        env: &'a Env<'a>,
        trace: Option<Box<Trace>>,
    ) -> Result<Self, OutOfMemory> {
        match result {
            Ok(output) => Ok(Self { found, output, ends, env, trace }),
            Err(error) => {
                found.shard.publish(&found.table);
                Err(error)
            }
        }
    }
}

impl<S: Life, O: Copy, A: Allocator + Clone, L: RawMutex> Registry<S, O, A, L> {
    /// Starts a subscription ([`Input::Start`], which only plans) and adds it. When `named`, it can be found by its
    /// subject, and there is at most one such subscription at any time.
    ///
    /// # Errors
    /// [`InsertError::Full`] at the limit (of the registry, or within a few slots of the largest one, of a shard);
    /// [`InsertError::OutOfMemory`]. The subscription is dropped, nothing else has changed.
    pub fn insert(&self, mut subscription: S, owner: O, named: bool, env: &Env<'_>) -> Result<Inserted, InsertError> {
        let start = subscription.handle(Input::Start, env)?;
        debug_assert!(start.send.is_none() && start.news.is_none() && !start.forget, "a start only plans");
        let place = self.layout.of_name(&subscription.subject());
        let full = InsertError::Full { limit: self.limit() };
        let shard = self.shards.get(place.shard).ok_or(full)?;

        let mut table = shard.lock();
        if named {
            let existing = table.find_name(place.hash, &subscription.subject());
            if let Some((handle, _)) = existing.and_then(|slot| table.get(slot)) {
                drop(table);
                return Ok(Inserted::Existing(handle));
            }
        }
        table.try_reserve()?;
        if table.is_full() || !self.claim() {
            return Err(full);
        }
        let handle = table.insert(subscription, owner, named).inspect_err(|_| self.unclaim())?;
        let (_, slot) = self.layout.locate(handle.index());
        table.note(slot, Some(HistoryEvent::new(Happened::New)), &start, env.now);
        let wake = shard.publish(&table);
        drop(table);
        self.created.fetch_add(1, Ordering::Relaxed);
        Ok(Inserted::New { handle, wake })
    }

    /// Hands the subscription with this handle an input; `None` when there is none.
    ///
    /// `deliver` runs under the lock, after the step: what it puts into a queue is there in the order of the steps.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing has changed, `deliver` was not called.
    pub fn step<R>(
        &self,
        handle: Handle,
        input: Input<'_>,
        env: &Env<'_>,
        deliver: impl FnOnce(Handle, &Output, &mut O) -> R,
    ) -> Result<Option<Stepped<O, R>>, OutOfMemory> {
        let is_traced = (self.is_traced)();
        match self.at(handle) {
            Some(found) => self.run(found, input, env, is_traced, deliver),
            None => Ok(None),
        }
    }

    /// Hands a NOTIFY to the subscription with its dialog, as [`Registry::step`]; `None` when there is none. One that is the
    /// first of a welcome fork makes that fork, which is then what has taken the step; where there are enough, it is counted
    /// as refused and not answered.
    ///
    /// `judge` fills in what the Contact offers, or that it can be no target. It is called without the lock, and not where the newest NOTIFY of the
    /// dialog had the very same Contact and said the same of the dialog otherwise: that one was judged.
    ///
    /// A Call-ID made by the registry leads to its shard. Only while there are dialogs with Call-IDs of other origin
    /// are the shards that have them looked through as well, one hash lookup each.
    ///
    /// # Errors
    /// [`InsertError::OutOfMemory`], and [`InsertError::Full`] for a fork beyond the limit: nothing has changed,
    /// `deliver` was not called.
    pub fn step_notify<'n, R>(
        &self,
        arrived: Arrived<'n>,
        judge: impl FnOnce(Notify<'n>) -> Notify<'n>,
        env: &Env<'_>,
        deliver: impl FnOnce(Handle, &Output, &mut O) -> R,
    ) -> Result<Option<Stepped<O, R>>, InsertError> {
        let fingerprint = self.layout.fingerprint(&arrived);
        let Arrived { call_id, local_tag, mut notify, .. } = arrived;
        let is_traced = (self.is_traced)();
        let found = match self.at_known(call_id, fingerprint) {
            known @ Some(_) => known,
            None => {
                notify = judge(notify);
                self.at_dialog(&Sought { call_id, local_tag, remote_tag: notify.remote_tag.text() })
            }
        };
        let Some(mut found) = found else { return Ok(None) };
        // An input of its own, so that the one of the step is made where the step wants it.
        let begun = || begin(&found.table, found.slot, &Input::Notify(notify, fingerprint));
        let mut trace = is_traced.then(begun).flatten();
        let mut output = found.table.step(found.slot, Input::Notify(notify, fingerprint), env)?;
        if output.as_ref().is_some_and(|output| output.fork) {
            let forked = self.fork(&mut found.table, found.slot, Input::Notify(notify, fingerprint), env)?;
            output = match forked {
                Some((slot, of_fork)) => {
                    found.slot = slot;
                    trace = trace.map(|trace| Box::new(Trace { before: Trace::NEW, ..*trace }));
                    Some(of_fork)
                }
                None => found.table.step(found.slot, Input::NotForked, env)?,
            };
        }
        Ok(self.finish(Step { found, output, ends: false, env, trace }, deliver))
    }

    /// Whether any subscription depends on this connection.
    #[must_use]
    pub fn uses_flow(&self, flow: Flow) -> bool {
        self.shards.iter().any(|shard| shard.has_flows() && shard.lock().find_flow(flow).is_some())
    }

    /// Hands one of the subscriptions that depend on this connection [`Input::FlowLost`], as [`Registry::step`]; `None`
    /// when there is none (left). Each forgets the connection in that step.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing has changed, `deliver` was not called.
    pub fn step_flow<R>(
        &self,
        flow: Flow,
        env: &Env<'_>,
        deliver: impl FnOnce(Handle, &Output, &mut O) -> R,
    ) -> Result<Option<Stepped<O, R>>, OutOfMemory> {
        let is_traced = (self.is_traced)();
        let found = self.shards.iter().filter(|shard| shard.has_flows()).find_map(|shard| {
            let table = shard.lock();
            let slot = table.find_flow(flow)?;
            Some(LockedSlot { shard, table, slot })
        });
        match found {
            Some(found) => self.run(found, Input::FlowLost(flow), env, is_traced, deliver),
            None => Ok(None),
        }
    }

    /// Locks the shard that a Call-ID leads to, if it is its slot's newest NOTIFY that had this fingerprint. This is the usual case.
    fn at_known(&self, call_id: &[u8], fingerprint: Fingerprint) -> Option<LockedSlot<'_, S, O, A, L>> {
        let (number, slot) = self.layout.slot_of_call_id(call_id)?;
        let shard = self.shards.get(number)?;
        let table = shard.lock();
        table.recalls(slot, fingerprint).then_some(LockedSlot { shard, table, slot })
    }

    /// Locks the shard that has a dialog, unless none has.
    pub(super) fn at_dialog(&self, sought: &Sought<'_>) -> Option<LockedSlot<'_, S, O, A, L>> {
        if sought.call_id.is_empty() {
            return None;
        }
        let own = self.layout.slot_of_call_id(sought.call_id);
        let first = own.map_or_else(|| self.layout.of_call_id(sought.call_id).shard, |(shard, _)| shard);
        let look = |shard| Self::look(shard, sought, own);
        // This is the usual case.
        if let Some(found) = self.shards.get(first).and_then(look) {
            return Some(found);
        }
        let others = self.shards.iter().enumerate().filter(|(number, shard)| *number != first && shard.has_foreign());
        others.map(|(_, shard)| shard).find_map(look)
    }

    /// Locks a shard if it has the dialog; the Call-ID leads to this shard and slot.
    fn look<'s>(
        shard: &'s RegistryShard<S, O, A, L>,
        sought: &Sought<'_>,
        own: Option<(usize, u32)>,
    ) -> Option<LockedSlot<'s, S, O, A, L>> {
        let table = shard.lock();
        let slot = table.find_dialog(sought, own)?;
        Some(LockedSlot { shard, table, slot })
    }

    /// Locks the shard of a handle, unless it is stale.
    pub(super) fn at(&self, handle: Handle) -> Option<LockedSlot<'_, S, O, A, L>> {
        let (number, _) = self.layout.locate(handle.index());
        let shard = self.shards.get(number)?;
        let table = shard.lock();
        let slot = table.slot_of(handle)?;
        Some(LockedSlot { shard, table, slot })
    }

    /// One step.
    pub(super) fn run<R>(
        &self,
        found: LockedSlot<'_, S, O, A, L>,
        input: Input<'_>,
        env: &Env<'_>,
        is_traced: bool,
        deliver: impl FnOnce(Handle, &Output, &mut O) -> R,
    ) -> Result<Option<Stepped<O, R>>, OutOfMemory> {
        let mut found = found;
        let ends = matches!(input, Input::Unsubscribe);
        let trace = is_traced.then(|| begin(&found.table, found.slot, &input)).flatten();
        let result = found.table.step(found.slot, input, env);
        Step::of(found, result, ends, env, trace).map(|step| self.finish(step, deliver))
    }

    /// Ends a step. Everything is in order again before `deliver` is called; removed values are dropped after the
    /// lock.
    pub(super) fn finish<R>(
        &self,
        step: Step<'_, S, O, A, L>,
        deliver: impl FnOnce(Handle, &Output, &mut O) -> R,
    ) -> Option<Stepped<O, R>> {
        let Step { found: LockedSlot { shard, mut table, slot }, output, ends, env, mut trace } = step;
        let (handle, record) = table.get(slot)?;
        let deadline = record.life.deadline();
        if let Some(trace) = &mut trace {
            trace.after = record.life.state();
        }
        let forget = output.as_ref().is_some_and(|output| output.forget);
        let forks = if ends || forget { self.end_forks(&mut table, slot, env) } else { Vec::new() };
        let mut removed = if forget { table.remove(slot).inspect(|_| self.unclaim_destroyed()) } else { None };
        let wake = if table.take_changed() { shard.publish(&table) } else { None };
        let output = output?;
        let owner = match &mut removed {
            Some(record) => &mut record.owner,
            None => &mut table.get_mut(slot)?.1.owner,
        };
        let delivered = deliver(handle, &output, owner);
        let owner = *owner;
        drop(table);
        let gone = forks.iter().map(|(handle, _)| *handle).collect();
        drop((removed, forks));
        Some(Stepped { handle, output, delivered, owner, wake, deadline, forks: gone, trace })
    }

    /// Counts one more subscription, unless that were one too many.
    pub(super) fn claim(&self) -> bool {
        let more = |live| (live < self.limit()).then_some(live + 1);
        self.live.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(super) fn unclaim(&self) {
        self.live.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn unclaim_destroyed(&self) {
        self.unclaim();
        self.destroyed.fetch_add(1, Ordering::Relaxed);
    }
}
