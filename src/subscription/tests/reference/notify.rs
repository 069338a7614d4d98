//! What a NOTIFY comes to.

use super::*;
use crate::grammar::EntityTag;

impl Reference {
    pub(super) fn on_notify(&mut self, notify: &Notify<'_>) {
        if matches!(self.phase, Phase::Idle | Phase::Wait | Phase::Over) {
            return;
        }
        let is_other = self.peer.tag != notify.remote_tag.text();
        if self.heard.is_some() && is_other {
            return;
        }
        let refusal = match (notify.event, notify.remote_tag.text(), notify.state, self.heard) {
            (event, ..) if event != b"presence" || notify.event_id.is_some() => Some(489),
            (_, b"", ..) | (_, _, None, _) => Some(400),
            (.., Some(newest)) if notify.cseq < newest => {
                let again = newest - notify.cseq <= 32 && self.taken.contains(&notify.cseq);
                Some(match notify.content {
                    _ if !notify.may_repeat => 500,
                    _ if again => 200,
                    Content::Unsupported => 415,
                    Content::Malformed => 400,
                    Content::TooLarge => 413,
                    Content::Acceptable | Content::Versioned { .. } | Content::Empty => 500,
                })
            }
            (.., Some(newest)) if notify.cseq == newest => Some(200),
            _ => None,
        };
        self.shown.answer = refusal.or(Some(200));
        if refusal.is_some_and(|code| code != 200 && code != 489) {
            self.doubt();
        }
        let (None, Some(state)) = (refusal, notify.state) else { return };
        let is_old = self.is_old(notify.content);
        let has_body = matches!(notify.content, Content::Acceptable | Content::Versioned { .. });
        let body = has_body && !is_old;
        let usable = has_body || notify.content == Content::Empty;
        if self.fetch.is_some() && (usable || state.value == StateValue::Terminated) {
            let status = match (state.value, state.reason) {
                (StateValue::Active, _) => Status::Active,
                (StateValue::Pending | StateValue::Other, _) => Status::Pending,
                (StateValue::Terminated, Some(b"rejected")) => Status::Rejected,
                (StateValue::Terminated, _) => Status::Terminated,
            };
            self.tell(status, 0, None, body);
            return self.over();
        }
        if state.value == StateValue::Terminated {
            return if self.gone { self.over() } else { self.terminated(&state, body) };
        }
        let refusal = match notify.content {
            Content::Unsupported => 415,
            Content::Malformed => 400,
            Content::TooLarge => 413,
            Content::Acceptable | Content::Versioned { .. } | Content::Empty => 200,
        };
        if refusal != 200 && !self.gone {
            self.shown.answer = Some(refusal);
            return self.doubt();
        }
        let contact = notify.contact.map_or(self.peer.target.clone(), |uri| uri.text().to_vec());
        if self.heard.is_none() {
            let keeps =
                self.policy.keep_route_set && self.peer.tag == notify.remote_tag.text() && notify.route_set.is_none();
            self.peer = Peer {
                tag: notify.remote_tag.text().to_vec(),
                target: contact,
                routes: if keeps { self.peer.routes.clone() } else { notify.route_set.text().to_vec() },
                ..Peer::default()
            };
        } else {
            self.peer.target = contact;
        }
        let name = notify.entity_tag.map_or(&b""[..], EntityTag::text);
        self.peer.told |= notify.contact.is_some();
        if self.heard.is_none() {
            self.taken.clear();
        }
        self.heard = Some(notify.cseq);
        self.taken.push(notify.cseq);
        self.peer.state = name.to_vec();
        if self.gone {
            return;
        }
        self.failures = 0;
        self.told_expiry(state.expires, is_other);
        self.told_version(notify.content);
        if self.missed || is_old {
            self.peer.state.clear();
        }
        let was_active = self.status == Some(Status::Active);
        let active = state.value == StateValue::Active || state.value == StateValue::Other && was_active;
        let status = if active { Status::Active } else { Status::Pending };
        if !(is_old && self.status == Some(status)) {
            self.tell(status, 0, None, body);
        }
    }

