//! A request that was redirected, refused or lost.

use std::time::Duration;

use super::super::dialog::Dialog;
use super::super::failure::{self, Then};
use super::super::input::Reply;
use super::super::output::{News, Output, Status};
use super::super::reason::Wording;
use super::super::redirect::Targets;
use super::super::state::{Attempt, Awaits};
use super::ending::{Failure, told_delay};
use super::{Env, Subscription};
use crate::memory::{OutOfMemory, SharedAlloc};
use crate::time::{Millis, seconds_up};

impl<A: SharedAlloc> Subscription<A> {
    /// Follows a 3xx (RFC 3261 §8.1.3.4) to the first target it names that this attempt has not tried yet; `None` when
    /// there is none or enough have been tried. An active dialog is left behind: its subscription has moved. A fork
    /// does not move: what a new SUBSCRIBE reaches is the subscription's own affair.
    pub(super) fn redirect(&mut self, reply: &Reply<'_>, env: &Env<'_>) -> Result<Option<Output>, OutOfMemory> {
        if self.is_fork() {
            return Ok(None);
        }
        let old = self.targets();
        let max = env.policy.max_redirects;
        let targets = Targets::try_extend(old, self.record(), reply.redirect, max, self.alloc.clone())?;
        let Some(targets) = targets else { return Ok(None) };
        self.extras_mut()?.targets = Some(targets);
        self.leave_target();
        self.note(reply.code, Wording::Peer(reply.reason));
        Ok(Some(self.go_on(env.now)))
    }

    /// The same attempt goes on at once, not held back by `min_resubscribe_time`. Where a NOTIFY has made a dialog, it
    /// goes on with new identifiers: those are taken.
    pub(super) fn go_on(&mut self, now: Millis) -> Output {
        let is_taken = self.dialog.as_ref().is_none_or(|dialog| !dialog.remote_tag().is_empty());
        let news = self.leave_behind();
        self.wait(if is_taken { Attempt::Fresh } else { Attempt::Continued }, now);
        Output { news, ..Output::default() }
    }

    /// Sends the same once more through the proxy that a 305 names (RFC 3261 §21.3.4), once for each attempt. Not where the
    /// operator has said which proxies there are.
    pub(super) fn reroute(&mut self, reply: &Reply<'_>, env: &Env<'_>) -> Result<bool, OutOfMemory> {
        let target = self.dialog.as_ref().map(Dialog::target).unwrap_or_default();
        let mut proxies = reply.redirect.iter().copied();
        let proxy = proxies.find(|proxy| [target, self.record()].iter().all(|uri| proxy.is_as_secure_as(uri)));
        let Some(proxy) = proxy.filter(|_| self.proxies_there_are(env) == 0) else { return Ok(false) };
        let old = self.targets();
        let Some(targets) = Targets::try_reroute(old, proxy, env.policy.max_redirects, self.alloc.clone())? else {
            return Ok(false);
        };
        self.extras_mut()?.targets = Some(targets);
        self.leave_target();
        self.note(reply.code, Wording::Peer(reply.reason));
        Ok(true)
    }

    /// Goes on to the next outbound proxy that this attempt has not tried, if it may know better.
    pub(super) fn fail_over(&mut self, failure: &Failure<'_>, env: &Env<'_>) -> bool {
        let goes_on = failure.elsewhere && self.proxies.fail(self.proxies_there_are(env));
        if goes_on {
            self.auth_attempts.goes_on = true;
            self.note(failure.code, failure.reason);
        }
        goes_on
    }

    /// The request that opens a dialog has failed.
    pub(super) fn not_opened(&mut self, failure: Failure<'_>, env: &Env<'_>) -> Output {
        if self.is_made_in_spite_of(failure.code) {
            return self.confirm_by_notify(&failure, env);
        }
        let then = failure::rule_for(failure.code, env.policy).to_initial;
        if let Some(min_expires) = self.wider(&failure, env.policy).filter(|_| then == Then::Widen) {
            self.note(failure.code, failure.reason);
            self.obey_min_expires(min_expires);
            self.widened = true;
            return self.go_on(env.now);
        }
        if self.fail_over(&failure, env) {
            return self.go_on(env.now);
        }
        // A 6xx speaks for all targets (RFC 3261 §21.6).
        if failure.code < 600 && self.targets_mut().is_some_and(Targets::advance) {
            self.note(failure.code, failure.reason);
            self.leave_target();
            return self.go_on(env.now);
        }
        // Somebody has taken the request, and has ended the subscription again.
        if let Some(output) = self.end_as_ended_fork(None, env) {
            return output;
        }
        self.end(Failure { then, ..failure }, env)
    }

