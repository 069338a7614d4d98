//! The newest states at hand: what they take (P5), and what it costs to ask for one in the request route while NOTIFYs come (P13).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tempfile::TempDir;

use super::instructions::{has_valgrind, totals};
use crate::compare::{Failure, interrupted, rest};
use crate::load::{Load, Outcome};
use crate::measure::Processes;
use crate::message::BODY;
use crate::options::Options;
use crate::population::Population;
use crate::report::Report;
use crate::servers::{self, ASKED, ASKED_SL, BARE_SL, COMPARED, COMPARED_SL, FLOOR, KNOWN, SETTLED, STATEFUL, Way};
use crate::statistics::Sample;
use crate::table::{Goal, Row};

/// Workers that take NOTIFYs at the time.
const WRITERS: u32 = 8;
/// NOTIFYs a second.
const RATE: f64 = 2000.0;
/// Subscriptions that are active before memory is counted.
const FEW: usize = 1000;
/// Subscriptions under callgrind, and those that are made at a time.
const COUNTED: usize = 1000;
const AT_A_TIME: usize = 50;
/// Requests to each port under callgrind.
const NUMBERS: [usize; 2] = [100, 1100];
/// A way without a condition, the same with one, and with one that asks for a state.
const WAYS: [Way; 6] = [FLOOR, COMPARED, ASKED, BARE_SL, COMPARED_SL, ASKED_SL];
/// The most that asking may cost.
const GOAL: Goal = Goal::AtMost(1.05);

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if options.wants("P5") || options.wants("P13") {
        with_many(options, report)?;
    }
    if !options.wants("P13") {
        return Ok(());
    }
    if !has_valgrind() {
        report.open("P13", "instructions", "not measurable here: valgrind is not installed");
        return Ok(());
    }
    report.say("instructions of requests that ask for a state");
    let [(few, _), (many, written)] = [counted(NUMBERS[0])?, counted(NUMBERS[1])?];
    let thousands = (NUMBERS[1] - NUMBERS[0]) as f64 * 1e3;
    let each: Vec<f64> = few.iter().zip(&many).map(|(few, many)| (many - few) / thousands).collect();
    for (ways, each) in WAYS.chunks(3).zip(each.chunks(3)) {
        let ([bare, without, with], [least, under, over]) = (ways, each) else { continue };
        let row = |way: &Way, value: f64| Row::figure("P13", way.name, "k instr.", Some(Sample::single(value)));
        report.row(row(bare, *least));
        report.row(row(without, *under));
        let row =
            row(with, *over).ratio(Some(Sample::single(over / under))).remark(format!("{written} NOTIFYs at the time"));
        report.row(if bare.port == FLOOR.port { row.goal(GOAL) } else { row });
    }
    Ok(())
}

/// Has the server's other workers take NOTIFYs while `act` runs; how many they took.
fn while_written<R>(
    population: &Population,
    write: impl Fn(&mut Load, &AtomicBool) -> std::io::Result<Outcome> + Sync,
    act: impl FnOnce() -> Result<R, Failure>,
) -> Result<(R, Outcome), Failure> {
    let is_over = AtomicBool::new(false);
    let (acted, written) = thread::scope(|scope| {
        let writer = scope.spawn(|| write(&mut Load::new(population.desk())?, &is_over));
        let acted = act();
        is_over.store(true, Ordering::Relaxed);
        (acted, writer.join())
    });
    let written = written.map_err(|_| "the writer of NOTIFYs has stopped")?;
    Ok((acted?, written?))
}

