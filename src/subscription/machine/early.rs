//! A refresh ahead of its time, because a NOTIFY has been refused.
//!
//! A notifier that goes by RFC 3265 §3.2.2 may have removed the subscription after the refusal, without a word. The refresh
//! finds out, and brings the state that the refused NOTIFY would have brought.

use std::time::Duration;

use super::super::output::{Output, Untold};
use super::super::schedule;
use super::super::state::{Awaits, State};
use super::{Env, Subscription};
use crate::memory::SharedAlloc;
use crate::time::Millis;

/// Refreshes that refused NOTIFYs have brought forward in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Early {
    /// How many: each waits twice as long as the one before.
    pub(super) count: u8,
    /// A NOTIFY has been refused since the newest request left.
    pub(super) is_due: bool,
    /// The one that is due comes no sooner.
    pub(super) not_before: Millis,
}

impl Early {
    /// A request leaves. One that no refused NOTIFY has come before ends the row.
    pub(super) fn sent(&mut self) {
        self.count = if self.is_due { self.count } else { 0 };
        (self.is_due, self.not_before) = (false, Millis(0));
    }

    /// It has not left.
    pub(super) fn taken_back(&mut self) {
        self.is_due = self.count > 0;
    }
}

impl<A: SharedAlloc> Subscription<A> {
    /// A NOTIFY of this dialog has been refused. Its notifier may take that for the end (RFC 3265 §3.2.2; RFC 6665 §4.2.2), or it was
    /// the end.
    pub(super) fn was_refused(&mut self, env: &Env<'_>) {
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.refused();
        }
        self.refresh_early(Millis(0), env);
    }

    /// A NOTIFY of this dialog was put off for want of memory, which a refresh would need as well: it does not come before the
    /// notifier may have sent the NOTIFY again, and those of many subscriptions come at different times.
    pub(super) fn on_put_off(&mut self, pause: Duration, env: &Env<'_>) -> Output {
        if self.state() == State::Destroyed {
            return Output::default();
        }
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.refused();
        }
        let span = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let spread = Duration::from_millis(env.random % span.saturating_add(1));
        self.refresh_early(env.now.after(pause.saturating_add(spread)), env);
        self.not_told(Untold::Refused)
    }

    /// Brings the refresh forward, once until it has left, and not again for twice as long as the last time. One that follows
    /// what is in flight comes early too: that may have been answered before. Without memory for that, the refresh stays where
    /// it is. It comes not before `not_before`.
    pub(super) fn refresh_early(&mut self, not_before: Millis, env: &Env<'_>) {
        let planned = self.next_refresh();
        // A retry has its time, and a fetch asks once.
        let may_follow = matches!(self.state(), State::Unconfirmed | State::Resubscription { .. });
        if planned.is_none() && !may_follow || self.fetch_until().is_some() {
            return;
        }
        let Ok(extras) = self.extras_mut() else { return };
        if extras.early.is_due {
            return;
        }
        extras.early.count = extras.early.count.saturating_add(1);
        (extras.early.is_due, extras.early.not_before) = (true, not_before);
        if let Some((next, awaits)) = planned {
            let at = self.early_or(next, env);
            if at < next {
                self.confirm_sooner(next, awaits, at);
            }
        }
    }

    /// A refresh that may be brought forward, and what else is awaited.
    pub(super) fn next_refresh(&self) -> Option<(Millis, Awaits)> {
        match self.state() {
            State::Confirmed { next, awaits: awaits @ (Awaits::Nothing | Awaits::FirstNotify { .. }) } => {
                Some((next, awaits))
            }
            _ => None,
        }
    }

    /// When the next refresh is that is planned for `next`: before that, if a NOTIFY has been refused.
    pub(super) fn early_or(&self, next: Millis, env: &Env<'_>) -> Millis {
        match self.extras.as_deref().map(|extras| extras.early) {
            Some(Early { count, is_due: true, not_before }) => {
                let before = count.saturating_sub(1);
                let at = schedule::earliest_after(before, self.last_sent.get(), env.now, env.policy);
                next.min(at.max(not_before))
            }
            Some(Early { is_due: false, .. }) | None => next,
        }
    }
}
