//! Pages of the table of subscriptions, whole or filtered.

use std::ops::ControlFlow;

use super::filters::RowFilters;
use crate::engine::Engine;
use crate::registry::{Handle, WalkPlace};
use crate::subscription::Snapshot;

/// Found a few at a time under the locks; each is copied under a lock of its own, and shown without one.
pub(super) fn page(engine: &Engine, offset: usize, limit: usize) -> impl Iterator<Item = (Handle, Snapshot)> {
    copied(engine, handles(engine, offset, limit))
}

/// As [`page`], of those that meet all filters. The table is looked through until the page is full.
pub(super) fn filtered(
    engine: &Engine,
    offset: usize,
    limit: usize,
    filters: &RowFilters<'_>,
) -> impl Iterator<Item = (Handle, Snapshot)> {
    if filters.is_empty() {
        return copied(engine, handles(engine, offset, limit));
    }
    let (mut page, mut skip) = (Vec::new(), offset);
    engine.registry.walk(WalkPlace::default(), usize::MAX, filters.record(), |met| {
        if filters.suit(met.life, met.owner) {
            match skip {
                0 => page.push(met.handle),
                _ => skip -= 1,
            }
        }
        if page.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    copied(engine, page)
}

fn handles(engine: &Engine, offset: usize, limit: usize) -> Vec<Handle> {
    let mut page = Vec::new();
    engine.registry.page(offset, limit, |handle, _, _| page.push(handle));
    page
}

/// Copies of those that are still there.
fn copied(engine: &Engine, page: Vec<Handle>) -> impl Iterator<Item = (Handle, Snapshot)> {
    let now = Engine::now();
    page.into_iter().filter_map(move |handle| {
        let snapshot = engine.registry.view(handle, |subscription, _| subscription.snapshot(now))?;
        Some((handle, snapshot))
    })
}
