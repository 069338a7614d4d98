//! Refreshes: P7. What one costs, and what a burst of them does to NOTIFYs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::setup::Contender;
use crate::compare::{Failure, rest};
use crate::drive::Until;
use crate::load::Load;
use crate::notifier::Manners;
use crate::options::Options;
use crate::population::Population;
use crate::refresh;
use crate::report::Report;
use crate::servers::{self, Consumer, DRIVER, SEND, STATEFUL};
use crate::signals;
use crate::statistics::{Sample, quantile};
use crate::table::{Goal, Row};

/// NOTIFYs a second beside the burst.
const RATE: f64 = 1000.0;
/// SUBSCRIBEs a second in a burst: the default for all destinations together, though here there is only one.
const TOTAL_RATE: i64 = 5000;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P7") {
        return Ok(());
    }
    let (rounds, count, burst) = if options.quick { (2, 5000, 10_000) } else { (5, 20_000, 50_000) };
    let builder = || refresh::quickly(servers::b2b(&[STATEFUL], 1, Consumer::Callback)).shm_megabytes(1500);
    let mut population = Population::start(builder(), count)?;
    population.grow(count)?;
    // The NOTIFY that follows a refresh has a price of its own.
    let manners = Manners { notify_first: true, notify_later: false };
    population.desk().behave(manners);
    report.say("refreshes beside bare SUBSCRIBEs");
    let most = (rounds + 1) * count;
    let bare = servers::plain(&[SEND]).shm_megabytes(1000).module("uac").route(servers::UAC_REPLY).start();
    let driver = servers::plain(&[DRIVER]).shm_megabytes(100).start();
    let mut bare = Contender::new(bare, most, SEND, Until::Answered)?;
    let mut driver = Contender::new(driver, most, DRIVER, Until::Read)?;
    bare.quiet(manners);
    let mut load = Load::new(population.desk())?;
    let mut costs = Vec::new();
    for round in 0..=rounds {
        let bare = bare.round(count)?;
        let driver = driver.round(count / 64 * 64)?;
        let ours = refresh::round(&population, &mut load, count)?;
        if round > 0 {
            costs.push((bare - driver, ours));
        }
    }
    bare.stop();
    driver.stop();
    let (under, over): (Vec<f64>, Vec<f64>) = costs.into_iter().unzip();
    report.row(Row::figure("P7", "bare uac_req_send with callback", "µs", Sample::of(&under)));
    let row = Row::figure("P7", "refresh", "µs", Sample::of(&over));
    report.row(row.ratio(Sample::ratio(&over, &under)).goal(Goal::AtMost(1.3)));
    population.server.stop();

    let rates = builder().b2b_param("destination_rate", TOTAL_RATE).b2b_param("total_rate", TOTAL_RATE);
    let mut population = Population::start(rates, burst)?;
    population.grow(burst)?;
    population.desk().behave(Manners { notify_first: true, notify_later: false });
    beside_a_burst(options, report, &population, burst)?;
    population.server.stop();
    Ok(())
}

fn beside_a_burst(
    options: &Options,
    report: &mut Report,
    population: &Population,
    burst: usize,
) -> Result<(), Failure> {
    report.say("NOTIFYs beside a burst of refreshes");
    let to = STATEFUL.addr(&population.server);
    let mut load = Load::new(population.desk())?;
    let quiet = Duration::from_secs(if options.quick { 3 } else { 10 });
    let idle = load.pace(population.desk(), to, population.count, RATE, |since| since >= quiet)?;
    let sent = AtomicUsize::new(0);
    let rounds = if options.quick { 1 } else { 3 };
    let (mut latencies, mut took, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let before = refresh::seen(population);
        let due = refresh::arrange(population, &mut load, burst, refresh::lead(burst))?;
        rest(due.saturating_duration_since(Instant::now()).saturating_sub(Duration::from_millis(50)))?;
        let ended = AtomicBool::new(false);
        let outcome = thread::scope(|scope| {
            // What counts is the time in which refreshes are sent.
            scope.spawn(|| {
                // A NOTIFY that comes before its refresh postpones it, so not quite all of them.
                let (mut last, mut news) = (before, due);
                while last < before + burst && news.elapsed() < Duration::from_millis(500) && signals::came().is_none()
                {
                    thread::sleep(Duration::from_millis(5));
                    if refresh::seen(population) > last {
                        (last, news) = (refresh::seen(population), Instant::now());
                    }
                }
                sent.fetch_add(last - before, Ordering::Relaxed);
                ended.store(true, Ordering::Relaxed);
            });
            let until = |_| ended.load(Ordering::Relaxed);
            load.pace(population.desk(), to, population.count, RATE, until)
        })?;
        took.push(outcome.took.as_secs_f64());
        problems.extend(outcome.problem());
        latencies.extend(outcome.latencies);
        rest(Duration::from_millis(1500))?;
    }
    let at = |latencies: &[f64], part: f64| {
        let mut sorted = latencies.to_vec();
        sorted.sort_by(f64::total_cmp);
        quantile(&sorted, part).map(|seconds| seconds * 1e6)
    };
    let sent = sent.load(Ordering::Relaxed) / rounds;
    for (what, part) in [("median", 0.5), ("p99", 0.99)] {
        let [idle, beside] = [&idle.latencies, &latencies].map(|latencies| at(latencies, part));
        let single = |value: Option<f64>| value.map(Sample::single);
        report.row(Row::figure("P7", format!("answer to a NOTIFY, {what}, idle"), "µs", single(idle)));
        let ratio = beside.zip(idle).map(|(beside, idle)| Sample::single(beside / idle));
        let name = format!("answer to a NOTIFY, {what}, while {burst} refreshes are due at once");
        let row = Row::figure("P7", name, "µs", single(beside)).ratio(ratio);
        let seconds = Sample::of(&took).map_or(0.0, |took| took.median);
        let row = row.remark(format!("{sent} sent in {seconds:.1} s")).remark(problems.join("; "));
        // No burst, no verdict.
        report.row(if part > 0.9 && sent > 0 { row.goal(Goal::AtMost(2.0)) } else { row });
    }
    Ok(())
}
