//! Whether a row is to blame for what the database refuses, or the database.

use super::writer::sql;
use crate::host::clock;
use crate::host::database::{Database, DatabaseError};
use crate::store::{Run, WriteFailure, Written, statements};

/// After the database has refused a batch. A full disk, a missing right and a missing table refuse everything: a row is to blame only if the same
/// table takes another one. That one is removed again; if it cannot be, the second value is which statement has written it.
pub(super) fn who_is_to_blame(
    database: Option<&Database>,
    run: Run,
    written: Written,
) -> (WriteFailure, Option<Written>) {
    let Some((database, dialect)) = database.and_then(|database| Some((database, sql(database.dialect())?))) else {
        return (WriteFailure::Ambiguous, None);
    };
    let execute = |texts: &[String]| texts.iter().try_for_each(|text| database.execute(text));
    let [first, second, removal] = statements::probe(dialect, run, written, clock::unix_millis());
    let mut left = None;
    let taken = execute(&first).and_then(|()| {
        let second = execute(&second);
        left = execute(&removal).is_err().then(|| written.next());
        second
    });
    match taken {
        Ok(()) => (WriteFailure::Refused, left),
        Err(DatabaseError::Refused(_)) => (WriteFailure::Denied, left),
        Err(_) => (WriteFailure::Ambiguous, left),
    }
}
