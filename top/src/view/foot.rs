//! The last lines: why the selected one is as it is, what happened, what is asked, which keys there are.

use super::ink::{Ink, Line};
use crate::model::{Action, Link, Mark, Mode, Model, Moment, Subject, View};
use crate::text::{span, time_of_day, wrap};

/// On fewer columns all is said in fewer words.
const NARROW: usize = 40;

pub fn lines(model: &Model, room: usize, now: Moment) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |ink, text: &str, most: usize| {
        lines.extend(wrap(text, room).into_iter().take(most).map(|line| vec![(ink, line)]));
    };
    match &model.link {
        Link::Away(since, failure) => {
            let seconds = now.saturating_sub(*since).as_secs();
            let since = time_of_day(since.as_secs());
            say(Ink::Red, &format!("no answer since {since} UTC ({}): {failure}", span(seconds)), 4);
        }
        Link::New | Link::Good => {}
    }
    if let (View::Subscriptions, None, Some(row)) = (model.view, &model.detail, model.table.selected()) {
        let ink = match row.mark() {
            Mark::Red => Ink::Red,
            Mark::Yellow => Ink::Yellow,
            Mark::Green => Ink::Plain,
        };
        let at = model.shown_at(now);
        let why = if room < NARROW { row.brief(at) } else { row.why(at) };
        say(ink, &format!("{}: {why}", row.id), 2);
    }
    if let Some((said, _)) = &model.notice {
        say(Ink::Yellow, said, 3);
    }
    match &model.mode {
        Mode::Search => lines.push(vec![(Ink::Selected, format!("/{}", end_of(&model.table.query.search, room)))]),
        Mode::Confirm(action) => say(Ink::Selected, &question(action), 2),
        _ if !model.table.query.search.is_empty() && model.detail.is_none() => {
            let said = format!("found with \"{}\"; Esc shows all again", crate::text::clean(&model.table.query.search));
            say(Ink::Dim, &said, 1);
        }
        _ => lines.push(vec![(Ink::Dim, keys(model, room).to_owned())]),
    }
    lines
}

/// The end of what is typed, as far as there is room.
fn end_of(search: &str, room: usize) -> String {
    let clean = crate::text::clean(search);
    let skip = clean.chars().count().saturating_sub(room.saturating_sub(2));
    format!("{}_", clean.chars().skip(skip).collect::<String>())
}

fn question(action: &Action) -> String {
    match action {
        Action::Refresh(Subject { id, record, .. }) => format!("Send a SUBSCRIBE for {id} {record} now? y or n"),
        Action::End(Subject { id, record, .. }) => format!("End {id} {record}? y or n"),
    }
}

fn keys(model: &Model, room: usize) -> &'static str {
    match (model.detail.is_some(), room) {
        (_, 0..NARROW) => "? help  q quit",
        (true, _) if model.settings.write => "Esc back  r refresh  e end  ? help  q quit",
        (true, _) => "Esc back  ? help  q quit",
        (false, _) if model.view != View::Subscriptions => "/ search  Tab view  ? help  q quit",
        (false, 0..60) => "/ search  Enter open  ? help",
        (false, _) if model.settings.write => "/ search  Enter open  Tab view  r refresh  e end  ? help  q quit",
        (false, _) => "/ search  Enter open  Tab view  ? help  q quit",
    }
}
