//! The outcome of a request.

use super::super::input::Reply;
use super::super::output::Output;
use super::super::reason::Wording;
use super::super::state::Flight;
use super::accepted::NO_NOTIFICATION;
use super::ending::Failure;
use super::{Env, Subscription};
use crate::grammar::{RouteSet, is_sips};
use crate::memory::{OutOfMemory, SharedAlloc};

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum RequestOutcome<'a> {
    /// 2xx: 200 and 202 mean the same (RFC 6665 §8.3.1).
    Accepted(&'a Reply<'a>),
    /// 3xx that names other targets.
    Redirected(&'a Reply<'a>),
    /// 305.
    Rerouted(&'a Reply<'a>),
    /// 401 or 407 that says how to be authorized.
    Challenged(&'a Reply<'a>),
    /// Anything else.
    Failed(Failure<'a>),
}

impl<'a> RequestOutcome<'a> {
    fn of(reply: &'a Reply<'a>) -> Self {
        match reply.code {
            200..=299 => Self::Accepted(reply),
            // 380 names another service (RFC 3261 §21.3.5), which is not another target.
            305 => Self::Rerouted(reply),
            300..=304 | 306..=379 | 381..=399 => Self::Redirected(reply),
            401 | 407 if !reply.challenges.is_empty() => Self::Challenged(reply),
            0..=199 | 380 | 400..=u16::MAX => Self::Failed(Failure::of(reply)),
        }
    }
}

impl<A: SharedAlloc> Subscription<A> {
    pub(super) fn on_reply(&mut self, reply: &Reply<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        if reply.cseq != self.local_cseq || reply.code < 200 {
            return Ok(Output::default());
        }
        if reply.min_expires.is_some() {
            // It may have to be kept.
            self.extras_mut()?;
        }
        let waited = self.last_sent.get().map(|sent| env.now.since(sent));
        let renewed = self.try_renew(reply)?;
        let judged = self.judge_route(reply);
        let reply = judged.as_ref().unwrap_or(reply);
        let output = Output { concluded: true, waited, ..self.on_outcome(RequestOutcome::of(reply), env)? };
        if let (Some(renewed), Some(extras)) = (renewed, self.extras.as_deref_mut())
            && extras.sessions.is_some()
        {
            extras.sessions = Some(renewed);
        }
        Ok(if reply.is_local { self.unreached(output) } else { output })
    }

