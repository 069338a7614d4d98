//! The latest news of one subscription.

use std::num::NonZero;

use arrayvec::ArrayVec;

use super::StateSubject;
use super::names::NamePlace;
use crate::memory::{OutOfMemory, Packed, SharedAlloc, SharedTexts};
use crate::subscription::{Brief, News, Status};
use crate::time::Millis;

/// The most documents that wait to be settled. They wait no longer than the process takes that has accepted them.
pub(super) const MOST_PENDING: usize = 8;

/// A settled state.
pub struct Settled<A: SharedAlloc> {
    /// Content type and document. A document that tells the whole state is in the memory of its message.
    pub texts: LatestDocument<A>,
    /// Its fields as [`pack_fields`](super::pack_fields) makes them.
    pub fields: SharedTexts<1, A>,
    /// The version of the newest document in it, if the state does not say it itself.
    pub version: Option<u32>,
    /// No document is missing in it.
    pub is_whole: bool,
    /// It is of documents that may tell only what has changed.
    pub is_merged: bool,
}

impl<A: SharedAlloc> Settled<A> {
    fn size(&self) -> usize {
        self.texts.size().saturating_add(self.fields.size())
    }

    /// What it takes, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.size() as u64
    }
}

impl<A: SharedAlloc> Clone for Settled<A> {
    fn clone(&self) -> Self {
        Self { texts: self.texts.clone(), fields: self.fields.clone(), ..*self }
    }
}

/// A document as it came: content type and body, those of the message to the subscriber.
pub type LatestDocument<A> = SharedTexts<2, A>;

/// What one state is to be made of.
pub struct Unsettled<A: SharedAlloc> {
    /// What was settled before, if its subscription has not ended since.
    pub settled: Option<Settled<A>>,
    /// What has come since, the oldest first, and whether it tells only what has changed.
    pub documents: ArrayVec<(LatestDocument<A>, bool), MOST_PENDING>,
    /// A document between the two is lost.
    pub has_gap: bool,
    /// How many documents had been pushed.
    pushed: u32,
    /// How often the entry had been settled.
    settlements: u32,
    /// How often the state had ended.
    ends: u32,
}

/// The list that a state comes from: that of a resource, which has no subscription of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateOwner {
    /// The handle of the list's subscription.
    pub handle: NonZero<u64>,
    /// How often the state of the list had ended when this one came.
    pub ends: u32,
    /// Tells the instances of the resource apart.
    pub instance: u32,
}

/// What is known of a subscription, or of a resource of a list.
pub struct LatestView<A: SharedAlloc> {
    /// Its status.
    pub status: Status,
    /// Why, if there is a reason to give.
    pub reason: Brief,
    /// SIP code of the reply that caused it; 0 for a NOTIFY or an inner event.
    pub code: u16,
    /// When the newest news came.
    pub updated: Millis,
    /// There was no memory to settle the newest state.
    pub is_behind: bool,
    /// The list that it comes from.
    pub owner: Option<StateOwner>,
    /// How often it has ended.
    pub ends: u32,
    /// The state as it was settled last; none of a subscription that has lapsed or has been ended, whose state nobody knows.
    pub settled: Option<Settled<A>>,
}

impl<A: SharedAlloc> LatestView<A> {
    /// Whether a notifier stands behind the state.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.status == Status::Active && self.settled.is_some()
    }
}

pub(super) struct LatestEntry<A: SharedAlloc> {
    subject: Option<Packed<4, A>>,
    owner: Option<StateOwner>,
    settled: Option<Settled<A>>,
    pending: ArrayVec<LatestDocument<A>, MOST_PENDING>,
    updated: Millis,
    pushed: u32,
    settlements: u32,
    ends: u32,
    /// What `ends` was when the settled state came.
    settled_at: u32,
    reason: Brief,
    code: u16,
    status: Status,
    /// The documents of `pending` that tell only what has changed, the oldest in the lowest bit.
    partial: u8,
    /// How many of `pending` have been overtaken by an end.
    overtaken: u8,
    has_gap: bool,
    /// There was no memory for the newest state.
    is_behind: bool,
    /// The whole state has been asked for, and has not come yet.
    has_asked: bool,
}

