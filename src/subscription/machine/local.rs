//! A subscription whose state the server itself tells: it has no dialog, sends nothing and waits for nothing.

use super::super::brief::Brief;
use super::super::output::{News, Output, Status};
use super::super::state::State;
use super::super::substate::StateValue;
use super::Subscription;
use crate::memory::SharedAlloc;

impl<A: SharedAlloc> Subscription<A> {
    /// The same as a local subscription: [`Input::Told`](crate::subscription::Input::Told) brings its news, and it ends when its
    /// subscriber ends it; a fetch, with the first news.
    #[must_use]
    pub fn local(mut self) -> Self {
        self.state = State::Local.into();
        self
    }

    /// The server tells the state.
    pub(super) fn on_told(&mut self) -> Output {
        if self.state() != State::Local {
            return Output::default();
        }
        self.notifies = self.notifies.saturating_add(1);
        if self.terms().fetch.is_some() {
            return self.fetch_result(StateValue::Active, None, true);
        }
        let news = self.tell(News { with_body: true, ..self.news(Status::Active, Brief::new(b"")) });
        Output { news, ..Output::default() }
    }
}
