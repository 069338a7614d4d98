//! What is known of a server: filled with its answers, and asked what to call next. Nothing here does input or output, or
//! asks for the time.

mod answers;
mod call;
mod counters;
mod detail;
mod fields;
mod keys;
mod plan;
mod query;
mod row;
mod table;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use self::plan::Plan;
use self::table::Table;
use crate::failure::Failure;

pub use self::call::{Call, Purpose};
pub use self::counters::{Counters, MESSAGES, NOTIFIES, SUBSCRIBES};
pub use self::detail::{Detail, Direction, Event, History};
pub use self::fields::{number, text};
pub use self::keys::{Key, Step};
pub use self::query::Query;
pub use self::row::{Mark, Row};

/// A time of the program: since 1970, but never set back.
pub type Moment = Duration;

/// What the operator wants, from the command line.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time between two rounds of calls.
    pub interval: Duration,
    /// Filters of all lists, such as `package=presence`.
    pub filters: Vec<String>,
    /// The most subscriptions that are shown at a time.
    pub rows: usize,
    /// Whether subscriptions may be refreshed and ended.
    pub write: bool,
}

/// What the screen is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The table of subscriptions.
    Subscriptions,
    /// The destinations with their breakers.
    Destinations,
    /// The queues and workers.
    Queues,
}

/// What keys mean at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They move in the view.
    Table,
    /// They are typed into the search.
    Search,
    /// One subscription is shown.
    Detail,
    /// An action waits for yes or no.
    Confirm(Action),
    /// The help is shown.
    Help,
}

/// What can be done to a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a SUBSCRIBE now.
    Refresh(Subject),
    /// Unsubscribe.
    End(Subject),
}

/// The subscription that the operator means: its id may be another one's after a restart of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its id.
    pub id: u64,
    /// Its record, fit to be shown.
    pub record: String,
    /// Its subscriber and its package.
    others: [String; 2],
}

impl Action {
    fn subject(&self) -> &Subject {
        match self {
            Self::Refresh(subject) | Self::End(subject) => subject,
        }
    }
}

impl Subject {
    fn of(row: &Row) -> Self {
        Self { id: row.id, record: row.text("record"), others: ["subscriber", "package"].map(|name| row.text(name)) }
    }
}

/// Whether the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing was asked yet.
    New,
    /// The last call was answered.
    Good,
    /// No answer since this time, for this reason.
    Away(Moment, Failure),
}

/// What the server is, and since when it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// The version of the module; empty before it is known.
    pub module: String,
    /// The server's name and version.
    pub name: String,
    /// When it started.
    pub started: Option<Moment>,
}

/// How many subscriptions there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub total: u64,
    /// Those whose last attempt failed; none if the server does not say.
    pub failing: Option<u64>,
    /// By state, and by package, as the server orders them.
    pub states: Vec<(String, u64)>,
    /// See `states`.
    pub packages: Vec<(String, u64)>,
}

/// All of it.
pub struct Model {
    /// What the operator wants.
    pub settings: Settings,
    /// What is shown.
    pub view: View,
    /// What keys mean.
    pub mode: Mode,
    /// Whether the server answers.
    pub link: Link,
    /// What the server is.
    pub server: Server,
    /// Its counters, and their rates.
    pub counters: Counters,
    /// Its numbers of subscriptions.
    pub count: Option<Count>,
    /// The subscriptions that are shown.
    pub table: Table,
    /// The one that is looked at.
    pub detail: Option<Detail>,
    /// Rows of `destinations`.
    pub destinations: Vec<Map<String, Value>>,
    /// Rows of `queues`.
    pub queues: Vec<Map<String, Value>>,
    /// The first line of what is shown of the two.
    pub scroll: usize,
    /// The first line of the help that is shown.
    pub help_from: usize,
    /// What happened last, and when.
    pub notice: Option<(String, Moment)>,
    /// Commands that the server does not have.
    pub missing: BTreeSet<&'static str>,
    heard: Moment,
    plan: Plan,
    /// What the operator has agreed to. It is done once the server says that the subscription is the one that was meant.
    agreed: Vec<Action>,
}

impl Model {
    /// Nothing is known yet.
    pub fn new(settings: Settings, now: Moment) -> Self {
        let table = Table::new(Query { filters: settings.filters.clone(), search: String::new() }, settings.rows);
        Self {
            settings,
            view: View::Subscriptions,
            mode: Mode::Table,
            link: Link::New,
            server: Server::default(),
            counters: Counters::default(),
            count: None,
            table,
            detail: None,
            destinations: Vec::new(),
            queues: Vec::new(),
            scroll: 0,
            help_from: 0,
            notice: None,
            missing: BTreeSet::new(),
            heard: now,
            plan: Plan::default(),
            agreed: Vec::new(),
        }
    }

    /// Whether everything was asked once.
    pub fn is_complete(&self) -> bool {
        self.plan.rounds > 0 && self.plan.is_idle() && !self.table.is_first()
    }

    /// The subscription that is selected, or looked at.
    pub fn selected(&self) -> Option<&Row> {
        match &self.detail {
            Some(detail) => Some(&detail.row),
            None => self.table.selected(),
        }
    }

    /// The moment that is shown: while the server does not answer, nothing is known of what comes after the last one.
    pub fn shown_at(&self, now: Moment) -> Moment {
        if let Link::Away(since, _) = self.link { since } else { now }
    }

    fn tell(&mut self, what: impl Into<String>, now: Moment) {
        self.notice = Some((what.into(), now));
    }
}

#[cfg(test)]
pub mod tests;
