//! How many subscriptions there are of each kind: kept with each step, so that nobody has to look through them.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::subscription::{PackageNumber, Packages, Standing, State};

/// How many numbers a tally has.
const COUNTS: usize = State::COUNT + Packages::MOST + 1;

/// Forks count as well, as in a page of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// By the place of their state in [`State::names`].
    pub states: [u32; State::COUNT],
    /// By the [place](PackageNumber::place) of their package.
    pub packages: [u32; Packages::MOST],
    /// The last attempt has failed, and a retry waits.
    pub failing: u32,
}

impl Tally {
    pub(super) const NONE: Self = Self { states: [0; State::COUNT], packages: [0; Packages::MOST], failing: 0 };

    /// How many there are in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.states.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn take_up(&mut self, standing: Standing) {
        count(&mut self.states, standing.place(), u32::saturating_add);
        self.failing = self.failing.saturating_add(standing.is_failing().into());
    }

    fn leave_off(&mut self, standing: Standing) {
        count(&mut self.states, standing.place(), u32::saturating_sub);
        self.failing = self.failing.saturating_sub(standing.is_failing().into());
    }

    fn counts(&self) -> impl Iterator<Item = &u32> {
        self.states.iter().chain(&self.packages).chain([&self.failing])
    }

    fn counts_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        self.states.iter_mut().chain(&mut self.packages).chain([&mut self.failing])
    }
}

/// By the [place](PackageNumber::place) of their package, and then as [`Tally::states`].
pub type TallyGrid = [[u32; State::COUNT]; Packages::MOST];

/// Nothing of any kind.
pub(super) const EMPTY_GRID: TallyGrid = [[0; State::COUNT]; Packages::MOST];

/// A shard's tally.
pub(super) struct KeptTally {
    tally: Tally,
    grid: TallyGrid,
    /// The place of the package that has changed last.
    latest: usize,
    /// Another one whenever the tally has changed.
    number: u32,
}

impl KeptTally {
    pub(super) const NONE: Self = Self { tally: Tally::NONE, grid: EMPTY_GRID, latest: 0, number: 0 };

    /// One more.
    pub(super) fn enter(&mut self, standing: Standing, package: PackageNumber) {
        count(&mut self.tally.packages, package.place(), u32::saturating_add);
        self.tally.take_up(standing);
        count(self.row(package), standing.place(), u32::saturating_add);
    }

    /// One less.
    pub(super) fn leave(&mut self, standing: Standing, package: PackageNumber) {
        count(&mut self.tally.packages, package.place(), u32::saturating_sub);
        self.tally.leave_off(standing);
        count(self.row(package), standing.place(), u32::saturating_sub);
    }

    /// One is counted as something else.
    #[cold]
    pub(super) fn change(&mut self, before: Standing, now: Standing, package: PackageNumber) {
        self.tally.leave_off(before);
        self.tally.take_up(now);
        let row = self.row(package);
        count(row, before.place(), u32::saturating_sub);
        count(row, now.place(), u32::saturating_add);
    }

    /// The counts of a package, which change.
    fn row(&mut self, package: PackageNumber) -> &mut [u32] {
        self.number = self.number.wrapping_add(1);
        self.latest = package.place();
        self.grid.get_mut(self.latest).map_or(&mut [], |row| row)
    }
}

fn count(counts: &mut [u32], place: usize, by: fn(u32, u32) -> u32) {
    if let Some(count) = counts.get_mut(place) {
        *count = by(*count, 1);
    }
}

/// A shard's tally for readers without the lock.
pub(super) struct PublishedTally {
    counts: [AtomicU32; COUNTS],
    grid: [[AtomicU32; State::COUNT]; Packages::MOST],
    /// Which tally that is.
    number: AtomicU32,
}

impl PublishedTally {
    /// Of nothing.
    pub(super) fn new() -> Self {
        let grid = [const { [const { AtomicU32::new(0) }; State::COUNT] }; Packages::MOST];
        Self { counts: [const { AtomicU32::new(0) }; COUNTS], grid, number: AtomicU32::new(0) }
    }

    /// Under the lock.
    pub(super) fn publish(&self, kept: &KeptTally) {
        let shown = self.number.load(Relaxed);
        if shown == kept.number {
            return;
        }
        self.number.store(kept.number, Relaxed);
        self.counts.iter().zip(kept.tally.counts()).for_each(|(shown, count)| shown.store(*count, Relaxed));
        // Mostly it is one change, and one row of many.
        let rows = if shown.wrapping_add(1) == kept.number { kept.latest..kept.latest + 1 } else { 0..Packages::MOST };
        let (shown, rows) = (self.grid.get(rows.clone()), kept.grid.get(rows));
        let cells = shown.into_iter().flatten().flatten().zip(rows.into_iter().flatten().flatten());
        cells.for_each(|(shown, count)| shown.store(*count, Relaxed));
    }

    pub(super) fn add_grid_to(&self, sum: &mut TallyGrid) {
        let cells = self.grid.iter().flatten().zip(sum.iter_mut().flatten());
        cells.for_each(|(shown, sum)| *sum = sum.saturating_add(shown.load(Relaxed)));
    }

    pub(super) fn add_to(&self, sum: &mut Tally) {
        self.counts
            .iter()
            .zip(sum.counts_mut())
            .for_each(|(shown, sum)| *sum = sum.saturating_add(shown.load(Relaxed)));
    }
}
