//! One address of record.

use allocator_api2::vec::Vec;

use super::events::{ContactEvent, ContactFacts, EndedContact, NotedEvent};
use crate::memory::{OutOfMemory, Packed, SharedAlloc};

/// How many events of one address wait at a time. Above that a contact that is gone is no longer named in a document, only omitted.
const MOST_NOTED: usize = 64;

/// The most bytes of their texts.
const MOST_BYTES: usize = 32 * 1024;

/// How many contacts of one address are remembered as told.
const MOST_TOLD: usize = 1024;

/// A subscription to the registrations of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Its number.
    pub subscription: u64,
    /// The version of its next document.
    pub version: u32,
    /// It has not been told the state yet.
    pub is_new: bool,
}

/// A subscription that ends with the last contact.
#[derive(Clone, Copy)]
pub(super) struct BoundHandle {
    pub(super) handle: u64,
    /// A worker ends it now.
    is_ending: bool,
}

/// What has become of a request to bind a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationBinding {
    /// It ends with the last contact.
    Bound {
        /// How many others do.
        others: usize,
    },
    /// It is just being ended, because the last contact was gone.
    Ending,
}

/// The message about an address, and the subscriptions that end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The subscriptions that get it.
    pub followers: std::vec::Vec<Follower>,
    /// What has happened to contacts that are there, by the hash of their ids.
    pub events: std::vec::Vec<(u64, ContactEvent)>,
    /// The contacts that are gone.
    pub ended: std::vec::Vec<EndedContact>,
    /// How many more are gone, for which there was no room.
    pub omitted: usize,
    /// The subscriptions to end, because no contact is left.
    pub unbound: std::vec::Vec<u64>,
}

/// An address of record with a subscription.
pub(super) struct AorEntry<A: SharedAlloc> {
    pub(super) aor: Packed<1, A>,
    pub(super) hash: u64,
    pub(super) followers: Vec<Follower, A>,
    pub(super) bound: Vec<BoundHandle, A>,
    noted: Vec<NotedEvent<A>, A>,
    noted_bytes: usize,
    omitted: usize,
    /// Something has happened that all followers are to be told.
    has_news: bool,
    /// The hashes of the ids of contacts that were told as active.
    told: Vec<u64, A>,
    /// These are all that there were.
    knows_all: bool,
    /// There is something to tell.
    pub(super) is_marked: bool,
    /// It is in its shard's list of those that a worker has to look at.
    pub(super) is_listed: bool,
}

impl<A: SharedAlloc> AorEntry<A> {
    pub(super) fn try_new(hash: u64, aor: &[u8], alloc: &A) -> Result<Self, OutOfMemory> {
        Ok(Self {
            aor: Packed::try_new([aor], alloc.clone())?,
            hash,
            followers: Vec::new_in(alloc.clone()),
            bound: Vec::new_in(alloc.clone()),
            noted: Vec::new_in(alloc.clone()),
            noted_bytes: 0,
            omitted: 0,
            has_news: false,
            told: Vec::new_in(alloc.clone()),
            knows_all: false,
            is_marked: false,
            is_listed: false,
        })
    }

    pub(super) fn is(&self, hash: u64, aor: &[u8]) -> bool {
        self.hash == hash && self.aor.get(0) == aor
    }

    /// Whether nobody needs it.
    pub(super) fn is_idle(&self) -> bool {
        self.followers.is_empty() && self.bound.is_empty()
    }

    pub(super) fn mark(&mut self) {
        self.is_marked = true;
    }

    /// A subscription has ended. Nothing is noted while nobody follows, so what was noted before may be wrong for whoever is next.
    pub(super) fn unfollow(&mut self, subscription: u64) {
        self.followers.retain(|follower| follower.subscription != subscription);
        if self.followers.is_empty() {
            self.noted.clear();
            self.told.clear();
            (self.noted_bytes, self.omitted) = (0, 0);
            (self.has_news, self.knows_all) = (false, false);
        }
    }

