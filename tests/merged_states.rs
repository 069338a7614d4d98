//! The newest states of subscriptions: partial documents merged, forks, want of memory, many processes at once.

use std::thread;

use serde_json::Value;

use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::route::after_notifies;
use crate::support::shm::leaves_nothing;
use crate::support::states::{self, dialog as one, dialogs};
use crate::support::wait::{SOON, eventually};

/// An OPTIONS is answered with what is known of X-Record; the event route says what it is told.
const ROUTE: &str = r#"    if (is_method("INFO")) {
        pv_printf("$var(said)", "$b2b($hdr(X-Record)=>dialog_state)/$b2b($hdr(X-Record)=>remote_uri)/$b2b($hdr(X-Record)=>dialogs)");
    } else {
        b2b_state("$hdr(X-Record)");
        $var(known) = $rc;
        pv_printf("$var(said)", "$var(known) $b2b(basic) $b2b(note)");
    }
    sl_send_reply("200", "$var(said)");
}
event_route[qsa:notify] {
    xlog("L_NOTICE", "TOLD|$qsa(status)|$qsa(dialog_state)|$qsa(dialogs)|$qsa(remote_uri)|\n");
}
"#;

fn builder() -> Builder {
    Server::b2b().b2b_param("min_resubscribe_time", 0).route(&after_notifies(ROUTE))
}

fn said(server: &Server, peer: &Endpoint, method: &str, record: &str) -> String {
    states::said(server, peer, method, &[("X-Record", record)])
}

fn subscribed(server: &Server, notifier: &Notifier, record: &str, package: &str, options: &str) -> (u64, Dialog) {
    states::subscribed(server, notifier, "watcher", [record, package, options])
}

fn count(server: &Server, name: &str) -> u64 {
    server.trace()[name].as_u64().expect("a number")
}

/// A lamp sees all dialogs, whichever document told of them; a subscriber with `merged` is told all of them.
#[test]
fn changes_are_merged() {
    let notifier = Notifier::udp();
    let record = notifier.uri("101");
    let server = builder().start();
    leaves_nothing(&server, || {
        let peer = Endpoint::udp();
        let lamp = || said(&server, &peer, "INFO", &record);
        let mark = server.log().mark();
        let (id, mut dialog) = subscribed(&server, &notifier, &record, "dialog", "merged");
        let mut tells = |notify: Notify, lamp_shows: &str| {
            let before = server.log().since(mark, "TOLD|").len();
            assert_eq!(dialog.notify(notify).status(), 200);
            assert_eq!(lamp(), lamp_shows);
            eventually(SOON, "a message", || server.log().since(mark, "TOLD|").get(before).cloned())
        };
        tells(dialogs(0, "full", &[one("a", "early", "sip:bob@x")]), "early/sip:bob@x/1");
        let told = tells(dialogs(1, "partial", &[one("b", "confirmed", "sip:carol@x")]), "confirmed/sip:carol@x/2");
        assert!(told.contains("TOLD|active|confirmed|2|sip:carol@x|"), "{told}");
        // The end of a dialog is shown once.
        let told = tells(dialogs(2, "partial", &[one("b", "terminated", "sip:carol@x")]), "early/sip:bob@x/2");
        assert!(told.contains("TOLD|active|early|2|sip:bob@x|"), "{told}");
        tells(dialogs(3, "partial", &[one("a", "confirmed", "sip:bob@x")]), "confirmed/sip:bob@x/1");
        notifier.endpoint.expect_none("SUBSCRIBE", std::time::Duration::from_millis(100));
        // A gap: what has come is shown, and the whole state is asked for.
        tells(dialogs(5, "partial", &[one("c", "early", "sip:dave@x")]), "confirmed/sip:bob@x/2");
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        assert_eq!(dialog.notify(dialogs(6, "full", &[])).status(), 200);
        assert_eq!(lamp(), "terminated/<null>/0");
        server.show_when(id, "refreshed", |shown| shown["state"] == "confirmed");
        assert!(server.show(id)["options"] == "merged" && server.show(id)["kept_bytes"].as_u64() > Some(100));
        server.end(id, &mut dialog);
        assert_eq!(lamp(), "<null>/<null>/<null>");
        assert_eq!(count(&server, "kept_bytes"), 0);
    });
    server.stop();
}

