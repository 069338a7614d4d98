//! Databases, through the database module of Kamailio that the URL names.

use std::ffi::{CString, c_int};
use std::ptr::{NonNull, null, null_mut};

use super::bindings as ks;
use super::text::{bytes, lend, lend_secret};

/// How many rows are held in memory at a time, where the database module can do so.
const PAGE: c_int = 1000;

/// A database module that gives no rows in parts: it is asked for a part of the table at a time.
const SQLITE: &str = "db_sqlite";

/// How long SQLite waits for another process that writes to the database; its module would not wait at all.
const PATIENCE: &str = "PRAGMA busy_timeout = 5000";

/// Why a table cannot be read. What the database itself says, its module has logged before.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// Not a URL of a database. It is not shown, because it may hold a password.
    #[error(
        "db_url is no database URL: it must begin with the kind of database, as in sqlite:////path or mysql://user:password@host/name"
    )]
    Url,
    /// The module is not there.
    #[error("db_url needs the module {0}: load it before presence_b2b, or correct the beginning of db_url")]
    NoModule(String),
    /// The module has no rows to give.
    #[error("the module {0} of db_url cannot read the rows of a table: use another kind of database")]
    NoQueries(String),
    /// No connection.
    #[error(
        "the database of db_url cannot be reached through {0}: see its message in the log, and check host, name, user, password and file rights"
    )]
    NoConnection(String),
    /// No such table, no such column, or the database went away.
    #[error(
        "the columns {columns} of the table {table} cannot be read: see the message of {module} in the log, and create the table, or correct its name or the path in db_url"
    )]
    Query {
        /// Name of the table.
        table: String,
        /// Names of the columns.
        columns: String,
        /// Name of the database module.
        module: String,
    },
}

/// Whether the module of a database URL is loaded and cannot replace rows.
#[must_use]
pub fn cannot_replace(url: &str) -> bool {
    bind(url).is_ok_and(|(_, api)| api.replace.is_none())
}

/// A connection of this process's own; closed when it is dropped.
pub struct Database {
    api: ks::db_func_t,
    connection: NonNull<ks::db1_con_t>,
    module: String,
}

impl Database {
    /// Whether a database module can be asked for the rows of a table at this URL. Does not connect.
    ///
    /// # Errors
    /// [`DatabaseError::Url`], [`DatabaseError::NoModule`], [`DatabaseError::NoQueries`].
    pub fn check(url: &str) -> Result<(), DatabaseError> {
        bind(url).map(drop)
    }

    /// Connects. Blocks for as long as the database module does.
    ///
    /// # Errors
    /// See [`DatabaseError`].
    pub fn open(url: &str) -> Result<Self, DatabaseError> {
        let (module, api) = bind(url)?;
        let _hushed = Hushed::new();
        // SAFETY: the module copies what it keeps of the URL.
        let connection = api.init.map(|init| lend_secret(url.as_bytes(), |url| unsafe { init(&url) }));
        match connection.and_then(NonNull::new) {
            Some(connection) => {
                let database = Self { api, connection, module };
                database.be_patient();
                Ok(database)
            }
            None => Err(DatabaseError::NoConnection(module)),
        }
    }

