//! A server with its database, its notifier and its consumer, which can be killed and started again.

use std::collections::{BTreeMap, HashMap};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::consumer::{Consumer, TELL};
use super::desk::{Desk, random};
use super::judge::{Case, Finding, Kind, Row, Want};
use super::ledger::{Key, Manners};
use super::place::Place;
use super::support::config::Builder;
use super::support::endpoint::{Endpoint, Received};
use super::support::kamailio::Server;
use super::support::process::members;
use super::support::wait::until;

/// How large it all is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Subscriptions that last.
    pub subscriptions: usize,
    /// How many seconds the notifier grants.
    pub expires: u32,
    /// `total_rate` and `destination_rate`.
    pub rate: u32,
    /// How many states change a second.
    pub changes: u32,
    /// How often the server is killed, or stopped.
    pub kills: u32,
    /// How long the database is away.
    pub outage: Duration,
    /// How long all may take to be well again.
    pub patience: Duration,
    /// Whether rows are stored: 1 is yes.
    pub db_mode: u8,
}

/// The routing: MESSAGEs say what to subscribe to.
const ROUTE: &str = r#"
request_route {
    if (is_method("NOTIFY")) {
        if (!t_newtran()) {
            sl_reply_error();
            exit;
        }
        if (!handle_notify()) {
            t_reply("481", "Subscription does not exist");
        }
        exit;
    }
    if ($hdr(X-Do) == "subscribe" && b2b_subscribe("$hdr(X-Record)", "$hdr(X-Subscriber)")) {
        sl_send_reply("200", "OK");
        exit;
    }
    if ($hdr(X-Do) == "unsubscribe" && b2b_unsubscribe("$hdr(X-Record)", "$hdr(X-Subscriber)")) {
        sl_send_reply("200", "OK");
        exit;
    }
    if ($hdr(X-Do) == "state") {
        append_to_reply("X-State: $b2b($hdr(X-Record)=>note)\r\n");
        sl_send_reply("200", "OK");
        exit;
    }
    sl_send_reply("480", "No");
}
"#;

/// How long an end may take, and an answer.
const END: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_millis(500);

/// One that comes and goes.
#[derive(Clone, Copy, Debug)]
struct Passing {
    /// Whether it was asked to exist last.
    wanted: bool,
    /// Whether the server has said yes to that.
    is_sure: bool,
    /// The life of the server in which that was.
    life: u32,
}

/// All of it.
pub struct World {
    /// The database.
    pub place: Place,
    /// The notifier.
    pub desk: Desk,
    /// How large it is.
    pub size: Size,
    /// What has been found so far, apart from the judge's findings.
    pub findings: Vec<Finding>,
    /// When the server was killed.
    pub kills: Vec<Instant>,
    builder: Builder,
    server: Option<Server>,
    asker: Endpoint,
    consumer: Consumer,
    lasting: Vec<Key>,
    passing: BTreeMap<Key, Passing>,
    before: HashMap<Key, String>,
    life: u32,
}

impl World {
    /// Starts it, subscribes, and waits until all is well.
    pub fn new(place: Place, size: Size) -> World {
        let desk = Desk::open(Manners { expires: size.expires, etags: true });
        let builder = Server::b2b()
            .tlsf()
            .shm_megabytes(128)
            .modparam("tm", "fr_timer", 5000)
            .route(ROUTE)
            .route(TELL)
            .allow_log("no such subscription");
        let builder =
            builder.b2b_param("total_rate", i64::from(size.rate)).b2b_param("destination_rate", i64::from(size.rate));
        let builder =
            builder.b2b_param("min_resubscribe_time", 0).b2b_param("resubscribe_delta", 10).b2b_param("keep_state", 1);
        if size.db_mode > 0 {
            place.make_tables();
        }
        let enter = place.enter();
        let mut world = World {
            builder: builder.under(&enter.iter().map(String::as_str).collect::<Vec<_>>()),
            place,
            desk,
            size,
            findings: Vec::new(),
            kills: Vec::new(),
            server: None,
            asker: Endpoint::udp(),
            consumer: Consumer::default(),
            lasting: Vec::new(),
            passing: BTreeMap::new(),
            before: HashMap::new(),
            life: 0,
        };
        world.start();
        world.populate();
        world
    }

