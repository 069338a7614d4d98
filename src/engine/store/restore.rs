//! Subscriptions of an earlier run go on, and C modules take theirs over.

use super::super::{Engine, Owner};
use crate::gate::SentTo;
use crate::host::shm::Shm;
use crate::memory::OutOfMemory;
use crate::qsa::{CachedSubscriberData, LastQueued, QueueId, StoredPart, SubscriptionId, Wanted};
use crate::registry::{Handle, InsertError, Inserted, Restored};
use crate::store::RowOrigin;
use crate::subscription::{
    Env, Happened, Input, Options, Output, PackageNumber, SharedUris, StoredDialog, StoredLife, Subscription,
};
use crate::time::Millis;

/// How many are ended in one round.
const AT_ONCE: usize = 1000;

/// A subscription of an earlier run that has no subscriber in this one.
#[derive(Clone, Copy, Debug)]
pub struct Ownerless<'a> {
    /// What it was called, as a number.
    pub handle: u64,
    /// URI of the record, and of the subscriber.
    pub uris: [&'a [u8]; 2],
    /// Its package.
    pub package: PackageNumber,
    /// Its options.
    pub options: &'a Options,
    /// What it goes on with.
    pub life: &'a StoredLife<'a>,
    /// The subscription that it is a fork of.
    pub root: Option<Handle>,
}

impl Engine {
    /// Puts a subscription of an earlier run into the registry.
    pub(in crate::engine) fn enter_stored(
        &self,
        made: Result<Subscription<Shm>, OutOfMemory>,
        owner: Owner,
        named: bool,
        part: &StoredPart<'_>,
        env: &Env<'_>,
    ) -> Result<Inserted, InsertError> {
        let subscription = made?.try_restored(part.life, part.fetch, env)?;
        let handle = Handle::from_u64(part.handle).ok_or(OutOfMemory)?;
        let restored = self.registry.restore(handle, subscription, owner, named, None)?;
        self.note_restored(restored, env.now);
        Ok(restored_as(restored))
    }

    /// Puts a subscription that has no subscriber into the registry.
    ///
    /// # Errors
    /// There is no room. One of a C module waits for it from now on.
    pub fn restore_ownerless(&self, stored: &Ownerless<'_>, origin: RowOrigin) -> Result<Handle, InsertError> {
        let surroundings = self.at(Self::now());
        let env = surroundings.env();
        let [record, subscriber] = stored.uris;
        let names = SharedUris::try_new([record, subscriber, b"", b""], &Shm)?;
        let made = Subscription::try_named(names, stored.package, stored.options.id.as_bytes(), Shm)?;
        let life = without_known_state(stored.life, origin);
        let subscription = made.try_with(stored.options)?.try_restored(&life, false, &env)?;
        let owner = self.owner_of(stored.root, origin);
        let handle = Handle::from_u64(stored.handle).ok_or(OutOfMemory)?;
        let restored = self.registry.restore(handle, subscription, owner, false, stored.root)?;
        self.note_restored(restored, env.now);
        let handle = restored.handle();
        if let (RowOrigin::Module | RowOrigin::Shared, Some(store)) = (origin, &self.store) {
            let package = self.config.packages.get(stored.package).name.as_bytes();
            let hash = self.orphan_hash(origin, [record, subscriber, package], stored.options);
            if let Err(OutOfMemory) = store.orphans.add(hash, handle.to_u64()) {
                self.end(handle);
                return Err(OutOfMemory.into());
            }
        }
        Ok(handle)
    }

    /// The first event of a restored subscription says so.
    fn note_restored(&self, restored: Restored, now: Millis) {
        match restored {
            Restored::Same(handle) | Restored::Moved(handle) => self.registry.note(handle, Happened::Restored, now),
            Restored::Existing(_) => {}
        }
    }

    /// The owner of a fork is that of its root; others have none.
    fn owner_of(&self, root: Option<Handle>, origin: RowOrigin) -> Owner {
        let of_root = root.and_then(|root| self.registry.view(root, |_, owner| *owner));
        let nobody = Owner {
            subscription: SubscriptionId::default(),
            queue: queue_of(origin),
            last: LastQueued::default(),
            cached: CachedSubscriberData::NOTHING,
            sent_to: SentTo::default(),
        };
        of_root.map_or(nobody, |owner| Owner { last: LastQueued::default(), sent_to: owner.sent_to.settled(), ..owner })
    }

