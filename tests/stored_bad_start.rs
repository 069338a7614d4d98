//! Databases of subscriptions with which the server does not start, and those with which it starts all the same.

use std::fs;

use serde_json::json;

use crate::stored::{folder, settled, storing};
use crate::support::database::{change, rows};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::Notifier;
use crate::support::wait::{SOON, eventually};

/// What the server says that does not start with the database of this folder: one line of the module.
fn refused(dir: &std::path::Path) -> String {
    let log = storing(dir).start_refused();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("ERROR: presence_b2b ")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    lines[0].to_owned()
}

#[test]
fn tables_that_do_not_fit_are_named() {
    let dir = folder();
    storing(dir.path()).start().stop();
    for (sql, undo, said) in [
        ("UPDATE version SET table_version=2", "UPDATE version SET table_version=1", "install the newer module"),
        ("UPDATE version SET table_version=0", "UPDATE version SET table_version=1", "see docs/database.md"),
        (
            "UPDATE presence_b2b_nodes SET hash_key='x'",
            "DELETE FROM presence_b2b_nodes",
            "is damaged (hash_key is not 32 hexadecimal digits): correct it, or delete it",
        ),
        (
            "ALTER TABLE presence_b2b_subscriptions RENAME COLUMN led_to TO gone",
            "ALTER TABLE presence_b2b_subscriptions RENAME COLUMN gone TO led_to",
            "of the table presence_b2b_subscriptions cannot be read",
        ),
    ] {
        change(dir.path(), sql);
        let line = refused(dir.path());
        assert!(line.contains(said), "{line}");
        change(dir.path(), undo);
    }
    change(dir.path(), "ALTER TABLE presence_b2b_subscriptions ADD COLUMN more INTEGER NOT NULL DEFAULT 5");
    storing(dir.path()).start().stop();

    let dir = folder();
    fs::write(dir.path().join("db"), "This is no database, but it is long enough to be one. ".repeat(40))
        .expect("a file");
    assert!(refused(dir.path()).contains("the database of db_url"));
}

/// As with an SQLite that was built without its functions for JSON: a table of this name hides the function.
#[test]
fn numbers_are_written_without_functions_for_json() {
    let (notifier, dir) = (Notifier::udp(), folder());
    storing(dir.path()).start().stop();
    change(dir.path(), "CREATE TABLE json_each (x)");
    let server = storing(dir.path()).allow_log(": db_sqlite ").allow_log("db_do_raw_query").start();
    assert_eq!(server.log().since(Mark::default(), "SQLite has no functions for JSON here").len(), 1);
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "state", "confirmed");
    settled(&server);
    let left = || rows(dir.path(), "SELECT (expires_at - updated) / 1000 > 1000 FROM presence_b2b_subscriptions");
    assert_eq!(left(), ["0"]);
    server.refresh(id);
    let refresh = dialog.expect_subscribe(SOON);
    dialog.accept(&refresh, 3000);
    eventually(SOON, "the new time is written", || (left() == ["1"]).then_some(()));
    server.end(id, &mut dialog);
    server.stop();
}

#[test]
fn no_password_is_in_the_log_of_a_server_that_does_not_start() {
    let server =
        || Server::b2b().debug(3).b2b_param("db_mode", 1).b2b_param("db_url", "postgres://me:swordfish@127.0.0.1:1/x");
    for (log, said) in [
        (server().module("db_postgres").start_refused(), "cannot be reached through db_postgres"),
        (server().start_refused(), "db_url needs the module db_postgres"),
    ] {
        assert!(log.contains(said) && !log.contains("swordfish"), "{log}");
    }
}

/// Those for which there is room go on, the rows of the others stay, and more memory brings them back.
#[test]
fn a_server_with_too_little_memory_starts() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "state", "confirmed");
    let ip = server.ip();
    server.stop();
    change(
        dir.path(),
        "CREATE TABLE made AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM n WHERE n<4000)
             SELECT * FROM n JOIN (SELECT * FROM presence_b2b_subscriptions LIMIT 1);
         UPDATE made SET id=(9<<32)+n, call_id=n||call_id, record='sip:u'||n||substr(record, 10),
             options='header=\"X-A: '||hex(zeroblob(400))||'\"', n=0;
         ALTER TABLE made DROP COLUMN n;
         INSERT INTO presence_b2b_subscriptions SELECT * FROM made;
         DROP TABLE made;",
    );
    let small = storing(dir.path()).at(ip).shm_megabytes(10).allow_log("is skipped: ").allow_log("memory");
    let server = small.allow_log("qm_").allow_log("fm_");
    // 6.0 says it in other words.
    let server = server.allow_log("private memory").allow_log("error while storing result").start();
    let store = server.rpc("presence_b2b.store", json!([])).expect("an answer");
    let number = |name: &str| store[name].as_u64().expect("a number");
    assert_eq!(number("restored") + number("skipped"), 4001, "{store}");
    assert!(number("restored") > 100 && number("skipped") > 100, "{store}");
    let text = server.log().text();
    assert_eq!(text.matches("is skipped: ").count(), 10);
    assert!(text.contains("enlarge it with the server's option -m"), "{text}");
    server.stop();
    // db_sqlite of 6.1 has no private memory for the first page of such rows; the module then reads smaller ones.
    let server = storing(dir.path()).at(ip).shm_megabytes(128);
    let server = server.allow_log("private memory").allow_log("error while storing result").start();
    let store = server.rpc("presence_b2b.store", json!([])).expect("an answer");
    assert_eq!((&store["restored"], &store["skipped"]), (&json!(4001), &json!(0)));
    server.stop();
}

/// Whoever damages the row of the server while it runs loses nothing.
#[test]
fn a_damaged_row_of_the_server_is_written_again() {
    let dir = folder();
    let server = storing(dir.path()).allow_log("was removed or changed").start();
    change(dir.path(), "UPDATE presence_b2b_nodes SET epoch='x', hash_key=''");
    server.subscribe("sip:alice@127.0.0.9:9", &server.uri("watcher"));
    settled(&server);
    assert_eq!(rows(dir.path(), "SELECT epoch, length(hash_key) FROM presence_b2b_nodes"), ["1|32"]);
    assert_eq!(rows(dir.path(), "SELECT count(*) FROM presence_b2b_subscriptions"), ["1"]);
    assert_eq!(server.log().text().matches("was removed or changed").count(), 1);
    server.stop();
}
