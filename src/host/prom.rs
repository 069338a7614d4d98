//! Metrics with labels for Prometheus: the module xhttp_prom, from Kamailio 6.1 on, when it is loaded.

use std::ffi::{CString, c_int};
use std::ptr::null_mut;
use std::sync::OnceLock;

use super::bindings as ks;
use super::text::lend;

/// Whether [`bind`] has found it. Set before the fork.
static BOUND: OnceLock<bool> = OnceLock::new();

/// The most that a counter is given at a time: the module takes an `int`.
const MOST_AT_ONCE: u64 = 1 << 30;

/// What a metric does with the numbers it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It adds them up.
    Counter,
    /// It shows the last one.
    Gauge,
    /// It counts how many are up to each of its bounds.
    Histogram,
}

impl MetricKind {
    fn number(self) -> c_int {
        (match self {
            Self::Counter => ks::PB2B_PROM_COUNTER,
            Self::Gauge => ks::PB2B_PROM_GAUGE,
            Self::Histogram => ks::PB2B_PROM_HISTOGRAM,
        }) as c_int
    }
}

/// A metric with one label or two.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// What it is.
    pub kind: MetricKind,
    /// Its name. The server puts its prefix before it.
    pub name: &'static str,
    /// The names of its labels, with a colon between two.
    pub labels: &'static str,
    /// The bounds of a histogram, with colons between them; empty for other metrics.
    pub buckets: &'static str,
    /// What it says, without quotation marks.
    pub help: &'static str,
}

/// Finds the module; call once, in `mod_init`. `false` if it is not loaded, or the server is older than 6.1.
#[must_use]
pub fn bind() -> bool {
    // SAFETY: fills the shim's table, before the fork.
    *BOUND.get_or_init(|| unsafe { ks::pb2b_prom_bind() } >= 0)
}

/// Makes a metric; only in `mod_init`, after [`bind`]. `false` if the module refuses it; it has said why.
#[must_use]
pub fn create(metric: &Metric) -> bool {
    let Metric { kind, name, labels, buckets, help } = metric;
    let bounds = if buckets.is_empty() { String::new() } else { format!("buckets={buckets};") };
    let Ok(spec) = CString::new(format!("name={name};label={labels};{bounds}help=\"{help}\"")) else { return false };
    let spec = spec.into_raw();
    // SAFETY: the text is writable, ends with NUL and is taken back below; the module copies what it keeps.
    let made = BOUND.get() == Some(&true) && unsafe { ks::pb2b_prom_create(kind.number(), spec) } >= 0;
    // SAFETY: made by `into_raw` above; nothing writes a NUL into it.
    drop(unsafe { CString::from_raw(spec) });
    made
}

impl Metric {
    /// Gives it a number, for these values of its labels, none of them empty. `false` if the module has no memory for that.
    ///
    /// Takes a lock that an answer to Prometheus holds while it is written: only for the module's own processes.
    #[must_use]
    pub fn give(&self, number: f64, labels: [&str; 2]) -> bool {
        let [first, second] = labels;
        BOUND.get() == Some(&true)
            && lend([self.name.as_bytes(), first.as_bytes(), second.as_bytes()], |texts| {
                let [mut name, mut first, mut second] = texts;
                let second: *mut ks::str_ = if second.len == 0 { null_mut() } else { &raw mut second };
                // SAFETY: bound before the fork; the texts are the host's own for the call, and the module copies what it keeps.
                unsafe { ks::pb2b_prom_give(self.kind.number(), &mut name, number, &mut first, second) >= 0 }
            })
    }

    /// Adds to a counter: how much, as the module does not take any number at once. `None` as [`give`](Self::give) is false.
    #[must_use]
    pub fn add(&self, more: u64, labels: [&str; 2]) -> Option<u64> {
        let more = more.min(MOST_AT_ONCE);
        self.give(more as f64, labels).then_some(more)
    }
}
