//! The process that reads the tables of the database: at the start, until that has worked once, and whenever it is asked to.

pub mod credentials;

use std::time::Duration;

use super::subscriptions::provisioned::{RowError, RowOutcome, is_enabled, provision};
use crate::config::Config;
use crate::engine::Engine;
use crate::host::database::{Database, DatabaseError};
use crate::host::log;
use crate::host::process::end_if_asked;
use crate::memory::OutOfMemory;
use crate::provision::{Count, ReadingState, Round, TablesRead};
use crate::time::Millis;

/// The columns of `provision_table`.
const COLUMNS: [&str; 5] = ["record", "subscriber", "package", "options", "enabled"];

/// The values of a row.
type TableRow = [Option<Vec<u8>>; COLUMNS.len()];

/// How long it takes until a table that could not be read at the start is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// How long the process sleeps if nobody asks.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How many bad rows are named, each in a line of the log; the others are only counted.
const MOST_NAMED: u64 = 10;

/// How many rows are tried again at the end.
const MOST_DEFERRED: usize = 10_000;

/// How much of a URI is logged.
const SHOWN: usize = 80;

/// What the process knows from one round to the next.
#[derive(Debug)]
pub struct TableReader {
    /// When the tables are read without being asked for: until they have been read once.
    at: Option<Millis>,
    /// The log says that they cannot be read.
    has_said: bool,
}

impl TableReader {
    /// For these parameters. The credentials have been read before.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { at: (!config.provision_table.is_empty()).then_some(Millis(0)), has_said: false }
    }

    /// Reads the tables if it is time; how long the process may sleep.
    pub fn round(&mut self, engine: &Engine) -> Duration {
        let now = Engine::now();
        if self.at.is_some_and(|at| at <= now) {
            // If not, somebody has asked already.
            let _ = engine.reading.ask(TablesRead::All, now.0);
        }
        if let Some(round) = engine.reading.begin() {
            let unfinished = Unfinished(engine);
            let result = read(engine, round);
            let failure = result.as_ref().err().map(ToString::to_string);
            engine.reading.end(failure.as_deref(), Engine::now().0);
            drop(unfinished);
            self.conclude(engine, failure.as_deref());
        }
        self.at.map_or(LONGEST_SLEEP, |at| at.since(Engine::now()).min(LONGEST_SLEEP))
    }

    fn conclude(&mut self, engine: &Engine, failure: Option<&str>) {
        match (failure, self.at) {
            (None, _) => {
                if engine.reading.what() == TablesRead::All {
                    self.at = None;
                }
                if std::mem::take(&mut self.has_said) {
                    log::notice("the tables of db_url can be read now");
                }
                if !engine.config.provision_table.is_empty() && engine.reading.what() == TablesRead::All {
                    log::info(&summary(engine));
                }
            }
            (Some(failure), Some(_)) => {
                self.at = Some(Engine::now().after(RETRY));
                if !std::mem::replace(&mut self.has_said, true) {
                    log::warn(&format!(
                        "{failure}. The server works without the subscriptions of provision_table, and tries again every {} seconds",
                        RETRY.as_secs()
                    ));
                }
            }
            (Some(failure), None) => log::warn(&format!("{failure}. The subscriptions stay as they are")),
        }
    }
}

/// Why tables are not read.
#[derive(Debug, thiserror::Error)]
enum TableError {
    /// The table of credentials.
    #[error("modparam credentials_table: {0}")]
    Credentials(DatabaseError),
    /// The table of subscriptions.
    #[error(transparent)]
    Rows(#[from] DatabaseError),
    /// No room for the credentials.
    #[error("{0} for the credentials of the table: those read before stay")]
    OutOfMemory(#[from] OutOfMemory),
}

/// A reading that a defect interrupts has failed.
struct Unfinished<'e>(&'e Engine);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if self.0.reading.state() == ReadingState::Reading {
            self.0.reading.end(Some("the reading was interrupted by a defect, which the log shows"), Engine::now().0);
        }
    }
}

