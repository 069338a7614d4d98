//! A database of SQLite on a disk that cannot be written to.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{settled, storing};
use crate::chaos::{names, one_of, send_signal, stop};
use crate::chaos_store::disk::Disk;
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::notifier::Notifier;
use crate::support::wait::{SOON, eventually};

/// Under load: the module says every 5 seconds that it is there.
const A_WHILE: Duration = Duration::from_secs(30);

fn disk() -> Option<Disk> {
    let disk = Disk::small(16);
    if disk.is_none() {
        eprintln!("NOT TRIED: nothing can be mounted here");
    }
    disk
}

/// A server whose database is on this disk.
fn on(disk: &Disk) -> Builder {
    let enter = disk.enter();
    let words: Vec<&str> = enter.iter().map(String::as_str).collect();
    storing(disk.path()).under(&words)
}

#[test]
fn a_server_with_a_read_only_database_does_not_start() {
    let Some(disk) = disk() else { return };
    on(&disk).start().stop();
    eventually(SOON, "it is read-only", || remount(&disk, "ro").then_some(()));
    let log = on(&disk).start_refused();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("ERROR: presence_b2b ")).collect();
    assert!(lines.len() == 1 && lines[0].contains("the database of db_url refuses to write"), "{log}");
    assert!(remount(&disk, "rw"));
    on(&disk).start().stop();
}

/// A program that sees the disk.
fn program(disk: &Disk, name: &str) -> Command {
    let mut words = disk.enter().into_iter();
    let mut command = Command::new(words.next().expect("a word"));
    command.args(words).arg(name);
    command
}

/// Whether it has become read-only (`ro`) or writable (`rw`): not while somebody may write to a file of it.
fn remount(disk: &Disk, how: &str) -> bool {
    let mut mount = program(disk, "mount");
    mount.args(["-o", &format!("remount,{how}")]).arg(disk.path()).stderr(Stdio::null());
    mount.status().is_ok_and(|status| status.success())
}

/// Runs SQL in the database on the disk.
fn rows(disk: &Disk, sql: &str) -> Vec<String> {
    let mut sqlite = program(disk, "sqlite3");
    sqlite.args(["-bail", "-cmd", ".timeout 5000"]).arg(disk.path().join("db")).arg(sql);
    let output = sqlite.output().expect("nsenter can be executed");
    assert!(output.status.success(), "{sql}: {output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Whether a process has the database open.
fn has_open(pid: u32) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("our own process");
    let is_database = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("db"));
    files.filter_map(|file| fs::read_link(file.ok()?.path()).ok()).any(|path| is_database(&path))
}

/// No file system becomes read-only while a file is open to be written to. Without its table, the module closes the database; it is stopped
/// until the table is there again and the disk is read-only.
fn becomes_read_only(server: &Server, disk: &Disk) {
    let store = one_of(&names(server), "presence_b2b store");
    rows(disk, "ALTER TABLE presence_b2b_nodes RENAME TO aside");
    eventually(A_WHILE, "the database is closed", || {
        stop(store);
        if has_open(store) {
            send_signal(store, libc::SIGCONT);
        }
        (!has_open(store)).then_some(())
    });
    rows(disk, "ALTER TABLE aside RENAME TO presence_b2b_nodes");
    eventually(SOON, "it is read-only", || remount(disk, "ro").then_some(()));
    send_signal(store, libc::SIGCONT);
}

fn store(server: &Server) -> Value {
    server.rpc("presence_b2b.store", json!([])).expect("an answer")
}

#[test]
fn what_a_read_only_disk_refuses_is_written_later() {
    let Some(disk) = disk() else { return };
    let (notifier, said) = (Notifier::udp(), "Subscriptions go on; what changes waits in memory");
    let server = on(&disk).allow_log(": db_sqlite ").allow_log("db_do_raw_query").allow_log(said).start();
    let mark = server.log().mark();
    becomes_read_only(&server, &disk);
    let subscribe = |user| {
        server.subscribe(&notifier.uri(user), &server.uri("watcher"));
        notifier.activate(&notifier.expect_subscribe(SOON), 600)
    };
    let _first = subscribe("alice");
    let is_away = |failures: u64| {
        let store = store(&server);
        let is_refused = store["reason"].as_str().is_some_and(|reason| reason.contains("refuses to write"));
        (store["state"] == "away" && is_refused && store["failures"].as_u64() > Some(failures)).then_some(store)
    };
    let away = eventually(A_WHILE, "it is away", || is_away(0));
    let _second = subscribe("bob");
    let failures = away["failures"].as_u64().expect("a number");
    let away = eventually(A_WHILE, "it is tried again", || is_away(failures + 1));
    assert_eq!(away["waiting"], 2);
    assert_eq!(server.log().since(mark, said).len(), 1);
    assert!(remount(&disk, "rw"));
    settled(&server);
    assert_eq!(rows(&disk, "SELECT state FROM presence_b2b_subscriptions"), ["confirmed"; 2]);
    assert_eq!(server.log().since(mark, "the database takes the subscriptions again").len(), 1);
    assert_eq!(server.log().since(mark, said).len(), 1);
    server.stop();
}
