//! One line for each step of a subscription, to search for faults.

use allocator_api2::alloc::Allocator;

use super::Registry;
use super::life::Life;
use super::table::ShardTable;
use crate::subscription::Input;

/// A step, in words. It is only put into words where [tracing is on](Registry::with_trace).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// URI of the record.
    pub record: Vec<u8>,
    /// The input.
    pub input: String,
    /// The state before; [`Trace::NEW`] when the step has made the subscription.
    pub before: &'static str,
    /// The state since.
    pub after: &'static str,
}

impl Trace {
    /// Stands in for the state before the first one.
    pub const NEW: &'static str = "new";
}

impl<S, O, A: Allocator + Clone, L> Registry<S, O, A, L> {
    /// Has each step put into words while `is_on` says so, which is asked at each step, before any lock is taken.
    #[must_use]
    pub fn with_trace(self, is_on: fn() -> bool) -> Self {
        Self { is_traced: is_on, ..self }
    }
}

/// The beginning of a step's trace.
#[cold]
pub(super) fn begin<S: Life, O, A: Allocator + Clone>(
    table: &ShardTable<S, O, A>,
    slot: u32,
    input: &Input<'_>,
) -> Option<Box<Trace>> {
    let (_, record) = table.get(slot)?;
    let state = record.life.state();
    let subject = record.life.subject().record.to_vec();
    Some(Box::new(Trace { record: subject, input: input.to_string(), before: state, after: state }))
}
