//! A NOTIFY in the dialog (RFC 6665 §4.1.3).

use std::time::Duration;

use super::super::brief::Brief;
use super::super::failure;
use super::super::fingerprint::Fingerprint;
use super::super::input::{Content, Notify};
use super::super::output::{Answer, News, Output, Status, Untold};
use super::super::package::Packages;
use super::super::reason::{Reason, Wording};
use super::super::schedule::{self, Told};
use super::super::state::{Awaits, State};
use super::super::substate::{StateValue, SubscriptionState};
use super::super::version::Order;
use super::ending::Failure;
use super::{Env, Promise, RECORD, Subscription};
use crate::grammar::{OfferedUri, Target, is_sips};
use crate::memory::{OutOfMemory, SharedAlloc};
use crate::time::Millis;

impl<A: SharedAlloc> Subscription<A> {
    pub(super) fn on_notify(
        &mut self,
        notify: &Notify<'_>,
        fingerprint: Fingerprint,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        let state = self.state();
        match (state.has_dialog(), state.is_wanted()) {
            (true, true) => self.on_wanted_notify(notify, fingerprint, env),
            (true, false) => self.on_unwanted_notify(notify, fingerprint, env),
            (false, _) => Ok(Output::default()),
        }
    }

    fn on_wanted_notify(
        &mut self,
        notify: &Notify<'_>,
        fingerprint: Fingerprint,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        let is_welcome = self.welcomes_forks(env);
        match self.judge(notify, fingerprint, is_welcome, env.packages) {
            Judgement::Foreign => Ok(Output::default()),
            Judgement::Repeated => Ok(self.repeated()),
            Judgement::Refused(answer) => Ok(self.refused(answer, notify, fingerprint, env)),
            Judgement::Stale => Ok(self.stale(notify.cseq, env)),
            Judgement::CountLost | Judgement::StaleEnd => Ok(self.count_lost(env)),
            Judgement::Fork(StateValue::Terminated) => Ok(forked()),
            Judgement::Fork(StateValue::Active | StateValue::Pending | StateValue::Other) => {
                Ok(match notify.content.refusal() {
                    Some(answer) => self.refused(answer, notify, fingerprint, env),
                    None => forked(),
                })
            }
            Judgement::Ended(state) => self.ended(&state, notify, fingerprint, env),
            Judgement::Stands(state) => match (notify.content.refusal(), self.fetch_until()) {
                (Some(answer), _) => Ok(self.refused(answer, notify, fingerprint, env)),
                (None, Some(_)) => Ok(self.fetched(&state, notify.content)),
                (None, None) => self.state_told(&state, notify, fingerprint, env),
            },
        }
    }

    /// The internal subscriber has gone: answered and discarded, whatever the body is.
    fn on_unwanted_notify(
        &mut self,
        notify: &Notify<'_>,
        fingerprint: Fingerprint,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        match self.judge(notify, fingerprint, false, env.packages) {
            Judgement::Foreign | Judgement::Fork(_) => Ok(Output::default()),
            Judgement::Repeated => Ok(self.repeated()),
            Judgement::Refused(answer) => Ok(self.refused(answer, notify, fingerprint, env)),
            Judgement::Ended(_) | Judgement::Stands(_) if self.has_ended() => Ok(Output::default()),
            Judgement::StaleEnd if !self.has_ended() => {
                Ok(Output { answer: Some(Answer::StaleCseq), ..self.destroy() })
            }
            Judgement::Stale | Judgement::CountLost | Judgement::StaleEnd => Ok(self.stale(notify.cseq, env)),
            Judgement::Ended(_) => Ok(Output { answer: Some(Answer::Ok), ..self.destroy() }),
            Judgement::Stands(_) => {
                self.adopt_notify(notify, fingerprint, env)?;
                Ok(answered(Answer::Ok))
            }
        }
    }

