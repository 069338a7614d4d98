//! The server is killed at the worst moments.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{End, again, end, folder, no_row_stays, settled, stored, storing};
use crate::support::b2b::farewell;
use crate::support::database::change;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};
use crate::support::watch::told;

const A_MOMENT: Duration = Duration::from_millis(500);

/// Its row says so.
fn await_row(dir: &Path, state: &str) {
    eventually(SOON, state, || (stored(dir, "state") == [state]).then_some(()));
}

fn killed(server: Server) -> std::net::Ipv4Addr {
    end(server, End::Killed)
}

/// The first SUBSCRIBE has left, and nothing has come of it: the attempt goes on, and the notifier knows it for the same.
#[test]
fn the_first_subscribe_goes_on_as_the_same_attempt() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    let server = again(dir.path(), killed(server));
    let second = notifier.expect_subscribe(SOON);
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.param("From", "tag"), first.param("From", "tag"));
    assert!(second.cseq().0 > first.cseq().0, "{:?}", second.cseq());
    let mut dialog = notifier.activate(&second, 600);
    server.await_shown(id, "state", "confirmed");
    assert_eq!(server.trace()["subscriptions"], 1);
    server.end(id, &mut dialog);
    server.stop();
    no_row_stays(dir.path());
}

/// The notifier has made the dialog, and its NOTIFY is the first packet that the next run gets.
#[test]
fn its_notify_after_the_crash_makes_the_dialog() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.dialog(&first);
    let ip = killed(server);
    let notify = dialog.build(told(600, "first"));
    // As its timer would.
    let (endpoint, hop) = (std::sync::Arc::clone(&notifier.endpoint), dialog.next_hop);
    let server = storing(dir.path()).at(ip);
    let again = notify.clone();
    let sending = std::thread::spawn(move || {
        (0..100).any(|_| {
            endpoint.send(&again, hop);
            endpoint.final_response(&again, Duration::from_millis(50)).is_some_and(|answer| answer.status() == 200)
        })
    });
    let server = server.start();
    assert!(sending.join().expect("it ends"), "the NOTIFY is answered");
    let shown = server.await_shown(id, "status", "active");
    assert_eq!(shown["call_id"], dialog.call_id);
    assert_eq!(shown["remote_tag"], dialog.local_tag);
    // The SUBSCRIBE is not sent again.
    notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
    server.show_when(id, "the 2xx is not waited for", |shown| shown["state"] == "confirmed");
    assert!(notifier.try_subscribe(Duration::from_millis(50)).is_none());
    server.end(id, &mut dialog);
    server.stop();
    no_row_stays(dir.path());
}

/// The NOTIFY that has made the dialog is answered, and the server is killed before its row says so: the notifier gets the same SUBSCRIBE again.
/// The dialog that nobody knows ends with its next NOTIFY.
#[test]
fn a_dialog_that_no_row_knows_ends_with_its_next_notify() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    let before = dir.path().join("before");
    change(dir.path(), &format!("VACUUM INTO '{}';", before.display()));
    let mut unknown = notifier.activate(&first, 600);
    server.await_shown(id, "state", "confirmed");
    let ip = killed(server);
    // The row is as it was before the NOTIFY.
    for name in ["db-wal", "db-shm"] {
        let _ = fs::remove_file(dir.path().join(name));
    }
    fs::rename(&before, dir.path().join("db")).expect("the older rows");
    let server = again(dir.path(), ip);
    let second = notifier.expect_subscribe(SOON);
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert!(second.param("To", "tag").is_none() && second.cseq().0 > first.cseq().0, "{second:?}");
    let mut dialog = notifier.activate(&second, 600);
    server.await_shown(id, "state", "confirmed");
    assert_eq!(unknown.notify(Notify::active(600)).status(), 481, "so it ends (RFC 6665 §4.2.2)");
    assert_eq!(dialog.notify(told(600, "news")).status(), 200);
    assert_eq!(server.trace()["subscriptions"], 1);
    server.end(id, &mut dialog);
    server.stop();
    no_row_stays(dir.path());
}

/// The NOTIFY has been taken, and its row may be older.
#[test]
fn a_notify_that_was_taken_is_taken_again() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "state", "confirmed");
    settled(&server);
    let notify = dialog.build(told(600, "second"));
    let answer = dialog.endpoint().exchange(&notify, dialog.next_hop, SOON);
    assert_eq!(answer.status(), 200);
    let server = again(dir.path(), killed(server));
    // It is new to the row, or a repetition: 200 both times.
    let answer = dialog.endpoint().exchange(&notify, dialog.next_hop, SOON);
    assert_eq!(answer.status(), 200, "{}", answer.message);
    assert_eq!(dialog.notify(told(600, "third")).status(), 200);
    server.await_shown(id, "remote_cseq", dialog.cseq);
    server.end(id, &mut dialog);
    server.stop();
    no_row_stays(dir.path());
}

/// A refresh is in flight: the next run sends another one, with a larger CSeq, in the same dialog.
#[test]
fn a_refresh_in_flight_is_sent_again() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.refresh(id);
    let lost = dialog.expect_subscribe(SOON);
    let server = again(dir.path(), killed(server));
    let shown = server.show(id);
    assert!(shown["status"] == "active" && shown["call_id"] == dialog.call_id, "{shown}");
    let refresh = match dialog.try_subscribe(Duration::from_secs(12)) {
        Some(refresh) => refresh,
        None => {
            // The row was older: its refresh is due later.
            server.refresh(id);
            dialog.expect_subscribe(SOON)
        }
    };
    assert!(refresh.cseq().0 > lost.cseq().0);
    dialog.accept(&refresh, 600);
    server.await_shown(id, "state", "confirmed");
    server.end(id, &mut dialog);
    server.stop();
    no_row_stays(dir.path());
}

/// The subscriber has gone, and the notifier has not been told, or has not answered.
#[test]
fn an_end_is_brought_to_its_end() {
    for answered in [false, true] {
        let (notifier, dir) = (Notifier::udp(), folder());
        let server = storing(dir.path()).start();
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        server.await_shown(id, "state", "confirmed");
        server.unsubscribe(id);
        let lost = dialog.expect_subscribe(SOON);
        assert_eq!(lost.header("Expires"), Some("0"));
        if answered {
            dialog.accept(&lost, 0);
            server.await_shown(id, "state", "waiting_for_termination");
        }
        await_row(dir.path(), "ending");
        settled(&server);
        let server = again(dir.path(), killed(server));
        if answered {
            assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
        } else {
            farewell(&mut dialog);
        }
        server.await_no_subscription();
        no_row_stays(dir.path());
        server.stop();
    }
}

/// One that ends while its first SUBSCRIBE is in flight.
#[test]
fn an_end_before_the_dialog_is_known_to_the_notifier_too() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    server.unsubscribe(id);
    await_row(dir.path(), "ending");
    let server = again(dir.path(), killed(server));
    let mut dialog = notifier.dialog(&first);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
    farewell(&mut dialog);
    server.await_no_subscription();
    no_row_stays(dir.path());
    server.stop();
}
