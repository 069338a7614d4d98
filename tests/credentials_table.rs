//! Credentials from a database table, read at the start.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::config::Builder;
use crate::support::database::{self, change, sqlite, url};
use crate::support::kamailio::Server;
use crate::support::news::{Newsreader, TELL};
use crate::support::notifier::Notifier;
use crate::support::pidf::pidf;
use crate::support::presence_server::{Credentials, PresenceServer, Qop};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

const TABLE: &str = "presence_b2b_credentials";
const GUARD: Credentials<'static> =
    Credentials { realm: "example", user: "watcher", password: "s3cr3t:swordfish", proxy: false, qop: Qop::Auth };

/// The table as the page on authentication makes it.
fn schema() -> String {
    database::schema(include_str!("../docs/authentication.md"), TABLE)
}

/// A database with all tables and no rows in them.
pub fn empty_tables() -> TempDir {
    sqlite(&(schema() + &crate::provisioning::schema()))
}

fn row(realm: &str, username: &str, password: &str) -> String {
    format!("INSERT INTO {TABLE} (realm, username, password) VALUES ('{realm}', '{username}', '{password}');\n")
}

fn with(url: &str) -> Builder {
    Server::eager(100).module("db_sqlite").b2b_param("db_url", url).b2b_param("credentials_table", TABLE)
}

/// No process has the file open, by the links in /proc.
fn assert_closed(server: &Server, dir: &Path) {
    let file = dir.join("db").canonicalize().expect("the file");
    for pid in crate::support::process::members(server.pid()) {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).expect("our own process").flatten() {
            assert!(std::fs::read_link(entry.path()).is_ok_and(|to| to != file), "process {pid} holds the database");
        }
    }
}

/// Against Kamailio's own `auth`: a password, a hash in its place, and every realm.
#[test]
fn what_a_table_says_is_answered_with() {
    let presence = PresenceServer::builder().credentials(GUARD).start();
    let alice = presence.uri("alice");
    presence.publish("alice", &pidf(&alice, "open", None));
    let hash: String = {
        use md5::Digest as _;
        let digest = md5::Md5::digest(format!("{}:{}:{}", GUARD.user, GUARD.realm, GUARD.password));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let others = row("Example", "nobody", "x") + &row("exampl", "nobody", "x") + &row("example.org", "nobody", "x");
    for right in [
        row(GUARD.realm, GUARD.user, GUARD.password),
        row(GUARD.realm, GUARD.user, &format!("HA1:{hash}")),
        row("*", GUARD.user, GUARD.password),
        row("", GUARD.user, GUARD.password),
    ] {
        let dir = sqlite(&(schema() + &others + &right));
        let server = with(&url(dir.path())).debug(3).start();
        assert_closed(&server, dir.path());
        leaves_nothing(&server, || {
            let id = server.subscribe(&alice, &server.uri("watcher"));
            let shown = server.show_when(id, "active and accepted", |shown| {
                shown["status"] == "active" && shown["last_reply"] == 200
            });
            assert_eq!(shown["retries"], 0, "{right}: {shown}");
            server.unsubscribe(id);
            server.await_no_subscription();
        });
        let text = server.log().text();
        assert!(text.contains(&format!("{TABLE}: 4 credentials")), "the count is for who looks for a fault");
        for secret in ["swordfish", hash.as_str()] {
            assert!(!text.contains(secret), "{:?}", text.lines().find(|line| line.contains(secret)));
        }
        server.stop();
    }
    presence.stop();
}

/// The parameter has precedence over the table for the same realm.
#[test]
fn a_parameter_goes_before_the_table() {
    let presence = PresenceServer::builder().credentials(GUARD).start();
    let alice = presence.uri("alice");
    let dir = sqlite(&(schema() + &row(GUARD.realm, GUARD.user, GUARD.password)));
    let own = format!("{}:{}:wrong", GUARD.user, GUARD.realm);
    let server = with(&url(dir.path())).b2b_param("credential", own).start();
    let id = server.subscribe(&alice, &server.uri("watcher"));
    let shown = server.show_when(id, "refused", |shown| shown["last_reason"] == "credentials rejected");
    assert_eq!(shown["last_reply"], 401, "{shown}");
    server.stop();
    presence.stop();
}

/// `credential_domain` also applies to credentials of the table.
#[test]
fn a_row_is_good_for_the_domains_of_its_realm() {
    let dir = sqlite(&(schema() + &row("here", "user", "x") + &row("everywhere", "user", "x")));
    let server = with(&url(dir.path()));
    let server = server.b2b_param("credential_domain", "here=example.org").start();
    let notifier = Notifier::udp();
    for (realm, is_answered) in [("everywhere", true), ("here", false)] {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let challenge = format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\"");
        notifier.reject(&notifier.expect_subscribe(SOON), 401, &[("WWW-Authenticate", &challenge)]);
        if is_answered {
            let second = notifier.expect_subscribe(SOON);
            assert!(second.need("Authorization").contains("username=\"user\""), "{}", second.message);
            notifier.reject(&second, 404, &[]);
            server.show_when(id, "refused", |shown| shown["last_reply"] == 404);
        } else {
            server.show_when(id, "not answered", |shown| shown["last_reason"] == "no credentials for this host");
        }
        server.unsubscribe(id);
        server.await_no_subscription();
    }
    server.stop();
}

