//! The latest news of subscriptions, at hand in every process: what `$b2b(...)` reads.
//!
//! Only subscriptions that ask for it have an entry. The way of a NOTIFY touches an entry three times:
//!
//! 1. [`Latest::push`], under the lock of the subscription's registry shard: the news and a further owner of the message's texts, in the
//!    order in which NOTIFYs were accepted. Constant time; frees nothing and calls nothing.
//! 2. [`Latest::settle`], without a lock: the caller makes one state of what was settled and what was pushed since. If another process was
//!    faster, it is made once more.
//! 3. [`Latest::read`], in any process: a further owner of the settled texts.
//!
//! An entry is found by the subscription's handle, and by record and package, with or without the subscriber. The lock of a shard of
//! entries comes behind that of a registry shard; the lock of a shard of names is never held together with another one.
#![forbid(unsafe_code)]

mod entry;
mod fields;
mod names;
#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use arrayvec::ArrayVec;
use foldhash::quality::FixedState;
use hashbrown::HashTable;
use parking_lot::lock_api::{Mutex, RawMutex};

use self::entry::{Gone, LatestEntry};
use self::names::{HashedName, MOST_CANDIDATES, NamePlace};
use crate::memory::{HashKey, OutOfMemory, SharedAlloc};
use crate::subscription::News;
use crate::time::Millis;

pub use entry::{LatestDocument, LatestView, Settled, StateOwner, Unsettled};
pub use fields::{KeptValue, field, pack_fields};

/// How many shards of entries there are, and how many of names.
const SHARDS: usize = 256;

/// How often one call of [`Latest::settle`] begins again because another process was faster.
const MOST_TRIES: usize = 8;

/// Whose news an entry has: record, subscriber, package, `id` parameter of the Event header.
pub type StateSubject<'a> = [&'a [u8]; 4];

/// An entry and the handle of its subscription: apart, so that few bytes are moved when a shard grows.
type EntryPlace<A> = (u64, Box<LatestEntry<A>, A>);

/// One shard: entries by handle, or names by hash.
type Shard<A, L, T> = Mutex<L, HashTable<T, A>>;

/// The latest news of all subscriptions that have an entry.
pub struct Latest<A: SharedAlloc, L> {
    key: HashKey,
    entries: Vec<Shard<A, L, EntryPlace<A>>, A>,
    names: Vec<Shard<A, L, NamePlace>, A>,
    count: AtomicU64,
    bytes: AtomicU64,
    alloc: A,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatestUsage {
    /// Entries.
    pub entries: u64,
    /// What their texts take, in bytes. Texts of messages that are not settled yet are the messages'.
    pub bytes: u64,
}

impl<A: SharedAlloc, L: RawMutex> Latest<A, L> {
    /// No entries yet. `key` should not be guessable: peers and subscribers choose the records.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new(key: HashKey, alloc: A) -> Result<Self, OutOfMemory> {
        Ok(Self {
            key,
            entries: shards(&alloc)?,
            names: shards(&alloc)?,
            count: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            alloc,
        })
    }

