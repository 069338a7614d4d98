//! Credentials from a table: read once, before the fork, over a connection that is closed again.

use zeroize::Zeroizing;

use crate::config::{Config, Credential};
use crate::host::database::{Database, DatabaseError};
use crate::host::log;

/// The table's columns.
const COLUMNS: [&str; 3] = ["realm", "username", "password"];

/// How many bad rows are named, each in a line of the log; the others are only counted.
const MOST_NAMED: usize = 10;

/// How much of a realm is logged.
const SHOWN: usize = 60;

/// Adds the rows of `credentials_table`, if there is one. A bad row is skipped, and the log names it.
pub fn read(config: &mut Config) -> Result<(), DatabaseError> {
    if config.credentials_table.is_empty() {
        return Ok(());
    }
    let table = &config.credentials_table;
    let (mut good, mut bad, mut number) = (Vec::new(), 0usize, 0usize);
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
    config.add_credentials(good);
    Ok(())
}
