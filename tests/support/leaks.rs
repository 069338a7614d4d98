//! Memory that a behaviour leaves behind each time, wherever it does: the private memory of every process, and the shared
//! memory of every module.
//!
//! Unlike that of the module under test (see [`super::shm`]), it is not back to the byte: the server keeps buffers, names
//! and connections. A leak is what grows with each run: in two batches in a row, by something for every run.

use std::collections::BTreeMap;

use serde_json::Value;

use super::kamailio::Server;
use super::shm::Shm;

/// Runs in a batch.
const RUNS: i64 = 8;
/// The least that a leaked piece can take.
const LEAST: i64 = 8;

type Amounts = BTreeMap<String, i64>;

/// Runs `scenario` often, and fails if each run leaves memory behind in any process or module of `server`. It needs few
/// workers, so that each of them has its part in every batch.
pub fn leaves_nothing_anywhere(server: &Server, mut scenario: impl FnMut()) {
    many_leave_nothing_anywhere(server, |runs| (0..runs).for_each(|_| scenario()));
}

/// As [`leaves_nothing_anywhere`], where the runs of a batch, so many, are made at once.
pub fn many_leave_nothing_anywhere(server: &Server, mut runs: impl FnMut(i64)) {
    let mut batch = || {
        runs(RUNS);
        (private(server), shared(server))
    };
    batch();
    let (first, second, third) = (batch(), batch(), batch());
    let mut leaks = growing(&[&first.0, &second.0, &third.0], RUNS * LEAST);
    leaks.extend(growing(&[&first.1, &second.1, &third.1], RUNS));
    assert!(leaks.is_empty(), "left behind in each of two batches of {RUNS} runs:\n{}", leaks.join("\n"));
}

/// What is more by `least` from each to the next.
pub fn growing(amounts: &[&Amounts], least: i64) -> Vec<String> {
    let last = amounts.last().map(|last| last.keys()).into_iter().flatten();
    let series = last.map(|name| (name, amounts.iter().map(|one| one.get(name).copied().unwrap_or(0)).collect()));
    let grows = |(_, series): &(&String, Vec<i64>)| series.windows(2).all(|pair| pair[1] - pair[0] >= least);
    series.filter(grows).map(|(name, series)| format!("  {name}: {series:?}")).collect()
}

/// Bytes of private memory by process.
fn private(server: &Server) -> Amounts {
    server.private_memory("").into_iter().map(|(pid, bytes)| (format!("process {pid}"), bytes as i64)).collect()
}

/// Pieces of shared memory by the line that took them, in every module. A transaction lives on for a moment; the module's
/// own promise, which has a test of its own, is waited for here too.
fn shared(server: &Server) -> Amounts {
    let modules = server.rpc("core.modules", Value::Null).expect("core.modules");
    let names = modules.as_array().into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<&str> = names.chain(["core"]).collect();
    assert!(names.len() > 5, "{modules}");
    Shm::settled(server, &names).by_line()
}
