//! The resources of one subscription's lists, as far as they have been told.

use allocator_api2::vec::Vec;
use hashbrown::HashTable;

use crate::document::{ListHead, ListUpdate};
use crate::memory::{HashKey, OutOfMemory, Packed, SharedAlloc};

/// The most lists of one subscription that are remembered, lists in lists included.
const MOST_LISTS: usize = 256;

/// The most resources of one subscription that are remembered.
const MOST_RESOURCES: usize = 65_536;

/// The most bytes of their URIs.
const MOST_BYTES: usize = 4 << 20;

/// How often resources that vanish with their list are looked for: lists inside one another.
const MOST_PASSES: usize = 8;

/// The place of a list in its roster.
pub(super) type ListPlace = u16;

/// The resources of one subscription's lists.
pub(super) struct Roster<A: SharedAlloc> {
    lists: Vec<RosterList<A>, A>,
    members: HashTable<Member<A>, A>,
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
}

/// A resource of a list that has not ended.
struct Member<A: SharedAlloc> {
    uri: Packed<1, A>,
    /// The update that has named it last.
    round: u64,
    list: ListPlace,
    /// It is a list, whose resources are told in its place.
    is_list: bool,
}

/// A resource that is in its list no longer.
pub(super) struct Vanished<A: SharedAlloc> {
    uri: Packed<1, A>,
    pub(super) list: ListPlace,
    pub(super) is_list: bool,
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
        let (lists, members) = (Vec::new_in(alloc.clone()), HashTable::new_in(alloc));
        Self { lists, members, bytes: 0, round: 0, has_asked: false }
    }

    /// How many resources it has.
    pub(super) fn len(&self) -> usize {
        self.members.len()
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
                self.lists.push(RosterList { uri, version: None });
                self.lists.len() - 1
            }
        };
        ListPlace::try_from(place).ok()
    }

    /// A resource has been named.
    ///
    /// # Errors
    /// There is no room for it: if it vanishes, that cannot be told.
    pub(super) fn name(
        &mut self,
        key: &HashKey,
        (list, uri): (ListPlace, &[u8]),
        is_list: bool,
        round: u64,
    ) -> Result<(), OutOfMemory> {
        let hash = key.hash((list, uri));
        let is_it = |member: &Member<A>| member.list == list && member.uri.get(0) == uri;
        if let Some(member) = self.members.find_mut(hash, is_it) {
            (member.round, member.is_list) = (round.max(member.round), is_list);
            return Ok(());
        }
        let bytes = self.bytes.saturating_add(uri.len());
        if self.members.len() >= MOST_RESOURCES || bytes > MOST_BYTES {
            return Err(OutOfMemory);
        }
        let uri = Packed::try_new([uri], self.lists.allocator().clone())?;
        let hash_of = |member: &Member<A>| key.hash((member.list, member.uri.get(0)));
        self.members.try_reserve(1, hash_of).map_err(|_| OutOfMemory)?;
        self.members.insert_unique(hash, Member { uri, round, list, is_list }, hash_of);
        self.bytes = bytes;
        Ok(())
    }

    /// A resource has ended: it is in its list, but there is nothing more to be told of it. What was told in its place vanishes.
    pub(super) fn end(&mut self, key: &HashKey, list: ListPlace, uri: &[u8]) -> std::vec::Vec<Vanished<A>> {
        let is_it = |member: &Member<A>| member.list == list && member.uri.get(0) == uri;
        let Ok(found) = self.members.find_entry(key.hash((list, uri)), is_it) else { return std::vec::Vec::new() };
        let (member, _) = found.remove();
        self.bytes = self.bytes.saturating_sub(uri.len());
        let ended = Vanished { uri: member.uri, list, is_list: member.is_list };
        self.with_inner(std::vec::Vec::from([ended])).into_iter().skip(1).collect()
    }

    /// What whole lists have not named in this update has vanished, and is taken out.
    pub(super) fn sweep(&mut self, lists: &[ListPlace], round: u64) -> std::vec::Vec<Vanished<A>> {
        let vanished = self.take(|member| member.round < round && lists.contains(&member.list));
        self.with_inner(vanished)
    }

    /// Adds what has vanished with its list.
    fn with_inner(&mut self, mut vanished: std::vec::Vec<Vanished<A>>) -> std::vec::Vec<Vanished<A>> {
        let mut seen = 0;
        for _ in 0..MOST_PASSES {
            let gone: std::vec::Vec<_> = vanished
                .iter()
                .skip(seen)
                .filter(|each| each.is_list)
                .filter_map(|each| self.lists.iter().position(|list| list.uri.get(0) == each.uri()))
                .collect();
            if gone.is_empty() {
                break;
            }
            seen = vanished.len();
            let mut is_gone = std::vec![false; self.lists.len()];
            for place in gone {
                if let Some(is_gone) = is_gone.get_mut(place) {
                    *is_gone = true;
                }
                if let Some(list) = self.lists.get_mut(place) {
                    list.version = None;
                }
            }
            vanished.extend(self.take(|member| is_gone.get(usize::from(member.list)).copied().unwrap_or(false)));
        }
        vanished
    }

    fn take(&mut self, is_gone: impl Fn(&Member<A>) -> bool) -> std::vec::Vec<Vanished<A>> {
        let taken = self.members.extract_if(|member| is_gone(member));
        let taken: std::vec::Vec<_> =
            taken.map(|Member { uri, list, is_list, .. }| Vanished { uri, list, is_list }).collect();
        self.bytes = self.bytes.saturating_sub(taken.iter().map(|each| each.uri().len()).sum());
        taken
    }

    /// The URI of a list.
    pub(super) fn list_uri(&self, place: ListPlace) -> std::vec::Vec<u8> {
        self.lists.get(usize::from(place)).map_or_else(std::vec::Vec::new, |list| list.uri.get(0).to_vec())
    }
}