    pub(super) fn bind(&mut self, handle: u64) -> Result<RegistrationBinding, OutOfMemory> {
        match self.bound.iter().find(|bound| bound.handle == handle) {
            Some(BoundHandle { is_ending: true, .. }) => return Ok(RegistrationBinding::Ending),
            Some(_) => {}
            None => {
                self.bound.try_reserve(1).map_err(|_| OutOfMemory)?;
                self.bound.push(BoundHandle { handle, is_ending: false });
            }
        }
        Ok(RegistrationBinding::Bound { others: self.bound.len().saturating_sub(1) })
    }

    /// Notes an event; whether a worker has to look at this address.
    pub(super) fn note(&mut self, event: ContactEvent, contact: u64, facts: &ContactFacts<'_>, alloc: &A) -> bool {
        // Where a subscription is bound only the last contact's end matters: the worker finds out whether it was the last.
        self.is_marked |= event.is_end() && !self.bound.is_empty();
        if self.followers.is_empty() {
            return self.is_marked;
        }
        let waiting = self.noted.iter().position(|noted| noted.contact == contact);
        let before = waiting.and_then(|at| self.noted.get(at)).map(|noted| noted.event);
        let is_told = || self.told.contains(&contact) || !self.knows_all && event.is_end();
        let is_there = before.map_or_else(is_told, |before| !before.is_end());
        let event = match event {
            // Told already, or never heard of: the location service can say the end more than once.
            _ if event.is_end() && !is_there => return self.is_marked,
            ContactEvent::Refreshed if !is_there || before == Some(ContactEvent::Registered) => {
                ContactEvent::Registered
            }
            event => event,
        };
        (self.is_marked, self.has_news) = (true, true);
        if let Some(gone) = waiting.map(|at| self.noted.swap_remove(at)) {
            self.noted_bytes = self.noted_bytes.saturating_sub(gone.size());
        }
        let texts = facts.id.len() + facts.uri.len() + facts.call_id.len();
        let has_room = self.noted.len() < MOST_NOTED && (!event.is_end() || self.noted_bytes + texts <= MOST_BYTES);
        let noted = NotedEvent::try_new(event, contact, facts, alloc);
        match noted {
            Ok(noted) if has_room && self.noted.try_reserve(1).is_ok() => {
                self.noted_bytes += noted.size();
                self.noted.push(noted);
            }
            // The state is sent anyway.
            _ => self.omitted += usize::from(event.is_end()),
        }
        true
    }

    /// Takes what is to be told, where the address has these contacts.
    pub(super) fn collect(&mut self, contacts: &[u64]) -> Option<Collected> {
        let is_changed = std::mem::take(&mut self.is_marked);
        if !is_changed {
            return None;
        }
        let mut collected = Collected { omitted: std::mem::take(&mut self.omitted), ..Collected::default() };
        let noted = std::mem::replace(&mut self.noted, Vec::new_in(self.told.allocator().clone()));
        self.noted_bytes = 0;
        for noted in &noted {
            match noted.ended() {
                Some(ended) => collected.ended.push(ended),
                None => collected.events.push((noted.contact, noted.event)),
            }
        }
        let is_news = std::mem::take(&mut self.has_news);
        for follower in self.followers.iter_mut().filter(|follower| is_news || follower.is_new) {
            collected.followers.push(*follower);
            follower.version = follower.version.wrapping_add(1);
            follower.is_new = false;
        }
        if contacts.is_empty() {
            for bound in self.bound.iter_mut() {
                bound.is_ending = true;
                collected.unbound.push(bound.handle);
            }
        }
        self.told.clear();
        self.knows_all = contacts.len() <= MOST_TOLD && self.told.try_reserve(contacts.len()).is_ok();
        if self.knows_all && !self.followers.is_empty() {
            self.told.extend_from_slice(contacts);
        }
        Some(collected)
    }
}