    /// The reply without what would lead from SIPS to SIP (RFC 3261 §26.2.2), if anything would.
    fn judge_route<'a>(&self, reply: &Reply<'a>) -> Option<Reply<'a>> {
        let has_sip = !reply.route_set.is_sips() || reply.contact.is_some_and(|contact| !contact.is_sips());
        if !has_sip || !is_sips(self.record()) {
            return None;
        }
        let contact = reply.contact.filter(|contact| contact.is_sips());
        let route_set = if reply.route_set.is_sips() { reply.route_set } else { RouteSet::NONE };
        let has_bad_contact = reply.has_bad_contact || contact != reply.contact;
        Some(Reply { contact, route_set, has_bad_contact, ..*reply })
    }

    /// The newest request has not left.
    pub(super) fn on_unsent(
        &mut self,
        cseq: u32,
        failure: Failure<'static>,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        if cseq != self.local_cseq {
            return Ok(Output::default());
        }
        Ok(Output { concluded: true, ..self.on_outcome(RequestOutcome::Failed(failure), env)? })
    }

    pub(super) fn on_outcome(&mut self, outcome: RequestOutcome<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        let output = self.on_outcome_in_state(outcome, env)?;
        // A later hold is another one.
        self.told_held = false;
        Ok(output)
    }

    fn on_outcome_in_state(&mut self, outcome: RequestOutcome<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        use RequestOutcome::{Accepted, Challenged, Failed, Redirected, Rerouted};
        let Some(flight) = self.state().flight() else { return Ok(Output::default()) };
        match (flight, outcome) {
            (Flight::Opening, Accepted(reply)) => self.opened(reply, env),
            (Flight::Opening, Redirected(reply)) => match self.redirect(reply, env)? {
                Some(output) => Ok(output),
                None => Ok(self.not_opened(Failure::of(reply), env)),
            },
            (Flight::Opening, Rerouted(reply)) => Ok(match self.reroute(reply, env)? {
                true => self.go_on(env.now),
                false => self.not_opened(Failure::of(reply), env),
            }),
            (Flight::Opening, Challenged(reply)) => Ok(match self.learn(reply, env)? {
                Ok(()) => self.go_on(env.now),
                Err(refusal) => self.not_opened(Failure::refused(refusal, reply), env),
            }),
            (Flight::Opening, Failed(failure)) => Ok(self.not_opened(failure, env)),

            (Flight::Refresh { notify_by }, Accepted(reply)) => self.refreshed(reply, notify_by, env),
            (Flight::Refresh { notify_by }, Redirected(reply)) => match self.redirect(reply, env)? {
                Some(output) => Ok(output),
                None => Ok(self.not_refreshed(Failure::of(reply), notify_by, env)),
            },
            (Flight::Refresh { notify_by }, Rerouted(reply)) => Ok(match self.reroute(reply, env)? {
                true => self.refresh_again(notify_by, env.now),
                false => self.not_refreshed(Failure::of(reply), notify_by, env),
            }),
            (Flight::Refresh { notify_by }, Challenged(reply)) => Ok(match self.learn(reply, env)? {
                Ok(()) => self.refresh_again(notify_by, env.now),
                Err(refusal) => self.not_refreshed(Failure::refused(refusal, reply), notify_by, env),
            }),
            (Flight::Refresh { notify_by }, Failed(failure)) => Ok(self.not_refreshed(failure, notify_by, env)),

            (Flight::OpeningUnwanted, Accepted(reply)) => self.opened_for_nobody(reply, env),
            (Flight::RefreshUnwanted, Accepted(reply)) => self.refreshed_for_nobody(reply, env),
            (Flight::OpeningUnwanted, Redirected(reply) | Rerouted(reply) | Challenged(reply)) => {
                Ok(self.not_opened_for_nobody(&Failure::of(reply), env))
            }
            (Flight::OpeningUnwanted, Failed(failure)) => Ok(self.not_opened_for_nobody(&failure, env)),
            (Flight::RefreshUnwanted, Redirected(reply)) => Ok(self.not_refreshed_for_nobody(&Failure::of(reply), env)),
            (Flight::RefreshUnwanted, Rerouted(reply)) => {
                let _ = self.reroute(reply, env)?;
                Ok(self.not_refreshed_for_nobody(&Failure::of(reply), env))
            }
            // The farewell takes the answer along. Without one it is tried as well: it may be let through.
            (Flight::RefreshUnwanted, Challenged(reply)) => {
                let _ = self.learn(reply, env)?;
                Ok(self.not_refreshed_for_nobody(&Failure::of(reply), env))
            }
            (Flight::RefreshUnwanted, Failed(failure)) => Ok(self.not_refreshed_for_nobody(&failure, env)),

            // There is no last NOTIFY to wait for.
            (Flight::Farewell, Accepted(Reply { code: NO_NOTIFICATION, .. })) => Ok(self.destroy()),
            (Flight::Farewell, Accepted(reply)) => {
                self.note(reply.code, Wording::Peer(reply.reason));
                self.await_termination(env);
                Ok(Output::default())
            }
            (Flight::Farewell, Challenged(reply)) => Ok(match self.learn(reply, env)? {
                Ok(()) => self.say_farewell(env.now),
                Err(_) => self.destroy(),
            }),
            (Flight::Farewell, Rerouted(reply)) => Ok(match self.reroute(reply, env)? {
                true => self.say_farewell(env.now),
                false => self.destroy(),
            }),
            (Flight::Farewell, Failed(failure)) => Ok(match self.fail_over(&failure, env) {
                true => self.say_farewell(env.now),
                false => self.destroy(),
            }),
            (Flight::Farewell, Redirected(_)) => Ok(self.destroy()),
        }
    }
}
