//! How many instructions a set-up and a refresh take: P4 and P7, by callgrind, as their CPU time is mostly that of waking and
//! of the network. Counted are the SIP worker and the module's own, in user mode; see [`instructions`](super::instructions).

use std::fs;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::instructions::{has_valgrind, total};
use crate::compare::{Failure, rest};
use crate::drive::{Drive, Until};
use crate::load::Load;
use crate::measure::Processes;
use crate::notifier::Manners;
use crate::options::Options;
use crate::population::{Population, presence};
use crate::refresh;
use crate::report::{self, Report};
use crate::servers::{self, Consumer, DRIVER, MAIN, SEND, STATEFUL, SUBSCRIBE, Way};
use crate::statistics::Sample;
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::table::{Goal, Row};

/// Set-ups of a run, and subscriptions that are refreshed in one and not in the other.
type Numbers = [usize; 2];

const NUMBERS: Numbers = [128, 1152];
const FEWER: Numbers = [64, 576];
/// Set-ups at a time where they are not what is counted; a divisor of all these.
const FEW: usize = 64;
const NAME_ROOM: usize = 160;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P4") && !options.wants("P7") || !has_valgrind() {
        return Ok(());
    }
    report.say("instructions of set-ups and refreshes");
    let numbers = if options.quick { FEWER } else { NUMBERS };
    let each = |counted: &Counted| each(numbers, counted);
    let driver = each(&|count| drive(servers::plain(&[DRIVER]), DRIVER, Until::Read, count, "driver"))?;
    let bare = || servers::plain(&[SEND]).module("uac").route(servers::UAC_REPLY);
    let row = |id, name: &str, value: f64| Row::figure(id, name, "k instr.", Some(Sample::single(value)));
    let over = |value: f64, under: f64| Some(Sample::single(value / under));
    if options.wants("P4") {
        let bare = each(&|count| drive(bare(), SEND, Until::Notified, count, "send"))? - driver;
        let b2b = || servers::b2b(&[SUBSCRIBE], 1, Consumer::Callback);
        let ours = each(&|count| drive(b2b(), SUBSCRIBE, Until::Notified, count, "subscribe"))? - driver;
        report.row(row("P4", "uac_req_send with callback, NOTIFY by t_newtran + t_reply", bare));
        report.row(row("P4", "set-up to a C queue", ours).ratio(over(ours, bare)).goal(Goal::AtMost(1.2)));
    }
    if options.wants("P7") {
        let bare = each(&|count| drive(bare(), SEND, Until::Answered, count, "send-alone"))? - driver;
        let ours = each(&|count| refreshed(numbers[1], count))?;
        report.row(row("P7", "bare uac_req_send with callback", bare));
        report.row(row("P7", "refresh", ours).ratio(over(ours, bare)).goal(Goal::AtMost(1.3)));
    }
    Ok(())
}

/// The instructions of a server that has done something so often.
type Counted<'a> = dyn Fn(usize) -> Result<f64, Failure> + Sync + 'a;

/// Thousands of instructions for each of what `counted` does so many of. Both servers run at the same time: what is counted
/// does not depend on that.
fn each([few, many]: Numbers, counted: &Counted) -> Result<f64, Failure> {
    let count = |count| counted(count).map_err(|failure| failure.to_string());
    let (less, more) = thread::scope(|scope| {
        let less = scope.spawn(|| count(few));
        let more = count(many);
        (less.join(), more)
    });
    let less = less.unwrap_or_else(|_| Err("stopped by what is said above".to_owned()))?;
    Ok((more? - less) / (many - few) as f64 / 1e3)
}

/// The instructions of a server that has done `count` of what [`Drive`] drives.
fn drive(builder: Builder, way: Way, until: Until, count: usize, name: &str) -> Result<f64, Failure> {
    under_callgrind(builder, name, |server| {
        let mut drive = Drive::new(count, NAME_ROOM, presence())?;
        let manners = Manners { notify_first: until == Until::Notified, notify_later: false };
        drive.desk().behave(manners);
        drive.run(way.addr(server), 0, count, until)?;
        rest(Duration::from_secs(1))
    })
}

/// The instructions of a server of whose `most` subscriptions `count` have been refreshed, and all have had a NOTIFY.
fn refreshed(most: usize, count: usize) -> Result<f64, Failure> {
    let folder = TempDir::with_prefix("callgrind-")?;
    let builder = refresh::quickly(servers::b2b(&[STATEFUL], 1, Consumer::Callback));
    let mut population = Population::start(under(builder, &folder).shm_megabytes(64), most)?;
    // Few at a time: what is answered late is sent again, and counts twice.
    for count in (0..=most).step_by(FEW) {
        population.grow(count)?;
    }
    population.desk().behave(Manners { notify_first: true, notify_later: false });
    let mut load = Load::new(population.desk())?;
    refresh::arrange(&population, &mut load, count, Duration::from_millis(7 * most as u64))?;
    let rest_of_them = load.saturate(population.desk(), STATEFUL.addr(&population.server), most, most - count)?;
    if let Some(problem) = rest_of_them.problem() {
        return Err(format!("NOTIFYs under callgrind: {problem}").into());
    }
    let mut looks = 0;
    while refresh::seen(&population) < count {
        rest(Duration::from_millis(100))?;
        looks += 1;
        if looks > 300 {
            return Err(format!("{} of {count} refreshes under callgrind", refresh::seen(&population)).into());
        }
    }
    rest(Duration::from_secs(1))?;
    let workers = workers(&population.server);
    population.server.stop();
    sum(&folder, &workers, "refresh")
}

fn under_callgrind(
    builder: Builder,
    name: &str,
    act: impl FnOnce(&Server) -> Result<(), Failure>,
) -> Result<f64, Failure> {
    let folder = TempDir::with_prefix("callgrind-")?;
    let server = under(builder, &folder).shm_megabytes(64).start();
    act(&server).map_err(|failure| format!("{name} under callgrind: {failure}"))?;
    let workers = workers(&server);
    server.stop();
    sum(&folder, &workers, name)
}

fn under(builder: Builder, folder: &TempDir) -> Builder {
    let out = format!("--callgrind-out-file={}/%p", folder.path().display());
    builder.under(&["valgrind", "--tool=callgrind", "-q", &out])
}

/// The SIP worker and the module's own.
fn workers(server: &Server) -> Vec<u32> {
    let named = [format!(":{MAIN}"), "presence_b2b worker".to_owned()];
    named.iter().flat_map(|name| Processes::named(server, name).pids().to_vec()).collect()
}

/// What callgrind has counted of these processes; its files are kept, named by what was done.
fn sum(folder: &TempDir, workers: &[u32], name: &str) -> Result<f64, Failure> {
    let kept = report::folder()?.join(report::CALLGRIND);
    fs::create_dir_all(&kept)?;
    let mut sum = 0.0;
    for (number, pid) in workers.iter().enumerate() {
        let file = folder.path().join(pid.to_string());
        sum += total(&file)?;
        fs::copy(&file, kept.join(format!("{name}.{number}")))?;
    }
    Ok(sum)
}
