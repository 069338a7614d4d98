//! What follows of a statement that a database does not execute: driven with a database module that does what the test says.

use std::cell::RefCell;
use std::ffi::c_int;
use std::ptr::NonNull;
use std::time::Duration;

use super::{Database, DatabaseError};
use crate::host::bindings as ks;
use crate::host::text::bytes;

/// What the database module does with the next statement: whether it executes it, and how long it takes.
type Answers = Vec<(bool, Duration)>;

thread_local! {
    static ANSWERS: RefCell<Answers> = const { RefCell::new(Vec::new()) };
    static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "C" fn raw_query(
    _: *const ks::db1_con_t,
    sql: *const ks::str_,
    result: *mut *mut ks::db1_res_t,
) -> c_int {
    assert!(!result.is_null(), "db_sqlite executes nothing without a place for its result");
    // SAFETY: the text that the code under test lends.
    let text = unsafe { String::from_utf8_lossy(bytes(&*sql)).into_owned() };
    ASKED.with_borrow_mut(|asked| asked.push(text));
    let (is_done, time) = ANSWERS.with_borrow_mut(|answers| answers.remove(0));
    std::thread::sleep(time);
    if is_done { 0 } else { -1 }
}

/// Executes a statement while the module answers so, in turn: what came of it, and what the module was asked.
fn executed(answers: Answers) -> (Result<(), DatabaseError>, Vec<String>) {
    ANSWERS.set(answers);
    ASKED.take();
    let api = ks::db_func_t { raw_query: Some(raw_query), ..ks::db_func_t::default() };
    let module = "db_postgres".into();
    let database = Database { api, connection: NonNull::dangling(), module, reads_json: false };
    let came = database.execute("DELETE FROM t");
    assert!(ANSWERS.take().is_empty(), "asked too little");
    (came, ASKED.take())
}

const SOON: Duration = Duration::ZERO;
const LATE: Duration = Duration::from_millis(1050);

#[test]
fn a_statement_that_is_executed_is_asked_for_once() {
    assert_eq!(executed(vec![(true, SOON)]), (Ok(()), vec!["DELETE FROM t".into()]));
}

#[test]
fn a_database_that_does_not_answer_is_lost() {
    let (came, asked) = executed(vec![(false, SOON), (false, SOON)]);
    assert_eq!((came, asked.len()), (Err(DatabaseError::Lost("db_postgres".into())), 2));
}

#[test]
fn a_database_that_answers_is_asked_once_more() {
    let (came, asked) = executed(vec![(false, SOON), (true, SOON), (false, SOON)]);
    assert_eq!(came, Err(DatabaseError::Refused("db_postgres".into())));
    assert_eq!(asked, ["DELETE FROM t", "SELECT 1", "DELETE FROM t"]);
    assert_eq!(executed(vec![(false, SOON), (true, SOON), (true, SOON)]).0, Ok(()));
}

#[test]
fn a_statement_that_fails_late_may_have_been_executed() {
    let (came, asked) = executed(vec![(false, LATE), (true, SOON)]);
    assert_eq!((came, asked.len()), (Err(DatabaseError::Unsure("db_postgres".into())), 2));
}
