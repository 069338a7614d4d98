//! `presence_b2b.store`.

use super::answer::{add_fields, answer, clamp};
use crate::engine::{Engine, Store, StoreCount};
use crate::host::rpc::RpcContext;
use crate::surface::answers::{FieldValue, StoreFields};

/// `presence_b2b.store`: how the database takes the subscriptions.
pub fn store(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let (now, store) = (Engine::now(), engine.store());
        let number = |of: &dyn Fn(&Store) -> u64| FieldValue::Number(store.map_or(0, |store| clamp(of(store))));
        let count = |what| number(&|store| store.status.counted(what));
        let reason = store.map(|store| store.status.reason()).unwrap_or_default();
        let fields = StoreFields {
            state: FieldValue::Text(store.map_or("off", |store| store.status.state(now).name())),
            rows: count(StoreCount::Rows),
            // The writer counts once a round.
            waiting: number(&|store| store.status.counted(StoreCount::Waiting).max(engine.registry.marked() as u64)),
            lag_ms: number(&|store| store.status.lag(now)),
            written: count(StoreCount::Written),
            writes: count(StoreCount::Writes),
            failures: count(StoreCount::Failures),
            refused: count(StoreCount::Refused),
            restored: count(StoreCount::Restored),
            skipped: count(StoreCount::Skipped),
            restore_took: count(StoreCount::RestoreTook),
            orphans: number(&|store| store.orphans.len() as u64),
            reason: FieldValue::unless_empty(&reason),
        };
        add_fields(&rpc.add_row()?, fields.into_fields())
    });
}
