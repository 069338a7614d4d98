//! The long forms of what the tests do to a server that stores its subscriptions: `make chaos`. Prints a table; fails if the ledger
//! of the notifier finds one broken promise.

#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../support/mod.rs"]
mod support;

mod consumer;
mod desk;
mod disk;
mod judge;
mod ledger;
mod place;
mod proxy;
mod report;
mod scenario;
mod world;

use std::env;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use place::Database;
use scenario::{Outcome, Scenario};
use world::Size;

const LARGE: Size = Size {
    subscriptions: 2000,
    expires: 600,
    rate: 500,
    changes: 100,
    kills: 100,
    outage: Duration::from_secs(20),
    patience: Duration::from_secs(60),
    db_mode: 1,
};

/// What is done to each database, one after the other. The databases are worked on side by side.
fn sizes(database: Database) -> Vec<(Scenario, Size)> {
    // Granted for less, so that there are refreshes enough while the database is away.
    let away = Size { expires: 40, ..LARGE };
    let all = [
        (Scenario::Restart, Size { kills: 3, ..LARGE }),
        (Scenario::Kill, Size { kills: if database == Database::Mariadb { 20 } else { 100 }, ..LARGE }),
        (Scenario::Stopped, Size { outage: Duration::from_secs(60), ..away }),
        (Scenario::Full, away),
        (Scenario::Hung, Size { outage: Duration::from_secs(40), ..away }),
        (Scenario::Slow, away),
        (Scenario::Cut, away),
    ];
    all.into_iter().filter(|(scenario, _)| scenario.fits(database)).collect()
}

/// Arguments are parts of the names of the scenarios and databases to try: none means all.
fn main() -> ExitCode {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let is_wanted = |names: &[&str]| wanted.iter().all(|part| names.iter().any(|name| name.contains(part.as_str())));
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let play = |database: Database| {
            let all = sizes(database).into_iter();
            all.filter(|(scenario, _)| is_wanted(&[scenario.name(), database.name()]))
                .map(|(scenario, size)| {
                    eprintln!("{}: {} …", database.name(), scenario.name());
                    let outcome = scenario.play(database, size);
                    eprint!("{}", report::lines(&outcome));
                    outcome
                })
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = Database::ALL.map(|database| scope.spawn(move || play(database))).into();
        threads.into_iter().flat_map(|thread| thread.join().expect("panics are findings")).collect()
    });
    println!("\n{}", report::table(&outcomes));
    let is_good = outcomes.iter().all(|outcome| outcome.counted() == 0);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