    /// Whether the NOTIFY belongs here and is new, and what it says. Gaps in the CSeq are accepted (RFC 3261 §12.2.2).
    fn judge<'a>(
        &self,
        notify: &Notify<'a>,
        fingerprint: Fingerprint,
        welcomes_forks: bool,
        packages: &Packages,
    ) -> Judgement<'a> {
        let Some(dialog) = &self.dialog else { return Judgement::Foreign };
        // Once a NOTIFY has made the dialog, those of other forks do not belong into it (RFC 6665 §4.1.4).
        let is_other_fork = dialog.is_from_other_fork(notify, fingerprint);
        let is_gone = (is_other_fork || !dialog.is_made()) && self.is_of_ended_fork(notify.remote_tag.text());
        if is_other_fork && !welcomes_forks && !is_gone {
            return Judgement::Foreign;
        }
        // Notifiers in the field leave the id out, and the dialog has no other subscription: a wrong one is another matter.
        let is_own_id = notify.event_id.is_none_or(|id| !id.is_empty() && id == self.event_id());
        if notify.event != packages.get(self.package()).name.as_bytes() || !is_own_id {
            return Judgement::Refused(Answer::BadEvent);
        }
        if notify.remote_tag.is_none() {
            return Judgement::Refused(Answer::BadRequest("Missing From Tag"));
        }
        let Some(state) = notify.state else {
            return Judgement::Refused(Answer::BadRequest("Missing or Malformed Subscription-State"));
        };
        let is_end = state.value == StateValue::Terminated;
        if is_gone {
            return if is_end { Judgement::Repeated } else { Judgement::Foreign };
        }
        // A subscription to a SIPS URI takes only SIPS routes (RFC 3261 §26.2.2); once made, a dialog keeps its routes.
        let makes_routes = is_other_fork || !dialog.is_made();
        if makes_routes && !notify.route_set.is_sips() && is_sips(self.record()) {
            return Judgement::Refused(Answer::BadRequest("Bad Record-Route"));
        }
        if is_other_fork {
            return Judgement::Fork(state.value);
        }
        let new = |state| if is_end { Judgement::Ended(state) } else { Judgement::Stands(state) };
        match dialog.remote_cseq() {
            Some(newest) if notify.cseq == newest && dialog.is_again(notify.echo) => Judgement::Repeated,
            // Some never count.
            Some(newest) if notify.cseq == newest && (self.is_lenient() || dialog.has_forgotten()) => new(state),
            // The end that was accepted would have been the end.
            Some(newest) if notify.cseq <= newest && is_end => Judgement::StaleEnd,
            Some(_) if dialog.has_accepted(notify.cseq) => Judgement::Repeated,
            Some(newest) if notify.cseq <= newest => match notify.content.refusal() {
                // After an accepted refresh a NOTIFY tells the state (RFC 6665 §4.2.1.2): its notifier has lost its count.
                _ if dialog.is_owed_notify() => Judgement::CountLost,
                Some(answer) => Judgement::Refused(answer),
                None => Judgement::Stale,
            },
            Some(_) | None => new(state),
        }
    }

    /// It has been told before.
    fn repeated(&mut self) -> Output {
        Output { answer: Some(Answer::Ok), ..self.not_told(Untold::Repeated) }
    }

    /// It cannot be used: answered so, and followed by a refresh.
    fn refused(&mut self, answer: Answer, notify: &Notify<'_>, fingerprint: Fingerprint, env: &Env<'_>) -> Output {
        // A NOTIFY of another fork says nothing about this dialog.
        if !self.dialog.as_ref().is_some_and(|dialog| dialog.is_from_other_fork(notify, fingerprint)) {
            self.was_refused(env);
        }
        Output { answer: Some(answer), ..self.not_told(Untold::Refused) }
    }

    /// Its CSeq is too low (RFC 3261 §12.2.2).
    fn stale(&mut self, cseq: u32, env: &Env<'_>) -> Output {
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.stale(cseq);
        }
        self.refresh_early(Millis(0), env);
        Output { answer: Some(Answer::StaleCseq), ..self.not_told(Untold::Stale) }
    }

    /// The notifier does not know any more how far it has counted: nothing that it tells in this dialog would be believed.
    fn count_lost(&mut self, env: &Env<'_>) -> Output {
        let Output { untold, .. } = self.not_told(Untold::Stale);
        Output { answer: Some(Answer::StaleCseq), untold, ..self.end(Failure::COUNT_LOST, env) }
    }

    /// The notifier has ended a dialog: the subscription's, or the dialog of another fork that is the first to say anything.
    fn ended(
        &mut self,
        state: &SubscriptionState<'_>,
        notify: &Notify<'_>,
        fingerprint: Fingerprint,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        let may_be_all = self.fetch_until().is_some() && notify.content.is_document();
        if !may_be_all && self.may_be_of_other_fork(notify) {
            let output = self.fork_ended_first(state, notify, env)?;
            let untold = self.body_untold(notify.content);
            return Ok(Output { untold: untold.or(output.untold), ..output });
        }
        self.remember(notify, fingerprint, env)?;
        let untold = self.body_untold(notify.content);
        let output = match self.fetch_until() {
            Some(_) => self.fetched(state, notify.content),
            None => self.terminated(state, notify.content, env),
        };
        Ok(Output { untold, ..output })
    }

    /// The end counts whatever the body is: one that cannot be used is not told.
    fn body_untold(&mut self, content: Content) -> Option<(Untold, bool)> {
        content.refusal().and_then(|_| self.not_told(Untold::Refused).untold)
    }

    /// The first NOTIFY makes the dialog, with its tag and route set (RFC 6665 §4.4.1); later ones refresh the target.
    /// A Contact that would lead from SIPS to SIP is none, and such a NOTIFY is looked at again when it comes again.
    pub(super) fn adopt_notify(
        &mut self,
        notify: &Notify<'_>,
        fingerprint: Fingerprint,
        env: &Env<'_>,
    ) -> Result<(), OutOfMemory> {
        let keeps = !self.has_made_dialog() && self.keeps_route_set(env.policy);
        let Some(dialog) = self.dialog.as_mut() else { return Ok(()) };
        // An unchanged Contact is not judged again: the target is that of the newest NOTIFY.
        let is_known = dialog.recalls(fingerprint);
        let judged = notify.contact.filter(|_| !is_known).and_then(OfferedUri::judge);
        let target = judged.as_ref().map(Target::uri).filter(|uri| uri.is_as_secure_as(self.names.get(RECORD)));
        let is_bad = notify.has_bad_contact || notify.contact.is_some() && !is_known && target.is_none();
        let fingerprint = if is_bad { Fingerprint::NONE } else { fingerprint };
        dialog.try_hear(notify, fingerprint, target, keeps, self.alloc.clone())?;
        dialog.accept(notify.cseq, notify.echo);
        if notify.contact.is_some() && !is_bad {
            dialog.target_told();
        }
        if is_bad {
            self.count_bad_contact();
        }
        Ok(())
    }

    /// The subscription is active, and the notifier sends a state.
    fn state_told(
        &mut self,
        state: &SubscriptionState<'_>,
        notify: &Notify<'_>,
        fingerprint: Fingerprint,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        // Only before a NOTIFY has made the dialog can there be another fork; a made dialog has one notifier.
        let is_other_fork = self.may_be_of_other_fork(notify);
        let is_whole = self.order_of(notify.content) == Order::Next;
        self.adopt_notify(notify, fingerprint, env)?;
        self.forget_left();
        self.notifies = self.notifies.saturating_add(1);
        self.retries = 0;
        let stands = self.state();
        let told = self.adopt_expiry(state.expires, stands.in_flight(), env.now);
        match stands {
            State::Confirmed { next, awaits } => self.replan(next, awaits, told, env),
            // The refresh is in the dialog of a 2xx, and this NOTIFY makes that of another fork: what becomes of the
            // refresh is no word about this dialog.
            State::Resubscription { .. } if is_other_fork => {
                self.replan(self.earliest(env), Awaits::Nothing, Told::Later, env);
            }
            State::Resubscription { .. } => {
                self.state = State::Resubscription { notify_by: None }.into();
                self.arm_in_flight(env);
            }
            // The other one that is wanted and has a dialog is unconfirmed.
            _ => self.arm_in_flight(env),
        }
        self.take_document(notify.content, is_whole, env);
        let status = match (state.value, self.status()) {
            (StateValue::Active, _) => Status::Active,
            (StateValue::Other, Some(Status::Active)) => Status::Active,
            (StateValue::Pending | StateValue::Other | StateValue::Terminated, _) => Status::Pending,
        };
        let with_body = notify.content.is_document();
        let news = self.tell(News { with_body, ..self.news(status, Brief::new(state.reason.unwrap_or_default())) });
        Ok(Output { answer: Some(Answer::Ok), news, ..Output::default() })
    }

    /// The order of the document among those before it.
    fn order_of(&self, content: Content) -> Order {
        self.dialog.as_ref().map_or(Order::Next, |dialog| dialog.versions().order(content))
    }

    /// Keeps the version of a document. Behind a gap the whole state is asked for by one refresh: by one that is planned
    /// anyway, or else as soon as may be. What is under way may have been answered already, so that another one follows it.
    fn take_document(&mut self, content: Content, is_whole: bool, env: &Env<'_>) {
        if let Some(dialog) = self.dialog.as_mut() {
            dialog.take_document(content);
        }
        // A retry has its time, and the notifier may have said so.
        if let Some((next, awaits)) = self.next_refresh().filter(|_| !is_whole) {
            let wanted = self.plan(next, env);
            self.confirm_sooner(next, awaits, wanted);
        }
    }

    /// When the next refresh is: as planned, or as soon as may be if a document is missing or a NOTIFY has been refused.
    pub(super) fn plan(&self, planned: Millis, env: &Env<'_>) -> Millis {
        let planned = self.early_or(planned, env);
        let is_missing = self.dialog.as_ref().is_some_and(|dialog| dialog.is_missing());
        if is_missing { planned.min(self.earliest(env)) } else { planned }
    }

    /// The expiry a NOTIFY tells is authoritative (RFC 6665 §4.1.3), but may not be longer than what was granted, or asked
    /// for as long as nothing is. An active subscription that expires in 0 s contradicts itself: that is taken for no word.
    fn adopt_expiry(&mut self, expires: Option<u32>, in_flight: bool, now: Millis) -> Told {
        let Some(expires) = expires.filter(|seconds| *seconds > 0) else { return Told::Same };
        let last_sent = self.last_sent();
        let Some(dialog) = self.dialog.as_mut() else { return Told::Same };
        dialog.dated();
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let longest = last_sent.after(seconds(self.requested_expires));
        let expiry = now.after(seconds(expires)).min(longest);
        let told = schedule::compare(dialog.expiry(), expiry);
        match told {
            // While a request is out it counts to the second: a 2xx does not lengthen it.
            Told::Same if !in_flight => {}
            Told::Same | Told::Sooner | Told::Later => dialog.set_expiry(expiry),
        }
        told
    }

    /// Moves the refresh with the expiry. A sooner expiry never puts it off (a notifier that tells the remaining time
    /// often would otherwise put it off for ever), and a retry stays where it is unless the refresh turns out to have
    /// worked.
    fn replan(&mut self, next: Millis, awaits: Awaits, told: Told, env: &Env<'_>) {
        let expiry = self.dialog.as_ref().and_then(|dialog| dialog.expiry());
        let left = || expiry.map_or(Duration::ZERO, |at| at.since(env.now));
        let planned = || env.now.after(schedule::refresh_delay(left(), env.policy, env.random));
        match (awaits, told) {
            // Nothing was granted: the end will come, whatever is told until then.
            (Awaits::LastNotify { .. }, _) => {}
            (Awaits::Nothing | Awaits::FirstNotify { .. } | Awaits::Retry | Awaits::Expiry, Told::Later) => {
                self.attempt_over();
                self.auth_attempts.goes_on = false;
                self.turn = Promise::None;
                // It does not undo that another one was refused, or is missing.
                self.confirm(self.plan(planned(), env), Awaits::Nothing);
            }
            (Awaits::Nothing | Awaits::FirstNotify { .. }, Told::Sooner) => {
                self.confirm_sooner(next, Awaits::Nothing, planned());
            }
            (Awaits::Nothing | Awaits::FirstNotify { .. }, Told::Same) => self.confirm(next, Awaits::Nothing),
            (Awaits::Retry | Awaits::Expiry, Told::Sooner | Told::Same) => self.confirm(next, awaits),
        }
    }

    /// The notifier has ended the subscription: acted upon in any state, whatever the body is (RFC 6665 §4.1.3).
    fn terminated(&mut self, state: &SubscriptionState<'_>, content: Content, env: &Env<'_>) -> Output {
        self.notifies = self.notifies.saturating_add(1);
        let output = self.end_as_told(state.reason, state.retry_after, content.is_document(), env);
        Output { answer: Some(Answer::Ok), ..output }
    }

    /// The end for a reason that the notifier has told.
    pub(super) fn end_as_told(
        &mut self,
        reason: Option<&[u8]>,
        retry_after: Option<u32>,
        with_body: bool,
        env: &Env<'_>,
    ) -> Output {
        let ending = failure::ending_for(reason, env.policy);
        let last_reply = self.last_reply;
        let failure = Failure {
            retry_after: retry_after.filter(|_| ending.heeds_retry_after),
            then: ending.then,
            with_body,
            reason: Wording::Peer(reason.unwrap_or_default()),
            ..Failure::inner(Reason::Nothing)
        };
        let output = self.end(failure, env);
        self.last_reply = last_reply;
        output
    }
}

/// The judgement of a NOTIFY.
enum Judgement<'a> {
    /// Not of this subscription.
    Foreign,
    /// The first of another fork that is welcome.
    Fork(StateValue),
    /// To be answered so, and otherwise ignored.
    Refused(Answer),
    /// One that has been accepted, once more.
    Repeated,
    /// One that is too late, or has the CSeq of another one.
    Stale,
    /// The same, and its notifier has lost its count.
    CountLost,
    /// The same, and it would be the end.
    StaleEnd,
    /// The end of the subscription.
    Ended(SubscriptionState<'a>),
    /// A state of the subscription.
    Stands(SubscriptionState<'a>),
}

fn forked() -> Output {
    Output { fork: true, ..Output::default() }
}

fn answered(answer: Answer) -> Output {
    Output { answer: Some(answer), ..Output::default() }
}
