//! States at hand, and states of the presence server beside.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{ENDS, End, end, folder, no_row_stays, settled, stored};
use crate::states_at_hand::{ROUTE, state};
use crate::support::config::Builder;
use crate::support::database::{change, url};
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::route::after_notifies;
use crate::support::wait::SOON;

fn keeping(dir: &Path) -> Builder {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).b2b_param("on_error_retry_time", 600);
    let server = server.module("db_sqlite").b2b_param("db_url", url(dir)).b2b_param("db_mode", 1);
    server.route(&after_notifies(ROUTE)).route(TELL)
}

fn subscribe(server: &Server, record: &str, options: &str) -> u64 {
    let params = json!([record, server.uri("watcher"), "presence", options]);
    server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a number")
}

fn open(record: &str, note: &str) -> Notify {
    Notify::active(600).pidf(&pidf(record, "open", Some(note))).with("SIP-ETag", "one")
}

/// Nothing is told of the state before, until the notifier has said what it is now: a refresh asks for all of it.
#[test]
fn a_state_at_hand_is_asked_for_again() {
    for (options, how) in [("keep", End::Stopped), ("merged", End::Killed)] {
        let (notifier, dir) = (Notifier::udp(), folder());
        let server = keeping(dir.path()).start();
        let record = notifier.uri("alice");
        let id = subscribe(&server, &record, options);
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(open(&record, "old")).status(), 200);
        server.await_shown(id, "state", "confirmed");
        crate::support::wait::eventually(SOON, "it is kept", || {
            state(&server, &record).contains("open/old").then_some(())
        });
        settled(&server);
        let server = keeping(dir.path()).at(end(server, how)).start();
        let before = state(&server, &record);
        assert!(!before.contains("old") && !before.contains("open"), "{before}");
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.header("Suppress-If-Match"), None, "{}", refresh.message);
        dialog.accept(&refresh, 600);
        assert_eq!(dialog.notify(open(&record, "new")).status(), 200);
        crate::support::wait::eventually(SOON, "it is new", || {
            state(&server, &record).contains("open/new").then_some(())
        });
        server.end(id, &mut dialog);
        no_row_stays(dir.path());
        server.stop();
    }
}

/// Others are refreshed when they would have been, and only what has changed is asked for.
#[test]
fn a_refresh_is_conditional_where_the_notifier_gives_tags() {
    for how in ENDS {
        let (notifier, dir) = (Notifier::udp(), folder());
        let server = keeping(dir.path()).start();
        let record = notifier.uri("alice");
        let id = subscribe(&server, &record, "");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(open(&record, "old")).status(), 200);
        server.await_shown(id, "state", "confirmed");
        std::thread::sleep(Duration::from_millis(200));
        settled(&server);
        let server = keeping(dir.path()).at(end(server, how)).start();
        assert!(dialog.try_subscribe(Duration::from_millis(300)).is_none());
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.header("Suppress-If-Match"), Some("one"), "{}", refresh.message);
        dialog.answer(&refresh, 204, &[("Expires", "600")]);
        server.await_shown(id, "state", "confirmed");
        server.end(id, &mut dialog);
        no_row_stays(dir.path());
        server.stop();
    }
}

/// A document that changes another one, which the next run does not have.
#[test]
fn a_partial_document_after_a_gap_asks_for_the_whole() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = keeping(dir.path()).start();
    let params = json!([notifier.uri("alice"), server.uri("watcher"), "dialog", ""]);
    let id = server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a number");
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    let document = |version: u32, state: &str| {
        let text = format!(
            "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
             state=\"{state}\" entity=\"sip:alice@example.com\"><dialog id=\"a\"><state>early</state></dialog></dialog-info>\n"
        );
        Notify::active(600).body("application/dialog-info+xml", text)
    };
    assert_eq!(dialog.notify(document(0, "full")).status(), 200);
    assert_eq!(dialog.notify(document(1, "partial")).status(), 200);
    server.await_shown(id, "state", "confirmed");
    std::thread::sleep(Duration::from_millis(1300));
    assert_eq!(stored(dir.path(), "version"), ["1"]);
    let server = keeping(dir.path()).at(end(server, End::Killed)).start();
    // The next one is in order, the one after it is not.
    assert_eq!(dialog.notify(document(2, "partial")).status(), 200);
    assert!(dialog.try_subscribe(Duration::from_millis(200)).is_none(), "nothing is missing");
    assert_eq!(dialog.notify(document(4, "partial")).status(), 200);
    let refresh = dialog.expect_subscribe(SOON);
    dialog.accept(&refresh, 600);
    server.await_shown(id, "state", "confirmed");
    server.end(id, &mut dialog);
    no_row_stays(dir.path());
    server.stop();
}

/// An old row of the node, as after a long time without the server: `keep` or not, all ask.
#[test]
fn a_conditional_refresh_comes_soon_after_a_long_time() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = keeping(dir.path()).start();
    let record = notifier.uri("alice");
    let id = subscribe(&server, &record, "");
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    assert_eq!(dialog.notify(open(&record, "old")).status(), 200);
    server.await_shown(id, "state", "confirmed");
    let ip = end(server, End::Stopped);
    change(dir.path(), "UPDATE presence_b2b_nodes SET seen = seen - 40000, stopped = stopped - 40000");
    let server = keeping(dir.path()).at(ip).start();
    let refresh = dialog.expect_subscribe(SOON);
    assert_eq!(refresh.header("Suppress-If-Match"), Some("one"), "{}", refresh.message);
    dialog.answer(&refresh, 204, &[("Expires", "600")]);
    server.await_shown(id, "state", "confirmed");
    server.end(id, &mut dialog);
    server.stop();
}
