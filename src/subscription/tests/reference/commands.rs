//! What the module itself asks of a subscription.

use super::*;

impl Reference {
    pub(super) fn on_refresh(&mut self) {
        match self.phase {
            Phase::Wait => self.due = self.due.min(Some(self.earliest())),
            Phase::Stand if self.fetch.is_some() => {}
            Phase::Stand => {
                let retrying = self.retrying || self.lapsing;
                self.stand(self.next.min(self.earliest()));
                self.retrying = retrying;
            }
            Phase::Idle | Phase::Ask | Phase::Refresh | Phase::Bye | Phase::ByeSent | Phase::LastWord | Phase::Over => {
            }
        }
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
