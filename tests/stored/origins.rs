//! Subscriptions of a table, of C modules, and those that end with something else.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ENDS, End, end, folder, no_row_stays, settled, stored, storing};
use crate::c_api;
use crate::provisioning::{self, TABLE, counts, read, row};
use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::database::{change, url};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};
use crate::support::watch::told;

const A_MOMENT: Duration = Duration::from_millis(500);

const WATCHER: &str = "sip:watcher@example.org";

#[test]
fn rows_of_a_table_stay_rows_of_the_table() {
    for how in ENDS {
        let (notifier, dir) = (Notifier::udp(), folder());
        let [a, b, c] = ["a", "b", "c"].map(|user| notifier.uri(user));
        let rows = [&a, &b].map(|record| row(record, "sip:lamp@x", "presence", "")).concat();
        change(dir.path(), &(provisioning::schema() + &rows));
        let with_table = || storing(dir.path()).b2b_param("provision_table", TABLE);
        let server = with_table().start();
        assert_eq!(counts(&read(&server)), [2, 0, 0, 0, 0, 0]);
        let mut dialogs: Vec<_> = (0..2)
            .map(|_| {
                let subscribe = notifier.expect_subscribe(SOON);
                (subscribe.uri().to_owned(), notifier.activate(&subscribe, 600))
            })
            .collect();
        dialogs.sort_by(|one, other| one.0.cmp(&other.0));
        eventually(SOON, "both rows", || (stored(dir.path(), "origin, state") == ["table|confirmed"; 2]).then_some(()));
        settled(&server);
        let ip = end(server, how);
        change(
            dir.path(),
            &format!("DELETE FROM {TABLE} WHERE record = '{b}'; {}", row(&c, "sip:lamp@x", "presence", "")),
        );
        let server = with_table().at(ip).start();
        assert_eq!(counts(&read(&server)), [1, 0, 1, 1, 0, 0]);
        let new = notifier.expect_subscribe(SOON);
        assert_eq!(new.uri(), c);
        let mut third = notifier.activate(&new, 600);
        farewell(&mut dialogs[1].1);
        assert!(dialogs[0].1.try_subscribe(A_MOMENT).is_none() && notifier.try_subscribe(A_MOMENT).is_none());
        let listed = server.rows("presence_b2b.list");
        assert!(listed.len() == 2 && listed.iter().all(|row| row["provisioned"] == 1), "{listed:?}");
        assert_eq!(dialogs[0].1.notify(Notify::active(600)).status(), 200);
        assert_eq!(third.notify(Notify::active(600)).status(), 200);
        server.stop();
    }
}

fn with_module(dir: &Path, adoption: i64) -> Builder {
    let server = c_api::builder(1000).module("db_sqlite").b2b_param("db_url", url(dir)).b2b_param("db_mode", 1);
    server.b2b_param("adoption_time", adoption)
}

fn subscribe(server: &Server, record: &str, options: &str) -> String {
    let id = c_api::call(server, "subscribe", json!(["presence", record, WATCHER, options]));
    id.as_str().expect("an id").to_owned()
}

fn pop(server: &Server) -> Value {
    eventually(SOON, "a message", || server.rpc("qsa_test.pop", json!([])).ok())
}

fn store(server: &Server, field: &str) -> Value {
    server.rpc("presence_b2b.store", json!([])).expect("an answer")[field].clone()
}

