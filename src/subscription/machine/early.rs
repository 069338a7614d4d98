//! A refresh ahead of its time, because a NOTIFY has been refused.
//!
//! A notifier that goes by RFC 3265 §3.2.2 may have removed the subscription after the refusal, without a word. The refresh
//! finds out, and brings the state that the refused NOTIFY would have brought.

use super::super::schedule;
use super::super::state::{Awaits, State};
use super::super::text::Share;
use super::super::time::Instant;
use super::{Env, Subscription};

/// Refreshes that refused NOTIFYs have brought forward in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Early {
    /// How many: each waits twice as long as the one before.
    pub(super) count: u8,
    /// A NOTIFY has been refused since the newest request left.
    pub(super) is_due: bool,
}

impl Early {
    /// A request leaves. One that no refused NOTIFY has come before ends the row.
    pub(super) fn sent(&mut self) {
        self.count = if self.is_due { self.count } else { 0 };
        self.is_due = false;
    }

    /// It has not left.
    pub(super) fn taken_back(&mut self) {
        self.is_due = self.count > 0;
    }
}

impl<A: Share> Subscription<A> {
    /// Brings the refresh forward, once until it has left, and not again for twice as long as the last time. Without
    /// memory for that, the refresh stays where it is.
    pub(super) fn refresh_early(&mut self, now: Instant, env: &Env<'_>) {
        let (next, awaits) = match self.state() {
            State::Confirmed { next, awaits: awaits @ (Awaits::Nothing | Awaits::FirstNotify { .. }) }
                if self.fetch_until().is_none() =>
            {
                (next, awaits)
            }
            // A retry has its time; what is in flight finds out; and a fetch asks once.
            State::Confirmed { .. }
            | State::Waiting(_)
            | State::Unconfirmed
            | State::UnconfirmedDestroy
            | State::Resubscription { .. }
            | State::ResubscriptionDestroy
            | State::Predestroyed(_)
            | State::WaitingForTermination
            | State::Destroyed => return,
        };
        let Ok(rare) = self.rare_mut() else { return };
        if rare.early.is_due {
            return;
        }
        let count = rare.early.count;
        rare.early.count = count.saturating_add(1);
        rare.early.is_due = true;
        let at = schedule::earliest_after(count, self.last_sent.get(), now, env.policy);
        if at < next {
            self.confirm_sooner(next, awaits, at);
        }
    }
}
