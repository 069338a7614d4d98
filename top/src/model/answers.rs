//! What the answers change.

use std::time::Duration;

use serde_json::Value;

use super::call::VERSION;
use super::detail::{History, events_of};
use super::fields::{natural, number, numbers, shown, structs, text};
use super::{Action, Call, Count, Link, Model, Moment, Purpose, Row, Subject};
use crate::failure::Failure;

impl Model {
    /// Takes the answer to a call of [`Model::next`], which took so long.
    pub fn apply(&mut self, call: &Call, answer: Result<Value, Failure>, took: Duration, now: Moment) {
        let is_new = !matches!(self.link, Link::Good);
        if let (Purpose::Methods, Ok(methods)) = (call.purpose, &answer) {
            self.take_methods(methods);
        }
        // A server without the module is not what this program is for.
        let answer = match answer {
            Ok(_) if self.lacks(VERSION) => Err(Failure::Missing(VERSION.to_owned())),
            Ok(result) if !is_as_documented(call, &result) => Err(Failure::Strange(call.method.to_owned())),
            answer => answer,
        };
        match answer {
            Err(failure) if failure.is_of_link() || is_without_module(&failure, call) => {
                self.tell_what_was_not_done(call.purpose, &failure, now);
                let since = if let Link::Away(since, _) = self.link { since } else { self.heard };
                self.link = Link::Away(since, failure);
                return;
            }
            // Without their names the commands are tried.
            Err(_) if call.purpose == Purpose::Methods => self.link = Link::Good,
            Err(failure) => {
                self.link = Link::Good;
                self.fail(call, failure, now);
            }
            Ok(answer) => {
                self.link = Link::Good;
                self.take(call.purpose, answer, took, now);
            }
        }
        self.heard = now;
        if is_new {
            self.begin_anew(now);
        }
    }

    fn take(&mut self, purpose: Purpose, answer: Value, took: Duration, now: Moment) {
        match purpose {
            Purpose::Methods => {}
            Purpose::Module => self.server.module = self::version_of(&answer),
            Purpose::Name => self.server.name = server_name(&shown(&answer)),
            Purpose::Uptime => self.take_uptime(&answer, now),
            Purpose::Counters => self.counters.take(&answer, now),
            Purpose::Count => self.count = count_of(&answer),
            Purpose::Rows(generation) if generation == self.table.generation() => {
                self.plan.spent += took;
                let failing = self.count.as_ref().and_then(|count| count.failing);
                self.table.take(answer, failing, now);
            }
            Purpose::Rows(_) => {}
            Purpose::Show(id) => {
                let row = structs(answer).pop().and_then(|fields| Row::new(fields, now));
                if let Some((detail, row)) = self.detail.as_mut().filter(|detail| detail.row.id == id).zip(row) {
                    (detail.row, detail.is_gone) = (row, false);
                }
            }
            Purpose::History(id) => {
                if let Some(detail) = self.detail.as_mut().filter(|detail| detail.row.id == id) {
                    detail.history = History::Events(events_of(answer));
                }
            }
            Purpose::Check(id) => self.take_check(id, answer, now),
            Purpose::Destinations => {
                self.destinations = structs(answer);
                // Those that hold something back come first.
                self.destinations
                    .sort_by_key(|row| text(row, "state") == "closed" && number(row, "held_for") == Some(0));
            }
            Purpose::Queues => self.queues = structs(answer),
            Purpose::Refresh(id) => {
                let left = answer.get("next_action_in").and_then(natural).unwrap_or(0);
                self.tell(format!("{id}: the SUBSCRIBE leaves in {left} s, or is on its way"), now);
                self.look_again(id);
            }
            Purpose::End(id) => {
                self.tell(format!("{id} is being ended"), now);
                self.look_again(id);
            }
        }
    }

    /// What was agreed to is done to the one that was meant only: a server that has started again gives its id to another.
    fn take_check(&mut self, id: u64, answer: Value, now: Moment) {
        let row = structs(answer).pop().and_then(|fields| Row::new(fields, now)).map(|row| Subject::of(&row));
        let (agreed, others) = self.agreed.drain(..).partition(|action| action.subject().id == id);
        let agreed: Vec<Action> = agreed;
        self.agreed = others;
        for action in agreed.into_iter().rev() {
            if row.as_ref() != Some(action.subject()) {
                self.tell(format!("{id} is another subscription now: nothing was done"), now);
                continue;
            }
            self.plan.urgent.push_front(match action {
                Action::Refresh(_) => Purpose::Refresh(id),
                Action::End(_) => Purpose::End(id),
            });
        }
    }

    fn look_again(&mut self, id: u64) {
        match self.detail {
            Some(_) => self.hurry([Purpose::Show(id), Purpose::History(id)]),
            None => self.table.begin(),
        }
    }

    fn take_uptime(&mut self, answer: &Value, now: Moment) {
        let Some(uptime) = answer.get("uptime").and_then(natural) else { return };
        let started = now.saturating_sub(Duration::from_secs(uptime));
        self.server.started = Some(started);
    }

