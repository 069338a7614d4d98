//! The picture: records and states on the left, the SIP exchange on the right, what happens above and below.

use std::time::Duration;

use super::board::{Aside, Board, Row};
use super::ladder::Rung;
use super::paint::{Line, Style, cell};
use super::traffic::Exchange;

/// The smallest terminal the picture fits into.
pub const LEAST: (usize, usize) = (80, 24);

/// The largest picture that is still one.
const MOST: (usize, usize) = (120, 40);

/// Lines around the two panes.
const AROUND: usize = 7;

/// How long a change is highlighted.
const FRESH: Duration = Duration::from_millis(1500);

const NAME: usize = 7;

/// The lines at the end that say nothing any more when all is over.
const PASSING: usize = 2;

/// Draws the board as it is in the end.
pub fn draw_last(board: &Board, columns: usize, rows: usize) -> Vec<Line> {
    let mut lines = draw(board, columns, rows);
    lines.truncate(lines.len() - PASSING);
    lines
}

/// Draws the board for a terminal of that many columns and rows.
pub fn draw(board: &Board, columns: usize, rows: usize) -> Vec<Line> {
    let width = columns.clamp(LEAST.0, MOST.0);
    let height = rows.clamp(LEAST.1, MOST.1) - 1 - AROUND;
    let left = 37 + (width - LEAST.0) / 4;
    let right = width - left - 3;
    let wall = |text: &str| Line::new().with(Style::Dim, text);
    let rule = rule_at(board);
    let mut lines = vec![title(board, width), flow(board)];
    lines.push(border(["┌", "┬", "┐"], [(board.scene.panes[0], left), (right_title(board), right)]));
    let panes = records(board, left, height).into_iter().zip(exchanges(board, right, height));
    lines.extend(panes.enumerate().map(|(number, (a, b))| {
        let (outer, inner) = if number == rule { ("├", "┤") } else { ("│", "│") };
        wall(outer).join(a.fit(left)).join(wall(inner)).join(b.fit(right)).join(wall("│"))
    }));
    lines.push(border(["└", "┴", "┘"], [("", left), ("", right)]));
    lines.push(progress(board));
    lines.push(Line::new().with(Style::Plain, format!(" {}", board.now)));
    lines.push(Line::new().with(Style::Dim, format!(" {}   ──▶ sent by presence_b2b", board.scene.legend)));
    lines.into_iter().map(|line| line.fit(width)).collect()
}

fn title(board: &Board, width: usize) -> Line {
    let time = format!("{:.1} s ", board.begun.elapsed().as_secs_f32());
    let left = Line::new().with(Style::Bold, " presence_b2b").with(Style::Plain, format!(" · {}", board.scene.title));
    left.fit(width - time.len()).join(Line::new().with(Style::Dim, time))
}

fn flow(board: &Board) -> Line {
    let ways = board.scene.flow.iter().map(|(place, goes)| (*place, format!(" ─{goes}▶ ")));
    let line = ways.fold(Line::new().with(Style::Plain, " "), |line, (place, arrow)| {
        line.with(Style::Plain, place).with(Style::Cyan, arrow)
    });
    line.with(Style::Plain, board.scene.ends_in)
}

fn border(corners: [&str; 3], parts: [(&str, usize); 2]) -> Line {
    let mut line = Line::new().with(Style::Dim, corners[0]);
    for ((text, width), corner) in parts.into_iter().zip(&corners[1..]) {
        let label = if text.is_empty() { String::new() } else { format!(" {text} ") };
        let dashes = width - 1 - label.chars().count();
        line = line.with(Style::Dim, "─").with(Style::Bold, label).with(Style::Dim, "─".repeat(dashes) + corner);
    }
    line
}

/// Which line of the left pane is the rule between records and steps.
fn rule_at(board: &Board) -> usize {
    1 + board.rows.len()
}

fn records(board: &Board, width: usize, height: usize) -> Vec<Line> {
    let ([record, shows, words], state, took) = (board.scene.columns, board.scene.state, 6);
    let note = width.saturating_sub(1 + NAME + state + took);
    let head = |text: &str, width: usize| cell(Style::Dim, text, width);
    let blank = || Line::new().with(Style::Plain, " ");
    let mut lines = vec![
        blank().join(head(record, NAME)).join(head(shows, state)).join(head(words, note)).join(head("   ms", took)),
    ];
    for row in &board.rows {
        let fresh = row.at.is_some_and(|at| at.elapsed() < FRESH);
        let plain = if fresh { Style::Bold } else { Style::Plain };
        let time = row.took.map(|took| format!("{:>5.1}", took.as_secs_f32() * 1000.0)).unwrap_or_default();
        lines.push(
            blank()
                .join(cell(plain, &row.user, NAME))
                .join(state_of(row).fit(state))
                .join(note_of(board, row, plain).fit(note - 1))
                .join(blank())
                .join(cell(Style::Dim, time, took)),
        );
    }
    lines.push(Line::new().with(Style::Dim, "─".repeat(width)));
    let steps = board.scene.steps.iter().enumerate();
    lines.extend(steps.map(|(number, text)| step(board, number, text)));
    lines.resize(height, Line::new());
    lines
}

