//! Reading tables.

use std::ffi::c_int;
use std::ptr::{null, null_mut};

use super::rows::Rows;
use super::{Database, DatabaseError, Dialect, Hushed};
use crate::host::bindings as ks;
use crate::host::text::{lend, lend_all};

/// How many rows are held in memory at a time, where the database module can do so.
const PAGE: c_int = 1000;

/// How many bytes or characters of a value [`Database::read_page`] asks for: private memory has to have room for a row, whatever somebody has
/// put into it.
const MOST_VALUE: u32 = 5000;

impl Database {
    /// Hands all rows of a table to `take`, page by page where the module can do so, in the order of the database. A value
    /// is `None` when it is NULL.
    ///
    /// # Errors
    /// When the table cannot be read, or not to its end.
    pub fn read<const N: usize>(
        &self,
        table: &str,
        columns: [&str; N],
        mut take: impl FnMut([Option<Vec<u8>>; N]),
    ) -> Result<(), DatabaseError> {
        // Dropped last: the values are freed before.
        let _hushed = Hushed::new();
        let failed = || self.unreadable(table, &columns);
        match self.read_by_row_numbers(table, &columns, &mut take) {
            RowNumbers::Read => return Ok(()),
            RowNumbers::Failed => return Err(failed()),
            RowNumbers::None => {}
        }
        let mut result = Rows::of(self);
        let connection = self.connection.as_ptr();
        let count = c_int::try_from(N).unwrap_or(0);
        let (Some(use_table), Some(query)) = (self.api.use_table, self.api.query) else { return Err(failed()) };
        // With no place for the result, the rows are fetched afterwards.
        let place = if self.api.fetch_result.is_some() { null_mut() } else { &raw mut result.raw };
        let named = self.in_full(table, columns).ok_or_else(failed)?;
        let ask = |name: &ks::str_, keys: [ks::db_key_t; N]| {
            // SAFETY: the connection is open; the names outlive both calls, after which the module does not look at them.
            unsafe {
                use_table(connection, name) >= 0
                    && query(connection, null(), null(), null(), keys.as_ptr(), 0, count, null_mut(), place) >= 0
            }
        };
        let asked = lend([table.as_bytes()], |[table]| {
            lend(named.each_ref().map(String::as_bytes), |mut names| {
                ask(&table, names.each_mut().map(|name| &raw mut *name))
            })
        });
        if !asked {
            return Err(failed());
        }
        loop {
            if let Some(fetch) = self.api.fetch_result {
                // SAFETY: the query above has been made; the module frees the page before.
                if unsafe { fetch(connection, &raw mut result.raw, PAGE) } < 0 {
                    return Err(failed());
                }
            }
            let rows = result.count();
            (0..rows).for_each(|row| take(std::array::from_fn(|column| result.text(row, column))));
            if rows == 0 || self.api.fetch_result.is_none() {
                return Ok(());
            }
        }
    }
}

impl Database {
    /// Reads the part of a table whose numbers in the column `id` come after `after`, at most so many rows, by these numbers. From the
    /// beginning without `after`. Each value is text; `None` is NULL. A number that is none is given as the text it is: SQLite keeps any text in
    /// any column. A text of more than 5,000 characters is cut there. A driver whose SQL is not known gives all rows at once whatever is asked for, in any order, and NULL as an empty
    /// text, because db_text cannot tell them apart.
    ///
    /// # Errors
    /// When the table cannot be read, or not to its end.
    pub fn read_page(
        &self,
        table: &str,
        columns: &[&str],
        after: Option<i64>,
        most: u32,
    ) -> Result<Vec<Vec<Option<Vec<u8>>>>, DatabaseError> {
        // Dropped last: the values are freed before.
        let _hushed = Hushed::new();
        let failed = || self.unreadable(table, columns);
        let dialect = self.dialect();
        if dialect == Dialect::Other {
            return self.read_at_once(table, columns).ok_or_else(failed);
        }
        let behind = after.map_or_else(String::new, |after| format!(" WHERE id > {after}"));
        // PostgreSQL names a cast column after the column: `ORDER BY id` alone would sort the texts, and pages would miss rows.
        let named: Vec<String> = columns.iter().map(|column| as_text(column, dialect)).collect();
        let text = format!("SELECT {} FROM {table}{behind} ORDER BY {table}.id LIMIT {most}", named.join(", "));
        let result = self.ask(&text).ok_or_else(failed)?;
        let row = |row| (0..columns.len()).map(|column| result.text(row, column)).collect();
        Ok((0..result.count()).map(row).collect())
    }

