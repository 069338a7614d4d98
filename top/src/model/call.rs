//! What is asked of the server.

use serde_json::{Value, json};

use super::Model;
use super::query::Phase;

/// What a call is for. Some can be asked in two ways: as the server knows it, or as an older one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Version of the module: the first call, and the one that looks whether the server is back.
    Module,
    /// Name and version of the server.
    Name,
    /// Since when it runs.
    Uptime,
    /// Counters.
    Counters,
    /// Numbers of subscriptions.
    Count,
    /// A part of a list: the generation of its query tells late answers.
    Rows(u64),
    /// One subscription.
    Show(u64),
    /// Its last events.
    History(u64),
    /// The destinations.
    Destinations,
    /// The queues.
    Queues,
    /// Send a SUBSCRIBE.
    Refresh(u64),
    /// Unsubscribe.
    End(u64),
}

/// A call to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The command.
    pub method: &'static str,
    /// Its parameters, an array.
    pub params: Value,
    /// What the answer is for.
    pub purpose: Purpose,
}

impl Model {
    /// The call for a purpose; none if the server has no command for it.
    pub(super) fn call_for(&self, purpose: Purpose) -> Option<Call> {
        let (method, params) = match purpose {
            Purpose::Module => ("presence_b2b.version", json!([])),
            Purpose::Name => ("core.version", json!([])),
            Purpose::Uptime => ("core.uptime", json!([])),
            Purpose::Counters if self.lacks("stats.fetch") => ("presence_b2b.trace", json!([])),
            Purpose::Counters => ("stats.fetch", json!(["presence_b2b:"])),
            Purpose::Count if self.lacks("presence_b2b.count") => ("presence_b2b.trace", json!([])),
            Purpose::Count => ("presence_b2b.count", json!([])),
            Purpose::Rows(_) => self.rows_call()?,
            Purpose::Show(id) => ("presence_b2b.show", json!([id])),
            Purpose::History(id) => ("presence_b2b.history", json!([id])),
            Purpose::Destinations => ("presence_b2b.destinations", json!([0, 200])),
            Purpose::Queues => ("presence_b2b.queues", json!([])),
            Purpose::Refresh(id) => ("presence_b2b.refresh", json!([id])),
            Purpose::End(id) => ("presence_b2b.unsubscribe", json!([id])),
        };
        let is_asked = !self.lacks(method) || matches!(purpose, Purpose::Module);
        is_asked.then_some(Call { method, params, purpose })
    }

    pub(super) fn lacks(&self, method: &str) -> bool {
        self.missing.contains(method)
    }

    fn rows_call(&self) -> Option<(&'static str, Value)> {
        let (phase, from, limit) = self.table.wanted()?;
        Some(match phase {
            Phase::Id(id) => ("presence_b2b.show", json!([id])),
            Phase::Find(filters) if !self.lacks("presence_b2b.find") => {
                let mut params = vec![format!("limit={limit}"), format!("from={from}")];
                params.extend(filters);
                ("presence_b2b.find", json!(params))
            }
            Phase::Find(filters) => {
                let mut params = vec![json!(from), json!(limit)];
                // The older command has no filter for what fails: what waits is nearly the same.
                let known = |filter: String| if filter == "failing=1" { "state=waiting".to_owned() } else { filter };
                params.extend(filters.into_iter().map(|filter| json!(known(filter))));
                ("presence_b2b.list", json!(params))
            }
        })
    }
}
