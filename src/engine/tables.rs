//! Tables of the database: the process that reads them, and the request to read them again.
//!
//! A database may be slow or away, so that no worker waits for it: a process of its own reads, and the requests of what it finds go the
//! way of all others.

use std::cell::RefCell;
use std::time::Duration;

use super::Engine;
use crate::host::process::{self, ProcessError};
use crate::memory::OutOfMemory;
use crate::provision::TablesRead;
use crate::qsa::SubscriptionId;
use crate::subscription::Credential;

/// Why tables are not read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReading {
    /// There are none.
    #[error("there is no table to read: set modparam db_url, and provision_table or credentials_table")]
    NoTable,
    /// There is none with credentials.
    #[error("there is no table of credentials: set modparam db_url and credentials_table")]
    NoCredentials,
    /// They are being read.
    #[error("the tables are being read already: presence_b2b.provisioning shows how far that is")]
    UnderWay,
}

impl Engine {
    /// Forks the process that reads tables, if there are some; call in `child_init(PROC_MAIN)`. A round says when the next one is to
    /// be at the latest.
    ///
    /// # Errors
    /// When it cannot be forked.
    pub fn fork_tables(&'static self, round: impl FnMut(&'static Self) -> Duration) -> Result<(), ProcessError> {
        let Some(bell) = &self.table_bell else { return Ok(()) };
        let round = RefCell::new(round);
        process::fork("presence_b2b tables", None, || {
            let pause = (round.borrow_mut())(self);
            bell.wait(pause);
        })
    }

    /// Takes the credentials of a table in place of those read before. Those of parameters go before them, for the same realm.
    ///
    /// # Errors
    /// There is no room: the ones before stay.
    pub fn take_credentials(&self, of_table: &[Credential]) -> Result<(), OutOfMemory> {
        self.credentials.replace(self.config.credentials.iter().chain(of_table))
    }

    /// Has all tables read again, or the one with credentials.
    ///
    /// # Errors
    /// See [`NoReading`].
    pub fn ask_for_tables(&self, what: TablesRead) -> Result<(), NoReading> {
        if what == TablesRead::Credentials && self.config.credentials_table.is_empty() {
            return Err(NoReading::NoCredentials);
        }
        let bell = self.table_bell.as_ref().ok_or(NoReading::NoTable)?;
        if !self.reading.ask(what, Self::now().0) {
            return Err(NoReading::UnderWay);
        }
        bell.ring();
        Ok(())
    }
}

/// A subscriber has ended a subscription: forgets its lists and its mark as a row's, and stops publishing its state.
pub(super) fn on_end(subscription: SubscriptionId) {
    if let Some(engine) = super::engine() {
        engine.rosters.remove(subscription);
        engine.provisioned.remove(subscription);
        engine.end_publication(subscription);
    }
}
