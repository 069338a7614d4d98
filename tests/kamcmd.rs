//! The RPC commands as operators type them, through the server's own tool.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// What it answers. The socket is `ctl`, or where the module ctl has it if nobody says so.
pub fn kamcmd(server: &Server, arguments: &[&str]) -> String {
    let own = server.dir().join("ctl");
    let default = server.dir().join("kamailio_ctl");
    let socket = format!("unix:{}", if own.exists() { own } else { default }.display());
    let output = Command::new("kamcmd").args(["-s", &socket]).args(arguments).output().expect("kamcmd runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// It sends whatever looks like a number as an integer, and the commands take it where they want text.
#[test]
fn kamcmd_understands_them_all() {
    let peer = Endpoint::udp();
    let server =
        Server::b2b().b2b_param("on_error_retry_time", 600).b2b_param("max_subscribe_delay", 100_000).module("ctl");
    let server = server.modparam("ctl", "binrpc", "unix:{dir}/ctl").start();
    leaves_nothing(&server, || {
        let kamcmd = |arguments: &[&str]| kamcmd(&server, arguments);
        let (alice, watcher) = (peer.uri("alice"), server.uri("watcher"));
        let id = kamcmd(&["presence_b2b.subscribe", &alice, &watcher]);
        let id = id.trim();
        assert!(id.parse::<u32>().is_ok(), "{id}");
        let shown = kamcmd(&["presence_b2b.show", id]);
        for part in [format!("id: {id}\n"), format!("record: {alice}\n"), "state: waiting\n".into()] {
            assert!(shown.contains(&part), "{shown} lacks {part}");
        }
        let list = kamcmd(&["presence_b2b.list", "0", "5"]);
        assert!(list.contains(&format!("subscriber: {watcher}\n")), "{list}");
        let found = kamcmd(&["presence_b2b.find", "record=*alice*", "limit=5"]);
        for part in [format!("id: {id}\n"), "looked_at: 1\n".into(), "next: 0\n".into()] {
            assert!(found.contains(&part), "{found} lacks {part}");
        }
        let trace = kamcmd(&["presence_b2b.trace", "detailed"]);
        assert!(trace.contains("subscriptions: 1\n") && trace.contains("state: waiting\n"), "{trace}");
        assert!(kamcmd(&["presence_b2b.refresh", id]).contains("next_action_in: "));
        let subscribe = peer.expect_request("SUBSCRIBE", SOON);
        peer.reply(&subscribe, 404, "Not Here");
        eventually(SOON, "it waits again", || {
            kamcmd(&["presence_b2b.show", id]).contains("retries: 1\n").then_some(())
        });
        assert!(kamcmd(&["presence_b2b.unsubscribe", "7"]).contains("error: 404 - there is no subscription 7"));
        kamcmd(&["presence_b2b.unsubscribe", id]);
        server.await_no_subscription();
        for command in
            ["trace", "list", "find", "audit", "show", "subscribe", "unsubscribe", "unsubscribe_all", "refresh"]
        {
            let help = kamcmd(&["help", &format!("presence_b2b.{command}")]);
            assert!(help.contains("Parameters: "), "{command}: {help}");
        }
    });
    server.stop();
}

/// ctl tells a number with a fraction like the end of the parameters: what stands behind it must not be lost.
#[test]
fn a_number_with_a_fraction_is_refused() {
    let peer = Endpoint::udp();
    let server = Server::b2b().b2b_param("max_subscribe_delay", 100_000).module("ctl");
    let server = server.modparam("ctl", "binrpc", "unix:{dir}/ctl").start();
    let kamcmd = |arguments: &[&str]| kamcmd(&server, arguments);
    let (alice, watcher) = (peer.uri("alice"), server.uri("watcher"));
    let id = kamcmd(&["presence_b2b.subscribe", &alice, &watcher]);
    let id = id.trim();
    let fraction = format!("{id}.5");
    for (arguments, number) in [
        (vec!["unsubscribe_all", "record=*", "1.5", "dry_run=1"], 2),
        (vec!["subscribe", &alice, &watcher, "1.5"], 3),
        (vec!["find", "1.5", "state=waiting"], 1),
        (vec!["list", "0", "0.5"], 2),
        (vec!["trace", "1.5"], 1),
        (vec!["unsubscribe", &fraction], 1),
        (vec!["refresh", &fraction], 1),
    ] {
        let command = format!("presence_b2b.{}", arguments[0]);
        let answer = kamcmd(&[&[command.as_str()], &arguments[1..]].concat());
        let part = format!("400 - parameter {number} is neither a text nor a whole number");
        assert!(answer.contains(&part), "{arguments:?}: {answer}");
    }
    assert_eq!(server.trace()["subscriptions"], 1);
    for (arguments, part) in [
        (["unsubscribe", "2147483647"], "there is no subscription 2147483647"),
        (["show", id], "state: waiting"),
        (["show", &format!("{id}.0")], "state: waiting"),
    ] {
        let answer = kamcmd(&[&format!("presence_b2b.{}", arguments[0]), arguments[1]]);
        assert!(answer.contains(part), "{arguments:?}: {answer}");
    }
    server.stop();
}

/// A string of ctl's protocol: its length counts the NUL behind it.
fn string(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len() + 1).expect("a short text").to_be_bytes();
    [&[0x80 | 2 << 4 | 1][..], &length, text, b"\0"].concat()
}

/// A fault that quotes a NUL stays a fault.
#[test]
fn a_fault_with_a_nul_is_a_fault() {
    let server = Server::b2b().module("ctl").modparam("ctl", "binrpc", "unix:{dir}/ctl").start();
    let mut stream = UnixStream::connect(server.dir().join("ctl")).expect("the socket of ctl");
    stream.set_read_timeout(Some(SOON)).expect("a limit");
    let body = [string(b"presence_b2b.trace"), string(b"a\0b")].concat();
    let length = u16::try_from(body.len()).expect("a short request").to_be_bytes();
    // Magic and version; a request, two bytes of length, one of cookie.
    let request = [&[0xa1, 1 << 2][..], &length, &[7], &body].concat();
    stream.write_all(&request).expect("it is sent");
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).expect("an answer");
    let answer = &answer[..length];
    let text = String::from_utf8_lossy(answer);
    assert!(answer[1] >> 4 == 3 && text.contains("\"a?b\" is neither detailed"), "{answer:?} {text}");
    server.stop();
}

