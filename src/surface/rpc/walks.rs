//! Commands that go through all subscriptions in bounded calls: `presence_b2b.find` and `.audit`.

use std::ops::ControlFlow;

use super::answer::{Fault, answer, clamp, fill, fill_brief};
use super::parameters::{Takes, next_walk};
use crate::engine::Engine;
use crate::host::rpc::{Row, RpcContext};
use crate::registry::{WalkPlace, Walked};

/// How many subscriptions one call looks at.
pub(super) const MOST_LOOKED_AT: usize = 20_000;

/// `presence_b2b.find [limit=…] [from=…] [filter ...]`: subscriptions that meet all filters, in a bounded part of the table.
pub fn find(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let asked = next_walk(rpc, engine, Takes::Filters)?;
        let mut found = Vec::new();
        let walked = engine.registry.walk(asked.from, MOST_LOOKED_AT, asked.filters.record(), |met| {
            if asked.filters.suit(met.life, met.owner) {
                found.push((met.place, met.looked_at, met.handle));
            }
            if found.len() < asked.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let (now, answer) = (Engine::now(), rpc.add_row()?);
        let list = answer.list(c"rows")?;
        for (place, looked_at, handle) in found {
            if !rpc.has_room() {
                return end(&answer, Walked { looked_at, next: Some(place) });
            }
            // It may have gone since.
            if let Some(snapshot) = engine.registry.view(handle, |subscription, _| subscription.snapshot(now)) {
                fill(&list.add_row()?, engine, handle, &snapshot)?;
            }
        }
        end(&answer, walked)
    });
}

/// `presence_b2b.audit [limit=…] [from=…]`: subscriptions that would stay as they are for ever, in a bounded part of the table.
pub fn audit(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let asked = next_walk(rpc, engine, Takes::NoFilter)?;
        let mut found = Vec::new();
        let walked = engine.registry.audit(asked.from, MOST_LOOKED_AT, |met, why| {
            found.push((met.place, met.looked_at, met.handle, why));
            if found.len() < asked.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let (now, answer) = (Engine::now(), rpc.add_row()?);
        let list = answer.list(c"rows")?;
        for (place, looked_at, handle, why) in found {
            if !rpc.has_room() {
                return end(&answer, Walked { looked_at, next: Some(place) });
            }
            if let Some(snapshot) = engine.registry.view(handle, |subscription, _| subscription.snapshot(now)) {
                let row = list.add_row()?;
                row.text(c"reason", why.name().as_bytes())?;
                fill_brief(&row, engine, handle, &snapshot)?;
            }
        }
        end(&answer, walked)
    });
}

/// How far the call has come.
pub(super) fn end(answer: &Row<'_>, walked: Walked) -> Result<(), Fault> {
    answer.number(c"looked_at", clamp(walked.looked_at as u64))?;
    Ok(answer.number(c"next", walked.next.map_or(0, WalkPlace::number))?)
}
