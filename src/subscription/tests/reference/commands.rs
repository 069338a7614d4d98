//! What the module itself asks of a subscription.

use super::*;

impl Reference {
    pub(super) fn on_refresh(&mut self) {
        match self.phase {
            Phase::Wait if self.turn || self.queued => {}
            Phase::Wait => self.due = self.due.min(Some(self.earliest())),
            Phase::Stand if self.fetch.is_some() => {}
            Phase::Stand => {
                let retrying = self.retrying || self.lapsing;
                self.stand(self.sooner(self.earliest()));
                self.retrying = retrying;
            }
            Phase::Idle | Phase::Ask | Phase::Refresh | Phase::Bye | Phase::ByeSent | Phase::LastWord | Phase::Over => {
            }
        }
    }

    /// The next request is wanted at `at`; one that has its turn keeps it.
    pub(super) fn sooner(&self, at: u64) -> u64 {
        if self.turn { self.next } else { self.next.min(at) }
    }

    pub(super) fn on_unsubscribe(&mut self) {
        self.gone = true;
        match self.phase {
            Phase::Ask | Phase::Stand if self.fetch.is_some() => self.over(),
            Phase::Idle | Phase::Wait => self.over(),
            Phase::Stand => self.bye(),
            Phase::Ask | Phase::Refresh | Phase::Bye | Phase::ByeSent | Phase::LastWord | Phase::Over => {}
        }
    }
}
