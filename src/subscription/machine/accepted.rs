//! A 2xx to a request (RFC 6665 §4.1.2.1, §4.1.2.2).

use std::time::Duration;

use allocator_api2::alloc::Allocator;

use super::super::dialog::Dialog;
use super::super::input::Reply;
use super::super::marks::Heard;
use super::super::output::Output;
use super::super::reason::{Reason, Wording};
use super::super::schedule;
use super::super::state::{Awaits, State};
use super::ending::Failure;
use super::{Env, Subscription};
use crate::grammar::RouteSet;
use crate::memory::{OutOfMemory, SharedAlloc};
use crate::time::Millis;

/// 204: accepted, and nothing new (RFC 5839 §7.3).
pub(super) const NO_NOTIFICATION: u16 = 204;

fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

impl<A: SharedAlloc> Subscription<A> {
    /// The subscription is accepted. What the first NOTIFY has said of the dialog and its expiry counts more than what
    /// the 2xx says; without one, the 2xx's dialog is provisional until the first NOTIFY, which must come by Timer N.
    pub(super) fn opened(&mut self, reply: &Reply<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        if let Some(output) = self.end_as_ended_fork(Some(reply.remote_tag.text()), env) {
            return Ok(output);
        }
        if let Some(until) = self.fetch_until() {
            return self.fetch_accepted(reply, until, env.policy);
        }
        let (keeps, awaits_first) = (self.keeps_route_set(env.policy), self.awaits_first_notify(env.policy));
        let Some(dialog) = self.dialog.as_mut() else { return Ok(self.lost_dialog(env)) };
        adopt_reply(dialog, reply, keeps, self.alloc.clone())?;
        let is_own = dialog.remote_tag() == reply.remote_tag.text();
        let Some(granted) = self.granted(reply) else { return Ok(self.nothing_granted(reply, env)) };
        let until = env.now.after(granted);
        let Some(dialog) = self.dialog.as_mut() else { return Ok(self.lost_dialog(env)) };
        // The grant of another notifier does not count.
        let expiry = dialog.expiry().map_or(until, |told| if is_own { told.min(until) } else { told });
        dialog.set_expiry(expiry);
        let awaits = if dialog.is_made() || !awaits_first {
            Awaits::Nothing
        } else {
            Awaits::FirstNotify { by: self.timer_n(env) }
        };
        self.accept(reply);
        if is_own {
            self.requested_expires = seconds(granted);
        }
        self.confirm_granted(expiry, awaits, env);
        Ok(Output::default())
    }

    /// A refresh is accepted: the granted time begins again.
    pub(super) fn refreshed(
        &mut self,
        reply: &Reply<'_>,
        notify_by: Option<Millis>,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        let Some(granted) = self.granted(reply) else { return Ok(self.nothing_granted(reply, env)) };
        let Some(dialog) = self.dialog.as_mut() else { return Ok(self.lost_dialog(env)) };
        if dialog.heard() == Heard::Stale && reply.code != NO_NOTIFICATION {
            return Ok(self.end(Failure::COUNT_LOST, env));
        }
        dialog.try_retarget(reply.contact, self.alloc.clone())?;
        // A 2xx does not lengthen the time of a NOTIFY that has overtaken it.
        let told = dialog.expiry().filter(|_| dialog.heard() == Heard::Dated);
        let until = env.now.after(granted);
        let expiry = told.map_or(until, |told| told.min(until));
        dialog.set_expiry(expiry);
        // No NOTIFY follows a 204 (RFC 5839 §4.2), but the first of a dialog is still to come.
        let notify_by = notify_by.filter(|_| reply.code != NO_NOTIFICATION || !dialog.is_made());
        let awaits = notify_by.map_or(Awaits::Nothing, |by| Awaits::FirstNotify { by });
        if dialog.is_made() {
            self.retries = 0;
        }
        self.accept(reply);
        self.requested_expires = seconds(granted);
        self.confirm_granted(expiry, awaits, env);
        Ok(Output::default())
    }

    /// Stands until then, and is refreshed before.
    fn confirm_granted(&mut self, expiry: Millis, awaits: Awaits, env: &Env<'_>) {
        let planned = env.now.after(schedule::refresh_delay(expiry.since(env.now), env.policy, env.random));
        let next = self.plan(planned, env);
        self.confirm(next, awaits);
    }

    /// The subscription is accepted, but it has been unsubscribed.
    pub(super) fn opened_for_nobody(&mut self, reply: &Reply<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        if self.is_of_ended_fork(reply.remote_tag.text()) {
            return Ok(self.destroy());
        }
        let keeps = self.keeps_route_set(env.policy);
        if let Some(dialog) = self.dialog.as_mut() {
            adopt_reply(dialog, reply, keeps, self.alloc.clone())?;
        }
        Ok(self.accepted_for_nobody(reply, env))
    }

