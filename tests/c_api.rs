//! The C API, used by a C module in the real server: as a subscriber and as a notifier of its own package.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::notifier::Notifier;
use crate::support::pidf::pidf;
use crate::support::presence_server::PresenceServer;
use crate::support::shm::{Shm, leaves_nothing_in};
use crate::support::wait::{SOON, eventually};

/// Builds the C module, once.
pub fn qsa_test() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("qsa_test", &["qsa_test.c", "status.c", "documents.c", "commands.c"]))
}

/// Builds a C module of `tests/cmodule`.
pub fn build(name: &str, sources: &[&str]) -> PathBuf {
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.so"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmodule/build.sh");
    let cflags = Path::new(env!("OUT_DIR")).join("cflags");
    let fresh = module.with_extension(format!("{}.so", std::process::id()));
    let mut command = Command::new(script);
    let built = command.arg(cflags).arg(&fresh).arg(name).args(sources).status().expect("the build script can be run");
    assert!(built.success(), "the C module {name} does not build");
    // The server of another test run may be loading it.
    std::fs::rename(&fresh, &module).expect("its name");
    module
}

/// Calls one of its RPC commands, which must succeed.
pub fn call(server: &Server, command: &str, params: Value) -> Value {
    server.rpc(&format!("qsa_test.{command}"), params.clone()).unwrap_or_else(|e| panic!("{command} {params}: {e}"))
}

/// A server with it, which may send the next SUBSCRIBE at once.
pub fn start(queue_limit: i64) -> Server {
    builder(queue_limit).start()
}

/// As [`start`], to be described further.
pub fn builder(queue_limit: i64) -> Builder {
    let load =
        format!("loadmodule \"{}\"\nmodparam(\"qsa_test\", \"queue_limit\", {queue_limit})", qsa_test().display());
    Server::b2b().b2b_param("min_resubscribe_time", 0).route(&load)
}

fn refused(server: &Server, command: &str, params: Value) -> String {
    server.rpc(&format!("qsa_test.{command}"), params).expect_err("it has to fail").message
}

fn subscribe(server: &Server, package: &str, record: &str) -> String {
    let id = call(server, "subscribe", json!([package, record, "sip:watcher@example.org"]));
    id.as_str().expect("an id").to_owned()
}

fn none(server: &Server) {
    assert_eq!(server.rpc("qsa_test.pop", json!([])).expect_err("nothing waits").code, 404);
}

/// Both the module under test and the C module.
fn shm(server: &Server) -> Shm {
    Shm::of(server, &["presence_b2b", "qsa_test", "tm"])
}

#[test]
fn a_c_module_answers_from_internal_status_without_sip() {
    let server = start(1000);
    call(&server, "set", json!(["sip:a@example.org", "open", "at the desk"]));
    let base = shm(&server);
    let id = subscribe(&server, "test-status", "sip:a@example.org");
    let news = call(&server, "pop", json!([]));
    assert_eq!((&news["id"], &news["status"], &news["subscriber_data"]), (&json!(id), &json!("active"), &json!(1)));
    assert_eq!((&news["code"], &news["next_attempt"], &news["last"]), (&json!(0), &json!(-1), &json!(0)));
    assert_eq!(news["content_type"], "application/pidf+xml");
    assert!(news["body"].as_str().is_some_and(|body| body.contains("<basic>open</basic>")), "{news}");
    let presentity = &news["presentity"];
    assert_eq!(presentity["entity"], "sip:a@example.org");
    let tuple = &presentity["tuples"][0];
    assert_eq!((&tuple["id"], &tuple["basic"]), (&json!("internal"), &json!("open")), "{news}");
    assert_eq!((&tuple["contact"], &tuple["priority"]), (&json!("sip:a@example.org"), &json!(500)), "{news}");
    assert_eq!(tuple["notes"], json!([{"lang": "en", "text": "at the desk"}]), "{news}");
    none(&server);

    call(&server, "set", json!(["sip:a@example.org", "closed"]));
    assert_eq!(call(&server, "pop", json!([]))["presentity"]["tuples"][0]["basic"], "closed");
    let unknown = subscribe(&server, "test-status", "sip:b@example.org");
    assert_eq!(call(&server, "pop", json!([]))["status"], "pending");
    let look = call(&server, "look", json!([unknown]));
    let expected = json!({"record": "sip:b@example.org", "subscriber": "sip:watcher@example.org",
        "package": "test-status", "first_param": ""});
    assert_eq!(look, expected);

    assert!(refused(&server, "subscribe", json!(["test-status", "refuse me", "w"])).contains("refused"));
    assert!(refused(&server, "notify", json!([id, "asleep", "", ""])).contains("argument"));
    assert!(refused(&server, "unsubscribe", json!(["12345"])).contains("no such thing"));

    // Messages in the queue of an ended subscription are not delivered; a late caller learns that it has ended.
    call(&server, "notify", json!([id, "terminated", "text/plain", "bye", "noresource"]));
    let news = call(&server, "pop", json!([]));
    assert_eq!(
        (&news["status"], &news["reason"], &news["last"]),
        (&json!("terminated"), &json!("noresource"), &json!(1))
    );
    assert_eq!((&news["body"], news.get("presentity")), (&json!("bye"), None));
    call(&server, "notify", json!([id, "active", "text/plain", "late"]));
    call(&server, "unsubscribe", json!([id]));
    none(&server);
    assert!(refused(&server, "notify", json!([id, "active", "text/plain", "too late"])).contains("no such thing"));
    assert!(refused(&server, "unsubscribe", json!([id])).contains("no such thing"));
    call(&server, "unsubscribe", json!([unknown]));
    let counters = call(&server, "counters", json!([]));
    assert_eq!((&counters["taken"], &counters["ended"]), (&json!(2), &json!(2)), "{counters}");
    assert_eq!((&counters["received"], &counters["delivered"]), (&json!(5), &json!(4)), "{counters}");
    assert_eq!((&counters["dropped"], &counters["wakes"]), (&json!(1), &json!(5)), "{counters}");
    base.assert_back(&server);
    server.stop();
}

