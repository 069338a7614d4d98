//! The newest request has not left: its destination is held (RFC 3261 §21.5.4), or it is not its turn yet.

use super::super::brief::Brief;
use super::super::input::HeldBy;
use super::super::output::{News, Output, Status, Undo};
use super::super::reason::{Reason, Wording};
use super::super::state::{Attempt, Awaits, Farewell, Flight, State};
use super::ending::Failure;
use super::{Env, Promise, Subscription};
use crate::memory::SharedAlloc;
use crate::time::{Millis, PackedMillis, seconds_up};

impl<A: SharedAlloc> Subscription<A> {
    /// The subscription goes back to its state before, and asks again at `until`. It is no failure: nothing was sent.
    pub(super) fn on_held(&mut self, cseq: u32, until: Millis, by: HeldBy, undo: Undo, env: &Env<'_>) -> Output {
        if cseq != self.local_cseq {
            return Output::default();
        }
        if let Some(lost) = self.last_way_held(by, env) {
            self.take_back(undo);
            return self.others_held(&lost, by, env);
        }
        match self.state() {
            State::Unconfirmed => {
                self.take_back(undo);
                self.still_due(by, undo);
                let retry_after = Some(seconds_up(until.since(env.now)));
                // The NOTIFY answers an earlier request of the same attempt.
                if self.has_made_dialog() {
                    return self.confirm_by_notify(&Failure::inner(reason(by)), env);
                }
                if self.fetch_until().is_some_and(|end| end <= until) {
                    return self.end(Failure { retry_after, ..Failure::inner(reason(by)) }, env);
                }
                self.wait(Attempt::Continued, until);
                self.keep_turn(by);
                self.tell_held(Status::Terminated, by, until, env.now)
            }
            State::Resubscription { notify_by } => {
                self.take_back(undo);
                self.still_due(by, undo);
                let awaits = match notify_by {
                    Some(by) if undo.awaits_notify => Awaits::FirstNotify { by },
                    Some(_) | None if undo.retries => Awaits::Retry,
                    Some(_) | None => Awaits::Nothing,
                };
                self.confirm(until, awaits);
                self.keep_turn(by);
                let status = self.status().unwrap_or(Status::Pending);
                self.tell_held(status, by, until, env.now)
            }
            State::UnconfirmedDestroy | State::ResubscriptionDestroy | State::Predestroyed(Farewell::Sent) => {
                self.take_back(undo);
                self.still_due(by, undo);
                self.hold_farewell(by, until)
            }
            // The watchdog or a NOTIFY was faster: what is planned asks again itself.
            State::Waiting(_) | State::Confirmed { .. } | State::Predestroyed(Farewell::Due) => {
                self.take_back(undo);
                Output::default()
            }
            State::WaitingForTermination | State::Destroyed | State::Local => Output::default(),
        }
    }

    /// Whether this goes on with an attempt that has failed at another outbound proxy, and its code and reason there: those
    /// that are left do not take it now. The same if a redirection led to the held destination: the redirecting server may know
    /// better the next time, and does not decide for how long this waits.
    fn last_way_held(&self, by: HeldBy, env: &Env<'_>) -> Option<(u16, Brief)> {
        match by {
            HeldBy::RetryAfter | HeldBy::Breaker if !self.state().in_flight() => None,
            HeldBy::RetryAfter | HeldBy::Breaker if self.proxies.has_failed() => {
                Some((self.last_reply, self.last_reason()))
            }
            HeldBy::RetryAfter | HeldBy::Breaker if self.proxies_there_are(env) == 0 && self.targets().is_some() => {
                Some((0, reason(by).into()))
            }
            HeldBy::Rate | HeldBy::RetryAfter | HeldBy::Breaker | HeldBy::Lookup | HeldBy::Unreached => None,
        }
    }

