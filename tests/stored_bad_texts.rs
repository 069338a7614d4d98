//! Texts of peers, scripts and operators that mean something in SQL.

use std::fs;
use std::net::Ipv4Addr;

use serde_json::json;

use crate::stored::{folder, settled, storing};
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::mariadb::Mariadb;
use crate::support::notifier::{Notifier, Notify};
use crate::support::postgres::Postgres;
use crate::support::sip::Message;
use crate::support::wait::SOON;

/// What is between quotes in a header of every SUBSCRIBE.
const LINE: &str = r"'); DROP TABLE presence_b2b_subscriptions; -- \' \\ /* ü 漢 $$ %s ?";

/// A server that keeps its subscriptions in such a database.
pub fn with(module: &str, url: String) -> Builder {
    let server = Server::eager(100).module(module).b2b_param("db_mode", 1).b2b_param("db_url", url);
    if module == "db_postgres" { server.modparam(module, "timeout", 2) } else { server }
}

/// The tables of a kind of database.
pub fn tables(database: &str) -> String {
    let path = format!("{}/docs/schema/{database}/presence_b2b-create.sql", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).expect("a schema")
}

/// What a request says that is of the dialog or of the options.
fn said(request: &Message) -> Vec<String> {
    let headers = ["From", "To", "Call-ID", "Event", "X-Line"].map(|name| request.need(name).to_owned());
    let routes = request.headers("Route").into_iter().map(str::to_owned);
    headers.into_iter().chain(routes).chain([request.uri().to_owned()]).collect()
}

/// All texts are the same after a restart.
fn come_back(build: impl Fn() -> Builder) {
    let notifier = Notifier::udp();
    let server = build().start();
    let ip: Ipv4Addr = server.ip();
    let record = notifier.uri("o'brien--;x='1'/*%5C");
    let quoted = LINE.replace('\\', r"\\");
    let options = format!("header=\"X-Line: {quoted}\"; id=a'--");
    let asked = json!([record, server.uri("w'--"), "presence", options]);
    let id = server.rpc("presence_b2b.subscribe", asked).expect("an id").as_u64().expect("a number");
    let first = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.dialog(&first);
    dialog.local_tag = "t'!`~%*--".to_owned();
    dialog.contact = notifier.uri("c'--;DROP;y='2'");
    let route = format!("<{};lr;z='--'>", notifier.uri("r'r"));
    dialog.answer(&first, 200, &[("Expires", "600"), ("Record-Route", &route)]);
    let notify = Notify::active(600).with("Record-Route", &route).with("SIP-ETag", "e'--`!");
    assert_eq!(dialog.notify(notify).status(), 200);
    server.await_shown(id, "state", "confirmed");
    server.refresh(id);
    let before = dialog.expect_subscribe(SOON);
    dialog.accept(&before, 600);
    server.await_shown(id, "state", "confirmed");
    settled(&server);
    server.stop();

    let server = build().at(ip).start();
    let store = server.rpc("presence_b2b.store", json!([])).expect("an answer");
    assert_eq!((&store["restored"], &store["skipped"]), (&json!(1), &json!(0)));
    server.refresh(id);
    let after = dialog.expect_subscribe(SOON);
    assert_eq!(said(&after), said(&before));
    assert!(said(&after).iter().any(|text| text == LINE), "{}", after.message);
    dialog.accept(&after, 600);
    server.end(id, &mut dialog);
    server.stop();
}

#[test]
fn texts_in_sqlite() {
    let dir = folder();
    come_back(|| storing(dir.path()));
}

#[test]
fn texts_in_postgresql_where_backslashes_escape() {
    let database = Postgres::start();
    database.run(&tables("postgres"));
    database.run("ALTER USER b2b SET standard_conforming_strings = off; ALTER USER b2b SET backslash_quote = on;");
    come_back(|| with("db_postgres", database.url()).allow_log("db_postgres"));
}

#[test]
fn texts_in_mariadb_with_and_without_escapes() {
    let database = Mariadb::start();
    database.run(&tables("mysql"));
    come_back(|| with("db_mysql", database.url()));
    database.run("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES,STRICT_ALL_TABLES';");
    come_back(|| with("db_mysql", database.url()));
}
