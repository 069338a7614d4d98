//! The main job, for people to look at: one watcher, six records, and their presence states arriving in Kamailio.
//!
//! Two Kamailios run on loopback: a presence server (Debian's presence and presence_xml on SQLite) and one with this
//! module. The demo publishes states to the first and shows what `event_route[qsa:notify]` tells it in the second, with
//! the SIP messages between the two beside it. It exits with 0 only if every published state arrived that way.

#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../support/mod.rs"]
mod support;

mod board;
mod cast;
mod ears;
mod frame;
mod hep;
mod paint;
mod plain;
mod sentence;
mod signals;
mod stage;
mod story;
mod terminal;
mod traffic;
mod view;

use std::process::ExitCode;

use story::End;
use view::View;

fn main() -> ExitCode {
    sentence::keep_panics_quiet();
    signals::listen();
    let mut view = View::choose();
    let end = story::play(&mut view);
    drop(view);
    match end {
        Ok(verdict) if plain::say(&verdict) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(End::Failed(problem)) => {
            plain::complain(&problem);
            ExitCode::FAILURE
        }
        Err(End::Signal(number)) => {
            plain::complain("Stopped. Both servers have ended, and nothing is left behind.");
            ExitCode::from(128_u8.saturating_add(u8::try_from(number).unwrap_or(0)))
        }
    }
}
