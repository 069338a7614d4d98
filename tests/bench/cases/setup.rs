//! Setting a subscription up: P4. And what the neighbour pua needs for it, and for its NOTIFYs and its memory.

use std::time::{Duration, Instant};

use crate::compare::{Failure, idle_share, rest};
use crate::drive::{Drive, Until};
use crate::measure::{Processes, shared_memory};
use crate::notifier::Manners;
use crate::options::Options;
use crate::peers::{self, PUA_REGINFO, PUA_RPC};
use crate::population::presence;
use crate::report::Report;
use crate::servers::{self, Consumer, DRIVER, SEND, SETTLED, SUBSCRIBE, SUBSCRIBE_STATELESS, Way};
use crate::statistics::Sample;
use crate::support::kamailio::Server;
use crate::table::{Goal, Row};
use crate::writer::Document;

/// Bytes for Call-ID and tag of dialogs that tm names.
const NAME_ROOM: usize = 160;

/// One way to set subscriptions up, with what its rounds gave.
pub struct Contender {
    server: Server,
    drive: Drive,
    way: Way,
    until: Until,
    first: usize,
    /// The part of a processor that its server takes when nothing comes.
    idle: f64,
    cpu: Vec<f64>,
    rate: Vec<f64>,
    /// Shared memory in use, and set-ups made, before the rounds that count.
    before: (u64, usize),
}

impl Contender {
    /// On a server of its own, for `most` set-ups.
    pub fn new(server: Server, most: usize, way: Way, until: Until) -> Result<Contender, Failure> {
        Contender::with(server, most, way, until, presence())
    }

    fn with(server: Server, most: usize, way: Way, until: Until, document: Document) -> Result<Contender, Failure> {
        let drive = Drive::new(most, NAME_ROOM, document)?;
        let idle = idle_share(&server)?;
        Ok(Contender { server, drive, way, until, first: 0, idle, cpu: Vec::new(), rate: Vec::new(), before: (0, 0) })
    }

    /// Changes what its notifier does.
    pub fn quiet(&self, manners: Manners) {
        self.drive.desk().behave(Manners { notify_first: false, ..manners });
    }

    /// Stops its server.
    pub fn stop(self) {
        self.server.stop();
    }

    /// One round: CPU time in µs for each set-up.
    pub fn round(&mut self, count: usize) -> Result<f64, Failure> {
        let all = Processes::of(&self.server);
        let (before, begun) = (all.used(), Instant::now());
        let ran = self.drive.run(self.way.addr(&self.server), self.first, count, self.until);
        ran.map_err(|failure| format!("{}: {failure}\n{}", self.way.name, self.server.log().tail(5)))?;
        let took = begun.elapsed();
        self.first += count;
        rest(SETTLED)?;
        let used = (all.used() - before).ran.as_secs_f64() - self.idle * begun.elapsed().as_secs_f64();
        self.rate.push(count as f64 / took.as_secs_f64());
        self.cpu.push(used * 1e6 / count as f64);
        Ok(used * 1e6 / count as f64)
    }

    /// Forgets what the rounds so far gave.
    fn forget(&mut self) {
        self.cpu.clear();
        self.rate.clear();
        self.before = (shared_memory(&self.server), self.first);
    }

    /// Bytes of shared memory that a set-up has left behind. The server brings its count up to date once a second, so not
    /// right after a round.
    fn memory(&self) -> f64 {
        let (bytes, count) = self.before;
        (shared_memory(&self.server) as f64 - bytes as f64) / (self.first - count) as f64
    }

    /// CPU time without that of the driver.
    fn net(&self, driver: &Contender) -> Vec<f64> {
        self.cpu.iter().zip(&driver.cpu).map(|(cpu, driver)| cpu - driver).collect()
    }

    fn per_second(&self) -> Option<f64> {
        Sample::of(&self.rate).map(|rate| rate.median)
    }
}

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P4") && !options.wants("P5") {
        return Ok(());
    }
    let (rounds, count) = if options.quick { (2, 3000) } else { (5, 10_000) };
    let most = (rounds + 1) * count;
    report.say("set-ups, side by side");

    let b2b = |way| servers::b2b(&[way], 1, Consumer::Callback).shm_megabytes(500).start();
    let bare = servers::plain(&[SEND]).shm_megabytes(500).module("uac").route(servers::UAC_REPLY).start();
    let driver = servers::plain(&[DRIVER]).shm_megabytes(100).start();
    let [(reginfo, _reginfo_data), (rpc, _rpc_data)] = [peers::pua_reginfo()?, peers::pua_rpc()?];
    let [reginfo, rpc] = [reginfo, rpc].map(|pua| pua.shm_megabytes(500).start());
    let mut contenders = [
        Contender::new(b2b(SUBSCRIBE), most, SUBSCRIBE, Until::Notified)?,
        Contender::new(b2b(SUBSCRIBE_STATELESS), most, SUBSCRIBE_STATELESS, Until::Notified)?,
        Contender::new(bare, most, SEND, Until::Notified)?,
        Contender::new(driver, most, DRIVER, Until::Read)?,
        Contender::with(reginfo, most, PUA_REGINFO, Until::Notified, peers::reginfo())?,
        Contender::new(rpc, most, PUA_RPC, Until::Notified)?,
    ];
    for round in 0..=rounds {
        for contender in &mut contenders {
            let count = if contender.until == Until::Read { count / 64 * 64 * 4 } else { count };
            contender.round(count)?;
            if round == 0 {
                contender.forget();
            }
        }
    }
    if options.wants("P4") {
        costs(report, &contenders);
    }
    if options.wants("P5") {
        let [.., reginfo, rpc] = &contenders;
        rest(Duration::from_secs(1))?;
        for peer in [reginfo, rpc] {
            let name = format!("shared memory of a subscription of {}", peer.way.name);
            report.row(Row::figure("P5", name, "B", Some(Sample::single(peer.memory()))));
        }
    }
    contenders.into_iter().for_each(Contender::stop);
    Ok(())
}

fn costs(report: &mut Report, contenders: &[Contender; 6]) {
    let [ours, stateless, bare, driver, reginfo, rpc] = contenders;
    let mut row = |name: &str, contender: &Contender, beside: Option<(&Contender, Option<f64>)>| {
        let net = if contender.until == Until::Read { contender.cpu.clone() } else { contender.net(driver) };
        let mut row = Row::figure("P4", name, "µs", Sample::of(&net)).rate(contender.per_second());
        if let Some((under, goal)) = beside {
            row = row.ratio(Sample::ratio(&net, &under.net(driver)));
            row.goal = goal.map(Goal::AtMost);
        }
        report.row(row);
    };
    row("driver: one message read (taken off below)", driver, None);
    row("uac_req_send with callback, NOTIFY by t_newtran + t_reply", bare, None);
    row("set-up to a C queue, beside that", ours, Some((bare, Some(1.2))));
    row("set-up by pua_reginfo, NOTIFY answered by sl", reginfo, None);
    row("set-up by pua_rpc, NOTIFY answered by sl", rpc, None);
    row("set-up to a C queue, NOTIFY without transaction, beside pua_reginfo", stateless, Some((reginfo, Some(0.65))));
    row("set-up to a C queue, NOTIFY without transaction, beside pua_rpc", stateless, Some((rpc, None)));
}
