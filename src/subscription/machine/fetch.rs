//! A fetch: one SUBSCRIBE with Expires 0, one NOTIFY with the state, nothing left (RFC 6665 §3.1.1, §4.4.3).
//!
//! It is in these states only: waiting, unconfirmed, confirmed (accepted, the NOTIFY is awaited), destroyed. Messages that are
//! under way when it ends are ignored: the notifier keeps nothing that would have to be ended.

use std::time::Duration;

use super::super::brief::Brief;
use super::super::failure;
use super::super::input::{Content, Reply};
use super::super::output::{Answer, News, Output, Status};
use super::super::policy::Policy;
use super::super::reason::Reason;
use super::super::state::{Awaits, State};
use super::super::substate::{StateValue, SubscriptionState};
use super::accepted::adopt_reply;
use super::ending::Failure;
use super::{Env, Subscription};
use crate::memory::{OutOfMemory, SharedAlloc};
use crate::time::{Millis, PackedMillis};

impl<A: SharedAlloc> Subscription<A> {
    /// The clock of a fetch begins to run; false when this is none.
    pub(super) fn begin_fetch(&mut self, now: Millis) -> bool {
        let Some(kept) = self.own_terms_mut() else { return false };
        kept.until = kept
            .terms
            .fetch
            .map_or(PackedMillis::NONE, |seconds| now.after(Duration::from_secs(u64::from(seconds))).into());
        kept.until != PackedMillis::NONE
    }

    /// Until when a fetch that has started waits; `None` for any other subscription.
    pub(in super::super) fn fetch_until(&self) -> Option<Millis> {
        self.own_terms().and_then(|kept| kept.until.get())
    }

    /// The request of a fetch is accepted: the NOTIFY is to come. What the 2xx grants is no matter.
    pub(super) fn fetch_accepted(
        &mut self,
        reply: &Reply<'_>,
        until: Millis,
        policy: &Policy,
    ) -> Result<Output, OutOfMemory> {
        let keeps = self.keeps_route_set(policy);
        if let Some(dialog) = self.dialog.as_mut() {
            adopt_reply(dialog, reply, keeps, self.alloc.clone())?;
        }
        self.accept(reply);
        self.confirm(until, Awaits::FirstNotify { by: until });
        Ok(Output::default())
    }

    /// The NOTIFY of a fetch, whatever state it tells: there will be no other.
    pub(super) fn fetched(&mut self, state: &SubscriptionState<'_>, content: Content) -> Output {
        self.notifies = self.notifies.saturating_add(1);
        let output = self.fetch_result(state.value, state.reason, content.is_document());
        Output { answer: Some(Answer::Ok), ..output }
    }

    /// The end of a fetch, with what a NOTIFY has told.
    pub(super) fn fetch_result(&mut self, value: StateValue, reason: Option<&[u8]>, with_body: bool) -> Output {
        let is_rejected = reason.is_some_and(|reason| reason.eq_ignore_ascii_case(Reason::Rejected.text().as_bytes()));
        let status = match value {
            StateValue::Active => Status::Active,
            StateValue::Pending | StateValue::Other => Status::Pending,
            StateValue::Terminated if is_rejected => Status::Rejected,
            StateValue::Terminated => Status::Terminated,
        };
        let news =
            self.tell(News { with_body, last: true, ..self.news(status, Brief::new(reason.unwrap_or_default())) });
        Output { news, ..self.destroy() }
    }

    /// When a fetch that has failed is tried again: only after what may be over soon, and only before its deadline.
    pub(super) fn fetch_again(&mut self, failure: &Failure<'_>, until: Millis, env: &Env<'_>) -> Option<Millis> {
        if !failure::is_transient(failure.code) {
            return None;
        }
        let delay = self.count_failure(failure, env);
        Some(env.now.after(delay).max(self.earliest(env))).filter(|at| *at < until)
    }

    /// The deadline of a fetch has passed.
    pub(super) fn fetch_over(&mut self, env: &Env<'_>) -> Output {
        let state = self.state();
        if !state.is_wanted() {
            return self.destroy();
        }
        if matches!(state, State::Confirmed { .. }) {
            return self.end(Failure::inner(self.why_no_notify(Reason::NoNotify)), env);
        }
        // A notifier may have accepted the request without an answer.
        match self.end_as_ended_fork(None, env) {
            Some(output) => output,
            None => self.end(Failure::TIMEOUT, env),
        }
    }
}
