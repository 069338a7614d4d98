//! What more SIP workers bring, beside what they bring to the floor: P9.

use std::thread::available_parallelism;

use crate::compare::{Contender, Failure, compare};
use crate::options::Options;
use crate::population::Population;
use crate::report::Report;
use crate::servers::{self, Consumer, FLOOR, STATEFUL};
use crate::statistics::Sample;
use crate::table::{Goal, Row};

const WORKERS: [u32; 3] = [1, 2, 8];
const RECORDS: usize = 5000;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P9") {
        return Ok(());
    }
    report.say("1, 2 and 8 workers");
    let mut populations = Vec::new();
    for workers in WORKERS {
        let builder = servers::b2b(&[STATEFUL, FLOOR], workers, Consumer::Callback).shm_megabytes(800);
        let mut population = Population::start(builder, RECORDS)?;
        population.grow(RECORDS)?;
        populations.push(population);
    }
    let contenders: Vec<Contender> = populations
        .iter()
        .flat_map(|population| [FLOOR, STATEFUL].map(|way| (population, way)))
        .map(|(population, way)| Contender {
            name: way.name.to_owned(),
            server: &population.server,
            way,
            desk: population.desk(),
            records: RECORDS,
        })
        .collect();
    let count = if options.quick { 10_000 } else { options.notifies() };
    let results = compare(&contenders, options.rounds(), count)?;
    let processors = available_parallelism().map_or(0, usize::from);
    for (workers, pair) in WORKERS.iter().zip(results.chunks(2)).skip(1) {
        let [floor, ours] = pair else { continue };
        let gain = |many: &[f64], one: &[f64]| many.iter().zip(one).map(|(many, one)| many / one).collect::<Vec<_>>();
        let gains = [gain(&ours.rate, &results[1].rate), gain(&floor.rate, &results[0].rate)];
        let row =
            Row::figure("P9", format!("NOTIFYs/s of {workers} workers, times those of 1"), "x", Sample::of(&gains[0]));
        report.row(
            row.ratio(Sample::ratio(&gains[0], &gains[1]))
                .goal(Goal::AtLeast(0.95))
                .remark(format!("{processors} processors, and the load takes one"))
                .remark(ours.problems.join("; ")),
        );
        let costs = [gain(&ours.cpu, &results[1].cpu), gain(&floor.cpu, &results[0].cpu)];
        let name = format!("CPU time of a NOTIFY with {workers} workers, times that with 1");
        let row = Row::figure("P9", name, "x", Sample::of(&costs[0]));
        report.row(row.ratio(Sample::ratio(&costs[0], &costs[1])));
    }
    drop(contenders);
    populations.into_iter().for_each(|population| population.server.stop());
    Ok(())
}
