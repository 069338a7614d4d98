//! A database that can be reached and refuses to write: everything, or one row.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{folder, settled, stored, storing};
use crate::chaos_store::desk::Desk;
use crate::chaos_store::ledger::Manners;
use crate::stored_bad_texts::{tables, with};
use crate::support::config::Builder;
use crate::support::database::{change, rows};
use crate::support::kamailio::Server;
use crate::support::mariadb::Mariadb;
use crate::support::postgres::Postgres;
use crate::support::wait::{SOON, eventually};

/// Once, when the database takes nothing.
const WAITS: &str = "Subscriptions go on; what changes waits in memory";
/// Once, when it does again.
const AGAIN: &str = "the database takes the subscriptions again";
/// Of a row that is left out.
const LEFT_OUT: &str = "does not outlive the server as it is now";

/// Refuses these changes of the table.
fn refuse(change: &str, when: &str) -> String {
    format!(
        "CREATE TRIGGER no_{change} BEFORE {change} ON presence_b2b_subscriptions {when} BEGIN SELECT RAISE(ABORT, \
         'no right'); END;\n"
    )
}

/// The lines of the database module are expected, and no error of the module.
fn refused(server: Builder, module: &str) -> Builder {
    server.allow_log(&format!(": {module} ")).allow_log("db_do_raw_query")
}

fn store(server: &Server) -> Value {
    server.rpc("presence_b2b.store", json!([])).expect("an answer")
}

fn open() -> Desk {
    Desk::open(Manners { expires: 3600, etags: false })
}

fn subscribe(server: &Server, desk: &Desk, name: &str, count: usize) {
    let watcher = server.uri("watcher");
    (0..count).for_each(|user| _ = server.subscribe(&desk.uri(&format!("{name}{user}")), &watcher));
}

/// Waits until the store says that the database refuses everything, and has tried again since.
fn is_away(server: &Server) -> Value {
    let failures = store(server)["failures"].as_u64().expect("a number");
    eventually(SOON, "it is away, and is tried again", || {
        let store = store(server);
        let is_refused = store["reason"].as_str().is_some_and(|reason| reason.contains("refuses to write"));
        let is_tried = store["failures"].as_u64() > Some(failures + 3);
        (store["state"] == "away" && is_refused && is_tried).then_some(store)
    })
}

fn counted(server: &Server, part: &str) -> usize {
    server.log().text().lines().filter(|line| line.contains(part)).count()
}

/// It was said once that everything waits, once that it does not any more, and of no row that it is to blame.
fn is_said_once(server: &Server) {
    assert_eq!([WAITS, AGAIN, LEFT_OUT].map(|part| counted(server, part)), [1, 1, 0], "{}", server.log().tail(60));
}

fn confirmed(dir: &Path, count: usize) {
    eventually(SOON, "all rows are there", || (stored(dir, "state") == vec!["confirmed"; count]).then_some(()));
}

/// Three subscriptions have their rows in SQLite.
fn with_three_rows() -> (Desk, TempDir, Server) {
    let (desk, dir) = (open(), folder());
    let server = refused(storing(dir.path()), "db_sqlite").allow_log(WAITS).start();
    subscribe(&server, &desk, "early", 3);
    confirmed(dir.path(), 3);
    settled(&server);
    (desk, dir, server)
}

#[test]
fn a_table_that_refuses_everything_is_away_until_it_does_not() {
    let (desk, dir, server) = with_three_rows();
    let all = ["INSERT", "UPDATE", "DELETE"];
    change(dir.path(), &all.map(|what| refuse(what, "")).concat());
    subscribe(&server, &desk, "late", 12);
    let away = is_away(&server);
    assert_eq!(away["refused"], 0);
    // More come, and some end.
    subscribe(&server, &desk, "later", 20);
    server.rpc("presence_b2b.unsubscribe_all", json!(["record=*early*"])).expect("an answer");
    let away = is_away(&server);
    assert_eq!((&away["refused"], counted(&server, WAITS)), (&json!(0), 1));
    change(dir.path(), &all.map(|what| format!("DROP TRIGGER no_{what};\n")).concat());
    settled(&server);
    confirmed(dir.path(), 32);
    settled(&server);
    let good = store(&server);
    assert_eq!((&good["rows"], &good["refused"], good.get("reason")), (&json!(32), &json!(0), None));
    is_said_once(&server);
    server.stop();
}

/// Without the right to remove, rows are written all the same.
#[test]
fn a_table_from_which_nothing_can_be_removed_is_away() {
    let (desk, dir, server) = with_three_rows();
    change(dir.path(), &refuse("DELETE", ""));
    server.rpc("presence_b2b.unsubscribe_all", json!(["record=*early*"])).expect("an answer");
    is_away(&server);
    subscribe(&server, &desk, "late", 12);
    eventually(SOON, "the new ones are written", || {
        let late = rows(dir.path(), "SELECT state FROM presence_b2b_subscriptions WHERE record LIKE '%late%'");
        (late == vec!["confirmed"; 12]).then_some(())
    });
    is_away(&server);
    change(dir.path(), "DROP TRIGGER no_DELETE;\n");
    settled(&server);
    // What the module has tried to write, to see that it can, goes later as what has ended.
    eventually(SOON, "the others are removed", || {
        let states = rows(dir.path(), "SELECT id > 0, state FROM presence_b2b_subscriptions ORDER BY id");
        (states == [vec!["0|ended"], vec!["1|confirmed"; 12]].concat()).then_some(())
    });
    is_said_once(&server);
    server.stop();
}

