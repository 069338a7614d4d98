//! The measurements, goal by goal.

mod allocator;
mod bodies;
mod instructions;
mod lamps;
mod latency;
mod locks;
mod notify;
mod refreshes;
mod requests;
mod restart;
mod scaling;
mod setup;
mod states;
mod top;
mod walks;
mod watched;
mod writes;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::compare::{self, Failure};
use crate::options::Options;
use crate::report::Report;

type Case = fn(&Options, &mut Report) -> Result<(), Failure>;

const CASES: [(&str, Case); 17] = [
    ("NOTIFYs", notify::run),
    ("walks", walks::run),
    ("b2b-top", top::run),
    ("instructions", instructions::run),
    ("bodies", bodies::run),
    ("allocator", allocator::run),
    ("event route", watched::run),
    ("states at hand", states::run),
    ("set-ups", setup::run),
    ("refreshes", refreshes::run),
    ("set-ups and refreshes in instructions", requests::run),
    ("latency", latency::run),
    ("lamps", lamps::run),
    ("locks", locks::run),
    ("scaling", scaling::run),
    ("stored subscriptions at the start", restart::run),
    ("writing subscriptions", writes::run),
];

/// Runs all cases that are wanted. One that fails does not keep the others from running; a signal does.
pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for (name, case) in CASES {
        // What a server complains of when it ends comes as a panic.
        let outcome = catch_unwind(AssertUnwindSafe(|| case(options, report)));
        let outcome = outcome.unwrap_or_else(|_| Err("stopped by what is said above".into()));
        compare::interrupted()?;
        failures.extend(outcome.err().map(|failure| format!("{name}: {failure}")));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}
