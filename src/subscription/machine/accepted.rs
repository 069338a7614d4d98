//! A 2xx to a request (RFC 6665 §4.1.2.1, §4.1.2.2).

use super::super::dialog::Dialog;
use super::super::input::Reply;
use super::super::output::Output;
use super::super::policy::Policy;
use super::super::schedule;
use super::super::state::Awaits;
use super::super::text::{OutOfMemory, Share};
use super::super::time::Instant;
use super::ending::Failure;
use super::{Env, Subscription};
use crate::grammar::RouteSet;
use allocator_api2::alloc::Allocator;
use std::time::Duration;

/// 204: accepted, and nothing new (RFC 5839 §7.3).
pub(super) const NO_NOTIFICATION: u16 = 204;

impl<A: Share> Subscription<A> {
    /// The subscription is accepted. What the first NOTIFY has said of the dialog and its expiry counts more than what
    /// the 2xx says; without one, the 2xx's dialog is provisional until the first NOTIFY, which must come by Timer N.
    pub(super) fn opened(&mut self, reply: &Reply<'_>, now: Instant, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        if let Some(until) = self.fetch_until() {
            return self.fetch_accepted(reply, until, env.policy);
        }
        let Some(granted) = self.granted(reply) else { return Ok(self.refuse_nothing_granted(reply, now, env)) };
        let Some(dialog) = self.dialog.as_mut() else { return Ok(self.drop_dialog(now, env)) };
        adopt_reply(dialog, reply, env.policy, self.alloc.clone())?;
        let expiry = dialog.expiry().unwrap_or(now.after(granted));
        dialog.set_expiry(expiry);
        let awaits = if dialog.is_made() || !env.policy.timer_n_on_first {
            Awaits::Nothing
        } else {
            Awaits::FirstNotify { by: self.last_sent.get().unwrap_or(now).after(env.policy.timer_n) }
        };
        self.accept(reply);
        self.confirm(now.after(schedule::refresh_delay(expiry.since(now), env.policy, env.random)), awaits);
        Ok(Output::default())
    }

    /// A refresh is accepted: the granted time begins anew.
    pub(super) fn refreshed(
        &mut self,
        reply: &Reply<'_>,
        notify_by: Option<Instant>,
        now: Instant,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        let Some(granted) = self.granted(reply) else { return Ok(self.refuse_nothing_granted(reply, now, env)) };
        let Some(dialog) = self.dialog.as_mut() else { return Ok(self.drop_dialog(now, env)) };
        dialog.try_retarget(reply.contact, self.alloc.clone())?;
        dialog.set_expiry(now.after(granted));
        // No NOTIFY follows a 204 (RFC 5839 §4.2), but the first of a dialog is still to come.
        let notify_by = notify_by.filter(|_| reply.code != NO_NOTIFICATION || !dialog.is_made());
        let awaits = notify_by.map_or(Awaits::Nothing, |by| Awaits::FirstNotify { by });
        if dialog.is_made() {
            self.retries = 0;
        }
        self.accept(reply);
        self.confirm(now.after(schedule::refresh_delay(granted, env.policy, env.random)), awaits);
        Ok(Output::default())
    }

    /// The subscription is accepted, but nobody wants it any more.
    pub(super) fn opened_for_nobody(
        &mut self,
        reply: &Reply<'_>,
        now: Instant,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        if self.granted(reply).is_none() {
            return Ok(self.destroy());
        }
        if let Some(dialog) = self.dialog.as_mut() {
            adopt_reply(dialog, reply, env.policy, self.alloc.clone())?;
        }
        self.accept(reply);
        Ok(self.say_farewell(now))
    }

    /// A refresh is accepted, but nobody wants it any more.
    pub(super) fn refreshed_for_nobody(&mut self, reply: &Reply<'_>, now: Instant) -> Result<Output, OutOfMemory> {
        if self.granted(reply).is_none() {
            return Ok(self.destroy());
        }
        if let Some(dialog) = self.dialog.as_mut().filter(|dialog| dialog.remote_tag() == reply.remote_tag.text()) {
            dialog.try_retarget(reply.contact, self.alloc.clone())?;
        }
        self.accept(reply);
        Ok(self.say_farewell(now))
    }

    /// The time a 2xx grants: never more than was asked for; `None` when it is nothing at all.
    fn granted(&self, reply: &Reply<'_>) -> Option<Duration> {
        let seconds = reply.expires.unwrap_or(self.asked).min(self.asked);
        (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
    }

    /// A 2xx that grants no time to a request that asked for some ends the subscription (RFC 6665 §4.2.1.1).
    fn refuse_nothing_granted(&mut self, reply: &Reply<'_>, now: Instant, env: &Env<'_>) -> Output {
        self.end(Failure { code: reply.code, ..Failure::inner(b"no time granted") }, now, env)
    }

    pub(super) fn accept(&mut self, reply: &Reply<'_>) {
        self.note(reply.code, reply.reason);
        self.attempt_over();
        if let Some(dialog) = &mut self.dialog {
            dialog.set_flow(reply.flow);
        }
        if reply.has_bad_contact {
            self.count_bad_contact();
        }
    }

    /// The dialog stands, because a NOTIFY has made it, although no final reply has come: it was accepted
    /// (RFC 6665 §4.1.2.4). How long for, the NOTIFY said; or else it is what was asked.
    pub(super) fn confirm_by_notify(&mut self, failure: &Failure<'_>, now: Instant, env: &Env<'_>) -> Output {
        let asked = Duration::from_secs(u64::from(self.asked));
        let sent = self.last_sent.get().unwrap_or(now);
        let Some(dialog) = self.dialog.as_mut() else { return self.drop_dialog(now, env) };
        let expiry = dialog.expiry().unwrap_or(sent.after(asked));
        dialog.set_expiry(expiry);
        self.note(failure.code, failure.reason);
        self.attempt_over();
        self.confirm(now.after(schedule::refresh_delay(expiry.since(now), env.policy, env.random)), Awaits::Nothing);
        Output::default()
    }
}

/// The dialog as a 2xx to the first request tells it (RFC 3261 §12.1.2). A NOTIFY that has made it wins over a 2xx with
/// another To tag: that one comes from another fork. One that has named the target wins over every 2xx: the notifier may
/// have moved since it sent that one.
pub(super) fn adopt_reply<A: Allocator + Clone>(
    dialog: &mut Dialog<A>,
    reply: &Reply<'_>,
    policy: &Policy,
    alloc: A,
) -> Result<(), OutOfMemory> {
    if !dialog.is_made() {
        dialog.try_adopt(reply.remote_tag, reply.contact, reply.route_set, alloc)
    } else if reply.remote_tag.text() == dialog.remote_tag() {
        let target = reply.contact.filter(|_| !dialog.is_target_told());
        let keeps = policy.keep_route_set && dialog.route_set().is_empty();
        dialog.try_complete(target, if keeps { reply.route_set } else { RouteSet::NONE }, alloc)
    } else {
        Ok(())
    }
}
