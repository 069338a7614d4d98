//! Names, the requests that wait behind them, and the line.

use std::time::Duration;

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;
use hashbrown::HashTable;

use super::name::{Class, NOWHERE, Name};
use super::{LookupAnswer, LookupOutcome, LookupRequest, MOST_NAMES, MOST_RESOLVERS, MOST_WAITING, SAID_EVERY, Task};
use crate::memory::OutOfMemory;
use crate::time::Millis;

/// The place of the entry that all names without room share.
const OVERFLOW: u32 = 0;

/// How many names are looked at when one has to make room.
const LOOKS: u32 = 16;

/// A request that waits.
#[derive(Clone, Copy)]
struct WaitingRequest {
    who: u64,
    /// Hash of `who`.
    hash: u64,
    notifier: u64,
    name: u32,
    /// The next one of the same name, or the next free place.
    next: u32,
}

/// The task of a resolver.
#[derive(Clone, Copy)]
struct Running {
    name: u32,
    /// `None` where they may be busy as often as they like.
    zone_and_notifier: Option<(u64, u64)>,
}

/// The hashes of what is in a question.
pub(super) struct Hashes {
    pub(super) name: u64,
    pub(super) zone: u64,
    pub(super) notifier: u64,
    pub(super) who: u64,
}

pub(super) struct NameTable<A: Allocator + Clone> {
    names: Vec<Name, A>,
    by_name: HashTable<u32, A>,
    /// Where the search for an idle name goes on.
    hand: u32,
    requests: Vec<WaitingRequest, A>,
    by_who: HashTable<u32, A>,
    free: u32,
    /// Names with requests that wait, and that no resolver is at, the longest first.
    line: Vec<u32, A>,
    running: [Option<Running>; MOST_RESOLVERS],
    /// How many found the line full, and when that was last said.
    refused: u64,
    said: Option<Millis>,
}

impl<A: Allocator + Clone> NameTable<A> {
    pub(super) fn try_new_in(alloc: A) -> Result<Self, OutOfMemory> {
        let mut names = Vec::new_in(alloc.clone());
        names.try_reserve(1).map_err(|_| OutOfMemory)?;
        names.push(Name::overflow());
        let mut line = Vec::new_in(alloc.clone());
        line.try_reserve(1).map_err(|_| OutOfMemory)?;
        Ok(Self {
            names,
            by_name: HashTable::new_in(alloc.clone()),
            hand: 0,
            requests: Vec::new_in(alloc.clone()),
            by_who: HashTable::new_in(alloc),
            free: NOWHERE,
            line,
            running: [None; MOST_RESOLVERS],
            refused: 0,
            said: None,
        })
    }

    pub(super) fn ask(&mut self, ask: &LookupRequest<'_>, hashes: &Hashes, now: Millis) -> LookupAnswer {
        let (requests, names) = (&self.requests, &self.names);
        let is = |place: &u32| requests.get(*place as usize).is_some_and(|request| request.who == ask.who);
        if let Some(request) = self.by_who.find(hashes.who, is).and_then(|place| requests.get(*place as usize)) {
            let is_slow = names.get(request.name as usize).is_some_and(|name| name.class == Class::Slow);
            return LookupAnswer::Waits { is_slow, wakes: false };
        }
        let place = self.find_or_insert(ask.name, hashes, now).unwrap_or(OVERFLOW);
        match self.append(place, ask.who, hashes) {
            Some((is_slow, wakes)) => LookupAnswer::Waits { is_slow, wakes },
            None => LookupAnswer::Full { say: self.refuse(now) },
        }
    }

    /// The line is full for one more.
    fn refuse(&mut self, now: Millis) -> Option<u64> {
        self.refused = self.refused.saturating_add(1);
        let is_due = self.said.is_none_or(|said| now.since(said) >= SAID_EVERY);
        is_due.then(|| {
            self.said = Some(now);
            self.refused
        })
    }

    pub(super) fn class_of(&self, hash: u64, text: &[u8]) -> Option<Class> {
        let named = |place: &u32| self.names.get(*place as usize).filter(|name| name.is(hash, text));
        let found = self.by_name.find(hash, |place| named(place).is_some())?;
        named(found).map(|name| name.class)
    }

    /// The place of a name; `None` when there is neither room nor memory for it.
    fn find_or_insert(&mut self, text: &[u8], hashes: &Hashes, now: Millis) -> Option<u32> {
        let hash = hashes.name;
        let names = &self.names;
        let is = |place: &u32| names.get(*place as usize).is_some_and(|name| name.is(hash, text));
        if let Some(place) = self.by_name.find(hash, is) {
            return Some(*place);
        }
        let name = Name::new(hash, hashes.zone, text);
        let place = if self.names.len() < MOST_NAMES {
            self.names.try_reserve(1).ok()?;
            // Each name is in the line once at most.
            let behind = self.names.len() + 1 - self.line.len();
            self.line.try_reserve(behind).ok()?;
            let names = &self.names;
            self.by_name.try_reserve(1, |place| hash_of(names, *place)).ok()?;
            self.names.push(name);
            u32::try_from(self.names.len() - 1).ok()?
        } else {
            self.replace(name, now)?
        };
        let names = &self.names;
        self.by_name.insert_unique(hash, place, |place| hash_of(names, *place));
        Some(place)
    }

