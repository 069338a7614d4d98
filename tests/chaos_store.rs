//! A subscription outlives the server: it is killed, its database stops, hangs, is full or cut off. The notifier's own ledger is the
//! judge. These are the short forms; `make chaos` has the long ones.

#![allow(dead_code, reason = "the long form uses the rest")]

mod consumer;
mod desk;
mod disk;
mod judge;
mod ledger;
mod ledger_tests;
mod place;
mod place_tests;
mod proxy;
mod report;
mod scenario;
mod world;

use std::time::Duration;

use self::judge::Kind;
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
    let outcome = Scenario::Kill.play(Database::Sqlite, Size { db_mode: 0, kills: 1, patience, ..SMALL });
    let findings = outcome.findings.expect("it is possible");
    let count = |kind| findings.iter().filter(|finding| finding.kind == kind).count();
    assert!(count(Kind::Orphan) + count(Kind::Refused) >= SMALL.subscriptions, "{}", report::findings(&findings));
    let others = [Kind::Orphan, Kind::Refused, Kind::Lost, Kind::Unseen];
    assert!(findings.iter().all(|finding| others.contains(&finding.kind)), "{}", report::findings(&findings));
}
