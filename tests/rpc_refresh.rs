//! `presence_b2b.refresh`: when it sends something, and what it answers.

use serde_json::json;

use crate::rpc::names;
use crate::support::kamailio::Server;
use crate::support::notifier::Notifier;
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

#[test]
fn refresh_is_held_back_by_min_resubscribe_time() {
    let notifier = Notifier::udp();
    let server = Server::b2b().b2b_param("min_resubscribe_time", 2).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.activate(&first, 600);
        // The 2xx may be on its way still.
        server.await_shown(id, "state", "confirmed");
        let answer = server.rpc("presence_b2b.refresh", json!([id])).expect("when");
        assert_eq!((names(&answer), &answer["id"]), (vec!["id", "next_action_in"], &json!(id)));
        assert!(answer["next_action_in"].as_u64().is_some_and(|left| (1..=2).contains(&left)), "{answer}");
        let refresh = dialog.expect_subscribe(SOON);
        assert!(refresh.at.duration_since(first.at) >= std::time::Duration::from_millis(1950));
        dialog.accept(&refresh, 600);
        server.show_when(id, "refreshed", |shown| {
            shown["local_cseq"] == refresh.cseq().0 && shown["state"] == "confirmed"
        });
        // The end is never held back.
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// The answer is the time to the SUBSCRIBE, never the time to its reply, which a worker that is faster waits for.
#[test]
fn refresh_answers_when_the_subscribe_leaves() {
    const TIMES: usize = 60;
    let notifier = Notifier::udp();
    let server = Server::eager(600).b2b_param("workers", 4).start();
    let ids: Vec<u64> = (0..TIMES)
        .map(|n| {
            let id = server.subscribe(&notifier.uri("alice"), &server.uri(&format!("watcher{n}")));
            let _dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
            id
        })
        .collect();
    for id in &ids {
        server.await_shown(*id, "state", "confirmed");
    }
    // So that the second between two SUBSCRIBEs of one subscription is over.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    for id in ids {
        let answer = server.rpc("presence_b2b.refresh", json!([id])).expect("when");
        assert!(answer["next_action_in"].as_u64().is_some_and(|left| left <= 1), "{answer}");
    }
    server.stop();
}

/// One that waits after a failure is tried again before its time.
#[test]
fn refresh_ends_a_long_wait() {
    let notifier = Notifier::udp();
    let server = Server::eager(600).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
        let shown = server.await_shown(id, "state", "waiting");
        assert!(shown["next_action_in"].as_u64().is_some_and(|left| left > 590), "{shown}");
        server.refresh(id);
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        server.end(id, &mut dialog);
    });
    server.stop();
}
