//! b2b-top against a real server: once, for scripts, and in a real terminal, which tmux makes.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::Notifier;
use crate::support::place::b2b_top;
use crate::support::terminal::{READY, Terminal};
use crate::support::wait::{SOON, eventually};

fn top(arguments: &[&str]) -> Output {
    Command::new(b2b_top()).args(arguments).arg("--once").output().expect("b2b-top runs")
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn document(arguments: &[&str]) -> Value {
    let (status, out, error) = said(&top(&[arguments, &["--json"]].concat()));
    assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
    assert!(out.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{out}");
    serde_json::from_str(&out).expect("JSON")
}

#[test]
fn once_for_people_and_for_scripts() {
    let (notifier, dir) = (Notifier::udp(), TempDir::new().expect("a folder"));
    let web = r#"event_route[xhttp:request] { jsonrpc_dispatch(); }"#;
    let server = Server::eager(600).at_socket(dir.path()).module("xhttp").global("tcp_accept_no_cl=yes").route(web);
    let server = server.modparam("jsonrpcs", "transport", 7).start();
    let socket = dir.path().join("rpc.sock").display().to_string();
    let by_socket = ["--socket", socket.as_str()];

    let good = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    let bad = server.subscribe(&notifier.uri("bob"), &server.uri("watcher"));
    notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
    server.await_shown(good, "state", "confirmed");
    server.await_shown(bad, "state", "waiting");

    let url = format!("http://{}/RPC", server.addr());
    for arguments in [&by_socket[..], &["--url", &url]] {
        let document = document(arguments);
        let rows = document["subscriptions"].as_array().expect("rows");
        let ids: Vec<_> = rows.iter().map(|row| row["id"].as_u64()).collect();
        assert_eq!(ids, [Some(bad), Some(good)], "what fails comes first");
        assert_eq!((&rows[0]["failing"], &rows[1]["failing"]), (&Value::from(true), &Value::from(false)));
        let why = rows[0]["why"].as_str().expect("a sentence");
        assert!(why.starts_with("404 ") && why.contains("; next attempt in "), "{why}");
        assert_eq!((&document["count"]["total"], &document["module"]), (&2.into(), &env!("CARGO_PKG_VERSION").into()));
        assert!(document["server"].as_str().is_some_and(|name| name.starts_with("kamailio ")), "{document}");
        assert!(document["uptime"].as_u64().is_some_and(|seconds| seconds < 600), "{document}");
        assert!(document["counters"]["received"].as_u64().is_some_and(|number| number >= 2), "{document}");
        assert_eq!(document["destinations"][0]["state"], "closed");
        assert_eq!(document["missing"], Value::Array(Vec::new()), "the module has every command that is asked for");
        assert!(document["queues"].as_array().is_some_and(|queues| !queues.is_empty()), "{document}");
    }
    let filtered = document(&[&by_socket[..], &["--filter", "state=confirmed"]].concat());
    assert_eq!(filtered["subscriptions"].as_array().map(Vec::len), Some(1));

    let (status, table, _) = said(&top(&by_socket));
    assert_eq!(status, Some(0));
    let line = table.lines().find(|line| line.starts_with('!')).unwrap_or_else(|| panic!("{table}"));
    assert!(line.contains(&notifier.uri("bob")) && line.contains(" 404 "), "{table}");
    assert!(!table.contains('\x1b') && table.contains("2 subscriptions"), "{table}");

    let (status, _, error) = said(&top(&[&by_socket[..], &["--filter", "colour=red"]].concat()));
    assert!(status == Some(1) && error.contains("colour=red"), "{error}");
    server.unsubscribe(bad);
    server.end(good, &mut dialog);
    server.stop();
}

/// A server logs an error for each command that it is asked for and does not have, so this one is asked for none.
#[test]
fn without_kex_there_are_no_rates_and_no_errors() {
    let dir = TempDir::new().expect("a folder");
    let server = Server::b2b().without_module("kex").at_socket(dir.path()).start();
    let document = document(&["--socket", &dir.path().join("rpc.sock").display().to_string()]);
    assert_eq!(document["missing"], serde_json::json!(["stats.fetch"]));
    assert_eq!(document["counters"]["received"], 0, "those of presence_b2b.trace");
    server.stop();
}

#[test]
fn errors_say_what_to_do() {
    let dir = TempDir::new().expect("a folder");
    let socket = dir.path().join("rpc.sock").display().to_string();
    let error_of = |arguments: &[&str]| {
        let (status, out, error) = said(&top(arguments));
        assert_eq!((status, out.as_str(), error.lines().count()), (Some(1), "", 1), "{error}");
        error
    };
    assert!(error_of(&["--socket", &socket]).contains("there is no socket"));
    // It logs nothing: b2b-top has asked which commands it has.
    let server = Server::builder().at_socket(dir.path()).start();
    assert!(error_of(&["--socket", &socket]).contains("loadmodule \"presence_b2b.so\""));
    let nowhere = format!("http://{}:1/RPC", server.ip());
    assert!(error_of(&["--url", &nowhere]).contains("nobody listens"));
    server.stop();
    // The server leaves its socket behind.
    let error = error_of(&["--socket", &socket]);
    assert!(error.contains("nobody listens") || error.contains("there is no socket"), "{error}");
    let plain = Command::new(b2b_top()).args(["--socket", &socket]).output().expect("b2b-top runs");
    assert!(said(&plain).2.contains("this is no terminal: use --once"));
    let misused = Command::new(b2b_top()).args(["--interval", "0"]).output().expect("b2b-top runs");
    assert_eq!(said(&misused).0, Some(2));
}

#[test]
fn in_a_terminal_while_the_server_goes_and_returns() {
    let (peer, dir) = (Endpoint::udp(), TempDir::new().expect("a folder"));
    let start = || {
        let server = Server::eager(600).at_socket(dir.path()).start();
        let id = server.subscribe(&peer.uri("alice"), &server.uri("watcher"));
        let subscribe = peer.expect_request("SUBSCRIBE", SOON);
        peer.reply(&subscribe, 404, "Not Here");
        server.await_shown(id, "state", "waiting");
        server.await_shown(id, "retries", 1);
        (server, id)
    };
    let (server, id) = start();
    let terminal = Terminal::open(80, 24);
    let socket = dir.path().join("rpc.sock").display().to_string();
    let begun = Instant::now();
    let command = format!("{} --write --interval 0.5 --socket {socket}", b2b_top().display());
    terminal.press(&[&command, "Enter"]);
    let picture = terminal.await_text("404 Not Here; next attempt in");
    assert!(picture.contains("! waiting") && picture.contains("1 subscriptions"), "{picture}");
    println!("the first picture after {:?}", begun.elapsed());

    // The history is three keys away at most.
    terminal.press(&["Enter"]);
    let picture = terminal.await_picture("the ladder", |picture| picture.contains("─ 404 ─"));
    assert!(picture.contains("─ SUBSCRIBE new ─") && picture.contains("Esc back"), "{picture}");
    terminal.press(&["Escape"]);
    terminal.await_text("/ search");
    terminal.press(&["/", "lic"]);
    terminal.await_picture("it is found", |picture| picture.contains("/lic_") && picture.contains("! waiting"));
    terminal.press(&["x"]);
    terminal.await_picture("nothing has this", |picture| !picture.contains("! waiting"));
    terminal.press(&["Escape"]);
    terminal.await_text("! waiting");

    // Other sizes, down to one that is too small.
    for (columns, lines, text) in
        [("40", "16", "/ search"), ("20", "12", "? help"), ("10", "4", "Too small"), ("80", "24", "LAST")]
    {
        terminal.tmux(&["resize-window", "-x", columns, "-y", lines]);
        terminal.await_text(text);
    }
    // The terminal is given back, and taken again.
    terminal.press(&["C-z"]);
    terminal.await_picture("the shell", |picture| picture.contains(READY) && !picture.contains("! waiting"));
    terminal.press(&["fg", "Enter"]);
    terminal.await_text("! waiting");

    // It ends what it is told to, after a question.
    terminal.press(&["e"]);
    terminal.await_text("? y or n");
    terminal.press(&["n"]);
    terminal.await_text("nothing was done");
    assert_eq!(server.show(id)["state"], "waiting");
    terminal.press(&["e", "y"]);
    server.await_no_subscription();
    terminal.await_text("there is no subscription");

    server.stop();
    terminal.await_text("no answer since");
    let (server, id) = start();
    let picture = terminal.await_picture("the new server", |picture| picture.contains("! waiting"));
    assert!(!picture.contains("no answer since"), "{picture}");

    let called = eventually(SOON, "the cost is measured", || cost(&server));
    println!("the server's process for datagrams has used {called:?}");
    terminal.press(&["q"]);
    terminal.await_text(READY);
    server.end_all(&[id]);
    server.stop();
}

/// How long the server has computed for its datagrams since it started.
fn cost(server: &Server) -> Option<Duration> {
    let list = server.rpc("core.psx", serde_json::json!([])).ok()?;
    let process = list.as_array()?.iter().find(|process| process["DSC"].to_string().contains("DATAGRAM"))?;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process["PID"])).ok()?;
    let ticks: Vec<u64> =
        stat.rsplit(')').next()?.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
    Some(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}
