//! The help.

use super::ink::{Canvas, Ink, Line};
use crate::model::Model;
use crate::text::{fit, wrap};

const KEYS: &[(&str, &str)] = &[
    ("/", "search: a part of a record, else of a subscriber, or an id"),
    ("Enter", "the subscription with its history"),
    ("Esc", "back; ends a search"),
    ("arrows, j k", "move; over the edge of a page to the next one"),
    ("1 2 3, Tab", "subscriptions, destinations, queues"),
    ("r", "sends a SUBSCRIBE now (with --write)"),
    ("e", "ends the subscription (with --write)"),
    ("q, Ctrl-C", "quit; Ctrl-Z suspends"),
    ("", ""),
    ("!", "the last attempt failed: these come first"),
    ("~", "on its way, pending, or not begun"),
    ("NEXT", "time until the next SUBSCRIBE, or until no answer is waited for any more"),
    ("width", "60 columns show states and packages, 112 why each is so"),
    ("/s", "per second; - if it is not known yet"),
];

pub fn draw(canvas: &mut Canvas, model: &Model) {
    let lines = lines(model, canvas.width());
    let room = usize::from(canvas.left().saturating_sub(1));
    let from = model.help_from.min(lines.len().saturating_sub(room));
    let said = if lines.len() > room { "arrows, else back" } else { "any key: back" };
    lines.into_iter().skip(from).take(room).for_each(|line| canvas.line(line));
    canvas.foot(vec![vec![(Ink::Dim, said.to_owned())]]);
}

fn lines(model: &Model, room: usize) -> Vec<Line> {
    let first = if room < 40 { 0 } else { 13 };
    let mut all = vec![vec![(Ink::Strong, "b2b-top: keys and signs".to_owned())]];
    for (key, meaning) in KEYS {
        if first == 0 {
            all.extend(wrap(&format!("{key} {meaning}"), room).into_iter().map(|line| vec![(Ink::Plain, line)]));
            continue;
        }
        let lines = wrap(meaning, room - first);
        for (at, line) in lines.into_iter().enumerate() {
            let key = if at == 0 { key } else { "" };
            all.push(vec![(Ink::Strong, fit(key, first)), (Ink::Plain, line)]);
        }
    }
    if !model.missing.is_empty() {
        let missing = model.missing.iter().copied().collect::<Vec<_>>().join(", ");
        let lines = wrap(&format!("The server lacks {missing}."), room);
        all.extend(lines.into_iter().map(|line| vec![(Ink::Yellow, line)]));
    }
    all
}
