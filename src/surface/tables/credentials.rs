//! Credentials from a table: read before the fork, and again when the operator asks for it.

use zeroize::Zeroizing;

use crate::config::Config;
use crate::host::database::{Database, DatabaseError};
use crate::host::log;
use crate::subscription::Credential;

/// The table's columns.
const COLUMNS: [&str; 3] = ["realm", "username", "password"];

/// What is wrong with a row without a realm.
const NO_REALM: &str = "its realm is NULL: write the realm, or * for every realm";

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
        let has_realm = row.first().is_some_and(Option::is_some);
        let [realm, username, password] = row.map(|text| Zeroizing::new(text.unwrap_or_default()));
        let credential = Credential::new(&realm, &username, &password).map_err(|error| error.to_string());
        // A password for every realm has to be meant.
        let credential =
            credential.and_then(|credential| has_realm.then_some(credential).ok_or_else(|| NO_REALM.to_owned()));
        match credential {
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