/// The first parameter of a subscription that is served over SIP is its options.
/// The operator sees a C module's subscription, and cannot end it.
#[test]
fn rpc_does_not_end_what_a_c_module_made() {
    let server = start(1000);
    call(&server, "set", json!(["sip:a@example.org", "open", "at the desk"]));
    let silent = Notifier::udp();
    let id = subscribe(&server, "presence", &silent.uri("a"));
    let own = silent.expect_subscribe(SOON);
    let rows = server.rows("presence_b2b.list");
    let shown = rows.first().map(|row| row["id"].clone()).expect("a row");
    let error = server.rpc("presence_b2b.unsubscribe", json!([shown])).expect_err("it is not the operator's");
    assert_eq!(error.code, 403, "{error}");
    assert_eq!(server.rows("presence_b2b.list").len(), 1);
    // In this order nothing is queued that the C module would have to take.
    call(&server, "unsubscribe", json!([id]));
    silent.reject(&own, 404, &[]);
    server.await_no_subscription();
    server.stop();
}

#[test]
fn the_first_parameter_is_the_options() {
    let notifier = Notifier::udp();
    let server = builder(1000).allow_log("unknown option \"exipres\"").allow_log("option expires is \"").start();
    let record = notifier.uri("alice");
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || options_of_one(&server, &notifier, &record));
    server.stop();
}

fn options_of_one(server: &Server, notifier: &Notifier, record: &str) {
    for (bad, said) in [
        ("exipres=60", "unknown option \"exipres\": did you mean expires?"),
        ("expires=0", "option expires is \"0\", but must be 1 to 315360000 seconds"),
    ] {
        let mark = server.log().mark();
        let params = json!(["presence", record, "sip:watcher@example.org", bad]);
        assert!(refused(server, "subscribe", params).contains("refused"), "{bad}");
        let lines = server.log().since(mark, "ERROR: presence_b2b");
        assert!(lines.len() == 1 && lines[0].contains(said) && lines[0].contains(record), "{lines:?}");
    }
    let params = json!(["presence", record, "sip:watcher@example.org", "Expires = 77; ID=\"desk\""]);
    let id = call(server, "subscribe", params);
    let first = notifier.expect_subscribe(SOON);
    assert_eq!((first.header("Event"), first.header("Expires")), (Some("presence;id=desk"), Some("77")));
    assert_eq!(call(server, "look", json!([id]))["first_param"], "Expires = 77; ID=\"desk\"");
    let mut dialog = notifier.activate(&first, 77);
    assert_eq!(call(server, "pop", json!([]))["status"], "active");
    call(server, "unsubscribe", json!([id]));
    crate::support::b2b::farewell(&mut dialog);
    server.await_no_subscription();
    none(server);
}

#[test]
fn carried_data_is_destroyed_exactly_once() {
    let server = start(2);
    let base = shm(&server);
    let id = subscribe(&server, "nobody-knows-it", "x");
    none(&server);
    for text in ["one", "two", "three"] {
        call(&server, "data", json!([id, text]));
    }
    // The queue holds two: the third took the second's place.
    for (text, destroyed) in [("one", 2), ("three", 3)] {
        let news = call(&server, "pop", json!([]));
        assert_eq!(
            (&news["data"], &news["content_type"], &news["body"]),
            (&json!(text), &json!("test/text"), &json!(""))
        );
        assert_eq!(call(&server, "counters", json!([]))["destroyed"], destroyed);
    }
    call(&server, "data", json!([id, "four"]));
    call(&server, "unsubscribe", json!([id]));
    none(&server);
    refused(&server, "data", json!([id, "five"]));
    let counters = call(&server, "counters", json!([]));
    assert_eq!((&counters["destroyed"], &counters["merged"], &counters["dropped"]), (&json!(5), &json!(1), &json!(1)));
    base.assert_back(&server);
    server.stop();
}

