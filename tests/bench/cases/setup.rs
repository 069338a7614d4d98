//! Setting a subscription up: P4. And what the neighbour pua needs for it, and for its NOTIFYs and its memory.

use std::time::{Duration, Instant};

use crate::compare::{Failure, rest};
use crate::drive::{Drive, Until};
use crate::measure::{Processes, shared_memory};
use crate::notifier::{Document, Manners};
use crate::options::Options;
use crate::peers;
use crate::population::presence;
use crate::report::Report;
use crate::servers::{self, Consumer, DRIVER, SEND, SUBSCRIBE, SUBSCRIBE_STATELESS, WT_TIMER, Way};
use crate::statistics::Sample;
use crate::support::kamailio::Server;
use crate::table::{Goal, Row};

/// Bytes for Call-ID and tag of dialogs that tm names.
const NAME_ROOM: usize = 160;

/// One way to set subscriptions up.
pub struct Contender {
    server: Server,
    drive: Drive,
    way: Way,
    until: Until,
    first: usize,
    cpu: Vec<f64>,
}

impl Contender {
    /// On a server of its own, for `most` set-ups.
    pub fn new(server: Server, most: usize, way: Way, until: Until) -> Result<Contender, Failure> {
        Contender::with(server, most, way, until, presence())
    }

    fn with(server: Server, most: usize, way: Way, until: Until, document: Document) -> Result<Contender, Failure> {
        let drive = Drive::new(most, NAME_ROOM, document)?;
        Ok(Contender { server, drive, way, until, first: 0, cpu: Vec::new() })
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
        let idle = {
            let (before, begun) = (all.used(), Instant::now());
            rest(Duration::from_millis(300))?;
            (all.used() - before).ran.as_secs_f64() / begun.elapsed().as_secs_f64()
        };
        let (before, begun) = (all.used(), Instant::now());
        let ran = self.drive.run(self.way.addr(&self.server), self.first, count, self.until);
        ran.map_err(|failure| format!("{}: {failure}\n{}", self.way.name, self.server.log().tail(5)))?;
        self.first += count;
        rest(Duration::from_millis(u64::from(WT_TIMER) + 250))?;
        let used = (all.used() - before).ran.as_secs_f64() - idle * begun.elapsed().as_secs_f64();
        Ok(used * 1e6 / count as f64)
    }
}

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P4") && !options.wants("P5") {
        return Ok(());
    }
    let (rounds, count) = if options.quick { (3, 3000) } else { (5, 10_000) };
    let most = (rounds + 1) * count;
    report.say("set-ups, side by side");

    let b2b = |way| servers::b2b(&[way], 1, Consumer::Callback).shm_megabytes(500).start();
    let bare = servers::plain(&[SEND]).shm_megabytes(500).module("uac").route(servers::UAC_REPLY).start();
    let driver = servers::plain(&[DRIVER]).shm_megabytes(100).start();
    let (pua, _database) = peers::pua()?;
    let pua = pua.shm_megabytes(500).start();
    let mut contenders = [
        Contender::new(b2b(SUBSCRIBE), most, SUBSCRIBE, Until::Notified)?,
        Contender::new(b2b(SUBSCRIBE_STATELESS), most, SUBSCRIBE_STATELESS, Until::Notified)?,
        Contender::new(bare, most, SEND, Until::Notified)?,
        Contender::new(driver, most, DRIVER, Until::Read)?,
        Contender::with(pua, most, peers::PUA, Until::Notified, peers::reginfo())?,
    ];
    let mut pua_memory = Vec::new();
    for round in 0..=rounds {
        for (at, contender) in contenders.iter_mut().enumerate() {
            let count = if contender.until == Until::Read { count / 64 * 64 * 4 } else { count };
            let before = shared_memory(&contender.server);
            let cpu = contender.round(count)?;
            if round > 0 {
                contender.cpu.push(cpu);
                if at == 4 {
                    let grown = shared_memory(&contender.server) as f64 - before as f64;
                    pua_memory.push(grown / count as f64);
                }
            }
        }
    }
    let [ours, stateless, bare, driver, pua] = contenders;
    let net = |contender: &Contender| -> Vec<f64> {
        contender.cpu.iter().zip(&driver.cpu).map(|(cpu, driver)| cpu - driver).collect()
    };
    let [net_ours, net_stateless, net_bare, net_pua] = [&ours, &stateless, &bare, &pua].map(net);
    if options.wants("P4") {
        let figure = |name: &str, cpu: &[f64]| Row::figure("P4", name, "µs", Sample::of(cpu));
        report.row(figure("driver: one message read (taken off below)", &driver.cpu));
        report.row(figure("uac_req_send with callback, NOTIFY by t_newtran + t_reply", &net_bare));
        let row = figure("set-up to a C queue, beside that", &net_ours);
        report.row(row.ratio(Sample::ratio(&net_ours, &net_bare)).goal(Goal::AtMost(1.2)));
        report.row(figure("set-up by pua_reginfo, NOTIFY answered by sl", &net_pua));
        let row = figure("set-up to a C queue, NOTIFY without transaction, beside pua", &net_stateless);
        report.row(row.ratio(Sample::ratio(&net_stateless, &net_pua)).goal(Goal::AtMost(0.65)));
    }
    if options.wants("P5") {
        report.row(Row::figure("P5", "shared memory of a subscription of pua", "B", Sample::of(&pua_memory)));
    }
    [ours, stateless, bare, driver, pua].into_iter().for_each(Contender::stop);
    Ok(())
}
