//! The benchmark: what a NOTIFY, a subscription and a refresh cost, each beside the least that Kamailio itself needs for it.
//!
//! All that is compared runs side by side in the same rounds on one machine; what is judged is the ratio. The servers run
//! with `-x tlsf -X tlsf` and one worker unless a line says otherwise. `QUICK=1` does less of everything, `ONLY=P1,P5`
//! does some. `ONLY=P10 ROWS=1000000 DATABASE=postgres` shows a restart with so many stored subscriptions.

#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "the demo uses the rest")]
#[path = "../demo/signals.rs"]
mod signals;

mod asker;
mod cases;
mod compare;
mod dialogs;
mod drive;
mod load;
mod machine;
mod measure;
mod message;
mod net;
mod notifier;
mod options;
mod peers;
mod plots;
mod population;
mod refresh;
mod report;
mod servers;
mod statistics;
mod stored;
mod table;
mod writer;

use std::env;
use std::process::ExitCode;

use options::Options;
use report::Report;

fn main() -> ExitCode {
    signals::listen();
    let variable = |name: &str| env::var(name).ok();
    let options = match Options::read(variable) {
        Ok(options) => options,
        Err(problem) => return fail(&problem),
    };
    let mut report = match Report::new(machine::describe(&options)) {
        Ok(report) => report,
        Err(error) => return fail(&error.to_string()),
    };
    let outcome = cases::run(&options, &mut report);
    let shown = report.print().and_then(|()| if signals::came().is_none() { report.write() } else { Ok(()) });
    if let Err(error) = shown {
        return fail(&error.to_string());
    }
    match (outcome, signals::came()) {
        (_, Some(signal)) => {
            eprintln!("Stopped. All servers have ended, and nothing is left behind.");
            ExitCode::from(128 + signal as u8)
        }
        (Err(failure), None) => fail(&failure.to_string()),
        (Ok(()), None) => ExitCode::SUCCESS,
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("bench: {problem}");
    ExitCode::FAILURE
}
