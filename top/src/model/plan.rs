//! What to ask next. One call is made at a time, what the operator waits for first. All else comes in rounds, of few calls each.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Call, Link, Mode, Model, Moment, Purpose, View};

/// How long to wait for more letters of a search before it is asked for.
const TYPING: Duration = Duration::from_millis(120);

/// A round reads on in a list that was read once only while its answers took less than this part of the interval: 0.5 %.
const PART_FOR_LISTS: u32 = 200;

/// Rounds between two questions for what hardly changes.
const SELDOM: u64 = 15;

/// What waits to be asked.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(super) urgent: VecDeque<Purpose>,
    round: VecDeque<Purpose>,
    pub(super) rounds: u64,
    next_round: Moment,
    /// When the search is asked for, if letters of it were typed.
    pub(super) typed: Option<Moment>,
    /// How long this round has waited for parts of a list.
    pub(super) spent: Duration,
}

impl Plan {
    pub(super) fn is_idle(&self) -> bool {
        self.urgent.is_empty() && self.round.is_empty() && self.typed.is_none()
    }
}

impl Model {
    /// The call to make now, if any. Its answer goes to [`Model::apply`] before this is asked again.
    pub fn next(&mut self, now: Moment) -> Option<Call> {
        if !matches!(self.link, Link::Good) {
            if now < self.plan.next_round {
                return None;
            }
            self.plan.next_round = now + self.settings.interval;
            // It may come back as another version.
            self.missing.clear();
            return self.call_for(Purpose::Methods);
        }
        if self.plan.typed.is_some_and(|typed| now >= typed + TYPING) {
            self.plan.typed = None;
            let mut query = self.table.query.clone();
            query.filters.clone_from(&self.settings.filters);
            self.tell_of_whole_uris(now);
            self.table.ask(query);
        }
        if now >= self.plan.next_round {
            self.begin_round(now);
        }
        loop {
            let from_list = self.may_read_on().then_some(Purpose::Rows(self.table.generation()));
            let purpose = match self.plan.urgent.pop_front() {
                Some(purpose) => purpose,
                // A list that was never read comes before the numbers of a round.
                None if self.table.is_first() && self.plan.typed.is_none() => {
                    from_list.or_else(|| self.plan.round.pop_front())?
                }
                None => self.plan.round.pop_front().or(from_list)?,
            };
            match self.call_for(purpose) {
                Some(call) => return Some(call),
                None => self.cannot(purpose, now),
            }
        }
    }

    /// When [`Model::next`] may have a call, if no key is pressed and no answer comes.
    pub fn next_at(&self) -> Moment {
        let typed = self.plan.typed.map(|typed| typed + TYPING);
        typed.into_iter().fold(self.plan.next_round, Moment::min)
    }

    fn may_read_on(&self) -> bool {
        self.table.is_reading() && (self.table.is_first() || self.plan.spent < self.settings.interval / PART_FOR_LISTS)
    }

    fn begin_round(&mut self, now: Moment) {
        let plan = &mut self.plan;
        plan.next_round = now + self.settings.interval;
        plan.spent = Duration::ZERO;
        if plan.round.is_empty() {
            if plan.rounds.is_multiple_of(SELDOM) {
                plan.round.extend([Purpose::Uptime]);
            }
            plan.round.extend([Purpose::Counters, Purpose::Count]);
            let is_first = plan.rounds == 0;
            if let Some(detail) = &self.detail {
                plan.round.extend([Purpose::Show(detail.row.id), Purpose::History(detail.row.id)]);
            }
            if self.view == View::Destinations || is_first {
                plan.round.push_back(Purpose::Destinations);
            }
            if self.view == View::Queues || is_first {
                plan.round.push_back(Purpose::Queues);
            }
            plan.rounds += 1;
        }
        // What is out of sight is not read.
        if self.view == View::Subscriptions && self.detail.is_none() && !matches!(self.mode, Mode::Help) {
            self.table.begin();
        }
    }

    /// The server is there, or there again: asks for everything from the beginning.
    pub(super) fn begin_anew(&mut self, now: Moment) {
        let is_lost = |purpose: &Purpose| matches!(purpose, Purpose::Check(_) | Purpose::Refresh(_) | Purpose::End(_));
        if matches!(self.mode, Mode::Confirm(_)) {
            self.leave_question();
            self.tell("the server is there again: nothing was done", now);
        } else if self.plan.urgent.iter().any(is_lost) {
            self.tell("the server is there again: nothing was done", now);
        }
        self.agreed.clear();
        self.plan = super::plan::Plan { next_round: now, ..Default::default() };
        self.plan.urgent.extend([Purpose::Module, Purpose::Name, Purpose::Count]);
        self.counters.forget();
        let query = self.table.query.clone();
        self.table.restart(query);
    }

    /// Soon: the operator has asked for another view, or has changed something.
    pub(super) fn hurry(&mut self, purposes: impl IntoIterator<Item = Purpose>) {
        for purpose in purposes {
            if !self.plan.urgent.contains(&purpose) {
                self.plan.urgent.push_back(purpose);
            }
        }
    }
}
