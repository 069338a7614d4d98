//! b2b-top in a real terminal, beside a server with many subscriptions: P15.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::compare::{Failure, rest};
use crate::measure::Processes;
use crate::options::Options;
use crate::population::Population;
use crate::report::Report;
use crate::servers::{self, Consumer, STATEFUL};
use crate::statistics::Sample;
use crate::support::place::b2b_top;
use crate::support::terminal::{READY, Terminal};
use crate::table::{Goal, Row};

/// How long its use of the server is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// Seconds until a subscription is found, or its history drawn.
const AT_ONCE: f64 = 1.0;
/// How many hundredths of one processor it may cost the server.
const LITTLE: f64 = 1.0;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P15") {
        return Ok(());
    }
    let most = options.subscriptions();
    report.say(&format!("b2b-top beside {most} subscriptions"));
    let dir = TempDir::new().map_err(|error| error.to_string())?;
    let builder = servers::b2b(&[STATEFUL], 1, Consumer::Callback).at_socket(dir.path());
    let mut population = Population::start(builder.shm_megabytes(options.shm_megabytes()), most)?;
    population.grow(most)?;
    let width = population.width();

    let terminal = Terminal::open(100, 30);
    let socket = dir.path().join("rpc.sock").display().to_string();
    let begun = Instant::now();
    terminal.press(&[&format!("{} --socket {socket}", b2b_top().display()), "Enter"]);
    terminal.await_text(&format!("{most} subscriptions"));
    let first = begun.elapsed();

    let workers = Processes::named(&population.server, "DATAGRAM");
    let (before, begun) = (workers.used(), Instant::now());
    rest(WATCHED)?;
    let used = (workers.used() - before).ran.as_secs_f64() / begun.elapsed().as_secs_f64();

    let (mut found, mut drawn) = (Vec::new(), Vec::new());
    // The first, the last, and some between; a part of the record that no other one has.
    for step in 0..=4 {
        let number = (most - 1) * step / 4;
        let record = format!("r{number:0width$}@");
        terminal.press(&["/"]);
        terminal.press(&["-l", &record]);
        let begun = Instant::now();
        terminal.await_picture(&record, |picture| {
            let rows: Vec<&str> = picture.lines().filter(|line| line.contains("sip:r")).collect();
            matches!(rows[..], [row] if row.contains(&record))
        });
        found.push(begun.elapsed().as_secs_f64());
        terminal.press(&["Enter"]);
        let begun = Instant::now();
        terminal.press(&["Enter"]);
        terminal.await_picture("the history", |picture| picture.contains("─ SUBSCRIBE new ─"));
        drawn.push(begun.elapsed().as_secs_f64());
        terminal.press(&["Escape"]);
        terminal.await_text("Esc shows all again");
        terminal.press(&["Escape"]);
        terminal.await_text("/ search");
    }
    terminal.press(&["q"]);
    terminal.await_text(READY);

    let seconds = |name: &str, values: &[f64]| Row::figure("P15", name, "s", Sample::of(values));
    report.row(seconds("b2b-top: the first picture", &[first.as_secs_f64()]).remark(format!("{most} subscriptions")));
    report.row(seconds("b2b-top: one of them found, after its text", &found).goal(Goal::AtMost(AT_ONCE)));
    report.row(seconds("b2b-top: its history drawn", &drawn).goal(Goal::AtMost(AT_ONCE)));
    let part =
        Row::figure("P15", "b2b-top: what it costs the server", "% of a processor", Some(Sample::single(used * 100.0)));
    report.row(part.goal(Goal::AtMost(LITTLE)));
    population.server.stop();
    Ok(())
}
