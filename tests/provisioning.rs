//! Subscriptions from a database table.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::config::Builder;
use crate::support::database::{self, change, sqlite, url};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

pub const TABLE: &str = "presence_b2b_provision";

/// The table as the page makes it.
pub fn schema() -> String {
    database::schema(include_str!("../docs/provisioning.md"), TABLE)
}

/// One more row.
pub fn row(record: &str, subscriber: &str, package: &str, options: &str) -> String {
    format!(
        "INSERT INTO {TABLE} (record, subscriber, package, options) VALUES ('{record}', '{subscriber}', '{package}', '{options}');\n"
    )
}

pub fn with(url: &str) -> Builder {
    Server::eager(100).module("db_sqlite").b2b_param("db_url", url).b2b_param("provision_table", TABLE)
}

/// The newest reading once it has come to an end.
pub fn read(server: &Server) -> Value {
    eventually(Duration::from_secs(60), "the tables have been read", || {
        let answer = server.rpc("presence_b2b.provisioning", json!([])).expect("an answer");
        (answer["state"] == "done" || answer["state"] == "failed").then_some(answer)
    })
}

/// Reads the tables again. On a busy machine the command answers before that has come to an end.
pub fn reload(server: &Server) -> Value {
    let answer = server.rpc("presence_b2b.reload", json!([])).expect("the tables can be read");
    if answer["state"] == "reading" { read(server) } else { answer }
}

/// The counts of a reading: added, changed, kept, ended, disabled, skipped.
pub fn counts(answer: &Value) -> [u64; 6] {
    let number = |name: &str| answer[name].as_u64().unwrap_or_else(|| panic!("no {name} in {answer}"));
    let counts = ["added", "changed", "kept", "ended", "disabled", "skipped"].map(number);
    let [added, changed, kept, _, disabled, skipped] = counts;
    assert_eq!(number("rows"), added + changed + kept + disabled + skipped, "{answer}");
    counts
}

/// The records of all subscriptions that the answer marks as those of rows.
fn provisioned(server: &Server) -> BTreeSet<String> {
    let rows = server.rows("presence_b2b.list");
    let marked = rows.iter().filter(|row| row["provisioned"] == 1);
    marked.map(|row| row["record"].as_str().expect("a record").to_owned()).collect()
}

/// Takes the SUBSCRIBEs for new dialogs with these users, in any order.
fn take(notifier: &Notifier, users: &[&str]) -> Vec<(String, Dialog)> {
    let mut open: BTreeSet<String> = users.iter().map(|user| notifier.uri(user)).collect();
    let mut dialogs = Vec::new();
    while !open.is_empty() {
        let subscribe = notifier.expect_subscribe(SOON);
        let uri = subscribe.uri().to_owned();
        assert!(open.remove(&uri), "{uri} is not expected");
        dialogs.push((uri, notifier.activate(&subscribe, 600)));
    }
    dialogs
}

/// At the start, and then the difference only: what was added, changed and removed, each with its SUBSCRIBEs and no others.
#[test]
fn the_difference_is_applied() {
    let notifier = Notifier::udp();
    let uris = ["a", "b", "c", "d", "e"].map(|user| notifier.uri(user));
    let [a, b, c, d, e] = uris.each_ref().map(String::as_str);
    let rows: String = [a, b, c, d].map(|record| row(record, "sip:lamp@x", "presence", "")).concat();
    let dir = sqlite(&(schema() + &rows));
    let server = with(&url(dir.path())).start();
    assert_eq!(counts(&read(&server)), [4, 0, 0, 0, 0, 0]);
    let mut dialogs = take(&notifier, &["a", "b", "c", "d"]);
    assert_eq!(provisioned(&server), [a, b, c, d].map(str::to_owned).into());
    // Subscriptions of an operator are not touched.
    let own = server.subscribe(e, "sip:other@x");
    take(&notifier, &["e"]);
    assert_eq!(server.show(own)["provisioned"], Value::Null);
    assert_eq!(counts(&reload(&server)), [0, 0, 4, 0, 0, 0]);
    change(
        dir.path(),
        &format!(
            "DELETE FROM {TABLE} WHERE record = '{a}'; UPDATE {TABLE} SET options = 'expires=300' WHERE record = '{b}';
             UPDATE {TABLE} SET enabled = 0 WHERE record = '{c}'; {}",
            row(e, "sip:lamp@x", "presence", "")
        ),
    );
    let answer = reload(&server);
    assert_eq!((counts(&answer), &answer["subscriptions"]), ([1, 1, 1, 2, 1, 0], &json!(3)), "{answer}");
    for (uri, dialog) in dialogs.iter_mut().filter(|(uri, _)| uri != d) {
        let last = dialog.expect_subscribe(SOON);
        assert_eq!(last.header("Expires"), Some("0"), "{uri}: {}", last.message);
        dialog.accept(&last, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    }
    // The new one of b, and that of e.
    take(&notifier, &["b", "e"]);
    notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(300));
    assert_eq!(provisioned(&server), [b, d, e].map(str::to_owned).into());
    assert_eq!(server.show(own)["state"], "confirmed");
    server.stop();
}

