//! The next request: what it says, and how long it may be in flight.

use super::super::dialog::Dialog;
use super::super::digest::CNONCE_LEN;
use super::super::output::{Output, Request, RequestKind, Undo};
use super::super::policy::Policy;
use super::super::state::{Awaits, State};
use super::{Env, LAST_CSEQ, Promise, Subscription};
use crate::memory::SharedAlloc;

impl<A: SharedAlloc> Subscription<A> {
    /// The next request of the dialog, asking for so many seconds; the deadline becomes the watchdog.
    pub(super) fn send(&mut self, state: State, expires: u32, cnonce: [u8; CNONCE_LEN], env: &Env<'_>) -> Output {
        let undo = Undo {
            requested_expires: self.requested_expires,
            last_sent: self.last_sent.get(),
            goes_on: self.auth_attempts.goes_on,
            retries: matches!(self.state(), State::Confirmed { awaits: Awaits::Retry, .. }),
            awaits_notify: matches!(self.state(), State::Confirmed { awaits: Awaits::FirstNotify { .. }, .. }),
            outcome: self.dialog.as_ref().map(Dialog::outcome).unwrap_or_default(),
        };
        if !self.may_be_forked(env) {
            self.forget_ended_forks();
        }
        let authorizations = self.authorize(cnonce, env);
        let Some(dialog) = &self.dialog else { return self.lost_dialog(env) };
        let cseq = if self.local_cseq < LAST_CSEQ { self.local_cseq.saturating_add(1) } else { 1 };
        // Not in what ends the subscription: its last NOTIFY is awaited.
        let is_refresh = matches!(state, State::Resubscription { .. });
        let known_state = if is_refresh { dialog.entity_tag() } else { &[] };
        let request = Request {
            target: dialog.target().to_vec(),
            record: self.record().to_vec(),
            subscriber: self.subscriber().to_vec(),
            call_id: dialog.call_id().to_vec(),
            local_tag: dialog.local_tag().to_vec(),
            remote_tag: dialog.remote_tag().to_vec(),
            cseq,
            kind: match state {
                State::Predestroyed(_) => RequestKind::End,
                _ if self.retries > 0 => RequestKind::Retry,
                _ if dialog.remote_tag().is_empty() => RequestKind::New,
                _ => RequestKind::Refresh,
            },
            route_set: dialog.route_set().to_vec(),
            proxies: self.proxies,
            via: self.way().to_vec(),
            expires,
            known_state: known_state.to_vec(),
            package: env.packages.get(self.package).name,
            event_id: self.event_id().to_vec(),
            rates: self.terms().rates,
            header_lines: self.header_lines().to_vec(),
            filter: self.terms().filter.filter(|_| dialog.remote_tag().is_empty()),
            list: self.terms().list,
            partial: self.asks_for_changes(),
            socket: dialog.socket(),
            authorizations,
            reserved: matches!(self.turn, Promise::Reserved | Promise::Queued),
            queued: self.turn == Promise::Queued,
            undo,
        };
        match self.dialog.as_mut() {
            Some(dialog) if !dialog.remote_tag().is_empty() => dialog.count_request(),
            Some(_) | None => self.opened = u32::try_from(env.now.0 / 1000).unwrap_or(u32::MAX),
        }
        self.turn = Promise::None;
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.early.sent();
            extras.in_grace = false;
        }
        self.local_cseq = cseq;
        self.requested_expires = expires;
        self.last_sent = env.now.into();
        self.state = state.into();
        match is_refresh {
            true => self.arm_in_flight(env),
            false => self.arm(env.now.after(env.policy.watchdog)),
        }
        Output { send: Some(request.into()), ..Output::default() }
    }

    /// Expires of the next request: its own or `default_expiration`, or what a 423 demanded; 0 for a fetch.
    pub(super) fn wanted_expires(&self, policy: &Policy) -> u32 {
        if self.terms().fetch.is_some() {
            return 0;
        }
        let usual = || u32::try_from(policy.default_expiration.as_secs()).unwrap_or(u32::MAX);
        self.terms().expires.unwrap_or_else(usual).max(self.min_expires()).max(1)
    }

    /// While a request is in flight: the watchdog, or the end of what a NOTIFY has told or a 2xx has granted before, as then the
    /// state is not known any more.
    pub(super) fn arm_in_flight(&mut self, env: &Env<'_>) {
        // No outcome is to come.
        if self.is_in_grace() {
            return self.arm(env.now);
        }
        let watchdog = self.last_sent().after(env.policy.watchdog);
        let expiry = self.dialog.as_ref().and_then(Dialog::expiry);
        self.arm(expiry.map_or(watchdog, |expiry| expiry.min(watchdog)));
    }
}
