//! The deadline is due: the only place where requests leave.

use super::super::dialog::Dialog;
use super::super::digest;
use super::super::input::Fresh;
use super::super::marks::Heard;
use super::super::output::Output;
use super::super::reason::Reason;
use super::super::redirect::Targets;
use super::super::state::{Attempt, Awaits, Farewell, State};
use super::ending::Failure;
use super::reply::RequestOutcome;
use super::{Env, Subscription};
use crate::memory::{OutOfMemory, Packed, SharedAlloc};
use crate::time::{Millis, PackedMillis};

impl<A: SharedAlloc> Subscription<A> {
    pub(super) fn on_deadline(&mut self, fresh: Fresh<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        if self.deadline().is_none_or(|deadline| env.now < deadline) {
            return Ok(Output::default());
        }
        if self.fetch_until().is_some_and(|until| until <= env.now) {
            return Ok(self.fetch_over(env));
        }
        if self.left_until().is_some_and(|until| until <= env.now) {
            return Ok(self.left_is_over(env.now));
        }
        match self.state() {
            State::Waiting(Attempt::Fresh) => self.open(fresh, true, env),
            State::Waiting(Attempt::Continued) => self.open(fresh, false, env),
            State::Confirmed { next, awaits } => Ok(self.on_confirmed_deadline(next, awaits, fresh, env)),
            State::Unconfirmed if !self.ended_forks().is_empty() && !self.has_made_dialog() => {
                Ok(self.end_as_ended_fork(None, env).unwrap_or_default())
            }
            State::Unconfirmed if self.is_in_grace() => Ok(self.grace_over(env)),
            // The granted time is over, and there is no new grant yet.
            State::Unconfirmed | State::Resubscription { .. } if self.has_expired(env.now) => {
                Ok(self.expire(env.now, env))
            }
            // The watchdog: the transaction layer has lost the request.
            State::Unconfirmed
            | State::UnconfirmedDestroy
            | State::Resubscription { .. }
            | State::ResubscriptionDestroy
            | State::Predestroyed(Farewell::Sent) => self.on_outcome(RequestOutcome::Failed(Failure::TIMEOUT), env),
            State::Predestroyed(Farewell::Due) => {
                Ok(self.send(State::Predestroyed(Farewell::Sent), 0, fresh.cnonce, env))
            }
            State::WaitingForTermination => Ok(self.destroy()),
            State::Waiting(Attempt::Unstarted) | State::Destroyed | State::Local => {
                self.deadline = PackedMillis::NONE;
                Ok(Output::default())
            }
        }
    }

    /// The request that opens a dialog (RFC 6665 §4.1.2.1): with new identifiers, or, when the attempt goes on, with
    /// those it has. It goes to the record or to where a redirection points; the To stays the record. What is said
    /// again to the same target leaves through the same socket, unless it takes another way.
    fn open(&mut self, fresh: Fresh<'_>, is_new: bool, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        let (call_id, local_tag) = match (is_new, &self.dialog) {
            (true, _) => (fresh.call_id, fresh.local_tag),
            (false, Some(dialog)) => (dialog.call_id(), dialog.local_tag()),
            (false, None) => return Ok(self.lost_dialog(env)),
        };
        let redirected = self.targets().and_then(Targets::current);
        let target = redirected.unwrap_or(self.record());
        let is_detour = self.proxies.has_failed() || self.targets().is_some_and(Targets::is_rerouted);
        let same = self.dialog.as_ref().filter(|dialog| !is_new && !is_detour && dialog.target() == target);
        let socket = same.and_then(Dialog::socket);
        let led_to = redirected.map(digest::place);
        let is_elsewhere = led_to != self.led_to();
        let led_to = led_to.map(|host| Packed::try_new([host], self.alloc.clone())).transpose()?;
        let mut dialog = Dialog::try_begin(call_id, local_tag, target, self.alloc.clone())?;
        if let Some(socket) = socket {
            dialog.set_socket(socket);
        }
        self.set_led_to(led_to)?;
        if is_elsewhere {
            // The answers to other challenges are not shown there.
            self.forget_sessions();
        }
        self.dialog = Some(dialog);
        self.forget_source();
        if is_new && env.policy.stores && self.is_stored() {
            return Ok(self.await_row(env));
        }
        Ok(self.send(State::Unconfirmed, self.wanted_expires(env.policy), fresh.cnonce, env))
    }

    fn on_confirmed_deadline(&mut self, next: Millis, awaits: Awaits, fresh: Fresh<'_>, env: &Env<'_>) -> Output {
        let notify_by = match awaits {
            Awaits::FirstNotify { by } if by <= env.now => {
                return self.end(Failure::inner(self.why_no_notify(Reason::NoNotify)), env);
            }
            Awaits::LastNotify { .. } => {
                let failure = Failure::inner(self.why_no_notify(Reason::NothingGranted));
                return self.end(Failure { code: self.last_reply, ..failure }, env);
            }
            // The deadline may be handed in late.
            _ if self.has_expired(env.now) => return self.expire(next, env),
            Awaits::FirstNotify { by } => Some(by),
            // Peers that answer a refresh with a 2xx and no NOTIFY are met in the field: unless the operator says
            // otherwise, only the dialog's first NOTIFY is required.
            Awaits::Nothing | Awaits::Retry => {
                let is_awaited = env.policy.timer_n_on_refresh && self.awaits_first_notify(env.policy);
                is_awaited.then(|| env.now.after(env.policy.timer_n))
            }
            Awaits::Expiry => return self.expire(next, env),
        };
        if env.now < next {
            return self.expire(next, env);
        }
        if self.dialog.as_ref().is_none_or(|dialog| dialog.remote_tag().is_empty()) {
            return self.drop_dialog(env);
        }
        let expires = self.wanted_expires(env.policy);
        self.send(State::Resubscription { notify_by }, expires, fresh.cnonce, env)
    }

    /// Why a NOTIFY that was awaited has not come: it may have come and been refused.
    pub(super) fn why_no_notify(&self, otherwise: Reason) -> Reason {
        match self.dialog.as_ref().map(Dialog::heard) {
            Some(Heard::Refused) => Reason::NotifyRefused,
            Some(Heard::Nothing | Heard::Stale | Heard::Told | Heard::Dated) | None => otherwise,
        }
    }

    /// Whether what was granted is over.
    fn has_expired(&self, now: Millis) -> bool {
        self.dialog.as_ref().and_then(Dialog::expiry).is_some_and(|expiry| expiry <= now)
    }
}
