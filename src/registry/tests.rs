//! The registry with a life that does as it is told.

mod by_dialog;
mod by_name;
mod due;
mod flows;
mod forks;
mod handles;
mod histories;
mod life;
mod marks;
mod memory;
mod model;
mod pages;
mod records;
mod restore;
mod store_model;
mod threads;
mod trace;
mod walk;
mod worker_board;

use std::time::Duration;

use parking_lot::RawMutex;

use super::{Inserted, Life, Limits, Registry, Stepped, Tally, tally};
use crate::memory::OutOfMemory;
use crate::subscription::{Env, Input, Output, Packages, Policy, State, Subscription};
use crate::testing::{Accounted, NO_CREDENTIALS};
use crate::time::Millis;
use life::Told;

pub(super) use super::Handle;

/// A registry of told lives; the owner's data is a number.
pub(super) type Table = Registry<Told, u64, Accounted, RawMutex>;

pub(super) const POLICY: Policy = {
    let mut policy = Policy::FOR_TESTS;
    policy.on_error_retry_time = Duration::from_secs(60);
    policy.wait_for_term_notify = Duration::from_secs(32);
    policy.min_resubscribe_time = Duration::from_secs(1);
    policy.watchdog = Duration::from_secs(40);
    policy.max_redirects = 5;
    policy
};

pub(super) const ENV: Env<'static> =
    Env { now: NOW, policy: &POLICY, packages: Packages::KNOWN, random: 0, credentials: &NO_CREDENTIALS };

/// At another moment.
pub(super) fn env_at(now: Millis) -> Env<'static> {
    Env { now, ..ENV }
}

/// Every insertion happens now.
pub(super) const NOW: Millis = Millis(1_000);

pub(super) fn table(shards: usize, max_subscriptions: u32) -> (Table, Accounted) {
    let alloc = Accounted::new();
    let table = Table::try_new_in(Limits { shards, max_subscriptions }, 42.into(), alloc.clone()).unwrap();
    (table, alloc)
}

/// Inserts `record`, without a deadline.
pub(super) fn insert(table: &Table, alloc: &Accounted, record: &str, named: bool) -> Inserted {
    table.insert(Told::new(record, alloc), 0, named, &ENV).unwrap()
}

/// Inserts `record` with a deadline at `at`.
pub(super) fn insert_due(table: &Table, alloc: &Accounted, record: &str, at: Millis) -> Inserted {
    let mut told = Told::new(record, alloc);
    told.deadline = Some(at);
    table.insert(told, 0, true, &ENV).unwrap()
}

/// How many there are of each kind, by looking at all. By package and state, they are what the registry says.
pub(super) fn recount(table: &Table) -> Tally {
    let mut tally = Tally { states: [0; State::COUNT], packages: [0; Packages::MOST], failing: 0 };
    let mut grid = tally::EMPTY_GRID;
    table.page(0, usize::MAX, |_, life, _| {
        tally.states[life.standing().place()] += 1;
        grid[life.subject().package.place()][life.standing().place()] += 1;
        tally.packages[life.subject().package.place()] += 1;
        tally.failing += u32::from(life.standing().is_failing());
    });
    assert_eq!(tally.total() as usize, table.len());
    assert_eq!(table.tally_grid(), grid);
    tally
}

pub(super) fn is_new(inserted: Inserted) -> bool {
    matches!(inserted, Inserted::New { .. })
}

#[test]
fn a_registry_of_subscriptions_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Registry<Subscription<Accounted>, u64, Accounted, RawMutex>>();
}

/// One step in which nothing is delivered.
pub(super) fn step(table: &Table, handle: Handle, input: Input<'_>) -> Result<Option<Stepped<u64, ()>>, OutOfMemory> {
    table.step(handle, input, &ENV, |_, _: &Output, _| ())
}

/// One due step in which nothing is delivered; gives the handle.
pub(super) fn due(table: &Table, now: Millis) -> Option<Handle> {
    table.step_due(&env_at(now), &mut 0, [7; super::RANDOM_LEN], |_, _, _| ()).unwrap().map(|stepped| stepped.handle)
}
