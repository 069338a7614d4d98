//! How the server stops, and with what it starts again.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{ENDS, End, again, end, folder, no_row_stays, settled, stored, storing};
use crate::support::b2b::farewell;
use crate::support::config::{Builder, Listen};
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::wait::{SOON, eventually};

const A_MOMENT: Duration = Duration::from_millis(500);

/// How long a stop may take.
const STOP: Duration = Duration::from_secs(10);

fn unsubscribing(dir: &Path) -> Builder {
    storing(dir).b2b_param("on_shutdown", "unsubscribe")
}

fn subscribed(server: &Server, notifier: &Notifier, user: &str) -> (u64, Dialog) {
    let id = server.subscribe(&notifier.uri(user), &server.uri("watcher"));
    let dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "state", "confirmed");
    (id, dialog)
}

#[test]
fn the_stop_ends_all_if_it_is_to() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = unsubscribing(dir.path()).start();
    let (_, dialog) = subscribed(&server, &notifier, "alice");
    settled(&server);
    let ip = server.ip();
    let begun = Instant::now();
    let answering = std::thread::spawn(move || {
        let last = dialog.expect_subscribe(SOON);
        assert_eq!(last.header("Expires"), Some("0"));
        dialog.accept(&last, 0);
        dialog
    });
    server.stop();
    assert!(begun.elapsed() < STOP, "{:?}", begun.elapsed());
    let mut dialog = answering.join().expect("it was told");
    // The last NOTIFY meets nobody before the next start; then it is the end.
    assert_eq!(stored(dir.path(), "state"), ["ending"]);
    let server = again(dir.path(), ip);
    assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    server.await_no_subscription();
    assert!(dialog.try_subscribe(Duration::from_millis(50)).is_none());
    no_row_stays(dir.path());
    server.stop();
}

/// The notifier does not answer: the next start tells it again.
#[test]
fn the_next_start_ends_what_the_stop_has_not() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = unsubscribing(dir.path()).start();
    let (_, mut dialog) = subscribed(&server, &notifier, "alice");
    let begun = Instant::now();
    let ip = end(server, End::Stopped);
    assert!(begun.elapsed() < STOP, "{:?}", begun.elapsed());
    let first = dialog.expect_subscribe(SOON);
    assert_eq!(first.header("Expires"), Some("0"));
    assert_eq!(stored(dir.path(), "state"), ["ending"]);
    let server = unsubscribing(dir.path()).at(ip).start();
    farewell(&mut dialog);
    server.await_no_subscription();
    no_row_stays(dir.path());
    server.stop();
}

/// A crash is no stop: they go on.
#[test]
fn a_crash_ends_nothing() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = unsubscribing(dir.path()).start();
    let (id, dialog) = subscribed(&server, &notifier, "alice");
    settled(&server);
    let server = storing(dir.path()).b2b_param("on_shutdown", "keep").at(end(server, End::Killed)).start();
    assert_eq!(server.show(id)["state"], "confirmed");
    let begun = Instant::now();
    end(server, End::Stopped);
    assert!(begun.elapsed() < STOP, "{:?}", begun.elapsed());
    assert!(dialog.try_subscribe(A_MOMENT).is_none());
}

/// With db_mode 0 the rows are left alone; what has happened to their dialogs meanwhile is found out.
#[test]
fn a_run_without_the_store_between() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let (id, mut dialog) = subscribed(&server, &notifier, "alice");
    let ip = end(server, End::Stopped);
    let before = stored(dir.path(), "*");
    let server = Server::eager(100).at(ip).start();
    assert_eq!(server.trace()["subscriptions"], 0);
    let (other, _) = subscribed(&server, &notifier, "bob");
    assert!(other > 0);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 481, "nobody knows it");
    let ip = end(server, End::Stopped);
    assert_eq!(stored(dir.path(), "*"), before);
    let server = again(dir.path(), ip);
    assert_eq!(server.trace()["subscriptions"], 1);
    // The notifier has given it up.
    server.refresh(id);
    let refresh = dialog.expect_subscribe(SOON);
    notifier.reject(&refresh, 481, &[]);
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "status", "active");
    server.end(id, &mut dialog);
    no_row_stays(dir.path());
    server.stop();
}