    fn fail(&mut self, call: &Call, failure: Failure, now: Moment) {
        if let Failure::Missing(_) = failure {
            self.missing.insert(call.method);
            // There may be an older command for the same.
            let again = matches!(call.purpose, Purpose::Counters | Purpose::Count);
            self.plan.urgent.extend(again.then_some(call.purpose));
            if !matches!(call.purpose, Purpose::Rows(_)) {
                if !again {
                    self.cannot(call.purpose, now);
                }
                return;
            }
        }
        match (call.purpose, &failure) {
            (Purpose::Rows(_), Failure::Missing(_)) if call.method == "presence_b2b.find" => {
                self.tell_of_whole_uris(now);
            }
            (Purpose::Rows(_), Failure::TooLarge(_) | Failure::CutOff | Failure::Broken(_)) => {
                if !self.table.ask_for_fewer() {
                    self.table.skip();
                    self.tell(failure.to_string(), now);
                }
            }
            // A number that is no id finds nothing, and an older module has fewer filters.
            (Purpose::Rows(_), Failure::Fault(404, _)) => self.table.skip(),
            (Purpose::Rows(_), _) => {
                self.table.skip();
                self.tell(failure.to_string(), now);
            }
            (Purpose::Show(id), Failure::Fault(404, _)) => {
                if let Some(detail) = self.detail.as_mut().filter(|detail| detail.row.id == id) {
                    detail.is_gone = true;
                }
            }
            (Purpose::Check(id), Failure::Fault(404, _)) => {
                self.agreed.clear();
                self.tell(format!("{id} has ended already: nothing was done"), now);
            }
            // What stayed agreed to would be done after the check of another question.
            (Purpose::Check(id), _) => {
                self.agreed.clear();
                self.tell(format!("{failure}: nothing was done to {id}"), now);
            }
            (Purpose::History(id), Failure::Fault(404, _)) if self.has_events_of(id) => {
                if let Some(detail) = &mut self.detail {
                    detail.is_gone = true;
                }
            }
            (Purpose::History(id), Failure::Fault(..)) => {
                if let Some(detail) = self.detail.as_mut().filter(|detail| detail.row.id == id && !detail.is_gone) {
                    detail.history = History::None(failure.to_string());
                }
            }
            _ => self.tell(failure.to_string(), now),
        }
    }

    /// Whether the last events of the subscription are shown: they stay when it has ended.
    fn has_events_of(&self, id: u64) -> bool {
        let shown = self.detail.as_ref().filter(|detail| detail.row.id == id);
        shown.is_some_and(|detail| matches!(detail.history, History::Events(_)))
    }

    /// The server does not answer: an action is not left to be done when nobody expects it any more.
    fn tell_what_was_not_done(&mut self, asked: Purpose, failure: &Failure, now: Moment) {
        let id_of = |purpose: &Purpose| match purpose {
            Purpose::Check(id) | Purpose::Refresh(id) | Purpose::End(id) => Some(*id),
            _ => None,
        };
        self.agreed.clear();
        let is_check = matches!(asked, Purpose::Check(_));
        let waiting = self.plan.urgent.iter().find_map(id_of);
        self.plan.urgent.retain(|purpose| id_of(purpose).is_none());
        match (id_of(&asked), waiting) {
            (Some(id), _) if failure.is_after_sending() && !is_check => {
                self.tell(format!("it is not known whether {id} was changed: its history will show it"), now);
            }
            (Some(id), _) | (None, Some(id)) => {
                self.tell(format!("the server does not answer: nothing was done to {id}"), now);
            }
            (None, None) => {}
        }
    }

    pub(super) fn tell_of_whole_uris(&mut self, now: Moment) {
        if self.lacks("presence_b2b.find") && !self.table.query.search.is_empty() {
            self.tell("this module has no presence_b2b.find: a search finds whole URIs only", now);
        }
    }

    /// The server has no command for this.
    pub(super) fn cannot(&mut self, purpose: Purpose, now: Moment) {
        match purpose {
            Purpose::Rows(_) => self.table.skip(),
            Purpose::History(id) => {
                if let Some(detail) = self.detail.as_mut().filter(|detail| detail.row.id == id) {
                    let why = "this module keeps no history: it has no presence_b2b.history";
                    detail.history = History::None(why.to_owned());
                }
            }
            Purpose::Check(id) | Purpose::Refresh(id) | Purpose::End(id) => {
                self.agreed.clear();
                self.tell(format!("the server has no command for it: nothing was done to {id}"), now);
            }
            _ => {}
        }
    }
}

fn is_without_module(failure: &Failure, call: &Call) -> bool {
    match failure {
        Failure::Missing(method) => method == VERSION,
        Failure::Strange(_) => call.purpose == Purpose::Module,
        _ => false,
    }
}

/// Whether a result has what matters in it. Of other commands no result is as good as an empty one.
fn is_as_documented(call: &Call, result: &Value) -> bool {
    match call.purpose {
        Purpose::Module => !version_of(result).is_empty(),
        Purpose::Count => count_of(result).is_some(),
        Purpose::Rows(_) => result.is_array() || result.is_object(),
        _ => true,
    }
}

fn version_of(answer: &Value) -> String {
    answer.get("version").map(shown).unwrap_or_default()
}

/// `kamailio 5.6.3` of `kamailio 5.6.3 (x86_64/linux)` and the like.
fn server_name(version: &str) -> String {
    version.split(" (").next().unwrap_or(version).to_owned()
}

/// From `count`, or from `trace`, which only has the sum.
fn count_of(answer: &Value) -> Option<Count> {
    let fields = answer.as_object()?;
    let total = number(fields, "total").or_else(|| number(fields, "subscriptions"))?;
    let failing = number(fields, "failing");
    Some(Count { total, failing, states: numbers(fields, "states"), packages: numbers(fields, "packages") })
}
