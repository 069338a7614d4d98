//! What can be wrong with a database.

/// Why a table cannot be read or written. What the database itself says, its module has logged before.
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
    /// The statement was not executed, and the database does not answer. It may have been executed all the same.
    #[error(
        "the database of db_url does not answer through {0}: see its message in the log; what is to be written is kept and tried again"
    )]
    Lost(String),
    /// The database answers, and has refused the statement twice: it was not executed.
    #[error(
        "the database of db_url refuses to write: see the message of {0} in the log, and check the rights of the user, the space on the disk, whether it can be written to, and the columns of the tables"
    )]
    Refused(String),
    /// The database answers, but the statement failed only after a while: another process had locked the table, or the time for
    /// the answer was over. It may have been executed.
    #[error(
        "the database of db_url has not written in time: see the message of {0} in the log; another process may lock the tables, or the database may be overloaded"
    )]
    Unsure(String),
    /// The module cannot do what the store needs.
    #[error(
        "the module {0} of db_url cannot insert and delete rows: use another kind of database, or set db_mode to 0"
    )]
    ReadOnly(String),
}
