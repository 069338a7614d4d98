//! A subscription outlives the server: it is killed, its database stops, hangs, is full or cut off. The notifier's own ledger is the
//! judge. These are the short forms; `make chaos` has the long ones.

#![allow(dead_code, reason = "the long form uses the rest")]

mod consumer;
pub mod desk;
pub mod disk;
mod judge;
pub mod ledger;
mod ledger_tests;
pub mod place;
mod place_tests;
mod proxy;
mod report;
mod scenario;
mod world;

use std::time::Duration;

use self::judge::{Finding, Kind};
use self::place::Database;
use self::scenario::Scenario;
use self::world::Size;
use crate::support;

const SMALL: Size = Size {
    subscriptions: 60,
    expires: 60,
    rate: 200,
    changes: 40,
    kills: 2,
    outage: Duration::from_millis(1500),
    patience: Duration::from_secs(20),
    db_mode: 1,
};

/// Without the store a killed server loses its subscriptions, and the judge says so.
#[test]
fn what_is_not_stored_is_lost() {
    let patience = Duration::from_secs(3);
    let play = || Scenario::Kill.play(Database::Sqlite, Size { db_mode: 0, kills: 1, patience, ..SMALL }).findings;
    let is_said = |findings: &Vec<_>| {
        let count = |kind| findings.iter().filter(|finding: &&Finding| finding.kind == kind).count();
        count(Kind::Orphan) + count(Kind::Refused) >= SMALL.subscriptions / 2
    };
    // It may be killed before they have dialogs: then once more.
    let mut all: Vec<Vec<Finding>> = vec![play()];
    while all.len() < 5 && !all.iter().any(is_said) {
        all.push(play());
    }
    assert!(all.iter().any(is_said), "{}", report::findings(&all.concat()));
}

/// Plays a short form of a scenario; the ledger has nothing to object.
fn survives(scenario: Scenario, database: Database, size: Size) {
    if !scenario.fits(database) {
        eprintln!("NOT TRIED: nothing can be mounted here");
        return;
    }
    let outcome = scenario.play(database, size);
    assert!(outcome.counted() == 0, "\n{}", report::findings(&outcome.findings));
    eprintln!("{}", report::table(&[outcome]));
}

macro_rules! scenarios {
    ($($name:ident: $scenario:ident of $database:ident;)+) => {
        $(#[test]
        fn $name() {
            survives(Scenario::$scenario, Database::$database, SMALL);
        })+
    };
}

scenarios! {
    sqlite_restart: Restart of Sqlite;
    sqlite_kill: Kill of Sqlite;
    sqlite_stopped: Stopped of Sqlite;
    sqlite_full: Full of Sqlite;
    postgres_restart: Restart of Postgres;
    postgres_kill: Kill of Postgres;
    postgres_stopped: Stopped of Postgres;
    postgres_full: Full of Postgres;
    postgres_hung: Hung of Postgres;
    postgres_slow: Slow of Postgres;
    postgres_cut: Cut of Postgres;
    mariadb_kill: Kill of Mariadb;
    mariadb_cut: Cut of Mariadb;
}

/// More rows than are read at a time: none is left out between two pages.
fn survives_in_pages(database: Database) {
    survives(Scenario::Restart, database, Size { subscriptions: 1500, rate: 2000, kills: 1, ..SMALL });
}

#[test]
fn sqlite_pages() {
    survives_in_pages(Database::Sqlite);
}

#[test]
fn postgres_pages() {
    survives_in_pages(Database::Postgres);
}

#[test]
fn mariadb_pages() {
    survives_in_pages(Database::Mariadb);
}