/// Five thousand realms: each gets its own credential, the last as the first, and an unknown realm gets none.
fn of_thousands_each_realm_has_its_own(server: &Server, rows: usize) {
    let notifier = Notifier::udp();
    leaves_nothing(server, || {
        for (realm, user) in [
            ("realm0".to_owned(), Some("user0".to_owned())),
            (format!("realm{}", rows / 2), Some(format!("user{}", rows / 2))),
            (format!("realm{}", rows - 1), Some(format!("user{}", rows - 1))),
            (format!("realm{rows}"), None),
        ] {
            let mut news = Newsreader::new(server);
            let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
            let first = notifier.expect_subscribe(SOON);
            let challenge = format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\"");
            notifier.reject(&first, 401, &[("WWW-Authenticate", &challenge)]);
            match user {
                Some(user) => {
                    let second = notifier.expect_subscribe(SOON);
                    let value = second.need("Authorization");
                    assert!(value.contains(&format!("username=\"{user}\"")), "{value}");
                    notifier.reject(&second, 403, &[]);
                    assert_eq!(news.next("the refusal").code, 403);
                }
                None => assert_eq!(news.next("the refusal").reason, "no credentials for the realm"),
            }
            notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(100));
            server.unsubscribe(id);
            server.await_no_subscription();
        }
    });
}

const THOUSANDS: usize = 5000;

#[test]
fn five_thousand_rows() {
    let rows: String = (0..THOUSANDS).rev().map(|n| row(&format!("realm{n}"), &format!("user{n}"), "x")).collect();
    let dir = sqlite(&format!("{}BEGIN;\n{rows}COMMIT;\n", schema()));
    let server = with(&url(dir.path())).start();
    of_thousands_each_realm_has_its_own(&server, THOUSANDS);
    server.stop();
}

/// A database module that gives its rows page by page.
#[test]
fn five_thousand_rows_in_pages() {
    let dir = TempDir::with_prefix("credentials-").expect("a folder");
    let rows: String = (0..THOUSANDS).map(|n| format!("realm{n}:user{n}:x\n")).collect();
    let text = format!("realm(string) username(string) password(string)\n{rows}");
    std::fs::write(dir.path().join(TABLE), text).expect("a file");
    let server = Server::b2b().module("db_text").b2b_param("db_url", format!("text://{}", dir.path().display()));
    let server = server.b2b_param("credentials_table", TABLE).b2b_param("min_resubscribe_time", 0);
    let server = server.b2b_param("on_error_retry_time", 100).route(TELL).start();
    of_thousands_each_realm_has_its_own(&server, THOUSANDS);
    server.stop();
}

