//! What keys do.

use super::detail::{Detail, History};
use super::{Action, Mode, Model, Moment, Purpose, Subject, View};

/// A key, whatever terminal it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Enter,
    Escape,
    Backspace,
    Tab,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    /// Ctrl-C.
    Interrupt,
}

/// What comes after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Go,
    Quit,
}

/// Rows that a page key moves by.
const PAGE: usize = 10;

/// The help has no more lines.
const MOST_HELP: usize = 100;

/// The most letters of a search: as many as a URI may have.
const MOST_LETTERS: usize = 1024;

impl Model {
    /// Takes a key.
    pub fn key(&mut self, key: Key, now: Moment) -> Step {
        if key == Key::Interrupt {
            return Step::Quit;
        }
        if !matches!(self.mode, Mode::Search) {
            self.notice = None;
        }
        match self.mode.clone() {
            Mode::Help => self.read_help(key),
            Mode::Confirm(action) => self.confirm(key, action, now),
            Mode::Search => self.type_in(key, now),
            Mode::Detail | Mode::Table => match key {
                Key::Char('q') => return Step::Quit,
                Key::Char('?' | 'h') => (self.mode, self.help_from) = (Mode::Help, 0),
                Key::Char('r') => self.want(Action::Refresh, now),
                Key::Char('e') => self.want(Action::End, now),
                _ if self.mode == Mode::Detail => self.move_in_detail(key),
                _ => self.move_in_table(key),
            },
        }
        Step::Go
    }

    /// On a small terminal the help is longer than the screen.
    fn read_help(&mut self, key: Key) {
        self.help_from = match key {
            Key::Up | Key::Char('k') => self.help_from.saturating_sub(1),
            Key::PageUp => self.help_from.saturating_sub(PAGE),
            Key::Down | Key::Char('j') => MOST_HELP.min(self.help_from + 1),
            Key::PageDown => MOST_HELP.min(self.help_from + PAGE),
            _ => return self.leave_question(),
        };
    }

    fn move_in_table(&mut self, key: Key) {
        match key {
            Key::Char('/') => {
                self.view = View::Subscriptions;
                self.mode = Mode::Search;
            }
            Key::Char('1') => self.show(View::Subscriptions),
            Key::Char('2') => self.show(View::Destinations),
            Key::Char('3') => self.show(View::Queues),
            Key::Tab => self.show(match self.view {
                View::Subscriptions => View::Destinations,
                View::Destinations => View::Queues,
                View::Queues => View::Subscriptions,
            }),
            Key::Enter if self.view == View::Subscriptions => self.open(),
            Key::Escape if !self.table.query.search.is_empty() => self.search_for(String::new(), None),
            _ => self.scroll_by(key),
        }
    }

    fn show(&mut self, view: View) {
        (self.view, self.scroll) = (view, 0);
        match view {
            View::Subscriptions => self.table.begin(),
            View::Destinations => self.hurry([Purpose::Destinations]),
            View::Queues => self.hurry([Purpose::Queues]),
        }
    }

    fn scroll_by(&mut self, key: Key) {
        let length = match self.view {
            View::Subscriptions => self.table.shown.len(),
            View::Destinations => self.destinations.len(),
            View::Queues => self.queues.len(),
        };
        let last = length.saturating_sub(1);
        let at = if self.view == View::Subscriptions { self.table.cursor } else { self.scroll };
        let to = match key {
            Key::Up | Key::Char('k') => at.saturating_sub(1),
            Key::Down | Key::Char('j') => at + 1,
            Key::PageUp => at.saturating_sub(PAGE),
            // The last row is seen before the next page comes.
            Key::PageDown if at < last => last.min(at + PAGE),
            Key::PageDown => at + PAGE,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => last,
            _ => return,
        };
        if self.view != View::Subscriptions {
            self.scroll = to.min(last);
        } else if to > last && length > 0 && self.table.turn(true) {
        } else if at == 0 && to == 0 && matches!(key, Key::Up | Key::PageUp | Key::Char('k')) {
            self.table.turn(false);
        } else {
            self.table.cursor = to.min(last);
        }
    }

    fn open(&mut self) {
        if let Some(row) = self.table.selected().cloned() {
            self.hurry([Purpose::History(row.id), Purpose::Show(row.id)]);
            self.detail = Some(Detail::new(row));
            self.mode = Mode::Detail;
        }
    }

    fn move_in_detail(&mut self, key: Key) {
        let Some(detail) = &mut self.detail else { return };
        let most = match &detail.history {
            History::Events(events) => events.len().saturating_sub(1),
            _ => 0,
        };
        match key {
            Key::Escape | Key::Backspace | Key::Char('/') => {
                self.detail = None;
                self.mode = if key == Key::Char('/') { Mode::Search } else { Mode::Table };
                self.view = View::Subscriptions;
                self.table.begin();
            }
            Key::Up | Key::Char('k') => detail.back = most.min(detail.back + 1),
            Key::PageUp => detail.back = most.min(detail.back + PAGE),
            Key::Down | Key::Char('j') => detail.back = detail.back.saturating_sub(1),
            Key::PageDown => detail.back = detail.back.saturating_sub(PAGE),
            Key::End | Key::Char('G') => detail.back = 0,
            _ => {}
        }
    }

    fn type_in(&mut self, key: Key, now: Moment) {
        let mut search = self.table.query.search.clone();
        match key {
            Key::Escape => {
                self.mode = Mode::Table;
                search.clear();
            }
            Key::Enter => {
                self.mode = Mode::Table;
                self.open();
                return;
            }
            Key::Backspace => {
                search.pop();
            }
            Key::Char(letter) if search.len() < MOST_LETTERS => search.push(letter),
            Key::Char(_) => {}
            other => return self.scroll_by(other),
        }
        self.search_for(search, Some(now));
    }

    fn search_for(&mut self, search: String, typed: Option<Moment>) {
        if self.table.query.search == search {
            return;
        }
        self.table.query.search = search;
        // Without letters the usual list comes at once.
        self.plan.typed = Some(typed.unwrap_or_default());
    }

    fn want(&mut self, action: fn(Subject) -> Action, now: Moment) {
        let subject = self.selected().filter(|_| self.view == View::Subscriptions).map(Subject::of);
        match subject {
            None => {}
            Some(_) if !self.settings.write => {
                self.tell("nothing can be changed here: start b2b-top with --write", now);
            }
            Some(subject) => self.mode = Mode::Confirm(action(subject)),
        }
    }

    fn confirm(&mut self, key: Key, action: Action, now: Moment) {
        self.leave_question();
        let id = action.subject().id;
        match key {
            Key::Char('y' | 'Y') if !self.is_there(action.subject()) => {
                self.tell(format!("{id} is not shown any more, or is another one now: nothing was done"), now);
            }
            Key::Char('y' | 'Y') => {
                self.agreed.push(action);
                self.hurry([Purpose::Check(id)]);
            }
            _ => self.tell("nothing was done", now),
        }
    }

    /// Nothing is asked any more.
    pub(super) fn leave_question(&mut self) {
        self.mode = if self.detail.is_some() { Mode::Detail } else { Mode::Table };
    }

    /// Whether the subscription is shown, and is the one that was meant.
    fn is_there(&self, subject: &Subject) -> bool {
        let mut rows = self.detail.iter().map(|detail| &detail.row).chain(&self.table.shown);
        rows.find(|row| row.id == subject.id).is_some_and(|row| Subject::of(row) == *subject)
    }
}