    /// Whether the next request waits for a destination that does not take it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.told_held
    }

    /// The attempt has failed: it was asked for where that was possible.
    fn others_held(&mut self, lost: &(u16, Brief), by: HeldBy, env: &Env<'_>) -> Output {
        self.proxies.begin();
        self.told_held = false;
        let failure = match lost {
            (code @ (0 | 408 | 503), said) => {
                let reason = Wording::Peer(said.as_str().as_bytes());
                Failure { code: *code, reason, ..Failure::inner(Reason::Nothing) }
            }
            _ => Failure::inner(reason(by)),
        };
        match self.state().flight() {
            Some(Flight::Opening) => self.not_opened(failure, env),
            Some(Flight::Refresh { notify_by }) => self.not_refreshed(failure, notify_by, env),
            Some(Flight::OpeningUnwanted) => self.not_opened_for_nobody(&failure, env),
            Some(Flight::RefreshUnwanted) => self.not_refreshed_for_nobody(&failure, env),
            Some(Flight::Farewell) => self.destroy(),
            None => Output::default(),
        }
    }

    /// A held request has either the moment of its deadline, or a turn that the lookups give. It needs no other one then.
    fn keep_turn(&mut self, by: HeldBy) {
        self.turn = match by {
            HeldBy::Rate => Promise::Reserved,
            HeldBy::Lookup | HeldBy::Unreached => Promise::Queued,
            HeldBy::RetryAfter | HeldBy::Breaker => Promise::None,
        };
    }

    /// Its turn has come.
    pub(super) fn on_turn(&mut self, now: Millis) -> Output {
        match self.state() {
            _ if self.turn != Promise::Queued => {}
            State::Waiting(_) | State::Predestroyed(Farewell::Due) => {
                self.arm(self.planned().map_or(now, |at| at.min(now)));
            }
            State::Confirmed { next, awaits } => self.confirm(next.min(now), awaits),
            // Nothing is planned any more.
            _ => {}
        }
        Output::default()
    }

    /// The SUBSCRIBE that opens the dialog waits until a database knows of it: whatever becomes of this run of the server, the next one
    /// can say to the notifier what it has begun.
    pub(super) fn await_row(&mut self, env: &Env<'_>) -> Output {
        self.wait(Attempt::Continued, env.now.after(env.policy.save_patience));
        self.turn = Promise::Unsaved;
        Output { unsaved: true, ..Output::default() }
    }

    /// A database knows of the dialog that is to be opened.
    pub(super) fn on_saved(&mut self, now: Millis) -> Output {
        if self.turn == Promise::Unsaved && matches!(self.state(), State::Waiting(Attempt::Continued)) {
            self.wait(Attempt::Continued, self.planned().map_or(now, |at| at.min(now)));
        }
        Output::default()
    }

    /// As if the request had not been made: no peer has seen its CSeq, which must go up by one (RFC 3261 §12.2.1.1).
    fn take_back(&mut self, undo: Undo) {
        self.local_cseq = self.local_cseq.saturating_sub(1);
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.early.taken_back();
        }
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.uncount_request(undo.outcome);
        }
        self.requested_expires = undo.requested_expires;
        self.last_sent = undo.last_sent.map_or(PackedMillis::NONE, PackedMillis::from);
    }

    /// The next request is this one, still to be made.
    fn still_due(&mut self, by: HeldBy, undo: Undo) {
        self.auth_attempts.goes_on = undo.goes_on;
        // The failure of the attempt at other outbound proxies is not forgotten.
        if !self.proxies.has_failed() {
            self.note(0, Wording::Known(reason(by)));
        }
    }

    /// Nobody wants it any more: the farewell waits, unless the dialog ends by itself before.
    fn hold_farewell(&mut self, by: HeldBy, until: Millis) -> Output {
        if self.granted_until().is_none_or(|ends| ends <= until) {
            return self.destroy();
        }
        let output = self.say_farewell(until);
        if !output.forget {
            self.keep_turn(by);
        }
        output
    }

    /// The internal subscriber hears of a hold once; waiting for a turn is not worth telling.
    fn tell_held(&mut self, status: Status, by: HeldBy, until: Millis, now: Millis) -> Output {
        match by {
            HeldBy::Rate | HeldBy::Lookup => return Output::default(),
            HeldBy::RetryAfter | HeldBy::Breaker | HeldBy::Unreached if self.told_held => return Output::default(),
            HeldBy::RetryAfter | HeldBy::Breaker | HeldBy::Unreached => self.told_held = true,
        }
        let next_attempt = Some(seconds_up(until.since(now)));
        let news = self.tell(News { next_attempt, ..self.news(status, reason(by).into()) });
        Output { news, ..Output::default() }
    }
}

fn reason(by: HeldBy) -> Reason {
    match by {
        HeldBy::Rate => Reason::HeldByRate,
        HeldBy::RetryAfter => Reason::DestinationHeld,
        HeldBy::Breaker => Reason::DestinationSilent,
        HeldBy::Lookup | HeldBy::Unreached => Reason::Unreached,
    }
}
