//! The deadline is due: the only place where requests leave.

use super::super::dialog::Dialog;
use super::super::input::Fresh;
use super::super::output::Output;
use super::super::redirect::Targets;
use super::super::state::{Attempt, Awaits, Farewell, State};
use super::super::text::{OutOfMemory, Share};
use super::super::time::{Instant, Moment};
use super::ending::Failure;
use super::reply::Outcome;
use super::{Env, Subscription};

impl<A: Share> Subscription<A> {
    pub(super) fn on_deadline(&mut self, fresh: Fresh<'_>, now: Instant, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Ok(Output::default());
        }
        if self.fetch_until().is_some_and(|until| until <= now) {
            return Ok(self.fetch_over(now, env));
        }
        match self.state() {
            State::Waiting(Attempt::Fresh) => self.open(fresh, true, now, env),
            State::Waiting(Attempt::Continued) => self.open(fresh, false, now, env),
            State::Confirmed { next, awaits } => Ok(self.on_confirmed_deadline(next, awaits, fresh, now, env)),
            // The watchdog: the transaction layer has lost the request.
            State::Unconfirmed
            | State::UnconfirmedDestroy
            | State::Resubscription { .. }
            | State::ResubscriptionDestroy
            | State::Predestroyed(Farewell::Sent) => self.on_outcome(Outcome::Failed(Failure::TIMEOUT), now, env),
            State::Predestroyed(Farewell::Due) => {
                Ok(self.send(State::Predestroyed(Farewell::Sent), 0, fresh.cnonce, now, env))
            }
            State::WaitingForTermination => Ok(self.destroy()),
            State::Waiting(Attempt::Unstarted) | State::Destroyed => {
                self.deadline = Moment::NONE;
                Ok(Output::default())
            }
        }
    }

    /// The request that opens a dialog (RFC 6665 §4.1.2.1): with new identifiers, or, when the attempt goes on, with
    /// those it has. It goes to the record or to where a redirection points; the To stays the record. What is said
    /// again to the same target leaves through the same socket, unless it takes another way.
    fn open(&mut self, fresh: Fresh<'_>, is_new: bool, now: Instant, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        let (call_id, local_tag) = match (is_new, &self.dialog) {
            (true, _) => (fresh.call_id, fresh.local_tag),
            (false, Some(dialog)) => (dialog.call_id(), dialog.local_tag()),
            (false, None) => return Ok(self.drop_dialog(now, env)),
        };
        let redirected = self.targets().and_then(Targets::current);
        let target = redirected.unwrap_or(self.record());
        let is_detour = self.proxies.has_failed() || self.targets().is_some_and(Targets::is_rerouted);
        let same = self.dialog.as_ref().filter(|dialog| !is_new && !is_detour && dialog.target() == target);
        let socket = same.and_then(Dialog::socket);
        let mut dialog = Dialog::try_begin(call_id, local_tag, target, self.alloc.clone())?;
        if let Some(socket) = socket {
            dialog.set_socket(socket);
        }
        self.dialog = Some(dialog);
        Ok(self.send(State::Unconfirmed, self.wanted_expires(env.policy), fresh.cnonce, now, env))
    }

    fn on_confirmed_deadline(
        &mut self,
        next: Instant,
        awaits: Awaits,
        fresh: Fresh<'_>,
        now: Instant,
        env: &Env<'_>,
    ) -> Output {
        let notify_by = match awaits {
            Awaits::FirstNotify { by } if by <= now => return self.end(Failure::inner(b"no NOTIFY"), now, env),
            Awaits::FirstNotify { by } => Some(by),
            // Peers that answer a refresh with a 2xx and no NOTIFY are met in the field: unless the operator says
            // otherwise, only the dialog's first NOTIFY is insisted on.
            Awaits::Nothing | Awaits::Retry => {
                let is_awaited = env.policy.timer_n_on_refresh && env.policy.timer_n_on_first;
                is_awaited.then(|| now.after(env.policy.timer_n))
            }
            Awaits::Expiry => return self.expire(next, now, env),
        };
        if now < next {
            return self.expire(next, now, env);
        }
        if self.dialog.as_ref().is_none_or(|dialog| dialog.remote_tag().is_empty()) {
            return self.drop_dialog(now, env);
        }
        let expires = self.wanted_expires(env.policy);
        self.send(State::Resubscription { notify_by }, expires, fresh.cnonce, now, env)
    }
}