impl<A: SharedAlloc> LatestEntry<A> {
    pub(super) fn new(news: &News, now: Millis) -> Self {
        Self {
            subject: None,
            owner: None,
            settled: None,
            pending: ArrayVec::new(),
            updated: now,
            pushed: 0,
            settlements: 0,
            ends: 0,
            settled_at: 0,
            reason: news.reason,
            code: news.code,
            status: news.status,
            partial: 0,
            overtaken: 0,
            has_gap: false,
            is_behind: false,
            has_asked: false,
        }
    }

    /// Takes news, and the document that came with them; the document that had to make room, if one had to.
    pub(super) fn push(
        &mut self,
        news: &News,
        document: Option<(LatestDocument<A>, bool)>,
        now: Millis,
    ) -> Option<LatestDocument<A>> {
        let News { status, code, reason, .. } = *news;
        (self.status, self.code, self.reason, self.updated) = (status, code, reason, now);
        if !goes_on(status) {
            self.end();
            return document.map(|(document, _)| document);
        }
        let (document, is_partial) = document?;
        let gone = self.pending.is_full().then(|| self.drop_oldest());
        self.pushed = self.pushed.wrapping_add(1);
        if is_partial {
            self.partial |= 1u8.checked_shl(self.pending.len() as u32).unwrap_or(0);
        }
        match self.pending.try_push(document) {
            Ok(()) => gone,
            Err(full) => Some(full.element()),
        }
    }

    /// Nobody knows the state any more: what has come so far counts for nothing.
    pub(super) fn end(&mut self) {
        self.ends = self.ends.wrapping_add(1);
        self.overtaken = u8::try_from(self.pending.len()).unwrap_or(u8::MAX);
        (self.has_gap, self.is_behind, self.has_asked) = (false, false, false);
    }

    fn drop_oldest(&mut self) -> LatestDocument<A> {
        self.has_gap |= self.overtaken == 0;
        self.overtaken = self.overtaken.saturating_sub(1);
        self.partial >>= 1;
        self.pending.remove(0)
    }

    fn is_over(&self) -> bool {
        self.settled_at != self.ends
    }

    pub(super) fn unsettled(&mut self) -> Option<Unsettled<A>> {
        let overtaken = usize::from(self.overtaken);
        let documents: ArrayVec<_, MOST_PENDING> = self
            .pending
            .iter()
            .enumerate()
            .skip(overtaken)
            .map(|(index, document)| (document.clone(), self.is_partial(index)))
            .collect();
        (!documents.is_empty()).then(|| Unsettled {
            settled: self.settled.as_ref().filter(|_| !self.is_over()).cloned(),
            documents,
            has_gap: self.has_gap,
            pushed: self.pushed,
            settlements: self.settlements,
            ends: self.ends,
        })
    }

    /// Nothing has been settled or has ended since then.
    fn is_unchanged_since(&self, then: &Unsettled<A>) -> bool {
        (self.settlements, self.ends) == (then.settlements, then.ends)
    }

    /// Takes a state that was made of `of`, unless another one was faster; whether the whole state is to be asked for. What is left to the
    /// caller is to be dropped without the lock.
    pub(super) fn take(&mut self, of: &Unsettled<A>, made: Settled<A>) -> Result<(Gone<A>, bool), Settled<A>> {
        if !self.is_unchanged_since(of) {
            return Err(made);
        }
        self.settlements = self.settlements.wrapping_add(1);
        let since = usize::try_from(self.pushed.wrapping_sub(of.pushed)).unwrap_or(MOST_PENDING);
        let done = self.pending.len().saturating_sub(since);
        let documents = self.drop_first(done);
        // Of those that made room since then, the first were in what was settled now.
        self.has_gap &= since > MOST_PENDING;
        (self.settled_at, self.is_behind) = (self.ends, false);
        let asks = !made.is_whole && !self.has_asked;
        self.has_asked = !made.is_whole;
        Ok((Gone { settled: self.settled.replace(made), _documents: documents }, asks))
    }

    /// Takes away what an end has left; to be dropped without the lock.
    pub(super) fn tidy(&mut self) -> Gone<A> {
        let settled = if self.is_over() { self.settled.take() } else { None };
        Gone { settled, _documents: self.drop_first(self.overtaken.into()) }
    }