/// What an operator ends is there again after the next reading, and a row whose subscription an operator has made is skipped.
#[test]
fn rows_and_operators_do_not_share_subscriptions() {
    let notifier = Notifier::udp();
    let [a, b] = ["a", "b"].map(|user| notifier.uri(user));
    let dir = sqlite(&(schema() + &row(&a, "sip:lamp@x", "", "")));
    let server = with(&url(dir.path())).start();
    assert_eq!(counts(&read(&server)), [1, 0, 0, 0, 0, 0]);
    take(&notifier, &["a"]);
    let id = server.rows("presence_b2b.list")[0]["id"].as_u64().expect("an id");
    // Asked for again with the same options, it is the row's; with others it is refused.
    assert_eq!(server.subscribe(&a, "sip:lamp@x"), id);
    let differs = server.rpc("presence_b2b.subscribe", json!([a, "sip:lamp@x", "presence", "expires=77"]));
    assert_eq!(differs.expect_err("other options").code, 400);
    server.unsubscribe(id);
    assert_eq!(counts(&reload(&server)), [1, 0, 0, 0, 0, 0]);
    take(&notifier, &["a"]);
    let own = server.subscribe(&b, "sip:lamp@x");
    take(&notifier, &["b"]);
    change(dir.path(), &row(&b, "sip:lamp@x", "presence", "expires=77"));
    assert_eq!(counts(&reload(&server)), [0, 0, 1, 0, 0, 1]);
    let lines = server.log().since(Mark::default(), "script or RPC have this subscription already");
    assert!(lines.len() == 1 && lines[0].contains(&format!("row 2 (record \"{b}\"")), "{lines:?}");
    change(dir.path(), &format!("DELETE FROM {TABLE}"));
    assert_eq!(counts(&reload(&server)), [0, 0, 0, 1, 0, 0]);
    assert_eq!(server.show(own)["state"], "confirmed");
    server.stop();
}

