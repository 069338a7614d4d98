//! The table of subscriptions.

use super::ink::{Canvas, Ink, Line};
use crate::model::{Mark, Mode, Model, Moment, Row};
use crate::text::{fit, span};

/// A column: its title, its width, and how a row fills it.
type Column = (&'static str, usize, fn(&Row, Moment) -> String);

/// The columns for a width, the record and the reason taking what is left.
pub fn columns(room: usize) -> Vec<Column> {
    let next = |row: &Row, now| row.left("next_action_in", now).map(span).unwrap_or_default();
    let record: fn(&Row, Moment) -> String = |row, _| row.text("record");
    let state: fn(&Row, Moment) -> String = |row, _| row.text("state");
    let last: fn(&Row, Moment) -> String = |row, _| match row.number("last_reply").unwrap_or(0) {
        0 => "-".to_owned(),
        code => code.to_string(),
    };
    match room {
        0..34 => vec![("RECORD", room, record)],
        34..58 => vec![("RECORD (60 columns: more)", room - 8, record), ("NEXT", 7, next)],
        58..110 => {
            let left = room - 16 - 8 - 5 - 17;
            vec![
                ("STATE", 15, state),
                ("NEXT", 7, next),
                ("LAST", 4, last),
                ("RECORD", left, record),
                ("PACKAGE", 16, |row, _| row.text("package")),
            ]
        }
        _ => {
            let left = room - 16 - 8 - 17;
            let (record_room, why_room) = (left / 2 - 1, left - left / 2);
            vec![
                ("STATE", 15, state),
                ("NEXT", 7, next),
                ("RECORD", record_room, record),
                ("PACKAGE", 16, |row, _| row.text("package")),
                ("WHY", why_room, |row, now| if row.mark() == Mark::Green { String::new() } else { row.why(now) }),
            ]
        }
    }
}

/// A row in its columns, without its mark.
fn cells(columns: &[Column], cell: impl Fn(&Column) -> String) -> String {
    let cells: Vec<String> = columns.iter().map(|column| fit(&cell(column), column.1)).collect();
    cells.join(" ")
}

pub fn draw(canvas: &mut Canvas, model: &Model, lines: u16, now: Moment) {
    let columns = columns(canvas.width().saturating_sub(2));
    let mut lines = usize::from(lines);
    if lines > 3 {
        canvas.line([(Ink::Dim, format!("  {}", cells(&columns, |column| column.0.to_owned())))]);
        lines -= 1;
    }
    let table = &model.table;
    if table.shown.is_empty() {
        canvas.line([(Ink::Dim, nothing(model))]);
        return;
    }
    // The selected row is in sight.
    let first = table.cursor.saturating_sub(lines.saturating_sub(1));
    for (at, row) in table.shown.iter().enumerate().skip(first).take(lines) {
        canvas.line(line(row, at == table.cursor, &columns, now));
    }
}

fn line(row: &Row, is_selected: bool, columns: &[Column], now: Moment) -> Line {
    // The mark says without colours what the colour says.
    let (mark, ink) = match row.mark() {
        Mark::Red => ("!", Ink::Red),
        Mark::Yellow => ("~", Ink::Yellow),
        Mark::Green => (" ", Ink::Plain),
    };
    let text = cells(columns, |column| column.2(row, now));
    let text_ink = if is_selected { Ink::Selected } else { ink };
    vec![(ink, mark.to_owned()), (text_ink, format!(" {text}"))]
}

fn nothing(model: &Model) -> String {
    let search = &model.table.query.search;
    let is_typing = model.mode == Mode::Search && search.is_empty();
    match (model.table.is_first(), search.is_empty()) {
        (true, _) if !is_typing => "  reading…".into(),
        (false, false) => "  no subscription has this in its record or subscriber".into(),
        (false, true) if !model.settings.filters.is_empty() => "  no subscription fits --filter".into(),
        _ => "  there is no subscription".into(),
    }
}
