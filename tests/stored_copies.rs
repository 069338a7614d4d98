//! Copies of the database of subscriptions: the commands of docs/operations.md are run as they are there.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::documentation::{blocks, blocks_in, section, text_of};
use crate::stored::{again, folder, settled, storing};
use crate::support::config::Builder;
use crate::support::database::rows;
use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier};
use crate::support::postgres::Postgres;
use crate::support::server_user::{ids_of, is_root};
use crate::support::wait::{SOON, eventually};

const FILE: &str = "/var/lib/kamailio/presence_b2b/subscriptions.db";
const BACKUPS: &str = "/var/backups";

/// The commands below this heading of the page, with this word in them.
fn commands(heading: &str, word: &str) -> Vec<String> {
    let page = text_of("docs/operations.md");
    let (_, rest) =
        section(&page, "The database of subscriptions").split_once(&format!("### {heading}\n")).expect(heading);
    let part = rest.split("\n### ").next().expect("a part");
    let shell = blocks(part).into_iter().filter(|block| block.language == "sh" && block.text.contains(word));
    shell.map(|block| block.text).collect()
}

/// Runs commands of the page with the test's own places.
fn run(commands: &str, dir: &Path, postgres: Option<&Postgres>) {
    let user = fs::metadata(dir).map(|folder| folder.uid()).expect("a folder");
    let script = commands.replace(FILE, &dir.join("db").display().to_string());
    let script =
        script.replace(BACKUPS, &dir.display().to_string()).replace("chown kamailio:", &format!("chown {user}"));
    let script = script.replace(" kamailio\n", " postgres\n").replace(" kamailio >", " postgres >");
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &script]).env("PGUSER", "b2b");
    if let Some(postgres) = postgres {
        shell.env("PGHOST", postgres.ip().to_string());
    }
    let output = shell.output().expect("sh can be executed");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{script}\n{said}");
}

/// A server with one subscription, in its dialog.
fn subscribed(server: &Server, notifier: &Notifier, dir: &Path) -> (u64, Dialog, Received) {
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    let dialog = notifier.activate(&first, 600);
    server.await_shown(id, "state", "confirmed");
    eventually(SOON, "its row says so", || {
        (rows(dir, "SELECT state FROM presence_b2b_subscriptions") == ["confirmed"]).then_some(())
    });
    (id, dialog, first)
}

/// The next refresh, accepted.
fn refresh(server: &Server, id: u64, dialog: &mut Dialog) -> Received {
    server.refresh(id);
    let refresh = dialog.expect_subscribe(SOON);
    dialog.accept(&refresh, 600);
    settled(server);
    refresh
}

/// It goes on in the dialog of `first`, behind the CSeq of `last`.
fn goes_on(server: &Server, id: u64, dialog: &mut Dialog, first: &Received, last: &Received) {
    let next = refresh(server, id, dialog);
    assert_eq!(next.header("Call-ID"), first.header("Call-ID"));
    assert!(next.cseq().0 > last.cseq().0, "{:?} after {:?}", next.cseq(), last.cseq());
}

/// The folder that the README makes is the server's.
#[test]
fn the_folder_of_the_readme_is_made() {
    let parent = folder();
    let made = parent.path().join("presence_b2b");
    let commands = blocks_in("README.md", "sh").concat();
    let line = commands.lines().find(|line| line.starts_with("sudo install -d ")).expect("the command");
    let line = line.trim_start_matches("sudo ").replace("/var/lib/kamailio/presence_b2b", &made.display().to_string());
    // Nobody but root can give it away.
    let line = if is_root() { line } else { line.replace("-o kamailio -g kamailio", "") };
    run(&line, parent.path(), None);
    let folder = fs::metadata(&made).expect("a folder");
    assert_eq!(folder.mode() & 0o777, 0o750);
    assert!(!is_root() || folder.uid() == ids_of("kamailio").0, "{}", folder.uid());
}

#[test]
fn an_old_backup_of_sqlite_moves_no_cseq_back() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let (id, mut dialog, first) = subscribed(&server, &notifier, dir.path());
    let [backup, restore] = <[String; 2]>::try_from(commands("Backup and restore", "subscriptions.db")).expect("two");
    run(&backup, dir.path(), None);
    let ip = server.ip();
    refresh(&server, id, &mut dialog);
    let last = refresh(&server, id, &mut dialog);
    server.stop();

    run(&restore, dir.path(), None);
    let server = again(dir.path(), ip);
    goes_on(&server, id, &mut dialog, &first, &last);
    server.end(id, &mut dialog);
    server.stop();
}

/// A server that stores its subscriptions in PostgreSQL.
fn on(postgres: &Postgres, ip: Ipv4Addr) -> Builder {
    let server = Server::eager(100).module("db_postgres").modparam("db_postgres", "timeout", 2);
    server.b2b_param("db_url", postgres.url()).b2b_param("db_mode", 1).at(ip)
}

#[test]
fn subscriptions_move_to_postgresql_and_come_back_from_its_backup() {
    let (notifier, dir, postgres) = (Notifier::udp(), folder(), Postgres::start());
    postgres.run(&text_of("docs/schema/postgres/presence_b2b-create.sql"));
    let server = storing(dir.path()).start();
    let (id, mut dialog, first) = subscribed(&server, &notifier, dir.path());
    let ip = server.ip();
    server.stop();

    let [copy] = <[String; 1]>::try_from(commands("From SQLite to PostgreSQL", "COPY")).expect("one");
    run(&copy, dir.path(), Some(&postgres));
    let server = on(&postgres, ip).start();
    goes_on(&server, id, &mut dialog, &first, &first);
    let [backup] = <[String; 1]>::try_from(commands("Backup and restore", "pg_dump")).expect("one");
    run(&backup, dir.path(), Some(&postgres));
    let last = refresh(&server, id, &mut dialog);
    server.stop();

    let [restore] = <[String; 1]>::try_from(commands("Backup and restore", "psql")).expect("one");
    run(&restore, dir.path(), Some(&postgres));
    let server = on(&postgres, ip).start();
    goes_on(&server, id, &mut dialog, &first, &last);
    server.end(id, &mut dialog);
    server.stop();
}