/// Rows that cannot be used are named with the reason, ten of them, and skipped.
#[test]
fn bad_rows_are_named_and_skipped() {
    let good = |user: &str, options: &str| row(&format!("sip:{user}@192.0.2.1"), "sip:lamp@x", "presence", options);
    let record = |record: &str| row(record, "sip:lamp@x", "presence", "");
    let loose = format!("CREATE TABLE {TABLE} (record, subscriber, package, options, enabled);\n");
    let long = format!("sip:{}@x", "a".repeat(1024));
    let rows = [
        good("first", ""),
        record("sip:a@192.0.2.1' || char(13) || char(10) || 'X-Evil: 1"),
        record("alice"),
        good("first", "expires=77"),
        row("sip:b@192.0.2.1", "sip:lamp@x", "nonsense", ""),
        good("c", "expires=0"),
        good("d", "fetch"),
        good("e", "share"),
        format!("INSERT INTO {TABLE} VALUES (NULL, 'sip:lamp@x', NULL, NULL, 1);\n"),
        format!("INSERT INTO {TABLE} VALUES ('sip:f@192.0.2.1', 'sip:lamp@x', '', '', 'perhaps');\n"),
        record(&long),
        record(""),
        good("first", "id=other"),
        format!("INSERT INTO {TABLE} VALUES ('sip:g@192.0.2.1', 'sip:lamp@x', NULL, NULL, NULL);\n"),
        format!("INSERT INTO {TABLE} VALUES ('sip:h@192.0.2.1', 'sip:lamp@x', 'dialog', 'keep', '0');\n"),
        row("sip:i@192.0.2.1", "sip:lamp@x\nFrom: <sip:j@x>", "presence", ""),
    ];
    let dir = sqlite(&(loose + &rows.concat()));
    let server = with(&url(dir.path())).b2b_param("max_subscribe_delay", 315_360_000).start();
    assert_eq!(counts(&read(&server)), [3, 0, 0, 0, 1, 12]);
    let text = server.log().text();
    for line in [
        "row 2 (record \"sip:a@192.0.2.1\\r\\nX-Evil: 1\", subscriber \"sip:lamp@x\", package \"presence\") is skipped: no subscription to ",
        "row 3 (record \"alice\"",
        "row 4 (record \"sip:first@192.0.2.1\", subscriber \"sip:lamp@x\", package \"presence\") is skipped: an earlier row has the same",
        "is skipped: unknown event package \"nonsense\"",
        "is skipped: option expires is \"0\", but must be",
        "is skipped: option fetch is \"32\", but must be omitted in a row of a table",
        "is skipped: option share is for C modules only",
        "row 9 (record \"\"",
        "row 10 (record \"sip:f@192.0.2.1\", subscriber \"sip:lamp@x\", package \"\") is skipped: enabled is \"perhaps\", but must be 0 or 1",
        "row 11 (record \"sip:aaa",
        "presence_b2b_provision: 12 rows of 16 are skipped",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert_eq!(server.log().since(Mark::default(), ") is skipped: ").len(), 10, "a long list is cut");
    assert!(!text.lines().any(|line| line.starts_with("X-Evil") || line.starts_with("From: ")), "{text}");
    let records = ["sip:first@192.0.2.1", "sip:g@192.0.2.1"].map(str::to_owned);
    assert_eq!(provisioned(&server), records.into());
    server.stop();
}

/// There is no room for the new subscription of a row beside the old one, which still ends: the row is skipped, what has ended is counted,
/// and the next reading makes the new one.
#[test]
fn a_changed_row_without_room_is_counted() {
    let notifier = Notifier::udp();
    let dir = sqlite(&(schema() + &row(&notifier.uri("a"), "sip:lamp@x", "presence", "")));
    let server = with(&url(dir.path())).b2b_param("max_subscriptions", 1).start();
    assert_eq!(counts(&read(&server)), [1, 0, 0, 0, 0, 0]);
    let (_, mut dialog) = take(&notifier, &["a"]).remove(0);
    change(dir.path(), &format!("UPDATE {TABLE} SET options = 'expires=300'"));
    let answer = reload(&server);
    assert_eq!((counts(&answer), &answer["subscriptions"]), ([0, 0, 0, 1, 0, 1], &json!(0)), "{answer}");
    let lines = server.log().since(Mark::default(), "The subscription of this row with other options has ended");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let last = dialog.expect_subscribe(SOON);
    dialog.accept(&last, 0);
    assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    server.await_no_subscription();
    assert_eq!(counts(&reload(&server)), [1, 0, 0, 0, 0, 0]);
    take(&notifier, &["a"]);
    server.stop();
}

/// A value that is a fraction or a time is no NULL, and a table that somebody writes to is waited for.
#[test]
fn other_types_are_read_and_writers_are_waited_for() {
    let loose =
        format!("CREATE TABLE {TABLE} (record TEXT, subscriber TEXT, package TEXT, options TEXT, enabled DOUBLE);");
    let values = [("a", "0.0"), ("b", "1.0"), ("c", "0.5"), ("d", "NULL")];
    let rows = values.map(|(user, enabled)| {
        format!("INSERT INTO {TABLE} VALUES ('sip:{user}@192.0.2.1', 'sip:lamp@x', '', '', {enabled});\n")
    });
    let dir = sqlite(&(loose + &rows.concat()));
    let server = with(&url(dir.path())).b2b_param("max_subscribe_delay", 315_360_000).start();
    assert_eq!(counts(&read(&server)), [2, 0, 0, 0, 1, 1]);
    assert!(server.log().text().contains("is skipped: enabled is \"0.5\", but must be 0 or 1"));
    std::thread::scope(|scope| {
        scope.spawn(|| change(dir.path(), "BEGIN EXCLUSIVE;\n.shell sleep 1\nCOMMIT;\n"));
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(counts(&reload(&server)), [0, 0, 2, 0, 1, 1]);
    });
    server.stop();
}

/// A database that is away at the start, and a table without a column: the server works, says so once, and tries again.
#[test]
fn what_cannot_be_read_is_tried_again() {
    let folder = TempDir::with_prefix("database-").expect("a folder");
    let dir = folder.path().join("later");
    let server = with(&url(&dir))
        .b2b_param("max_subscribe_delay", 315_360_000)
        .allow_log("db_sqlite")
        .allow_log("db_do_")
        .start();
    let answer = read(&server);
    assert_eq!(answer["state"], "failed", "{answer}");
    let why = "the database of db_url cannot be reached through db_sqlite";
    assert!(answer["reason"].as_str().is_some_and(|reason| reason.starts_with(why)), "{answer}");
    std::fs::create_dir(&dir).expect("a folder");
    change(&dir, &format!("CREATE TABLE {TABLE} (record, subscriber, package, enabled);"));
    let fault = server.rpc("presence_b2b.reload", json!([])).expect_err("a column is missing");
    let columns =
        format!("the columns record, subscriber, package, options, enabled of the table {TABLE} cannot be read");
    assert!(fault.code == 500 && columns.starts_with(&fault.message[..100]), "{fault}");
    assert_eq!(server.log().since(Mark::default(), "tries again every 10 seconds").len(), 1, "it is said once");
    change(&dir, &format!("DROP TABLE {TABLE}; {}{}", schema(), row("sip:a@192.0.2.1", "sip:lamp@x", "", "")));
    let waits = Duration::from_secs(20);
    eventually(waits, "it is tried again", || (server.trace()["created"] == 1).then_some(()));
    assert_eq!(counts(&read(&server)), [1, 0, 0, 0, 0, 0]);
    assert_eq!(server.log().since(Mark::default(), "the tables of db_url can be read now").len(), 1);
    // Later on it is not tried again, and what there is stays.
    std::fs::remove_file(dir.join("db")).expect("the database");
    server.rpc("presence_b2b.reload", json!([])).expect_err("no table");
    assert_eq!(server.trace()["subscriptions"], 1);
    server.stop();
}

#[test]
fn what_cannot_work_keeps_the_server_from_starting() {
    for (url, part) in [
        (
            "mysql://me:swordfish@localhost/x",
            "modparam provision_table: db_url needs the module db_mysql: load it before",
        ),
        ("swordfish", "modparam provision_table: db_url is no database URL"),
        ("", "modparam provision_table is \"presence_b2b_provision\", but db_url, its database, is not set"),
    ] {
        let log = with(url).start_refused();
        assert!(log.contains(part) && !log.contains("swordfish"), "{url}: {part} is not in {log}");
    }
}

/// Without a table there is nothing to read, and no process for it.
#[test]
fn without_a_table_nothing_is_read() {
    let server = Server::b2b().start();
    assert_eq!(server.processes("presence_b2b tables"), 0);
    let fault = server.rpc("presence_b2b.reload", json!([])).expect_err("no table");
    assert!(fault.code == 500 && fault.message.starts_with("there is no table to read"), "{fault}");
    assert_eq!(server.rpc("presence_b2b.provisioning", json!([])).expect("an answer")["state"], "never");
    server.stop();
}

/// A module that gives rows in parts, and a form without a server.
#[test]
fn a_table_of_text() {
    let dir = TempDir::with_prefix("database-").expect("a folder");
    let columns = database::text_header(include_str!("../docs/provisioning.md"));
    let write = |users: std::ops::Range<usize>, options: &str| {
        let rows = users.map(|n| format!("sip\\:a{n}@192.0.2.1:sip\\:lamp@x:presence:{options}:1\n"));
        std::fs::write(dir.path().join(TABLE), format!("{columns}\n{}", rows.collect::<String>())).expect("a file");
    };
    write(0..2500, "");
    let server = Server::eager(100).module("db_text").modparam("db_text", "db_mode", 1);
    let server = server.b2b_param("db_url", format!("text://{}", dir.path().display()));
    let server = server.b2b_param("provision_table", TABLE).b2b_param("max_subscribe_delay", 315_360_000).start();
    assert_eq!(counts(&read(&server)), [2500, 0, 0, 0, 0, 0]);
    // The module looks at the time of the file, in whole seconds.
    std::thread::sleep(Duration::from_millis(1100));
    write(10..2510, "keep");
    assert_eq!(counts(&reload(&server)), [10, 2490, 0, 10, 0, 0]);
    server.stop();
}

/// Added and removed, rows leave nothing behind.
#[test]
fn rows_that_come_and_go_leave_nothing() {
    let dir = sqlite(&schema());
    let server = with(&url(dir.path())).b2b_param("max_subscribe_delay", 315_360_000).start();
    assert_eq!(counts(&read(&server)), [0; 6]);
    leaves_nothing(&server, || {
        let rows: String = (0..300).map(|n| row(&format!("sip:a{n}@192.0.2.1"), "sip:lamp@x", "dialog", "")).collect();
        change(dir.path(), &rows);
        assert_eq!(counts(&reload(&server)), [300, 0, 0, 0, 0, 0]);
        change(dir.path(), &format!("DELETE FROM {TABLE};"));
        let answer = reload(&server);
        assert_eq!((counts(&answer), &answer["bytes"]), ([0, 0, 0, 300, 0, 0], &json!(0)));
        server.await_no_subscription();
    });
    server.stop();
}
