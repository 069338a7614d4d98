//! The errors that keep the module from starting.

use crate::subscription::CredentialError;

/// The errors that keep the module from starting.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An integer outside its range.
    #[error("modparam {name} is {value}, but must be {least} to {most}{unit}")]
    Range {
        /// Name of the parameter.
        name: &'static str,
        /// The value that was set.
        value: i32,
        /// Smallest value allowed.
        least: i32,
        /// Largest value allowed.
        most: i32,
        /// Its unit, after a space; empty for plain numbers.
        unit: &'static str,
    },
    /// The number of shards must be a power of two.
    #[error("modparam shards is {0}, but must be a power of two from 1 to 256")]
    Shards(i32),
    /// A text that is not what it must be.
    #[error("modparam {name} is \"{value}\", but must be {wanted}")]
    Text {
        /// Name of the parameter.
        name: &'static str,
        /// The value that was set.
        value: String,
        /// A correct value.
        wanted: &'static str,
    },
    /// A filter that is none.
    #[error("modparam filter is \"{value}\", but {problem}")]
    Filter {
        /// The value that was set.
        value: String,
        /// Its fault.
        problem: String,
    },
    /// A text of several settings, one of which is wrong.
    #[error("modparam {name} is \"{value}\", but \"{part}\" is wrong: {wanted}")]
    Setting {
        /// Name of the parameter.
        name: &'static str,
        /// The value that was set.
        value: String,
        /// The part that is wrong.
        part: String,
        /// A correct value.
        wanted: String,
    },
    /// A credential that is none. It is not shown, because it holds a secret.
    #[error("modparam credential number {number} is malformed: {problem}")]
    Credential {
        /// Which of them, from 1 on.
        number: usize,
        /// Its fault.
        problem: CredentialError,
    },
    /// A header that is written anyway.
    #[error(
        "modparam additional_presence_headers has a header {0}, which the module or the server writes itself: remove it"
    )]
    OwnHeader(String),
    /// A database without a table. Its URL is not shown, because it may hold a password.
    #[error(
        "modparam db_url is set, but nothing uses it: set db_mode to 1, or credentials_table, or provision_table, or remove db_url"
    )]
    NoTable,
    /// Subscriptions are to be stored, and there is no place for them.
    #[error(
        "modparam db_mode is 1, but db_url, the database of the subscriptions, is not set: set it, or remove db_mode"
    )]
    NoStore,
    /// A table without a database.
    #[error("modparam {name} is \"{table}\", but db_url, its database, is not set: set it, or remove {name}")]
    NoDatabase {
        /// Name of the parameter.
        name: &'static str,
        /// Name of the table.
        table: String,
    },
}