/// Every request over kamcmd and over a datagram gets an answer: pages are cut to what both carry.
#[test]
fn pages_end_with_what_every_transport_carries() {
    const COUNT: usize = 1000;
    let peer = Endpoint::udp();
    let server = Server::b2b().b2b_param("max_subscribe_delay", 100_000).b2b_param("breaker_failures", 0).module("ctl");
    let server = server
        .modparam("ctl", "binrpc", "unix:{dir}/ctl")
        .modparam("jsonrpcs", "transport", 6)
        .modparam("jsonrpcs", "pretty_format", 1)
        .modparam("jsonrpcs", "dgram_socket", "{dir}/dgram")
        .start();
    let client = UnixDatagram::bind(server.dir().join("client")).expect("a socket");
    client.connect(server.dir().join("dgram")).expect("the socket of jsonrpcs");
    client.set_read_timeout(Some(SOON)).expect("a limit");
    let by_datagram = |method: &str, params: Value| -> (usize, Value) {
        let request = json!({ "jsonrpc": "2.0", "method": method, "params": params, "id": 1 });
        client.send(request.to_string().as_bytes()).expect("the request leaves");
        let mut buffer = vec![0; 256 * 1024];
        let length = client.recv(&mut buffer).expect("an answer, not silence");
        let answer: Value = serde_json::from_slice(&buffer[..length]).expect("JSON");
        (length, answer["result"].clone())
    };
    // Short ones and those as long as they may be.
    let long = |n: usize| format!("sip:{}{n}@192.0.2.1", "a".repeat(1000));
    let mut ids = Vec::new();
    for n in 0..COUNT {
        let record = if n < COUNT / 2 { peer.uri(&format!("u{n}")) } else { long(n) };
        ids.push(server.subscribe(&record, &server.uri("watcher")));
    }
    let (mut paged, mut pages) = (Vec::new(), 0);
    loop {
        let (length, rows) = by_datagram("presence_b2b.list", json!([paged.len(), 1000]));
        assert!(length < 65_507, "{length} bytes are no UDP datagram");
        let rows = rows.as_array().expect("an array").clone();
        let shown = kamcmd(&server, &["presence_b2b.list", &paged.len().to_string(), "1000"]);
        assert_eq!(shown.matches("next_action_in: ").count(), rows.len(), "the same over kamcmd: {shown:.200}");
        if rows.is_empty() {
            break;
        }
        pages += 1;
        paged.extend(rows.iter().map(|row| row["id"].as_u64().expect("an id")));
    }
    assert!((5..=60).contains(&pages), "{pages} pages");
    paged.sort_unstable();
    ids.sort_unstable();
    assert_eq!(paged, ids, "each once");

    let (mut found, mut next) = (0, 0);
    loop {
        let from = format!("from={next}");
        let (length, answer) = by_datagram("presence_b2b.find", json!([from, "limit=1000"]));
        assert!(length < 65_507, "{length} bytes are no UDP datagram");
        let rows = answer["rows"].as_array().expect("rows").len();
        let shown = kamcmd(&server, &["presence_b2b.find", &from, "limit=1000"]);
        assert_eq!(shown.matches("next_action_in: ").count(), rows, "the same over kamcmd: {shown:.200}");
        found += rows;
        next = answer["next"].as_u64().expect("a number");
        if next == 0 {
            break;
        }
    }
    assert_eq!(found, COUNT, "each once");

    let (length, trace) = by_datagram("presence_b2b.trace", json!(["detailed"]));
    let states = trace["states"].as_array().expect("an array").len();
    assert!(length < 65_507 && states > 50 && trace["subscriptions"] == COUNT, "{length} bytes, {states} states");
    let shown = kamcmd(&server, &["presence_b2b.trace", "detailed"]);
    assert_eq!(shown.matches("state: ").count(), states, "{shown:.200}");
    server.stop();
}
