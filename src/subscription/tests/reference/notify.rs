//! The effect of a NOTIFY.

use super::*;
use crate::grammar::EntityTag;

impl Reference {
    pub(super) fn on_notify(&mut self, notify: &Notify<'_>) {
        if matches!(self.phase, Phase::Idle | Phase::Wait | Phase::Over) {
            return;
        }
        let is_other = self.peer.tag != notify.remote_tag.text();
        let is_gone = self.gone.iter().any(|(tag, ..)| *tag == notify.remote_tag.text());
        if self.heard.is_some() && is_other && !is_gone {
            return;
        }
        let is_end = notify.state.is_some_and(|state| state.value == StateValue::Terminated);
        let cannot_be_used = match notify.content {
            Content::List(_) | Content::Unsupported | Content::Encoded => Some(415),
            Content::Malformed => Some(400),
            Content::TooLarge => Some(413),
            Content::Acceptable | Content::Versioned { .. } | Content::Empty => None,
        };
        let refusal = match (notify.event, notify.remote_tag.text(), notify.state, self.heard) {
            (event, ..) if event != b"presence" || notify.event_id.is_some() => Some(489),
            (_, b"", ..) | (_, _, None, _) => Some(400),
            _ if is_gone && (self.heard.is_none() || is_other) => {
                self.shown.answer = is_end.then_some(200);
                return;
            }
            (.., Some(newest)) if notify.cseq <= newest => {
                let is_same = self.said == said_by(notify);
                let known = self.taken.contains(&notify.cseq) && newest - notify.cseq <= 32;
                match (newest == notify.cseq, known) {
                    (true, _) if is_same => Some(200),
                    _ if is_end => return self.count_lost(true),
                    (false, true) => Some(200),
                    // The NOTIFY after an accepted refresh may be as old as this one.
                    _ if self.owed => return self.count_lost(false),
                    _ if cannot_be_used.is_some() => cannot_be_used,
                    _ => {
                        let between = self.taken.iter().any(|one| *one < notify.cseq && newest - one <= 32);
                        self.lost |= !self.told && !between;
                        Some(500)
                    }
                }
            }
            _ => None,
        };
        self.shown.answer = refusal.or(Some(200));
        // The end of a fork does not concern the dialog that continues.
        if refusal.is_some_and(|code| code != 200) && !(self.heard.is_some() && is_other) {
            self.doubt(0);
        }
        let (None, Some(state)) = (refusal, notify.state) else { return };
        let body = matches!(notify.content, Content::Acceptable | Content::Versioned { .. });
        if self.fetch.is_some() && is_end && !body && self.heard.is_none() && is_other {
            return self.fork_ended(notify, &state, false);
        }
        if self.fetch.is_some() && (cannot_be_used.is_none() || is_end) {
            let status = match (state.value, state.reason) {
                (StateValue::Active, _) => Status::Active,
                (StateValue::Pending | StateValue::Other, _) => Status::Pending,
                (StateValue::Terminated, Some(b"rejected")) => Status::Rejected,
                (StateValue::Terminated, _) => Status::Terminated,
            };
            self.tell(status, 0, None, body);
            return self.over();
        }
        if is_end && self.gone_away {
            return self.over();
        }
        if is_end && self.heard.is_none() && is_other {
            return self.fork_ended(notify, &state, body);
        }
        if is_end {
            return self.terminated(state.reason, state.retry_after, body);
        }
        if cannot_be_used.is_some() && !self.gone_away {
            self.shown.answer = cannot_be_used;
            return self.doubt(0);
        }
        let contact = notify.contact.map_or(self.peer.target.clone(), |uri| uri.unjudged().to_vec());
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
        (self.said, self.told, self.owed, self.lost) = (said_by(notify), true, false, false);
        self.taken.push(notify.cseq);
        self.peer.state = name.to_vec();
        if self.gone_away {
            return;
        }
        (self.failures, self.left) = (0, None);
        self.told_expiry(state.expires, is_other);
        self.told_version(notify.content);
        if self.missing != Missing::Nothing {
            self.peer.state.clear();
        }
        if matches!(self.phase, Phase::Ask | Phase::Refresh) {
            self.due = self.sent.map(|sent| sent + ms(self.policy.watchdog)).into_iter().chain(self.ends).min();
        }
        let was_active = self.status == Some(Status::Active);
        let active = state.value == StateValue::Active || state.value == StateValue::Other && was_active;
        self.tell(if active { Status::Active } else { Status::Pending }, 0, None, body);
    }

    /// The notifier has lost its CSeq count.
    fn count_lost(&mut self, is_end: bool) {
        self.shown.answer = Some(500);
        match self.gone_away {
            true if is_end => self.over(),
            true => {}
            false => self.fail(0, Then::Later, None, false),
        }
    }

