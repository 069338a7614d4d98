//! Lamps: P11. How soon one shows a change that a remote server tells, beside one that a local PUBLISH tells; and what the lamps of a local
//! call cost, told by the module or published by pua_dialoginfo.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::compare::{Failure, idle_share, interrupted, rest};
use crate::measure::Processes;
use crate::options::Options;
use crate::report::Report;
use crate::statistics::{Sample, quantile};
use crate::support::call::CallPhone;
use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::lamp_wall::LampWall;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pbx::EXTENSIONS;
use crate::table::{Goal, Row};

/// How long nothing may come.
const PATIENCE: Duration = Duration::from_secs(5);
const DIALOGS: &str = "application/dialog-info+xml";

/// Takes what is told to it, and has lamps.
const ROUTE: &str = r#"request_route {
    if (is_method("NOTIFY")) {
        if (!handle_notify()) {
            sl_send_reply("481", "Gone");
        }
        exit;
    }
    if (t_newtran()) {
        if (is_method("PUBLISH")) {
            handle_publish();
        } else {
            handle_subscribe();
        }
        t_release();
    }
}"#;

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P11") {
        return Ok(());
    }
    report.say("lamps of remote calls, beside those of a local PUBLISH");
    latencies(options, report)?;
    report.say("lamps of local calls, beside pua_dialoginfo");
    costs(options, report)
}

fn latencies(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let count = if options.quick { 500 } else { 2000 };
    let server = lean(Server::b2b().lamps()).shm_megabytes(200).route(ROUTE).start();
    let (mut remote, mut local) = (Remote::subscribed(&server)?, Local::new(&server));
    let wall = LampWall::default();
    for user in [Remote::USER, Local::USER] {
        wall.watch(&server, user);
    }
    // By what is compared and by quantile, round by round.
    let mut rounds: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 0..=options.rounds() {
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..count {
            interrupted()?;
            let state = if number % 2 == 0 { "early" } else { "confirmed" };
            times[0].push(remote.change(&wall, state)?);
            times[1].push(local.change(&wall, state)?);
        }
        for (times, kept) in times.iter_mut().zip(&mut rounds).filter(|_| round > 0) {
            times.sort_by(f64::total_cmp);
            for (part, kept) in [0.5, 0.99].into_iter().zip(kept) {
                kept.extend(quantile(times, part));
            }
        }
    }
    let [bridged, published] = &rounds;
    for (at, name) in ["p50", "p99"].into_iter().enumerate() {
        let row = |what: &str, rounds: &[f64]| Row::figure("P11", format!("{what}, {name}"), "µs", Sample::of(rounds));
        report.row(row("lamp shows a local PUBLISH", &published[at]));
        let ours = row("lamp shows a change that a remote NOTIFY tells", &bridged[at]);
        report.row(ours.ratio(Sample::ratio(&bridged[at], &published[at])).goal(Goal::AtMost(1.5)));
    }
    server.stop();
    Ok(())
}

/// One worker for messages, and little to say.
fn lean(server: Builder) -> Builder {
    server.tlsf().children(1).debug(0)
}

/// The user whose calls a remote server tells.
struct Remote {
    dialog: Dialog,
    version: u32,
    _notifier: Notifier,
}

impl Remote {
    const USER: &str = "remote";

    fn subscribed(server: &Server) -> Result<Remote, Failure> {
        let notifier = Notifier::udp();
        let options = format!("publish_as=\"{}\"", server.uri(Remote::USER));
        let params = json!([notifier.uri("alice"), server.uri("lamps"), "dialog", options]);
        server.rpc("presence_b2b.subscribe", params).map_err(|error| error.to_string())?;
        let dialog = notifier.accept(&notifier.expect_subscribe(PATIENCE), 3600);
        Ok(Remote { dialog, version: 0, _notifier: notifier })
    }

    /// Microseconds from the NOTIFY to the lamp.
    fn change(&mut self, wall: &LampWall, state: &str) -> Result<f64, Failure> {
        self.version += 1;
        let notify = Notify::active(3600).body(DIALOGS, document(self.version, state));
        let begun = Instant::now();
        let request = self.dialog.send_notify(notify);
        let took = shown(wall, Remote::USER, state, begun)?;
        let answer = self.dialog.endpoint().final_response(&request, PATIENCE).map(|answer| answer.status());
        if answer == Some(200) { Ok(took) } else { Err(format!("a NOTIFY got {answer:?}").into()) }
    }
}

/// The user whose calls are published.
struct Local<'s> {
    phone: Endpoint,
    server: &'s Server,
    uri: String,
    etag: Option<String>,
    version: u32,
}

impl<'s> Local<'s> {
    const USER: &'static str = "local";

    fn new(server: &'s Server) -> Local<'s> {
        Local { phone: Endpoint::udp(), server, uri: server.uri(Local::USER), etag: None, version: 0 }
    }

    /// Microseconds from the PUBLISH to the lamp.
    fn change(&mut self, wall: &LampWall, state: &str) -> Result<f64, Failure> {
        self.version += 1;
        let publish = self.phone.fresh_request("PUBLISH", &self.uri, &self.uri, &self.uri);
        let mut publish = publish.with("Event", "dialog").with("Expires", 3600);
        if let Some(etag) = &self.etag {
            publish = publish.with("SIP-If-Match", etag);
        }
        let publish = publish.with_body(DIALOGS, document(self.version, state));
        let begun = Instant::now();
        self.phone.send(&publish, self.server.addr());
        let took = shown(wall, Local::USER, state, begun)?;
        let answer = self.phone.final_response(&publish, PATIENCE).ok_or("a PUBLISH got no answer")?;
        self.etag = answer.header("SIP-ETag").map(str::to_owned);
        if answer.status() == 200 { Ok(took) } else { Err(format!("a PUBLISH got {}", answer.status()).into()) }
    }
}

fn shown(wall: &LampWall, user: &str, state: &str, begun: Instant) -> Result<f64, Failure> {
    let at =
        wall.await_state(user, state, PATIENCE).ok_or_else(|| format!("the lamp of {user} does not show {state}"))?;
    Ok(at.saturating_duration_since(begun).as_secs_f64() * 1e6)
}

fn document(version: u32, state: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"full\" \
         entity=\"sip:alice@pbx.example.com\">\n<dialog id=\"d1\" call-id=\"c1\" local-tag=\"l\" remote-tag=\"r\" \
         direction=\"recipient\"><state>{state}</state><remote><identity>sip:bob@example.com</identity></remote></dialog>\n\
         </dialog-info>\n"
    )
}

