//! How long locks are held (P8) and how often they are waited for (P9): a server whose locks measure themselves.

use std::time::Duration;

use serde_json::{Value, json};

use crate::compare::Failure;
use crate::load::Load;
use crate::options::Options;
use crate::population::Population;
use crate::refresh;
use crate::report::Report;
use crate::servers::{self, Consumer, STATEFUL};
use crate::statistics::Sample;
use crate::support::config::Builder;
use crate::table::{Goal, Row, number};

type Case = fn(&Options, &mut Report, Builder) -> Result<(), Failure>;

/// Workers that wait for each other's locks.
const WORKERS: u32 = 8;
const RECORDS: usize = 5000;
/// NOTIFYs a second while it is measured how long locks are held.
const RATE: f64 = 10_000.0;
/// A measured value: the server's name for it, and that in the table.
const LOCKS: [(&str, &str); 2] = [("registry", "a shard's lock"), ("hub", "a lock of the QSA hub")];
/// "A few µs".
const BRIEF: f64 = 5.0;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let cases: [(_, _, _, Case); 2] =
        [("P8", "how long locks are held", 1, held), ("P9", "waits for locks", WORKERS, waits)];
    for (id, what, workers, case) in cases.into_iter().filter(|(id, ..)| options.wants(id)) {
        match servers::metered(&[STATEFUL], workers, Consumer::Callback) {
            None => report.open(id, what, "the module with metered locks is wanted in PRESENCE_B2B_METERED_SO"),
            Some(builder) => {
                report.say(what);
                case(options, report, refresh::quickly(builder).shm_megabytes(800))?;
            }
        }
    }
    Ok(())
}

fn held(options: &Options, report: &mut Report, builder: Builder) -> Result<(), Failure> {
    let mut population = Population::start(builder, RECORDS)?;
    population.grow(RECORDS)?;
    let made = read(&population)?;
    let mut load = Load::new(population.desk())?;
    let to = STATEFUL.addr(&population.server);
    let time = Duration::from_secs(if options.quick { 1 } else { 10 });
    load.saturate(population.desk(), to, RECORDS, RECORDS)?;
    read(&population)?;
    let outcome = load.pace(population.desk(), to, RECORDS, RATE, |since| since >= time)?;
    let notified = read(&population)?;
    refresh::round(&population, &mut load, RECORDS)?;
    let refreshed = read(&population)?;
    population.server.stop();
    for (kind, name) in LOCKS {
        for (work, readings) in [("set-ups", &made), ("NOTIFYs", &notified), ("refreshes, NOTIFYs", &refreshed)] {
            let micros = |field: &str| field_of(readings, kind, field).map(|nanos| nanos / 1e3);
            let [p50, p999, longest] =
                ["held_p50", "held_p999", "held_longest"].map(|field| number(micros(field).unwrap_or_default()));
            let row =
                Row::figure("P8", format!("{name} is held, p99, {work}"), "µs", micros("held_p99").map(Sample::single));
            let row = row.remark(format!("p50 {p50}, p99.9 {p999}, longest {longest} µs"));
            report.row(row.goal(Goal::AtMost(BRIEF)).remark(outcome.problem().unwrap_or_default()));
        }
    }
    Ok(())
}

fn waits(options: &Options, report: &mut Report, builder: Builder) -> Result<(), Failure> {
    let mut population = Population::start(builder, RECORDS)?;
    population.grow(RECORDS)?;
    let mut load = Load::new(population.desk())?;
    let to = STATEFUL.addr(&population.server);
    let rounds = (0..=options.rounds()).map(|_| {
        read(&population)?;
        let outcome = load.saturate(population.desk(), to, RECORDS, options.notifies())?;
        Ok((outcome.accepted.max(1) as f64, read(&population)?))
    });
    // The first warms the memory.
    let rounds = rounds.skip(1).collect::<Result<Vec<_>, Failure>>()?;
    // A process of Kamailio's that is stopped while it frees a transaction leaves shared memory in a state that its first
    // process, when it clears up, takes for damage.
    population.at_rest()?;
    population.server.stop();
    for (kind, name) in LOCKS {
        let each = |field: &str| {
            let of = |(count, readings): &(f64, Value)| Some(field_of(readings, kind, field)? / count);
            rounds.iter().filter_map(of).collect::<Vec<_>>()
        };
        let waits = each("waited").into_iter().map(|waits| 1e3 * waits).collect::<Vec<_>>();
        let taken = Sample::of(&each("taken")).map_or(0.0, |taken| taken.median);
        let name = format!("waits for {name} in 1000 NOTIFYs, {WORKERS} workers");
        report.row(
            Row::figure("P9", name, "", Sample::of(&waits)).remark(format!("taken {taken:.1} times for each NOTIFY")),
        );
    }
    Ok(())
}

/// The measurements of the locks since the last time.
pub fn read(population: &Population) -> Result<Value, Failure> {
    Ok(population.server.rpc("presence_b2b.locks", json!([])).map_err(|error| error.to_string())?)
}

pub fn field_of(readings: &Value, kind: &str, field: &str) -> Option<f64> {
    readings.as_array()?.iter().find(|reading| reading["what"] == kind)?[field].as_f64()
}