    /// A refresh has failed. Some codes end the dialog; with all others it stays until it expires, and a retry is
    /// planned within that time if one fits (RFC 6665 §4.1.2.2). Where no other attempt is wanted, the dialog is left.
    pub(super) fn not_refreshed(&mut self, failure: Failure<'_>, notify_by: Option<Millis>, env: &Env<'_>) -> Output {
        let rule = failure::rule_for(failure.as_code.unwrap_or(failure.code), env.policy);
        if let Some(min_expires) = self.wider(&failure, env.policy).filter(|_| rule.to_refresh == Then::Widen) {
            self.note(failure.code, failure.reason);
            self.obey_min_expires(min_expires);
            self.widened = true;
            return self.refresh_again(notify_by, env.now);
        }
        if self.fail_over(&failure, env) {
            return self.refresh_again(notify_by, env.now);
        }
        let failure = Failure { then: rule.to_refresh, ..failure };
        let is_over = rule.ends_dialog || matches!(failure.then, Then::Never(_));
        let expiry = self.dialog.as_ref().and_then(|dialog| dialog.expiry()).filter(|expiry| *expiry > env.now);
        match expiry {
            Some(expiry) if !is_over && self.has_made_dialog() => self.stay(&failure, expiry, env),
            Some(_) | None => self.end(failure, env),
        }
    }

    /// The same refresh goes on at once, not held back by `min_resubscribe_time`.
    pub(super) fn refresh_again(&mut self, notify_by: Option<Millis>, now: Millis) -> Output {
        self.confirm(now, notify_by.map_or(Awaits::Retry, |by| Awaits::FirstNotify { by }));
        Output::default()
    }

    /// The dialog stays in spite of a failed refresh, and the internal subscriber is told. The retry: when Retry-After
    /// says; or else after the back-off or half of what is left, whichever is sooner, so that the subscription does
    /// not lapse. What does not fit before the expiry becomes a new dialog.
    fn stay(&mut self, failure: &Failure<'_>, expiry: Millis, env: &Env<'_>) -> Output {
        self.note(failure.code, failure.reason);
        let told = told_delay(failure);
        let delay = self.count_failure(failure, env);
        let delay =
            if told.is_some() { delay } else { delay.min((expiry.since(env.now) / 2).max(Duration::from_secs(1))) };
        let at = env.now.after(delay).max(self.earliest(env));
        self.attempt_over();
        self.auth_attempts.goes_on = false;
        let fits = at < expiry;
        let next = if fits {
            self.confirm(at, Awaits::Retry);
            at
        } else {
            let at = if told.is_some() { at } else { expiry.max(self.earliest(env)) };
            self.confirm(at, Awaits::Expiry);
            at
        };
        // A fork acts in its dialog only.
        let next_attempt = (fits || !self.is_fork()).then(|| seconds_up(next.since(env.now)));
        let status = self.status().unwrap_or(Status::Pending);
        let news = self.tell(News { code: failure.code, next_attempt, ..self.news(status, failure.reason.into()) });
        Output { news, ..Output::default() }
    }

    /// As [`not_opened`](Self::not_opened), but the subscription has been unsubscribed.
    pub(super) fn not_opened_for_nobody(&mut self, failure: &Failure<'_>, env: &Env<'_>) -> Output {
        if !self.is_made_in_spite_of(failure.code) {
            return self.destroy();
        }
        let _ = self.fail_over(failure, env);
        self.say_farewell(env.now)
    }

    /// As [`not_refreshed`](Self::not_refreshed), but the subscription has been unsubscribed: an active dialog is ended
    /// politely.
    pub(super) fn not_refreshed_for_nobody(&mut self, failure: &Failure<'_>, env: &Env<'_>) -> Output {
        if failure::ends_dialog(failure.as_code.unwrap_or(failure.code)) {
            return self.destroy();
        }
        let _ = self.fail_over(failure, env);
        self.say_farewell(env.now)
    }

    /// Whether a NOTIFY has made the dialog and the final reply only got lost (RFC 6665 §4.1.2.4). Any other refusal
    /// after a NOTIFY is meant: the server that answered it holds no subscription, and the NOTIFY's dialog will get
    /// 481.
    fn is_made_in_spite_of(&self, code: u16) -> bool {
        failure::is_timeout(code) && self.has_made_dialog()
    }
}
