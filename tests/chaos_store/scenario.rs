//! What happens to the server and its database.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use super::desk::random;
use super::disk::Disk;
use super::judge::{Finding, Kind};
use super::place::{Database, Place};
use super::proxy::Fate;
use super::world::{Size, World};

/// A scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// It is stopped in order, and starts again.
    Restart,
    /// It is killed at random moments.
    Kill,
    /// The database stops and comes back.
    Stopped,
    /// The database has no room for a while.
    Full,
    /// The database hangs for a while.
    Hung,
    /// The database is slow.
    Slow,
    /// The connection ends between a statement and its answer.
    Cut,
}

/// What came of it.
pub struct Outcome {
    pub scenario: Scenario,
    pub database: Database,
    pub subscriptions: usize,
    pub kills: u32,
    pub subscribes: usize,
    /// None if it cannot be tried on this machine.
    pub findings: Option<Vec<Finding>>,
    pub time: Duration,
}

impl Scenario {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Restart => "restart",
            Scenario::Kill => "kill -9",
            Scenario::Stopped => "database stopped",
            Scenario::Full => "disk full",
            Scenario::Hung => "database hangs",
            Scenario::Slow => "database slow",
            Scenario::Cut => "answer cut off",
        }
    }

    /// Whether it makes sense with that database: SQLite has no server and no connection.
    pub fn fits(self, database: Database) -> bool {
        database != Database::Sqlite || !matches!(self, Scenario::Hung | Scenario::Slow | Scenario::Cut)
    }

    /// Does it. A panic is a finding.
    pub fn play(self, database: Database, size: Size) -> Outcome {
        let begun = Instant::now();
        let (mut kills, mut subscribes) = (0, 0);
        let played = catch_unwind(AssertUnwindSafe(|| {
            let mut world = World::new(self.place(database)?, size);
            self.act(&mut world);
            world.heal(size.patience);
            let found = world.judge();
            (kills, subscribes) = (world.kills, world.subscribes());
            world.stop();
            Some(found)
        }));
        let findings = played.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(vec![Finding::new(Kind::Server, text.unwrap_or_default())])
        });
        Outcome {
            scenario: self,
            database,
            subscriptions: size.subscriptions,
            kills,
            subscribes,
            findings,
            time: begun.elapsed(),
        }
    }

    /// The database for it; none if that is not allowed here.
    fn place(self, database: Database) -> Option<Place> {
        match self {
            Scenario::Full => {
                let megabytes = if database == Database::Sqlite { 8 } else { 64 };
                Some(Place::new(database, Some(Disk::small(megabytes)?)))
            }
            Scenario::Cut | Scenario::Slow => Some(Place::new(database, None).behind_proxy()),
            _ => Some(Place::new(database, None)),
        }
    }

    fn act(self, world: &mut World) {
        world.load();
        match self {
            Scenario::Restart => {
                for _ in 0..world.size.kills {
                    world.run(Duration::from_millis(500));
                    world.stop();
                    world.start();
                    world.load();
                }
            }
            Scenario::Kill => {
                for number in 1..=world.size.kills {
                    world.run(Duration::from_millis(random(2000)));
                    world.kill();
                    world.start();
                    if number % 10 == 0 {
                        eprintln!("  {}: killed {number} of {} times", world.place.name(), world.size.kills);
                    }
                }
            }
            Scenario::Stopped => away(world, |world| world.place.stop(), |world| world.place.start()),
            Scenario::Full => away(world, |world| world.place.fill(), |world| world.place.free()),
            Scenario::Hung => away(world, |world| world.place.hang(), |world| world.place.resume()),
            Scenario::Slow => {
                let slow = Fate::Delay(Duration::from_millis(300));
                away(world, |world| world.place.proxy().set(slow), |world| world.place.proxy().set(Fate::Pass));
            }
            Scenario::Cut => {
                away(world, |world| world.place.proxy().set(Fate::Cut(3)), |world| world.place.proxy().set(Fate::Pass));
                if world.size.db_mode > 0 && world.place.proxy().cuts() == 0 {
                    world.findings.push(Finding::new(Kind::Server, "no connection was cut: it wrote nothing"));
                }
            }
        }
    }
}

/// The database has a fault for a while, under load; when it is well again and all is written, the server is killed. What it has
/// stored is all that is left.
fn away(world: &mut World, begin: impl FnOnce(&mut World), end: impl FnOnce(&mut World)) {
    world.run(Duration::from_millis(500));
    let begun = Instant::now();
    begin(world);
    world.run(world.size.outage);
    end(world);
    world.run(Duration::from_millis(500));
    world.judge_delays(begun);
    world.drain(world.size.patience);
    // Some batches later.
    thread::sleep(Duration::from_millis(300));
    world.kill();
    world.start();
    world.load();
    world.run(Duration::from_millis(500));
}
