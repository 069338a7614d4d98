//! Against a real presence server: many records, several watchers, real refreshes, and a server that forgets everything.

use serde_json::{Value, json};

use crate::support::endpoint::Transport;
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::pidf::pidf;
use crate::support::presence_server::{PresenceBuilder, PresenceServer};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually, until};
use crate::support::watch::Watch;

const RECORDS: usize = 50;
const WATCHERS: [&str; 2] = ["watcher", "other"];

/// Waits only as long as the presence server's own rules demand.
fn server() -> Server {
    Server::eager(1).tlsf().b2b_param("resubscribe_delta", 1).start()
}

fn trace(server: &Server) -> Value {
    server.rpc("presence_b2b.trace", json!([])).expect("trace")
}

fn end_all(server: &Server, watches: &[Watch<'_>]) {
    for watch in watches {
        watch.unsubscribe();
    }
    eventually(SOON * 2, "all have ended", || (trace(server)["subscriptions"] == 0).then_some(()));
}

/// Waits until each watcher's last message has the basic and the note `wanted` of its record.
fn await_all(watches: &[Watch<'_>], wanted: impl Fn(usize) -> (&'static str, String)) {
    let waits = |(number, watch): &(usize, &Watch<'_>)| {
        let (basic, note) = wanted(number / WATCHERS.len());
        watch.news().last().is_none_or(|news| news.basic != basic || news.note != note)
    };
    let mut waiting: Vec<_> = watches.iter().enumerate().collect();
    let all = until(SOON, || {
        waiting.retain(waits);
        waiting.is_empty().then_some(())
    });
    let missing: Vec<_> = waiting.iter().map(|(_, watch)| (watch.show(), watch.news())).collect();
    assert!(all.is_some(), "{missing:#?}");
}

/// Every state of every record reaches every watcher.
fn many_records(presence: PresenceBuilder, transport: Transport) {
    let presence = presence.start();
    let server = server();
    let user = |number| format!("user{number}");
    leaves_nothing(&server, || {
        let mut watches = Vec::new();
        for number in 0..RECORDS {
            for watcher in WATCHERS {
                watches.push(Watch::of(&server, &presence.uri_over(&user(number), transport), watcher));
            }
        }
        // One after the other: its workers for UDP and TCP would meet "database is locked" on SQLite.
        for watch in &watches {
            watch.await_state("confirmed");
            watch.await_news("the first NOTIFY", |news| news.status == "active");
        }
        let publish = |round: usize| {
            for number in 0..RECORDS {
                let basic = if (number + round).is_multiple_of(2) { "open" } else { "closed" };
                presence.publish(&user(number), &pidf(&presence.uri(&user(number)), basic, Some(&note(number, round))));
            }
        };
        for round in [1, 2] {
            publish(round);
            await_all(&watches, |number| {
                (if (number + round).is_multiple_of(2) { "open" } else { "closed" }, note(number, round))
            });
        }
        let all = trace(&server);
        assert_eq!(all["subscriptions"], RECORDS * WATCHERS.len());
        assert_eq!((&all["received"], all["queued"].as_u64()), (&all["delivered"], Some(0)));
        for watch in watches.iter().step_by(7) {
            let shown = watch.show();
            assert_eq!((&shown["state"], &shown["status"]), (&json!("confirmed"), &json!("active")), "{shown}");
        }
        // After the last publication ends, the presence server sends an empty document, or one that says closed.
        for number in 0..RECORDS {
            presence.unpublish(&user(number));
        }
        let is_told = |watch: &Watch<'_>| {
            watch
                .news()
                .last()
                .is_some_and(|news| news.status == "active" && news.note.is_empty() && news.basic != "open")
        };
        eventually(SOON, "the end of what was published", || watches.iter().all(is_told).then_some(()));
        end_all(&server, &watches);
    });
    server.stop();
    presence.stop();
}

fn note(number: usize, round: usize) -> String {
    format!("user{number} in round {round}")
}

#[test]
fn many_records_in_memory_over_udp() {
    many_records(PresenceServer::builder(), Transport::Udp);
}

#[test]
fn many_records_in_memory_over_tcp() {
    many_records(PresenceServer::builder(), Transport::Tcp);
}

#[test]
fn many_records_on_sqlite_over_udp() {
    many_records(PresenceServer::builder().sqlite(), Transport::Udp);
}

