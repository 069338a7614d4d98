//! Rows that cannot be used, and texts that cannot be kept.

use std::fmt;

use crate::grammar::one_line;

/// A subscription that cannot be kept in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "column {0} cannot have a text with NUL or other bytes than UTF-8: the subscription works, but is lost when the server stops; to keep it, \
     subscribe with another text"
)]
pub struct Unstorable(
    /// The column of the text.
    pub &'static str,
);

/// A row that is skipped. It is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("table presence_b2b_subscriptions: the row with id '{id}' is skipped: {fault}; correct it, or delete the row")]
pub struct BadRow {
    /// Its id.
    pub id: ShownValue,
    /// The reason.
    pub fault: RowFault,
}

/// The reason why a row cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// A column has no value.
    #[error("column {column} is NULL, and must have a value")]
    Null {
        /// The column.
        column: &'static str,
    },
    /// A column has no number, or one that is out of range.
    #[error("column {column} is '{value}', and must be a number from {least} to {most}")]
    Number {
        /// The column.
        column: &'static str,
        /// Its value.
        value: ShownValue,
        /// The smallest number.
        least: i64,
        /// The largest number.
        most: i64,
    },
    /// A column has something else than it must.
    #[error("column {column} is '{value}', and must be {wanted}")]
    Text {
        /// The column.
        column: &'static str,
        /// Its value.
        value: ShownValue,
        /// What it must be.
        wanted: &'static str,
    },
    /// A text is too long.
    #[error("column {column} has more than {most} bytes")]
    TooLong {
        /// The column.
        column: &'static str,
        /// The most that it may have.
        most: usize,
    },
    /// Columns contradict each other.
    #[error("{0}")]
    Contradiction(
        /// How they do.
        &'static str,
    ),
}

/// A value of a database as a log line shows it: the beginning, escaped, in one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownValue(String);

impl ShownValue {
    /// The most bytes that are shown.
    const MOST: usize = 64;

    /// Any bytes.
    #[must_use]
    pub fn of(value: &[u8]) -> Self {
        let beginning = value.get(..Self::MOST).unwrap_or(value);
        let mut shown = one_line(&String::from_utf8_lossy(beginning)).into_owned();
        if beginning.len() < value.len() {
            shown.push_str("...");
        }
        Self(shown)
    }
}

impl fmt::Display for ShownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
