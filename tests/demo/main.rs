//! The main job, for people to look at, in two acts. Two Kamailios run on loopback in each.
//!
//! First one watcher, six records, and their presence states arriving in Kamailio: the first server is a presence server
//! (Debian's presence and presence_xml on SQLite), the second has this module. The demo publishes states to the first and
//! shows what `event_route[qsa:notify]` tells it in the second, with the SIP messages between the two beside it. In the middle
//! the second is killed and started again, and goes on in the same dialogs, which a database has. Then the first is killed: the
//! breaker opens, and closes when the server is back. At the end comes the history of one subscription.
//!
//! Then the lamps of two phones that follow calls: the first server is a PBX (Debian's dialog and pua_dialoginfo), the second
//! publishes what this module is told in its own presence server, where the lamps are. The demo makes the calls and is the
//! lamps; the script routes a call by the state of a phone. If `KEEP` is set, the servers of the first act then go on. It exits with 0 only if every published state arrived, and if every lamp showed every change.

#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../support/mod.rs"]
mod support;

mod board;
mod cast;
mod ears;
mod frame;
mod hep;
mod keep;
mod ladder;
mod lamp;
mod lamp_stage;
mod lamps;
mod paint;
mod plain;
mod scene;
mod sentence;
mod signals;
mod stage;
mod story;
mod telling;
mod terminal;
mod traffic;
mod view;

use std::process::ExitCode;

use telling::End;
use view::View;

fn main() -> ExitCode {
    sentence::keep_panics_quiet();
    signals::listen();
    let mut view = View::choose();
    let mut end = Ok(());
    for act in [story::play, lamps::play] {
        end = act(&mut view).and_then(|verdict| match plain::say(&verdict) {
            true => Ok(()),
            false => Err(End::Failed("Nothing reads the output of the demo.".into())),
        });
        if end.is_err() {
            break;
        }
    }
    drop(view);
    if end.is_ok() && keep::is_asked_for() {
        end = keep::play();
    }
    match end {
        Ok(()) => ExitCode::SUCCESS,
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
