//! How attempts, dialogs and subscriptions end.

use std::time::Duration;

use super::super::failure::{self, LARGEST_MIN_EXPIRES, LONGEST_RETRY_AFTER, Then};
use super::super::input::Reply;
use super::super::output::{News, Output, Status};
use super::super::policy::Policy;
use super::super::proxies::Proxies;
use super::super::reason::{Reason, Wording};
use super::super::state::{Attempt, State};
use super::{Env, Promise, Subscription};
use crate::memory::{Defect, SharedAlloc, found};
use crate::time::{Millis, PackedMillis, seconds_up};

/// Why something did not work out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure<'a> {
    /// SIP code; 0 when it was none.
    pub(super) code: u16,
    pub(super) reason: Wording<'a>,
    pub(super) retry_after: Option<u32>,
    pub(super) min_expires: Option<u32>,
    /// The action, if nothing more exact is known.
    pub(super) then: Then,
    /// Another outbound proxy may know better: this one does not answer, or cannot serve now (RFC 3263 §4.3).
    pub(super) elsewhere: bool,
    /// The action is that for this code.
    pub(super) as_code: Option<u16>,
    /// It was a NOTIFY, and it has a body for the internal subscriber.
    pub(super) with_body: bool,
}

impl<'a> Failure<'a> {
    /// The watchdog: as good as the transaction layer's own timeout.
    pub(super) const TIMEOUT: Self = Self { code: 408, elsewhere: true, ..Failure::inner(Reason::RequestTimeout) };

    /// The request could not be sent.
    pub(super) const UNSENT: Self = Self { elsewhere: true, ..Failure::inner(Reason::SendFailed) };

    /// The connection was lost that the request went over.
    pub(super) const CUT_OFF: Self = Self { elsewhere: true, ..Failure::inner(Reason::ConnectionLost) };

    /// The request cannot be sent because of the target or the routes that the notifier has named.
    pub(super) const NO_WAY: Self = Self { as_code: Some(481), ..Failure::inner(Reason::NoWay) };

    /// The notifier has lost its count of NOTIFYs.
    pub(super) const COUNT_LOST: Self = Self::inner(Reason::CountLost);

    /// Something that is no reply.
    pub(super) const fn inner(reason: Reason) -> Self {
        Self {
            code: 0,
            reason: Wording::Known(reason),
            retry_after: None,
            min_expires: None,
            then: Then::BackOff,
            elsewhere: false,
            as_code: None,
            with_body: false,
        }
    }

    /// A challenge that is not answered.
    pub(super) fn refused(why: Reason, reply: &Reply<'a>) -> Self {
        Self { reason: Wording::Known(why), ..Self::of(reply) }
    }

    /// A reply of 300 and above.
    pub(super) fn of(reply: &Reply<'a>) -> Self {
        Self {
            code: reply.code,
            retry_after: reply.retry_after,
            min_expires: reply.min_expires,
            elsewhere: reply.code == 503 || reply.code == 408 && reply.is_local,
            reason: Wording::Peer(reply.reason),
            ..Self::inner(Reason::Nothing)
        }
    }
}

impl<A: SharedAlloc> Subscription<A> {
    /// Ends attempt and dialog, tells the internal subscriber, and plans the next attempt if there is to be one.
    pub(super) fn end(&mut self, failure: Failure<'_>, env: &Env<'_>) -> Output {
        self.note(failure.code, failure.reason);
        let (status, at) = match (failure.then, self.fetch_until()) {
            (Then::Never(status), _) => (status, None),
            (Then::AtOnce | Then::BackOff | Then::Widen, _) if self.is_fork() => (Status::Terminated, None),
            (Then::AtOnce | Then::BackOff | Then::Widen, Some(until)) => {
                (Status::Terminated, self.fetch_again(&failure, until, env))
            }
            (Then::AtOnce | Then::BackOff | Then::Widen, None) => {
                let delay = self.count_failure(&failure, env);
                (Status::Terminated, Some(env.now.after(delay).max(self.earliest(env))))
            }
        };
        let news = self.tell(News {
            code: failure.code,
            next_attempt: at.map(|at| seconds_up(at.since(env.now))),
            with_body: failure.with_body,
            last: at.is_none() && !self.is_fork(),
            ..self.news(status, failure.reason.into())
        });
        // The next attempt begins at the record, which is not shown what another target has asked for.
        if self.targets().is_some() {
            self.leave_target();
        }
        self.attempt_over();
        self.auth_attempts.goes_on = false;
        self.proxies = Proxies::default();
        match at {
            Some(at) => {
                self.wait(Attempt::Fresh, at);
                Output { news, ..Output::default() }
            }
            None if self.is_fork() => Output { news, ..self.leave(env) },
            None => Output { news, ..self.destroy() },
        }
    }

