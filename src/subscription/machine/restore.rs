//! A subscription goes on that an earlier run of the server has left in a database.
//!
//! Whatever a row says, the subscription is one that could have lived: what contradicts itself begins again with a new dialog. What was
//! in flight has no outcome any more, as the transactions have gone with the server.

use std::time::Duration;

use super::super::dialog::Dialog;
use super::super::output::{Output, Status};
use super::super::proxies::Proxies;
use super::super::reason::Reason;
use super::super::state::{Attempt, Awaits, Farewell, State};
use super::super::stored::{StoredAwaits, StoredDialog, StoredLife, StoredPhase};
use super::ending::Failure;
use super::{Env, LAST_CSEQ, Subscription};
use crate::memory::{OutOfMemory, Packed, SharedAlloc};
use crate::time::{Millis, PackedMillis};

/// How long the NOTIFY is awaited of a SUBSCRIBE that may have left before the server stopped: its notifier sends it again for longer
/// than that (RFC 3261 §17.1.2.2).
const GRACE: Duration = Duration::from_secs(5);

/// A dialog whose CSeq is beyond this is replaced before there are no more.
const LAST_RESTORED: u32 = LAST_CSEQ - 1000;

impl<A: SharedAlloc> Subscription<A> {
    /// The same, made with its names and options, as an earlier run of the server has left it. With `fetch` the whole state is asked for
    /// soon, by a refresh. What is overdue comes at a random moment of [`Policy::restore_span`](crate::subscription::Policy::restore_span),
    /// and before the granted time ends.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_restored(mut self, stored: &StoredLife<'_>, fetch: bool, env: &Env<'_>) -> Result<Self, OutOfMemory> {
        let env = &Env { policy: env.policy.of(self.package()), ..*env };
        let stored = &self.within_reason(stored, env);
        self.take_numbers(stored, env);
        if stored.min_expires > 0 {
            self.extras_mut()?.min_expires = stored.min_expires;
        }
        // Beyond the last CSeq, no request fits into the dialog.
        let has_room = stored.local_cseq <= LAST_RESTORED;
        self.local_cseq = if has_room { stored.local_cseq } else { 0 };
        let kept = stored.dialog.filter(|dialog| !dialog.call_id.is_empty() && !dialog.local_tag.is_empty());
        if let Some(kept) = kept.filter(|_| has_room || self.is_fork()) {
            self.take_dialog(&kept, fetch)?;
        }
        match stored.phase {
            StoredPhase::Local => self.state = State::Local.into(),
            StoredPhase::Ending => self.restore_ending(stored, env),
            StoredPhase::Waiting | StoredPhase::Unconfirmed | StoredPhase::Confirmed(_) if self.is_fork() => {
                self.restore_fork(stored, fetch, has_room, env);
            }
            _ if self.dialog.is_none() => self.restore_waiting(stored, None, env)?,
            StoredPhase::Waiting => match stored.next.filter(|next| *next > env.now) {
                Some(next) => self.restore_waiting(stored, Some(next), env)?,
                None => self.restore_unconfirmed(stored, env)?,
            },
            StoredPhase::Unconfirmed if !self.has_made_dialog() => self.restore_unconfirmed(stored, env)?,
            StoredPhase::Unconfirmed => self.restore_confirmed(stored, StoredAwaits::Nothing, fetch, env)?,
            StoredPhase::Confirmed(awaits) => self.restore_confirmed(stored, awaits, fetch, env)?,
        }
        self.tidy();
        Ok(self)
    }

    /// Nobody has asked for more time than a notifier can have the module ask for.
    fn within_reason<'a>(&self, stored: &StoredLife<'a>, env: &Env<'_>) -> StoredLife<'a> {
        let longest = self.longest_expires(env.policy);
        let last = env.now.after(Duration::from_secs(longest.into()));
        StoredLife {
            requested_expires: stored.requested_expires.min(longest),
            min_expires: if stored.min_expires <= longest { stored.min_expires } else { 0 },
            expiry: stored.expiry.map(|expiry| expiry.min(last)),
            ..*stored
        }
    }

    fn take_numbers(&mut self, stored: &StoredLife<'_>, env: &Env<'_>) {
        self.status = stored.status;
        self.retries = stored.retries;
        self.fork = stored.fork;
        self.proxies = Proxies::at(stored.proxy);
        let is_known = stored.requested_expires > 0;
        self.requested_expires = if is_known { stored.requested_expires } else { self.wanted_expires(env.policy) };
        self.last_sent = stored.last_sent.map_or(PackedMillis::NONE, PackedMillis::from);
        self.opened = stored.opened.map_or(0, in_seconds);
    }

    fn take_dialog(&mut self, kept: &StoredDialog<'_>, forgets_state: bool) -> Result<(), OutOfMemory> {
        self.dialog = Some(Dialog::try_restored(kept, forgets_state, self.alloc.clone())?);
        if !kept.led_to.is_empty() {
            let led_to = Packed::try_new([kept.led_to], self.alloc.clone())?;
            self.set_led_to(Some(led_to))?;
        }
        if !kept.source.is_empty() && self.terms().follows_source {
            let source = Packed::try_new([kept.source], self.alloc.clone())?;
            self.extras_mut()?.source = Some(source);
            // No connection outlives the server.
            self.source_unreached();
        }
        Ok(())
    }

    /// Nobody wants it: the notifier is told, or has been told. Without a notifier there is nothing more to do than to be removed.
    fn restore_ending(&mut self, stored: &StoredLife<'_>, env: &Env<'_>) {
        let is_over = stored.expiry.is_some_and(|expiry| expiry <= env.now);
        let has_room = self.local_cseq > 0 || stored.local_cseq == 0;
        let has_tag = self.dialog.as_ref().map(|dialog| !dialog.remote_tag().is_empty());
        self.last_sent = self.last_sent.get().unwrap_or(env.now).into();
        let (state, at) = match (stored.notify_by, has_tag) {
            (Some(by), Some(_)) => (State::WaitingForTermination, by.max(env.now)),
            (None, Some(true)) if !is_over && has_room => {
                (State::Predestroyed(Farewell::Due), self.soon(stored.expiry, env))
            }
            // It may have left, and its NOTIFY brings the tag.
            (None, Some(false)) if !self.is_fork() => (State::UnconfirmedDestroy, env.now.after(GRACE)),
            (Some(_) | None, Some(_) | None) => (State::WaitingForTermination, env.now),
        };
        self.state = state.into();
        self.arm(at);
    }

    /// A fork has its dialog, or nothing.
    fn restore_fork(&mut self, stored: &StoredLife<'_>, fetch: bool, has_room: bool, env: &Env<'_>) {
        match stored.phase {
            StoredPhase::Confirmed(_) if self.dialog.is_some() && !has_room => {
                self.date(stored, env);
                let expiry = self.granted_until().unwrap_or(env.now);
                self.confirm(expiry, Awaits::Expiry);
            }
            StoredPhase::Confirmed(awaits) if self.dialog.is_some() => self.stand_again(stored, awaits, fetch, env),
            _ => {
                self.state = State::WaitingForTermination.into();
                self.arm(env.now);
            }
        }
    }

    /// The next SUBSCRIBE opens a dialog: at `next`, or, where that is over, soon.
    fn restore_waiting(
        &mut self,
        stored: &StoredLife<'_>,
        next: Option<Millis>,
        env: &Env<'_>,
    ) -> Result<(), OutOfMemory> {
        self.believe(stored, env)?;
        let planned = stored.next.filter(|next| *next > env.now && matches!(stored.phase, StoredPhase::Waiting));
        match next {
            Some(next) => self.wait(Attempt::Continued, next),
            None => self.wait(Attempt::Fresh, planned.unwrap_or_else(|| self.soon(None, env))),
        }
        Ok(())
    }

    /// The SUBSCRIBE that opens the dialog has left, or may have.
    fn restore_unconfirmed(&mut self, stored: &StoredLife<'_>, env: &Env<'_>) -> Result<(), OutOfMemory> {
        self.believe(stored, env)?;
        self.last_sent = env.now.into();
        self.opened = in_seconds(env.now);
        self.extras_mut()?.in_grace = true;
        self.state = State::Unconfirmed.into();
        self.arm(at_random(env.policy.restore_span, env).after(GRACE));
        Ok(())
    }

    fn restore_confirmed(
        &mut self,
        stored: &StoredLife<'_>,
        awaits: StoredAwaits,
        fetch: bool,
        env: &Env<'_>,
    ) -> Result<(), OutOfMemory> {
        self.date(stored, env);
        // The end of what nobody has been told of is no news.
        if self.granted_until().is_some_and(|expiry| expiry <= env.now) && !self.is_believed() {
            return self.restore_waiting(&StoredLife { next: None, ..*stored }, None, env);
        }
        self.stand_again(stored, awaits, fetch, env);
        Ok(())
    }

    /// The dialog has the end that is kept, or that of the time that was asked for.
    fn date(&mut self, stored: &StoredLife<'_>, env: &Env<'_>) {
        self.last_sent = self.last_sent.get().unwrap_or(env.now).into();
        if let Some(expiry) = stored.expiry.or(self.granted_until())
            && let Some(dialog) = &mut self.dialog
        {
            dialog.set_expiry(expiry);
        }
    }

    /// The subscription is active. One that is over expires at once, and is opened again as if it were overdue.
    fn stand_again(&mut self, stored: &StoredLife<'_>, awaits: StoredAwaits, fetch: bool, env: &Env<'_>) {
        self.date(stored, env);
        let soon = self.soon(self.granted_until(), env);
        let last = self.granted_until().map_or(Millis(u64::MAX), |expiry| expiry.max(env.now));
        let planned = stored.next.filter(|next| *next > env.now).map(|next| next.min(last));
        let late_by = stored.notify_by.filter(|by| *by > env.now);
        let is_cut_off = stored.dialog.is_some_and(|dialog| dialog.has_flow);
        let wants_state = fetch || is_cut_off || matches!(awaits, StoredAwaits::FirstNotify) && late_by.is_none();
        let next = match planned {
            Some(planned) if !wants_state => planned,
            Some(planned) => planned.min(soon),
            None => soon,
        };
        match awaits {
            StoredAwaits::Nothing => self.confirm(next, Awaits::Nothing),
            // Nobody was there to hear it: it is given its time once more.
            StoredAwaits::FirstNotify => {
                let by = late_by.unwrap_or_else(|| next.after(env.policy.timer_n));
                self.confirm(next, Awaits::FirstNotify { by });
            }
            StoredAwaits::LastNotify => {
                let by = late_by.unwrap_or(env.now);
                self.confirm(by, Awaits::LastNotify { by });
            }
            // A retry has its time, and the notifier may have said so.
            StoredAwaits::Retry => self.confirm(planned.unwrap_or(soon), Awaits::Retry),
            StoredAwaits::Expiry => self.confirm(planned.unwrap_or(soon), Awaits::Expiry),
        }
    }

    /// A random moment of the span over which is spread what is overdue: before `end`, if that is to come. The least time between two
    /// SUBSCRIBEs is kept unless the dialog would end before.
    fn soon(&self, end: Option<Millis>, env: &Env<'_>) -> Millis {
        let left = end.map(|end| end.since(env.now)).filter(|left| !left.is_zero());
        let half = left.map_or(Duration::MAX, |left| left / 2);
        at_random(env.policy.restore_span.min(half), env).max(self.earliest(env).min(env.now.after(half)))
    }

    fn is_believed(&self) -> bool {
        matches!(self.status, Some(Status::Active | Status::Pending))
    }

    /// The subscriber believes the status of a dialog that is not there any more, until what that was granted is over.
    fn believe(&mut self, stored: &StoredLife<'_>, env: &Env<'_>) -> Result<(), OutOfMemory> {
        if self.is_believed() { self.believe_until(stored.expiry.unwrap_or(env.now)) } else { Ok(()) }
    }

    /// Whether it waits for what the SUBSCRIBE of an earlier run has brought about.
    pub(super) fn is_in_grace(&self) -> bool {
        self.extras.as_deref().is_some_and(|extras| extras.in_grace)
    }

    /// A NOTIFY has made the dialog, or none has come: then the attempt goes on, with the same Call-ID and tag, so that the notifier knows
    /// the two for one.
    pub(super) fn grace_over(&mut self, env: &Env<'_>) -> Output {
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.in_grace = false;
        }
        if self.has_made_dialog() {
            return self.confirm_by_notify(&Failure::inner(Reason::Nothing), env);
        }
        self.wait(Attempt::Continued, env.now);
        Output::default()
    }
}

/// A random moment of this span from now on.
fn at_random(span: Duration, env: &Env<'_>) -> Millis {
    let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    env.now.after(Duration::from_millis(env.random % span.saturating_add(1)))
}

fn in_seconds(at: Millis) -> u32 {
    u32::try_from(at.0 / 1000).unwrap_or(u32::MAX)
}
