//! The line for names and connections: slow names keep no others waiting. In shared memory.
//!
//! A request that cannot leave at once, because a name has to be looked up or a connection made first, is put into a line
//! ([`Lookups::ask`]), from where the resolver processes take one after the other ([`Lookups::take`]) and tell what came of
//! it ([`Lookups::done`]). Requests wait behind the *name* of their next hop, and a name is
//!
//! * *quick* when its newest lookup was: it goes first, and may use every resolver;
//! * *new* when there was none;
//! * *slow* when the newest one took long: it may use every resolver but the first one. If it failed late, or took longer than
//!   [`BOUND`], the name has to pause, twice as long after each further such lookup.
//!
//! A name holds one resolver at most. So do all names of one zone that are not quick, and all that one notifier has led to. A
//! name keeps its place in the line until it was its turn; then it goes to the end.
//!
//! The lock is a leaf lock: held for a look through the line, never together with another one.
#![forbid(unsafe_code)]

mod name;
mod table;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use allocator_api2::alloc::Allocator;
use parking_lot::lock_api::{Mutex, RawMutex};

use crate::memory::{HashKey, OutOfMemory};
use crate::time::Millis;
use table::NameTable;

pub use name::{Class, NameSnapshot};

/// The most names that are known at a time; the others share one entry, which is slow.
pub const MOST_NAMES: usize = 4096;

/// The most requests that wait at a time.
pub const MOST_WAITING: usize = 65_536;

/// The most resolvers.
pub const MOST_RESOLVERS: usize = 64;

/// A lookup that takes no longer is quick.
pub const QUICK: Duration = Duration::from_millis(250);

/// How long the name servers are waited for before a lookup has failed; four times as long when it fails again and again.
pub const BOUND: Duration = Duration::from_secs(2);

/// How often it may be said that the line is full.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// How long a name pauses after its first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// A request that cannot leave at once.
#[derive(Clone, Copy, Debug)]
pub struct LookupRequest<'a> {
    /// The name of its next hop, or the address.
    pub name: &'a [u8],
    /// The notifier that has led there: the same text for the same notifier.
    pub notifier: &'a [u8],
    /// The subscription that asks.
    pub who: u64,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupAnswer {
    /// It is in the line.
    Waits {
        /// The name is known to be slow.
        is_slow: bool,
        /// A resolver has to be woken.
        wakes: bool,
    },
    /// The line is full: ask again later.
    Full {
        /// How many were told so, where that has not been said for a minute.
        say: Option<u64>,
    },
}

/// The next work of a resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Whose request it is.
    pub who: u64,
    /// How long the name servers may take.
    pub bound: Duration,
    /// The name's place.
    name: u32,
}

/// The outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupOutcome {
    /// The request is gone, or did not need it any more.
    Nothing,
    /// The request has left, as far as is known.
    Left,
    /// It could not be sent.
    Failed,
}

/// The line, in memory from `A`, behind a lock `L`.
pub struct Lookups<A: Allocator + Clone, L> {
    key: HashKey,
    /// The longest pause, in milliseconds.
    longest: AtomicU64,
    table: Mutex<L, NameTable<A>>,
}

impl<A: Allocator + Clone, L: RawMutex> Lookups<A, L> {
    /// An empty line. `key` should not be guessable; no pause is longer than `longest`.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new_in(longest: Duration, key: HashKey, alloc: A) -> Result<Self, OutOfMemory> {
        let line = Self { key, longest: AtomicU64::new(0), table: Mutex::new(NameTable::try_new_in(alloc)?) };
        line.set_longest(longest);
        Ok(line)
    }

    /// Changes how long a pause is at most; those that have begun go on.
    pub fn set_longest(&self, longest: Duration) {
        let longest = u64::try_from(longest.max(FIRST_PAUSE).as_millis()).unwrap_or(u64::MAX);
        self.longest.store(longest, Ordering::Relaxed);
    }

    /// Whether the name is known to be slow.
    pub fn is_slow(&self, ask: &LookupRequest<'_>) -> bool {
        let hash = self.key.hash(ask.name);
        self.table.lock().class_of(hash, ask.name) == Some(Class::Slow)
    }

    /// Puts a request into the line, unless it is there.
    pub fn ask(&self, ask: &LookupRequest<'_>, now: Millis) -> LookupAnswer {
        let hash = |text: &[u8]| self.key.hash(text);
        let who = self.key.hash(ask.who);
        let (name, zone) = (hash(ask.name), hash(zone_of(ask.name)));
        let hashes = table::Hashes { name, zone, notifier: hash(ask.notifier), who };
        self.table.lock().ask(ask, &hashes, now)
    }

    /// The next task of the resolver with this number; `None` when it has to wait, a second at most.
    pub fn take(&self, resolver: usize, now: Millis) -> Option<Task> {
        self.table.lock().take(resolver, now)
    }

    /// Notes the outcome of the task that this resolver has taken, and how long it took.
    pub fn done(&self, resolver: usize, task: Task, outcome: LookupOutcome, took: Duration, now: Millis) {
        let longest = Duration::from_millis(self.longest.load(Ordering::Relaxed));
        self.table.lock().done(resolver, task, outcome, took, now, longest);
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.table.lock().waiting()
    }

    /// Shows `f` the names from the `offset`th on, at most `limit`.
    pub fn page(&self, offset: usize, limit: usize, now: Millis, f: impl FnMut(NameSnapshot)) {
        self.table.lock().names().skip(offset).take(limit).map(|name| name.snapshot(now)).for_each(f);
    }
}

/// The last two labels of a name; an address is its own.
fn zone_of(name: &[u8]) -> &[u8] {
    let is_address = name.contains(&b':') || name.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let mut dots = name.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at);
    match dots.nth(1).filter(|_| !is_address) {
        Some(at) => name.get(at + 1..).unwrap_or(name),
        None => name,
    }
}