    /// A notifier whose NOTIFY is refused may have forgotten the subscription: a refresh finds out, each time after twice
    /// the interval.
    pub(super) fn doubt(&mut self, from: u64) {
        let (row, is_due) = self.early;
        let asks = matches!(self.phase, Phase::Ask | Phase::Refresh) && !self.gone_away;
        let stands = self.phase == Phase::Stand && !self.retrying && !self.lapsing && !self.nothing_granted;
        if !(asks || stands) || self.fetch.is_some() || is_due {
            return;
        }
        (self.early, self.early_from) = ((row + 1, true), from);
        let at = self.or_early(self.next);
        if stands && at < self.next {
            self.stand(self.sooner(at));
        }
    }

    /// The moment of the next refresh: one that a refused NOTIFY causes is earlier than the planned one.
    fn or_early(&self, planned: u64) -> u64 {
        let (row, is_due) = self.early;
        let pause = ms(self.policy.min_resubscribe_time).max(SECOND) << row.saturating_sub(1).min(16);
        let at = self.sent.map_or(self.now, |sent| (sent + pause).max(self.now)).max(self.early_from);
        if is_due { planned.min(at) } else { planned }
    }

    /// The end of a fork that may or may not be the only one: known at Timer N.
    fn fork_ended(&mut self, notify: &Notify<'_>, state: &SubscriptionState<'_>, body: bool) {
        if self.gone.len() == 16 {
            return;
        }
        let reason = state.reason.map(<[u8]>::to_vec);
        self.gone.push((notify.remote_tag.text().to_vec(), reason, state.retry_after));
        if self.phase == Phase::Ask {
            self.due = self.due.min(self.sent.map(|sent| sent + ms(self.policy.timer_n)));
        }
        if body {
            self.tell(Status::Pending, 0, None, true);
        }
    }

    /// The end as a fork has reported it.
    pub(super) fn ends_as(&mut self, place: usize) {
        let (_, reason, retry_after) = self.gone.swap_remove(place);
        if self.fetch.is_some() {
            let status = if reason == Some(b"rejected".to_vec()) { Status::Rejected } else { Status::Terminated };
            self.tell(status, 0, None, false);
            return self.over();
        }
        self.terminated(reason.as_deref(), retry_after, false);
    }

    /// Changes to an unknown document cause a refresh, if none is planned for that reason.
    fn told_version(&mut self, content: Content) {
        let Content::Versioned { version, is_full } = content else { return };
        let follows = self.version.is_some_and(|newest| u64::from(version) == (u64::from(newest) + 1) % (1 << 32));
        self.version = Some(version);
        if is_full || follows {
            if is_full {
                self.missing = Missing::Nothing;
            }
            return;
        }
        if self.missing == Missing::Nothing {
            self.missing = Missing::Unasked;
        }
        if self.phase == Phase::Stand && !self.retrying && !self.lapsing && !self.nothing_granted {
            let first_by = self.first_by;
            self.stand(self.sooner(self.ask_for_all(self.next)));
            self.first_by = first_by;
        }
    }

    /// When the next refresh is: soon, if a document is missing that no refresh has requested.
    pub(super) fn ask_for_all(&self, planned: u64) -> u64 {
        let planned = self.or_early(planned);
        if self.missing != Missing::Unasked {
            return planned;
        }
        planned.min(self.earliest())
    }

    /// An expiry of a NOTIFY counts unless it is 0, too long, or the known one but for two seconds.
    fn told_expiry(&mut self, expires: Option<u32>, is_other: bool) {
        let before = self.ends;
        let longest = self.sent.unwrap_or(self.now) + self.asked * SECOND;
        if let Some(seconds) = expires.filter(|seconds| *seconds > 0) {
            self.dated = true;
            let told = (self.now + u64::from(seconds) * SECOND).min(longest);
            if before.is_none_or(|ends| ends.abs_diff(told) > 2 * SECOND) {
                self.ends = Some(told);
            }
        }
        let later = self.ends > before;
        let sooner = self.ends < before;
        if let (Some(seconds), Phase::Ask | Phase::Refresh) = (expires.filter(|seconds| *seconds > 0), self.phase) {
            self.ends = Some((self.now + u64::from(seconds) * SECOND).min(longest));
        }
        if self.nothing_granted && self.phase == Phase::Stand {
            return;
        }
        let refreshes_another = self.phase == Phase::Refresh && is_other;
        if self.phase == Phase::Stand || refreshes_another {
            let troubled = (self.retrying || self.lapsing) && !refreshes_another;
            if later || refreshes_another {
                self.forget_targets();
                (self.turn, self.queued) = (false, false);
            }
            let next = match (troubled, later || refreshes_another, sooner) {
                (_, true, _) => self.ask_for_all(self.planned()),
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

    fn terminated(&mut self, reason: Option<&[u8]>, retry_after: Option<u32>, body: bool) {
        let reason = reason.map(<[u8]>::to_ascii_lowercase);
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
        self.fail(0, then, retry_after.filter(|_| heeds), body);
    }
}

/// What tells a NOTIFY from another one.
fn said_by(notify: &Notify<'_>) -> String {
    format!("{:?} {:?}", notify.state, notify.content)
}