/// What a state takes, and a request that asks for one of many.
fn with_many(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let most = options.subscriptions();
    report.say(&format!("making {most} subscriptions whose states are kept"));
    let builder = servers::kept(&[WAYS.as_slice(), &[KNOWN]].concat(), WRITERS).shm_megabytes(options.shm_megabytes());
    let mut population = Population::start(builder, most)?;
    population.grow(FEW)?;
    let before = population.at_rest()?;
    population.grow(most)?;
    let after = population.at_rest()?;
    if options.wants("P5") {
        let each = (after as f64 - before as f64) / (most - FEW) as f64;
        let name = format!("the same with keep_state 1, {BODY} bytes of document included");
        report.row(Row::figure("P5", name, "B", Some(Sample::single(each))));
    }
    if options.wants("P13") {
        report.say(&format!("requests that ask for one of {most} states"));
        let write = |load: &mut Load, is_over: &AtomicBool| {
            let over = |_| is_over.load(Ordering::Relaxed);
            load.pace(population.desk(), STATEFUL.addr(&population.server), most, RATE, over)
        };
        let (costs, written) = while_written(&population, write, || costs(options, &population))?;
        let rate = written.accepted as f64 / written.took.as_secs_f64();
        let row =
            |way: &Way, cpu: &[f64]| Row::figure("P13", format!("{}, {most} states", way.name), "µs", Sample::of(cpu));
        for (ways, costs) in WAYS.chunks(3).zip(costs.chunks(3)) {
            let ([bare, without, with], [least, under, over]) = (ways, costs) else { continue };
            report.row(row(bare, least));
            report.row(row(without, under));
            report.row(
                row(with, over).ratio(Sample::ratio(over, under)).remark(format!("{rate:.0} NOTIFYs/s at the time")),
            );
        }
    }
    population.at_rest()?;
    population.server.stop();
    Ok(())
}

/// CPU time of each way's worker for a request, in µs, round by round.
fn costs(options: &Options, population: &Population) -> Result<Vec<Vec<f64>>, Failure> {
    let mut load = Load::asking(population.desk(), population.width())?;
    ask(&mut load, population, &KNOWN, options.notifies())?;
    let mut costs = vec![Vec::new(); WAYS.len()];
    for round in 0..=options.rounds() {
        for (way, costs) in WAYS.iter().zip(&mut costs) {
            interrupted()?;
            let worker = worker_of(population, way);
            let before = worker.used();
            ask(&mut load, population, way, options.notifies())?;
            let used = (worker.used() - before).ran.as_secs_f64();
            rest(SETTLED)?;
            // The first warms the memory.
            costs.extend((round > 0).then_some(used * 1e6 / options.notifies() as f64));
        }
    }
    Ok(costs)
}

/// So many requests, none of which may be refused.
fn ask(load: &mut Load, population: &Population, way: &Way, count: usize) -> Result<(), Failure> {
    let to = way.addr(&population.server);
    let outcome = load.saturate(population.desk(), to, population.count, count)?;
    outcome.problem().map_or(Ok(()), |problem| Err(format!("{}: {problem}", way.name).into()))
}

fn worker_of(population: &Population, way: &Way) -> Processes {
    Processes::named(&population.server, &format!(":{}", way.port))
}

/// The instructions of each way's worker that has taken `count` requests, and how many NOTIFYs the others took in the meantime.
fn counted(count: usize) -> Result<(Vec<f64>, usize), Failure> {
    let folder = TempDir::with_prefix("callgrind-")?;
    let out = format!("--callgrind-out-file={}/%p", folder.path().display());
    let builder = servers::kept(&[WAYS.as_slice(), &[KNOWN]].concat(), WRITERS).under(&[
        "valgrind",
        "--tool=callgrind",
        "-q",
        &out,
    ]);
    let mut population = Population::start(builder.shm_megabytes(300), COUNTED)?;
    for count in (0..=COUNTED).step_by(AT_A_TIME) {
        population.grow(count)?;
    }
    // A NOTIFY is answered before its state is kept.
    population.at_rest()?;
    let write = |load: &mut Load, is_over: &AtomicBool| {
        let mut all = Outcome::default();
        while !is_over.load(Ordering::Relaxed) {
            let to = STATEFUL.addr(&population.server);
            let outcome = load.saturate(population.desk(), to, COUNTED, COUNTED)?;
            all.accepted += outcome.accepted;
        }
        Ok(all)
    };
    let (workers, written) = while_written(&population, write, || {
        let mut load = Load::asking(population.desk(), population.width())?;
        ask(&mut load, &population, &KNOWN, COUNTED)?;
        WAYS.iter()
            .map(|way| {
                ask(&mut load, &population, way, count)?;
                Ok(worker_of(&population, way))
            })
            .collect::<Result<Vec<_>, Failure>>()
    })?;
    population.at_rest()?;
    population.server.stop();
    Ok((totals(folder.path(), &WAYS, &workers)?, written.accepted))
}
