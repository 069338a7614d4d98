//! `prometheus`: a real Prometheus asks a real server for all counters, and answers every question of the dashboard.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::{address, example};
use crate::documentation::{section, text_of};
use crate::metrics::has_labels;
use crate::statistics::counters;
use crate::support::address::own_ip;
use crate::support::notifier::Notifier;
use crate::support::process::Group;
use crate::support::wait::{SOON, eventually};

/// The prefix of the module's counters in Prometheus.
const PREFIX: &str = "kamailio_presence_b2b_";

/// A Prometheus on an address of its own.
struct Prometheus {
    ip: Ipv4Addr,
    group: Group,
    _dir: TempDir,
}

impl Prometheus {
    /// Starts it with this configuration.
    fn start(config: &str) -> Prometheus {
        let (ip, dir) = (own_ip(), TempDir::with_prefix("prometheus-").expect("a folder"));
        let file = dir.path().join("prometheus.yml");
        fs::write(&file, config).expect("a file");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg(format!("--web.listen-address={ip}:9090"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let group = Group::spawn(command).expect("prometheus can be executed");
        eventually(SOON, "Prometheus listens", || TcpStream::connect((ip, 9090)).ok());
        Prometheus { ip, group, _dir: dir }
    }

    /// The answer to an expression, and why there is none.
    fn ask(&self, expression: &str) -> Result<Vec<Value>, String> {
        let plain =
            |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        let query: String = expression.bytes().map(plain).collect();
        let mut stream = TcpStream::connect((self.ip, 9090)).expect("a connection");
        stream.set_read_timeout(Some(SOON)).expect("a limit");
        write!(stream, "GET /api/v1/query?query={query} HTTP/1.0\r\nHost: {}\r\n\r\n", self.ip).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {answer}"))?;
        match body["status"].as_str() {
            Some("success") => Ok(body["data"]["result"].as_array().cloned().unwrap_or_default()),
            _ => Err(body["error"].to_string()),
        }
    }

    fn stop(mut self) {
        self.group.terminate(Duration::from_secs(30)).expect("it ends");
    }
}

/// Every expression of the dashboard, with what Grafana puts in the place of its variables.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text_of("docs/grafana/presence_b2b.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("targets").clone());
    let fill = |expression: &str| expression.replace("$instance", ".+").replace("$__rate_interval", "1m");
    targets.map(|target| fill(target["expr"].as_str().expect("an expression"))).collect()
}

/// Where a notifier listens.
fn ip_of(notifier: &Notifier) -> Ipv4Addr {
    match notifier.endpoint.addr().ip() {
        std::net::IpAddr::V4(ip) => ip,
        std::net::IpAddr::V6(ip) => panic!("{ip}"),
    }
}

/// The expressions in the table of a section of the page.
fn expressions_of_page(title: &str) -> Vec<String> {
    let page = text_of("docs/examples/prometheus/README.md");
    let rows = section(&page, title).lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    rows.map(|(expression, _)| expression.to_owned()).collect()
}

#[test]
fn a_real_prometheus_sees_every_counter() {
    let notifier = Notifier::udp();
    let server = example("prometheus/kamailio.cfg", "THIS_IP", &[address("NOTIFIER_IP", ip_of(&notifier))]).start();
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    let config = text_of("docs/examples/prometheus/prometheus.yml");
    let config = config.replace("15s", "1s").replace("127.0.0.1", &server.ip().to_string());
    let prometheus = Prometheus::start(&config);
    let all = format!("{{__name__=~\"{PREFIX}.+\"}}");
    let wanted: Vec<String> = counters(&server).into_iter().map(|(name, _)| format!("{PREFIX}{name}")).collect();
    // Metrics with labels of the module's are beside them, from 6.1 on. Prometheus gives two labels and the name to all.
    let names = |found: &[Value]| -> Vec<String> {
        let metrics = found.iter().map(|one| one["metric"].as_object().expect("labels"));
        let plain = metrics.filter(|metric| metric.len() == 3);
        plain.map(|metric| metric["__name__"].as_str().expect("a name").to_owned()).collect()
    };
    let found = eventually(SOON, "Prometheus has numbers", || prometheus.ask(&all).ok().filter(|all| !all.is_empty()));
    let mut found = names(&found);
    found.sort_unstable();
    let mut sorted = wanted;
    sorted.sort_unstable();
    assert_eq!(found, sorted);
    let value =
        |name: &str| prometheus.ask(&format!("{PREFIX}{name}")).ok()?.first()?["value"][1].as_str().map(str::to_owned);
    for (name, wanted) in [("subscriptions", "1"), ("state_confirmed", "1"), ("subscribes_new", "1"), ("failing", "0")]
    {
        eventually(SOON, name, || value(name).filter(|value| value == wanted));
    }
    let expressions = expressions();
    assert!(expressions.len() > 40, "{}", expressions.len());
    for expression in expressions {
        // A rate needs two answers of the server.
        eventually(SOON, &expression, || {
            let answer = prometheus.ask(&expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
            (!answer.is_empty()).then_some(())
        });
    }
    if has_labels() {
        let labelled = expressions_of_page("With labels");
        assert!(labelled.len() >= 4, "{labelled:?}");
        for expression in labelled {
            eventually(SOON, &expression, || {
                let answer = prometheus.ask(&expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
                (!answer.is_empty()).then_some(())
            });
        }
    }
    let watched = expressions_of_page("What to watch");
    assert!(watched.len() >= 5, "{watched:?}");
    for expression in watched {
        // None of them is true here, but each is of a counter that is there.
        prometheus.ask(&expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        let name = expression.split_once(PREFIX).expect("a counter").1;
        let end = name.find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        assert!(value(&name[..end.unwrap_or(name.len())]).is_some(), "{expression}");
    }
    prometheus.stop();
    let id = server.rows("presence_b2b.list")[0]["id"].as_u64().expect("an id");
    server.end(id, &mut dialog);
    server.stop();
}