/// A server with two phones that many users share, and, but for the least, with the lamps of all. pua_dialoginfo lets a call that has ended be
/// published for ten more seconds; so that states do not grow, nobody has two calls in that time.
struct Contender {
    pairs: usize,
    called: usize,
    server: Server,
    phones: [CallPhone; 2],
    wall: Option<LampWall>,
    idle: f64,
    /// Microseconds for each call, round by round.
    costs: Vec<f64>,
}

impl Contender {
    fn new(
        pairs: usize,
        server: Builder,
        change: impl Fn(Builder) -> Builder,
        lit: bool,
    ) -> Result<Contender, Failure> {
        let ends = [Endpoint::udp(), Endpoint::udp()];
        let server = change(lean(server.pbx(&ends, "").shm_megabytes(100))).start();
        let [first, second] = ends;
        let phone = |end, user| CallPhone::new(end, server.uri(user), server.addr());
        let phones = [phone(first, EXTENSIONS[0]), phone(second, EXTENSIONS[1])];
        let wall = lit.then(LampWall::default);
        for user in (0..pairs).flat_map(users) {
            if let Some(wall) = &wall {
                wall.watch(&server, &user);
            }
        }
        let idle = idle_share(&server)?;
        Ok(Contender { pairs, called: 0, server, phones, wall, idle, costs: Vec::new() })
    }

    fn round(&mut self, calls: usize, counts: bool) -> Result<(), Failure> {
        let all = Processes::of(&self.server);
        let (before, begun) = (all.used(), Instant::now());
        for _ in 0..calls {
            interrupted()?;
            self.call()?;
        }
        rest(Duration::from_millis(300))?;
        let used = (all.used() - before).ran.as_secs_f64() - self.idle * begun.elapsed().as_secs_f64();
        self.costs.extend(counts.then_some(used.max(0.0) * 1e6 / calls as f64));
        Ok(())
    }

    /// Every state of the call is waited for, so that none is left out.
    fn call(&mut self) -> Result<(), Failure> {
        self.called += 1;
        let users = users(self.called % self.pairs);
        for (phone, user) in self.phones.iter_mut().zip(&users) {
            phone.uri = self.server.uri(user);
        }
        let [caller, callee] = &self.phones;
        let mut call = caller.call(callee);
        call.ring();
        self.lit(&users, "early")?;
        call.answer();
        self.lit(&users, "confirmed")?;
        call.hang_up();
        self.lit(&users, "off")
    }

    fn lit(&self, users: &[String; 2], state: &str) -> Result<(), Failure> {
        let Some(wall) = &self.wall else { return Ok(()) };
        for user in users {
            shown(wall, user, state, Instant::now())?;
        }
        Ok(())
    }
}

/// The caller and the callee of a pair.
fn users(pair: usize) -> [String; 2] {
    [format!("a{pair}"), format!("b{pair}")]
}

/// With the calls of all users told to their lamps.
fn told_by_module(pairs: usize, workers: i64) -> Result<Contender, Failure> {
    let local = |server: Builder| server.b2b_param("local_domains", "{ip}").b2b_param("workers", workers);
    let contender = Contender::new(pairs, Server::b2b(), local, true)?;
    let server = &contender.server;
    for user in (0..pairs).flat_map(users) {
        let params = json!([server.uri(&user), server.uri("lamps"), "dialog", "publish"]);
        server.rpc("presence_b2b.subscribe", params).map_err(|error| error.to_string())?;
    }
    Ok(contender)
}

fn costs(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let calls = if options.quick { 200 } else { 1000 };
    let pairs = calls.max(400);
    let mut without = Contender::new(pairs, Server::builder(), |server| server, false)?;
    let mut pua = Contender::new(pairs, Server::builder(), Builder::publishing_calls, true)?;
    let (mut alone, mut default) = (told_by_module(pairs, 1)?, told_by_module(pairs, 2)?);
    for round in 0..=options.rounds() {
        for contender in [&mut without, &mut pua, &mut alone, &mut default] {
            contender.round(calls, round > 0)?;
        }
    }
    let lamps = |contender: &Contender| -> Vec<f64> {
        contender.costs.iter().zip(&without.costs).map(|(with, without)| with - without).collect()
    };
    let theirs = lamps(&pua);
    let row = |name: &str, rounds: &[f64]| Row::figure("P11", name, "µs", Sample::of(rounds));
    report.row(row("local call without lamps (taken off below)", &without.costs));
    report.row(row("lamps of a local call, published by pua_dialoginfo", &theirs));
    for (contender, workers) in [(&alone, "1 worker"), (&default, "2 workers (the default)")] {
        let ours = lamps(contender);
        let told = row(&format!("lamps of a local call, told by the module, {workers}"), &ours);
        report.row(told.ratio(Sample::ratio(&ours, &theirs)).goal(Goal::AtMost(1.0)));
    }
    for contender in [without, pua, alone, default] {
        contender.server.stop();
    }
    Ok(())
}
