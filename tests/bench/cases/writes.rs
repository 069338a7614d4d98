//! What it takes to store subscriptions while they live: P10. The process that writes, beside the refreshes that it writes; and NOTIFYs, which
//! are not to notice it.

use std::cell::Cell;

use super::instructions::{self, has_valgrind};
use crate::compare::Failure;
use crate::load::Load;
use crate::measure::Processes;
use crate::notifier::Manners;
use crate::options::{DatabaseKind, Options};
use crate::population::Population;
use crate::refresh;
use crate::report::Report;
use crate::servers::{self, Consumer, STATEFUL};
use crate::statistics::Sample;
use crate::stored::{Stored, settle, state};
use crate::table::{Goal, Row};

/// Refreshes a second.
const RATE: f64 = 2000.0;
/// The most that writing a refresh may take, in parts of what it takes itself.
const GOAL: Goal = Goal::AtMost(0.15);
/// The most that a NOTIFY may take with a store, beside one without.
const SAME: Goal = Goal::AtMost(1.01);

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P10") || options.rows.is_some() {
        return Ok(());
    }
    let count = if options.quick { 4000 } else { 10_000 };
    for kind in [DatabaseKind::Sqlite, DatabaseKind::Postgres] {
        let stored = Stored::new(kind)?;
        let builder = refresh::quickly(servers::b2b(&[STATEFUL], 1, Consumer::Callback)).shm_megabytes(500);
        let mut population = Population::start(stored.storing(builder), count)?;
        population.grow(count)?;
        steady(options, report, population, &stored)?;
    }
    if has_valgrind() { notifies(report) } else { Ok(()) }
}

/// Refreshes of subscriptions that are stored, with the NOTIFY that follows each, and without.
pub fn steady(options: &Options, report: &mut Report, population: Population, stored: &Stored) -> Result<(), Failure> {
    let count = population.count.min(if options.quick { 4000 } else { 10_000 });
    let rounds = if options.quick { 2 } else { 3 };
    settle(&population.server)?;
    let mut load = Load::new(population.desk())?;
    for (name, notify_later) in [("refresh and its NOTIFY", true), ("refresh alone", false)] {
        report.say(&format!("writing to {}: {name}", stored.name()));
        population.desk().behave(Manners { notify_first: true, notify_later });
        let (mut writing, mut rest, mut database, mut rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for round in 0..=rounds {
            let of = |pids: &[u32]| Processes::with(pids);
            let writer = Processes::named(&population.server, "presence_b2b store");
            let groups = [Processes::of(&population.server), of(writer.pids()), of(&stored.processes())];
            let written = || Ok::<f64, Failure>(state(&population.server)?["written"].as_f64().unwrap_or(0.0));
            // First what there was, then by how much it has grown.
            let grown = Cell::new(0.0);
            let settled = || {
                settle(&population.server)?;
                let now = written()?;
                grown.set(now - grown.get());
                Ok(())
            };
            let (count, due) = refresh::arrange_evenly(&population, &mut load, count, RATE)?;
            let costs = refresh::costs(&population, (count, due), &groups, settled)?;
            if let ([all, writer, server], true) = (costs.as_slice(), round > 0) {
                writing.push(*writer);
                rest.push(all - writer);
                database.push(*server);
                rows.push(grown.get() / count as f64);
            }
        }
        let place = stored.name();
        report.row(Row::figure(
            "P10",
            format!("{name}, {RATE} a second, {} subscriptions", population.count),
            "µs",
            Sample::of(&rest),
        ));
        let row = Row::figure("P10", format!("writing it to {place}, beside that"), "µs", Sample::of(&writing));
        let rows = Sample::of(&rows).map_or(0.0, |rows| rows.median);
        let remark = format!("{rows:.2} rows for each refresh");
        report.row(row.ratio(Sample::ratio(&writing, &rest)).goal(GOAL).remark(remark));
        if matches!(stored, Stored::Postgres(_)) {
            let row = Row::figure("P10", "the processes of PostgreSQL for it".to_owned(), "µs", Sample::of(&database));
            report.row(row);
        }
    }
    let said = state(&population.server)?;
    if said["failures"] != 0 {
        report.open("P10", "writing", &format!("the database has failed: {said}"));
    }
    population.server.stop();
    Ok(())
}

/// NOTIFYs of stored subscriptions, beside others, in instructions.
fn notifies(report: &mut Report) -> Result<(), Failure> {
    report.say("instructions of NOTIFYs of stored subscriptions");
    let [without, with] = [instructions::each(servers::b2b)?, instructions::each(servers::storing)?];
    let names = instructions::WAYS.map(|way| way.name);
    for ((name, with), without) in names.into_iter().zip(with).zip(without).skip(1).step_by(2) {
        let name = format!("{name}, db_mode 1 beside db_mode 0");
        let row = Row::figure("P10", name, "k instr.", Some(Sample::single(with)));
        report.row(row.ratio(Some(Sample::single(with / without))).goal(SAME));
    }
    Ok(())
}
