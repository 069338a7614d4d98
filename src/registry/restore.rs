//! Subscriptions of an earlier run of the server come back.

use std::sync::atomic::Ordering;

use allocator_api2::alloc::Allocator;
use parking_lot::lock_api::RawMutex;

use super::Registry;
use super::error::InsertError;
use super::forks::MOST_FORKS;
use super::handle::Handle;
use super::life::Life;
use super::table::{Record, ShardTable};
use crate::memory::OutOfMemory;

/// Where a subscription of an earlier run is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It has its handle again. It is not marked.
    Same(Handle),
    /// It has another handle, as it could not have its own; it is marked [`super::marks::StoreMark::Whole`]. Its Call-ID leads elsewhere now, and is
    /// found all the same.
    Moved(Handle),
    /// A named subscription with this name is there already; the one offered was dropped.
    Existing(Handle),
}

impl Restored {
    /// The handle of the subscription now.
    #[must_use]
    pub fn handle(self) -> Handle {
        match self {
            Self::Same(handle) | Self::Moved(handle) | Self::Existing(handle) => handle,
        }
    }
}

impl<S: Life, O, A: Allocator + Clone> ShardTable<S, O, A> {
    /// Whether a record can have this slot and generation; makes the slot, if there is memory.
    fn can_restore(&mut self, slot: u32, generation: u32) -> bool {
        self.records.try_reserve_at(slot).is_ok() && self.records.can_restore(slot, generation)
    }

    /// Puts a record into its slot; only where it [can be](ShardTable::can_restore), and after [`ShardTable::try_reserve`].
    fn restore(&mut self, slot: u32, generation: u32, record: Record<S, O>) -> Result<(), OutOfMemory> {
        let name = record.indexed.has_name().then(|| self.hash_of_name(&record.life));
        self.records.restore(slot, generation, record).map_err(|_| OutOfMemory)?;
        self.enter(slot, name);
        Ok(())
    }

    /// Has a fork, which is alone, join the circle of its subscription, unless another one has its number there.
    fn join_root(&mut self, slot: u32, root: u32) -> bool {
        let number = self.fork_in(slot);
        let is_alone = self.kin(slot).next().is_none();
        let forks = self.kin(root).count();
        let is_free = self.kin(root).all(|kin| self.fork_in(kin) != number);
        let fits = is_alone && is_free && forks < usize::from(MOST_FORKS);
        let joins = fits && number.is_some_and(|number| number > 0) && self.fork_in(root) == Some(0);
        if joins {
            self.join(slot, root);
        }
        joins
    }
}

impl<S: Life, O: Copy, A: Allocator + Clone, L: RawMutex> Registry<S, O, A, L> {
    /// Puts a subscription of an earlier run back, as it is: into its old slot and with its old handle, if it can have that. It
    /// cannot, and gets another one, if the slot is taken or there is no memory for it, or if its name belongs to another shard
    /// than the handle: then the number of shards or the [key](Registry::key) has changed. A handle that was given anew in the
    /// meantime is never given twice.
    ///
    /// Its deadline is armed. When `named`, it can be found by its subject. A fork joins its `root` if that is there already and
    /// in the same shard. To be called in any order of handles, but for new subscriptions first:
    /// see [`Registry::pass_over`].
    ///
    /// # Errors
    /// As of [`Registry::insert`]: the subscription is dropped, nothing else has changed.
    pub fn restore(
        &self,
        handle: Handle,
        subscription: S,
        owner: O,
        named: bool,
        root: Option<Handle>,
    ) -> Result<Restored, InsertError> {
        let place = self.layout.of_name(&subscription.subject());
        let full = InsertError::Full { limit: self.limit() };
        let shard = self.shards.get(place.shard).ok_or(full)?;
        let (number, slot) = self.layout.locate(handle.index());

        let mut table = shard.lock();
        if named {
            let existing = table.find_name(place.hash, &subscription.subject());
            if let Some((handle, _)) = existing.and_then(|slot| table.get(slot)) {
                drop(table);
                return Ok(Restored::Existing(handle));
            }
        }
        let is_same = number == place.shard && table.can_restore(slot, handle.generation());
        if !is_same {
            table.records.leave_room();
        }
        if subscription.flow().is_some() {
            table.try_reserve_flow()?;
        }
        table.try_reserve()?;
        if !is_same && table.is_full() || !self.claim() {
            return Err(full);
        }
        let restored = if is_same {
            let record = Record::new(subscription, owner, named);
            table.restore(slot, handle.generation(), record).map(|()| Restored::Same(handle))
        } else {
            table.insert(subscription, owner, named).map(Restored::Moved)
        };
        let restored = restored.inspect_err(|_| self.unclaim())?;
        let root = root.filter(|root| self.layout.locate(root.index()).0 == place.shard);
        if let Some(root) = root.and_then(|root| table.slot_of(root)) {
            let (_, slot) = self.layout.locate(restored.handle().index());
            table.join_root(slot, root);
        }
        shard.publish(&table);
        drop(table);
        self.created.fetch_add(1, Ordering::Relaxed);
        Ok(restored)
    }

    #[cfg(test)]
    /// Has a restored fork join its subscription, which was restored after it, and marks it [`super::marks::StoreMark::Whole`]. Returns whether it
    /// belongs to it now; it does not if one of the two has gone, or they do not suit each other.
    pub fn join(&self, fork: Handle, root: Handle) -> bool {
        let Some(super::steps::LockedSlot { shard, mut table, slot }) = self.at(fork) else { return false };
        let is_near = self.layout.locate(root.index()).0 == self.layout.locate(fork.index()).0;
        let Some(root) = table.slot_of(root).filter(|_| is_near) else { return false };
        let joins = table.join_root(slot, root);
        if joins {
            table.marks.set(slot, super::marks::StoreMark::Whole);
            shard.publish_marks(&table);
        }
        joins
    }

    /// A subscription of an earlier run has this handle and is not restored: no new one gets it. There may be no memory for its slot, which
    /// is not made for it.
    pub fn skip(&self, handle: Handle) {
        let (number, slot) = self.layout.locate(handle.index());
        if let Some(shard) = self.shards.get(number) {
            let mut table = shard.lock();
            table.records.pass(handle.generation());
            table.records.rest(slot);
        }
    }

    /// A subscription of an earlier run has this handle and is not restored yet: no new one gets it, and its slot is kept
    /// free for it as long as there are others. To be called before there are new ones.
    pub fn pass_over(&self, handle: Handle) {
        let (number, slot) = self.layout.locate(handle.index());
        let Some(shard) = self.shards.get(number) else { return };
        let mut table = shard.lock();
        table.records.pass(handle.generation());
        // Without memory for it there is no slot that others could have.
        if table.records.try_reserve_at(slot).is_ok() {
            table.records.rest(slot);
        }
    }
}