    fn populate(&mut self) {
        for number in 0..self.size.subscriptions {
            // Some records have two subscribers.
            let record = self.desk.uri(&format!("r{}", number % (self.size.subscriptions * 3 / 4).max(1)));
            let key = Key { record, subscriber: format!("sip:w{number}@example.org") };
            let asked = until(END, || self.ask("subscribe", &key).filter(|yes| *yes));
            assert!(asked.is_some(), "the server does not subscribe to {key}");
            self.lasting.push(key);
        }
        if !self.heal(self.size.patience) {
            self.findings.push(Finding::new(Kind::Server, "not all subscriptions were made"));
        }
        let ledger = self.desk.ledger();
        let call_id = |key: &Key| ledger.of(key).last().map(|dialog| (key.clone(), dialog.call_id.clone()));
        self.before = self.lasting.iter().filter_map(call_id).collect();
    }

    /// States change from now on.
    pub fn load(&self) {
        let records = self.lasting.iter().map(|key| key.record.clone());
        self.desk.change(super::desk::distinct(records), self.size.changes);
    }

    /// Asks the server by SIP; none if no answer comes.
    fn ask(&self, what: &str, key: &Key) -> Option<bool> {
        self.exchange(what, key).map(|answer| answer.status() == 200)
    }

    fn exchange(&self, what: &str, key: &Key) -> Option<Received> {
        let server = self.server.as_ref()?;
        let (own, to) = (self.asker.uri("test"), server.uri("b2b"));
        let request = self.asker.fresh_request("MESSAGE", &to, &own, &to).with("X-Do", what);
        let request = request.with("X-Record", &key.record).with("X-Subscriber", &key.subscriber);
        self.asker.try_exchange(&request, server.addr(), ANSWER)
    }

    /// What the script has at hand of a few records is never older than what was told.
    fn look_at_hand(&mut self) {
        for key in self.some(3) {
            let told = self.consumer.of(&key).state;
            if let Some(state) = self.at_hand(&key).filter(|state| *state < told) {
                let text = format!("{key}: the script has state {state}, told was {told}");
                self.findings.push(Finding::new(Kind::AtHand, text));
            }
        }
    }

    /// In the end it has the newest state of all.
    fn await_at_hand(&mut self) {
        let end = Instant::now() + self.size.patience;
        for key in self.some(20) {
            let newest = self.desk.ledger().newest(&key.record);
            let mut last = None;
            let within = end.saturating_duration_since(Instant::now());
            let is_known = until(within, || {
                last = self.at_hand(&key);
                (last == Some(newest)).then_some(())
            });
            if is_known.is_none() {
                let text = format!("{key}: the script has {last:?}, the newest is {newest}");
                self.findings.push(Finding::new(Kind::AtHand, text));
            }
        }
    }

    fn at_hand(&self, key: &Key) -> Option<u64> {
        self.exchange("state", key)?.header("X-State")?.strip_prefix("state ")?.parse().ok()
    }

    fn some(&self, count: usize) -> Vec<Key> {
        (0..count).map(|_| self.lasting[random(self.lasting.len() as u64) as usize].clone()).collect()
    }

    /// One subscription comes, and perhaps another one goes.
    pub fn churn(&mut self) {
        let number = self.passing.len();
        let key = Key {
            record: self.desk.uri(&format!("p{number}")),
            subscriber: format!("sip:passing{number}@example.org"),
        };
        let answer = self.ask("subscribe", &key);
        self.passing.insert(key, Passing { wanted: true, is_sure: answer == Some(true), life: self.life });
        let wanted = self.passing.iter().filter(|(_, passing)| passing.wanted && passing.is_sure);
        let keys: Vec<Key> = wanted.map(|(key, _)| key.clone()).collect();
        if keys.len() > 20 {
            let key = keys[random(keys.len() as u64) as usize].clone();
            // One that was lost with a life, or never was, is refused.
            let is_sure = self.ask("unsubscribe", &key) == Some(true);
            self.passing.insert(key, Passing { wanted: false, is_sure, life: self.life });
        }
    }

