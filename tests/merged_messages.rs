//! Whole states in messages (option `merged`): C modules, shares with late members, many changes at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::c_api::{builder, call};
use crate::support::b2b::farewell;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::route::after_notifies;
use crate::support::shm::leaves_nothing_in;
use crate::support::states::{dialog, dialogs, said, subscribed};
use crate::support::wait::{SOON, eventually};

/// An OPTIONS is answered with the lamp of X-Record.
const LAMP: &str = r#"    pv_printf("$var(said)", "$b2b($hdr(X-Record)=>dialogs) $b2b($hdr(X-Record)=>dialog_state) $b2b($hdr(X-Record)=>remote_uri)");
    sl_send_reply("200", "$var(said)");
}
"#;

fn subscribe(server: &Server, record: &str, options: &str) -> String {
    let id = call(server, "subscribe", json!(["dialog", record, "sip:watcher@example.org", options]));
    id.as_str().expect("an id").to_owned()
}

/// The next messages: the subscription, whether the document is whole, and the state of each dialog. Sorted.
fn told(server: &Server, count: usize) -> Vec<(String, bool, Vec<String>)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut all: Vec<_> = (0..count)
        .map(|_| eventually(SOON, "a message", || server.rpc("qsa_test.pop", json!([])).ok()))
        .map(|news| {
            let document = &news["dialogs"];
            let states = document["dialogs"].as_array().expect("dialogs");
            let states = states.iter().map(|each| format!("{}={}", text(&each["id"]), text(&each["state"])));
            (text(&news["id"]), document["full"] == 1, states.collect())
        })
        .collect();
    all.sort();
    all
}

fn whole(ids: &[&String], states: &[&str]) -> Vec<(String, bool, Vec<String>)> {
    let states = || states.iter().map(|state| (*state).to_owned()).collect();
    let mut all: Vec<_> = ids.iter().map(|id| ((*id).clone(), true, states())).collect();
    all.sort();
    all
}

fn tells(dialog: &mut Dialog, notify: Notify) {
    assert_eq!(dialog.notify(notify).status(), 200);
}

fn has(id: &str, state: &str) -> [String; 1] {
    [dialog(id, state, "sip:bob@x")]
}

/// A C module takes the newest whole state with each message, however many wait.
#[test]
fn a_c_module_takes_whole_states() {
    let server = builder(1000).start();
    let notifier = Notifier::udp();
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || {
        let id = subscribe(&server, &notifier.uri("101"), "merged");
        let mut lamp = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        tells(&mut lamp, dialogs(0, "full", &has("a", "early")));
        assert_eq!(told(&server, 1), whole(&[&id], &["a=early"]));
        tells(&mut lamp, dialogs(1, "partial", &has("b", "trying")));
        tells(&mut lamp, dialogs(2, "partial", &has("b", "confirmed")));
        let both = whole(&[&id, &id], &["a=early", "b=confirmed"]);
        assert_eq!(told(&server, 2), both);
        call(&server, "unsubscribe", json!([id]));
        farewell(&mut lamp);
        server.await_no_subscription();
    });
    server.stop();
}

/// Each member of a share gets whole states; a late one gets what the others know, without a request.
#[test]
fn members_of_a_share_get_whole_states() {
    let server = builder(1000).start();
    let notifier = Notifier::udp();
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || {
        let (record, asked) = (notifier.uri("101"), notifier.endpoint.count("SUBSCRIBE"));
        let [first, second] = [(); 2].map(|()| subscribe(&server, &record, "share;merged"));
        let mut lamp = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        tells(&mut lamp, dialogs(0, "full", &has("a", "early")));
        assert_eq!(told(&server, 2), whole(&[&first, &second], &["a=early"]));
        tells(&mut lamp, dialogs(1, "partial", &has("b", "confirmed")));
        assert_eq!(told(&server, 2), whole(&[&first, &second], &["a=early", "b=confirmed"]));
        let late = subscribe(&server, &record, "share;merged");
        assert_eq!(told(&server, 1), whole(&[&late], &["a=early", "b=confirmed"]));
        tells(&mut lamp, dialogs(2, "partial", &has("a", "terminated")));
        let all = [&first, &second, &late];
        assert_eq!(told(&server, 3), whole(&all, &["a=terminated", "b=confirmed"]));
        assert_eq!(notifier.endpoint.count("SUBSCRIBE"), asked + 1);
        for id in all {
            call(&server, "unsubscribe", json!([id]));
        }
        farewell(&mut lamp);
        server.await_no_subscription();
        assert_eq!(server.trace()["kept_bytes"], 0);
    });
    server.stop();
}

/// Changes come as fast as they are answered, eight processes read in the request route: no change is lost, and none comes back.
#[test]
fn a_storm_of_changes_while_states_are_read() {
    const ROUNDS: u32 = 150;
    let started = Server::b2b()
        .children(8)
        .route(&after_notifies(LAMP))
        .b2b_param("min_resubscribe_time", 0)
        .b2b_param("keep_state", 1)
        .b2b_param("queue_limit", 100_000)
        .start();
    let notifiers = [(); 3].map(|()| Notifier::udp());
    let lamps: Vec<_> = notifiers
        .iter()
        .map(|notifier| {
            let record = notifier.uri("101");
            let (id, mut lamp) = subscribed(&started, notifier, "watcher", [&record, "dialog", ""]);
            tells(&mut lamp, dialogs(0, "full", &[dialog("a", "confirmed", "sip:0@x"), has("b", "early")[0].clone()]));
            (record, id, lamp)
        })
        .collect();
    let records: Vec<_> = lamps.iter().map(|(record, ..)| record.clone()).collect();
    let (server, is_over) = (&started, &AtomicBool::new(false));
    let round_of = |peer: &Endpoint, record: &str| -> u32 {
        let said = said(server, peer, "OPTIONS", &[("X-Record", record)]);
        let round = said.strip_prefix("2 confirmed sip:").and_then(|rest| rest.strip_suffix("@x"));
        round.and_then(|round| round.parse().ok()).unwrap_or_else(|| panic!("{said}"))
    };
    thread::scope(|scope| {
        let writers: Vec<_> = lamps
            .into_iter()
            .map(|(_, id, mut lamp)| {
                scope.spawn(move || {
                    for round in 1..=ROUNDS {
                        tells(
                            &mut lamp,
                            dialogs(round, "partial", &[dialog("a", "confirmed", &format!("sip:{round}@x"))]),
                        );
                    }
                    (id, lamp)
                })
            })
            .collect();
        for record in records.iter().chain(&records) {
            scope.spawn(move || {
                let (peer, mut newest) = (Endpoint::udp(), 0);
                while !is_over.load(Ordering::Relaxed) {
                    let round = round_of(&peer, record);
                    assert!(round >= newest, "{round} after {newest}");
                    newest = round;
                }
            });
        }
        let ended: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::Relaxed);
        for ((writer, record), notifier) in ended.into_iter().zip(&records).zip(&notifiers) {
            let (id, mut lamp) = writer.expect("a writer");
            assert_eq!(round_of(&Endpoint::udp(), record), ROUNDS);
            assert_eq!(notifier.endpoint.count("SUBSCRIBE"), 1, "nothing was missing");
            server.unsubscribe(id);
            farewell(&mut lamp);
        }
    });
    server.await_no_subscription();
    assert_eq!(server.trace()["kept_bytes"], 0);
    started.stop();
}