#[test]
fn many_records_on_sqlite_over_tcp() {
    many_records(PresenceServer::builder().sqlite(), Transport::Tcp);
}

/// Grants of 3 s: the subscription lives through several of them, in one dialog.
fn real_refreshes(transport: Transport) {
    let presence = PresenceServer::builder().max_expires(3).start();
    let server = server();
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &presence.uri_over("alice", transport));
        let first = watch.await_state("confirmed");
        assert!(first["expires_in"].as_u64().is_some_and(|left| left <= 3), "{first}");
        let refreshed = |times: u64| {
            eventually(SOON * 2, "a refresh", || {
                let shown = watch.show();
                (shown["local_cseq"].as_u64() > Some(times) && shown["state"] == "confirmed").then_some(shown)
            })
        };
        let later = refreshed(2);
        assert_eq!(later["call_id"], first["call_id"], "the same dialog");
        assert_eq!((later["last_reply"].as_u64(), later["retries"].as_u64()), (Some(200), Some(0)), "{later}");
        presence.publish("alice", &pidf(&presence.uri("alice"), "open", Some("still there")));
        watch.await_note("still there");
        assert!(watch.news().iter().all(|news| news.status == "active"), "{:?}", watch.news());
        presence.unpublish("alice");
        end_all(&server, &[watch]);
    });
    server.stop();
    presence.stop();
}

#[test]
fn real_refreshes_over_udp() {
    real_refreshes(Transport::Udp);
}

#[test]
fn real_refreshes_over_tcp() {
    real_refreshes(Transport::Tcp);
}

#[test]
fn too_short_a_time_is_made_longer() {
    let presence = PresenceServer::builder().min_expires(60).start();
    let server = Server::b2b().b2b_param("default_expiration", 10).b2b_param("min_resubscribe_time", 0);
    let server = server.route(TELL).start();
    leaves_nothing(&server, || {
        presence.publish("alice", &pidf(&presence.uri("alice"), "open", Some("here")));
        let watch = Watch::begin(&server, &presence.uri("alice"));
        watch.await_note("here");
        let shown = watch.await_state("confirmed");
        // 423 to the first, 2xx to the second, in one go.
        assert_eq!(shown["local_cseq"], 2, "{shown}");
        assert!(shown["expires_in"].as_u64().is_some_and(|left| left > 50 && left <= 60), "{shown}");
        assert!(watch.news().iter().all(|news| news.status == "active"), "{:?}", watch.news());
        presence.unpublish("alice");
        end_all(&server, &[watch]);
    });
    server.stop();
    presence.stop();
}

/// The presence server is restarted and has forgotten everything: the next refresh is refused (or, if it is still down,
/// not answered), and the state comes in a new dialog.
fn starts_again(transport: Transport) {
    let presence = PresenceServer::builder().max_expires(4).start();
    let ip = presence.server.ip();
    let again = PresenceServer::builder().server(|server| server.at(ip)).max_expires(4);
    let server = Server::b2b()
        .b2b_param("min_resubscribe_time", 0)
        .b2b_param("on_error_retry_time", 1)
        .b2b_param("failure_backoff_max", 1)
        .b2b_param("resubscribe_delta", 1)
        .gives_up_after(1500)
        .route(TELL)
        .bad_connections()
        .start();
    let record = presence.uri_over("alice", transport);
    presence.publish("alice", &pidf(&presence.uri("alice"), "open", Some("before")));
    let watch = Watch::begin(&server, &record);
    watch.await_note("before");
    let before = watch.await_state("confirmed");
    presence.stop();
    watch.await_news("a failure", |news| news.code != 0);

    let presence = again.start();
    presence.publish("alice", &pidf(&presence.uri("alice"), "closed", Some("after")));
    eventually(SOON * 3, "the new state", || watch.notes().contains(&"after".to_owned()).then_some(()));
    let after = watch.await_state("confirmed");
    assert_ne!(after["call_id"], before["call_id"], "a new dialog");
    assert_eq!(after["status"], "active");
    end_all(&server, &[watch]);
    server.stop();
    presence.stop();
}

#[test]
fn starts_again_over_udp() {
    starts_again(Transport::Udp);
}

#[test]
fn starts_again_over_tcp() {
    starts_again(Transport::Tcp);
}
