//! Databases, through the database module of Kamailio that the URL names.

mod error;
mod read;
mod rows;
#[cfg(test)]
mod tests;
mod timeout;
mod write;

use std::ffi::CString;
use std::ptr::NonNull;

use self::rows::Rows;
use super::bindings as ks;
use super::text::{lend, lend_secret};

pub use self::error::DatabaseError;
pub use self::timeout::without_timeout;

/// A database module that gives no rows in parts: it is asked for a part of the table at a time.
const SQLITE: &str = "db_sqlite";

/// How long SQLite waits for another process that writes to the database; its module would not wait at all.
const PATIENCE: &str = "PRAGMA busy_timeout = 5000";

/// Which SQL a database understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A file of SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// None that is known: only the functions of Kamailio's database interface are used, row by row.
    Other,
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
    reads_json: bool,
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
                let database = Self { api, connection, module, reads_json: false };
                database.be_patient();
                Ok(database)
            }
            None => Err(DatabaseError::NoConnection(module)),
        }
    }

    /// Which SQL may be handed to [`execute`](Self::execute).
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.module.as_str() {
            _ if self.api.raw_query.is_none() => Dialect::Other,
            SQLITE => Dialect::Sqlite,
            "db_postgres" => Dialect::Postgres,
            "db_mysql" => Dialect::Mysql,
            _ => Dialect::Other,
        }
    }

    /// Has SQLite wait for those who write. If it does not, the reading may fail, and says so.
    fn be_patient(&self) {
        if self.dialect() == Dialect::Sqlite {
            let _ = self.ask(PATIENCE);
        }
    }

    /// Executes one statement and gives its rows; none if it fails. A result is always asked for: without one, db_sqlite only
    /// prepares the statement and does not execute it. With one it steps to the end, and a fault at any step is its failure.
    fn ask(&self, sql: &str) -> Option<Rows<'_>> {
        let raw_query = self.api.raw_query?;
        let mut result = Rows::of(self);
        let place = &raw mut result.raw;
        // SAFETY: the connection is open; the module copies the text.
        let asked = lend([sql.as_bytes()], |[text]| unsafe { raw_query(self.connection.as_ptr(), &text, place) });
        (asked >= 0).then_some(result)
    }
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