/// The same subscription gets the dialog of the earlier run; a refresh brings what it has to know.
#[test]
fn a_c_module_adopts_its_dialog() {
    for (options, how) in [("", End::Stopped), ("share", End::Killed), ("share", End::Stopped), ("", End::Killed)] {
        let (notifier, dir) = (Notifier::udp(), folder());
        let server = with_module(dir.path(), 60).start();
        let record = notifier.uri("alice");
        subscribe(&server, &record, options);
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(told(600, "one").with("SIP-ETag", "one")).status(), 200);
        pop(&server);
        let origin = if options == "share" { "shared|confirmed" } else { "module|confirmed" };
        eventually(SOON, "its row", || (stored(dir.path(), "origin, state") == [origin]).then_some(()));
        settled(&server);
        let server = with_module(dir.path(), 60).at(end(server, how)).start();
        assert_eq!(store(&server, "orphans"), 1);
        // While it waits it is alive.
        assert_eq!(dialog.notify(told(600, "two")).status(), 200);
        let id = subscribe(&server, &record, options);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.header("Suppress-If-Match"), None, "{}", refresh.message);
        dialog.accept(&refresh, 600);
        assert_eq!(dialog.notify(told(600, "three")).status(), 200);
        let news = pop(&server);
        assert_eq!((&news["id"], &news["status"]), (&json!(id), &json!("active")), "{news}");
        assert_eq!(news["presentity"]["tuples"][0]["notes"][0]["text"], "three", "{news}");
        assert_eq!(store(&server, "orphans"), 0);
        assert!(notifier.try_subscribe(Duration::from_millis(100)).is_none(), "no other dialog");
        // Another one with other options has a dialog of its own.
        let other = subscribe(&server, &record, "expires=77");
        let second = notifier.expect_subscribe(SOON);
        c_api::call(&server, "unsubscribe", json!([other]));
        notifier.reject(&second, 489, &[]);
        // The adopted one is stored as its module's again.
        eventually(SOON, "its row", || (stored(dir.path(), "origin, state") == [origin]).then_some(()));
        c_api::call(&server, "unsubscribe", json!([id]));
        farewell(&mut dialog);
        server.await_no_subscription();
        no_row_stays(dir.path());
        server.stop();
    }
}

/// Options that are longer as the module writes them than a C module may give them.
#[test]
fn long_options_of_a_c_module_are_stored() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = with_module(dir.path(), 60).start();
    let record = notifier.uri("alice");
    let path = "\\".repeat(1019);
    let options = format!("header=X: {path}");
    subscribe(&server, &record, &options);
    let first = notifier.expect_subscribe(SOON);
    assert_eq!(first.header("X"), Some(path.as_str()));
    let mut dialog = notifier.activate(&first, 600);
    pop(&server);
    let row = "length(options) > 2048, origin, state";
    eventually(SOON, "its row", || (stored(dir.path(), row) == ["1|module|confirmed"]).then_some(()));
    settled(&server);
    let server = with_module(dir.path(), 60).at(end(server, End::Killed)).start();
    assert_eq!(store(&server, "orphans"), 1);
    let id = subscribe(&server, &record, &options);
    assert_eq!(store(&server, "orphans"), 0);
    let refresh = dialog.expect_subscribe(SOON);
    assert_eq!(refresh.header("X"), Some(path.as_str()));
    dialog.accept(&refresh, 600);
    c_api::call(&server, "unsubscribe", json!([id]));
    farewell(&mut dialog);
    server.await_no_subscription();
    no_row_stays(dir.path());
    server.stop();
}

/// A stop that ends all ends those too that nobody has adopted yet.
#[test]
fn a_stop_ends_what_waits_for_its_module() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = with_module(dir.path(), 60).start();
    subscribe(&server, &notifier.uri("alice"), "");
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    pop(&server);
    let ip = end(server, End::Stopped);
    let server = with_module(dir.path(), 60).b2b_param("on_shutdown", "unsubscribe").at(ip).start();
    let ip = end(server, End::Stopped);
    let first = dialog.expect_subscribe(SOON);
    assert_eq!(first.header("Expires"), Some("0"));
    assert_eq!(stored(dir.path(), "state"), ["ending"]);
    let server = with_module(dir.path(), 60).at(ip).start();
    farewell(&mut dialog);
    server.await_no_subscription();
    no_row_stays(dir.path());
    server.stop();
}

/// Its module does not come: it is ended when the time is over.
#[test]
fn nobody_adopts_and_it_ends() {
    for options in ["", "share"] {
        let (notifier, dir) = (Notifier::udp(), folder());
        let server = with_module(dir.path(), 60).start();
        subscribe(&server, &notifier.uri("alice"), options);
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        pop(&server);
        let ip = end(server, End::Stopped);
        // Twice: it is still the module's if nobody had the time.
        let server = with_module(dir.path(), 60).at(ip).start();
        assert_eq!(store(&server, "orphans"), 1);
        let ip = end(server, End::Stopped);
        let server = storing(dir.path()).b2b_param("adoption_time", 2).at(ip).start();
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        farewell(&mut dialog);
        server.await_no_subscription();
        no_row_stays(dir.path());
        server.stop();
    }
}
