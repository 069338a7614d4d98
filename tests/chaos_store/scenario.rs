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
    pub kills: usize,
    pub subscribes: usize,
    pub findings: Vec<Finding>,
    pub time: Duration,
}

impl Outcome {
    /// How many promises were broken.
    pub fn counted(&self) -> usize {
        self.findings.iter().filter(|finding| finding.counts()).count()
    }
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

    /// Whether it can be tried with that database. SQLite has no server and no connection; the disk of another one is full only where
    /// one can be mounted.
    pub fn fits(self, database: Database) -> bool {
        match self {
            Scenario::Hung | Scenario::Slow | Scenario::Cut => database != Database::Sqlite,
            Scenario::Full => database == Database::Sqlite || Disk::is_possible(),
            _ => true,
        }
    }

    /// Does it.
    pub fn play(self, database: Database, size: Size) -> Outcome {
        let begun = Instant::now();
        let mut outcome = Outcome {
            scenario: self,
            database,
            subscriptions: size.subscriptions,
            kills: 0,
            subscribes: 0,
            findings: Vec::new(),
            time: Duration::ZERO,
        };
        // A panic is a finding, beside those that were made before.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.play_into(&mut outcome, size))) {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let finding = Finding::new(Kind::Server, text.unwrap_or_default());
            outcome.findings.push(finding);
        }
        outcome.time = begun.elapsed();
        outcome
    }

    fn play_into(self, outcome: &mut Outcome, size: Size) {
        let mut world = World::new(self.place(outcome.database), size);
        self.act(&mut world);
        world.heal(size.patience);
        outcome.findings = world.judge();
        (outcome.kills, outcome.subscribes) = (world.kills.len(), world.subscribes());
        world.stop();
    }

    /// The database for it.
    fn place(self, database: Database) -> Place {
        match self {
            Scenario::Full => Place::new(database, Disk::small(database.small_disk())),
            Scenario::Cut | Scenario::Slow => Place::new(database, None).behind_proxy(),
            _ => Place::new(database, None),
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
                    world.desk.hurry();
                }
            }
            Scenario::Kill => {
                for number in 1..=world.size.kills {
                    world.run(Duration::from_millis(random(2000)));
                    world.kill();
                    world.start();
                    world.desk.hurry();
                    if number % 10 == 0 {
                        eprintln!("  {}: killed {number} of {} times", world.place.name(), world.size.kills);
                    }
                }
            }
            Scenario::Stopped => away(world, |world| world.place.stop(), |world| world.place.start()),
            Scenario::Full => {
                let store = world.store();
                away(world, |world| world.place.fill(&store), |world| world.place.free(&store));
            }
            Scenario::Hung => away(world, |world| world.place.hang(), |world| world.place.resume()),
            Scenario::Slow => {
                let slow = Fate::Delay(Duration::from_secs(3));
                away(world, |world| world.place.proxy().set(slow), |world| world.place.proxy().set(Fate::Pass));
            }
            // The drivers try again by themselves: some statements are cut off each time.
            Scenario::Cut => {
                away(world, |world| world.place.proxy().set(Fate::Cut(7)), |world| world.place.proxy().set(Fate::Pass));
                eprintln!("  {}: {} answers cut off", world.place.name(), world.place.proxy().cuts());
            }
        }
    }
}

/// MariaDB takes the space of its files beforehand: it may go on for long on a disk that is full.
fn has_room(world: &World) -> bool {
    world.place.has_own_disk() && world.place.name() == Database::Mariadb.name()
}

/// The database has a fault for a while, under load; when it is well again and all is written, the server is killed. What it has
/// stored is all that is left.
fn away(world: &mut World, begin: impl FnOnce(&mut World), end: impl FnOnce(&mut World)) {
    world.run(Duration::from_millis(500));
    let begun = Instant::now();
    begin(world);
    world.run(world.size.outage);
    // The drivers repeat by themselves what was cut off, so that the module may notice nothing.
    if !has_room(world) && world.place.cuts() == 0 {
        world.expect_trouble();
    }
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
