//! The newest states of the resources of lists, kept at hand as those of subscriptions are.
//!
//! The process that tells a resource keeps its state. It comes from a list: if the subscription to the list has no state, nor has the
//! resource.

use std::hash::BuildHasher;
use std::num::NonZero;

use foldhash::fast::FixedState;

use super::{Engine, Lack, lists};
use crate::document::{ContentType, Version, check_body};
use crate::host::shm::Shm;
use crate::latest::{LatestView, StateOwner};
use crate::memory::{OutOfMemory, SharedTexts};
use crate::qsa::{Delivered, SubscriptionId};
use crate::subscription::{Options, Status};

/// A state of a resource has come.
pub(super) fn on_state(subscription: SubscriptionId, number: u64, told: &mut Delivered<Shm>) -> bool {
    super::engine().is_some_and(|engine| engine.keep_resource(subscription, state_of(number), told).is_some())
}

/// A resource has gone.
pub(super) fn on_gone(number: u64) {
    if let Some(engine) = super::engine() {
        engine.kept.states.remove(state_of(number));
    }
}

/// The number of a resource's state among all states: its lower half is no index of a handle.
fn state_of(number: u64) -> u64 {
    const BIT: u64 = 1 << 31;
    (number >> 31) << 32 | BIT | number & (BIT - 1)
}

impl Engine {
    /// Keeps the state of a resource, if the subscription to its list keeps states.
    fn keep_resource(&self, subscription: SubscriptionId, state: u64, told: &mut Delivered<Shm>) -> Option<()> {
        let states = &self.kept.states;
        if states.usage().entries == 0 {
            return None;
        }
        let handle = self.handle_of(subscription)?.to_u64();
        let ends = states.ends(handle)?;
        let listed = told.listed.as_deref()?;
        // Cut on purpose: half of the hash.
        let instance = FixedState::default().hash_one(&listed.instance) as u32;
        states.set_owner(state, StateOwner { handle: NonZero::new(handle)?, ends, instance });
        let [content_type, body] = told.content();
        let is_partial = self.tells_changes(content_type, body);
        let kept = if body.is_empty() { Ok(None) } else { SharedTexts::try_new([content_type, body], &Shm).map(Some) };
        let document = kept.map(|texts| texts.map(|texts| (texts, is_partial)));
        let pushed = document.and_then(|document| states.push(state, told.message.news(), document, Self::now()));
        drop(pushed.inspect_err(|OutOfMemory| self.lacks(Lack::Latest)).ok()?);
        states.set_owner(state, StateOwner { handle: NonZero::new(handle)?, ends, instance });
        let names = || self.hub.with_subscription(subscription, |of| [of.subscriber, of.package].map(<[u8]>::to_vec));
        if !states.is_named(state)
            && let Some([subscriber, package]) = names()
            && states.name(state, [listed.record.as_bytes(), &subscriber, &package, b""]).is_err()
        {
            self.lacks(Lack::Latest);
        }
        match states.settle(state, |unsettled| self.make_state(unsettled)) {
            Ok(false) => {}
            Ok(true) => lists::on_gap(subscription),
            Err(OutOfMemory) => self.lacks(Lack::Latest),
        }
        if is_partial && self.wants_whole(subscription) {
            let settled = states.read(state).and_then(|view| view.settled).filter(|settled| settled.is_merged);
            settled.into_iter().for_each(|settled| told.tell_whole(settled.texts));
        }
        Some(())
    }

    /// Whether a document tells only what has changed.
    fn tells_changes(&self, content_type: &[u8], body: &[u8]) -> bool {
        let version = |kind| check_body(&kind, body, self.live.max_body(), false).ok().flatten();
        let version = ContentType::parse(content_type).ok().and_then(version);
        version.is_some_and(|Version { is_full, .. }| !is_full)
    }

    /// Whether its subscriber gets the whole state in the place of what has changed.
    fn wants_whole(&self, subscription: SubscriptionId) -> bool {
        let options = self.hub.with_subscription(subscription, |wanted| wanted.first_param.to_vec());
        options.is_some_and(|options| Options::parse(&options).is_ok_and(|options| options.terms.merged))
    }

    /// A state as it may be believed: that of a resource as long as its list has one.
    pub(super) fn believed(&self, view: LatestView<Shm>) -> Option<LatestView<Shm>> {
        let Some(owner) = view.owner else { return Some(view) };
        let list = self.kept.states.read(owner.handle.get())?;
        let goes_on = matches!(list.status, Status::Active | Status::Pending) && list.ends == owner.ends;
        Some(if goes_on { view } else { LatestView { settled: None, is_behind: false, ..list } })
    }
}
