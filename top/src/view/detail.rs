//! One subscription: what it is, why it is so, and its history.

use super::ink::{Canvas, Ink};
use super::ladder;
use crate::model::{Detail, History, Mark, Moment};
use crate::text::{span, wrap};

pub fn draw(canvas: &mut Canvas, detail: &Detail, lines: u16, now: Moment) {
    let (row, room) = (&detail.row, canvas.width());
    let begin = canvas.left();
    canvas.line([(Ink::Strong, format!("{} {}", row.id, row.text("record")))]);
    let ink = match row.mark() {
        Mark::Red => Ink::Red,
        Mark::Yellow => Ink::Yellow,
        Mark::Green => Ink::Green,
    };
    let why =
        if detail.is_gone { "it has ended: the server does not know it any more".to_owned() } else { row.why(now) };
    // A small terminal has room for the newest events all the same.
    let most = usize::from(lines / 3).clamp(1, 3);
    let mut said = wrap(&why, room);
    if said.len() > most && !detail.is_gone {
        said = wrap(&row.brief(now), room);
    }
    for line in said.into_iter().take(most) {
        canvas.line([(ink, line)]);
    }
    if lines > 12 {
        for fact in facts(detail, now) {
            for line in wrap(&fact, room).into_iter().take(2) {
                canvas.line([(Ink::Plain, line)]);
            }
        }
    }
    let used = begin.saturating_sub(canvas.left());
    let left = lines.saturating_sub(used);
    match &detail.history {
        History::Events(events) => ladder::draw(canvas, events, detail.back, left),
        History::Unknown => canvas.line([(Ink::Dim, "reading its history…".to_owned())]),
        History::None(why) => {
            for line in wrap(why, room) {
                canvas.line([(Ink::Dim, line)]);
            }
        }
    }
}

fn facts(detail: &Detail, now: Moment) -> Vec<String> {
    let row = &detail.row;
    let expires = row
        .left("expires_in", now)
        .map_or("nothing is granted".to_owned(), |left| format!("granted for {}", span(left)));
    let dialog = match row.text("call_id") {
        id if id.is_empty() => "no dialog".to_owned(),
        id => format!("dialog {id} with {}", row.text("remote_target")),
    };
    let dialog = match row.text("destination") {
        there if there.is_empty() => dialog,
        there => format!("{dialog}, destination {there}"),
    };
    let options = row.text("options");
    let mut facts = vec![
        format!("subscriber {}", row.text("subscriber")),
        format!(
            "package {}, state {}, status {}, {expires}",
            row.text("package"),
            row.text("state"),
            row.text("status")
        ),
        dialog,
    ];
    if !options.is_empty() {
        facts.push(format!("options {options}"));
    }
    let counts = ["notifies", "refused", "stale", "repeated", "merged", "dropped"];
    let count = |name: &str| format!("{name} {}", row.number(name).unwrap_or(0));
    facts.push(counts.map(count).join(", "));
    facts
}
