//! Values as text of a statement.

use std::fmt::Write;

use super::SqlDialect;
use crate::store::columns::SqlValue;

/// Writes a value.
///
/// A text is between quotes only if it is of printable ASCII without quote and backslash: that means the same to each database, whatever it is
/// told of escapes and character sets. Any other text is written with hexadecimal digits.
pub(super) fn push(sql: &mut String, value: SqlValue<'_>, dialect: SqlDialect) {
    // Writing to a text does not fail.
    let _ = match value {
        SqlValue::Number(number) => write!(sql, "{number}"),
        SqlValue::Text(text) if is_plain(text) => write!(sql, "'{text}'"),
        SqlValue::Text(text) => {
            let hex = Hex(text.as_bytes());
            match dialect {
                SqlDialect::Sqlite => write!(sql, "CAST(X'{hex}' AS TEXT)"),
                SqlDialect::Postgres => write!(sql, "convert_from(decode('{hex}','hex'),'UTF8')"),
                SqlDialect::Mysql => write!(sql, "_utf8mb4 X'{hex}'"),
            }
        }
    };
}

/// Whether a text is of printable ASCII without quote and backslash.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !matches!(byte, b'\'' | b'\\'))
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}
