//! Tables of destinations and queues: whatever columns the server has, those that are known first.

use serde_json::{Map, Value};

use super::ink::{Canvas, Ink};
use crate::model::{number, text};
use crate::text::{fit, width};

/// What is known of a list: the columns that come first, and what is said if it is empty.
pub type Known = (&'static [&'static str], &'static str);

/// The destinations.
pub const DESTINATIONS: Known =
    (&["address", "state", "failures", "held_for", "sent", "held"], "  no SUBSCRIBE was sent to anybody yet");

/// The queues.
pub const QUEUES: Known = (
    &["queue", "consumer", "messages", "oldest", "bytes", "received", "delivered", "merged", "dropped", "limit"],
    "  the server tells of no queues: its module is older, or has none",
);

/// The widest column, but for the first one.
const MOST: usize = 24;

pub fn draw(canvas: &mut Canvas, rows: &[Map<String, Value>], scroll: usize, lines: u16, known: Known) {
    if rows.is_empty() {
        canvas.line([(Ink::Dim, known.1.to_owned())]);
        return;
    }
    let shown: Vec<_> = rows.iter().skip(scroll).take(usize::from(lines).saturating_sub(1)).collect();
    let columns = columns(&shown, known.0, canvas.width());
    let cells = |cell: &dyn Fn(&str) -> String| {
        columns.iter().map(|(name, room)| fit(&cell(name), *room)).collect::<Vec<_>>().join("  ")
    };
    canvas.line([(Ink::Dim, cells(&|name| name.to_uppercase().replace('_', " ")))]);
    for row in shown {
        let ink = match text(row, "state").as_str() {
            "open" => Ink::Red,
            "probing" => Ink::Yellow,
            _ if ["held_for", "oldest"].iter().any(|name| number(row, name).unwrap_or(0) > 0) => Ink::Yellow,
            _ => Ink::Plain,
        };
        canvas.line([(ink, cells(&|name| text(row, name)))]);
    }
}

/// The names of columns with their widths, as many as fit.
fn columns(rows: &[&Map<String, Value>], known: &[&str], room: usize) -> Vec<(String, usize)> {
    let mut names: Vec<&str> =
        known.iter().copied().filter(|name| rows.iter().any(|row| row.contains_key(*name))).collect();
    for name in rows.iter().flat_map(|row| row.keys()).take(200) {
        let is_plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_plain && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let (mut columns, mut left) = (Vec::new(), room);
    for name in names {
        let widest = rows.iter().map(|row| width(&text(row, name))).max().unwrap_or(0).max(width(name));
        let most = if columns.is_empty() { room.min(48) } else { MOST };
        let wanted = widest.min(most).min(room);
        if wanted > left {
            break;
        }
        left = left.saturating_sub(wanted + 2);
        columns.push((name.to_owned(), wanted));
    }
    columns
}
