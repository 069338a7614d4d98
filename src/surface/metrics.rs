//! What of the module's numbers is best seen with labels, as metrics of the module xhttp_prom: from Kamailio 6.1 on, when it is loaded.
//!
//! That module finds a metric by looking through all there are, under a lock that an answer to Prometheus holds while it is written. So
//! nobody gives it a number where something happens: the first b2b worker gives it all that has changed, once a second.

use std::cell::RefCell;
use std::time::Duration;

use crate::engine::{BOUNDS, Engine, RefusedFor, ReplyClass, Waited};
use crate::host::prom::{self, Metric, MetricKind};
use crate::subscription::{RequestKind, State, Untold};
use crate::time::Millis;

const SUBSCRIPTIONS: Metric = Metric {
    kind: MetricKind::Gauge,
    name: "presence_b2b_subscriptions_current",
    labels: "state:package",
    buckets: "",
    help: "Subscriptions by state and event package",
};

const SUBSCRIBES: Metric = Metric {
    kind: MetricKind::Counter,
    name: "presence_b2b_subscribes_total",
    labels: "kind",
    buckets: "",
    help: "SUBSCRIBEs sent",
};

const REPLIES: Metric = Metric {
    kind: MetricKind::Counter,
    name: "presence_b2b_replies_total",
    labels: "class",
    buckets: "",
    help: "Final replies to SUBSCRIBEs",
};

const NOTIFIES: Metric = Metric {
    kind: MetricKind::Counter,
    name: "presence_b2b_notifies_total",
    labels: "outcome:reason",
    buckets: "",
    help: "NOTIFYs of subscriptions, each counted once",
};

/// Its bounds are [`BOUNDS`], in seconds.
const WAITS: Metric = Metric {
    kind: MetricKind::Histogram,
    name: "presence_b2b_reply_seconds",
    labels: "class",
    buckets: "0.005:0.01:0.025:0.05:0.1:0.25:0.5:1:2.5:5:10:32",
    help: "Time from a SUBSCRIBE to its final reply",
};

/// Values of the label `kind`.
const KINDS: [(RequestKind, &str); 4] = [
    (RequestKind::New, "new"),
    (RequestKind::Refresh, "refresh"),
    (RequestKind::End, "end"),
    (RequestKind::Retry, "retry"),
];

/// Values of the labels `outcome` and `reason`.
const REFUSALS: [(RefusedFor, &str, &str); 8] = [
    (RefusedFor::Body, "discarded", "body"),
    (RefusedFor::Malformed, "refused", "malformed"),
    (RefusedFor::Event, "refused", "event"),
    (RefusedFor::Type, "refused", "type"),
    (RefusedFor::Size, "refused", "size"),
    (RefusedFor::Extension, "refused", "extension"),
    (RefusedFor::Room, "refused", "room"),
    (RefusedFor::Fork, "refused", "fork"),
];

/// How often they are given.
const PERIOD: Duration = Duration::from_secs(1);

/// How often those are given that have not changed: xhttp_prom forgets what it is not given for a minute, at the shortest.
const KEPT_ALIVE: Duration = Duration::from_secs(20);

/// How long it takes until it is tried again when the module has no memory for one.
const PAUSE: Duration = Duration::from_secs(10);

/// The most waits that are given at a time, less than a millisecond's work; the rest comes in the worker's next round.
const MOST_WAITS: u64 = 1000;

/// The metrics as this process has given them.
struct Given {
    /// When they are given next.
    next: Millis,
    /// When all were given last.
    all_at: Option<Millis>,
    /// The values that were given, in the order of [`for_each_series`]; `None` for one that never was.
    values: Vec<Option<u64>>,
    /// Waits that are still to be given.
    waits: [[Waited; BOUNDS.len() + 1]; ReplyClass::ALL.len()],
}

thread_local! {
    static GIVEN: RefCell<Option<Given>> = const { RefCell::new(None) };
}

/// Makes the metrics, and has waits counted for them; call once, in `mod_init`. `false` if xhttp_prom refuses one.
#[must_use]
pub fn make(engine: &Engine) -> bool {
    if !prom::bind() {
        return true;
    }
    let made = [SUBSCRIPTIONS, SUBSCRIBES, REPLIES, NOTIFIES, WAITS].iter().all(prom::create);
    if made {
        engine.want_waits();
    }
    made
}

/// In the worker with this number: gives them what has changed, if there are any and it is time. Whether there is more to give.
pub fn work(engine: &Engine, worker: usize) -> bool {
    if worker != 0 || !engine.are_waits_wanted() {
        return false;
    }
    let now = Engine::now();
    GIVEN.with_borrow_mut(|given| given.get_or_insert_default().give(engine, now))
}