    /// The values of the attempt are forgotten. The outbound proxy stays that of the dialog.
    pub(super) fn attempt_over(&mut self) {
        self.forget_targets();
        self.widened = false;
        self.proxies.begin();
    }

    /// Counts a failure and says how long to wait after it. Retry-After 0 says nothing.
    pub(super) fn count_failure(&mut self, failure: &Failure<'_>, env: &Env<'_>) -> Duration {
        let is_first = self.retries == 0;
        self.retries = self.retries.saturating_add(1);
        match (told_delay(failure), failure.then) {
            (Some(told), _) => told,
            (None, Then::AtOnce) if is_first => Duration::ZERO,
            (None, Then::AtOnce | Then::BackOff | Then::Widen | Then::Never(_)) => {
                failure::back_off(self.retries.into(), env.policy, env.random)
            }
        }
    }

    /// The granted time is over and no refresh has worked: a new dialog, `at` the earliest. The failure has been
    /// counted and told; that the dialog is gone is new.
    pub(super) fn expire(&mut self, at: Millis, env: &Env<'_>) -> Output {
        if self.is_fork() {
            return self.end(Failure::inner(Reason::Expired), env);
        }
        // A turn that comes after the end is that of the new dialog.
        let next = at.max(self.earliest(env));
        let keeps = self.turn == Promise::Reserved && next == at;
        let at = next;
        self.attempt_over();
        self.auth_attempts.goes_on = false;
        self.proxies = Proxies::default();
        self.wait(Attempt::Fresh, at);
        if keeps {
            self.turn = Promise::Reserved;
        }
        let news = self.tell(self.expired(Some(seconds_up(at.since(env.now)))));
        Output { news, ..Output::default() }
    }

    /// A dialog that cannot be used (its notifier never gave a tag): begin again.
    pub(super) fn drop_dialog(&mut self, env: &Env<'_>) -> Output {
        self.end(Failure::inner(Reason::NoDialog), env)
    }

    /// There is no dialog, though the state says so: begin again, or end what nobody wants any more.
    #[cold]
    pub(super) fn lost_dialog(&mut self, env: &Env<'_>) -> Output {
        found::<()>(Defect::Dialog);
        if self.state().is_wanted() { self.drop_dialog(env) } else { self.destroy() }
    }

    /// The end. No news: the subscriber has been told, or has gone.
    pub(super) fn destroy(&mut self) -> Output {
        self.state = State::Destroyed.into();
        self.deadline = PackedMillis::NONE;
        self.dialog = None;
        self.forget_extras();
        Output { forget: true, ..Output::default() }
    }

    /// The longer Expires a 423 asks for, once per attempt. A Min-Expires that is missing, that is no longer than what
    /// was asked, or that is beyond reason is no help; nor is any to a fetch, which is for no time at all.
    pub(super) fn wider(&self, failure: &Failure<'_>, policy: &Policy) -> Option<u32> {
        let longest = self.longest_expires(policy);
        let is_fetch = self.fetch_until().is_some();
        failure.min_expires.filter(|min| !is_fetch && !self.widened && *min > self.requested_expires && *min <= longest)
    }

    /// The longest Expires of a request.
    pub(super) fn longest_expires(&self, policy: &Policy) -> u32 {
        LARGEST_MIN_EXPIRES.max(self.wanted_expires(policy))
    }

    /// Keeps what operators want to read.
    pub(super) fn note(&mut self, code: u16, reason: Wording<'_>) {
        self.last_reply = code;
        self.set_last_reason(reason);
    }
}

/// Seconds of Retry-After or `retry-after`.
pub(super) fn told_delay(failure: &Failure<'_>) -> Option<Duration> {
    let told = failure.retry_after.filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(u64::from(told)).min(LONGEST_RETRY_AFTER))
}
