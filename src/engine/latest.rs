//! The newest states of subscriptions, for those that want them at hand.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Engine, Lack, Owner, ShmLatest};
use crate::document::{Document, FIELDS, FieldText, KeptDocument, MergedDocument, blanked, merge};
use crate::host::shm::Shm;
use crate::latest::{KeptValue, LatestDocument, LatestView, Settled, Unsettled, pack_fields};
use crate::memory::{OutOfMemory, SharedTexts};
use crate::qsa::{Prepared, Pushed, SubscriptionId};
use crate::registry::{Handle, Stepped};
use crate::subscription::{Content, Input, News, Output, Status};

/// The states, and how many of them found no room.
pub(super) struct KeptStates {
    pub(super) states: ShmLatest,
    /// Since it was last said.
    lost: AtomicUsize,
}

impl KeptStates {
    pub(super) fn new(states: ShmLatest) -> Self {
        Self { states, lost: AtomicUsize::new(0) }
    }
}

/// Whether these are the last news of a subscription, or of a fork: then nothing is kept.
fn are_last(output: &Output, news: &News) -> bool {
    let has_ended = matches!(news.status, Status::Terminated | Status::Rejected);
    output.forget || news.last || news.fork != 0 && has_ended
}

impl Engine {
    /// As [`deliver`](Self::deliver), for a NOTIFY with this content. `gone` is dropped by the caller, without the lock.
    pub(super) fn deliver_notify<'a>(
        &'a self,
        message: Prepared<Shm>,
        content: Content,
        gone: &'a mut Option<LatestDocument<Shm>>,
    ) -> impl FnOnce(Handle, &Output, &mut Owner) -> Option<Pushed<Shm>> {
        move |handle, output, owner| {
            let news = output.news.as_ref()?;
            if news.keep {
                let (news, is_gone) = self.keep(handle, output, *news, &message, content);
                *gone = is_gone;
                return Some(self.queue(&news, owner, message));
            }
            Some(self.queue(news, owner, message))
        }
    }

    /// Keeps what a NOTIFY says. Runs under the lock of the registry's shard.
    #[cold]
    fn keep(
        &self,
        handle: Handle,
        output: &Output,
        news: News,
        message: &Prepared<Shm>,
        content: Content,
    ) -> (News, Option<LatestDocument<Shm>>) {
        let is_partial = matches!(content, Content::Versioned { is_full: false, .. });
        let is_versioned = matches!(content, Content::Versioned { .. });
        let texts = message.texts().filter(|_| news.with_body);
        let gone = self.push_latest(handle, output, &news, texts.map(|texts| (texts, is_partial)));
        (News { merged: news.merged && is_versioned, ..news }, gone)
    }

    /// Keeps news. Runs under the lock of the registry's shard.
    #[cold]
    pub(super) fn push_latest(
        &self,
        handle: Handle,
        output: &Output,
        news: &News,
        document: Option<(LatestDocument<Shm>, bool)>,
    ) -> Option<LatestDocument<Shm>> {
        if are_last(output, news) {
            // The message has the same memory: it is not freed here.
            return document.map(|(texts, _)| texts);
        }
        self.kept.states.push(handle.to_u64(), news, document, Self::now()).unwrap_or_else(|OutOfMemory| {
            self.kept.lost.fetch_add(1, Ordering::Relaxed);
            None
        })
    }

    /// Brings the states into step with a step of a subscription; without a lock.
    #[inline]
    pub(super) fn keep_up<R>(&self, stepped: &Stepped<Owner, R>) {
        let output = &stepped.output;
        if output.forget || !stepped.forks.is_empty() || output.news.as_ref().is_some_and(|news| news.keep) {
            self.keep_state(stepped.handle, output, &stepped.forks);
        }
    }

    #[cold]
    fn keep_state(&self, handle: Handle, output: &Output, forks: &[Handle]) {
        forks.iter().for_each(|fork| self.kept.states.remove(fork.to_u64()));
        if output.forget || output.news.as_ref().is_some_and(|news| are_last(output, news)) {
            return self.kept.states.remove(handle.to_u64());
        }
        let lost = self.kept.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.lacks_for(Lack::Latest, lost);
        }
        if self.name_state(handle).is_err() {
            self.lacks(Lack::Latest);
        }
        self.settle_state(handle);
    }

    /// The subscriber is not interested any more: nobody else is to believe the states of the subscription and its forks.
    pub(super) fn forget_states(&self, handle: Handle) {
        if self.kept.states.usage().entries == 0 {
            return;
        }
        let forks = self.registry.forks_of(handle);
        forks.into_iter().chain([handle]).for_each(|handle| self.kept.states.remove(handle.to_u64()));
    }

    fn name_state(&self, handle: Handle) -> Result<(), OutOfMemory> {
        let number = handle.to_u64();
        if self.kept.states.is_named(number) {
            return Ok(());
        }
        let names = self.registry.view(handle, |subscription, _| {
            let texts = [subscription.record(), subscription.subscriber(), subscription.event_id()].map(<[u8]>::to_vec);
            (texts, subscription.package())
        });
        let Some(([record, subscriber, event_id], package)) = names else { return Ok(()) };
        let package = self.config.packages.get(package).name.as_bytes();
        self.kept.states.name(number, [&record, &subscriber, package, &event_id])
    }

    /// Makes one state of what has come, and asks for the whole one where something is missing.
    fn settle_state(&self, handle: Handle) {
        match self.kept.states.settle(handle.to_u64(), |unsettled| self.make_state(unsettled)) {
            Ok(false) => {}
            Ok(true) => {
                self.apply(handle, Input::Refresh);
            }
            Err(OutOfMemory) => self.lacks(Lack::Latest),
        }
    }

    /// One state of what has come. A document that cannot be merged is the state as it came.
    pub(super) fn make_state(&self, unsettled: &Unsettled<Shm>) -> Result<Settled<Shm>, OutOfMemory> {
        let mut state = unsettled.settled.clone();
        let mut has_gap = unsettled.has_gap;
        // A document that tells everything replaces what was before it.
        let replaced = unsettled.documents.iter().rposition(|(_, is_partial)| !is_partial).unwrap_or(0);
        for (document, is_partial) in unsettled.documents.iter().skip(replaced) {
            let is_known = !std::mem::take(&mut has_gap);
            let kept = state.as_ref().filter(|state| state.is_merged).map(|state| KeptDocument {
                document: state.texts.get(1),
                version: state.version,
                is_whole: state.is_whole && is_known,
            });
            let [content_type, body] = document.all();
            let merged = merge(content_type, kept, body, self.live.max_body());
            let (texts, version, is_whole, is_merged) = match merged {
                Ok(MergedDocument { document, content_type: Some(content_type), version, is_whole }) => {
                    (SharedTexts::try_new([content_type.as_bytes(), &document], &Shm)?, version, is_whole, true)
                }
                Ok(MergedDocument { content_type: None, .. }) => (document.clone(), None, true, false),
                Err(_) => (document.clone(), None, !is_partial, false),
            };
            let fields = SharedTexts::try_new([&[][..]], &Shm);
            state = Some(Settled { texts, fields: fields?, version, is_whole, is_merged });
        }
        let mut state = state.ok_or(OutOfMemory)?;
        state.fields = SharedTexts::try_new([&self.fields_of(&state.texts)], &Shm)?;
        Ok(state)
    }

    /// The fields of a document, packed.
    fn fields_of(&self, texts: &LatestDocument<Shm>) -> Vec<u8> {
        let [content_type, body] = texts.all();
        let Some(document) = Document::read(content_type, body, self.live.max_body()) else { return Vec::new() };
        let values = FIELDS.iter().filter_map(|field| Some((field.name, document.value(field.name, None)?)));
        let values: Vec<_> = values
            .map(|(name, value)| match value {
                FieldText::Text(text) => (name, Ok(blanked(text.as_bytes().into()).into_owned())),
                FieldText::Number(number) => (name, Err(number)),
            })
            .collect();
        pack_fields(values.iter().map(|(name, value)| match value {
            Ok(text) => (*name, KeptValue::Text(text)),
            Err(number) => (*name, KeptValue::Number(*number)),
        }))
    }

    /// What is known of a record in a package: of this subscriber, or of any.
    #[must_use]
    pub fn state_of(&self, record: &[u8], subscriber: Option<&[u8]>, package: &[u8]) -> Option<LatestView<Shm>> {
        let (state, view) = self.kept.states.find(record, subscriber, package, |view| self.believed(view))?;
        if !view.is_behind {
            return Some(view);
        }
        // There was no memory when it came; perhaps there is now.
        match Handle::from_u64(state) {
            Some(handle) => self.settle_state(handle),
            None => {
                let settled = self.kept.states.settle(state, |unsettled| self.make_state(unsettled));
                settled.is_err().then(|| self.lacks(Lack::Latest));
            }
        }
        self.kept.states.read(state).and_then(|view| self.believed(view))
    }

    /// What is known of the dialog of a subscription; none if nothing is kept of it.
    pub(super) fn state_of_dialog(&self, handle: Handle) -> Option<LatestView<Shm>> {
        self.settle_state(handle);
        self.kept.states.read(handle.to_u64())
    }

    /// How many states there are, and what they take.
    #[must_use]
    pub fn kept(&self) -> crate::latest::LatestUsage {
        self.kept.states.usage()
    }

    /// What the state of a subscription takes, those of its forks included.
    #[must_use]
    pub fn kept_bytes(&self, handle: Handle) -> u64 {
        if self.kept().entries == 0 {
            return 0;
        }
        let forks = if self.registry.root_of(handle).is_none() { self.registry.forks_of(handle) } else { Vec::new() };
        forks.into_iter().chain([handle]).map(|handle| self.kept.states.bytes_of(handle.to_u64())).sum()
    }
}

/// The hub's question for the whole state. What was pushed last may not have been settled yet.
pub(super) fn whole_state(subscription: SubscriptionId, fork: u8) -> Option<LatestDocument<Shm>> {
    let engine = super::engine()?;
    let handle = engine.dialog_of(subscription, fork)?;
    engine.settle_state(handle);
    let settled = engine.kept.states.read(handle.to_u64())?.settled.filter(|settled| settled.is_merged)?;
    Some(settled.texts)
}
