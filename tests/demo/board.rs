//! All that is known: what was published, what the event route told, which SIP messages went by.

use std::time::{Duration, Instant};

use super::ears::{Event, Told};
use super::ladder::Rung;
use super::scene::Scene;
use super::traffic::{Exchange, user_of};

/// A state that was published and must arrive.
pub struct Published {
    /// The person.
    pub user: String,
    /// `open` or `closed`.
    pub basic: String,
    /// With which words.
    pub note: Option<String>,
    /// When it was handed to the presence server.
    pub at: Instant,
    /// When the event route told it.
    pub arrived: Option<Instant>,
}

impl Published {
    /// `open "at the desk"`
    pub fn text(&self) -> String {
        state_text(Some(&self.basic), self.note.as_deref())
    }
}

/// `open "at the desk"`; empty when nothing is known.
pub fn state_text(basic: Option<&str>, note: Option<&str>) -> String {
    let note = note.map(|note| format!("\"{note}\""));
    [basic.map(str::to_owned), note].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The last message of the event route about one record.
#[derive(Default)]
pub struct Row {
    /// The user part of the record.
    pub user: String,
    /// The newest message.
    pub told: Told,
    /// When it came; never, so far.
    pub at: Option<Instant>,
    /// How many came.
    pub count: usize,
    /// When the watcher subscribed to it.
    pub subscribed: Option<Instant>,
    /// Why the presence server ended the subscription, if it did.
    pub ended: Option<String>,
    /// Whether the newest message brought a state that was published and awaited.
    pub brought: bool,
    /// From PUBLISH (or SUBSCRIBE, if that came later) to event route, for the last such state.
    pub took: Option<Duration>,
}

/// What [`Board::hear`] has taken in.
#[derive(Clone, Copy)]
pub enum Heard {
    /// The newest of the exchanges.
    Sip,
    /// News about the row with this number.
    News(usize),
    /// A message about no person here.
    Nothing,
}

/// What is for a while in place of the SIP messages.
pub enum Aside {
    /// The script behind what is shown.
    Script(Vec<String>),
    /// The history of the subscription to this record.
    History(String, Vec<Rung>),
}

/// Everything the views show.
pub struct Board {
    /// The words around it.
    pub scene: &'static Scene,
    /// When the story began.
    pub begun: Instant,
    /// One for each record.
    pub rows: Vec<Row>,
    /// In the order they came.
    pub exchanges: Vec<Exchange>,
    /// In the order they were published.
    pub published: Vec<Published>,
    /// How many the story will publish.
    pub to_publish: usize,
    /// The number of the step of [`Scene::steps`] it is at.
    pub step: usize,
    /// The present step.
    pub now: String,
    /// In place of the exchanges, if there is one.
    pub aside: Option<Aside>,
}

impl Board {
    /// Nothing known yet about `users`.
    pub fn new(scene: &'static Scene, users: &[&str], to_publish: usize) -> Board {
        Board {
            scene,
            begun: Instant::now(),
            rows: users.iter().map(|user| Row { user: user.to_string(), ..Row::default() }).collect(),
            exchanges: Vec::new(),
            published: Vec::new(),
            to_publish,
            step: 0,
            now: String::new(),
            aside: None,
        }
    }

    /// To be called before the PUBLISH goes out.
    pub fn expect(&mut self, user: &str, basic: &str, note: Option<&str>) {
        let (user, basic, note) = (user.to_owned(), basic.to_owned(), note.map(str::to_owned));
        self.published.push(Published { user, basic, note, at: Instant::now(), arrived: None });
    }

    /// Takes in what came.
    pub fn hear(&mut self, at: Instant, event: Event) -> Heard {
        match event {
            Event::Sip(exchange) => {
                let row = self.rows.iter_mut().find(|row| row.user == exchange.record);
                if let (Some(row), Some(reason)) = (row, &exchange.terminated) {
                    row.ended = Some(reason.clone());
                }
                self.exchanges.push(exchange);
                Heard::Sip
            }
            Event::Told(told) => self.told(at, told).map_or(Heard::Nothing, Heard::News),
        }
    }

    fn told(&mut self, at: Instant, told: Told) -> Option<usize> {
        let user = user_of(&told.record).to_owned();
        let number = self.rows.iter().position(|row| row.user == user)?;
        let row = &mut self.rows[number];
        let same = |state: &&mut Published| {
            told.status == "active"
                && state.arrived.is_none()
                && state.user == user
                && Some(&state.basic) == told.basic.as_ref()
                && state.note == told.note
        };
        let took = self.published.iter_mut().find(same).map(|state| {
            state.arrived = Some(at);
            at.duration_since(row.subscribed.map_or(state.at, |subscribed| subscribed.max(state.at)))
        });
        row.brought = took.is_some();
        row.took = took.or(row.took);
        row.told = told;
        row.at = Some(at);
        row.count += 1;
        Some(number)
    }

    /// To be called before the watcher subscribes.
    pub fn watch(&mut self, user: &str) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.user == user) {
            row.subscribed = Some(Instant::now());
        }
    }

    /// The row of a record.
    pub fn row(&self, user: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.user == user)
    }

    /// The published states that have not arrived.
    pub fn missing(&self) -> Vec<&Published> {
        self.published.iter().filter(|state| state.arrived.is_none()).collect()
    }

    /// How many published states have arrived.
    pub fn arrived(&self) -> usize {
        self.published.len() - self.missing().len()
    }

    /// Whether all that `user` published has arrived.
    pub fn has_all_of(&self, user: &str) -> bool {
        self.missing().iter().all(|state| state.user != user)
    }
}
