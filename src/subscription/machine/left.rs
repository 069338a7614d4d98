//! An attempt goes on, and the dialog it began in is left behind: a redirection, a challenge, another outbound proxy.
//!
//! The state from its notifier is valid until the granted time ends, and no longer: the attempt that goes on may take more
//! time than that. Then the subscriber is told the end, in whatever state the attempt is.

use super::super::output::{News, Output, Status};
use super::super::reason::Reason;
use super::super::state::State;
use super::Subscription;
use crate::memory::{Defect, OutOfMemory, SharedAlloc, found};
use crate::time::{Millis, PackedMillis, seconds_up};

/// A dialog that was left while its status was believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// When what it was granted is over.
    pub(super) until: PackedMillis,
    /// The deadline of what goes on, which this one may come before.
    next: PackedMillis,
}

impl<A: SharedAlloc> Subscription<A> {
    /// The dialog is left, if there is one and its status is believed. Without memory for that it is believed no longer.
    pub(super) fn leave_behind(&mut self) -> Option<News> {
        match self.status {
            Some(Status::Active | Status::Pending) if self.left_until().is_none() => {}
            Some(Status::Active | Status::Pending | Status::Terminated | Status::Rejected) | None => return None,
        }
        let until = self.granted_until().unwrap_or_else(|| found(Defect::State));
        match self.extras_mut() {
            Ok(extras) => {
                extras.left = Some(Left { until: until.into(), next: PackedMillis::NONE });
                None
            }
            Err(_) => self.tell(self.expired(Some(0))),
        }
    }

    /// The status is believed until then, though its dialog is another one.
    pub(super) fn believe_until(&mut self, until: Millis) -> Result<(), OutOfMemory> {
        self.extras_mut()?.left = Some(Left { until: until.into(), next: PackedMillis::NONE });
        Ok(())
    }

    /// Until when the status of a dialog that was left is believed.
    pub(super) fn left_until(&self) -> Option<Millis> {
        self.extras.as_deref()?.left.and_then(|left| left.until.get())
    }

    /// Nothing is believed of a dialog that was left: another one has told its state, or the end has been told.
    pub(super) fn forget_left(&mut self) {
        if let Some(left) = self.extras.as_deref_mut().and_then(|extras| extras.left.take()) {
            self.deadline = left.next;
        }
    }

    /// The deadline without the one for a dialog that was left.
    pub(super) fn planned(&self) -> Option<Millis> {
        let left = self.extras.as_deref().and_then(|extras| extras.left);
        left.map_or(self.deadline, |left| left.next).get()
    }

    /// Sets the deadline; one for a dialog that was left comes before it.
    pub(super) fn arm_beside_left(&mut self, at: Millis) {
        let left = self.extras.as_deref_mut().and_then(|extras| extras.left.as_mut());
        let until = left.and_then(|left| {
            left.next = at.into();
            left.until.get()
        });
        self.deadline = until.map_or(at, |until| until.min(at)).into();
    }

    /// The granted time of the dialog that was left is over. The attempt goes on.
    pub(super) fn left_is_over(&mut self, now: Millis) -> Output {
        let next = match self.state() {
            State::Waiting(_) => self.planned().unwrap_or_else(|| found(Defect::State)),
            _ => now,
        };
        let news = self.tell(self.expired(Some(seconds_up(next.since(now)))));
        Output { news, ..Output::default() }
    }

    /// Says that what was granted is over, and when the next attempt is.
    pub(super) fn expired(&self, next_attempt: Option<u32>) -> News {
        News { next_attempt, ..self.news(Status::Terminated, Reason::Expired.into()) }
    }
}