    /// Puts a name where an idle one was.
    fn replace(&mut self, name: Name, now: Millis) -> Option<u32> {
        let count = u32::try_from(self.names.len()).ok()?;
        for _ in 0..LOOKS {
            let place = self.hand;
            self.hand = self.hand.wrapping_add(1).checked_rem(count)?;
            let old = self.names.get_mut(place as usize)?;
            if place == OVERFLOW || !old.is_idle(now) {
                continue;
            }
            if let Ok(found) = self.by_name.find_entry(old.hash, |other| *other == place) {
                found.remove();
            }
            *old = name;
            return Some(place);
        }
        None
    }

    /// One more request behind a name: whether that is slow, and whether it is new in the line.
    fn append(&mut self, name: u32, who: u64, hashes: &Hashes) -> Option<(bool, bool)> {
        if self.waiting() >= MOST_WAITING {
            return None;
        }
        let requests = &self.requests;
        self.by_who.try_reserve(1, |place| hash_of_request(requests, *place)).ok()?;
        let request = WaitingRequest { who, hash: hashes.who, notifier: hashes.notifier, name, next: NOWHERE };
        let place = match self.requests.get_mut(self.free as usize) {
            Some(free) => {
                let place = self.free;
                self.free = free.next;
                *free = request;
                place
            }
            None => {
                self.requests.try_reserve(1).ok()?;
                self.requests.push(request);
                u32::try_from(self.requests.len() - 1).ok()?
            }
        };
        let requests = &self.requests;
        self.by_who.insert_unique(hashes.who, place, |place| hash_of_request(requests, *place));
        let entry = self.names.get_mut(name as usize)?;
        let before = std::mem::replace(&mut entry.last, place);
        entry.waiting = entry.waiting.saturating_add(1);
        match self.requests.get_mut(before as usize) {
            Some(before) => before.next = place,
            None => entry.first = place,
        }
        let is_new = entry.waiting == 1 && !entry.running;
        if is_new {
            self.line.push(name);
        }
        Some((entry.class == Class::Slow, is_new))
    }

    pub(super) fn take(&mut self, resolver: usize, now: Millis) -> Option<Task> {
        // A task that was lost (to a panic) holds no request back.
        if let Some(lost) = self.running.get_mut(resolver).and_then(Option::take) {
            self.ends(lost.name);
        }
        let at = self.next(resolver, now)?;
        let place = self.line.remove(at);
        let name = self.names.get_mut(place as usize)?;
        let first = name.first;
        let request = *self.requests.get(first as usize)?;
        name.first = request.next;
        name.waiting = name.waiting.saturating_sub(1);
        name.running = true;
        if name.first == NOWHERE {
            name.last = NOWHERE;
        }
        let task = Task { who: request.who, bound: name.bound(), name: place };
        let limits = (name.class != Class::Quick).then_some((name.zone, request.notifier));
        if let Some(mine) = self.running.get_mut(resolver) {
            *mine = Some(Running { name: place, zone_and_notifier: limits });
        }
        if let Ok(found) = self.by_who.find_entry(request.hash, |other| *other == first) {
            found.remove();
        }
        if let Some(freed) = self.requests.get_mut(first as usize) {
            freed.next = std::mem::replace(&mut self.free, first);
        }
        Some(task)
    }

    /// The place in the line of the name whose turn it is: the first one of the best class.
    fn next(&self, resolver: usize, now: Millis) -> Option<usize> {
        let busy = || self.running.iter().flatten().filter_map(|running| running.zone_and_notifier);
        let mut best: Option<(Class, usize)> = None;
        for (at, place) in self.line.iter().enumerate() {
            let Some(name) = self.names.get(*place as usize) else { continue };
            if best.is_some_and(|(class, _)| class <= name.class) || name.until > now {
                continue;
            }
            let may = match name.class {
                Class::Quick => true,
                // The first resolver is kept from what is known to be slow.
                Class::Slow if resolver == 0 => false,
                Class::New | Class::Slow => {
                    let notifier = self.requests.get(name.first as usize).map(|request| request.notifier);
                    !busy().any(|(zone, other)| zone == name.zone || Some(other) == notifier)
                }
            };
            if may {
                best = Some((name.class, at));
            }
            if name.class == Class::Quick {
                break;
            }
        }
        best.map(|(_, at)| at)
    }

    pub(super) fn done(
        &mut self,
        resolver: usize,
        task: Task,
        outcome: LookupOutcome,
        took: Duration,
        now: Millis,
        longest: Duration,
    ) {
        let mine = self.running.get_mut(resolver).and_then(|mine| mine.take_if(|running| running.name == task.name));
        if mine.is_none() {
            return;
        }
        if let Some(name) = self.names.get_mut(task.name as usize) {
            name.learn(outcome, took, now, longest);
            if task.name == OVERFLOW {
                // Its names have nothing to do with each other.
                (name.class, name.until) = (Class::Slow, Millis(0));
            }
        }
        self.ends(task.name);
    }

    /// No resolver is at this name any more.
    fn ends(&mut self, place: u32) {
        if let Some(name) = self.names.get_mut(place as usize) {
            name.running = false;
            if name.waiting > 0 {
                self.line.push(place);
            }
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.by_who.len()
    }

    /// All names, and the entry of those without room where it was used.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.names.iter().enumerate().filter(|(place, name)| *place > 0 || name.is_used()).map(|(_, name)| name)
    }
}

fn hash_of(names: &[Name], place: u32) -> u64 {
    names.get(place as usize).map_or(0, |name| name.hash)
}

fn hash_of_request(requests: &[WaitingRequest], place: u32) -> u64 {
    requests.get(place as usize).map_or(0, |request| request.hash)
}