/// Without `merged` the subscriber is told what has come, and the kept state is whole all the same.
#[test]
fn the_subscriber_decides_what_it_is_told() {
    let notifier = Notifier::udp();
    let record = notifier.uri("101");
    let server = builder().b2b_param("keep_state", 1).start();
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let (id, mut dialog) = subscribed(&server, &notifier, &record, "dialog", "");
        assert_eq!(dialog.notify(dialogs(0, "full", &[one("a", "early", "sip:bob@x")])).status(), 200);
        assert_eq!(dialog.notify(dialogs(1, "partial", &[one("b", "trying", "sip:carol@x")])).status(), 200);
        let told = || server.log().since(mark, "TOLD|").get(1).cloned();
        let told = eventually(SOON, "the second message", told);
        assert!(told.contains("TOLD|active|trying|1|sip:carol@x|"), "{told}");
        assert_eq!(said(&server, &Endpoint::udp(), "INFO", &record), "early/sip:bob@x/2");
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// Each fork has a state of its own, which goes with it.
#[test]
fn forks_have_states_of_their_own() {
    let [first, second] = [(); 2].map(|()| Notifier::udp());
    let record = first.uri("alice");
    let server = builder().b2b_param("forking", "all").b2b_param("keep_state", 1).start();
    leaves_nothing(&server, || {
        let peer = Endpoint::udp();
        let id = server.subscribe(&record, &server.uri("watcher"));
        let subscribe = first.expect_subscribe(SOON);
        let [mut one, mut other] = [&first, &second].map(|notifier| notifier.dialog(&subscribe));
        for (dialog, note) in [(&mut one, "first"), (&mut other, "second")] {
            assert_eq!(dialog.notify(Notify::active(600).pidf(&pidf(&record, "open", Some(note)))).status(), 200);
        }
        one.accept(&subscribe, 600);
        assert_eq!(said(&server, &peer, "OPTIONS", &record), "1 open second");
        assert_eq!(count(&server, "kept_states"), 2);
        assert_eq!(server.show(id)["kept_bytes"].as_u64(), Some(count(&server, "kept_bytes")), "with its fork");
        assert_eq!(other.notify(Notify::terminated("deactivated", 0)).status(), 200);
        assert_eq!(said(&server, &peer, "OPTIONS", &record), "1 open first");
        assert_eq!(count(&server, "kept_states"), 1);
        server.await_shown(id, "state", "confirmed");
        server.unsubscribe(id);
        assert_eq!(said(&server, &peer, "OPTIONS", &record), "-2 <null> <null>");
        assert_eq!((count(&server, "kept_states"), count(&server, "kept_bytes")), (0, 0));
        farewell(&mut one);
        server.await_no_subscription();
    });
    server.stop();
}

/// Without memory a state is unknown or the newest that was accepted, never an older one; then there is room again.
#[test]
fn want_of_memory_shows_no_old_state() {
    // The first subscription of each shard makes blocks for more: with few shards, what is left goes to the states.
    let server = builder().b2b_param("keep_state", 1).b2b_param("max_memory", 1).b2b_param("shards", 4);
    let server = server.allow_log("memory").start();
    let notifier = Notifier::udp();
    let peer = Endpoint::udp();
    let mut all: Vec<(String, u64, Dialog)> = (0..8)
        .map(|number| {
            let record = notifier.uri(&format!("user{number}"));
            let (id, dialog) = subscribed(&server, &notifier, &record, "presence", "");
            (record, id, dialog)
        })
        .collect();
    let (mut refused, mut unknown) = (0, 0);
    for round in 1..=8 {
        for (record, _, dialog) in &mut all {
            let document = pidf(record, "open", Some(&format!("round{round}")));
            let padding = format!("<!--{}--></presence>", "x".repeat(round * 7_000));
            let is_taken =
                dialog.notify(Notify::active(600).pidf(&document.replace("</presence>", &padding))).status() == 200;
            refused += usize::from(!is_taken);
            let said = said(&server, &peer, "OPTIONS", record);
            unknown += usize::from(!said.starts_with("1 "));
            assert!(!is_taken || said == format!("1 open round{round}") || !said.starts_with("1 "), "{said}");
        }
    }
    assert!(refused + unknown > 0, "the memory ends: {}", server.trace());
    for (_, id, _) in all.drain(2..) {
        server.unsubscribe(id);
    }
    for (record, _, dialog) in &mut all {
        assert_eq!(dialog.notify(Notify::active(600).pidf(&pidf(record, "closed", Some("again")))).status(), 200);
        assert_eq!(said(&server, &peer, "OPTIONS", record), "1 closed again");
    }
    server.stop();
}

/// Eight processes take NOTIFYs and read states at once: no state is ever mixed, or older than the one before.
#[test]
fn many_processes_write_and_read() {
    const WRITERS: usize = 4;
    const ROUNDS: usize = 150;
    let server = builder().children(8).b2b_param("keep_state", 1).b2b_param("queue_limit", 100_000).start();
    let notifiers: Vec<Notifier> = (0..WRITERS).map(|_| Notifier::udp()).collect();
    let subscribed: Vec<(String, u64, Dialog)> = notifiers
        .iter()
        .map(|notifier| {
            let record = notifier.uri("alice");
            let (id, mut dialog) = subscribed(&server, notifier, &record, "presence", "");
            assert_eq!(dialog.notify(Notify::active(600).pidf(&pidf(&record, "open", Some("open-0")))).status(), 200);
            (record, id, dialog)
        })
        .collect();
    let records: Vec<String> = subscribed.iter().map(|(record, ..)| record.clone()).collect();
    let ended = thread::scope(|scope| {
        let writers: Vec<_> = subscribed
            .into_iter()
            .map(|(record, id, mut dialog)| {
                scope.spawn(move || {
                    for round in 1..=ROUNDS {
                        let basic = if round % 2 == 0 { "open" } else { "closed" };
                        let document = pidf(&record, basic, Some(&format!("{basic}-{round}")));
                        assert_eq!(dialog.notify(Notify::active(600).pidf(&document)).status(), 200);
                    }
                    (record, id, dialog)
                })
            })
            .collect();
        for record in &records {
            let server = &server;
            scope.spawn(move || {
                let (peer, mut newest) = (Endpoint::udp(), 0);
                for _ in 0..ROUNDS {
                    let said = said(server, &peer, "OPTIONS", record);
                    let parts: Vec<&str> = said.split(' ').collect();
                    let [known, basic, note] = parts[..] else { panic!("{said}") };
                    let (of, round) = note.split_once('-').expect("a note of ours");
                    let round: usize = round.parse().expect("a number");
                    assert!(known == "1" && of == basic && round >= newest, "{said} after {newest}");
                    newest = round;
                }
            });
        }
        writers.into_iter().map(|writer| writer.join().expect("a writer")).collect::<Vec<_>>()
    });
    for (record, id, mut dialog) in ended {
        let basic = if ROUNDS.is_multiple_of(2) { "open" } else { "closed" };
        let newest = format!("1 {basic} {basic}-{ROUNDS}");
        assert_eq!(said(&server, &Endpoint::udp(), "OPTIONS", &record), newest);
        server.unsubscribe(id);
        farewell(&mut dialog);
    }
    server.await_no_subscription();
    assert_eq!(server.trace()["kept_bytes"], Value::from(0));
    server.stop();
}
