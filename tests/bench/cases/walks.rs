//! How long locks are held while a command goes through all subscriptions: P6, by a server whose locks measure themselves.

use std::time::Instant;

use serde_json::{Value, json};

use super::locks::{field_of, read};
use crate::compare::Failure;
use crate::options::Options;
use crate::population::Population;
use crate::report::Report;
use crate::servers::{self, Consumer, STATEFUL};
use crate::statistics::Sample;
use crate::table::{Goal, Row, number};

/// The most microseconds for which 999 of 1000 times a lock may be held: 256 subscriptions are looked at, none of which is in a cache.
const BRIEF: f64 = 200.0;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P6") {
        return Ok(());
    }
    let Some(builder) = servers::metered(&[STATEFUL], 1, Consumer::Callback) else {
        report.open("P6", "walks", "the module with metered locks is wanted in PRESENCE_B2B_METERED_SO");
        return Ok(());
    };
    let most = options.subscriptions();
    report.say(&format!("walks through {most} subscriptions"));
    let mut population = Population::start(builder.shm_megabytes(options.shm_megabytes()), most)?;
    population.grow(most)?;
    let nobody = "record=sip:nobody@notifier.invalid";
    for (name, command, filters) in [
        ("find, a part of the subscriber", "presence_b2b.find", &["subscriber=*nobody*"][..]),
        ("find, one record", "presence_b2b.find", &[nobody]),
        ("audit", "presence_b2b.audit", &[]),
        ("unsubscribe_all, dry run", "presence_b2b.unsubscribe_all", &["record=*", "limit=1000", "dry_run=1"]),
        ("list, a filter", "presence_b2b.list", &["0", "100", "subscriber=*nobody*"]),
        ("count", "presence_b2b.count", &[]),
    ] {
        read(&population)?;
        let begun = Instant::now();
        let calls = walk(&population, command, filters)?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        let readings = read(&population)?;
        let micros = |field: &str| field_of(&readings, "registry", field).map(|nanos| nanos / 1e3);
        let [p50, longest] = ["held_p50", "held_longest"].map(|field| number(micros(field).unwrap_or_default()));
        let value = micros("held_p999").map(Sample::single);
        let row = Row::figure("P6", format!("a shard's lock is held, p99.9, {name}"), "µs", value);
        let row = row.goal(Goal::AtMost(BRIEF)).remark(format!("p50 {p50}, longest {longest} µs"));
        report.row(row.remark(format!("{calls} calls, {} ms", number(took))));
    }
    population.server.stop();
    Ok(())
}

/// Calls a command until it has gone through all; how often that was.
fn walk(population: &Population, command: &str, filters: &[&str]) -> Result<usize, Failure> {
    let mut next = json!(0);
    for call in 1.. {
        let mut params: Vec<Value> = filters.iter().map(|filter| json!(filter)).collect();
        params.extend((next != 0).then(|| json!(format!("from={next}"))));
        let answer = population.server.rpc(command, json!(params)).map_err(|error| format!("{command}: {error}"))?;
        next = answer.get("next").cloned().unwrap_or(json!(0));
        if next == 0 {
            return Ok(call);
        }
    }
    Ok(0)
}
