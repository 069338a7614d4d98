//! The first NOTIFY says that its dialog has ended. The SUBSCRIBE may have been forked, and another notifier may have taken it:
//! the end of one fork is not the end of the others (RFC 6665 §4.1.4, §4.4.1), whatever comes first.
//!
//! It is the end of the subscription once a 2xx says that this notifier is the one that has accepted, or a refusal that no other
//! one has. Otherwise another one has until Timer N.

use super::super::brief::Brief;
use super::super::dialog::Dialog;
use super::super::input::Notify;
use super::super::output::{Answer, News, Output, Status, Untold};
use super::super::state::State;
use super::super::substate::{StateValue, SubscriptionState};
use super::extras::EndedFork;
use super::{Env, Subscription};
use crate::memory::{OutOfMemory, Packed, SharedAlloc};

/// The most that are remembered for one SUBSCRIBE. An honest one does not reach more forks than that.
const MOST_GONE: usize = 16;

const TAG: usize = 0;
const REASON: usize = 1;

impl<A: SharedAlloc> Subscription<A> {
    /// Whether a NOTIFY may be of another fork than the one that has accepted, or will: no NOTIFY has made the dialog, and no
    /// 2xx has this tag. A fork has a dialog of its own.
    pub(super) fn may_be_of_other_fork(&self, notify: &Notify<'_>) -> bool {
        let is_open = |dialog: &Dialog<A>| !dialog.is_made() && dialog.remote_tag() != notify.remote_tag.text();
        !self.is_fork() && self.dialog.as_ref().is_some_and(is_open)
    }

    /// Whether the fork with this tag has ended before any dialog was made.
    pub(super) fn is_of_ended_fork(&self, remote_tag: &[u8]) -> bool {
        self.ended_forks().iter().any(|fork| fork.tag_and_reason.get(TAG) == remote_tag)
    }

    /// A fork has ended. If it has told a state, that is handed on: it may be all there is. For a fetch it is.
    pub(super) fn fork_ended_first(
        &mut self,
        state: &SubscriptionState<'_>,
        notify: &Notify<'_>,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        if self.ended_forks().len() >= MOST_GONE {
            return Ok(Output { answer: Some(Answer::Ok), ..self.not_told(Untold::Refused) });
        }
        let reason = state.reason.unwrap_or_default();
        let tag_and_reason = Packed::try_new([notify.remote_tag.text(), reason], self.alloc.clone())?;
        let gone = &mut self.extras_mut()?.ended_forks;
        gone.try_reserve_exact(1).map_err(|_| OutOfMemory)?;
        gone.push(EndedFork { tag_and_reason, retry_after: state.retry_after });
        self.notifies = self.notifies.saturating_add(1);
        if self.state() == State::Unconfirmed {
            let by = self.timer_n(env);
            self.arm(self.planned().map_or(by, |planned| planned.min(by)));
        }
        let told = News { with_body: true, ..self.news(Status::Pending, Brief::new(reason)) };
        let news = notify.content.is_document().then_some(told);
        Ok(Output { answer: Some(Answer::Ok), news: news.and_then(|news| self.tell(news)), ..Output::default() })
    }

    /// The end, as the fork with this tag has told it, or else as the first one has that ended. `None` when none has.
    pub(super) fn end_as_ended_fork(&mut self, remote_tag: Option<&[u8]>, env: &Env<'_>) -> Option<Output> {
        let extras = self.extras.as_deref_mut()?;
        let place = match remote_tag {
            Some(tag) => extras.ended_forks.iter().position(|fork| fork.tag_and_reason.get(TAG) == tag)?,
            None => 0,
        };
        if place >= extras.ended_forks.len() {
            return None;
        }
        let EndedFork { tag_and_reason, retry_after } = extras.ended_forks.swap_remove(place);
        let reason = Some(tag_and_reason.get(REASON)).filter(|reason| !reason.is_empty());
        Some(match self.fetch_until() {
            Some(_) => self.fetch_result(StateValue::Terminated, reason, false),
            None => self.end_as_told(reason, retry_after, false, env),
        })
    }
}
