//! What is shown, goal by goal.

mod instructions;
mod latency;
mod notify;
mod refreshes;
mod scaling;
mod setup;
mod watched;

use crate::compare::Failure;
use crate::options::Options;
use crate::report::Report;

/// Runs all cases that are wanted.
pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    notify::run(options, report)?;
    instructions::run(options, report)?;
    watched::run(options, report)?;
    setup::run(options, report)?;
    refreshes::run(options, report)?;
    latency::run(options, report)?;
    scaling::run(options, report)?;
    if options.wants("P10") {
        report.open("P10", "restart from storage", "not built yet");
    }
    Ok(())
}
