//! Rows of a statement as one text of JSON, for SQLite: it reads a text in less than half the time that it takes to read as many rows of SQL.

use std::fmt::Write;

use super::listed;
use crate::store::columns::SqlValue;

/// The beginning of a table `v` with these columns; rows of [`row`] follow, and then [`END`].
pub(super) fn head(columns: &[&str]) -> String {
    let names = listed(columns.iter().map(|name| (*name).to_owned()));
    let values = listed((0..columns.len()).map(|place| format!("json_extract(value,'$[{place}]')")));
    format!("WITH v({names}) AS (SELECT {values} FROM json_each('[")
}

/// What follows the rows.
pub(super) const END: &str = "]')";

/// A row; `None` if a text of it would need an escape.
pub(super) fn row<'a>(values: impl Iterator<Item = SqlValue<'a>>) -> Option<String> {
    let mut row = String::from("[");
    for (place, value) in values.enumerate() {
        if place > 0 {
            row.push(',');
        }
        // Writing to a text does not fail.
        let _ = match value {
            SqlValue::Number(number) => write!(row, "{number}"),
            SqlValue::Text(text) if super::literal::is_plain(text) && !text.contains('"') => {
                write!(row, "\"{text}\"")
            }
            SqlValue::Text(_) => return None,
        };
    }
    row.push(']');
    Some(row)
}