    /// Has SQLite wait for those who write. If it does not, the reading may fail, and says so.
    fn be_patient(&self) {
        if let Some(raw_query) = self.api.raw_query.filter(|_| self.module == SQLITE) {
            let mut result = Rows { database: self, raw: null_mut() };
            let place = &raw mut result.raw;
            // SAFETY: the connection is open; the module copies the text.
            let _ = lend([PATIENCE.as_bytes()], |[text]| unsafe { raw_query(self.connection.as_ptr(), &text, place) });
        }
    }

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
        let failed = || DatabaseError::Query {
            table: table.to_owned(),
            columns: columns.join(", "),
            module: self.module.clone(),
        };
        match self.read_by_row_numbers(table, &columns, &mut take) {
            RowNumbers::Read => return Ok(()),
            RowNumbers::Failed => return Err(failed()),
            RowNumbers::None => {}
        }
        let mut result = Rows { database: self, raw: null_mut() };
        let connection = self.connection.as_ptr();
        let count = c_int::try_from(N).unwrap_or(0);
        let (Some(use_table), Some(query)) = (self.api.use_table, self.api.query) else { return Err(failed()) };
        // With no place for the result, the rows are fetched afterwards.
        let place = if self.api.fetch_result.is_some() { null_mut() } else { &raw mut result.raw };
        let ask = |name: &ks::str_, keys: [ks::db_key_t; N]| {
            // SAFETY: the connection is open; the names outlive both calls, after which the module does not look at them.
            unsafe {
                use_table(connection, name) >= 0
                    && query(connection, null(), null(), null(), keys.as_ptr(), 0, count, null_mut(), place) >= 0
            }
        };
        let asked = lend([table.as_bytes()], |[table]| {
            lend(columns.map(str::as_bytes), |mut names| ask(&table, names.each_mut().map(|name| &raw mut *name)))
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
    /// Reads a table of SQLite in parts: its module holds all rows that it is asked for in private memory, which has room for some
    /// ten thousand of them. Each part begins behind the last row of the one before, so that a change of the table in the meantime
    /// hides no row.
    fn read_by_row_numbers<const N: usize>(
        &self,
        table: &str,
        columns: &[&str; N],
        take: &mut impl FnMut([Option<Vec<u8>>; N]),
    ) -> RowNumbers {
        let Some(raw_query) = self.api.raw_query.filter(|_| self.module == SQLITE) else { return RowNumbers::None };
        let (connection, columns) = (self.connection.as_ptr(), columns.join(", "));
        let mut last: Option<String> = None;
        loop {
            let behind = last.as_deref().map_or_else(String::new, |last| format!(" WHERE rowid > {last}"));
            let text =
                format!("SELECT CAST(rowid AS TEXT), {columns} FROM {table}{behind} ORDER BY rowid LIMIT {PAGE}");
            let mut result = Rows { database: self, raw: null_mut() };
            let place = &raw mut result.raw;
            // SAFETY: the connection is open; the module copies the text.
            if lend([text.as_bytes()], |[text]| unsafe { raw_query(connection, &text, place) }) < 0 {
                // A view has no row numbers.
                return if last.is_none() { RowNumbers::None } else { RowNumbers::Failed };
            }
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

/// The database module that a URL names.
fn bind(url: &str) -> Result<(String, ks::db_func_t), DatabaseError> {
    let kind = url.split_once(':').map(|(kind, _)| kind).filter(|kind| is_name(kind)).ok_or(DatabaseError::Url)?;
    let module = format!("db_{kind}");
    let name = CString::new(module.as_str()).map_err(|_| DatabaseError::Url)?;
    let mut api = ks::db_func_t::default();
    // SAFETY: the name ends with zero, the output is ours.
    match unsafe { ks::pb2b_db_bind(name.as_ptr(), &mut api) } {
        0 if url.contains('\0') => Err(DatabaseError::Url),
        0 => Ok((module, api)),
        -2 => Err(DatabaseError::NoQueries(module)),
        _ => Err(DatabaseError::NoModule(module)),
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(close) = self.api.close {
            // SAFETY: open until now, and never used again.
            unsafe { close(self.connection.as_ptr()) };
        }
    }
}

/// The rows of a query, as far as they have been fetched.
struct Rows<'d> {
    database: &'d Database,
    raw: *mut ks::db1_res_t,
}

impl Rows<'_> {
    fn count(&self) -> c_int {
        // SAFETY: null, or what the module gave.
        unsafe { self.raw.as_ref() }.map_or(0, |result| unsafe { ks::pb2b_db_rows(result) })
    }

    fn text(&self, row: c_int, column: usize) -> Option<Vec<u8>> {
        // SAFETY: null, or what the module gave.
        let result = unsafe { self.raw.as_ref() }?;
        let mut digits = [0; 32];
        let mut out = ks::str_::default();
        let column = c_int::try_from(column).ok()?;
        // SAFETY: row and column are checked by the callee; the text points into the result or into `digits`.
        unsafe {
            (ks::pb2b_db_text(result, row, column, digits.as_mut_ptr(), &mut out) == 1).then(|| bytes(&out).to_vec())
        }
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        if let (Some(free), false) = (self.database.api.free_result, self.raw.is_null()) {
            // SAFETY: the result is of this connection, and freed once.
            unsafe { free(self.database.connection.as_ptr(), self.raw) };
        }
    }
}

/// While it lives, the server's database library does not log what it is made to handle: passwords, at the level for
/// debugging. A level that the module debugger sets for this library alone is stronger.
struct Hushed(());

impl Hushed {
    fn new() -> Self {
        // SAFETY: sets a level of this process.
        unsafe { ks::pb2b_db_hush(1) };
        Self(())
    }
}

impl Drop for Hushed {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { ks::pb2b_db_hush(0) };
    }
}

/// The bytes that the name of a module may contain.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
