//! A server starts with stored subscriptions: P10. What reading them and going on with them takes, beside reading the same rows and
//! nothing else.

use std::fs;

use tempfile::TempDir;

use super::instructions::{has_valgrind, total};
use super::writes;
use crate::compare::{Failure, rest};
use crate::measure::{COUNTED, Processes, private_memory, shared_memory};
use crate::options::Options;
use crate::population::Population;
use crate::refresh;
use crate::report::{self, Report};
use crate::servers::{self, Consumer, STATEFUL};
use crate::statistics::Sample;
use crate::stored::{Stored, settle, state};
use crate::support::config::Builder;
use crate::table::{Goal, Row};

/// Rows of the two databases that callgrind looks at: whole pages.
const FEW_ROWS: [usize; 2] = [1000, 4000];
/// With more rows, a start takes longer than is otherwise allowed.
const MANY: usize = 200_000;
/// The most that going on with a subscription may take, in readings of its row.
const GOAL: Goal = Goal::AtMost(3.0);
/// Whose the subscriptions are: as made, those of a C module, which wait for it; then those of the script.
const OWNERS: [(&str, &str); 2] = [("module", "of a C module"), ("script", "of the script")];

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P10") {
        return Ok(());
    }
    let count = options.rows.unwrap_or(if options.quick { 20_000 } else { 100_000 });
    let (stored, empty) = (Stored::new(options.database)?, Stored::new(options.database)?);
    let builder = stored.storing(server(count));
    let (population, fresh) = made(report, &stored, builder.clone(), count)?;
    let mut starts = Starts { count, fresh, builder: builder.clone(), stored: &stored, empty: &empty };
    if options.rows.is_some() {
        // What is measured of a start is measured once; then the server that has started goes on.
        let stop = || starts.measure(report, OWNERS[1], 1);
        let population = population.restarted(builder, stop)?;
        return writes::steady(options, report, population, &stored);
    }
    population.server.stop();
    for owner in OWNERS {
        starts.measure(report, owner, if options.quick { 2 } else { 5 })?;
    }
    if has_valgrind() {
        starts.count_instructions(report)
    } else {
        report.open("P10", "instructions of a start", "not measurable here: valgrind is not installed");
        Ok(())
    }
}

/// Makes the subscriptions; they, and the bytes of shared memory that one takes.
fn made(report: &mut Report, stored: &Stored, builder: Builder, count: usize) -> Result<(Population, f64), Failure> {
    report.say(&format!("making and storing {count} subscriptions"));
    let mut population = Population::start(builder, count)?;
    let before = population.at_rest()?;
    let took = population.grow(count)?;
    settle(&population.server)?;
    let fresh = (population.at_rest()? as f64 - before as f64) / count as f64;
    if stored.count()? != count {
        return Err(format!("{} rows of {count} subscriptions", stored.count()?).into());
    }
    let name = format!("{count} subscriptions made and stored in {}", stored.name());
    let seconds = took.as_secs_f64();
    report.row(Row::figure("P10", name, "s", Some(Sample::single(seconds))).rate(Some(count as f64 / seconds)));
    Ok((population, fresh))
}

fn server(count: usize) -> Builder {
    let megabytes = u32::try_from(200 + count / 400).unwrap_or(u32::MAX);
    let server = refresh::quickly(servers::b2b(&[STATEFUL], 1, Consumer::Callback)).shm_megabytes(megabytes);
    // A server under another program may take its time until it answers.
    if count > MANY { server.under(&["env"]) } else { server }
}

/// Servers that start with these rows, and others beside them.
struct Starts<'a> {
    count: usize,
    /// Bytes of shared memory that a subscription has taken when it was made.
    fresh: f64,
    builder: Builder,
    stored: &'a Stored,
    empty: &'a Stored,
}

/// What the start of a server has taken.
struct Start {
    /// Seconds that its main process ran.
    cpu: f64,
    /// Bytes of the private memory of that process.
    private: f64,
    /// Bytes of shared memory.
    shared: f64,
    /// Seconds on the clock for the rows.
    took: f64,
}

