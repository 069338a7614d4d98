//! Pages of the table of subscriptions, whole or filtered.

use std::ops::ControlFlow;

use super::answer::{Fault, lossy};
use crate::engine::Engine;
use crate::registry::Handle;
use crate::subscription::{PackageNumber, Snapshot, State};
use crate::surface::subscriptions::known_package;

/// Copied out under the locks, shown without them.
pub(super) fn page(engine: &Engine, offset: usize, limit: usize) -> Vec<(Handle, Snapshot)> {
    let now = Engine::now();
    let mut page = Vec::new();
    engine.registry.page(offset, limit, |handle, subscription, _| page.push((handle, subscription.snapshot(now))));
    page
}

/// The condition for a subscription to be listed.
pub(super) enum RowFilter<'c> {
    Record(&'c [u8]),
    Subscriber(&'c [u8]),
    Package(PackageNumber),
    State(&'static str),
}

impl<'c> RowFilter<'c> {
    /// Reads a name and a value.
    pub(super) fn read(engine: &Engine, text: &'c [u8]) -> Result<Self, Fault> {
        let split = text.iter().position(|byte| *byte == b'=').and_then(|at| text.split_at_checked(at));
        let (name, value) = split.map_or((text, None), |(name, rest)| (name, rest.strip_prefix(b"=")));
        match (name, value) {
            (b"record" | b"subscriber" | b"package" | b"state", None | Some(b"")) => {
                let name = lossy(name);
                Err(Fault(400, format!("the filter {name} has no value: write {name}= and what the {name} must be")))
            }
            (b"record", Some(value)) => Ok(Self::Record(value)),
            (b"subscriber", Some(value)) => Ok(Self::Subscriber(value)),
            (b"package", Some(value)) => Ok(Self::Package(known_package(engine, value)?.number)),
            (b"state", Some(value)) => {
                let is_it = |name: &&str| name.as_bytes() == value;
                let unknown = || Fault(400, format!("\"{}\" is no state: {}", lossy(value), State::names().join(", ")));
                State::names().into_iter().find(is_it).map(Self::State).ok_or_else(unknown)
            }
            _ => {
                let keys = "record=, subscriber=, package= or state= and a value";
                Err(Fault(400, format!("\"{}\" is no filter: it must be {keys}", lossy(text))))
            }
        }
    }
}

/// As [`page`], of those that pass all filters. The table is looked through, a few at a time under the lock, until the page is
/// full.
pub(super) fn filtered(
    engine: &Engine,
    offset: usize,
    limit: usize,
    filters: &[RowFilter<'_>],
) -> Vec<(Handle, Snapshot)> {
    if filters.is_empty() {
        return page(engine, offset, limit);
    }
    let now = Engine::now();
    let (mut page, mut skip) = (Vec::new(), offset);
    engine.registry.visit(|handle, subscription, _| {
        let passes = |filter: &RowFilter<'_>| match filter {
            RowFilter::Record(record) => subscription.record() == *record,
            RowFilter::Subscriber(subscriber) => subscription.subscriber() == *subscriber,
            RowFilter::Package(package) => subscription.package() == *package,
            RowFilter::State(state) => subscription.state().name() == *state,
        };
        if filters.iter().all(passes) {
            match skip {
                0 => page.push((handle, subscription.snapshot(now))),
                _ => skip -= 1,
            }
        }
        if page.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    page
}
