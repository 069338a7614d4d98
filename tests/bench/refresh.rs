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

/// How long it takes to arrange so many, on a busy machine too. Whole seconds, as notifiers tell the time: a part of one
/// would be waited for behind it.
pub fn lead(count: usize) -> Duration {
    let wanted = Duration::from_millis(1000) + Duration::from_micros(150) * count as u32;
    Duration::from_secs(wanted.as_millis().div_ceil(1000) as u64)
}

/// One round: CPU time of all processes in µs for each of `count` refreshes.
pub fn round(population: &Population, load: &mut Load, count: usize) -> Result<f64, Failure> {
    let all = Processes::of(&population.server);
    let before_all = seen(population);
    let due = arrange(population, load, count, lead(count))?;
    rest(SETTLED)?;
    let idle = {
        let (before, begun) = (all.used(), Instant::now());
        rest(Duration::from_millis(200))?;
        (all.used() - before).ran.as_secs_f64() / begun.elapsed().as_secs_f64()
    };
    let (before, begun) = (all.used(), Instant::now());
    if Instant::now() >= due {
        return Err("refreshes are due before they can be counted".into());
    }
    while seen(population) < before_all + count {
        rest(Duration::from_millis(5))?;
        if due.elapsed() > PATIENCE {
            return Err(format!("{} of {count} refreshes, and no more come", seen(population) - before_all).into());
        }
    }
    rest(SETTLED)?;
    let used = (all.used() - before).ran.as_secs_f64() - idle * begun.elapsed().as_secs_f64();
    Ok(used * 1e6 / count as f64)
}