impl Default for Given {
    fn default() -> Self {
        Self { next: Millis(0), all_at: None, values: Vec::new(), waits: Default::default() }
    }
}

/// The module has no memory for a metric; it has said so.
struct NotGiven;

impl Given {
    fn give(&mut self, engine: &Engine, now: Millis) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now.after(PERIOD);
        match self.give_values(engine, now).and_then(|()| self.give_waits(engine)) {
            Ok(true) => {
                self.next = now;
                true
            }
            Ok(false) => false,
            Err(NotGiven) => {
                self.next = now.after(PAUSE);
                false
            }
        }
    }

    fn give_values(&mut self, engine: &Engine, now: Millis) -> Result<(), NotGiven> {
        let all = self.all_at.is_none_or(|at| now.since(at) >= KEPT_ALIVE);
        let mut place = 0;
        for_each_series(engine, |metric, labels, value| {
            if place == self.values.len() {
                self.values.push(None);
            }
            let Some(given) = self.values.get_mut(place) else { return Ok(()) };
            place += 1;
            // What had a value has one for good.
            let Some(value) = value.or(given.map(|_| 0)) else { return Ok(()) };
            if *given == Some(value) && !all {
                return Ok(());
            }
            *given = Some(match metric.kind {
                MetricKind::Counter => {
                    let before = given.unwrap_or(0);
                    before + metric.add(value.saturating_sub(before), labels).ok_or(NotGiven)?
                }
                _ if metric.give(value as f64, labels) => value,
                _ => return Err(NotGiven),
            });
            Ok(())
        })?;
        if all {
            self.all_at = Some(now);
        }
        Ok(())
    }

    /// Gives waits to the histogram; whether there are more. It counts one at a time: as those of an interval are known by their number and
    /// their sum, each is given as the mean of the rest, which lies in the interval and leaves the sum right.
    fn give_waits(&mut self, engine: &Engine) -> Result<bool, NotGiven> {
        let taken = engine.take_waits();
        for (kept, more) in self.waits.iter_mut().flatten().zip(taken.iter().flatten()) {
            kept.count += more.count;
            kept.sum += more.sum;
        }
        let mut left = MOST_WAITS;
        for (class, kept) in ReplyClass::ALL.into_iter().zip(&mut self.waits) {
            for waited in kept {
                while waited.count > 0 {
                    if left == 0 {
                        return Ok(true);
                    }
                    left -= 1;
                    let mean = waited.sum / waited.count;
                    if !WAITS.give(mean as f64 / 1000.0, [class.name(), ""]) {
                        return Err(NotGiven);
                    }
                    waited.count -= 1;
                    waited.sum -= mean;
                }
            }
        }
        Ok(false)
    }
}

/// Calls `each` with each series and its value, always in the same order. A state of a package has none until the package has been used.
fn for_each_series(
    engine: &Engine,
    mut each: impl FnMut(&Metric, [&'static str; 2], Option<u64>) -> Result<(), NotGiven>,
) -> Result<(), NotGiven> {
    for (kind, name) in KINDS {
        each(&SUBSCRIBES, [name, ""], Some(engine.subscribes(kind)))?;
    }
    for class in ReplyClass::ALL {
        each(&REPLIES, [class.name(), ""], Some(engine.replies(class)))?;
    }
    each(&NOTIFIES, ["accepted", "none"], Some(engine.accepted()))?;
    each(&NOTIFIES, ["discarded", "repeated"], Some(engine.untold(Untold::Repeated)))?;
    each(&NOTIFIES, ["refused", "stale"], Some(engine.untold(Untold::Stale)))?;
    for (why, outcome, name) in REFUSALS {
        each(&NOTIFIES, [outcome, name], Some(engine.refused(why)))?;
    }
    let (grid, names) = (engine.registry.tally_grid(), State::names());
    for package in engine.config.packages.iter() {
        let counts = grid.get(package.number.place()).copied().unwrap_or_default();
        let is_used = counts.iter().any(|count| *count > 0);
        for (state, count) in names.into_iter().zip(counts) {
            each(&SUBSCRIPTIONS, [state, package.name], is_used.then_some(count.into()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_counted_as_the_histogram_has_them() {
        let bounds: Vec<f64> = WAITS.buckets.split(':').map(|bound| bound.parse().unwrap()).collect();
        assert_eq!(bounds, BOUNDS.map(|bound| bound as f64 / 1000.0));
    }
}
