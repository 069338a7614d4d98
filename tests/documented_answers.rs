//! The answers that the pages show are those that the module gives: name by name, in order, and value by value where a value can
//! be the same.

use std::process::Command;

use serde_json::{Value, json};

use crate::documentation::{RECORD, SUBSCRIBER, between, blocks, blocks_in, section, text_of};
use crate::support::config::version;
use crate::support::kamailio::Server;
use crate::support::pidf::pidf;
use crate::support::presence_server::PresenceServer;
use crate::support::wait::{SOON, eventually};

/// The id of the examples' one subscription.
const ID: &str = "1027";

/// Where the examples' SUBSCRIBEs go, and what their presence server calls itself.
const ADDRESS: &str = "192.0.2.7:5060";

/// Seconds that count down: the page shows what is left at the beginning, and the examples of a page run for so long at most.
const COUNTS_DOWN: [&str; 2] = ["expires_in", "next_action_in"];
const MOST_SECONDS: u64 = 20;

/// How much sooner than the page shows a refresh may be made, in percent: `refresh_jitter` as it is unless set.
const JITTER: u64 = 10;

/// The README's server has no table to read; `provisioning` has.
const NEEDS_TABLE: [&str; 2] = ["kamcmd presence_b2b.reload", "kamcmd presence_b2b.credentials_reload"];

/// Names of a dialog: another one each time, of the same length and made of letters, digits and hyphens.
const NAMES: [&str; 3] = ["call_id", "local_tag", "remote_tag"];

/// Amounts of memory: of the same magnitude, as the server's processes and allocator count.
const AMOUNTS: [&str; 3] = ["memory", "small_blocks", "small_bytes"];

/// How far the bytes of a subscription may be from what the page shows, in percent: some of its texts have another length.
const NEARLY: u64 = 5;

/// How far the process that writes is, which depends on the moment.
const MOMENTARY: [&str; 6] = ["rows", "waiting", "lag_ms", "written", "writes", "restore_took"];

/// Why a value is not what the page shows it is.
fn difference(name: &str, shown: &str, real: &str) -> Option<String> {
    let numbers = || Some((shown.parse::<u64>().ok()?, real.parse::<u64>().ok()?));
    let is_same = if COUNTS_DOWN.contains(&name) {
        numbers().is_some_and(|(shown, real)| {
            let least = if name == "next_action_in" { shown - shown * JITTER / 100 } else { shown };
            real <= shown + 1 && real + MOST_SECONDS >= least
        })
    } else if NAMES.contains(&name) {
        let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        shown.len() == real.len() && is_name(shown) && is_name(real)
    } else if AMOUNTS.contains(&name) {
        numbers().is_some_and(|(shown, real)| shown / 2 <= real && real <= shown * 2)
    } else if name == "bytes" {
        numbers().is_some_and(|(shown, real)| shown.abs_diff(real) * 100 <= shown * NEARLY)
    } else if MOMENTARY.contains(&name) {
        numbers().is_some()
    } else if name == "built_for" && version() != (5, 6) {
        real.starts_with("kamailio ")
    } else {
        shown == real
    };
    (!is_same).then(|| format!("{name} is {real:?}, the page shows {shown:?}"))
}

#[test]
fn a_wrong_value_is_noticed() {
    for (name, shown, real, is_same) in [
        ("state", "confirmed", "confirmed", true),
        ("state", "confirmed", "waiting", false),
        ("created", "1", "2", false),
        ("expires_in", "3599", "3590", true),
        ("expires_in", "3599", "3300", false),
        ("next_action_in", "3569", "3230", true),
        ("next_action_in", "29", "3000", false),
        ("call_id", "g001f6", "g002f7", true),
        ("call_id", "g001f6", "g002f", false),
        ("local_tag", "abc", "a c", false),
        ("written", "4", "3", true),
        ("written", "4", "", false),
        ("memory", "1000", "1900", true),
        ("memory", "1000", "0", false),
        ("bytes", "238", "245", true),
        ("bytes", "238", "336", false),
    ] {
        assert_eq!(difference(name, shown, real).is_none(), is_same, "{name}: {shown} and {real}");
    }
}

