//! b2b-top shows what the Kamailio module presence_b2b does, in a terminal, or once for scripts.

mod failure;
mod model;
mod once;
mod options;
mod rpc;
mod screen;
mod text;
mod view;

use std::io::{self, Write};
use std::process::ExitCode;

use self::options::{Options, Wanted};
use self::rpc::Client;

/// The server did not answer, or not well.
const FAILED: u8 = 1;
/// The command line is wrong.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let options = match Options::read(lexopt::Parser::from_env()) {
        Ok(Wanted::Run(options)) => options,
        Ok(Wanted::Text(text)) => {
            return once::print(&text).map_or(ExitCode::from(FAILED), |()| ExitCode::SUCCESS);
        }
        Err(error) => return complain(&format!("{error}. b2b-top --help lists the options"), MISUSED),
    };
    let client = Client::new(options.address.clone());
    let outcome = if options.once { once::run(client, &options) } else { screen::run(client, &options) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, FAILED),
    }
}

fn complain(error: &str, status: u8) -> ExitCode {
    // Whoever reads it may have gone.
    let _ = writeln!(io::stderr(), "b2b-top: {error}");
    ExitCode::from(status)
}
