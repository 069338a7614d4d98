//! How many instructions an answer takes: P1, P2 and P12, by callgrind, as many machines do not let perf count.
//!
//! Two servers answer a different number of NOTIFYs: the difference, divided by that of the numbers, is free of what
//! starting costs. Only the worker's own instructions are counted, in user mode.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::compare::Failure;
use crate::load::Load;
use crate::measure::Processes;
use crate::options::Options;
use crate::population::Population;
use crate::report::{self, Report};
use crate::servers::{self, BARE_SL, Consumer, FLOOR, STATEFUL, STATEFUL_ALONE, STATELESS, Way};
use crate::statistics::Sample;
use crate::support::config::Builder;
use crate::table::{Goal, Row};

const RECORDS: usize = 50;
/// NOTIFYs on each port, in steps of [`RECORDS`].
const NUMBERS: [usize; 2] = [100, 600];
/// What is said of servers that look into bodies.
pub(super) const CHECKED: &str = "bodies checked (the default)";

/// Describes a server.
type Servers = fn(&[Way], u32, Consumer) -> Builder;

pub(super) const WAYS: [Way; 4] = [FLOOR, STATEFUL_ALONE, BARE_SL, STATELESS];

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !has_valgrind() {
        for id in ["P1", "P2", "P12"].into_iter().filter(|id| options.wants(id)) {
            report.open(id, "instructions", "not measurable here: valgrind is not installed");
        }
        return Ok(());
    }
    if options.wants("P1") || options.wants("P2") {
        unchecked(options, report)?;
    }
    if options.wants("P12") { checked(report) } else { Ok(()) }
}

/// A NOTIFY whose body is not looked into.
fn unchecked(options: &Options, report: &mut Report) -> Result<(), Failure> {
    report.say("instructions");
    let each = each(servers::b2b)?;
    let [floor, stateful, bare, stateless] = each.as_slice() else { return Ok(()) };
    if options.wants("P1") {
        report.row(row("P1", FLOOR.name, *floor));
        report.row(row("P1", STATEFUL.name, *stateful).ratio(over(stateful, floor)).goal(Goal::AtMost(1.2)));
    }
    if options.wants("P2") {
        report.row(row("P2", BARE_SL.name, *bare));
        let row = row("P2", STATELESS.name, *stateless).ratio(over(stateless, bare)).goal(Goal::AtMost(1.3));
        report.row(row.remark("beside sl_send_reply"));
    }
    Ok(())
}

/// The same with its body checked.
fn checked(report: &mut Report) -> Result<(), Failure> {
    report.say("instructions with bodies looked into");
    let each = each(servers::b2b_with_checks)?;
    let [floor, stateful, bare, stateless] = each.as_slice() else { return Ok(()) };
    report.row(row("P12", FLOOR.name, *floor));
    let name = format!("{}, {CHECKED}", STATEFUL.name);
    report.row(row("P12", &name, *stateful).ratio(over(stateful, floor)).goal(Goal::AtMost(1.3)));
    let name = format!("{}, {CHECKED}", STATELESS.name);
    report.row(row("P12", &name, *stateless).ratio(over(stateless, bare)).remark("beside sl_send_reply"));
    Ok(())
}

fn row(id: &'static str, name: &str, thousands: f64) -> Row {
    Row::figure(id, name, "k instr.", Some(Sample::single(thousands)))
}

fn over(value: &f64, under: &f64) -> Option<Sample> {
    Some(Sample::single(value / under))
}

/// Thousands of instructions of each way's worker for one NOTIFY.
pub(super) fn each(servers: Servers) -> Result<Vec<f64>, Failure> {
    let [few, many] = NUMBERS.map(|count| answer(servers, count));
    let thousands = (NUMBERS[1] - NUMBERS[0]) as f64 * 1e3;
    Ok(few?.iter().zip(&many?).map(|(few, many)| (many - few) / thousands).collect())
}

/// The instructions of the worker of each way that has answered `count` NOTIFYs. What callgrind wrote is kept, named by port
/// and process.
fn answer(servers: Servers, count: usize) -> Result<Vec<f64>, Failure> {
    let folder = TempDir::with_prefix("callgrind-")?;
    let out = format!("--callgrind-out-file={}/%p", folder.path().display());
    let under = ["valgrind", "--tool=callgrind", "-q", &out];
    let ways = [&[STATEFUL], WAYS.as_slice()].concat();
    let builder = servers(&ways, 1, Consumer::Callback).under(&under).shm_megabytes(64);
    let mut population = Population::start(builder, RECORDS)?;
    population.grow(RECORDS)?;
    let mut load = Load::new(population.desk())?;
    let mut workers = Vec::new();
    for way in WAYS {
        for _ in 0..count / RECORDS {
            let outcome = load.saturate(population.desk(), way.addr(&population.server), RECORDS, RECORDS)?;
            if let Some(problem) = outcome.problem() {
                return Err(format!("{} under callgrind: {problem}", way.name).into());
            }
        }
        workers.push(Processes::named(&population.server, &format!(":{}", way.port)));
    }
    population.server.stop();
    totals(folder.path(), &WAYS, &workers)
}

/// What the workers of each way have taken, by the files that callgrind has left in `folder`; the files are kept with the results.
pub(super) fn totals(folder: &Path, ways: &[Way], workers: &[Processes]) -> Result<Vec<f64>, Failure> {
    let kept = report::folder()?.join(report::CALLGRIND);
    fs::create_dir_all(&kept)?;
    let mut totals = Vec::new();
    for (way, worker) in ways.iter().zip(workers) {
        let mut sum = 0.0;
        for pid in worker.pids() {
            let file = folder.join(pid.to_string());
            sum += total(&file)?;
            fs::copy(&file, kept.join(format!("{}.{pid}", way.port)))?;
        }
        totals.push(sum);
    }
    Ok(totals)
}

/// Whether there is what counts.
pub(super) fn has_valgrind() -> bool {
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    valgrind.is_ok_and(|status| status.success())
}

/// What callgrind has written at the end of its file.
pub(super) fn total(file: &Path) -> Result<f64, Failure> {
    let text = fs::read_to_string(file).map_err(|error| format!("callgrind wrote no {}: {error}", file.display()))?;
    let line = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    Ok(line.ok_or("callgrind wrote no totals")?.trim().parse()?)
}