/// Many, in another number of shards: rows move, and no dialog is lost.
#[test]
fn two_thousand_go_on_in_other_shards() {
    const COUNT: usize = 2000;
    let (notifier, dir) = (Notifier::udp(), folder());
    let many = |shards: i64| {
        let server = storing(dir.path()).tlsf().b2b_param("shards", shards);
        server.b2b_param("destination_rate", 10_000).b2b_param("total_rate", 10_000)
    };
    let server = many(64).start();
    let mut dialogs: Vec<Dialog> = Vec::new();
    for batch in 0..COUNT / 50 {
        for number in 0..50 {
            server.subscribe(&notifier.uri(&format!("user{batch}-{number}")), &server.uri("watcher"));
        }
        dialogs.extend((0..50).map(|_| notifier.activate(&notifier.expect_subscribe(SOON), 3600)));
    }
    let confirmed = || stored(dir.path(), "count(*)") == [COUNT.to_string()];
    eventually(Duration::from_secs(60), "all rows", || confirmed().then_some(()));
    eventually(Duration::from_secs(60), "all are active", || {
        let rows = server.rows("presence_b2b.list");
        rows.iter().all(|row| row["status"] == "active" && row["state"] == "confirmed").then_some(())
    });
    settled(&server);
    let mut ip = end(server, End::Killed);
    for (shards, how) in [(64, End::Killed), (16, End::Killed), (256, End::Stopped), (64, End::Stopped)] {
        let begun = Instant::now();
        let server = many(shards).at(ip).start();
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        let rows = server.rows("presence_b2b.list");
        let of = |name: &str| rows.iter().map(|row| row[name].to_string()).collect::<std::collections::HashSet<_>>();
        assert_eq!((rows.len(), of("id").len(), of("record").len()), (COUNT, COUNT, COUNT), "{shards} shards");
        let answer = server.rpc("presence_b2b.store", json!([])).expect("an answer");
        assert_eq!((&answer["restored"], &answer["skipped"]), (&json!(COUNT), &json!(0)), "{answer}");
        for dialog in dialogs.iter_mut().step_by(97) {
            assert_eq!(dialog.notify(Notify::active(3600)).status(), 200, "{shards} shards");
        }
        assert!(notifier.try_subscribe(Duration::from_millis(100)).is_none());
        // At any moment: the rows may be moving.
        if shards != 16 {
            settled(&server);
        }
        ip = end(server, how);
        assert_eq!(stored(dir.path(), "count(DISTINCT call_id)"), [COUNT.to_string()]);
    }
    assert_eq!(stored(dir.path(), "count(*)"), [COUNT.to_string()], "the old rows have gone");
}

/// The socket of the dialog is not there any more.
#[test]
fn another_socket_takes_over() {
    for how in ENDS {
        let (notifier, dir) = (Notifier::udp(), folder());
        let on = |port: u16, ip| {
            let server = storing(dir.path());
            let server = match ip {
                Some(ip) => server.at(ip),
                None => server,
            };
            let listen = Listen::on("udp", (server.ip(), port).into());
            server.listen(listen)
        };
        let server = on(5062, None).start();
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        server.await_shown(id, "state", "confirmed");
        settled(&server);
        let server = on(5064, Some(end(server, how))).start();
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.from.port(), 5064);
        assert!(refresh.need("Contact").contains(":5064"), "{}", refresh.message);
        dialog.accept(&refresh, 600);
        dialog.via_hop((server.ip(), 5064).into());
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.end(id, &mut dialog);
        no_row_stays(dir.path());
        server.stop();
    }
}

/// The notifier's NOTIFYs come over a connection that the stop has closed.
#[test]
fn what_had_a_connection_is_refreshed_soon() {
    for how in ENDS {
        let (notifier, dir) = (Notifier::tcp(), folder());
        let server = storing(dir.path()).bad_connections().start();
        let (id, mut dialog) = subscribed(&server, &notifier, "alice");
        settled(&server);
        let server = storing(dir.path()).bad_connections().at(end(server, how)).start();
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        server.await_shown(id, "state", "confirmed");
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.end(id, &mut dialog);
        no_row_stays(dir.path());
        server.stop();
    }
}