#[test]
fn a_late_notifier_gets_what_was_there() {
    let server = start(1000);
    call(&server, "set", json!(["sip:a@example.org", "open"]));
    let base = shm(&server);
    let ids: Vec<_> = (0..20).map(|_| subscribe(&server, "late", "sip:a@example.org")).collect();
    none(&server);
    call(&server, "register", json!(["late"]));
    let mut told: Vec<_> =
        ids.iter().map(|_| call(&server, "pop", json!([]))["id"].as_str().map(str::to_owned)).collect();
    none(&server);
    told.sort();
    let mut expected: Vec<_> = ids.iter().cloned().map(Some).collect();
    expected.sort();
    assert_eq!(told, expected);
    call(&server, "unregister", json!([]));
    refused(&server, "unregister", json!([]));
    for id in ids {
        call(&server, "unsubscribe", json!([id]));
    }
    // A notifier that has gone is told nothing.
    assert_eq!(call(&server, "counters", json!([]))["ended"], 0);
    base.assert_back(&server);
    server.stop();
}

#[test]
fn a_c_module_watches_over_sip() {
    let presence = PresenceServer::start();
    let server = start(1000);
    watch_once(&presence, &server, "open");
    // The first round leaves the tables it made grow; from then on nothing may be left.
    let base = Shm::of(&server, &["presence_b2b", "qsa_test"]);
    watch_once(&presence, &server, "closed");
    base.assert_back(&server);
    server.stop();
}

fn watch_once(presence: &PresenceServer, server: &Server, basic: &str) {
    let id = subscribe(server, "presence", &presence.uri("alice"));
    presence.publish("alice", &pidf(&presence.uri("alice"), basic, Some("a note")));
    let news = eventually(SOON, "the published state", || {
        let news = server.rpc("qsa_test.pop", json!([])).ok()?;
        (news["presentity"]["tuples"][0]["basic"] == basic).then_some(news)
    });
    assert_eq!((&news["id"], &news["status"]), (&json!(id), &json!("active")), "{news}");
    call(server, "unsubscribe", json!([id]));
    eventually(SOON, "the SIP subscription has ended", || {
        let trace = server.rpc("presence_b2b.trace", json!([])).expect("trace");
        (trace["subscriptions"] == 0).then_some(())
    });
    // Messages that came after its end wait to be dropped.
    none(server);
}

/// A text that is too long is refused at once, in every package.
#[test]
fn texts_have_bounds() {
    let server = start(10);
    for package in ["presence", "x-own"] {
        let record = format!("sip:{}@example.com", "a".repeat(2_000));
        let said = refused(&server, "subscribe", json!([package, record, "sip:watcher@example.org"]));
        assert!(said.contains("argument"), "{said}");
        let said = refused(&server, "subscribe", json!([package, "sip:alice@example.com", record]));
        assert!(said.contains("argument"), "{said}");
    }
    server.stop();
}

#[test]
fn the_modules_own_domain_is_not_reached_from_outside() {
    let server = start(1000);
    let with_control = ["~shared", "a~b", "line\n", "\u{7f}"];
    for name in with_control {
        assert_eq!(refused(&server, "domain", json!([name])), "an argument is missing, malformed or out of range");
    }
    for package in ["presence", "test-nobody"] {
        assert_eq!(call(&server, "reach", json!([package])), 0, "{package}");
    }
    // Names are not reserved: this is another domain of that name.
    let named = call(&server, "domain", json!(["shared"]));
    let number: u64 = named.as_str().expect("a number").parse().expect("a number");
    assert!(number > 1 && number < 1 << 31, "{number}");
    assert_ne!(call(&server, "reach", json!(["test-nobody"])), 0);
    let package = refused(&server, "subscribe", json!(["pres\nence", "sip:a@192.0.2.1", "sip:w@example.org"]));
    assert_eq!(package, "an argument is missing, malformed or out of range");
}

#[test]
fn structures_of_another_size_are_refused() {
    let server = start(1000);
    call(&server, "sizes", json!([0]));
    for by in [-8, 8, -96, -1, 1] {
        let said = refused(&server, "sizes", json!([by]));
        assert!(said.contains("the size of a structure is not set"), "{said}");
    }
    call(&server, "sizes", json!([0]));
}
