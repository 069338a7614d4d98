//! Subscriptions that outlive the server.

mod crashes;
mod forks;
mod hangs;
mod moments;
mod origins;
mod read_only;
mod refusals;
mod states;
mod stops;
mod users;

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::support::config::Builder;
use crate::support::database::{change, rows, url};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};

/// A server that stores its subscriptions in this folder.
pub fn storing(dir: &Path) -> Builder {
    Server::eager(100).module("db_sqlite").b2b_param("db_url", url(dir)).b2b_param("db_mode", 1)
}

/// The same at the address of one that has been stopped.
pub fn again(dir: &Path, ip: Ipv4Addr) -> Server {
    storing(dir).at(ip).start()
}

pub fn folder() -> TempDir {
    TempDir::with_prefix("stored-").expect("a folder")
}

/// Waits until nothing waits to be written.
pub fn settled(server: &Server) {
    eventually(SOON, "all is written", || {
        let store = server.rpc("presence_b2b.store", json!([])).expect("an answer");
        (store["waiting"] == 0 && store["lag_ms"] == 0 && store["state"] == "good").then_some(())
    });
}

/// How a run of the server ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// In order.
    Stopped,
    /// As if the power had failed.
    Killed,
}

/// Both ways.
pub const ENDS: [End; 2] = [End::Stopped, End::Killed];

/// Ends a run of the server; its address.
pub fn end(server: Server, how: End) -> Ipv4Addr {
    let ip = server.ip();
    match how {
        End::Stopped => server.stop(),
        End::Killed => {
            server.signal_all(libc::SIGKILL);
            server.ends(SOON, |_| String::new()).expect("all have ended");
        }
    }
    ip
}

/// The rows that there are: whatever this asks for.
pub fn stored(dir: &Path, what: &str) -> Vec<String> {
    rows(dir, &format!("SELECT {what} FROM presence_b2b_subscriptions ORDER BY id"))
}

/// Waits until there is no row left.
pub fn no_row_stays(dir: &Path) {
    eventually(SOON, "no row is left", || stored(dir, "*").is_empty().then_some(()));
}

#[test]
fn a_restart_goes_on_in_the_same_dialog() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.activate(&first, 600);
    let before = server.await_shown(id, "state", "confirmed");
    let ip = server.ip();
    server.stop();

    let server = again(dir.path(), ip);
    let after = server.show(id);
    for name in
        ["record", "subscriber", "package", "state", "status", "call_id", "local_tag", "remote_tag", "remote_target"]
    {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!(server.rpc("presence_b2b.store", json!([])).expect("an answer")["restored"], 1);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
    server.refresh(id);
    let refresh = dialog.expect_subscribe(SOON);
    assert_eq!(refresh.header("Call-ID"), first.header("Call-ID"));
    assert!(refresh.cseq().0 > first.cseq().0 + 60, "{:?}", refresh.cseq());
    dialog.accept(&refresh, 600);
    server.end(id, &mut dialog);
    settled(&server);
    server.stop();

    let server = again(dir.path(), ip);
    assert_eq!(server.trace()["subscriptions"], 0);
    server.stop();
}

/// Whoever tidies up the tables by hand harms nothing.
#[test]
fn the_row_of_the_server_is_written_again() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    change(dir.path(), "DELETE FROM presence_b2b_nodes;\n");
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let _dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "state", "confirmed");
    settled(&server);
    let ip = server.ip();
    server.stop();
    let server = again(dir.path(), ip);
    assert_eq!(server.show(id)["state"], "confirmed");
    server.stop();
}

/// A second server with the same rows: the first one says so, and changes nothing any more.
#[test]
fn an_earlier_run_changes_nothing() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let first =
        storing(dir.path()).allow_log("another server has begun to use the subscriptions of this database").start();
    let id = first.subscribe(&notifier.uri("alice"), &first.uri("watcher"));
    let _dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    first.await_shown(id, "state", "confirmed");
    settled(&first);
    let second = storing(dir.path()).start();
    assert_eq!(second.show(id)["state"], "confirmed");
    first.subscribe(&notifier.uri("bob"), &first.uri("watcher"));
    eventually(SOON, "the first server says so", || {
        let store = first.rpc("presence_b2b.store", json!([])).expect("an answer");
        (store["state"] == "away" && store["reason"].as_str().is_some_and(|why| why.contains("another server")))
            .then_some(())
    });
    // It goes on all the same.
    let _other = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    second.stop();
    first.stop();
}
