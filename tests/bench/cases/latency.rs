//! How soon a consumer has a NOTIFY's news: P8.

use std::time::Duration;

use serde_json::json;

use crate::compare::Failure;
use crate::load::Load;
use crate::options::Options;
use crate::population::Population;
use crate::report::{Curve, Report};
use crate::servers::{self, Consumer, FLOOR, STATEFUL, STATELESS};
use crate::statistics::{Sample, quantile, quantile_of_buckets};
use crate::table::Row;

/// NOTIFYs a second.
const RATE: f64 = 10_000.0;
const RECORDS: usize = 1000;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P8") {
        return Ok(());
    }
    report.say("latency at 10,000 NOTIFYs a second");
    let builder = servers::b2b(&[STATEFUL, STATELESS, FLOOR], 1, Consumer::Process).shm_megabytes(500);
    let mut population = Population::start(builder, RECORDS)?;
    population.grow(RECORDS)?;
    let mut load = Load::new(population.desk())?;
    let mut curves = Vec::new();
    let time = Duration::from_secs(if options.quick { 2 } else { 10 });
    for way in [FLOOR, STATEFUL, STATELESS] {
        let to = way.addr(&population.server);
        load.pace(population.desk(), to, RECORDS, RATE, |since| since >= time / 4)?;
        let _ = ages(&population)?;
        let outcome = load.pace(population.desk(), to, RECORDS, RATE, |since| since >= time)?;
        let mut answers: Vec<f64> = outcome.latencies.iter().map(|seconds| seconds * 1e6).collect();
        answers.sort_by(f64::total_cmp);
        let rate = answers.len() as f64 / outcome.took.as_secs_f64();
        let remark = format!("{rate:.0} NOTIFYs/s{}", outcome.problem().map(|p| format!(", {p}")).unwrap_or_default());
        for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
            let value = quantile(&answers, part).map(Sample::single);
            report.row(Row::figure("P8", format!("{}: answered, {name}", way.name), "µs", value).remark(&remark));
        }
        let points = (1..1000).filter_map(|n| Some((quantile(&answers, f64::from(n) / 1000.0)?, f64::from(n) / 10.0)));
        curves.push(Curve { name: format!("{}: answered", way.name), points: points.collect() });
        if way.port == FLOOR.port {
            continue;
        }
        let ages = ages(&population)?;
        for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
            let value = quantile_of_buckets(&ages, part).map(Sample::single);
            report
                .row(Row::figure("P8", format!("{}: consumer has it, {name}", way.name), "µs", value).remark(&remark));
        }
        let all: u64 = ages.iter().map(|(_, count)| count).sum();
        let mut seen = 0;
        let points = ages.iter().map(|(low, count)| {
            seen += count;
            (*low, 100.0 * seen as f64 / all.max(1) as f64)
        });
        curves.push(Curve { name: format!("{}: consumer has it", way.name), points: points.collect() });
    }
    report.keep_latency(curves);
    population.server.stop();
    Ok(())
}

/// How old messages were when the consumer took them, since the last time it was asked: µs and counts.
fn ages(population: &Population) -> Result<Vec<(f64, u64)>, Failure> {
    let answer = population.server.rpc("bench.ages", json!([])).map_err(|error| error.to_string())?;
    let line = |value: &serde_json::Value| {
        let (low, count) = value.as_str()?.split_once(' ')?;
        Some((low.parse::<f64>().ok()? / 1e3, count.parse().ok()?))
    };
    Ok(answer.as_array().into_iter().flatten().filter_map(line).collect())
}
