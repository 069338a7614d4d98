//! Why the server does not start with the subscriptions of its database.

use crate::host::database::DatabaseError;
use crate::store::{NODES_TABLE, TABLE};

/// Why subscriptions cannot be read, or not be written from now on.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Not even the table of versions can be read.
    #[error("{0}; the file presence_b2b-create.sql for this database makes all tables (see docs/database.md)")]
    NoVersions(DatabaseError),
    /// A table is not there.
    #[error(
        "the database of db_url has no table {table} that its table version knows: create the tables with the file \
         presence_b2b-create.sql for this database (see docs/database.md)"
    )]
    NoTable {
        /// Its name.
        table: &'static str,
    },
    /// Made by another version of the module.
    #[error(
        "the table {table} has version {found}, but this module works with version {wanted}: {}",
        if found > wanted { "install the newer module that the table is of" } else { "bring the table up to date (see docs/database.md)" }
    )]
    Version {
        /// Its name.
        table: &'static str,
        /// The version that is there.
        found: u32,
        /// The version that is known.
        wanted: u32,
    },
    /// The row of this server.
    #[error(
        "the row of table {NODES_TABLE} is damaged ({0}): correct it, or delete it; then the rows of {TABLE} are moved to new ids"
    )]
    Node(&'static str),
    /// Another server, or an earlier process of this one.
    #[error(
        "the row of table {NODES_TABLE} could not be written: see the message of the database module before this one"
    )]
    NotEntered,
}
