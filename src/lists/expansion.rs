//! The message of a list, taken apart: one message for each instance of a resource, and for each resource that has vanished.

use std::sync::atomic::Ordering;
use std::vec::IntoIter;

use parking_lot::lock_api::RawMutex;

use super::Rosters;
use super::roster::{Begun, Leaving, ListPlace, Roster, Vanished};
use crate::document::{ContentType, InstanceState, ListInstance, ListUpdate, ListedState, is_list};
use crate::memory::SharedAlloc;
use crate::qsa::{Delivered, Hub, Listed, SubscriptionId};
use crate::subscription::{Brief, News, Options, Status};

/// Why a resource that is in its list no longer has ended (RFC 6665 §4.1.3).
const NO_RESOURCE: &[u8] = b"noresource";

/// The message of a list whose resources are being told. In the memory of the process that has taken the message.
pub struct Expansion<A: SharedAlloc> {
    of: Delivered<A>,
    update: ListUpdate,
    /// The next of its states.
    next: usize,
    /// Of each resource, whether any of its instances has not ended.
    goes_on: Vec<bool>,
    /// Where its lists are in the roster; none for want of memory.
    begun: Option<Begun>,
    /// What is to be taken out of the roster, a few at a time.
    leaving: Leaving,
    /// Resources that have vanished, each behind the URI of its list: they are told next.
    vanished: IntoIter<(Vec<u8>, Vanished<A>)>,
    /// Resources that found no room in the roster.
    unremembered: u64,
    stage: ExpansionStage,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExpansionStage {
    Begins,
    States,
    Swept,
    Over,
}

/// How many resources are taken out of the roster at a time: others wait for its lock.
const MOST_TAKEN: usize = 64;

/// What the Content-Type of each list begins with; the second is of one without parts.
const KINDS: [&[u8]; 2] = [b"multipart/", b"application/rlmi+xml"];

impl<A: SharedAlloc> Expansion<A> {
    /// Whether a message may be that of a list: what nearly all are is told without a closer look.
    #[must_use]
    #[inline]
    pub fn may_be(of: &Delivered<A>) -> bool {
        of.message.news().list && Self::begins_as_list(of)
    }

    #[cold]
    fn begins_as_list(of: &Delivered<A>) -> bool {
        let [kind, _] = of.message.content();
        let kind = kind.trim_ascii_start();
        KINDS.iter().any(|known| kind.get(..known.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(known)))
    }

    /// Takes the message of a list apart, if it is one and its subscription has asked for lists.
    ///
    /// # Errors
    /// Any other message, to be told as it is.
    pub fn open<L: RawMutex>(
        of: Delivered<A>,
        lists: &Rosters<A, L>,
        hub: &Hub<A, L>,
    ) -> Result<Self, Box<Delivered<A>>> {
        let [kind, body] = of.message.content();
        let kind = if body.is_empty() { None } else { ContentType::parse(kind).ok().filter(is_list) };
        let Some(kind) = kind.filter(|_| asks_for_lists(hub, of.message.subscription())) else {
            return Err(Box::new(of));
        };
        let update = match ListUpdate::read(&kind, body, body.len()) {
            Ok(update) => update,
            Err(fault) => {
                if let Some(on_fault) = lists.on_fault {
                    on_fault(of.message.subscription(), &fault);
                }
                return Err(Box::new(of));
            }
        };
        let mut goes_on = vec![false; update.resources.len()];
        for state in &update.states {
            if let Some(goes_on) = state.resource.and_then(|resource| goes_on.get_mut(resource)) {
                *goes_on |= state.instance.as_ref().is_none_or(|of| of.state != InstanceState::Terminated);
            }
        }
        let (leaving, vanished, stage) = (Leaving::default(), Vec::new().into_iter(), ExpansionStage::Begins);
        Ok(Self { of, update, next: 0, goes_on, begun: None, leaving, vanished, unremembered: 0, stage })
    }

    /// The subscription.
    #[must_use]
    pub fn subscription(&self) -> SubscriptionId {
        self.of.message.subscription()
    }

    /// The next message; none when all have been told, or the subscription has ended.
    pub fn next<L: RawMutex>(&mut self, lists: &Rosters<A, L>, hub: &Hub<A, L>) -> Option<Delivered<A>> {
        if self.stage != ExpansionStage::Over && !hub.is_subscribed(self.subscription()) {
            self.stage = ExpansionStage::Over;
            (self.leaving, self.vanished) = (Leaving::default(), Vec::new().into_iter());
            lists.forget_if_ended(hub, self.subscription());
        }
        loop {
            if let Some((list, vanished)) = self.vanished.next() {
                if vanished.is_list {
                    continue;
                }
                let [list, record] = [&list, vanished.uri()].map(|uri| String::from_utf8_lossy(uri).into_owned());
                let listed = Listed { list, record, ..Listed::default() };
                return Some(self.told(Status::Terminated, NO_RESOURCE, listed));
            }
            if !self.leaving.is_empty() {
                let take = |roster: &mut Roster<A>| roster.take(&lists.key, &mut self.leaving, MOST_TAKEN);
                match lists.with_roster(self.of.message.subscription(), take) {
                    Some(taken) => {
                        taken.iter().for_each(|(_, vanished)| lists.gone(vanished.number));
                        self.vanished = taken.into_iter();
                    }
                    None => self.leaving = Leaving::default(),
                }
                continue;
            }
            match self.stage {
                ExpansionStage::Begins => {
                    self.begin(lists, hub);
                    self.stage = ExpansionStage::States;
                }
                ExpansionStage::States => match self.update.states.get(self.next).cloned() {
                    Some(state) => {
                        self.next += 1;
                        if let Some(told) = self.state(lists, state) {
                            return Some(told);
                        }
                    }
                    None => {
                        self.sweep();
                        self.stage = ExpansionStage::Swept;
                    }
                },
                ExpansionStage::Swept => {
                    lists.forget_if_ended(hub, self.subscription());
                    self.stage = ExpansionStage::Over;
                    if self.unremembered > 0
                        && let Some(on_unremembered) = lists.on_unremembered
                    {
                        on_unremembered(self.subscription(), self.unremembered);
                    }
                    // What names no resource says at least that the subscription is active.
                    if self.of.message.is_last() || self.update.states.is_empty() {
                        let message = self.of.message.about_resource(*self.of.message.news()).without_body();
                        return Some(Delivered { message, subscriber_data: self.of.subscriber_data, listed: None });
                    }
                }
                ExpansionStage::Over => return None,
            }
        }
    }

