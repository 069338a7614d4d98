//! One line in the debug log for each step of a subscription.

use super::{Engine, Owner};
use crate::host::log;
use crate::registry::{Handle, Stepped, Trace};
use crate::subscription::{Input, Output};
use crate::time::Millis;

impl Engine {
    /// Says what a step was, if steps are traced. Call without locks, before what the step wants is done.
    pub(super) fn trace<R>(stepped: &Stepped<Owner, R>) {
        if let Some(trace) = &stepped.trace {
            write(stepped.handle, trace, &stepped.output, stepped.deadline);
        }
    }

    /// The same for a subscription that has just been added.
    pub(super) fn trace_start(&self, handle: Handle) {
        if !log::is_debug() {
            return;
        }
        let seen = self.registry.view(handle, |subscription, _| {
            (subscription.record().to_vec(), subscription.state().name(), subscription.deadline())
        });
        if let Some((record, after, deadline)) = seen {
            let trace = Trace { record, input: Input::Start.to_string(), before: Trace::NEW, after };
            write(handle, &trace, &Output::default(), deadline);
        }
    }
}

#[cold]
fn write(handle: Handle, trace: &Trace, output: &Output, deadline: Option<Millis>) {
    let Trace { record, input, before, after } = trace;
    let next = match deadline.filter(|_| !output.forget) {
        Some(at) => format!("next deadline in {} ms", at.since(Engine::now()).as_millis()),
        None => "no deadline".to_owned(),
    };
    let (id, record) = (handle.id(), log::peer(record));
    log::debug(|| format!("step of subscription {id}, {record}: {input}; {before} -> {after}; {output}; {next}"));
}
