//! The help.

use super::ink::{Canvas, Ink};
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
    let room = canvas.width();
    let first = if room < 40 { 0 } else { 13 };
    canvas.line([(Ink::Strong, "b2b-top: keys and signs".to_owned())]);
    for (key, meaning) in KEYS {
        if first == 0 {
            canvas.line([(Ink::Plain, format!("{key} {meaning}"))]);
            continue;
        }
        let lines = wrap(meaning, room - first);
        for (at, line) in lines.into_iter().enumerate() {
            let key = if at == 0 { key } else { "" };
            canvas.line([(Ink::Strong, fit(key, first)), (Ink::Plain, line)]);
        }
    }
    if !model.missing.is_empty() {
        let missing = model.missing.iter().copied().collect::<Vec<_>>().join(", ");
        for line in wrap(&format!("The server lacks {missing}."), room) {
            canvas.line([(Ink::Yellow, line)]);
        }
    }
    canvas.foot(vec![vec![(Ink::Dim, "any key: back".to_owned())]]);
}