    /// There was no memory to settle `of`: the state that is there is not known to be true, unless another process was faster. `has_asked`: the
    /// whole state was to be asked for, and now is not. What a waiting document replaces goes: it would take the memory that is missing.
    pub(super) fn fall_behind(&mut self, of: &Unsettled<A>, has_asked: bool) -> Gone<A> {
        if !self.is_unchanged_since(of) {
            return Gone { settled: None, _documents: ArrayVec::new() };
        }
        self.is_behind = true;
        self.has_asked &= !has_asked;
        let overtaken = usize::from(self.overtaken);
        let newest_full = (overtaken..self.pending.len()).rev().find(|index| !self.is_partial(*index));
        let Some(replaced) = newest_full else { return Gone { settled: None, _documents: ArrayVec::new() } };
        Gone { settled: self.settled.take(), _documents: self.drop_first(replaced) }
    }

    /// Whether a waiting document tells only what has changed.
    fn is_partial(&self, index: usize) -> bool {
        self.partial.checked_shr(index as u32).is_some_and(|bits| bits & 1 != 0)
    }

    /// Takes away the oldest of what waits.
    fn drop_first(&mut self, count: usize) -> ArrayVec<LatestDocument<A>, MOST_PENDING> {
        let count = count.min(self.pending.len());
        self.partial = self.partial.checked_shr(count as u32).unwrap_or(0);
        self.overtaken = self.overtaken.saturating_sub(u8::try_from(count).unwrap_or(u8::MAX));
        self.pending.drain(..count).collect()
    }

    pub(super) fn view(&self) -> LatestView<A> {
        let Self { status, reason, code, updated, owner, ends, .. } = *self;
        let is_known = goes_on(status) && !self.is_over() && !self.is_behind;
        let is_behind = self.is_behind;
        LatestView {
            status,
            reason,
            code,
            updated,
            is_behind,
            owner,
            ends,
            settled: self.settled.as_ref().filter(|_| is_known).cloned(),
        }
    }

    /// How often it has ended.
    pub(super) fn ends(&self) -> u32 {
        self.ends
    }

    /// Says which list it comes from; the one that was said before.
    pub(super) fn set_owner(&mut self, owner: StateOwner) -> Option<StateOwner> {
        self.owner.replace(owner)
    }

    pub(super) fn is_named(&self) -> bool {
        self.subject.is_some()
    }

    /// Takes the name, or gives it back when there is one.
    pub(super) fn try_name(&mut self, subject: Packed<4, A>) -> Result<(), Packed<4, A>> {
        match self.subject {
            Some(_) => Err(subject),
            None => {
                self.subject = Some(subject);
                Ok(())
            }
        }
    }

    pub(super) fn subject(&self) -> Option<StateSubject<'_>> {
        self.subject.as_ref().map(Packed::all)
    }

    pub(super) fn is_of(&self, record: &[u8], subscriber: Option<&[u8]>, package: &[u8]) -> bool {
        let is = |[own, of, kind, _]: StateSubject<'_>| {
            own == record && kind == package && subscriber.is_none_or(|subscriber| subscriber == of)
        };
        self.subject().is_some_and(is)
    }

    /// What it takes of memory with its places in the tables, but for the texts of messages.
    pub(super) fn bytes(&self) -> u64 {
        const OVERHEAD: usize = size_of::<(u64, usize)>() + 2 * size_of::<NamePlace>();
        let subject = self.subject.as_ref().map_or(0, Packed::size);
        let settled = self.settled.as_ref().map_or(0, Settled::size);
        OVERHEAD.saturating_add(size_of::<Self>()).saturating_add(subject).saturating_add(settled) as u64
    }
}

/// Whether a subscription with this status has a state.
fn goes_on(status: Status) -> bool {
    matches!(status, Status::Active | Status::Pending)
}

/// What is not needed any more: to be dropped without a lock.
pub(super) struct Gone<A: SharedAlloc> {
    settled: Option<Settled<A>>,
    _documents: ArrayVec<LatestDocument<A>, MOST_PENDING>,
}

impl<A: SharedAlloc> Gone<A> {
    /// What it took of the memory of its entry.
    pub(super) fn bytes(&self) -> u64 {
        self.settled.as_ref().map_or(0, Settled::bytes)
    }
}

pub(super) fn pack<A: SharedAlloc>(subject: StateSubject<'_>, alloc: A) -> Result<Packed<4, A>, OutOfMemory> {
    Packed::try_new(subject, alloc)
}
