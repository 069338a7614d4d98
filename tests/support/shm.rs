//! Proof that shared memory is back where it was.
//!
//! Debian's Kamailio is built with `DBG_SR_MEMORY`: each piece of shared memory knows the module, function and line it
//! was allocated for, and `mod.mem_statsx <module> shm` (module `kex`) sums pieces and bytes per line, with the
//! allocator locked. Those sums are exact. The totals of `core.shmmem` and `shm.stats` are not a measure: DNS cache,
//! TCP connections and other modules come and go in them. A module's lines carry its `MOD_NAME`, so all that the module
//! under test allocates is `presence_b2b`; what it makes tm keep is `tm`, which is free again `wt_timer` after
//! the final answer (short here) and hence waited for.
//!
//! Our small blocks are cut out of larger ones: `presence_b2b.trace` counts them, just as exactly.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::kamailio::Server;
use super::wait::{eventually, until};

/// The modules that are looked at: ours, and tm, which works for it.
pub const OURS: &[&str] = &["presence_b2b", "tm"];

/// How long shared memory may take to be given back.
const GIVEN_BACK: Duration = Duration::from_secs(15);

/// How long nothing of it may have moved.
const QUIET: Duration = Duration::from_millis(50);

/// Pieces and bytes, by `module function(line)`.
type Use = BTreeMap<String, (i64, i64)>;

/// The shared memory that modules had at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shm {
    modules: Vec<String>,
    used: Use,
}

impl Shm {
    /// What the module under test and tm hold now. Take it after a first round of what the test does, if that round
    /// leaves something for good (a table that has grown stays grown).
    pub fn base(server: &Server) -> Shm {
        Shm::of(server, OURS)
    }

    /// What is held once no transaction is left: the base for a second round of what was done before.
    pub fn at_rest(server: &Server) -> Shm {
        Shm::settled(server, OURS)
    }

    /// What `modules` hold now.
    pub fn of(server: &Server, modules: &[&str]) -> Shm {
        let used = modules.iter().flat_map(|module| uses(server, module)).collect();
        Shm { modules: modules.iter().map(|name| name.to_string()).collect(), used }
    }

    /// As [`Shm::of`], once no transaction is left and all looks see the same for a while: a worker may still hold the last
    /// message it was told.
    pub fn settled(server: &Server, modules: &[&str]) -> Shm {
        eventually(GIVEN_BACK, "the transactions are over", || {
            let tm = Shm::of(server, &["tm"]);
            (!tm.used.keys().any(|line| line.contains("build_cell"))).then_some(())
        });
        let (mut last, mut since) = (Shm::of(server, modules), Instant::now());
        eventually(GIVEN_BACK, "shared memory settles", || {
            let now = Shm::of(server, modules);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            (since.elapsed() >= QUIET).then(|| last.clone())
        })
    }

    /// The pieces of each line.
    pub fn by_line(&self) -> BTreeMap<String, i64> {
        self.used.iter().map(|(line, (pieces, _))| (line.clone(), *pieces)).collect()
    }

    /// All pieces together.
    pub fn pieces(&self) -> i64 {
        self.used.values().map(|(pieces, _)| pieces).sum()
    }

    /// All bytes together.
    pub fn bytes(&self) -> i64 {
        self.used.values().map(|(_, bytes)| bytes).sum()
    }

    /// Waits until exactly this much is held again, to the piece and the byte; panics with the lines that differ.
    pub fn assert_back(&self, server: &Server) {
        let modules: Vec<&str> = self.modules.iter().map(String::as_str).collect();
        let mut last = self.clone();
        let back = until(GIVEN_BACK, || {
            last = Shm::of(server, &modules);
            (last == *self).then_some(())
        });
        if back.is_none() {
            panic!("shared memory is not back at its base after {GIVEN_BACK:?}:\n{}", self.difference(&last));
        }
    }

    fn difference(&self, now: &Shm) -> String {
        let names: std::collections::BTreeSet<&String> = self.used.keys().chain(now.used.keys()).collect();
        let mut lines = String::new();
        for name in names {
            let [before, after] = [self, now].map(|shm| shm.used.get(name).copied().unwrap_or_default());
            if before != after {
                lines += &format!("  {name}: {} pieces, {} bytes", before.0, before.1);
                lines += &format!(" -> {} pieces, {} bytes\n", after.0, after.1);
            }
        }
        lines
    }
}

/// Runs `scenario` twice and fails unless the second run leaves shared memory as the first one left it. The first run
/// pays for what stays: tables grown by its subscriptions, which the second makes again.
pub fn leaves_nothing(server: &Server, scenario: impl FnMut()) {
    leaves_nothing_in(server, OURS, scenario);
}

/// As [`leaves_nothing`], where only some modules can keep their promise.
pub fn leaves_nothing_in(server: &Server, modules: &[&str], mut scenario: impl FnMut()) {
    scenario();
    let base = Shm::settled(server, modules);
    scenario();
    base.assert_back(server);
}

/// `["Module: tm", {"build_cell(318)": "2048 (1)", …, "Total": 2048}, ""]`
fn uses(server: &Server, module: &str) -> Use {
    let answer = server.rpc("mod.mem_statsx", json!([module, "shm"])).expect("mod.mem_statsx");
    let parts = answer.as_array().expect("a list");
    let lines = parts.iter().find_map(Value::as_object).expect("sums by line");
    let parse = |value: &Value| -> Option<(i64, i64)> {
        let (bytes, pieces) = value.as_str()?.split_once(" (")?;
        Some((pieces.trim_end_matches(')').parse().ok()?, bytes.parse().ok()?))
    };
    let mut used: Use = lines
        .iter()
        .filter(|(line, _)| *line != "Total")
        .map(|(line, value)| {
            let sums = parse(value).unwrap_or_else(|| panic!("{line} is not \"bytes (pieces)\": {value}"));
            (format!("{module} {line}"), sums)
        })
        .collect();
    if module == "presence_b2b" && !used.is_empty() {
        let trace = server.trace();
        let count = |name: &str| trace[name].as_i64().unwrap_or_else(|| panic!("no {name} in {trace}"));
        used.insert("presence_b2b small blocks".into(), (count("small_blocks"), count("small_bytes")));
    }
    used
}