    /// The largest number in a column that is not negative and not larger than `most`. None if there is none, or with a driver whose SQL is not
    /// known.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn largest(&self, table: &str, column: &str, most: i64) -> Result<Option<i64>, DatabaseError> {
        let dialect = self.dialect();
        if dialect == Dialect::Other {
            return Ok(None);
        }
        let largest = as_text(&format!("MAX({column})"), dialect);
        let text = format!("SELECT {largest} FROM {table} WHERE {column} BETWEEN 0 AND {most}");
        let result = self.ask(&text).ok_or_else(|| self.unreadable(table, &[column]))?;
        let found = (result.count() > 0).then(|| result.text(0, 0)).flatten();
        Ok(found.and_then(|digits| str::from_utf8(&digits).ok()?.parse().ok()))
    }

    /// The version that the server's table of versions says of a table; none if it does not name the table.
    ///
    /// # Errors
    /// When the table `version` cannot be read.
    pub fn version_of(&self, table: &str) -> Result<Option<u32>, DatabaseError> {
        let mut found = None;
        self.read("version", ["table_name", "table_version"], |[name, version]| {
            if name.is_some_and(|name| name == table.as_bytes()) {
                let version = version.and_then(|version| String::from_utf8(version).ok());
                found = version.and_then(|version| version.parse().ok());
            }
        })?;
        Ok(found)
    }

    /// Columns as a query names them; none if a column is missing. db_postgres takes backslashes of the type `TEXT` for escapes of bytes, as
    /// they are in the type `BYTEA`.
    fn in_full<const N: usize>(&self, table: &str, columns: [&str; N]) -> Option<[String; N]> {
        if self.dialect() != Dialect::Postgres {
            return Some(columns.map(str::to_owned));
        }
        // The type of a column is known without a row, too.
        let kinds = columns.map(|column| format!("CAST(pg_typeof((SELECT {column} FROM {table} LIMIT 1)) AS VARCHAR)"));
        let kinds = self.ask(&format!("SELECT {}", kinds.join(", ")))?;
        let are_bytes = |place| kinds.text(0, place).is_some_and(|kind| kind == b"bytea");
        let mut place = 0..N;
        Some(columns.map(|column| match place.next().is_some_and(are_bytes) {
            true => column.to_owned(),
            false => format!("CAST({column} AS VARCHAR)"),
        }))
    }

    fn unreadable(&self, table: &str, columns: &[&str]) -> DatabaseError {
        DatabaseError::Query { table: table.to_owned(), columns: columns.join(", "), module: self.module.clone() }
    }

    /// All rows of a table, by the functions that every database module has.
    fn read_at_once(&self, table: &str, columns: &[&str]) -> Option<Vec<Vec<Option<Vec<u8>>>>> {
        let mut result = Rows::of(self);
        let count = c_int::try_from(columns.len()).ok()?;
        let texts: Vec<&[u8]> = std::iter::once(table).chain(columns.iter().copied()).map(str::as_bytes).collect();
        let place = &raw mut result.raw;
        let asked = lend_all(&texts, |mut texts| {
            let (name, names) = texts.split_first_mut()?;
            // SAFETY: the connection is open; the texts outlive the call, after which the module does not look at them.
            Some(unsafe {
                ks::pb2b_db_query(&self.api, self.connection.as_ptr(), name, names.as_mut_ptr(), count, place)
            })
        });
        if asked? < 0 {
            return None;
        }
        let row = |row| (0..columns.len()).map(|column| Some(result.text(row, column).unwrap_or_default())).collect();
        Some((0..result.count()).map(row).collect())
    }

    /// Reads a table of SQLite in parts: its module holds all rows that it is asked for in private memory, which has room for some
    /// ten thousand of them. Each part begins behind the last row of the one before, so that a change of the table in the meantime
    /// hides no row.
    fn read_by_row_numbers<const N: usize>(
        &self,
        table: &str,
        columns: &[&str; N],
        take: &mut impl FnMut([Option<Vec<u8>>; N]),
    ) -> RowNumbers {
        if self.dialect() != Dialect::Sqlite {
            return RowNumbers::None;
        }
        let columns = columns.join(", ");
        let mut last: Option<String> = None;
        loop {
            let behind = last.as_deref().map_or_else(String::new, |last| format!(" WHERE rowid > {last}"));
            let text =
                format!("SELECT CAST(rowid AS TEXT), {columns} FROM {table}{behind} ORDER BY rowid LIMIT {PAGE}");
            // A view has no row numbers.
            let Some(result) = self.ask(&text) else {
                return if last.is_none() { RowNumbers::None } else { RowNumbers::Failed };
            };
            let rows = result.count();
            if rows == 0 {
                return RowNumbers::Read;
            }
            (0..rows).for_each(|row| take(std::array::from_fn(|column| result.text(row, column + 1))));
            let number = result.text(rows - 1, 0).and_then(|number| String::from_utf8(number).ok());
            let is_number =
                |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
            let Some(number) = number.filter(is_number) else { return RowNumbers::Failed };
            last = Some(number);
        }
    }
}

/// The result of reading by row numbers.
enum RowNumbers {
    /// All rows have been read.
    Read,
    /// The table was not read to its end.
    Failed,
    /// The table has none, or the module does not need them: nothing was read.
    None,
}

/// A column as its text, where the type that it was declared with would change what is read: db_sqlite reads a text in a column of numbers
/// as 0, and db_postgres takes backslashes of the type `TEXT` for escapes of bytes.
fn as_text(column: &str, dialect: Dialect) -> String {
    match dialect {
        // As bytes, because the function of texts ends at a NUL. Of none it makes NULL.
        Dialect::Sqlite => {
            let cut = format!("CAST(SUBSTR(CAST({column} AS BLOB), 1, {MOST_VALUE}) AS TEXT)");
            format!("COALESCE({cut}, CAST({column} AS TEXT))")
        }
        Dialect::Postgres => format!("CAST({column} AS VARCHAR({MOST_VALUE}))"),
        Dialect::Mysql => format!("SUBSTR({column}, 1, {MOST_VALUE})"),
        Dialect::Other => column.to_owned(),
    }
}
