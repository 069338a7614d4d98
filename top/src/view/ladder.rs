//! The history of a subscription as a ladder: us on the left, the notifier on the right, the newest at the bottom.

use super::ink::{Canvas, Ink, Line};
use crate::model::{Direction, Event};
use crate::text::{cut, fit, width};

/// Columns of the time, with the space behind it.
const TIME: usize = 13;

/// The narrowest ladder; on less there are no lanes.
const LEAST: usize = 56;

/// Columns behind the lanes, for the state.
const NOTE: usize = 30;

/// The narrowest lane.
const LEAST_LANE: usize = 24;

/// The widest lane.
const MOST_LANE: usize = 44;

pub fn draw(canvas: &mut Canvas, events: &[Event], back: usize, lines: u16) {
    if events.is_empty() {
        canvas.line([(Ink::Dim, "nothing has happened yet, or parameter history is 0".to_owned())]);
        return;
    }
    let room = canvas.width();
    let has_lanes = room >= LEAST;
    let mut lines = usize::from(lines);
    let lane = room.saturating_sub(TIME + NOTE).clamp(LEAST_LANE, MOST_LANE);
    if has_lanes && lines > 2 {
        lines -= 1;
        let head = fit("us", lane - 7);
        canvas.line([(Ink::Dim, format!("{}{head}notifier", " ".repeat(TIME)))]);
    }
    // The oldest go first, as far as the operator has not moved back to them.
    let back = back.min(events.len().saturating_sub(lines));
    let end = events.len() - back;
    let shown = events.iter().take(end).skip(end.saturating_sub(lines));
    for event in shown {
        canvas.line(if has_lanes { rung(event, lane) } else { plain(event) });
    }
}

fn ink_of(event: &Event) -> Ink {
    if event.is_bad { Ink::Red } else { Ink::Plain }
}

/// `21:45:14.123 │──── SUBSCRIBE ────▶│ expires 600`.
fn rung(event: &Event, lane: usize) -> Line {
    let inner = lane.saturating_sub(2);
    let what = format!(" {} ", cut(&event.what, inner.saturating_sub(6)));
    let fill = inner.saturating_sub(width(&what)).saturating_sub(1);
    let line = |count: usize| "─".repeat(count);
    let arrow = match event.direction {
        Direction::Out => format!("│{}{what}{}▶│", line(fill / 2), line(fill - fill / 2)),
        Direction::In => format!("│◀{}{what}{}│", line(fill / 2), line(fill - fill / 2)),
        Direction::Inside => format!("│{}│", fit(&format!("·{what}"), inner)),
    };
    vec![(Ink::Dim, fit(&event.at, TIME)), (ink_of(event), arrow), (Ink::Dim, format!(" {}", event.note))]
}

fn plain(event: &Event) -> Line {
    let arrow = match event.direction {
        Direction::Out => "▶",
        Direction::In => "◀",
        Direction::Inside => "·",
    };
    let time: String = event.at.chars().take(8).collect();
    vec![(Ink::Dim, time), (ink_of(event), format!(" {arrow} {}", event.what)), (Ink::Dim, format!(" {}", event.note))]
}
