//! RPC commands. Fields are named alike in all of them.

mod answer;
mod count;
mod filters;
mod history;
mod inventory;
mod pages;
mod parameters;
mod store;
mod tables;
mod unsubscribing;
mod walks;

use std::ffi::CStr;

use super::commands::Command;
use super::subscriptions::{self, SubscriptionError};
use super::ties::Ties;
use crate::engine::{self, Engine};
use crate::host::rpc::{NoRoom, RpcContext};
use crate::time::seconds_up;
use answer::{Fault, answer, clamp, fill, fill_brief, fitting, lossy};
use filters::unknown_destination;
use pages::{filtered, page};
use parameters::{LARGEST_PAGE, next_filters, next_handle, next_page, next_required};

pub use answer::statistics;
pub use count::count;
pub use history::history;
pub use inventory::{packages, queues};
pub use store::store;
pub use tables::{credentials_reload, provisioning, reload};
pub use unsubscribing::unsubscribe_all;
pub use walks::{audit, find};

/// Runs a command, unless it changes something and `rpc_read_only` is set.
pub fn run(command: &Command, rpc: &RpcContext, work: impl FnOnce(&RpcContext)) {
    if command.changes && engine::engine().is_some_and(|engine| engine.config.rpc_read_only) {
        let name = command.name.to_string_lossy();
        return rpc.fault(403, &format!("{name} is switched off: modparam rpc_read_only is 1"));
    }
    work(rpc);
}

/// `presence_b2b.version`: the versions of the module and of the server that it was built for. Works without the engine.
pub fn version(rpc: &RpcContext, built_for: &CStr) {
    let answer = || {
        let row = rpc.add_row()?;
        row.text(c"version", env!("CARGO_PKG_VERSION").as_bytes())?;
        row.text(c"built_for", built_for.to_bytes())
    };
    if let Err(NoRoom) = answer() {
        rpc.fault(500, "out of memory");
    }
}

/// `presence_b2b.trace [detailed]`: how many subscriptions there are, were made and ended; with `detailed`, each one's state.
pub fn trace(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let detailed = match rpc.next_text()? {
            None | Some(b"0") => false,
            Some(b"1" | b"detailed") => true,
            Some(other) => return Err(Fault(400, format!("\"{}\" is neither detailed nor 0 or 1", lossy(other)))),
        };
        let row = rpc.add_row()?;
        for (name, value) in statistics(engine).into_fields() {
            row.number(name, clamp(value))?;
        }
        if detailed {
            let list = row.list(c"states")?;
            for (handle, snapshot) in fitting(rpc, page(engine, 0, LARGEST_PAGE)) {
                fill_brief(&list.add_row()?, engine, handle, &snapshot)?;
            }
        }
        Ok(())
    });
}

/// `presence_b2b.list [offset [limit [filter ...]]]`: a page of subscriptions, an array of structs.
pub fn list(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let (offset, limit) = next_page(rpc)?;
        let filters = next_filters(rpc, engine)?;
        for (handle, snapshot) in fitting(rpc, filtered(engine, offset, limit, &filters)) {
            fill(&rpc.add_row()?, engine, handle, &snapshot)?;
        }
        Ok(())
    });
}

/// `presence_b2b.destinations [offset [limit]]`: a page of destinations, an array of structs.
pub fn destinations(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let (offset, limit) = next_page(rpc)?;
        let mut page = Vec::new();
        engine.gate.page(offset, limit, Engine::now(), |destination| page.push(destination));
        for one in fitting(rpc, page) {
            let row = rpc.add_row()?;
            row.text(c"address", one.address.as_bytes())?;
            row.text(c"state", one.state.name().as_bytes())?;
            row.number(c"failures", one.failures)?;
            row.number(c"held_for", one.held_for)?;
            row.number(c"sent", clamp(one.sent))?;
            row.number(c"held", clamp(one.held))?;
        }
        Ok(())
    });
}

/// `presence_b2b.lookups [offset [limit]]`: a page of the names that SUBSCRIBEs wait for, an array of structs.
pub fn lookups(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let (offset, limit) = next_page(rpc)?;
        let mut page = Vec::new();
        engine.lookups.page(offset, limit, Engine::now(), |name| page.push(name));
        for one in fitting(rpc, page) {
            let row = rpc.add_row()?;
            row.text(c"name", one.name.as_bytes())?;
            row.text(c"class", one.class.name().as_bytes())?;
            row.number(c"waiting", one.waiting)?;
            row.number(c"held_for", one.held_for)?;
            row.number(c"took", one.took)?;
            row.number(c"lookups", clamp(one.lookups))?;
            row.number(c"failed", clamp(one.failed))?;
        }
        Ok(())
    });
}

/// `presence_b2b.destination_release <address>`: lifts the hold of a destination and closes its breaker; answers how many
/// subscriptions ask again.
pub fn destination_release(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let address = next_required(rpc, "address")?;
        let resumed = engine.release(address).ok_or_else(|| unknown_destination(address))?;
        Ok(rpc.add_row()?.number(c"resumed", clamp(resumed as u64))?)
    });
}

/// `presence_b2b.locks`: what the locks have measured since the last time, an array of structs; times in nanoseconds.
#[cfg(feature = "meter_locks")]
pub fn locks(rpc: &RpcContext) {
    answer(rpc, |_| {
        for reading in crate::host::meter::take() {
            let row = rpc.add_row()?;
            row.text(c"what", reading.what.as_bytes())?;
            for (name, number) in [
                (c"taken", reading.taken),
                (c"waited", reading.waited),
                (c"held_p50", reading.held_p50),
                (c"held_p99", reading.held_p99),
                (c"held_p999", reading.held_p999),
                (c"held_longest", reading.held_longest),
            ] {
                row.number(name, clamp(number))?;
            }
        }
        Ok(())
    });
}

/// `presence_b2b.show <id>`: one subscription.
pub fn show(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let handle = next_handle(rpc, engine)?;
        let snapshot = engine.registry.view(handle, |subscription, _| subscription.snapshot(Engine::now()));
        fill(&rpc.add_row()?, engine, handle, &snapshot.ok_or(SubscriptionError::Unknown)?)
    });
}

/// `presence_b2b.subscribe <record> <subscriber> [package [options]]`: the id of the subscription.
pub fn subscribe(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let record = next_required(rpc, "record")?;
        let subscriber = next_required(rpc, "subscriber")?;
        let package = rpc.next_text()?.unwrap_or_default();
        let options = rpc.next_text()?.unwrap_or_default();
        let handle = subscriptions::subscribe(engine, [record, subscriber, package, options], &Ties::default())?;
        Ok(rpc.add_number(i32::try_from(handle.id()).unwrap_or(i32::MAX))?)
    });
}

/// `presence_b2b.unsubscribe <id>`: ends a subscription made by script or RPC.
pub fn unsubscribe(rpc: &RpcContext) {
    answer(rpc, |engine| Ok(subscriptions::unsubscribe(engine, next_handle(rpc, engine)?)?));
}

/// `presence_b2b.refresh <id>`: sends a SUBSCRIBE as soon as `min_resubscribe_time` allows; answers in how many seconds.
pub fn refresh(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let handle = next_handle(rpc, engine)?;
        let next_action_in = engine.refresh(handle).ok_or(SubscriptionError::Unknown)?;
        let row = rpc.add_row()?;
        row.number(c"id", handle.id())?;
        Ok(row.number(c"next_action_in", seconds_up(next_action_in))?)
    });
}