    fn begin<L: RawMutex>(&mut self, lists: &Rosters<A, L>, hub: &Hub<A, L>) {
        let id = self.subscription();
        self.begun = lists.with_roster(id, |roster| roster.begin(&self.update));
        lists.forget_if_ended(hub, id);
        if let (Some(true), Some(on_gap)) = (self.begun.as_ref().map(|begun| begun.asks), lists.on_gap) {
            on_gap(id);
        }
    }

    fn place(&self, list: usize) -> Option<ListPlace> {
        self.begun.as_ref().and_then(|begun| begun.places.get(list).copied().flatten())
    }

    /// Notes a state in the roster; its message, unless a list is told in its place.
    fn state<L: RawMutex>(&mut self, lists: &Rosters<A, L>, state: ListedState) -> Option<Delivered<A>> {
        let list = self.update.lists.get(state.list).map(|list| list.uri.clone()).unwrap_or_default();
        let resource = state.resource.and_then(|resource| self.update.resources.get(resource));
        let goes_on = state.resource.and_then(|resource| self.goes_on.get(resource)).copied().unwrap_or(true);
        let mut kept = None;
        if let Some(resource) = resource {
            let of_list = self.begun.as_ref().zip(self.place(state.list));
            let note = |roster: &mut Roster<A>| {
                let (begun, place) = of_list?;
                let named = (place, resource.uri.as_bytes());
                if goes_on {
                    let next = || lists.number.fetch_add(1, Ordering::Relaxed);
                    return Some((
                        place,
                        roster.name(&lists.key, named, state.opened.is_some(), begun.round, next).ok()?,
                    ));
                }
                Some((place, roster.end(&lists.key, named, &mut self.leaving)?))
            };
            match lists.with_roster(self.of.message.subscription(), note).flatten() {
                Some(noted) if goes_on => kept = Some(noted),
                Some((_, number)) => lists.gone(number),
                None if goes_on => {
                    self.unremembered += 1;
                    lists.unremembered.fetch_add(1, Ordering::Relaxed);
                }
                None => {}
            }
        }
        if state.opened.is_some() {
            return None;
        }
        let record = resource.map_or_else(|| list.clone(), |resource| resource.uri.clone());
        let name = resource.and_then(|resource| resource.name.clone());
        let (status, reason, id) = match state.instance {
            Some(ListInstance { id, state: InstanceState::Active, reason }) => (Status::Active, reason, id),
            Some(ListInstance { id, state: InstanceState::Pending, reason }) => (Status::Pending, reason, id),
            Some(ListInstance { id, state: InstanceState::Terminated, reason }) => (Status::Terminated, reason, id),
            None if resource.is_none() => (Status::Active, None, None),
            None => (Status::Pending, None, None),
        };
        let [content_type, body] = state.part.map_or([0..0, 0..0], |part| [part.content_type, part.body]);
        let listed = Listed { list, record, name, instance: id, content_type, body, is_alone: false };
        let mut told = self.told(status, reason.as_deref().unwrap_or_default().as_bytes(), listed);
        // Of a resource that goes on, an instance that has ended says nothing.
        if let Some(noted) = kept.filter(|_| status != Status::Terminated) {
            lists.keep(noted, &mut told);
        }
        Some(told)
    }

    fn told(&self, status: Status, reason: &[u8], listed: Listed) -> Delivered<A> {
        let with_body = !listed.body.is_empty();
        let news = News { with_body, fork: self.of.message.fork(), ..News::new(status, Brief::new(reason)) };
        let message = self.of.message.about_resource(news);
        Delivered { message, subscriber_data: self.of.subscriber_data, listed: Some(Box::new(listed)) }
    }

    /// Looks for what whole lists no longer have. The end of the subscription says nothing of that.
    fn sweep(&mut self) {
        let Some(begun) = self.begun.as_ref().filter(|_| !self.of.message.is_last()) else { return };
        let whole = self.update.lists.iter().zip(&begun.places).filter(|(list, _)| list.is_full);
        self.leaving = Leaving::unnamed(whole.filter_map(|(_, place)| *place), begun.round);
    }
}

fn asks_for_lists<A: SharedAlloc, L: RawMutex>(hub: &Hub<A, L>, id: SubscriptionId) -> bool {
    let options = hub.with_subscription(id, |wanted| wanted.first_param.to_vec());
    options.is_some_and(|options| Options::parse(&options).is_ok_and(|options| options.terms.list))
}