/// Reads all tables, and ends the subscriptions whose rows have gone.
fn read(engine: &Engine, round: Round) -> Result<(), TableError> {
    // First: the subscriptions of new rows may need them.
    let credentials = credentials::read(&engine.config).map_err(TableError::Credentials)?;
    engine.take_credentials(&credentials)?;
    engine.reading.count(Count::Credentials, credentials.len() as u64);
    let table = &engine.config.provision_table;
    if table.is_empty() || engine.reading.what() == TablesRead::Credentials {
        return Ok(());
    }
    let database = Database::open(&engine.config.db_url.0)?;
    // Rows whose user another subscription publishes, which may have ended by the end of the reading.
    let mut deferred = Vec::new();
    let result = database.read(table, COLUMNS, |row| {
        end_if_asked();
        engine.reading.count(Count::Rows, 1);
        let mut row = ReadRow { number: engine.reading.counted(Count::Rows), values: row, has_ended: false };
        if let Some(has_ended) = take(engine, &row, round, deferred.len() < MOST_DEFERRED) {
            row.has_ended = has_ended;
            deferred.push(row);
        }
    });
    drop(database);
    // Without the rest of the rows nobody knows which have gone.
    let gone = if result.is_ok() { engine.provisioned.not_in(round) } else { Vec::new() };
    for subscription in gone {
        end_if_asked();
        if engine.hub.unsubscribe(subscription).is_ok() {
            engine.reading.count(Count::Ended, 1);
        }
    }
    for row in deferred {
        end_if_asked();
        take(engine, &row, round, false);
    }
    let skipped = engine.reading.counted(Count::Skipped);
    if skipped > MOST_NAMED {
        log::warn(&format!("{table}: {skipped} rows of {} are skipped", engine.reading.counted(Count::Rows)));
    }
    Ok(result?)
}

/// A row that has been read.
struct ReadRow {
    number: u64,
    values: TableRow,
    /// Its subscription with other options has ended, and it has no other one yet.
    has_ended: bool,
}

/// Takes a row; one that cannot be used is named. `Some` if it is to be tried again later, and it `may_wait`: whether it has ended its
/// subscription with other options.
fn take(engine: &Engine, row: &ReadRow, round: Round, may_wait: bool) -> Option<bool> {
    let reading = &engine.reading;
    let [record, subscriber, package, options, enabled] = &row.values;
    let texts = [record, subscriber, package, options].map(|text| text.as_deref().unwrap_or_default());
    let outcome = match is_enabled(enabled.as_deref()) {
        Some(false) => Ok(Count::Disabled),
        Some(true) => match provision(engine, texts, round) {
            Ok(RowOutcome::Added) if !row.has_ended => Ok(Count::Added),
            Ok(RowOutcome::Added | RowOutcome::Changed) => Ok(Count::Changed),
            Ok(RowOutcome::Kept) => Ok(Count::Kept),
            Err(error) => {
                let has_ended = row.has_ended || matches!(error, RowError::Ended(_));
                if may_wait && error.is_about_publishing() {
                    return Some(has_ended);
                }
                reading.count(Count::Ended, u64::from(has_ended));
                Err(error.to_string())
            }
        },
        None => Err(format!("enabled is \"{}\", but must be 0 or 1", shown(enabled.as_deref().unwrap_or_default()))),
    };
    match outcome {
        Ok(count) => reading.count(count, 1),
        Err(why) => {
            reading.count(Count::Skipped, 1);
            if reading.counted(Count::Skipped) <= MOST_NAMED {
                let [record, subscriber, package, _] = texts.map(shown);
                let (table, number) = (&engine.config.provision_table, row.number);
                log::warn(&format!(
                    "{table}: row {number} (record \"{record}\", subscriber \"{subscriber}\", package \"{package}\") is skipped: {why}"
                ));
            }
        }
    }
    None
}

fn summary(engine: &Engine) -> String {
    let reading = &engine.reading;
    let [rows, added, changed, kept, ended, disabled, skipped] =
        [Count::Rows, Count::Added, Count::Changed, Count::Kept, Count::Ended, Count::Disabled, Count::Skipped]
            .map(|count| reading.counted(count));
    format!(
        "provision_table: {rows} rows: {added} added, {changed} changed, {kept} kept, {disabled} disabled, {skipped} skipped; {ended} \
         subscriptions without a row ended; {} ms",
        reading.took(Engine::now().0)
    )
}

/// The beginning of a text, in one line.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).escape_debug().take(SHOWN).collect()
}
