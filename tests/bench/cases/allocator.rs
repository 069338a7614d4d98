//! NOTIFYs under Kamailio's default allocator, which checks what it is given and taken: for information, without goals.

use crate::compare::{Contender, Failure, compare};
use crate::options::Options;
use crate::population::Population;
use crate::report::Report;
use crate::servers::{self, BARE_SL, Consumer, FLOOR, STATEFUL, STATELESS};

const RECORDS: usize = 1000;
/// After the first, which does not count.
const ROUNDS: usize = 2;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P1") && !options.wants("P2") {
        return Ok(());
    }
    report.say("NOTIFYs under the allocator qm");
    let builder = servers::b2b(&[STATEFUL, STATELESS, FLOOR, BARE_SL], 1, Consumer::Callback).qm();
    let mut population = Population::start(builder.shm_megabytes(500), RECORDS)?;
    population.grow(RECORDS)?;
    let contenders = [FLOOR, STATEFUL, BARE_SL, STATELESS].map(|way| Contender {
        name: format!("{}, allocator qm", way.name),
        server: &population.server,
        way,
        desk: population.desk(),
        records: RECORDS,
    });
    let results = compare(&contenders, ROUNDS, options.notifies() / 5)?;
    if let [floor, stateful, bare, stateless] = results.as_slice() {
        for (id, under, over) in [("P1", floor, stateful), ("P2", bare, stateless)] {
            if options.wants(id) {
                report.row(under.row(id, &under.name));
                report.row(over.row(id, &over.name).ratio(over.over(under)));
            }
        }
    }
    drop(contenders);
    population.server.stop();
    Ok(())
}