impl Start {
    fn of(builder: Builder, restored: usize) -> Result<Start, Failure> {
        let server = builder.start();
        let cpu = Processes::main(&server).used().ran.as_secs_f64();
        rest(COUNTED)?;
        let said = state(&server)?;
        let (private, shared) = (private_memory(&server) as f64, shared_memory(&server) as f64);
        server.stop();
        if said["restored"] != restored {
            return Err(format!("{restored} subscriptions are to go on: {said}").into());
        }
        Ok(Start { cpu, private, shared, took: said["restore_took"].as_f64().unwrap_or_default() / 1e3 })
    }
}

impl Starts<'_> {
    /// Starts in turn: with the rows, without any; and reading the rows, reading none.
    fn measure(&mut self, report: &mut Report, (origin, name): (&str, &str), rounds: usize) -> Result<(), Failure> {
        report.say(&format!("starting with {} subscriptions {name}", self.count));
        self.stored.run(&format!("UPDATE presence_b2b_subscriptions SET origin = '{origin}';"));
        let each = 1e6 / self.count as f64;
        let (mut ours, mut plain, mut took, mut private, mut shared) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let with = Start::of(self.builder.clone(), self.count)?;
            let without = Start::of(self.empty.storing(server(self.count)), 0)?;
            let reading = Start::of(self.stored.selecting(server(self.count))?, 0)?;
            let idle = Start::of(self.empty.selecting(server(self.count))?, 0)?;
            ours.push((with.cpu - without.cpu) * each);
            plain.push((reading.cpu - idle.cpu) * each);
            took.push(with.took);
            private.push((with.private - without.private) / 1e6);
            shared.push((with.shared - without.shared) / self.count as f64);
        }
        let (count, place) = (self.count, self.stored.name());
        let rate = |each: &[f64]| Sample::of(each).map(|each| 1e6 / each.median);
        let row = |name: String, unit, values: &[f64]| Row::figure("P10", name, unit, Sample::of(values));
        report.row(row(format!("plain SELECT from {place}, a row"), "µs", &plain).rate(rate(&plain)));
        let start = row(format!("start with {count} {name}, a row"), "µs", &ours).rate(rate(&ours));
        report.row(start.ratio(Sample::ratio(&ours, &plain)).goal(GOAL));
        report.row(row(format!("the start waits for {count} {name}"), "s", &took).remark("time on the clock"));
        report.row(row(format!("private memory of the main process, {count} {name}"), "MB", &private));
        let fresh: Vec<f64> = shared.iter().map(|_| self.fresh).collect();
        let table = self.stored.bytes()? as f64 / self.count as f64;
        report.row(row(format!("the table in {place}, a row"), "B", &[table]));
        let row = row(format!("shared memory of one {name}, beside a new one"), "B", &shared);
        report.row(row.ratio(Sample::ratio(&shared, &fresh)));
        Ok(())
    }

    /// The same in instructions of the main process, with fewer rows.
    fn count_instructions(&self, report: &mut Report) -> Result<(), Failure> {
        report.say("instructions of a start");
        let [few, many] = FEW_ROWS;
        let copies = [self.stored.copy(few)?, self.stored.copy(many)?];
        let server = || servers::b2b(&[STATEFUL], 1, Consumer::Callback).shm_megabytes(64);
        let mut taken = Vec::new();
        for copy in &copies {
            taken.push([counted(copy.selecting(server())?, "select")?, counted(copy.storing(server()), "restore")?]);
        }
        let [less, more] = [&taken[0], &taken[1]];
        let [plain, ours] = [0, 1].map(|place| (more[place] - less[place]) / (many - few) as f64 / 1e3);
        let row = |name: String, value| Row::figure("P10", name, "k instr.", Some(Sample::single(value)));
        report.row(row("plain SELECT, a row".to_owned(), plain));
        let start = row(format!("start, a row, {}", OWNERS[1].1), ours);
        report.row(start.ratio(Some(Sample::single(ours / plain))).goal(GOAL));
        Ok(())
    }
}

/// The instructions of the main process of a server that starts and stops.
fn counted(builder: Builder, name: &str) -> Result<f64, Failure> {
    let folder = TempDir::with_prefix("callgrind-")?;
    let out = format!("--callgrind-out-file={}/%p", folder.path().display());
    let server = builder.under(&["valgrind", "--tool=callgrind", "-q", &out]).start();
    let file = folder.path().join(server.pid().to_string());
    server.stop();
    let kept = report::folder()?.join(report::CALLGRIND);
    fs::create_dir_all(&kept)?;
    fs::copy(&file, kept.join(name))?;
    total(&file)
}
