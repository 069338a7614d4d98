//! NOTIFYs that the script is told of: P3.

use serde_json::json;

use crate::compare::{Contender, Failure, Measured, compare};
use crate::drive::{Drive, Until};
use crate::options::Options;
use crate::population::presence;
use crate::report::Report;
use crate::servers::{self, Consumer, FLOOR, STATEFUL, STATELESS, WATCH};
use crate::table::Goal;

/// What the script reads.
const EVENT: &str = "event_route[qsa:notify] {\n    $var(basic) = $qsa(basic);\n    $var(note) = $qsa(note);\n}";

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P3") {
        return Ok(());
    }
    report.say("NOTIFYs told to the script");
    let count = if options.quick { 2000 } else { 20_000 };
    let builder = servers::b2b(&[STATEFUL, STATELESS, FLOOR, WATCH], 1, Consumer::Callback).route(EVENT);
    let server = builder.b2b_param("queue_limit", 200_000).shm_megabytes(1500).start();
    let mut drive = Drive::new(count, 64, presence())?;
    drive.run(WATCH.addr(&server), 0, count, Until::Notified)?;
    let told = || -> Result<u64, Failure> {
        let trace = server.rpc("presence_b2b.trace", json!([])).map_err(|error| error.to_string())?;
        Ok(trace["delivered"].as_u64().unwrap_or_default())
    };
    let before = told()?;
    let desk = drive.desk().clone();
    let contenders = [FLOOR, STATEFUL, STATELESS].map(|way| Contender {
        name: way.name.to_owned(),
        server: &server,
        way,
        desk: &desk,
        records: count,
    });
    let results = compare(&contenders, options.rounds(), options.notifies())?;
    let expected = (2 * (options.rounds() + 1) * options.notifies()) as u64;
    let all = told()? - before;
    let remark = if all == expected { String::new() } else { format!("{all} of {expected} told") };
    if let [floor, stateful, stateless] = results.as_slice() {
        let row =
            |name: &str, measured: &Measured| measured.row("P3", name).remark(&remark).ratio(measured.over(floor));
        report.row(floor.row("P3", &floor.name));
        report.row(row("handle_notify, event route reads $qsa(basic), $qsa(note)", stateful).goal(Goal::AtMost(2.0)));
        report.row(row("the same without a transaction", stateless));
    }
    drop(contenders);
    server.stop();
    Ok(())
}
