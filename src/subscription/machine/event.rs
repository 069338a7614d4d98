//! What an input was to the subscription that has taken it: an event of its history.

use super::super::history::{Happened, HistoryEvent};
use super::super::input::Input;
use super::super::output::Output;
use super::super::reason::LastReason;
use super::Subscription;
use crate::memory::SharedAlloc;
use crate::time::Millis;

impl<A: SharedAlloc> Subscription<A> {
    /// The event that an input is going to be, before it is taken; `None` if it is none.
    #[must_use]
    #[inline]
    pub fn event_of(&self, input: &Input<'_>) -> Option<HistoryEvent> {
        // The state before is looked at when the state since is known.
        HistoryEvent::of(input).map(|event| event.at_moment(Millis(0), self.state.number()))
    }

    /// The event that an input, which gave this output, [was](HistoryEvent::of); `None` if nothing has happened.
    #[must_use]
    #[inline]
    pub fn event(&self, event: HistoryEvent, output: &Output, now: Millis) -> Option<HistoryEvent> {
        let event = match event.what() {
            Happened::NotifyActive | Happened::NotifyPending | Happened::NotifyTerminated | Happened::NotifyOther
                if output.fork =>
            {
                return None;
            }
            Happened::NotifyActive | Happened::NotifyPending | Happened::NotifyTerminated | Happened::NotifyOther => {
                event.with_code(output.answer.map_or(0, |answer| answer.code_and_phrase().0))
            }
            Happened::SubscribeNew => event.with_what(self.request_sent()).with_expires(Some(self.requested_expires)),
            Happened::Reply | Happened::Timeout | Happened::Unsent => event.with_reason_number(self.known_reason()),
            // What it sends is an event when that leaves.
            Happened::Deadline if output.send.is_some() => return None,
            Happened::Deadline if output.news.is_none() && event.state() == self.state.number() => return None,
            Happened::Deadline => event.with_reason_number(self.known_reason()),
            _ => event,
        };
        Some(event.at_moment(now, self.state.number()))
    }

    /// Which kind of request the newest one is.
    fn request_sent(&self) -> Happened {
        let is_repetition =
            self.widened || self.retries > 0 || self.auth_attempts.count() > 0 || self.targets().is_some();
        match () {
            () if self.requested_expires == 0 && self.terms().fetch.is_none() => Happened::SubscribeEnd,
            () if is_repetition => Happened::SubscribeRetry,
            () if self.has_made_dialog() => Happened::SubscribeRefresh,
            () => Happened::SubscribeNew,
        }
    }

    /// The number of the newest reason; that of none if a peer has said it in words of its own.
    fn known_reason(&self) -> u8 {
        match self.last_reason {
            LastReason::Known(reason) => reason as u8,
            LastReason::Peer => 0,
        }
    }
}
