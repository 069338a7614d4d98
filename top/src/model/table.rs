//! The subscriptions that are shown: a page of a query, read in bounded steps and replaced when it is complete.

use serde_json::Value;

use super::fields::{number, structs};
use super::query::{Phase, Query};
use super::{Moment, Row};

/// Where in a query a page begins: the part, and the server's cursor in it.
type Place = (usize, u64);

/// A page that is being read.
#[derive(Clone, Debug)]
struct Sweep {
    place: Place,
    rows: Vec<Row>,
    limit: u64,
}

/// A page of a query.
#[derive(Clone, Debug)]
pub struct Table {
    /// Which subscriptions are wanted.
    pub query: Query,
    /// The page: the failing ones first.
    pub shown: Vec<Row>,
    /// How many subscriptions the server looked at for it.
    pub looked_at: u64,
    /// The selected row of the page.
    pub cursor: usize,
    /// The rows of the page at most.
    room: usize,
    /// Changes with each new query or page.
    generation: u64,
    /// Where this page and those before it begin.
    starts: Vec<Place>,
    /// Where the next page begins, if there is one.
    after: Option<Place>,
    sweep: Option<Sweep>,
    first: bool,
    phases: Vec<Phase>,
}

impl Table {
    pub fn new(query: Query, room: usize) -> Self {
        Self {
            phases: query.phases(),
            query,
            shown: Vec::new(),
            looked_at: 0,
            cursor: 0,
            room: room.max(1),
            generation: 0,
            starts: vec![(0, 0)],
            after: None,
            sweep: None,
            first: true,
        }
    }

    /// Asks for something else.
    pub(super) fn ask(&mut self, query: Query) {
        let generation = self.generation + 1;
        *self = Self { generation, ..Self::new(query, self.room) };
        self.begin();
    }

    /// The server has started again: reads from the beginning, and shows what it has until then.
    pub(super) fn restart(&mut self, query: Query) {
        let (shown, cursor) = (std::mem::take(&mut self.shown), self.cursor);
        self.ask(query);
        (self.shown, self.cursor) = (shown, cursor);
    }

    /// Whether no page of this query was read to its end yet.
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// Whether a page is being read.
    pub(super) fn is_reading(&self) -> bool {
        self.sweep.is_some()
    }

    /// The number of the page, from 1; and whether there is one behind it.
    pub fn page(&self) -> (usize, bool) {
        (self.starts.len(), self.after.is_some())
    }

    pub fn selected(&self) -> Option<&Row> {
        self.shown.get(self.cursor)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Begins to read the page again, unless it is being read.
    pub(super) fn begin(&mut self) {
        let place = self.starts.last().copied().unwrap_or_default();
        self.sweep.get_or_insert(Sweep { place, rows: Vec::new(), limit: self.room as u64 });
    }

    /// Other pages, if there are any.
    pub(super) fn turn(&mut self, forward: bool) -> bool {
        let is_turned = match (forward, self.after) {
            (true, Some(place)) => {
                self.starts.push(place);
                true
            }
            (true, None) => false,
            (false, _) => self.starts.len() > 1 && self.starts.pop().is_some(),
        };
        if is_turned {
            (self.generation, self.sweep, self.first, self.cursor) = (self.generation + 1, None, true, 0);
            self.begin();
        }
        is_turned
    }

    /// What to ask for next: the part, its cursor, and how many rows.
    pub(super) fn wanted(&self) -> Option<(Phase, u64, u64)> {
        let sweep = self.sweep.as_ref()?;
        let phase = self.phases.get(sweep.place.0)?.clone();
        let left = self.room.saturating_sub(sweep.rows.len()) as u64;
        Some((phase, sweep.place.1, sweep.limit.min(left).max(1)))
    }

    /// An answer was too large: fewer rows the next time. False if there was one row only.
    pub(super) fn ask_for_fewer(&mut self) -> bool {
        let Some(sweep) = self.sweep.as_mut().filter(|sweep| sweep.limit > 1) else { return false };
        sweep.limit /= 2;
        true
    }

    /// Takes the rows of an answer. `failing` is how many the server says fail: when they are all there, the first part of
    /// the usual query is over.
    pub(super) fn take(&mut self, answer: Value, failing: Option<u64>, now: Moment) {
        let Some(sweep) = self.sweep.as_mut() else { return };
        let (rows, next) = match answer {
            Value::Object(mut fields) if fields.contains_key("rows") => {
                self.looked_at = number(&fields, "looked_at").unwrap_or(0);
                let next = number(&fields, "next").unwrap_or(0);
                (structs(fields.remove("rows").unwrap_or_default()), next)
            }
            // `list` goes on behind the rows that came, and ends with none.
            Value::Array(list) => {
                let rows = structs(Value::Array(list));
                let came = rows.len() as u64;
                let next = if came == 0 { 0 } else { sweep.place.1.saturating_add(came) };
                (rows, next)
            }
            one => (structs(one), 0),
        };
        for row in rows.into_iter().filter_map(|fields| Row::new(fields, now)) {
            if sweep.rows.len() < self.room && !sweep.rows.iter().any(|other| other.id == row.id) {
                sweep.rows.push(row);
            }
        }
        let is_usual = self.query.search.trim().is_empty() && self.query.filters.is_empty();
        let has_all = is_usual && sweep.place.0 == 0 && failing.is_some_and(|all| sweep.rows.len() as u64 >= all);
        // Cursors only grow: others would ask for ever.
        let is_over = next <= sweep.place.1 || has_all;
        sweep.place = if is_over { (sweep.place.0 + 1, 0) } else { (sweep.place.0, next) };
        self.end_part();
    }

    /// The present part has nothing: goes on with the next one.
    pub(super) fn skip(&mut self) {
        if let Some(sweep) = self.sweep.as_mut() {
            sweep.place = (sweep.place.0 + 1, 0);
        }
        self.end_part();
    }

    fn end_part(&mut self) {
        let Some(sweep) = &self.sweep else { return };
        let is_at_end = sweep.place.0 >= self.phases.len();
        let is_complete = is_at_end || sweep.rows.len() >= self.room;
        if is_complete {
            self.after = (!is_at_end).then_some(sweep.place);
        }
        if is_complete || self.first {
            let selected = self.selected().map(|row| row.id);
            self.shown.clone_from(&sweep.rows);
            // Within a page as the server orders it, but for what fails.
            self.shown.sort_by_key(|row| row.mark() != super::Mark::Red);
            let again = selected.and_then(|id| self.shown.iter().position(|row| row.id == id));
            let last = self.shown.len().saturating_sub(1);
            self.cursor = again.unwrap_or(self.cursor.min(last));
        }
        if is_complete {
            (self.sweep, self.first) = (None, false);
        }
    }
}