/// A server with the README's configuration, a presence server, and the examples' names for what there is.
struct Session {
    server: Server,
    presence: PresenceServer,
    id: String,
    /// Where the page and the module differ.
    wrong: Vec<String>,
}

impl Session {
    fn start() -> Session {
        let whole = blocks_in("README.md", "kamailio").into_iter().find(|block| block.starts_with("#!KAMAILIO"));
        let presence = PresenceServer::start();
        presence.publish("alice", &pidf(&presence.uri("alice"), "open", Some("at the desk")));
        // The server has no right to write where the page has its database.
        let whole = whole.expect("a whole configuration").replace("/var/lib/kamailio/presence_b2b/", "{dir}/");
        let server = Server::builder().whole(&whole).start();
        Session { server, presence, id: String::new(), wrong: Vec::new() }
    }

    fn real(&self, text: &str) -> String {
        let subscriber = self.server.uri("watcher");
        let text = text.replace(ADDRESS, &self.presence.server.addr().to_string());
        text.replace(RECORD, &self.presence.uri("alice")).replace(SUBSCRIBER, &subscriber).replace(ID, &self.id)
    }

    /// Runs a console block: each command's answer is what the page shows.
    fn run_console(&mut self, block: &str) {
        for step in block.split("$ ").skip(1) {
            let (command, shown) = step.split_once('\n').expect("a line");
            let answer = self.kamcmd(command);
            if NEEDS_TABLE.contains(&command) {
                assert!(answer.contains("there is no table "), "{answer}");
                continue;
            }
            assert!(!answer.contains("error:"), "{command}: {answer}");
            if command.contains(".subscribe ") {
                self.id = answer.trim().to_owned();
                self.wait_until_it_stands();
            }
            if !shown.is_empty() {
                let (answer, shown) = (lines(&answer), lines(&self.real(shown)));
                self.compare(command, &answer, &shown);
            }
        }
    }

    fn compare(&mut self, command: &str, answer: &[(String, String)], shown: &[(String, String)]) {
        let names = |lines: &[(String, String)]| lines.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let (has, wants) = (names(answer), names(shown));
        if has != wants {
            self.wrong.push(format!("{command}: the names are {has:?}, the page shows {wants:?}"));
            return;
        }
        let pairs = answer.iter().zip(shown);
        let differ = pairs.filter_map(|((name, real), (_, shown))| difference(name, shown, real));
        self.wrong.extend(differ.map(|difference| format!("{command}: {difference}")));
    }

    /// Waits until the event route has been told all there was: until then its messages show in the answers.
    fn settle(&self) {
        eventually(SOON, "nothing is queued", || (self.server.trace()["queued"] == 0).then_some(()));
    }

    fn kamcmd(&self, command: &str) -> String {
        self.settle();
        let command = self.real(command);
        // As a shell reads them.
        let mut words = command.split(' ').map(|word| word.trim_matches('\''));
        assert_eq!(words.next(), Some("kamcmd"));
        let socket = format!("unixs:{}/kamailio_ctl", self.server.dir().display());
        let output = Command::new("kamcmd").args(["-s", &socket]).args(words).output().expect("kamcmd can be executed");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    /// Makes a JSON call: its answer is what the page shows.
    fn run_json(&mut self, block: &str) {
        let lines: Vec<Value> = block.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let [request, shown] = &lines[..] else { panic!("{block}") };
        let params = serde_json::from_str(&self.real(&request["params"].to_string())).expect("JSON");
        self.settle();
        let mut answer = self.server.rpc(request["method"].as_str().expect("a method"), params).expect("an answer");
        let mut result: Value = serde_json::from_str(&self.real(&shown["result"].to_string())).expect("JSON");
        without_order(&mut answer);
        without_order(&mut result);
        let (mut real, mut of_page) = (Vec::new(), Vec::new());
        flatten("", &answer, &mut real);
        flatten("", &result, &mut of_page);
        self.compare(&request.to_string(), &real, &of_page);
    }

    fn wait_until_it_stands(&self) {
        let id: u64 = self.id.parse().expect("a plain integer");
        eventually(SOON, "the subscription stands", || {
            let shown = self.server.rpc("presence_b2b.show", json!([id])).expect("it is there");
            (shown["state"] == "confirmed" && shown["notifies"] == 1).then_some(())
        });
    }

    fn stop(self) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        self.server.stop();
        self.presence.stop();
    }
}

