//! Databases that the module knows no SQL of: each row is written by itself.

use crate::host::database::{Database, DatabaseError};
use crate::store::{COLUMNS, RowBatch, SqlValue, StoredRow, TABLE};

/// Writes where no SQL can be used: each row as a whole.
pub(super) fn row_by_row(
    database: &Database,
    rows: impl Iterator<Item = StoredRow>,
    batch: &RowBatch,
) -> Result<(), DatabaseError> {
    let remove = |id: u64| database.delete_row(TABLE, "id", id.cast_signed().to_string().as_bytes());
    for row in rows {
        let texts = row.values().map(|value| match value {
            SqlValue::Number(number) => number.to_string(),
            SqlValue::Text(text) => text.to_owned(),
        });
        let pairs: Vec<_> = COLUMNS.iter().map(|column| column.name).zip(texts.iter().map(String::as_bytes)).collect();
        remove(row.id)?;
        database.insert_row(TABLE, &pairs)?;
    }
    batch.delete.iter().chain(&batch.tombstone).try_for_each(|id| remove(*id))
}
