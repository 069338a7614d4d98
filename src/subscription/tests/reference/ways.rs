//! What happens next: another attempt, the next request, the end.

use super::*;

impl Reference {
    pub(super) fn tell(&mut self, status: Status, code: u16, at: Option<u64>, body: bool) {
        self.status = Some(status);
        if matches!(status, Status::Terminated | Status::Rejected) {
            self.left = None;
        }
        let seconds = at.map(|at| (at - self.now).div_ceil(SECOND));
        self.shown.news = Some((status, code, seconds, body, false));
    }

    pub(super) fn wait(&mut self, anew: bool, until: u64) {
        (self.phase, self.anew, self.due) = (Phase::Wait, anew, Some(until));
        if anew {
            self.gone.clear();
        }
        (self.first_by, self.retrying, self.lapsing) = (None, false, false);
        (self.queued, self.turn) = (false, false);
    }

    pub(super) fn go_on(&mut self) {
        if matches!(self.status, Some(Status::Active | Status::Pending)) && self.left.is_none() {
            self.left = self.ends.or(Some(self.sent.unwrap() + self.asked * SECOND));
        }
        self.wait(!self.peer.tag.is_empty(), self.now);
    }

    /// The same request once more, at once.
    pub(super) fn again(&mut self, initial: bool) {
        if initial {
            return self.go_on();
        }
        self.stand(self.now);
        self.retrying = self.first_by.is_none();
    }

    pub(super) fn stand(&mut self, next: u64) {
        (self.phase, self.next) = (Phase::Stand, next);
        (self.retrying, self.lapsing, self.nothing_granted) = (false, false, false);
        self.due = [Some(next), self.ends, self.first_by].into_iter().flatten().min();
    }

    pub(super) fn bye(&mut self) {
        if self.peer.tag.is_empty() {
            return self.over();
        }
        (self.phase, self.due) = (Phase::Bye, Some(self.now));
    }

    pub(super) fn over(&mut self) {
        if let Some(news) = &mut self.shown.news {
            news.4 = true;
        }
        (self.phase, self.due) = (Phase::Over, None);
        self.shown.forget = true;
    }

    pub(super) fn request(&mut self, phase: Phase, expires: u64, anew: bool) {
        self.cseq += 1;
        self.queued = false;
        let Peer { tag, target, routes, told: _, state } = self.peer.clone();
        let state = if phase == Phase::Refresh { state } else { Vec::new() };
        let expires_told = u32::try_from(expires).unwrap();
        self.shown.request = Some((target, tag, routes, self.cseq, expires_told, anew, state, self.ways()));
        self.before = (self.asked, self.sent);
        self.turn = false;
        self.early = (if self.early.1 { self.early.0 } else { 0 }, false);
        self.early_from = 0;
        self.told_before = [self.told, self.dated, self.owed, self.lost];
        self.missing_before = self.missing;
        if phase != Phase::Ask {
            (self.told, self.dated, self.owed, self.lost) = (false, false, false, false);
            if self.missing == Missing::Unasked {
                self.missing = Missing::Asked;
            }
        }
        if self.opened.is_some_and(|opened| self.now >= opened / SECOND * SECOND + ms(self.policy.timer_n)) {
            self.gone.clear();
        }
        if self.peer.tag.is_empty() {
            self.opened = Some(self.now);
        }
        (self.phase, self.asked, self.sent) = (phase, expires, Some(self.now));
        self.due = Some(self.now + ms(self.policy.watchdog));
        if phase == Phase::Refresh {
            self.due = self.due.into_iter().chain(self.ends).min();
        }
    }

    pub(super) fn forget_targets(&mut self) {
        self.tried.clear();
        self.ahead.clear();
        self.failed.clear();
        self.via.clear();
        (self.widened, self.rerouted) = (false, false);
    }
}