    /// What there is now.
    #[must_use]
    pub fn usage(&self) -> LatestUsage {
        LatestUsage { entries: self.count.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// Adds news to the entry of the subscription with this handle, and makes the entry if there is none. `document` is what came with the
    /// news, if anything did, and whether it tells only what has changed. Call under the lock of the subscription's registry shard. What is
    /// given back is to be dropped after it.
    ///
    /// # Errors
    /// [`OutOfMemory`]: there is no entry, and none can be made.
    pub fn push(
        &self,
        handle: u64,
        news: &News,
        document: Option<(LatestDocument<A>, bool)>,
        now: Millis,
    ) -> Result<Option<LatestDocument<A>>, OutOfMemory> {
        let hash = hash_of(handle);
        let mut entries = shard(&self.entries, hash).ok_or(OutOfMemory)?.lock();
        if let Some((_, entry)) = entries.find_mut(hash, |(of, _)| *of == handle) {
            return Ok(entry.push(news, document, now));
        }
        entries.try_reserve(1, |(of, _)| hash_of(*of)).map_err(|_| OutOfMemory)?;
        let made = Box::try_new_in(LatestEntry::new(news, now), self.alloc.clone());
        let mut entry = made.map_err(|_| OutOfMemory)?;
        let gone = entry.push(news, document, now);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(entry.bytes(), Ordering::Relaxed);
        entries.insert_unique(hash, (handle, entry), |(of, _)| hash_of(*of));
        Ok(gone)
    }

    /// Whether there is nothing to be named: the entry has its name, or there is none.
    #[must_use]
    pub fn is_named(&self, handle: u64) -> bool {
        self.with_entry(handle, |entry| entry.is_named()) != Some(false)
    }

    /// Gives an entry its name, if it has none yet: without a name it is found by the handle only.
    ///
    /// # Errors
    /// [`OutOfMemory`]: it still has none.
    pub fn name(&self, handle: u64, subject: StateSubject<'_>) -> Result<(), OutOfMemory> {
        if self.is_named(handle) {
            return Ok(());
        }
        let names = self.hashes(subject);
        for (index, hash) in names.into_iter().enumerate() {
            let added = self.add_name(NamePlace { hash, handle });
            if added.is_err() {
                names.into_iter().take(index).for_each(|hash| self.remove_name(NamePlace { hash, handle }));
            }
            added?;
        }
        let packed = entry::pack(subject, self.alloc.clone());
        let kept = packed.map(|packed| {
            let bytes = packed.size() as u64;
            let try_name = |entry: &mut LatestEntry<A>| {
                let named = entry.try_name(packed);
                // Under the lock: whoever removes the entry takes it off.
                self.bytes.fetch_add(if named.is_ok() { bytes } else { 0 }, Ordering::Relaxed);
                named
            };
            self.with_entry(handle, try_name)
        });
        if matches!(kept, Ok(Some(Ok(())))) {
            return Ok(());
        }
        // No memory; or the entry has gone, or another process was faster: its names are the same, and one of each is enough.
        names.into_iter().for_each(|hash| self.remove_name(NamePlace { hash, handle }));
        kept.map(drop)
    }

    /// Makes one state of what was settled and what was pushed since: `make` says which. It runs without a lock, and again if another process
    /// was faster; documents that are pushed in the meantime are settled as well. Returns whether the whole state is to be asked for:
    /// once, until it has come.
    ///
    /// # Errors
    /// What `make` says: until the next call makes a state, none is known. If the whole state is to be asked for, that call says so.
    pub fn settle<E>(
        &self,
        handle: u64,
        mut make: impl FnMut(&Unsettled<A>) -> Result<Settled<A>, E>,
    ) -> Result<bool, E> {
        let mut asks = false;
        let ended = self.with_entry(handle, LatestEntry::tidy);
        self.drop_gone(ended);
        for _ in 0..MOST_TRIES {
            let Some(unsettled) = self.with_entry(handle, LatestEntry::unsettled).flatten() else { break };
            let made = make(&unsettled).inspect_err(|_| {
                let gone = self.with_entry(handle, |entry| entry.fall_behind(&unsettled, asks));
                self.drop_gone(gone);
            })?;
            let bytes = made.bytes();
            // Before it is there: whoever removes the entry takes it off.
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            let taken = self.with_entry(handle, |entry| entry.take(&unsettled, made));
            match taken {
                Some(Ok((gone, asks_now))) => {
                    asks |= asks_now;
                    self.drop_gone(Some(gone));
                }
                Some(Err(_late)) => {
                    self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                }
                None => {
                    self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                    break;
                }
            }
        }
        Ok(asks)
    }

    /// Frees what is not needed any more; without a lock.
    fn drop_gone(&self, gone: Option<Gone<A>>) {
        self.bytes.fetch_sub(gone.as_ref().map_or(0, Gone::bytes), Ordering::Relaxed);
    }

    /// What the entry of a subscription takes, in bytes; 0 if there is none.
    #[must_use]
    pub fn bytes_of(&self, handle: u64) -> u64 {
        self.with_entry(handle, |entry| entry.bytes()).unwrap_or(0)
    }

    /// The latest news of the subscription with this handle.
    #[must_use]
    pub fn read(&self, handle: u64) -> Option<LatestView<A>> {
        self.with_entry(handle, |entry| entry.view())
    }

    /// How often the state of the subscription with this handle has ended; none if it has no entry.
    #[must_use]
    pub fn ends(&self, handle: u64) -> Option<u32> {
        self.with_entry(handle, |entry| entry.ends())
    }

    /// Says which list the state with this number comes from. Another list or instance than before, or a list that has ended since, ends the
    /// state that there was.
    pub fn set_owner(&self, number: u64, owner: StateOwner) {
        self.with_entry(number, |entry| {
            if entry.set_owner(owner).is_some_and(|before| before != owner) {
                entry.end();
            }
        });
    }

    /// The latest news of a record in a package, and the handle of its subscription: of this subscriber, or of any. If there are several, one whose state is known is
    /// preferred, and then the one that was told last. `judge` says what each is worth; it runs without a lock.
    #[must_use]
    pub fn find(
        &self,
        record: &[u8],
        subscriber: Option<&[u8]>,
        package: &[u8],
        judge: impl Fn(LatestView<A>) -> Option<LatestView<A>>,
    ) -> Option<(u64, LatestView<A>)> {
        let hash = self.hash(record, subscriber, package);
        let candidates: ArrayVec<u64, MOST_CANDIDATES> = {
            let names = shard(&self.names, hash)?.lock();
            let named = names.iter_hash(hash).filter(|name| name.hash == hash);
            named.map(|name| name.handle).take(MOST_CANDIDATES).collect()
        };
        let mut best: Option<(u64, LatestView<A>)> = None;
        for handle in candidates {
            let look = |entry: &mut LatestEntry<A>| entry.is_of(record, subscriber, package).then(|| entry.view());
            let Some(view) = self.with_entry(handle, look).flatten().and_then(&judge) else { continue };
            let rank = |view: &LatestView<A>| (view.is_known(), view.updated);
            if best.as_ref().is_none_or(|(_, best)| rank(best) <= rank(&view)) {
                best = Some((handle, view));
            }
        }
        best
    }

    /// The subscription has ended: its entry goes.
    pub fn remove(&self, handle: u64) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let hash = hash_of(handle);
        let Some(shard) = shard(&self.entries, hash) else { return };
        let mut entries = shard.lock();
        let Ok(found) = entries.find_entry(hash, |(of, _)| *of == handle) else { return };
        let ((_, entry), _) = found.remove();
        let unused = self.unless_used(&mut entries);
        drop(entries);
        drop(unused);
        if let Some(subject) = entry.subject() {
            self.hashes(subject).into_iter().for_each(|hash| self.remove_name(NamePlace { hash, handle }));
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(entry.bytes(), Ordering::Relaxed);
    }

    fn with_entry<R>(&self, handle: u64, look: impl FnOnce(&mut LatestEntry<A>) -> R) -> Option<R> {
        let hash = hash_of(handle);
        let mut entries = shard(&self.entries, hash)?.lock();
        entries.find_mut(hash, |(of, _)| *of == handle).map(|(_, entry)| look(entry))
    }

    fn add_name(&self, name: NamePlace) -> Result<(), OutOfMemory> {
        let mut names = shard(&self.names, name.hash).ok_or(OutOfMemory)?.lock();
        names.try_reserve(1, |name| name.hash).map_err(|_| OutOfMemory)?;
        names.insert_unique(name.hash, name, |name| name.hash);
        Ok(())
    }

    fn remove_name(&self, name: NamePlace) {
        let Some(shard) = shard(&self.names, name.hash) else { return };
        let mut names = shard.lock();
        if let Ok(found) = names.find_entry(name.hash, |each| *each == name) {
            found.remove();
        }
        let unused = self.unless_used(&mut names);
        drop(names);
        drop(unused);
    }

    /// Takes away the room of a shard that has nothing; to be dropped without the lock.
    fn unless_used<T>(&self, shard: &mut HashTable<T, A>) -> Option<HashTable<T, A>> {
        shard.is_empty().then(|| std::mem::replace(shard, HashTable::new_in(self.alloc.clone())))
    }

    /// Of both ways to find an entry by its name.
    fn hashes(&self, [record, subscriber, package, _]: StateSubject<'_>) -> [u64; 2] {
        [self.hash(record, None, package), self.hash(record, Some(subscriber), package)]
    }

    fn hash(&self, record: &[u8], subscriber: Option<&[u8]>, package: &[u8]) -> u64 {
        self.key.hash(HashedName { record, subscriber, package })
    }
}

/// The hash of the number of a state, which is a handle or counted. Peers choose neither, so it needs no key.
fn hash_of(handle: u64) -> u64 {
    FixedState::default().hash_one(handle)
}

/// Where a hash belongs: the table inside uses other bits of it.
fn shard<T>(shards: &[T], hash: u64) -> Option<&T> {
    let index = (hash >> 32).checked_rem(shards.len() as u64)?;
    shards.get(usize::try_from(index).ok()?)
}

fn shards<A: SharedAlloc, L: RawMutex, T>(alloc: &A) -> Result<Vec<Shard<A, L, T>, A>, OutOfMemory> {
    let mut shards = Vec::new_in(alloc.clone());
    shards.try_reserve_exact(SHARDS).map_err(|_| OutOfMemory)?;
    shards.extend(std::iter::repeat_with(|| Mutex::new(HashTable::new_in(alloc.clone()))).take(SHARDS));
    Ok(shards)
}
