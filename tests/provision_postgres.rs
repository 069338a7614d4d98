//! Subscriptions and credentials from PostgreSQL: a server of its own, as a user would start it.

use crate::provisioning::{TABLE, counts, read, reload, row, schema};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::Notifier;
use crate::support::postgres::Postgres;
use crate::support::wait::SOON;

/// The difference is applied, and a table without a column is a fault that does not end a subscription.
#[test]
fn rows_of_postgresql() {
    let notifier = Notifier::udp();
    let uris: Vec<String> = (0..1500).map(|user| format!("sip:{user}@192.0.2.1")).collect();
    let database = Postgres::start();
    let rows: String = uris.iter().map(|uri| row(uri, "sip:lamp@x", "dialog", "")).collect();
    database.run(&(schema() + &rows + &row(&notifier.uri("a"), "sip:lamp@x", "", "")));
    let server = Server::eager(100).module("db_postgres").allow_log("db_postgres").allow_log("db_do_");
    let server = server.b2b_param("db_url", database.url()).b2b_param("provision_table", TABLE);
    let server = server.b2b_param("package_policy", "dialog: max_subscribe_delay=315360000").start();
    assert_eq!(counts(&read(&server)), [1501, 0, 0, 0, 0, 0]);
    notifier.activate(&notifier.expect_subscribe(SOON), 3600);
    database.run(&format!(
        "DELETE FROM {TABLE} WHERE record = '{}'; UPDATE {TABLE} SET options = 'keep' WHERE record = '{}';
         UPDATE {TABLE} SET enabled = 0 WHERE record = '{}';",
        uris[0], uris[1], uris[2]
    ));
    assert_eq!(counts(&reload(&server)), [0, 1, 1498, 2, 1, 0]);
    database.run(&format!("ALTER TABLE {TABLE} RENAME COLUMN options TO settings"));
    let fault = server.rpc("presence_b2b.reload", serde_json::json!([])).expect_err("a column is missing");
    assert!(fault.code == 500 && fault.message.starts_with("the columns record, subscriber, package"), "{fault}");
    assert_eq!(server.log().since(Mark::default(), "The subscriptions stay as they are").len(), 1);
    // The database stops and starts again: a reading connects again.
    database.run(&format!("ALTER TABLE {TABLE} RENAME COLUMN settings TO options"));
    let database = database.stopped();
    let fault = server.rpc("presence_b2b.reload", serde_json::json!([])).expect_err("the database is away");
    assert!(fault.message.starts_with("the database of db_url cannot be reached through db_postgres"), "{fault}");
    let database = database.started();
    assert_eq!(counts(&reload(&server)), [0, 0, 1499, 0, 1, 0]);
    server.stop();
    drop(database);
}

/// Backslashes in columns of the type TEXT, which db_postgres takes for escapes of bytes, and in columns of bytes, which have such escapes.
#[test]
fn backslashes_in_columns_of_texts_and_bytes() {
    let (notifier, database) = (Notifier::udp(), Postgres::start());
    let tables = schema().replace("VARCHAR(1024)", "TEXT").replace("VARCHAR(2048)", "TEXT");
    assert_eq!(tables.matches("TEXT").count(), 3);
    database.run(&(tables + &row(&notifier.uri("a"), "sip:lamp@x", "", r#"header="X-Path: C:\\101\\x""#)));
    let server = Server::eager(100).module("db_postgres").b2b_param("db_url", database.url());
    let server = server.b2b_param("provision_table", TABLE).start();
    assert_eq!(counts(&read(&server)), [1, 0, 0, 0, 0, 0]);
    let subscribe = notifier.expect_subscribe(SOON);
    assert_eq!(subscribe.header("X-Path"), Some(r"C:\101\x"), "{}", subscribe.message);
    notifier.activate(&subscribe, 3600);
    for column in ["record", "options"] {
        database.run(&format!(
            "ALTER TABLE {TABLE} ALTER {column} DROP DEFAULT, ALTER {column} TYPE BYTEA USING convert_to({column}, 'UTF8')"
        ));
    }
    assert_eq!(counts(&reload(&server)), [0, 0, 1, 0, 0, 0]);
    server.stop();
    drop(database);
}
