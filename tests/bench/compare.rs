//! Several ways of answering, side by side in the same rounds.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use crate::load::Load;
use crate::measure::Processes;
use crate::notifier::Desk;
use crate::servers::{SETTLED, Way};
use crate::signals;
use crate::statistics::Sample;
use crate::support::kamailio::Server;
use crate::table::Row;

/// What stops a case.
pub type Failure = Box<dyn Error>;

/// A worker that was busy for a smaller part of the time than this was waiting for the load.
const BUSY: f64 = 0.9;

/// A way on a server, with what all rounds gave.
pub struct Measured {
    /// Its name.
    pub name: String,
    /// CPU time of all the server's processes, in µs for each message, round by round.
    pub cpu: Vec<f64>,
    /// Messages a second, round by round.
    pub rate: Vec<f64>,
    /// The part of the time in which the worker had work, round by round.
    pub busy: Vec<f64>,
    /// What went wrong.
    pub problems: Vec<String>,
}

impl Measured {
    /// The CPU time of a message, in µs.
    pub fn value(&self) -> Option<Sample> {
        Sample::of(&self.cpu)
    }

    /// The ratio of CPU times.
    pub fn over(&self, floor: &Measured) -> Option<Sample> {
        Sample::ratio(&self.cpu, &floor.cpu)
    }

    /// Messages a second, by the clock on the wall.
    pub fn per_second(&self) -> Option<f64> {
        Sample::of(&self.rate).map(|rate| rate.median)
    }

    /// Its row in the table.
    pub fn row(&self, id: &'static str, name: impl Into<String>) -> Row {
        Row::figure(id, name, "µs", self.value()).rate(self.per_second()).remark(self.remark())
    }

    /// A remark beside the result.
    fn remark(&self) -> String {
        let busy = Sample::of(&self.busy).map_or(1.0, |busy| busy.median);
        let idle = (busy < BUSY).then(|| format!("the worker was busy for {:.0} % only", busy * 100.0));
        idle.into_iter().chain(self.problems.iter().cloned()).collect::<Vec<_>>().join("; ")
    }
}

/// One thing to be compared.
pub struct Contender<'a> {
    /// Its name.
    pub name: String,
    /// The server.
    pub server: &'a Server,
    /// The way on it.
    pub way: Way,
    /// Whose dialogs the NOTIFYs are of.
    pub desk: &'a Desk,
    /// The records they are of.
    pub records: usize,
}

/// Waits, unless a signal has come.
pub fn rest(time: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    while begun.elapsed() < time {
        interrupted()?;
        thread::sleep((time - begun.elapsed().min(time)).min(Duration::from_millis(20)));
    }
    Ok(())
}

/// Fails when a signal has come.
pub fn interrupted() -> Result<(), Failure> {
    match signals::came() {
        Some(number) => Err(format!("stopped by signal {number}").into()),
        None => Ok(()),
    }
}

/// How long until nothing is left of a round.
fn settle(way: Way) -> Duration {
    if way.leaves_transactions() { SETTLED } else { Duration::from_millis(50) }
}

/// `rounds` rounds of `count` messages for each contender, after one that does not count.
pub fn compare(contenders: &[Contender], rounds: usize, count: usize) -> Result<Vec<Measured>, Failure> {
    let mut results: Vec<Measured> = contenders
        .iter()
        .map(|contender| Measured {
            name: contender.name.clone(),
            cpu: Vec::new(),
            rate: Vec::new(),
            busy: Vec::new(),
            problems: Vec::new(),
        })
        .collect();
    let mut loads = contenders.iter().map(|contender| Load::new(contender.desk)).collect::<Result<Vec<_>, _>>()?;
    let idle = contenders.iter().map(|contender| idle_share(contender.server)).collect::<Result<Vec<_>, _>>()?;
    for round in 0..=rounds {
        for (((contender, load), result), idle) in contenders.iter().zip(&mut loads).zip(&mut results).zip(&idle) {
            interrupted()?;
            let (all, worker) = (Processes::of(contender.server), worker_of(contender));
            let (before, worker_before, begun) = (all.used(), worker.used(), Instant::now());
            let outcome =
                load.saturate(contender.desk, contender.way.addr(contender.server), contender.records, count)?;
            let worker_used = worker.used() - worker_before;
            rest(settle(contender.way))?;
            let (used, took) = (all.used() - before, begun.elapsed());
            if let Some(problem) = outcome.problem().filter(|problem| !result.problems.contains(problem)) {
                result.problems.push(problem);
            }
            if round == 0 || outcome.accepted == 0 {
                continue;
            }
            let idle = idle * took.as_secs_f64();
            result.cpu.push((used.ran.as_secs_f64() - idle).max(0.0) * 1e6 / outcome.accepted as f64);
            result.rate.push(outcome.accepted as f64 / outcome.took.as_secs_f64());
            let busy = worker_used.ran + worker_used.waited;
            result.busy.push(busy.as_secs_f64() / outcome.took.as_secs_f64() / worker.pids().len().max(1) as f64);
        }
    }
    Ok(results)
}

fn worker_of(contender: &Contender) -> Processes {
    Processes::named(contender.server, &format!(":{}", contender.way.port))
}

/// The part of a processor that a server takes when nothing comes: timers.
pub fn idle_share(server: &Server) -> Result<f64, Failure> {
    let all = Processes::of(server);
    let (before, begun) = (all.used(), Instant::now());
    rest(Duration::from_millis(500))?;
    Ok((all.used() - before).ran.as_secs_f64() / begun.elapsed().as_secs_f64())
}