/// Unusable rows are skipped; the log names each with the reason and without its secret.
#[test]
fn bad_rows_are_named_and_left_out() {
    let loose = format!("CREATE TABLE {TABLE} (realm, username, password);\n");
    let null = format!("INSERT INTO {TABLE} VALUES ('no name', NULL, 'swordfish');\n");
    let number = format!("INSERT INTO {TABLE} VALUES ('number', 4711, 815);\n");
    let many: String = (0..20).map(|n| row(&format!("many{n}"), "", "swordfish")).collect();
    let rows = [
        row("good", "u", "swordfish"),
        null,
        row("a colon", "u:v", "swordfish"),
        row("a hash", "u", "HA1:swordfish"),
        row("*", "u", "HA1:0123456789abcdef0123456789abcdef"),
        number,
        row("line\nend", "", "swordfish"),
        format!("INSERT INTO {TABLE} VALUES (NULL, 'everywhere', 'swordfish');\n"),
        many,
        row("last", "v", "swordfish"),
    ];
    let dir = sqlite(&(loose + &rows.concat()));
    let server = with(&url(dir.path())).start();
    let text = server.log().text();
    for line in [
        "row 2, of the realm \"no name\", is skipped: the user name is empty",
        "row 3, of the realm \"a colon\", is skipped: the user name",
        "row 4, of the realm \"a hash\", is skipped: HA1: must be followed by 32 or 64 hexadecimal digits",
        "row 5, of the realm \"*\", is skipped: a hash (HA1:) needs its own realm",
        "row 7, of the realm \"line\\nend\", is skipped",
        "row 8, of the realm \"\", is skipped: its realm is NULL",
        "presence_b2b_credentials: 26 rows of 29 are skipped",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert_eq!(server.log().since(Default::default(), "is skipped").len(), 10, "a long list is cut");
    assert!(!text.contains("swordfish"), "{:?}", text.lines().find(|line| line.contains("swordfish")));
    let notifier = Notifier::udp();
    for (realm, user) in [("good", "u"), ("number", "4711"), ("last", "v")] {
        let id = server.subscribe(&notifier.uri(realm), &server.uri("watcher"));
        let challenge = format!("Digest realm=\"{realm}\", nonce=\"n\"");
        notifier.reject(&notifier.expect_subscribe(SOON), 401, &[("WWW-Authenticate", &challenge)]);
        let second = notifier.expect_subscribe(SOON);
        assert!(second.need("Authorization").contains(&format!("username=\"{user}\"")), "{}", second.message);
        notifier.reject(&second, 403, &[]);
        server.show_when(id, "refused", |shown| shown["last_reply"] == 403);
        server.unsubscribe(id);
    }
    server.await_no_subscription();
    server.stop();
}

/// The most bad rows that the log names: one line for each, and no summary.
#[test]
fn ten_bad_rows_are_ten_lines() {
    let rows: String = (0..10).map(|n| row(&format!("bad{n}"), "", "x")).collect();
    let dir = sqlite(&(schema() + &rows));
    let server = with(&url(dir.path())).start();
    let lines = server.log().since(Default::default(), " skipped");
    assert!(lines.len() == 10 && lines[9].contains("row 10, of the realm \"bad9\""), "{lines:#?}");
    server.stop();
}

/// Columns of type BLOB are read as texts.
#[test]
fn columns_may_be_blobs() {
    let table = format!("CREATE TABLE {TABLE} (realm BLOB, username BLOB, password BLOB);\n");
    let dir = sqlite(&(table + &row("realm0", "user0", "x") + &row("realm1", "user1", "x")));
    let server = with(&url(dir.path())).start();
    of_thousands_each_realm_has_its_own(&server, 2);
    server.stop();
}

/// An error that prevents the start says what to do, and shows no password.
#[test]
fn what_cannot_be_read_keeps_the_server_from_starting() {
    let empty = sqlite("SELECT 1;");
    let other = sqlite(&format!("CREATE TABLE {TABLE} (realm, login, secret);"));
    let nowhere = "sqlite:////nowhere/at/all".to_owned();
    let cases = [
        (
            url(empty.path()),
            vec!["the columns realm, username, password of the table presence_b2b_credentials cannot be read"],
        ),
        (url(other.path()), vec!["cannot be read", "create the table"]),
        (nowhere, vec!["the database of db_url cannot be reached through db_sqlite"]),
        ("mysql://me:swordfish@localhost/x".to_owned(), vec!["db_url needs the module db_mysql: load it before"]),
        ("swordfish".to_owned(), vec!["db_url is no database URL"]),
        ("://swordfish".to_owned(), vec!["db_url is no database URL"]),
        (
            String::new(),
            vec!["modparam credentials_table is \"presence_b2b_credentials\", but db_url, its database, is not set"],
        ),
    ];
    for (url, parts) in cases {
        let log = with(&url).start_refused();
        for part in parts {
            assert!(log.contains(part), "{url}: {part} is not in {log}");
        }
        assert!(!log.contains("swordfish"), "{log}");
    }
    // A database without a table to read is a mistake.
    let log = Server::b2b().b2b_param("db_url", "mysql://me:swordfish@localhost/x").start_refused();
    assert!(log.contains("modparam db_url is set, but nothing uses it") && !log.contains("swordfish"), "{log}");
}

/// A reload takes the present rows; if the table cannot be read, the credentials stay as they are.
#[test]
fn a_reload_takes_the_credentials_of_that_moment() {
    let presence = PresenceServer::builder().credentials(GUARD).start();
    let alice = presence.uri("alice");
    presence.publish("alice", &pidf(&alice, "open", None));
    let dir = sqlite(&(schema() + &row("Other", "nobody", "x") + &row(GUARD.realm, GUARD.user, "wrong")));
    let server = with(&url(dir.path())).allow_log("db_sqlite").allow_log("db_do_").start();
    let id = server.subscribe(&alice, &server.uri("watcher"));
    let is_refused = |shown: &Value| shown["last_reason"] == "credentials rejected";
    server.show_when(id, "refused", is_refused);
    let right = format!("UPDATE {TABLE} SET password = '{}' WHERE realm = '{}';", GUARD.password, GUARD.realm);
    change(dir.path(), &(right + &format!("DELETE FROM {TABLE} WHERE realm = 'Other'; {}", row("bad", "", "x"))));
    let reload = || server.rpc("presence_b2b.reload", json!([]));
    let answer = reload().expect("the table can be read");
    assert_eq!((&answer["state"], &answer["credentials"], &answer["rows"]), (&json!("done"), &json!(1), &json!(0)));
    assert!(server.log().text().contains("row 2, of the realm \"bad\", is skipped"));
    let again = server.rpc("presence_b2b.credentials_reload", json!([])).expect("the table can be read");
    assert_eq!((&again["state"], &again["credentials"]), (&json!("done"), &json!(1)));
    server.refresh(id);
    server.show_when(id, "active", |shown| shown["status"] == "active" && shown["last_reply"] == 200);
    change(dir.path(), &format!("ALTER TABLE {TABLE} RENAME COLUMN password TO secret;"));
    let fault = reload().expect_err("a column is missing");
    assert!(fault.code == 500 && fault.message.starts_with("modparam credentials_table: the columns"), "{fault}");
    server.refresh(id);
    server.show_when(id, "still active", |shown| shown["local_cseq"].as_u64() > Some(4) && shown["last_reply"] == 200);
    assert!(!server.log().text().contains("swordfish"));
    assert_closed(&server, dir.path());
    server.stop();
    presence.stop();
}