    /// A refresh is accepted, but the subscription has been unsubscribed.
    pub(super) fn refreshed_for_nobody(&mut self, reply: &Reply<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        if let Some(dialog) = self.dialog.as_mut().filter(|dialog| dialog.remote_tag() == reply.remote_tag.text()) {
            dialog.try_retarget(reply.contact, self.alloc.clone())?;
        }
        Ok(self.accepted_for_nobody(reply, env))
    }

    /// A grant has to be given back. If nothing is granted, only the last NOTIFY is to come.
    fn accepted_for_nobody(&mut self, reply: &Reply<'_>, env: &Env<'_>) -> Output {
        self.accept(reply);
        if self.granted(reply).is_some() {
            return self.say_farewell(env.now);
        }
        self.await_termination(env);
        Output::default()
    }

    /// The notifier has ended the subscription, and its last NOTIFY is awaited.
    pub(super) fn await_termination(&mut self, env: &Env<'_>) {
        self.state = State::WaitingForTermination.into();
        self.deadline = env.now.after(env.policy.wait_for_term_notify).into();
    }

    /// The time a 2xx grants: never more than was asked for; `None` when it is nothing at all.
    fn granted(&self, reply: &Reply<'_>) -> Option<Duration> {
        let seconds = reply.expires.unwrap_or(self.requested_expires).min(self.requested_expires);
        (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
    }

    /// A 2xx that grants no time to a request that asked for some ends the subscription (RFC 6665 §4.2.1.1), and is followed by
    /// a NOTIFY like any other: that has the state, and says why. Until then, or until Timer N, nothing else is done.
    fn nothing_granted(&mut self, reply: &Reply<'_>, env: &Env<'_>) -> Output {
        self.accept(reply);
        self.note(reply.code, Wording::Known(Reason::NothingGranted));
        let by = self.timer_n(env);
        if let Some(dialog) = self.dialog.as_mut() {
            let by = dialog.expiry().filter(|_| dialog.is_made()).map_or(by, |expiry| expiry.min(by));
            dialog.set_expiry(by);
            self.confirm(by, Awaits::LastNotify { by });
        }
        Output::default()
    }

    /// Timer N of the newest request.
    pub(super) fn timer_n(&self, env: &Env<'_>) -> Millis {
        self.last_sent().after(env.policy.timer_n)
    }

    pub(super) fn accept(&mut self, reply: &Reply<'_>) {
        self.note(reply.code, Wording::Peer(reply.reason));
        self.attempt_over();
        if let Some(dialog) = &mut self.dialog {
            dialog.set_flow(reply.flow);
            if reply.code != NO_NOTIFICATION {
                dialog.request_accepted();
            }
        }
        if reply.has_bad_contact {
            self.count_bad_contact();
        }
    }

    /// The dialog is active, because a NOTIFY has made it, although no final reply has come: it was accepted
    /// (RFC 6665 §4.1.2.4). How long for, the NOTIFY said; or else it is what was asked.
    pub(super) fn confirm_by_notify(&mut self, failure: &Failure<'_>, env: &Env<'_>) -> Output {
        // Nothing has been sent where the first request is taken back, though somebody has sent a NOTIFY for it.
        let expiry = self.granted_until().unwrap_or(env.now);
        let Some(dialog) = self.dialog.as_mut() else { return self.lost_dialog(env) };
        dialog.set_expiry(expiry);
        self.note(failure.code, failure.reason);
        self.attempt_over();
        self.confirm_granted(expiry, Awaits::Nothing, env);
        Output::default()
    }
}

/// The dialog as a 2xx to the first request tells it (RFC 3261 §12.1.2). A NOTIFY that has made it wins over a 2xx with
/// another To tag: that one comes from another fork. One that has named the target wins over every 2xx: the notifier may
/// have moved since it sent that one.
pub(super) fn adopt_reply<A: Allocator + Clone>(
    dialog: &mut Dialog<A>,
    reply: &Reply<'_>,
    keeps_route_set: bool,
    alloc: A,
) -> Result<(), OutOfMemory> {
    if !dialog.is_made() {
        dialog.try_adopt(reply.remote_tag, reply.contact, reply.route_set, alloc)
    } else if reply.remote_tag.text() == dialog.remote_tag() {
        let target = reply.contact.filter(|_| !dialog.is_target_told());
        let keeps = keeps_route_set && dialog.route_set().is_empty();
        dialog.try_complete(target, if keeps { reply.route_set } else { RouteSet::NONE }, alloc)
    } else {
        Ok(())
    }
}
