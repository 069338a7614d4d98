//! NOTIFYs in the dialogs of many subscriptions: P1, P2 and P5.

use crate::compare::{Contender, Failure, compare};
use crate::options::Options;
use crate::population::Population;
use crate::report::Report;
use crate::servers::{self, BARE_SL, Consumer, FLOOR, STATEFUL, STATELESS};
use crate::statistics::Sample;
use crate::table::{Goal, Row};

/// Subscriptions that stand before memory is counted: what the tables take once is not theirs.
const FIRST: usize = 1000;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !["P1", "P2", "P5"].iter().any(|id| options.wants(id)) {
        return Ok(());
    }
    let most = options.subscriptions();
    let builder = servers::b2b(&[STATEFUL, STATELESS, FLOOR, BARE_SL]).shm_megabytes(options.shm_megabytes());
    let builder = servers::with_consumer(builder, Consumer::Callback);
    let mut population = Population::start(builder, most)?;
    population.grow(FIRST)?;
    let before = population.at_rest()?;
    report.say(&format!("making {most} subscriptions"));
    let took = population.grow(most)?;
    let after = population.at_rest()?;
    report.say(&format!("{most} subscriptions stand after {:.1} s", took.as_secs_f64()));
    if options.wants("P5") {
        let each = (after as f64 - before as f64) / (most - FIRST) as f64;
        let name = format!("shared memory of a subscription at rest, {most} of them");
        report.row(Row::figure("P5", name, "B", Some(Sample::single(each))).goal(Goal::AtMost(400.0)));
    }
    if options.wants("P1") || options.wants("P2") {
        answers(options, report, &population)?;
    }
    population.server.stop();
    Ok(())
}

fn answers(options: &Options, report: &mut Report, population: &Population) -> Result<(), Failure> {
    let contenders = [FLOOR, STATEFUL, BARE_SL, STATELESS].map(|way| Contender {
        name: way.name.to_owned(),
        server: &population.server,
        way,
        desk: population.desk(),
        records: population.count,
    });
    report.say("NOTIFYs, side by side");
    let taken = population.taken()?;
    let results = compare(&contenders, options.rounds(), options.notifies())?;
    let delivered = population.taken()? - taken;
    let expected = 2 * (options.rounds() + 1) * options.notifies();
    let remark =
        if delivered == expected as u64 { String::new() } else { format!("{delivered} of {expected} delivered") };
    let [floor, stateful, bare, _stateless] = results.as_slice() else { return Ok(()) };
    report.row(Row::figure("P1", &floor.name, "µs", floor.value()).remark(floor.remark()));
    report.row(
        Row::figure("P1", format!("{} to a C queue", stateful.name), "µs", stateful.value())
            .ratio(stateful.over(floor))
            .goal(Goal::AtMost(1.2))
            .remark(stateful.remark())
            .remark(remark),
    );
    report.row(Row::figure("P2", &bare.name, "µs", bare.value()).remark(bare.remark()));
    Ok(())
}
