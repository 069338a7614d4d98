//! What there is beside subscriptions: `presence_b2b.queues` and `.packages`.

use super::answer::{answer, clamp};
use crate::host::clock::TICKS_A_SECOND;
use crate::host::rpc::RpcContext;

/// `presence_b2b.queues`: the queues of messages, an array of structs.
pub fn queues(rpc: &RpcContext) {
    answer(rpc, |engine| {
        for queue in engine.hub.queue_snapshots() {
            let row = rpc.add_row()?;
            let counters = queue.counters;
            row.number(c"queue", clamp(queue.id.to_u64()))?;
            row.text(c"consumer", engine.consumer_of(queue.id).as_bytes())?;
            for (name, number) in [
                (c"messages", counters.queued),
                (c"limit", queue.limit as u64),
                (c"bytes", counters.queued_bytes),
                (c"limit_bytes", queue.budget.queue as u64),
                (c"oldest", u64::from(queue.oldest.unwrap_or_default() / TICKS_A_SECOND)),
                (c"received", counters.received),
                (c"delivered", counters.delivered),
                (c"merged", counters.merged),
                (c"dropped", counters.dropped),
            ] {
                row.number(name, clamp(number))?;
            }
        }
        Ok(())
    });
}

/// `presence_b2b.packages`: the event packages, an array of structs.
pub fn packages(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let counts = engine.registry.tally().packages;
        for package in engine.config.packages.iter() {
            let row = rpc.add_row()?;
            row.text(c"name", package.name.as_bytes())?;
            row.text(c"accept", package.accept.join(", ").as_bytes())?;
            row.number(c"forks", package.forks.into())?;
            row.text(c"from", if package.is_own() { b"modparam" } else { b"module" })?;
            row.number(c"subscriptions", counts.get(package.number.place()).copied().unwrap_or_default())?;
        }
        Ok(())
    });
}
