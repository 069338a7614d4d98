//! What is shown, goal by goal.

mod notify;

use crate::compare::Failure;
use crate::options::Options;
use crate::report::Report;

/// Runs all cases that are wanted.
pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    notify::run(options, report)?;
    if options.wants("P10") {
        report.open("P10", "restart from storage", "not built yet");
    }
    Ok(())
}