    fn orphan_hash(&self, origin: RowOrigin, texts: [&[u8]; 3], options: &Options) -> u64 {
        self.registry.key().hash((origin.word(), texts, options.to_string()))
    }
}

impl Engine {
    /// Gives a subscription of an earlier run to the C module that asks for the same; `None` if there is none.
    pub(in crate::engine) fn adopt(&self, owner: Owner, wanted: &Wanted<'_>, options: &Options) -> Option<Handle> {
        let store = self.store.as_ref().filter(|store| wanted.stored.is_none() && !store.orphans.is_empty())?;
        let origin = if self.is_shared(wanted.queue) { RowOrigin::Shared } else { RowOrigin::Module };
        let hash = self.orphan_hash(origin, [wanted.record, wanted.subscriber, wanted.package], options);
        let handle = store.orphans.take(hash, |handle| self.is_orphan_of(handle, wanted))?;
        let handle = Handle::from_u64(handle)?;
        let take = |_, _: &Output, there: &mut Owner| *there = Owner { sent_to: there.sent_to, ..owner };
        let stepped = self.registry.step(handle, Input::Refresh, &self.at(Self::now()).env(), take).ok().flatten()?;
        Self::trace(&stepped);
        self.settle(stepped.wake, None);
        Some(handle)
    }

    fn is_orphan_of(&self, handle: u64, wanted: &Wanted<'_>) -> bool {
        let is_it = |life: &Subscription<Shm>, _: &Owner| {
            let name = self.config.packages.get(life.package()).name.as_bytes();
            [life.record(), life.subscriber(), name] == [wanted.record, wanted.subscriber, wanted.package]
        };
        Handle::from_u64(handle).and_then(|handle| self.registry.view(handle, is_it)).unwrap_or(false)
    }

    /// Ends the subscriptions whose C modules have not come; whether there are any that still may.
    pub fn end_orphans(&self) -> bool {
        let Some(store) = self.store.as_ref().filter(|store| !store.orphans.is_empty()) else { return false };
        if Self::now() < store.started.after(self.live.adoption_time()) {
            return true;
        }
        let left = store.orphans.drain(AT_ONCE);
        left.iter().filter_map(|handle| Handle::from_u64(*handle)).for_each(|handle| self.end(handle));
        left.len() == AT_ONCE
    }
}

/// What a subscription without a subscriber has in the place of a queue: no queue has these numbers.
fn queue_of(origin: RowOrigin) -> QueueId {
    match origin {
        RowOrigin::Module => QueueId::from_u64(OF_MODULE),
        RowOrigin::Shared => QueueId::from_u64(OF_SHARE),
        RowOrigin::Script | RowOrigin::Table | RowOrigin::Fork | RowOrigin::Ending => QueueId::default(),
    }
}

/// Whose a subscription is that waits for a C module, by what it has in the place of a queue.
pub(in crate::engine) fn orphan_of(queue: QueueId) -> Option<RowOrigin> {
    match queue.to_u64() {
        OF_MODULE => Some(RowOrigin::Module),
        OF_SHARE => Some(RowOrigin::Shared),
        _ => None,
    }
}

const OF_MODULE: u64 = u32::MAX as u64;
const OF_SHARE: u64 = OF_MODULE - 1;

/// Whoever adopts it knows no state: the refresh that follows then brings the whole state.
fn without_known_state<'a>(life: &StoredLife<'a>, origin: RowOrigin) -> StoredLife<'a> {
    let dialog = life.dialog.map(|dialog| match origin {
        RowOrigin::Module | RowOrigin::Shared => StoredDialog { entity_tag: b"", ..dialog },
        RowOrigin::Script | RowOrigin::Table | RowOrigin::Fork | RowOrigin::Ending => dialog,
    });
    StoredLife { dialog, ..*life }
}

fn restored_as(restored: Restored) -> Inserted {
    match restored {
        // Workers look at all deadlines when they begin.
        Restored::Same(handle) | Restored::Moved(handle) => Inserted::New { handle, wake: None },
        Restored::Existing(handle) => Inserted::Existing(handle),
    }
}
