//! Writing to tables.
//!
//! Every statement must be idempotent: db_postgres executes one again twice, and db_mysql three times, when the connection fails while
//! it is executed, and [`Database::execute`] asks once more. How many rows a statement has changed is never asked for: db_sqlite does not
//! know, db_mysql counts only rows that have become different, and after an execution that was repeated the number says nothing.

use std::time::{Duration, Instant};

use super::{Database, DatabaseError, Dialect};
use crate::host::bindings as ks;
use crate::host::text::lend_all;

/// A statement that fails later than this was not refused: it has waited for a lock, or for an answer that did not come.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What every database answers that can be reached.
const ARE_YOU_THERE: &str = "SELECT 1";

/// Has readers of a file of SQLite not stop the one who writes, and the writer not stop them. The file keeps this mode. A file system without
/// shared memory refuses it: then everything works as before.
const WRITE_AHEAD: &str = "PRAGMA journal_mode = WAL";

/// Memory for pages of the file, 16 MB at most of the process that writes, and a log of as much before it is brought into the file: pages that
/// change often are neither read again nor written twice. It saves a sixth of the time that writing takes.
const ROOMY: [&str; 2] = ["PRAGMA cache_size = -16000", "PRAGMA wal_autocheckpoint = 4000"];

/// Fails where SQLite was built without its functions for JSON.
const JSON: &str = "SELECT value FROM json_each('[1]')";

impl Database {
    /// Connects to write: with SQLite, the journal of the file becomes a write-ahead log.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`DatabaseError::ReadOnly`] if the database module cannot write.
    pub fn open_to_write(url: &str) -> Result<Self, DatabaseError> {
        let mut database = Self::open(url)?;
        match database.dialect() {
            Dialect::Sqlite => {
                drop(database.ask(WRITE_AHEAD));
                ROOMY.iter().for_each(|pragma| drop(database.ask(pragma)));
                let reads_json = database.ask(JSON).is_some();
                database.reads_json = reads_json;
            }
            Dialect::Other if database.api.insert.is_none() || database.api.delete.is_none() => {
                return Err(DatabaseError::ReadOnly(database.module.clone()));
            }
            Dialect::Postgres | Dialect::Mysql | Dialect::Other => {}
        }
        Ok(database)
    }

    /// Whether this connection, which was opened to write, is one to an SQLite with `json_each`.
    #[must_use]
    pub fn reads_json(&self) -> bool {
        self.reads_json
    }

    /// Executes one statement, which must be idempotent (see [above](self)). Without a transaction, it is executed as a whole or not at all.
    /// Only the first of several statements in one text would be executed.
    ///
    /// # Errors
    /// [`DatabaseError::Lost`], [`DatabaseError::Refused`], [`DatabaseError::Unsure`]; what follows from each, they say.
    pub fn execute(&self, sql: &str) -> Result<(), DatabaseError> {
        let began = Instant::now();
        if self.ask(sql).is_some() {
            return Ok(());
        }
        let is_at_once = began.elapsed() < AT_ONCE;
        if !self.answers() {
            return Err(DatabaseError::Lost(self.module.clone()));
        }
        if !is_at_once {
            return Err(DatabaseError::Unsure(self.module.clone()));
        }
        // It may have come back just now.
        if self.ask(sql).is_some() { Ok(()) } else { Err(DatabaseError::Refused(self.module.clone())) }
    }

    /// Whether the database answers at all.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.ask(ARE_YOU_THERE).is_some()
    }

    /// Inserts a row of these columns and texts, where no SQL can be used: numbers are their digits. To change a row, delete it first.
    ///
    /// # Errors
    /// [`DatabaseError::Unsure`]: nothing is known of why it failed.
    pub fn insert_row(&self, table: &str, row: &[(&str, &[u8])]) -> Result<(), DatabaseError> {
        self.row_by_row(table, row, ks::pb2b_db_insert)
    }

    /// Deletes the rows whose column `key` is this text, where no SQL can be used.
    ///
    /// # Errors
    /// As [`insert_row`](Self::insert_row).
    pub fn delete_row(&self, table: &str, key: &str, value: &[u8]) -> Result<(), DatabaseError> {
        self.row_by_row(table, &[(key, value)], ks::pb2b_db_delete)
    }

    fn row_by_row(&self, table: &str, row: &[(&str, &[u8])], change: Change) -> Result<(), DatabaseError> {
        let columns = row.iter().map(|(column, _)| column.as_bytes());
        let values = row.iter().map(|(_, value)| *value);
        let texts: Vec<&[u8]> = std::iter::once(table.as_bytes()).chain(columns).chain(values).collect();
        let changed = lend_all(&texts, |mut texts| {
            let (name, rest) = texts.split_first_mut()?;
            let (columns, values) = rest.split_at_mut_checked(row.len())?;
            let count = i32::try_from(row.len()).ok()?;
            let connection = self.connection.as_ptr();
            // SAFETY: the connection is open; the texts outlive the call, and there are as many columns and values as it is told.
            let changed =
                unsafe { change(&self.api, connection, name, columns.as_mut_ptr(), values.as_mut_ptr(), count) };
            (changed >= 0).then_some(())
        });
        changed.ok_or_else(|| DatabaseError::Unsure(self.module.clone()))
    }
}

/// A function of the shim that changes rows.
type Change = unsafe extern "C" fn(
    *const ks::db_func_t,
    *mut ks::db1_con_t,
    *const ks::str_,
    *mut ks::str_,
    *mut ks::str_,
    std::ffi::c_int,
) -> std::ffi::c_int;
