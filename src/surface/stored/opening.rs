//! The database of the subscriptions before the engine is made: its tables are looked at, and the run is entered.

use super::StoredError;
use crate::config::Config;
use crate::engine::Engine;
use crate::host::clock::{self, unix_millis};
use crate::host::database::{Database, DatabaseError, Dialect, without_timeout};
use crate::host::log;
use crate::memory::HashKey;
use crate::store::{ClockMap, MOST_EPOCH, NODES_TABLE, NodeRow, Restart, SqlDialect, TABLE, schema};

/// The version of the tables that this module works with.
const VERSION: u32 = schema::VERSION;

const NO_JSON: &str = "SQLite has no functions for JSON here (json_each): subscriptions are written without them, which takes longer; \
                       install an SQLite that has them";

/// The database, ready to be read.
pub struct OpenedStore {
    /// The connection, which does not outlive the fork.
    pub database: Database,
    /// The key of the registry's names.
    pub key: HashKey,
    /// The row of this run.
    pub node: NodeRow,
    /// This run, and when the one before was seen last.
    pub restart: Restart,
}

impl OpenedStore {
    /// Opens the database; `None` if nothing is stored.
    ///
    /// # Errors
    /// Why the server is not to start.
    pub fn open(config: &Config) -> Result<Option<Self>, StoredError> {
        if !config.stores {
            return Ok(None);
        }
        let database = Database::open_to_write(&config.db_url.0)?;
        check(&database)?;
        if database.dialect() == Dialect::Sqlite && !database.reads_json() {
            log::warn(NO_JSON);
        }
        if let Some(waits) = without_timeout(&config.db_url.0) {
            log::warn(&waits.to_string());
        }
        let clock = ClockMap { unix_ms: unix_millis(), mono: Engine::now() };
        let shards = u32::try_from(config.shards).unwrap_or(u32::MAX);
        let before = node(&database)?;
        let fresh = || NodeRow { epoch: 0, key: clock::random_bytes(), shards, seen: clock.unix_ms, stopped: 0 };
        // Without this, the rows of a later run would be changed no more: the row of the server was removed, or is of an earlier backup.
        let newest =
            database.largest(TABLE, "epoch", i64::from(MOST_EPOCH) - 1)?.and_then(|epoch| u32::try_from(epoch).ok());
        let before = before.unwrap_or_else(fresh);
        let before = NodeRow { epoch: before.epoch.max(newest.unwrap_or(0)), ..before };
        let row = before.next(shards, clock.unix_ms);
        enter(&database, &row)?;
        if node(&database)? != Some(row) {
            return Err(StoredError::NotEntered);
        }
        let restart = Restart { run: row.run(), clock, seen: before.seen };
        Ok(Some(Self { database, key: HashKey::new(row.key), node: row, restart }))
    }
}

/// Whether the tables are there, in the version that is known. In a file of SQLite, which nobody administers, they are made.
fn check(database: &Database) -> Result<(), StoredError> {
    if database.dialect() == Dialect::Sqlite {
        create(database)?;
    }
    for table in [TABLE, NODES_TABLE] {
        match database.version_of(table).map_err(StoredError::NoVersions)? {
            Some(VERSION) => {}
            Some(found) => return Err(StoredError::Version { table, found, wanted: VERSION }),
            None => return Err(StoredError::NoTable { table }),
        }
    }
    Ok(())
}

/// Makes the tables in a file of SQLite. Each statement does nothing where it has been executed before.
fn create(database: &Database) -> Result<(), DatabaseError> {
    schema::create(SqlDialect::Sqlite).iter().try_for_each(|statement| database.execute(statement))
}

/// The row of this server, if it has one.
fn node(database: &Database) -> Result<Option<NodeRow>, StoredError> {
    let rows = database.read_page(NODES_TABLE, &NodeRow::COLUMNS, None, 1000)?;
    for row in rows {
        if let Some(row) = NodeRow::read(&row).map_err(StoredError::Node)? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn enter(database: &Database, row: &NodeRow) -> Result<(), StoredError> {
    let dialect = match database.dialect() {
        Dialect::Sqlite => SqlDialect::Sqlite,
        Dialect::Postgres => SqlDialect::Postgres,
        Dialect::Mysql => SqlDialect::Mysql,
        Dialect::Other => {
            let values = row.values();
            let [id, ..] = &values;
            database.delete_row(NODES_TABLE, "id", id.as_bytes())?;
            let pairs: Vec<_> = NodeRow::COLUMNS.into_iter().zip(values.iter().map(String::as_bytes)).collect();
            return Ok(database.insert_row(NODES_TABLE, &pairs)?);
        }
    };
    Ok(database.execute(&row.enter(dialect))?)
}