/// The fields of an answer of kamcmd, in order.
fn lines(answer: &str) -> Vec<(String, String)> {
    let lines = answer.lines().map(str::trim).filter(|line| !line.is_empty());
    let parts = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or(("", line));
        (name.to_owned(), value.to_owned())
    };
    lines.map(parts).collect()
}

/// Of each event of a history only what it was: when it was is different each time, and two processes may have the reply and the NOTIFY
/// in either order. Which of the workers has told the route is different, too.
fn without_order(answer: &mut Value) {
    if let Some(queues) = answer.as_array_mut().filter(|rows| rows.iter().all(|row| row["limit_bytes"].is_u64())) {
        let numbers: Vec<_> = queues.iter().map(|queue| queue["queue"].clone()).collect();
        queues.sort_by_key(|queue| (queue["consumer"].to_string(), queue["received"].as_u64()));
        queues.iter_mut().zip(numbers).for_each(|(queue, number)| queue["queue"] = number);
    }
    let Some(events) = answer.get_mut("events").and_then(Value::as_array_mut) else { return };
    for event in &mut *events {
        let fields = event.as_object_mut().expect("a struct");
        assert!(fields.remove("at").is_some() && fields.remove("state").is_some(), "{fields:?}");
        // The presence server tells how many seconds are left.
        if fields["event"] == "NOTIFY" {
            fields.remove("expires").expect("seconds");
        }
        *event = event.to_string().into();
    }
    events.sort_by_key(Value::to_string);
}

/// The fields of a JSON answer, whose members are in no order; what has no members has an end, so that lengths count.
fn flatten(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| flatten(name, value, into)),
        Value::Array(items) => {
            items.iter().for_each(|value| flatten(name, value, into));
            into.push((format!("{name}[]"), items.len().to_string()));
        }
        Value::String(text) => into.push((name.to_owned(), text.clone())),
        other => into.push((name.to_owned(), other.to_string())),
    }
}

#[test]
fn the_readme_works() {
    let mut session = Session::start();
    for block in blocks_in("README.md", "console") {
        session.run_console(&block);
    }
    let told = between(&text_of("README.md"), "The server's log then has: `", "`")[0].to_owned();
    let told = session.real(&told);
    eventually(SOON, &told, || session.server.log().text().contains(&told).then_some(()));
    session.stop();
}

#[test]
fn rpc_examples_work() {
    let mut session = Session::start();
    let page = text_of("docs/rpc.md");
    let (mut consoles, mut calls) = (0, 0);
    for block in blocks(&page) {
        match block.language.as_str() {
            "console" => {
                session.run_console(&block.text);
                consoles += 1;
            }
            "json" => {
                session.run_json(&block.text);
                calls += 1;
            }
            other => panic!("a block in {other:?}"),
        }
    }
    assert!(consoles >= 6 && calls >= 3);
    // All fields that an answer has are in the page's tables.
    session.id = session.kamcmd(&format!("kamcmd presence_b2b.subscribe {RECORD} {SUBSCRIBER}")).trim().to_owned();
    for (command, described_by) in [("trace detailed", "trace"), ("show 1027", "list")] {
        let section = section(&page, &format!("presence_b2b.{described_by}"));
        let answer = session.kamcmd(&format!("kamcmd presence_b2b.{command}"));
        let answer = lines(&answer);
        let keys: Vec<_> = answer.iter().map(|(key, _)| key).filter(|key| !key.is_empty()).collect();
        assert!(keys.len() > 20, "{command}: {answer:?}");
        for key in keys {
            assert!(section.contains(&format!("`{key}`")), "{command}: {key} is not described");
        }
    }
    session.stop();
}