/// Subscriptions that end while their table is missing leave no number behind.
#[test]
fn a_table_that_was_missing_leaves_no_trace() {
    let (desk, dir, server) = with_three_rows();
    let schema = "SELECT sql || ';' FROM sqlite_master WHERE tbl_name = 'presence_b2b_subscriptions' AND sql NOT NULL";
    let schema = rows(dir.path(), schema).join("\n");
    change(dir.path(), "DROP TABLE presence_b2b_subscriptions;\n");
    let before = store(&server);
    subscribe(&server, &desk, "late", 10);
    is_away(&server);
    server.rpc("presence_b2b.unsubscribe_all", json!(["record=*"])).expect("an answer");
    eventually(SOON, "all have ended", || (server.trace()["subscriptions"] == 0).then_some(()));
    let away = is_away(&server);
    for name in ["written", "writes", "refused"] {
        assert_eq!(away[name], before[name], "{name}: {away}");
    }
    subscribe(&server, &desk, "stays", 2);
    change(dir.path(), &schema);
    settled(&server);
    confirmed(dir.path(), 2);
    settled(&server);
    let good = store(&server);
    assert_eq!((&good["rows"], &good["refused"]), (&json!(2), &json!(0)), "{good}");
    is_said_once(&server);
    server.stop();
}

/// The one row is left out, and the database is good all the time: neither does it wait for others.
#[test]
fn one_bad_row_is_left_out_alone() {
    for others in [0, 40] {
        let (desk, dir) = (open(), folder());
        let server = refused(storing(dir.path()), "db_sqlite").start();
        change(dir.path(), &refuse("INSERT", "WHEN NEW.record LIKE '%bad%'"));
        subscribe(&server, &desk, "good", others / 2);
        subscribe(&server, &desk, "bad", 1);
        subscribe(&server, &desk, "more", others / 2);
        eventually(SOON, "it is left out", || (store(&server)["refused"] == 1).then_some(()));
        confirmed(dir.path(), others);
        settled(&server);
        let said = server.log().text();
        assert!(said.lines().any(|line| line.contains(LEFT_OUT)), "{said}");
        assert_eq!([WAITS, AGAIN].map(|part| counted(&server, part)), [0, 0]);
        server.rpc("presence_b2b.unsubscribe_all", json!(["record=*bad*"])).expect("an answer");
        eventually(SOON, "nothing is left of it", || {
            let store = store(&server);
            (store["refused"] == 0 && store["rows"] == others && store["waiting"] == 0).then_some(())
        });
        assert_eq!(stored(dir.path(), "id").len(), others);
        server.stop();
    }
}

/// The same with the databases of other machines: a table that is away, and a right.
fn is_away_without(server: &Builder, change: impl Fn(&str), count: impl Fn() -> usize, faults: &[[&str; 2]]) {
    let desk = open();
    let server = server.clone().start();
    subscribe(&server, &desk, "early", 3);
    settled(&server);
    for (round, [fault, repair]) in faults.iter().enumerate() {
        change(fault);
        subscribe(&server, &desk, &format!("late{round}-"), 12);
        assert_eq!(is_away(&server)["refused"], 0);
        change(repair);
        settled(&server);
        eventually(SOON, "all rows are there", || (count() == 3 + 12 * (round + 1)).then_some(()));
    }
    assert_eq!([WAITS, LEFT_OUT].map(|part| counted(&server, part)), [faults.len(), 0]);
    server.stop();
}

const CONFIRMED: &str = "SELECT count(*) FROM presence_b2b_subscriptions WHERE state = 'confirmed'";

const MISSING: [&str; 2] = [
    "ALTER TABLE presence_b2b_subscriptions RENAME TO presence_b2b_aside",
    "ALTER TABLE presence_b2b_aside RENAME TO presence_b2b_subscriptions",
];

fn number(rows: &[String]) -> usize {
    rows.first().and_then(|row| row.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn postgresql_without_a_table_or_a_right_is_away() {
    let database = Postgres::start();
    database.run(&tables("postgres"));
    // Rights are nothing to the superuser, who owns the database.
    database.run("CREATE USER server; GRANT ALL ON ALL TABLES IN SCHEMA public TO server");
    let url = database.url().replace("b2b@", "server@");
    let server = refused(with("db_postgres", url), "db_postgres").allow_log(WAITS);
    let right = [
        "REVOKE INSERT ON presence_b2b_subscriptions FROM server",
        "GRANT INSERT ON presence_b2b_subscriptions TO server",
    ];
    is_away_without(&server, |sql| database.run(sql), || number(&database.rows(CONFIRMED)), &[MISSING, right]);
}

#[test]
fn mariadb_without_a_table_is_away() {
    let database = Mariadb::start();
    database.run(&tables("mysql"));
    let server = refused(with("db_mysql", database.url()), "db_mysql").allow_log(WAITS);
    is_away_without(&server, |sql| database.run(sql), || number(&database.rows(CONFIRMED)), &[MISSING]);
}
