//! The faults that the page of the RPC commands quotes are what the commands answer, word by word.

use serde_json::json;

use crate::documentation::{between, text_of};
use crate::support::kamailio::Server;
use crate::support::log::Mark;

/// Faults of the page that these commands do not bring about, with the test that does, or why none can.
const ELSEWHERE: [&str; 4] = [
    // kamcmd::pages_end_with_what_every_transport_carries
    "the answer is too large for the transport: ask for a smaller page, …",
    // A race of two processes.
    "the subscription was ended while it was being made",
    // provision_many::a_second_reading_is_refused
    "the tables are being read already: presence_b2b.provisioning shows how far that is",
    // provisioning::what_cannot_be_read_is_tried_again
    "the database of db_url cannot be reached …",
];

/// Faults of several commands.
const NO_FILTER: &str = "\"foo=bar\" is no filter: it must be record=, subscriber=, package=, state=, status=, domain=, destination= or failing=";
const UNKNOWN_DESTINATION: &str =
    "the destination \"udp:192.0.2.9:5060\" is not known: presence_b2b.destinations lists the known ones";

/// The faults that the page quotes: command, code and text.
fn quoted_faults() -> Vec<(String, i64, String)> {
    let page = text_of("docs/rpc.md");
    let mut quoted = Vec::new();
    for part in page.split("\n## presence_b2b.").skip(1) {
        let command = part.lines().next().expect("a heading");
        let faults = part.split_once("\nFaults: ").map_or("", |(_, faults)| faults).replace('\n', " ");
        for (code, text) in [400, 403, 404, 409, 500].into_iter().flat_map(|code| {
            between(&faults, &format!("{code} `"), "`").into_iter().map(move |text| (code, text.to_owned()))
        }) {
            quoted.push((command.to_owned(), code, text));
        }
    }
    quoted
}

/// The host cuts off what is longer than it carries: the log has all of it.
fn assert_cut(server: &Server, alice: &str, watcher: &str) {
    let long = json!([alice, watcher, "x".repeat(60)]);
    let fault = server.rpc("presence_b2b.subscribe", long).expect_err("no such package");
    assert_eq!(fault.message.len(), 127, "{fault}");
    let lines = server.log().since(Mark::default(), &format!("RPC fault 400 in full: {}", fault.message));
    assert!(lines.len() == 1 && lines[0].contains(", message-summary"), "{fault}: {lines:?}");
}

/// Every fault that the page quotes is what the command answers, word by word.
#[test]
fn faults_are_those_of_the_page() {
    let server = Server::b2b().b2b_param("max_subscribe_delay", 100_000).b2b_param("history", 0).start();
    let off = Server::b2b().b2b_param("handle_presence_subscriptions", 0).start();
    let (alice, watcher) = ("sip:alice@192.0.2.1", "sip:watcher@192.0.2.1");
    let id = server.subscribe(alice, watcher);
    let mut quoted = quoted_faults();
    let long = format!("sip:{}@h", "a".repeat(1019));
    for (server, command, params, code, text) in [
        (&server, "subscribe", json!(["alice", watcher]), 400, "no subscription to alice: the record is not a SIP URI"),
        (&server, "subscribe", json!([long, watcher]), 400, "the record has 1025 bytes, but may have 1024 at most"),
        (
            &server,
            "subscribe",
            json!([alice, watcher, "foo"]),
            400,
            "unknown event package \"foo\": known are presence, …",
        ),
        (
            &server,
            "subscribe",
            json!([alice, watcher, "", "expires=0"]),
            400,
            "option expires is \"0\", but must be 1 to 315360000 seconds",
        ),
        (
            &server,
            "subscribe",
            json!([alice, watcher, "", "expires=77"]),
            400,
            "other options (expires) than subscription …",
        ),
        (&off, "subscribe", json!([alice, watcher]), 500, "modparam handle_presence_subscriptions is 0: …"),
        (&server, "history", json!([id]), 400, "no events are kept: set modparam history"),
        (&server, "list", json!([0, 5000]), 400, "limit is 5000, but must be 1 to 1000"),
        (&server, "list", json!([0, 20, "foo=bar"]), 400, NO_FILTER),
        (&server, "find", json!(["limit=5000"]), 400, "limit is 5000, but must be 1 to 1000"),
        (&server, "find", json!(["from=4194304"]), 400, "from is 4194304, but must be what next was: 0 to 4194303"),
        (&server, "find", json!(["limit=1", "limit=2"]), 400, "limit= may be given once"),
        (&server, "find", json!(["foo=bar"]), 400, NO_FILTER),
        (&server, "find", json!(["failing=2"]), 400, "\"2\" is no failing: 0, 1"),
        (&server, "find", json!(["destination=udp:192.0.2.9:5060"]), 404, UNKNOWN_DESTINATION),
        (
            &server,
            "audit",
            json!(["state=waiting"]),
            400,
            "\"state=waiting\" is no parameter of this command, which takes limit= and from=",
        ),
        (&server, "list", json!([0, 20, "state=waitin"]), 400, "\"waitin\" is no state: …"),
        (
            &server,
            "list",
            json!([0, 20, "record="]),
            400,
            "the filter record has no value: write record= and what the record must be",
        ),
        (&server, "list", json!([0, 20, "package=foo"]), 400, "unknown event package \"foo\": known are presence, …"),
        (&server, "destinations", json!([0, 5000]), 400, "limit is 5000, but must be 1 to 1000"),
        (&server, "lookups", json!([0, 5000]), 400, "limit is 5000, but must be 1 to 1000"),
        (&server, "show", json!([7]), 404, "there is no subscription 7"),
        (&server, "destination_release", json!(["udp:192.0.2.9:5060"]), 404, UNKNOWN_DESTINATION),
        (
            &server,
            "reload",
            json!([]),
            500,
            "there is no table to read: set modparam db_url, and provision_table or credentials_table",
        ),
        (
            &server,
            "unsubscribe_all",
            json!(["dry_run=1"]),
            400,
            "there is no filter: to end all subscriptions of script and RPC, write record=*",
        ),
        (&server, "unsubscribe_all", json!(["record=*", "dry_run=2"]), 400, "\"2\" is no dry_run: 0, 1"),
        (
            &server,
            "credentials_reload",
            json!([]),
            500,
            "there is no table of credentials: set modparam db_url and credentials_table",
        ),
        (&server, "trace", json!(["foo"]), 400, "\"foo\" is neither detailed nor 0 or 1"),
    ] {
        let fault = server.rpc(&format!("presence_b2b.{command}"), params).expect_err(text);
        let is_same = match text.strip_suffix('…') {
            Some(begin) => fault.message.starts_with(begin),
            None => fault.message == text,
        };
        assert!(fault.code == code && is_same, "{command}: {fault}, not {code} {text}");
        let before = quoted.len();
        quoted.retain(|one| *one != (command.to_owned(), code, text.to_owned()));
        assert!(quoted.len() < before, "{command}: the page does not quote {code} {text}");
    }
    quoted.retain(|(_, _, text)| !ELSEWHERE.contains(&text.as_str()));
    assert!(quoted.is_empty(), "not tried: {quoted:?}");
    assert_cut(&server, alice, watcher);
    server.unsubscribe(id);
    server.stop();
    off.stop();
}
