//! What was planned is planned as before, and what is over is over.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{ENDS, End, again, end, folder, no_row_stays, settled, storing};
use crate::support::b2b::farewell;
use crate::support::database::change;
use crate::support::kamailio::Server;
use crate::support::news::{News, Newsreader};
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};

/// Long enough to see that something does not come.
const A_MOMENT: Duration = Duration::from_millis(500);

/// What must be as before.
const SAME: [&str; 14] = [
    "record",
    "subscriber",
    "package",
    "options",
    "state",
    "status",
    "call_id",
    "local_tag",
    "remote_tag",
    "remote_target",
    "route_set",
    "socket",
    "retries",
    "remote_cseq",
];

/// What may be a little less.
const TIMES: [&str; 2] = ["expires_in", "next_action_in"];

fn assert_same(before: &Value, after: &Value) {
    for name in SAME {
        assert_eq!(after[name], before[name], "{name} in {before} and {after}");
    }
    for name in TIMES {
        let [was, is] = [before, after].map(|shown| shown[name].as_i64().unwrap_or(-1));
        assert!(is <= was && was - is < 20, "{name} went from {was} to {is}");
    }
}

/// Subscribes with these options; the id.
fn subscribe(server: &Server, record: &str, package: &str, options: &str) -> u64 {
    let params = json!([record, server.uri("watcher"), package, options]);
    server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a number")
}

#[test]
fn all_is_as_it_was_and_nothing_is_sent() {
    for how in ENDS {
        let (notifier, dir) = (Notifier::udp(), folder());
        let server = storing(dir.path()).start();
        let options = "expires=1000;header=\"X-A: 1\";lenient";
        let active = subscribe(&server, &notifier.uri("alice"), "dialog;id=a", options);
        let mut first = notifier.activate(&notifier.expect_subscribe(SOON), 1000);
        let pending = subscribe(&server, &notifier.uri("bob"), "presence", "");
        let mut second = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(second.notify(Notify::pending(500)).status(), 200);
        let refused = subscribe(&server, &notifier.uri("carol"), "presence", "");
        notifier.reject(&notifier.expect_subscribe(SOON), 500, &[("Retry-After", "200")]);
        let ids = [active, pending, refused];
        server.await_shown(refused, "state", "waiting");
        settled(&server);
        // What NOTIFYs have counted is written each second.
        std::thread::sleep(Duration::from_millis(1200));
        let before = ids.map(|id| server.show(id));

        let server = again(dir.path(), end(server, how));
        let news = Newsreader::new(&server);
        for (id, before) in ids.into_iter().zip(&before) {
            assert_same(before, &server.show(id));
        }
        notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
        // The same is the same subscription.
        assert_eq!(subscribe(&server, &notifier.uri("alice"), "dialog;id=a", options), active);
        news.assert_no_more();
        assert_eq!(second.notify(Notify::active(500)).status(), 200);
        server.await_shown(pending, "status", "active");
        server.unsubscribe(refused);
        for (id, dialog) in [(active, &mut first), (pending, &mut second)] {
            server.unsubscribe(id);
            farewell(dialog);
        }
        server.await_no_subscription();
        server.stop();
        no_row_stays(dir.path());
    }
}

/// Nobody has been there for a minute: refreshes are early, but who has asked to be left alone is left alone.
#[test]
fn after_a_minute_away_all_refresh_soon() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let active = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    let refused = server.subscribe(&notifier.uri("carol"), &server.uri("watcher"));
    notifier.reject(&notifier.expect_subscribe(SOON), 500, &[("Retry-After", "200")]);
    server.await_shown(refused, "state", "waiting");
    let ip = end(server, End::Stopped);
    change(dir.path(), "UPDATE presence_b2b_nodes SET seen = seen - 60000, stopped = stopped - 60000");
    let server = again(dir.path(), ip);
    let refresh = dialog.expect_subscribe(SOON);
    dialog.accept(&refresh, 600);
    server.show_when(active, "refreshed", |shown| shown["next_action_in"].as_i64() > Some(60));
    let shown = server.show(refused);
    assert!(shown["state"] == "waiting" && shown["next_action_in"].as_i64() > Some(150), "{shown}");
    assert!(notifier.try_subscribe(Duration::from_millis(50)).is_none());
    server.stop();
}

/// A refresh that was due while nobody was there.
#[test]
fn an_overdue_refresh_comes_soon() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "state", "confirmed");
    let ip = end(server, End::Stopped);
    change(dir.path(), "UPDATE presence_b2b_subscriptions SET next_at = updated - 1000, expires_at = updated + 8000");
    let begun = Instant::now();
    let server = again(dir.path(), ip);
    let refresh = dialog.expect_subscribe(SOON);
    assert!(begun.elapsed() < Duration::from_secs(8), "before it is over");
    dialog.accept(&refresh, 600);
    server.show_when(id, "refreshed", |shown| shown["expires_in"].as_i64() > Some(500));
    server.stop();
}

/// The dialog has ended while nobody was there: that is news, and another one is opened.
#[test]
fn one_that_is_over_is_told_and_opened_again() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = storing(dir.path()).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    notifier.activate(&first, 600);
    server.await_shown(id, "state", "confirmed");
    let ip = end(server, End::Stopped);
    change(dir.path(), "UPDATE presence_b2b_subscriptions SET next_at = updated - 2000, expires_at = updated - 1000");
    let server = again(dir.path(), ip);
    let second = notifier.expect_subscribe(SOON);
    assert_ne!(second.header("Call-ID"), first.header("Call-ID"));
    let mut dialog = notifier.activate(&second, 600);
    let shown = server.await_shown(id, "status", "active");
    assert_eq!(shown["call_id"], dialog.call_id);
    let told = eventually(SOON, "both are told", || {
        let told = News::since(&server, Default::default());
        (told.len() > 1).then_some(told)
    });
    let told: Vec<_> = told.iter().map(|news| (&*news.status, &*news.reason)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((told[0].0, told[1].0), ("terminated", "active"), "{told:?}");
    server.end(id, &mut dialog);
    no_row_stays(dir.path());
    server.stop();
}
