//! A table of a hundred thousand rows: bounded memory, and a reading that finds a hundred changes touches a hundred subscriptions.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::chaos::{names, one_of, send_signal, stop};
use crate::provisioning::{TABLE, counts, read, reload, schema, with};
use crate::support::database::{change, sqlite, url};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};

const ROWS: usize = 100_000;

/// Those that SUBSCRIBEs are sent for: another package than that of the others, which waits.
const LIVELY: usize = 100;

/// What the process that reads may have of its own, in kB. All rows at a time take five times as much.
const MOST_PRIVATE: u64 = 8000;

/// What one subscription that waits may take of shared memory, its mark included.
const MOST_BYTES: u64 = 504;

/// Statements that fill the table.
fn rows(notifier: &Notifier) -> String {
    let count =
        |count: usize| format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
    format!(
        "BEGIN;
         {} INSERT INTO {TABLE} (record, subscriber, package)
            SELECT 'sip:' || i || '@127.0.0.9', 'sip:lamp' || i || '@example.org', 'dialog' FROM n;
         {} INSERT INTO {TABLE} (record, subscriber) SELECT 'sip:lively' || i || '@{}', 'sip:lamp@x' FROM n;
         COMMIT;",
        count(ROWS - LIVELY),
        count(LIVELY),
        notifier.endpoint.addr()
    )
}

/// The process that reads.
fn reader(server: &Server) -> u32 {
    one_of(&names(server), "presence_b2b tables")
}

/// Begins a reading and does `meanwhile` before its first row, however fast the machine is: the process that reads is stopped, then asked,
/// and goes on afterwards. It must have nothing to do. Returns when the main process knows that its child goes on: until then Kamailio would
/// ignore a SIGTERM.
fn at_a_reading(server: &Server, meanwhile: impl FnOnce()) {
    let reader = reader(server);
    stop(reader);
    assert_eq!(server.rpc("presence_b2b.reload", json!([])).expect("it is asked")["state"], "reading");
    meanwhile();
    let mark = server.log().mark();
    send_signal(reader, libc::SIGCONT);
    let is_known =
        || (!server.log().since(mark, "SIGCHLD received, but no child has stopped").is_empty()).then_some(());
    eventually(SOON, "the main process knows that its child goes on", is_known);
}

/// The anonymous memory of the process that reads, in kB: neither that of the server as a whole, nor files.
fn private_memory(server: &Server) -> u64 {
    let pid = reader(server);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("our own process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a number");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Takes SUBSCRIBEs without a dialog; each is accepted and gets its first NOTIFY.
fn take(notifier: &Notifier, count: usize) -> Vec<crate::support::notifier::Dialog> {
    (0..count).map(|_| notifier.activate(&notifier.expect_subscribe(SOON), 3600)).collect()
}

#[test]
fn a_hundred_changes_of_a_hundred_thousand_rows_touch_a_hundred() {
    let notifier = Notifier::udp();
    let dir = sqlite(&schema());
    let server = with(&url(dir.path()))
        .tlsf()
        .shm_megabytes(256)
        .b2b_param("package_policy", "dialog: max_subscribe_delay=315360000");
    let server = server.start();
    assert_eq!(counts(&read(&server)), [0; 6]);
    let base = server.trace()["memory"].as_u64().expect("a number");
    change(dir.path(), &rows(&notifier));
    at_a_reading(&server, || {
        assert_eq!(server.rpc("presence_b2b.provisioning", json!([])).expect("an answer")["state"], "reading");
        let fault = server.rpc("presence_b2b.reload", json!([])).expect_err("a second reading");
        assert!(fault.code == 409 && fault.message.starts_with("the tables are being read already"), "{fault}");
    });
    let first = read(&server);
    let mut dialogs = take(&notifier, LIVELY);
    assert_eq!(counts(&first), [ROWS as u64, 0, 0, 0, 0, 0]);
    let memory = server.trace()["memory"].as_u64().expect("a number").saturating_sub(base) / ROWS as u64;
    let (marks, private) = (first["bytes"].as_u64().expect("a number") / ROWS as u64, private_memory(&server));
    eprintln!("{memory} bytes a row, {marks} of them for the mark; {private} kB of its own; {} ms", first["took"]);
    assert!(memory <= MOST_BYTES && marks <= 20 && private <= MOST_PRIVATE, "{memory}, {marks}, {private}");

    change(dir.path(), &format!("UPDATE {TABLE} SET options = 'expires=3000' WHERE subscriber = 'sip:lamp@x'"));
    assert!(server.rpc("presence_b2b.reload", json!([])).is_ok());
    let second = read(&server);
    eprintln!("a reading with {LIVELY} changes: {} ms", second["took"]);
    assert_eq!(counts(&second), [0, LIVELY as u64, (ROWS - LIVELY) as u64, 0, 0, 0]);
    for dialog in &mut dialogs {
        let last = dialog.expect_subscribe(SOON);
        assert_eq!(last.header("Expires"), Some("0"), "{}", last.message);
        dialog.accept(&last, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    }
    take(&notifier, LIVELY);
    notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(300));
    let trace = server.trace();
    assert_eq!((&trace["created"], &trace["destroyed"]), (&json!(ROWS + LIVELY), &json!(LIVELY)));
    let _ = reload(&server);
    assert_eq!(counts(&read(&server)), [0, 0, ROWS as u64, 0, 0, 0]);
    server.stop();
}

/// A server that is told to stop while it reads, stops: in time, and without a lock held. Most machines take longer to read at the start
/// than to stop; the readings that are asked for are met on all.
#[test]
fn a_server_stops_while_it_reads() {
    let notifier = Notifier::udp();
    let rows = rows(&notifier);
    let dir = sqlite(&(schema() + &rows));
    let start =
        || with(&url(dir.path())).tlsf().shm_megabytes(256).b2b_param("max_subscribe_delay", 315_360_000).start();
    let ends_in_time = |server: Server| {
        let begun = Instant::now();
        server.stop();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    };
    ends_in_time(start());
    for pause in [0, 30].map(Duration::from_millis) {
        change(dir.path(), &format!("DELETE FROM {TABLE};"));
        let server = start();
        assert_eq!(counts(&read(&server)), [0; 6]);
        change(dir.path(), &rows);
        at_a_reading(&server, || ());
        thread::sleep(pause);
        ends_in_time(server);
    }
}
