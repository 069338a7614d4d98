//! Refreshes when they are wanted: a NOTIFY whose Subscription-State has a short `expires` makes one due.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::compare::{Failure, rest};
use crate::load::Load;
use crate::measure::Processes;
use crate::population::Population;
use crate::servers::{SETTLED, STATEFUL};
use crate::support::config::Builder;

/// How long before its end a subscription is refreshed.
const DELTA: i64 = 60;
/// NOTIFYs that are sent with the same `expires`.
const CHUNK: usize = 1000;
/// How long refreshes may take from when they are due.
const PATIENCE: Duration = Duration::from_secs(30);

/// With parameters that let refreshes follow each other quickly.
pub fn quickly(builder: Builder) -> Builder {
    builder.b2b_param("min_resubscribe_time", 0).b2b_param("resubscribe_delta", DELTA).b2b_param("refresh_jitter", 0)
}

/// Refreshes that have reached the notifier.
pub fn seen(population: &Population) -> usize {
    population.desk().counts.later.load(Ordering::Relaxed) as usize
}

/// Has `count` subscriptions refresh within the second that begins after `lead`; returns when that is.
pub fn arrange(population: &Population, load: &mut Load, count: usize, lead: Duration) -> Result<Instant, Failure> {
    let due = Instant::now() + lead;
    let to = STATEFUL.addr(&population.server);
    let mut left = count;
    while left > 0 {
        let chunk = left.min(CHUNK);
        let seconds = due.saturating_duration_since(Instant::now()).as_secs_f64().ceil() as i64 + DELTA;
        load.expires(seconds);
        let outcome = load.saturate(population.desk(), to, population.count, chunk)?;
        if let Some(problem) = outcome.problem() {
            return Err(format!("NOTIFYs that are to shorten subscriptions: {problem}").into());
        }
        left -= chunk;
    }
    load.expires(3600);
    Ok(due)
}

/// Has about `count` subscriptions refresh, so many a second; how many they are, and when the first is due.
pub fn arrange_evenly(
    population: &Population,
    load: &mut Load,
    count: usize,
    rate: f64,
) -> Result<(usize, Instant), Failure> {
    let took = Duration::from_secs_f64(count as f64 / rate);
    // What these NOTIFYs change is written before: within a second, and on a busy machine, or among a million, it takes longer to see that.
    let lead = Duration::from_secs(took.as_secs() + 15);
    let due = Instant::now() + lead;
    load.expires(lead.as_secs() as i64 + DELTA);
    let to = STATEFUL.addr(&population.server);
    let outcome = load.pace(population.desk(), to, population.count, rate, |since| since >= took)?;
    load.expires(3600);
    match outcome.problem() {
        Some(problem) => Err(format!("NOTIFYs that are to shorten subscriptions: {problem}").into()),
        None => Ok((outcome.accepted, due)),
    }
}

/// How long it takes to arrange so many, on a busy machine too. Whole seconds, as notifiers tell the time: a part of one
/// would be waited for behind it.
pub fn lead(count: usize) -> Duration {
    let wanted = Duration::from_millis(1000) + Duration::from_micros(150) * count as u32;
    Duration::from_secs(wanted.as_millis().div_ceil(1000) as u64)
}

/// One round: CPU time of all processes in µs for each of `count` refreshes.
pub fn round(population: &Population, load: &mut Load, count: usize) -> Result<f64, Failure> {
    let all = [Processes::of(&population.server)];
    let due = arrange(population, load, count, lead(count))?;
    let costs = costs(population, (count, due), &all, || rest(SETTLED))?;
    Ok(costs.first().copied().unwrap_or(f64::NAN))
}

/// So many refreshes that are arranged, the first at that moment: for each, the CPU time in µs of these groups of processes. What comes before
/// and after them is waited for by `settle`.
pub fn costs(
    population: &Population,
    (count, due): (usize, Instant),
    groups: &[Processes],
    settle: impl Fn() -> Result<(), Failure>,
) -> Result<Vec<f64>, Failure> {
    let before_all = seen(population);
    let used = || groups.iter().map(|group| group.used().ran.as_secs_f64()).collect::<Vec<_>>();
    settle()?;
    let idle: Vec<f64> = {
        let (before, begun) = (used(), Instant::now());
        rest(Duration::from_millis(200))?;
        let took = begun.elapsed().as_secs_f64();
        used().iter().zip(&before).map(|(after, before)| (after - before) / took).collect()
    };
    let (before, begun) = (used(), Instant::now());
    if Instant::now() >= due {
        return Err("refreshes are due before they can be counted".into());
    }
    while seen(population) < before_all + count {
        rest(Duration::from_millis(5))?;
        if due.elapsed() > PATIENCE {
            return Err(format!("{} of {count} refreshes, and no more come", seen(population) - before_all).into());
        }
    }
    settle()?;
    let took = begun.elapsed().as_secs_f64();
    let cost = |((after, before), idle): ((&f64, &f64), &f64)| (after - before - idle * took) * 1e6 / count as f64;
    Ok(used().iter().zip(&before).zip(&idle).map(cost).collect())
}
