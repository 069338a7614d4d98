//! The module's numbers as counters of the server: those of `presence_b2b.trace`, and those of the store.

use std::ffi::CStr;

use super::answers::{STORE_COUNTERS, Statistics};
use super::rpc::statistics;
use crate::engine::{self, Engine, StoreCount};
use crate::host::statistics::register;

/// The group of the counters.
const GROUP: &CStr = c"presence_b2b";

/// What the server says of each counter.
const MEANING: &CStr = c"see docs/statistics.md of presence_b2b";

/// Makes the counters; call in `mod_init`. `false` if the server refuses one.
#[must_use]
pub fn make() -> bool {
    let counters: Vec<_> = Statistics::NAMES.into_iter().chain(STORE_COUNTERS).map(|name| (name, MEANING)).collect();
    register(GROUP, &counters, value)
}

fn value(number: usize) -> u64 {
    let Some(engine) = engine::engine() else { return 0 };
    match number.checked_sub(Statistics::NAMES.len()) {
        None => statistics(engine).into_fields().nth(number).map_or(0, |(_, value)| value),
        Some(number) => of_store(engine, number),
    }
}

/// In the order of [`STORE_COUNTERS`].
fn of_store(engine: &Engine, number: usize) -> u64 {
    let Some(store) = engine.store() else { return 0 };
    let counted = |what| store.status.counted(what);
    let values = [
        counted(StoreCount::Rows),
        counted(StoreCount::Waiting),
        store.status.lag(Engine::now()),
        counted(StoreCount::Written),
        counted(StoreCount::Failures),
    ];
    values.get(number).copied().unwrap_or(0)
}
