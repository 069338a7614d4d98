//! Commands of the module to a subscription.

use super::*;

impl Reference {
    pub(super) fn on_refresh(&mut self) {
        self.hasten(self.now);
    }

    pub(super) fn on_flow_lost(&mut self) {
        if self.phase == Phase::Stand {
            let first = ms(self.policy.on_error_retry_time);
            // Half of the random delay: the reference has no random numbers.
            let later = first.saturating_mul(1 << self.losses.saturating_sub(1).min(20));
            let pause = match self.losses {
                0 => 0,
                1 => first,
                _ => later.min(ms(self.policy.failure_backoff_max).max(first)) / 2,
            };
            self.losses += 1;
            self.hasten(self.now + pause);
        } else if self.is_asking() {
            self.outcome(&Reply { cseq: self.cseq, is_local: true, ..Reply::default() });
        }
        self.flow = None;
    }

    fn hasten(&mut self, wanted: u64) {
        let earliest = self.earliest().max(wanted);
        match self.phase {
            Phase::Wait if self.turn || self.queued => {}
            Phase::Wait => self.due = self.due.min(Some(earliest)),
            Phase::Stand if self.fetch.is_some() || self.nothing_granted => {}
            Phase::Stand => {
                let retrying = self.retrying || self.lapsing;
                self.stand(self.sooner(earliest));
                self.retrying = retrying;
            }
            Phase::Idle | Phase::Ask | Phase::Refresh | Phase::Bye | Phase::ByeSent | Phase::LastWord | Phase::Over => {
            }
        }
    }

    /// Plans the next request for `at`; a request that has its turn keeps it.
    pub(super) fn sooner(&self, at: u64) -> u64 {
        if self.turn { self.next } else { self.next.min(at) }
    }

    pub(super) fn on_unsubscribe(&mut self) {
        self.gone_away = true;
        self.left = None;
        match self.phase {
            Phase::Ask | Phase::Stand if self.fetch.is_some() => self.over(),
            Phase::Idle | Phase::Wait => self.over(),
            Phase::Stand if self.nothing_granted => self.phase = Phase::LastWord,
            Phase::Stand => self.bye(),
            Phase::Ask | Phase::Refresh | Phase::Bye | Phase::ByeSent | Phase::LastWord | Phase::Over => {}
        }
    }
}
