//! The resources of one subscription's lists, as far as they have been told.

use allocator_api2::vec::Vec;
use hashbrown::HashTable;

use crate::document::{ListHead, ListUpdate};
use crate::memory::{HashKey, OutOfMemory, Packed, SharedAlloc, Slots};

/// The most lists of one subscription that are remembered, lists in lists included.
const MOST_LISTS: usize = 256;

/// The most resources of one subscription that are remembered.
const MOST_RESOURCES: usize = 65_536;

/// The most bytes of their URIs.
const MOST_BYTES: usize = 4 << 20;

/// The place of a list in its roster.
pub(super) type ListPlace = u16;

/// The resources of one subscription's lists.
pub(super) struct Roster<A: SharedAlloc> {
    lists: Vec<RosterList<A>, A>,
    members: Slots<Member<A>, A>,
    /// Their slots, by list and URI.
    slots: HashTable<u32, A>,
    /// Bytes of all their URIs.
    bytes: usize,
    /// Counts the updates.
    round: u64,
    /// The whole state has been asked for, and has not come since.
    has_asked: bool,
}

struct RosterList<A: SharedAlloc> {
    uri: Packed<1, A>,
    version: Option<u32>,
    /// Its resources: the one that was named longest ago first.
    ends: ChainEnds,
}

/// The first and the last of a chain of resources.
#[derive(Clone, Copy)]
struct ChainEnds {
    first: u32,
    last: u32,
}

/// Where a chain of resources ends.
const NONE: u32 = u32::MAX;

/// A resource of a list that has not ended.
struct Member<A: SharedAlloc> {
    uri: Packed<1, A>,
    /// The number of its state.
    number: u64,
    /// The update that has named it last.
    round: u64,
    /// The one of its list that was named before it, and the one that was named behind it.
    before: u32,
    after: u32,
    list: ListPlace,
    /// It is a list, whose resources are told in its place.
    is_list: bool,
}

/// A resource that is in its list no longer.
pub(super) struct Vanished<A: SharedAlloc> {
    uri: Packed<1, A>,
    /// The number of its state.
    pub(super) number: u64,
    pub(super) is_list: bool,
}

/// What is to be taken out of lists: all that was named last before a round. The last list is the next.
#[derive(Default)]
pub(super) struct Leaving(std::vec::Vec<(ListPlace, u64)>);

impl Leaving {
    /// What these lists have not named in this round.
    pub(super) fn unnamed(lists: impl IntoIterator<Item = ListPlace>, round: u64) -> Self {
        Self(lists.into_iter().map(|list| (list, round)).collect())
    }

    /// Nothing is left to be taken out.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<A: SharedAlloc> Vanished<A> {
    pub(super) fn uri(&self) -> &[u8] {
        self.uri.get(0)
    }
}

/// An update that has begun.
pub(super) struct Begun {
    /// Its number.
    pub(super) round: u64,
    /// Where its lists are in the roster.
    pub(super) places: std::vec::Vec<Option<ListPlace>>,
    /// A document before it is missing, and the whole state has not been asked for.
    pub(super) asks: bool,
}

impl<A: SharedAlloc> Roster<A> {
    pub(super) fn new(alloc: A) -> Self {
        let (lists, members) = (Vec::new_in(alloc.clone()), Slots::new_in(MOST_RESOURCES, alloc.clone()));
        Self { lists, members, slots: HashTable::new_in(alloc), bytes: 0, round: 0, has_asked: false }
    }

    /// How many resources it has.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// An update has come: notes its versions.
    pub(super) fn begin(&mut self, update: &ListUpdate) -> Begun {
        self.round += 1;
        let mut has_gap = false;
        let mut places = std::vec::Vec::with_capacity(update.lists.len());
        for list in &update.lists {
            let place = self.place_of(list);
            let known = place.and_then(|place| self.lists.get_mut(usize::from(place)));
            if let Some(known) = known {
                let follows = known.version.is_some_and(|before| list.version == Some(before.wrapping_add(1)));
                has_gap |= list.version.is_some() && !list.is_full && !follows;
                known.version = list.version;
            }
            places.push(place);
        }
        let is_full = update.lists.first().is_some_and(|list| list.is_full);
        let asks = has_gap && !self.has_asked;
        self.has_asked = has_gap || self.has_asked && !is_full;
        Begun { round: self.round, places, asks }
    }

    fn place_of(&mut self, list: &ListHead) -> Option<ListPlace> {
        let known = self.lists.iter().position(|known| known.uri.get(0) == list.uri.as_bytes());
        let place = match known {
            Some(place) => place,
            None if self.lists.len() >= MOST_LISTS => return None,
            None => {
                let uri = Packed::try_new([list.uri.as_bytes()], self.lists.allocator().clone()).ok()?;
                self.lists.try_reserve(1).ok()?;
                let ends = ChainEnds { first: NONE, last: NONE };
                self.lists.push(RosterList { uri, version: None, ends });
                self.lists.len() - 1
            }
        };
        ListPlace::try_from(place).ok()
    }

