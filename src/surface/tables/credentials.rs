//! Credentials from a table: read before the fork, and again when the operator asks for it.

use zeroize::Zeroizing;

use crate::config::Config;
use crate::host::database::{Database, DatabaseError};
use crate::host::log;
use crate::subscription::Credential;

/// The table's columns.
const COLUMNS: [&str; 3] = ["realm", "username", "password"];

/// How many bad rows are named, each in a line of the log; the others are only counted.
const MOST_NAMED: usize = 10;

/// How much of a realm is logged.
const SHOWN: usize = 60;

/// The credentials of `credentials_table`; none if there is no table. A bad row is skipped, and the log names it.
///
/// # Errors
/// The table cannot be read.
pub fn read(config: &Config) -> Result<Vec<Credential>, DatabaseError> {
    let table = &config.credentials_table;
    let (mut good, mut bad, mut number) = (Vec::new(), 0usize, 0usize);
    if table.is_empty() {
        return Ok(good);
    }
    Database::open(&config.db_url.0)?.read(table, COLUMNS, |row| {
        number += 1;
        let [realm, username, password] = row.map(|text| Zeroizing::new(text.unwrap_or_default()));
        match Credential::new(&realm, &username, &password) {
            Ok(credential) => good.push(credential),
            Err(error) => {
                bad += 1;
                if bad <= MOST_NAMED {
                    let realm: String = String::from_utf8_lossy(&realm).escape_debug().take(SHOWN).collect();
                    log::warn(&format!("{table}: row {number}, of the realm \"{realm}\", is skipped: {error}"));
                }
            }
        }
    })?;
    if bad > MOST_NAMED {
        log::warn(&format!("{table}: {bad} rows of {number} are skipped"));
    }
    log::debug(|| format!("{table}: {} credentials", good.len()));
    Ok(good)
}