fn state_of(row: &Row) -> Line {
    let (style, text) = match (row.told.status.as_str(), row.told.basic.as_deref()) {
        _ if row.ended.is_some() => (Style::Dim, "✕ ended".into()),
        ("", _) => (Style::Dim, "·".into()),
        ("active", Some("open")) => (Style::Green, "● open".into()),
        ("active", Some("in a call")) => (Style::Green, "● in a call".into()),
        ("active", Some("ringing")) => (Style::Yellow, "◐ ringing".into()),
        ("active", Some("off")) => (Style::Dim, "○ off".into()),
        ("active", Some("closed")) => (Style::Red, "○ closed".into()),
        ("active", None) if row.told.reason.is_some() => (Style::Red, "! silent".into()),
        ("active", None) => (Style::Yellow, "? none".into()),
        ("active", Some(other)) if other.starts_with('▸') => (Style::Cyan, other.into()),
        ("active", Some(other)) => (Style::Yellow, format!("◌ {other}")),
        (other, _) => (Style::Yellow, format!("? {other}")),
    };
    Line::new().with(style, text)
}

fn note_of(board: &Board, row: &Row, style: Style) -> Line {
    if row.ended.is_some() {
        let was = || row.told.basic.as_deref().map_or(String::new(), |basic| format!("was {basic}"));
        let last = row.told.note.clone().unwrap_or_else(was);
        return Line::new().with(Style::Dim, last);
    }
    match (&row.told.status[..], &row.told.note, &row.told.reason) {
        ("", ..) => Line::new().with(Style::Dim, board.scene.unwatched),
        (_, Some(note), _) => Line::new().with(style, note),
        (_, None, Some(reason)) => Line::new().with(Style::Dim, reason),
        ("active", ..) if row.told.basic.is_none() => Line::new().with(Style::Dim, "no state yet"),
        _ => Line::new(),
    }
}

fn step(board: &Board, number: usize, text: &str) -> Line {
    let (mark, style) = match number.cmp(&board.step) {
        std::cmp::Ordering::Less => ("✓", Style::Green),
        std::cmp::Ordering::Equal => ("▸", Style::Bold),
        std::cmp::Ordering::Greater => (" ", Style::Dim),
    };
    let text_style = if style == Style::Green { Style::Plain } else { style };
    Line::new().with(style, format!(" {mark} ")).with(text_style, text)
}

fn right_title(board: &Board) -> &str {
    match board.aside {
        None => board.scene.panes[1],
        Some(Aside::Script(_)) => "the script behind it",
        Some(Aside::History(..)) => "presence_b2b.history",
    }
}

/// The right pane: the newest messages, or what is there in their place.
fn exchanges(board: &Board, width: usize, height: usize) -> Vec<Line> {
    if let Some(Aside::Script(script)) = &board.aside {
        let mut lines: Vec<Line> = script.iter().map(|line| cell(Style::Plain, format!(" {line}"), width)).collect();
        lines.resize(height, Line::new());
        return lines;
    }
    let arrow = width.saturating_sub(NAME + 2);
    let peer = board.scene.peer;
    let ends = format!("{:<left$}{peer}", "presence_b2b", left = arrow - peer.len());
    let about = match &board.aside {
        Some(Aside::History(record, _)) => record,
        _ => "about",
    };
    let mut lines = vec![cell(Style::Dim, format!(" {about}"), NAME + 1).join(cell(Style::Dim, ends, arrow))];
    if let Some(Aside::History(_, rungs)) = &board.aside {
        let newest = rungs.len().saturating_sub(height - 1);
        lines.extend(rungs.iter().skip(newest).map(|rung| rung_line(rung, arrow)));
    } else {
        let newest = board.exchanges.len().saturating_sub(height - 1);
        lines.extend(board.exchanges.iter().skip(newest).map(|message| message_line(message, arrow)));
    }
    lines.resize(height, Line::new());
    lines
}

fn message_line(message: &Exchange, width: usize) -> Line {
    let room = room(message.sent, width);
    let text = if message.text.chars().count() > room { &message.short } else { &message.text };
    let style = if message.status == 0 { Style::Bold } else { Style::Plain };
    cell(Style::Plain, format!(" {}", message.record), NAME + 1).join(arrow_line(message.sent, style, text, width))
}

/// An event of a history: something sent, received, or neither.
fn rung_line(rung: &Rung, width: usize) -> Line {
    let at = cell(Style::Dim, format!(" {}", rung.at), NAME + 1);
    match rung.sent {
        Some(sent) => at.join(arrow_line(sent, Style::Plain, &rung.text, width)),
        None => at.join(cell(Style::Yellow, format!("·  {}", rung.text), width)),
    }
}

/// The columns for text in an arrow of that width.
fn room(sent: bool, width: usize) -> usize {
    width.saturating_sub(3 + if sent { 2 } else { 0 })
}

fn arrow_line(sent: bool, look: Style, text: &str, width: usize) -> Line {
    let room = room(sent, width);
    let shown: String = match text.chars().count() > room {
        true => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    };
    let style = if sent { Style::Cyan } else { Style::Magenta };
    let free = room - shown.chars().count();
    let (before, after) = if sent {
        ("── ", format!(" {}▶", "─".repeat(free)))
    } else {
        ("◀─ ", format!(" {}", "─".repeat(free.saturating_sub(1))))
    };
    Line::new().with(style, before).with(look, shown).with(style, after)
}

fn progress(board: &Board) -> Line {
    let (arrived, all) = (board.arrived(), board.to_publish.max(1));
    let bar = "▰".repeat(arrived) + &"▱".repeat(all.saturating_sub(arrived));
    let line = Line::new().with(Style::Green, format!(" {bar}"));
    line.with(Style::Plain, format!(" {arrived} of {all} {}", board.scene.counted))
}