    /// Whoever is refused may have forgotten the subscription: a refresh finds out, each time after twice as long.
    pub(super) fn doubt(&mut self) {
        let (row, is_due) = self.early;
        if self.phase != Phase::Stand || self.fetch.is_some() || self.retrying || self.lapsing || is_due {
            return;
        }
        self.early = (row + 1, true);
        let pause = ms(self.policy.min_resubscribe_time).max(SECOND) << row.min(16);
        let at = self.sent.map_or(self.now, |sent| (sent + pause).max(self.now));
        if at < self.next {
            self.stand(self.sooner(at));
        }
    }

    /// Whether it is a document that is older than one of this dialog: by its number, or the same again if it tells
    /// only changes. After the last number comes 0.
    fn is_old(&self, content: Content) -> bool {
        match (content, self.version) {
            (Content::Versioned { version: 0, .. }, Some(u32::MAX)) => false,
            (Content::Versioned { version, is_full: true }, Some(newest)) => version < newest,
            (Content::Versioned { version, is_full: false }, Some(newest)) => version <= newest,
            _ => false,
        }
    }

    /// Changes to what has not been seen are followed by a refresh, if there is none already.
    fn told_version(&mut self, content: Content) {
        let Content::Versioned { version, is_full } = content else { return };
        if self.is_old(content) {
            return;
        }
        let follows = self.version.is_some_and(|newest| u64::from(version) == (u64::from(newest) + 1) % (1 << 32));
        if is_full || follows {
            self.version = Some(version);
            self.missed &= !is_full;
            return;
        }
        self.missed = true;
        if self.phase == Phase::Stand && !self.retrying && !self.lapsing {
            self.version = Some(version);
            self.stand(self.sooner(self.earliest()));
        }
    }

    /// An expiry of a NOTIFY counts unless it is 0, too long, or the known one but for two seconds.
    fn told_expiry(&mut self, expires: Option<u32>, is_other: bool) {
        let before = self.ends;
        let longest = self.sent.unwrap_or(self.now) + self.asked * SECOND;
        if let Some(seconds) = expires.filter(|seconds| *seconds > 0) {
            let told = (self.now + u64::from(seconds) * SECOND).min(longest);
            if before.is_none_or(|ends| ends.abs_diff(told) > 2 * SECOND) {
                self.ends = Some(told);
            }
        }
        let later = self.ends > before;
        let sooner = self.ends < before;
        let refreshes_another = self.phase == Phase::Refresh && is_other;
        if self.phase == Phase::Stand || refreshes_another {
            let troubled = (self.retrying || self.lapsing) && !refreshes_another;
            if later || refreshes_another {
                self.forget_targets();
                (self.turn, self.queued) = (false, false);
            }
            let next = match (troubled, later || refreshes_another, sooner) {
                (_, true, _) => self.planned(),
                (false, false, true) => self.sooner(self.planned()),
                (true, false, _) | (false, false, false) => self.next,
            };
            let (retrying, lapsing) = (troubled && !later && self.retrying, troubled && !later && self.lapsing);
            self.first_by = None;
            self.stand(next);
            (self.retrying, self.lapsing) = (retrying, lapsing);
        } else if self.phase == Phase::Refresh {
            self.first_by = None;
        }
    }

    fn terminated(&mut self, state: &SubscriptionState<'_>, body: bool) {
        let reason = state.reason.map(<[u8]>::to_ascii_lowercase);
        let (then, heeds) = match reason.as_deref() {
            Some(b"deactivated") => (Then::Now, false),
            Some(b"timeout" | b"giveup") => (Then::Now, true),
            Some(b"rejected") => (Then::Never(Status::Rejected), false),
            Some(b"noresource" | b"invariant") => (Then::Never(Status::Terminated), false),
            Some(_) | None => (Then::Later, true),
        };
        let said = self.said(|after| match after {
            After::Reason(name) => name.as_ref().map(|name| name.to_ascii_lowercase().into_bytes()) == reason,
            After::Codes(..) => false,
        });
        let then = said.map_or(then, |action| otherwise(action, then, Status::Terminated));
        self.fail(0, then, state.retry_after.filter(|_| heeds), body);
    }
}
