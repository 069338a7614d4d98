//! Other dialogs of a forked SUBSCRIBE.

use std::path::Path;

use serde_json::{Value, json};

use super::{ENDS, End, again, end, folder, no_row_stays, settled, stored, storing};
use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::database::change;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::wait::{SOON, eventually};

fn forking(dir: &Path) -> Builder {
    storing(dir).b2b_param("forking", "all")
}

/// The subscription and its forks, by number.
fn list(server: &Server) -> Vec<Value> {
    let mut all = server.rows("presence_b2b.list");
    all.sort_by_key(|row| row["fork"].as_u64());
    all
}

/// A subscription to three notifiers.
fn forked(server: &Server, notifiers: &[Notifier; 3]) -> (u64, [Dialog; 3]) {
    let id = server.subscribe(&notifiers[0].uri("alice"), &server.uri("watcher"));
    let subscribe = notifiers[0].expect_subscribe(SOON);
    let mut dialogs = notifiers.each_ref().map(|notifier| notifier.dialog(&subscribe));
    for dialog in &mut dialogs {
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
    }
    dialogs[0].accept(&subscribe, 600);
    server.await_shown(id, "state", "confirmed");
    (id, dialogs)
}

#[test]
fn each_dialog_goes_on_and_all_end_together() {
    for how in ENDS {
        let (notifiers, dir) = ([(); 3].map(|()| Notifier::udp()), folder());
        let server = forking(dir.path()).start();
        let (id, mut dialogs) = forked(&server, &notifiers);
        settled(&server);
        let before = list(&server);
        let server = forking(dir.path()).at(end(server, how)).start();
        let after = list(&server);
        for name in ["id", "fork", "fork_of", "state", "status", "remote_tag"] {
            let of = |rows: &[Value]| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
            assert_eq!(of(&before), of(&after), "{name}");
        }
        for (dialog, row) in dialogs.iter_mut().zip(&after) {
            assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
            server.refresh(row["id"].as_u64().expect("a number"));
            let refresh = dialog.expect_subscribe(SOON);
            dialog.accept(&refresh, 600);
        }
        eventually(SOON, "all are refreshed", || {
            list(&server).iter().all(|row| row["state"] == "confirmed").then_some(())
        });
        server.unsubscribe(id);
        dialogs.iter_mut().for_each(farewell);
        server.await_no_subscription();
        no_row_stays(dir.path());
        server.stop();
    }
}

/// A fork's row may come before that of its subscription: where the subscription was opened again, or in a database without order.
#[test]
fn the_order_of_the_rows_does_not_matter() {
    let (notifiers, dir) = ([(); 3].map(|()| Notifier::udp()), folder());
    let server = forking(dir.path()).start();
    let (_, mut dialogs) = forked(&server, &notifiers);
    let ip = end(server, End::Stopped);
    // The first fork gets a number before all others.
    change(
        dir.path(),
        "UPDATE presence_b2b_subscriptions SET id = id & 4294967295 | 65536 << 32 WHERE fork = 0;
         UPDATE presence_b2b_subscriptions SET root = (SELECT id FROM presence_b2b_subscriptions WHERE fork = 0) WHERE fork > 0;",
    );
    assert_eq!(stored(dir.path(), "fork"), ["1", "2", "0"]);
    let server = forking(dir.path()).at(ip).start();
    let rows = list(&server);
    assert_eq!(rows.len(), 3);
    assert_eq!(server.rpc("presence_b2b.store", json!([])).expect("an answer")["skipped"], 0);
    let id = rows[0]["id"].as_u64().expect("a number");
    assert_eq!((&rows[1]["fork_of"], &rows[2]["fork_of"]), (&json!(id), &json!(id)));
    server.unsubscribe(id);
    dialogs.iter_mut().for_each(farewell);
    server.await_no_subscription();
    no_row_stays(dir.path());
    server.stop();
}

/// Its subscription ends, and the server is killed before the notifier of the fork has been told.
#[test]
fn a_fork_of_one_that_has_gone_ends() {
    let (notifiers, dir) = ([(); 3].map(|()| Notifier::udp()), folder());
    let server = forking(dir.path()).start();
    let (id, mut dialogs) = forked(&server, &notifiers);
    server.unsubscribe(id);
    // One of three is told before.
    farewell(&mut dialogs[0]);
    eventually(SOON, "two rows", || (stored(dir.path(), "state") == ["ending"; 2]).then_some(()));
    let server = forking(dir.path()).at(end(server, End::Killed)).start();
    for dialog in &mut dialogs[1..] {
        // The first SUBSCRIBE of each came before the crash.
        let (first, last) = (dialog.expect_subscribe(SOON), dialog.expect_subscribe(SOON));
        assert!(first.header("Expires") == Some("0") && last.header("Expires") == Some("0"));
        assert!(first.cseq().0 < last.cseq().0);
        dialog.accept(&last, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    }
    server.await_no_subscription();
    no_row_stays(dir.path());
    server.stop();
}

/// The parameter says something else now.
#[test]
fn forks_that_are_not_wanted_any_more_end() {
    let (notifiers, dir) = ([(); 3].map(|()| Notifier::udp()), folder());
    let server = forking(dir.path()).start();
    let (id, mut dialogs) = forked(&server, &notifiers);
    let server = again(dir.path(), end(server, End::Stopped));
    let there = list(&server).len();
    server.unsubscribe(id);
    dialogs.iter_mut().take(there).for_each(farewell);
    server.await_no_subscription();
    assert_eq!(there, 3, "they live as long as their subscription");
    server.stop();
}
