//! The module's own inputs: start, refresh, unsubscribe, and the outcome of a request.

use std::time::Duration;

use super::super::dialog::Dialog;
use super::super::failure;
use super::super::input::{Flow, Socket};
use super::super::output::{Output, Untold};
use super::super::state::{Attempt, Awaits, Farewell, State};
use super::ending::Failure;
use super::reply::RequestOutcome;
use super::{Env, Promise, Subscription};
use crate::memory::{Defect, OutOfMemory, SharedAlloc, found};
use crate::time::Millis;

/// Refreshes after the loss of a connection are spread over so many milliseconds.
const FLOW_LOST_SPAN: u64 = 2000;

impl<A: SharedAlloc> Subscription<A> {
    /// Arms the first SUBSCRIBE: now, or evenly spread over `max_subscribe_delay`, which no fetch can wait for. A second
    /// start does nothing.
    pub(super) fn on_start(&mut self, env: &Env<'_>) -> Output {
        if self.state() == State::Waiting(Attempt::Unstarted) {
            let is_fetch = self.begin_fetch(env.now);
            let span = if is_fetch { Duration::ZERO } else { env.policy.max_subscribe_delay };
            let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            let delay = Duration::from_millis(env.random % span.saturating_add(1));
            self.wait(Attempt::Fresh, env.now.after(delay));
        }
        Output::default()
    }

    /// The newest request takes another outbound proxy than the one it begins with.
    pub(super) fn on_through(&mut self, cseq: u32, proxy: u8, env: &Env<'_>) -> Output {
        if self.state().in_flight() && cseq == self.local_cseq {
            let count = self.proxies_there_are(env);
            self.proxies.go_through(proxy, count);
        }
        Output::default()
    }

    /// Keeps the socket of the newest request for the dialog. The reply may have been faster than this word.
    pub(super) fn on_sent(&mut self, cseq: u32, socket: Socket) -> Output {
        // A later hold is another one.
        self.told_held &= cseq != self.local_cseq;
        if let Some(dialog) = self.dialog.as_mut().filter(|_| cseq == self.local_cseq) {
            dialog.set_socket(socket);
        }
        Output::default()
    }

    /// The newest request has taken this connection. One that has lasted since the request before is a good one.
    pub(super) fn on_over(&mut self, cseq: u32, flow: Flow) -> Output {
        let (in_flight, is_repetition) = (self.state().in_flight(), self.auth_attempts.count() > 0);
        let Some(dialog) = self.dialog.as_mut().filter(|_| cseq == self.local_cseq) else { return Output::default() };
        if in_flight {
            let lasts = dialog.flow() == Some(flow);
            dialog.set_flow(Some(flow));
            if lasts && !is_repetition {
                self.set_losses(0);
            }
        }
        Output::default()
    }

    /// The connection is lost. A SUBSCRIBE that is under way over it has failed. Otherwise the next one is brought forward, but
    /// not those of all its dialogs to the same moment, and later each time when no connection lasts until the next SUBSCRIBE.
    pub(super) fn on_flow_lost(&mut self, flow: Flow, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        if self.flow() != Some(flow) {
            return Ok(Output::default());
        }
        let state = self.state();
        if matches!(state, State::Confirmed { .. }) {
            let losses = self.losses();
            let delay = match losses {
                0 => Duration::from_millis(env.random % FLOW_LOST_SPAN),
                _ => failure::back_off(losses.into(), env.policy, env.random),
            };
            // Without memory for the count it is as the first time.
            let _ = self.extras_mut();
            self.set_losses(losses.saturating_add(1));
            self.lose_flow();
            return Ok(self.hasten(env.now.after(delay), env));
        }
        let output = match state.in_flight() {
            true => Output { concluded: true, ..self.on_outcome(RequestOutcome::Failed(Failure::CUT_OFF), env)? },
            false => Output::default(),
        };
        self.lose_flow();
        Ok(output)
    }

    /// The dialog depends on no connection any more.
    fn lose_flow(&mut self) {
        if let Some(dialog) = &mut self.dialog {
            dialog.set_flow(None);
        }
        self.source_unreached();
    }

    /// A NOTIFY that was not handed in, or that lost its news.
    pub(super) fn on_untold(&mut self, why: Untold, env: &Env<'_>) -> Output {
        if self.state() == State::Destroyed {
            return Output::default();
        }
        if why == Untold::Refused {
            self.was_refused(env);
        }
        self.not_told(why)
    }

    /// Somebody wants the next SUBSCRIBE now.
    pub(super) fn on_refresh(&mut self, env: &Env<'_>) -> Output {
        self.hasten(env.now, env)
    }

    /// Brings the next SUBSCRIBE forward to `wanted`, or as near as `min_resubscribe_time` allows. One that has its turn keeps
    /// it: with a new turn each time, repeated commands would use up the turns of the others.
    fn hasten(&mut self, wanted: Millis, env: &Env<'_>) -> Output {
        let earliest = self.earliest(env).max(wanted);
        match self.state() {
            State::Waiting(attempt) if attempt != Attempt::Unstarted && self.turn == Promise::None => {
                let planned = self.planned().unwrap_or_else(|| found(Defect::State));
                self.wait(attempt, planned.min(earliest));
            }
            // A fetch that was accepted has no other request to bring forward, nor has what was granted nothing.
            State::Confirmed { next, awaits } if self.fetch_until().is_none() => match awaits {
                Awaits::LastNotify { .. } => {}
                Awaits::Expiry => self.confirm_sooner(next, Awaits::Retry, earliest),
                Awaits::Nothing | Awaits::Retry | Awaits::FirstNotify { .. } => {
                    self.confirm_sooner(next, awaits, earliest);
                }
            },
            // No other SUBSCRIBE is planned.
            _ => {}
        }
        Output::default()
    }

    /// Brings the next SUBSCRIBE of a dialog forward to `wanted`; one that has its turn keeps it.
    pub(super) fn confirm_sooner(&mut self, next: Millis, awaits: Awaits, wanted: Millis) {
        let keeps = self.turn == Promise::Reserved;
        self.confirm(if keeps { next } else { next.min(wanted) }, awaits);
    }

    /// The internal subscriber has gone: no more news; the notifier is told when there is one (RFC 6665 §4.1.2.3). One
    /// that was only asked once has nothing to end.
    pub(super) fn on_unsubscribe(&mut self, now: Millis) -> Output {
        self.forget_left();
        match self.state() {
            State::Waiting(_) | State::Local => self.destroy(),
            State::Unconfirmed | State::Confirmed { .. } if self.fetch_until().is_some() => self.destroy(),
            State::Unconfirmed => {
                self.state = State::UnconfirmedDestroy.into();
                Output::default()
            }
            State::Resubscription { .. } => {
                self.state = State::ResubscriptionDestroy.into();
                Output::default()
            }
            // The notifier has ended it itself, and says so until then.
            State::Confirmed { awaits: Awaits::LastNotify { .. }, .. } => {
                self.state = State::WaitingForTermination.into();
                Output::default()
            }
            State::Confirmed { .. } => self.say_farewell(now),
            State::WaitingForTermination if self.has_ended() => self.destroy(),
            // It had gone before.
            _ => Output::default(),
        }
    }

    /// Plans the SUBSCRIBE with Expires 0; without the notifier's tag there is no dialog to send it in.
    pub(super) fn say_farewell(&mut self, now: Millis) -> Output {
        if self.dialog.as_ref().map(Dialog::remote_tag).unwrap_or_default().is_empty() {
            return self.destroy();
        }
        self.state = State::Predestroyed(Farewell::Due).into();
        self.deadline = now.into();
        Output::default()
    }
}
