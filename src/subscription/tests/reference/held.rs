//! Requests that are held back.

use super::*;

impl Reference {
    /// Undoes the request; the next try is at `until`.
    pub(super) fn on_held(&mut self, until: u64, by: HeldBy) {
        if matches!(self.phase, Phase::Idle | Phase::LastWord | Phase::Over) {
            return;
        }
        self.cseq -= 1;
        self.early.1 = self.early.0 > 0;
        (self.asked, self.sent) = self.before;
        if !matches!(self.phase, Phase::Ask) {
            [self.told, self.dated, self.owed, self.lost] = self.told_before;
            if (self.missing, self.missing_before) == (Missing::Asked, Missing::Unasked) {
                self.missing = Missing::Unasked;
            }
        }
        if matches!(by, HeldBy::RetryAfter | HeldBy::Breaker) && !self.failed.is_empty() && self.is_asking() {
            return self.others_held();
        }
        let is_sent_on = self.policy.proxies == 0 && (!self.tried.is_empty() || self.rerouted);
        if matches!(by, HeldBy::RetryAfter | HeldBy::Breaker) && is_sent_on && self.is_asking() {
            return self.way_held();
        }
        let tells = !matches!(by, HeldBy::Rate | HeldBy::Lookup) && !self.told_held && !self.gone_away;
        let queued = matches!(by, HeldBy::Lookup | HeldBy::Unreached);
        let farewell = |this: &mut Self| {
            let lapses = this.ends.or(this.sent.map(|sent| sent + this.asked * SECOND)).is_none_or(|at| at <= until);
            if lapses {
                this.over()
            } else {
                this.bye()
            }
            if !lapses && this.phase == Phase::Bye {
                this.due = Some(until);
                this.queued = queued;
            }
        };
        match (self.phase, self.gone_away) {
            (Phase::Ask, true) if self.heard.is_none() => self.over(),
            (Phase::Ask | Phase::Refresh, true) | (Phase::ByeSent, _) => farewell(self),
            (Phase::Ask, false) if self.heard.is_some() => {
                self.ends = self.ends.or(Some(self.sent.unwrap_or(self.now) + self.asked * SECOND));
                self.forget_targets();
                self.first_by = None;
                let next = self.planned();
                let next = self.ask_for_all(next);
                self.stand(next);
            }
            (Phase::Ask, false) if self.until.is_some_and(|end| end <= until) => {
                self.tell(Status::Terminated, 0, None, false);
                self.over();
            }
            (Phase::Ask, false) => {
                self.wait(false, until);
                self.queued = queued;
                self.turn = by == HeldBy::Rate;
                self.told_held |= tells;
                tells.then(|| self.tell(Status::Terminated, 0, Some(until), false));
            }
            (Phase::Refresh, false) => {
                self.first_by = self.first_by.and(self.first_before);
                let retrying = self.retrying && self.first_by.is_none();
                self.stand(until);
                self.queued = queued;
                self.retrying = retrying;
                self.turn = by == HeldBy::Rate;
                self.told_held |= tells;
                tells.then(|| self.tell(self.status.unwrap_or(Status::Pending), 0, Some(until), false));
            }
            (Phase::Idle | Phase::Wait | Phase::Stand | Phase::Bye | Phase::LastWord | Phase::Over, _) => {}
        }
    }
}