    /// A resource has been named. Gives the number of its state: `number` if it is new.
    ///
    /// # Errors
    /// There is no room for it: if it vanishes, that cannot be told.
    pub(super) fn name(
        &mut self,
        key: &HashKey,
        (list, uri): (ListPlace, &[u8]),
        is_list: bool,
        round: u64,
        number: impl FnOnce() -> u64,
    ) -> Result<u64, OutOfMemory> {
        let hash = key.hash((list, uri));
        if let Some(slot) = self.slot_of(hash, list, uri) {
            self.unlink(slot);
            let member = self.members.get_mut(slot).ok_or(OutOfMemory)?;
            (member.round, member.is_list) = (round.max(member.round), is_list);
            let number = member.number;
            self.link(slot);
            return Ok(number);
        }
        let bytes = self.bytes.saturating_add(uri.len());
        if bytes > MOST_BYTES || self.members.is_full() {
            return Err(OutOfMemory);
        }
        let uri = Packed::try_new([uri], self.lists.allocator().clone())?;
        self.members.try_reserve()?;
        let Self { members, slots, .. } = self;
        let hash_of = |slot: &u32| members.get(*slot).map_or(0, |member| key.hash((member.list, member.uri.get(0))));
        slots.try_reserve(1, hash_of).map_err(|_| OutOfMemory)?;
        let number = number();
        let member = Member { uri, number, round, before: NONE, after: NONE, list, is_list };
        let slot = self.members.insert(|_| member).ok_or(OutOfMemory)?;
        let Self { members, slots, .. } = self;
        let hash_of = |slot: &u32| members.get(*slot).map_or(0, |member| key.hash((member.list, member.uri.get(0))));
        slots.insert_unique(hash, slot, hash_of);
        self.link(slot);
        self.bytes = bytes;
        Ok(number)
    }

    /// The number of a resource's state.
    pub(super) fn number_of(&self, key: &HashKey, (list, uri): (ListPlace, &[u8])) -> Option<u64> {
        let slot = self.slot_of(key.hash((list, uri)), list, uri)?;
        self.members.get(slot).map(|member| member.number)
    }

    /// Those of all.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.members.iter().map(|member| member.number)
    }

    fn slot_of(&self, hash: u64, list: ListPlace, uri: &[u8]) -> Option<u32> {
        let is_it = |member: &Member<A>| member.list == list && member.uri.get(0) == uri;
        self.slots.find(hash, |slot| self.members.get(*slot).is_some_and(is_it)).copied()
    }

    /// Makes a resource the last of its list.
    fn link(&mut self, slot: u32) {
        let Some(member) = self.members.get_mut(slot) else { return };
        let Some(list) = self.lists.get_mut(usize::from(member.list)) else { return };
        (member.before, member.after) = (list.ends.last, NONE);
        let before = std::mem::replace(&mut list.ends.last, slot);
        match self.members.get_mut(before) {
            Some(before) => before.after = slot,
            None => list.ends.first = slot,
        }
    }

    /// Takes a resource out of the chain of its list.
    fn unlink(&mut self, slot: u32) {
        let Some(member) = self.members.get(slot) else { return };
        let (before, after) = (member.before, member.after);
        let Some(list) = self.lists.get_mut(usize::from(member.list)) else { return };
        match self.members.get_mut(before) {
            Some(before) => before.after = after,
            None => list.ends.first = after,
        }
        match self.members.get_mut(after) {
            Some(after) => after.before = before,
            None => list.ends.last = before,
        }
    }

    fn remove(&mut self, key: &HashKey, slot: u32) -> Option<Vanished<A>> {
        self.unlink(slot);
        let Member { uri, number, list, is_list, .. } = self.members.remove(slot)?;
        if let Ok(found) = self.slots.find_entry(key.hash((list, uri.get(0))), |each| *each == slot) {
            found.remove();
        }
        self.bytes = self.bytes.saturating_sub(uri.get(0).len());
        Some(Vanished { uri, number, is_list })
    }

    /// A resource has ended: it is in its list, but there is nothing more to be told of it. If it is a list, all in it is leaving.
    /// Gives the number of its state.
    pub(super) fn end(&mut self, key: &HashKey, (list, uri): (ListPlace, &[u8]), leaving: &mut Leaving) -> Option<u64> {
        let slot = self.slot_of(key.hash((list, uri)), list, uri)?;
        let ended = self.remove(key, slot)?;
        self.leave_with(&ended, leaving);
        Some(ended.number)
    }

    /// What is in a list leaves with it.
    fn leave_with(&mut self, vanished: &Vanished<A>, leaving: &mut Leaving) {
        let is_it = |list: &RosterList<A>| vanished.is_list && list.uri.get(0) == vanished.uri();
        let Some(place) = self.lists.iter().position(is_it) else { return };
        if let Some(list) = self.lists.get_mut(place) {
            list.version = None;
        }
        leaving.0.extend(ListPlace::try_from(place).map(|place| (place, u64::MAX)));
    }

    /// Takes at most so many out, each with the URI of its list. Time is linear in that number, and in the lists that have nothing to be
    /// taken out.
    pub(super) fn take(
        &mut self,
        key: &HashKey,
        leaving: &mut Leaving,
        most: usize,
    ) -> std::vec::Vec<(std::vec::Vec<u8>, Vanished<A>)> {
        let mut taken = std::vec::Vec::new();
        while taken.len() < most
            && let Some(&(place, before)) = leaving.0.last()
        {
            let slot = self.lists.get(usize::from(place)).map_or(NONE, |list| list.ends.first);
            let leaves = self.members.get(slot).is_some_and(|member| member.round < before);
            match if leaves { self.remove(key, slot) } else { None } {
                Some(vanished) => {
                    self.leave_with(&vanished, leaving);
                    taken.push((self.list_uri(place), vanished));
                }
                None => {
                    leaving.0.pop();
                }
            }
        }
        taken
    }

    /// The URI of a list.
    fn list_uri(&self, place: ListPlace) -> std::vec::Vec<u8> {
        self.lists.get(usize::from(place)).map_or_else(std::vec::Vec::new, |list| list.uri.get(0).to_vec())
    }
}
