//! `presence_b2b.unsubscribe_all`.

use std::ops::ControlFlow;

use super::answer::{Fault, answer, clamp};
use super::parameters::{Takes, next_walk};
use super::walks::{MOST_LOOKED_AT, end};
use crate::host::rpc::RpcContext;
use crate::surface::subscriptions;

/// `presence_b2b.unsubscribe_all filter ... [dry_run=1] [limit=…] [from=…]`: ends what script, RPC or a table have made, of the
/// subscriptions that meet all filters, in a bounded part of the table.
pub fn unsubscribe_all(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let asked = next_walk(rpc, engine, Takes::FiltersAndDryRun)?;
        if asked.filters.is_empty() {
            return Err(Fault(
                400,
                "there is no filter: to end all subscriptions of script and RPC, write record=*".into(),
            ));
        }
        let (mut ours, mut of_modules) = (Vec::new(), 0);
        let walked = engine.registry.walk(asked.from, MOST_LOOKED_AT, asked.filters.record(), |met| {
            // Forks end with their subscription; what ends already is not ended again.
            if met.life.fork() == 0 && met.life.state().is_wanted() && asked.filters.suit(met.life, met.owner) {
                if engine.is_event_queue(met.owner.queue) {
                    ours.push(met.handle);
                } else {
                    of_modules += 1;
                }
            }
            if ours.len() < asked.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        // One may have ended by itself since.
        let ends = |handle: &_| asked.is_dry_run || subscriptions::unsubscribe(engine, *handle).is_ok();
        let ended = ours.iter().filter(|handle| ends(handle)).count();
        let row = rpc.add_row()?;
        row.number(c"dry_run", asked.is_dry_run.into())?;
        row.number(c"ended", clamp(ended as u64))?;
        row.number(c"of_modules", clamp(of_modules))?;
        end(&row, walked)
    });
}
