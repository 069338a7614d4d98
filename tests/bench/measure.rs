//! The resources that a server has used: time of the processor, and shared memory.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::support::kamailio::Server;
use crate::support::process::members;

/// The processes of a server, whose time is counted together.
pub struct Processes {
    pids: Vec<u32>,
}

/// What processes have used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// On a processor.
    pub ran: Duration,
    /// Ready to run, but another process had the processor.
    pub waited: Duration,
}

impl Processes {
    /// All processes of a server.
    pub fn of(server: &Server) -> Processes {
        Processes { pids: members(server.pid()) }
    }

    /// The main process of a server, which has started the others.
    pub fn main(server: &Server) -> Processes {
        Processes::with(&[server.pid()])
    }

    /// These.
    pub fn with(pids: &[u32]) -> Processes {
        Processes { pids: pids.to_vec() }
    }

    /// Those of a server that [`Server`]'s own RPC describes with `part`.
    pub fn named(server: &Server, part: &str) -> Processes {
        let list = server.rpc("core.psx", json!([])).unwrap_or_default();
        let named = list
            .as_array()
            .into_iter()
            .flatten()
            .filter(|process| process["DSC"].as_str().is_some_and(|description| description.contains(part)));
        Processes { pids: named.filter_map(|process| process["PID"].as_u64()?.try_into().ok()).collect() }
    }

    /// Their process ids.
    pub fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// Their use so far.
    pub fn used(&self) -> Used {
        let each = self.pids.iter().filter_map(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
            let mut numbers = text.split_whitespace().map_while(|number| number.parse::<u64>().ok());
            Some((numbers.next()?, numbers.next()?))
        });
        each.fold(Used::default(), |sum, (ran, waited)| Used {
            ran: sum.ran + Duration::from_nanos(ran),
            waited: sum.waited + Duration::from_nanos(waited),
        })
    }
}

impl std::ops::Sub for Used {
    type Output = Used;

    fn sub(self, earlier: Used) -> Used {
        Used { ran: self.ran.saturating_sub(earlier.ran), waited: self.waited.saturating_sub(earlier.waited) }
    }
}

/// After so long, what [`shared_memory`] says is new.
pub const COUNTED: Duration = Duration::from_millis(1200);

/// Bytes of shared memory in use, with what the allocator needs for itself. Right beyond 2 GB too. The server brings its count
/// up to date [once a second](COUNTED).
pub fn shared_memory(server: &Server) -> u64 {
    let answer = server.rpc("stats.fetch", json!(["real_used_size"])).unwrap_or_default();
    let value = &answer["shmem.real_used_size"];
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

/// Bytes of private memory of a server's main process that it has touched.
pub fn private_memory(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    kilobytes * 1024
}
