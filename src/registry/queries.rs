//! Queries, which do not change a subscription's life.

use std::ops::ControlFlow;

use allocator_api2::alloc::Allocator;
use parking_lot::lock_api::RawMutex;

use super::Registry;
use super::handle::Handle;
use super::life::Life;
use super::shard::RegistryShard;
use super::table::Sought;
#[cfg(test)]
use super::{FreshIds, RANDOM_LEN};
use crate::subscription::Subject;

/// How many slots a page looks through before it lets others have the lock.
const PIECE: u32 = 256;

impl<S: Life, O: Copy, A: Allocator + Clone, L: RawMutex> Registry<S, O, A, L> {
    /// The named subscription with this subject.
    #[must_use]
    pub fn find(&self, subject: &Subject<'_>) -> Option<Handle> {
        let place = self.layout.of_name(subject);
        let table = self.shards.get(place.shard)?.lock();
        let slot = table.find_name(place.hash, subject)?;
        table.get(slot).map(|(handle, _)| handle)
    }

    /// The subscription with this dialog, or else the one whose dialog it may be a fork of, found as in [`Registry::step_notify`].
    #[must_use]
    pub fn find_dialog(&self, call_id: &[u8], local_tag: &[u8], remote_tag: &[u8]) -> Option<Handle> {
        let found = self.at_dialog(&Sought { call_id, local_tag, remote_tag })?;
        found.table.get(found.slot).map(|(handle, _)| handle)
    }

    /// The subscription with this operator-visible number ([`Handle::id`]).
    #[must_use]
    pub fn by_id(&self, id: u32) -> Option<Handle> {
        let (number, first, step) = self.layout.slots_of_id(id)?;
        let table = self.shards.get(number)?.lock();
        let end = u32::try_from(table.slots()).unwrap_or(u32::MAX);
        (first..end)
            .step_by(step)
            .filter_map(|slot| table.get(slot))
            .map(|(handle, _)| handle)
            .find(|handle| handle.id() == id)
    }

    /// Shows a subscription to `f`, under the lock; `None` when the handle is stale.
    pub fn view<R>(&self, handle: Handle, f: impl FnOnce(&S, &O) -> R) -> Option<R> {
        let found = self.at(handle)?;
        let (_, record) = found.table.get(found.slot)?;
        Some(f(&record.life, &record.owner))
    }

    /// Shows `f` the subscriptions from the `offset`th on, at most `limit`, in the order of shards and slots; gives how
    /// many. One shard is locked at a time, and not for long; what comes and goes in the meantime may be missed.
    pub fn page(&self, offset: usize, limit: usize, mut f: impl FnMut(Handle, &S, &O)) -> usize {
        let mut skip = offset;
        let mut shown = 0;
        for shard in self.shards.iter() {
            if let Some(beyond) = skip.checked_sub(shard.live()) {
                skip = beyond;
                continue;
            }
            let full = Self::visit_shard(shard, &mut |handle, life, owner| {
                if shown >= limit {
                    return ControlFlow::Break(());
                }
                match skip {
                    0 => {
                        f(handle, life, owner);
                        shown += 1;
                    }
                    _ => skip -= 1,
                }
                ControlFlow::Continue(())
            });
            if full.is_break() {
                break;
            }
        }
        shown
    }

    /// Shows `f` all subscriptions, as [`Registry::page`] does, until it has seen enough.
    pub fn visit(&self, mut f: impl FnMut(Handle, &S, &O) -> ControlFlow<()>) {
        let _ = self.shards.iter().try_for_each(|shard| Self::visit_shard(shard, &mut f));
    }

    fn visit_shard(
        shard: &RegistryShard<S, O, A, L>,
        f: &mut impl FnMut(Handle, &S, &O) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut from = 0;
        loop {
            let table = shard.lock();
            let end = table.slots().min(from as usize + PIECE as usize);
            let slots = from..u32::try_from(end).unwrap_or(from);
            if slots.is_empty() {
                return ControlFlow::Continue(());
            }
            from = slots.end;
            for (handle, record) in slots.filter_map(|slot| table.get(slot)) {
                f(handle, &record.life, &record.owner)?;
            }
        }
    }

    /// Identifiers that lead to a shard, of unguessable random bytes never used before.
    #[cfg(test)]
    #[must_use]
    pub fn fresh_ids(&self, shard: usize, random: [u8; RANDOM_LEN]) -> FreshIds {
        self.layout.fresh(shard, 0, random)
    }

    /// The shard that a Call-ID leads to.
    #[cfg(test)]
    #[must_use]
    pub fn shard_of_call_id(&self, call_id: &[u8]) -> usize {
        self.layout.shard_of_call_id(call_id)
    }
}