    /// Runs under load for this time.
    pub fn run(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            thread::sleep(left.min(Duration::from_millis(50)));
            self.churn();
        }
    }

    /// A fault of the database has been noticed, or it was none. One that is slow is good in between.
    pub fn expect_trouble(&mut self) {
        let Some(server) = &self.server else { return };
        let store = || server.rpc("presence_b2b.store", Value::Null).unwrap_or_default();
        let is_noticed = |store: &Value| store["state"] != "good" || store["failures"] != 0;
        if until(Duration::from_secs(10), || Some(store()).filter(is_noticed)).is_none() {
            self.findings.push(Finding::new(Kind::Server, format!("the fault had no effect: {}", store())));
        }
    }

    /// The server's database is stored to again, and all that waited has been written.
    pub fn drain(&mut self, within: Duration) {
        let Some(server) = self.server.as_ref().filter(|_| self.size.db_mode > 0) else { return };
        let mut last = Value::Null;
        let is_drained = until(within, || {
            last = server.rpc("presence_b2b.store", Value::Null).unwrap_or_default();
            (last["waiting"] == 0).then_some(())
        });
        if is_drained.is_none() {
            self.findings.push(Finding::new(Kind::Server, format!("it has not written all within {within:?}: {last}")));
        }
    }

    /// Starts the server.
    pub fn start(&mut self) {
        self.life += 1;
        self.server = Some(self.place.configure(self.builder.clone(), self.size.db_mode).start());
        if !self.lasting.is_empty() {
            self.look_at_hand();
        }
    }

    /// Stops it as an operator does.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            let log = server.stop_and_read();
            self.consumer.read(&log);
            self.consumer.turn_page();
        }
    }

    /// Kills all its processes.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.signal_all(libc::SIGKILL);
            self.kills.push(Instant::now());
            let group = server.pid();
            assert!(until(END, || members(group).is_empty().then_some(())).is_some(), "killed, but still there");
            self.consumer.read(&server.log().text());
            self.consumer.turn_page();
            assert!(server.ends(END, |_| String::new()).is_ok(), "killed, but still there");
        }
    }

    /// Waits until all is well again.
    pub fn heal(&mut self, within: Duration) -> bool {
        self.desk.change(Vec::new(), 0);
        until(within, || {
            self.read();
            let want = self.want();
            self.case(&want, None, |case| case.is_healed()).then_some(())
        })
        .is_some()
    }

    /// All that is wrong, once what is on its way has arrived.
    pub fn judge(&mut self) -> Vec<Finding> {
        self.await_at_hand();
        let mut found = Vec::new();
        until(self.size.patience, || {
            self.read();
            let (rows, want) = (self.rows(), self.want());
            found = self.case(&want, Some(&rows), |case| case.judge());
            (!found.iter().any(Finding::counts)).then_some(())
        });
        [std::mem::take(&mut self.findings), found].concat()
    }

    /// Reads what has been told since.
    fn read(&mut self) {
        if let Some(server) = &self.server {
            self.consumer.read(&server.log().text());
        }
    }

    fn case<R>(&self, want: &BTreeMap<Key, Want>, rows: Option<&[Row]>, see: impl FnOnce(Case<'_>) -> R) -> R {
        let ledger = self.desk.ledger();
        see(Case {
            ledger: &ledger,
            consumer: &self.consumer,
            rows,
            want,
            before: &self.before,
            rate: self.size.rate,
            kills: &self.kills,
            now: Instant::now(),
        })
    }

    /// What must be true now.
    fn want(&self) -> BTreeMap<Key, Want> {
        let ledger = self.desk.ledger();
        let passing = self.passing.iter().map(|(key, passing)| {
            let is_present = passing.is_sure && passing.life == self.life;
            let was_seen = ledger.of(key).next().is_some();
            let want = match passing.wanted {
                true if is_present || was_seen => Want::Alive,
                false if is_present => Want::Ended,
                _ => Want::Either,
            };
            (key.clone(), want)
        });
        let lasting = self.lasting.iter().map(|key| (key.clone(), Want::Alive));
        lasting.chain(passing).collect()
    }

    /// The process that writes to the database.
    pub fn store(&self) -> Vec<u32> {
        let list = self.server.as_ref().and_then(|server| server.rpc("core.psx", Value::Null).ok()).unwrap_or_default();
        let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let stores = all
            .iter()
            .filter(|process| process["DSC"].as_str().is_some_and(|name| name.contains("presence_b2b store")));
        stores.filter_map(|process| process["PID"].as_u64()?.try_into().ok()).collect()
    }

    /// The server's list.
    fn rows(&self) -> Vec<Row> {
        let Some(server) = &self.server else { return Vec::new() };
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let row = |row: &Value| Row {
            key: Key { record: text(row, "record"), subscriber: text(row, "subscriber") },
            state: text(row, "state"),
            call_id: text(row, "call_id"),
        };
        server.rows("presence_b2b.list").iter().map(row).collect()
    }

    /// NOTIFYs since then that had to be sent three times or more, although the server ran.
    pub fn judge_delays(&mut self, since: Instant) {
        let ledger = self.desk.ledger();
        let slow = ledger.told.iter().filter(|told| told.at >= since && told.copies > 2).count();
        if slow > 0 {
            let text = format!("{slow} NOTIFYs were sent three times or more before they were answered");
            self.findings.push(Finding::new(Kind::Slow, text));
        }
    }

    /// How many SUBSCRIBEs there were.
    pub fn subscribes(&self) -> usize {
        self.desk.ledger().asked.len()
    }
}
