//! What is asked of the server.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Model;
use super::query::Phase;

/// What a call is for. Some can be asked in two ways: as the server knows it, or as an older one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The names of the server's commands: the first call, and the one that looks whether the server is back. The server
    /// logs an error if it is asked for a command that it does not have.
    Methods,
    /// Version of the module.
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
    /// Whether the subscription that is to be changed is still the one that was meant.
    Check(u64),
    /// Send a SUBSCRIBE.
    Refresh(u64),
    /// Unsubscribe.
    End(u64),
}

/// What is asked of a server that has it. Old modules lack some, and a server without kex lacks the counters.
pub(super) const COMMANDS: [&str; 13] = [
    VERSION,
    "core.version",
    "core.uptime",
    "stats.fetch",
    "presence_b2b.trace",
    "presence_b2b.count",
    "presence_b2b.find",
    "presence_b2b.show",
    "presence_b2b.history",
    "presence_b2b.destinations",
    "presence_b2b.queues",
    "presence_b2b.refresh",
    "presence_b2b.unsubscribe",
];

/// The command that every version of the module has.
pub(super) const VERSION: &str = "presence_b2b.version";

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
            Purpose::Methods => ("system.listMethods", json!([])),
            Purpose::Module => (VERSION, json!([])),
            Purpose::Name => ("core.version", json!([])),
            Purpose::Uptime => ("core.uptime", json!([])),
            Purpose::Counters if self.lacks("stats.fetch") => ("presence_b2b.trace", json!([])),
            Purpose::Counters => ("stats.fetch", json!(["presence_b2b:"])),
            Purpose::Count if self.lacks("presence_b2b.count") => ("presence_b2b.trace", json!([])),
            Purpose::Count => ("presence_b2b.count", json!([])),
            Purpose::Rows(_) => self.rows_call()?,
            Purpose::Show(id) | Purpose::Check(id) => ("presence_b2b.show", json!([id])),
            Purpose::History(id) => ("presence_b2b.history", json!([id])),
            Purpose::Destinations => ("presence_b2b.destinations", json!([0, 200])),
            Purpose::Queues => ("presence_b2b.queues", json!([])),
            Purpose::Refresh(id) => ("presence_b2b.refresh", json!([id])),
            Purpose::End(id) => ("presence_b2b.unsubscribe", json!([id])),
        };
        (!self.lacks(method)).then_some(Call { method, params, purpose })
    }

    /// Takes the names of the server's commands. A server that does not list them is asked for each.
    pub(super) fn take_methods(&mut self, answer: &Value) {
        let listed: BTreeSet<&str> = answer.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !listed.is_empty() {
            self.missing.extend(COMMANDS.into_iter().filter(|command| !listed.contains(command)));
        }
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
