//! What waits, and what the module holds at all, is bounded in bytes: the rest of the server keeps its memory.

use std::time::Duration;

use serde_json::{Value, json};

use crate::c_api::{call, qsa_test};
use crate::processes::{block, gated, gated_builder, set_gate, subscribe_to_many};
use crate::support::b2b::farewell;
use crate::support::config::largest_message;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

fn count(fields: &Value, name: &str) -> u64 {
    fields[name].as_u64().unwrap_or_else(|| panic!("no {name} in {fields}"))
}

/// A presence document of so many bytes.
fn padded(note: &str, bytes: usize) -> String {
    let document = pidf("sip:alice@example.org", "open", Some(note));
    let room = bytes - document.len() - "<!---->".len();
    document.replace("</presence>", &format!("<!--{}--></presence>", "x".repeat(room)))
}

/// Free bytes of the server's shared memory.
fn free(server: &Server) -> u64 {
    count(&server.rpc("core.shmmem", json!([])).expect("core.shmmem"), "free")
}

/// One notifier sends 30 MB into a route that sleeps: it uses its own budget and no other, and its newest state is delivered.
#[test]
fn a_fat_notifier_takes_nobody_elses_room() {
    const SMALL: usize = 10;
    const ROUNDS: usize = 20;
    let server = gated(10_000);
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut all = subscribe_to_many(&server, &notifier, SMALL + 1);
        let (fat, mut of_fat) = all.pop().expect("one");
        block(&server, &mut all[0].1, "first");
        let before = server.trace();
        for round in 0..ROUNDS {
            for number in 0..25 {
                let body = padded(&format!("fat {round}.{number}"), 60_000);
                assert_eq!(of_fat.notify(Notify::active(600).pidf(&body)).status(), 200);
            }
            for (_, dialog) in &mut all {
                assert_eq!(dialog.notify(told(600, &format!("round {round}"))).status(), 200);
            }
        }
        let trace = server.trace();
        let (waiting, each) = (count(&trace, "queued_bytes"), count(&trace, "subscription_queue_bytes"));
        assert!(waiting < each + 500_000 && waiting > each / 2, "{trace}");
        let shown = fat.number("queued_bytes");
        assert!(shown <= each && shown > each / 2, "{shown} of {each}");
        assert_eq!(count(&trace, "dropped"), count(&before, "dropped"), "merging is enough: {trace}");
        assert!(count(&trace, "memory") - count(&before, "memory") < 2_000_000, "{before} -> {trace}");
        assert!(free(&server) > 10_000_000, "{}", free(&server));

        set_gate(&server, false);
        fat.await_note("fat 19.24");
        let rounds: Vec<_> = (0..ROUNDS).map(|round| format!("round {round}")).collect();
        for (number, (watch, _)) in all.iter().enumerate() {
            watch.await_note("round 19");
            assert_eq!(watch.notes()[usize::from(number == 0)..], rounds, "nothing of another subscription is lost");
        }
        let trace = eventually(SOON, "all are told", || Some(server.trace()).filter(|trace| trace["queued"] == 0));
        assert_eq!(count(&trace, "queued_bytes"), 0, "{trace}");
        let counted = ["delivered", "merged", "dropped", "queued"].map(|name| count(&trace, name));
        assert_eq!(count(&trace, "received"), counted.iter().sum::<u64>(), "{trace}");
        fat.end(&mut of_fat);
        for (watch, mut dialog) in all {
            watch.end(&mut dialog);
        }
    });
    server.stop();
}

/// Small and large messages displace each other in a short queue. For each message that does not reach the event route, the
/// counters of its subscription or fork give the cause.
#[test]
fn each_subscription_knows_what_it_has_lost() {
    let server = gated_builder(6).b2b_param("forking", "all").b2b_param("subscription_queue_bytes", 20_000).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut all: Vec<(Watch<'_>, u64, Dialog, u64)> = Vec::new();
        for number in 0..4 {
            let watch = Watch::begin(&server, &notifier.uri(&format!("record{number}")));
            let subscribe = notifier.expect_subscribe(SOON);
            let (mut dialog, mut other) = (notifier.accept(&subscribe, 600), notifier.dialog(&subscribe));
            for (fork, dialog) in [(0, &mut dialog), (1, &mut other)] {
                assert_eq!(dialog.notify(told(600, "begins")).status(), 200);
                watch.await_news("the fork", |news| news.fork == fork && news.note == "begins");
            }
            all.push((watch.again(), 0, dialog, 1));
            all.push((watch, 1, other, 1));
        }
        let before = server.trace();
        let (_, _, first, sent) = &mut all[0];
        block(&server, first, "first");
        *sent += 1;
        for round in 0..12 {
            for (number, (_, _, dialog, sent)) in all.iter_mut().enumerate() {
                let note = format!("{round}");
                let body = padded(&note, if number % 3 == 0 { 9_000 } else { 600 + 300 * number });
                assert_eq!(dialog.notify(Notify::active(600).pidf(&body)).status(), 200);
                *sent += 1;
            }
        }
        set_gate(&server, false);
        let trace = eventually(SOON, "all are told", || Some(server.trace()).filter(|trace| trace["queued"] == 0));
        let mut lost = [0; 2];
        for (watch, fork, _, sent) in &all {
            let rows = server.rpc("presence_b2b.list", json!([])).expect("a list");
            let is_it = |row: &&Value| match fork {
                0 => row["id"] == watch.id,
                _ => row["fork_of"] == watch.id,
            };
            let row = rows.as_array().and_then(|rows| rows.iter().find(is_it)).expect("its row");
            let [merged, dropped] = ["merged", "dropped"].map(|name| count(row, name));
            let delivered = || watch.news().iter().filter(|news| u64::from(news.fork) == *fork).count() as u64;
            let is_all = || (delivered() + merged + dropped >= *sent).then(delivered);
            let delivered = eventually(SOON, "what is not lost", is_all);
            assert_eq!(delivered + merged + dropped, *sent, "{row}");
            lost = [lost[0] + merged, lost[1] + dropped];
        }
        let of_all = ["merged", "dropped"].map(|name| count(&trace, name) - count(&before, name));
        assert_eq!(lost, of_all, "what is lost is always somebody's");
        assert!(lost.iter().all(|lost| *lost > 0), "{lost:?}");
        let of_notifies =
            ["notifies_merged", "notifies_dropped"].map(|name| count(&trace, name) - count(&before, name));
        assert_eq!(lost, of_notifies);
        let (watches, dialogs): (Vec<_>, Vec<_>) = all.into_iter().map(|(watch, _, dialog, _)| (watch, dialog)).unzip();
        watches.iter().step_by(2).for_each(Watch::unsubscribe);
        for mut dialog in dialogs {
            farewell(&mut dialog);
        }
        server.await_no_subscription();
    });
    server.stop();
}

/// A thousand members of a share are told 256 kB (60 kB from 6.1 on) three times: in a server with 32 MB of shared memory.
#[test]
fn a_body_for_a_thousand_is_in_memory_once() {
    let length = (256 * 1024).min(largest_message() - 5_000);
    let load = format!("loadmodule \"{}\"\nmodparam(\"qsa_test\", \"queue_limit\", 10000)", qsa_test().display());
    let buffer = format!("tcp_rd_buf_size={}", length + 5_000);
    let server = Server::b2b().global(&buffer).route(&load).start();
    let notifier = Notifier::tcp();
    let record = notifier.uri("alice");
    for _ in 0..1000 {
        call(&server, "subscribe", json!(["presence", record, "sip:watcher@example.org", "share"]));
    }
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    let before = free(&server);
    for round in 1..=3 {
        let body = padded(&format!("round {round}"), length);
        assert_eq!(dialog.notify(Notify::active(600).pidf(&body)).status(), 200);
        let all = || Some(count(&server.trace(), "received")).filter(|received| *received == 1001 * round);
        eventually(Duration::from_secs(20), "all members have it in their queue", all);
    }
    let trace = server.trace();
    assert_eq!((count(&trace, "queued"), count(&trace, "dropped"), count(&trace, "merged")), (3000, 0, 0), "{trace}");
    assert!(before - free(&server) < 4_000_000, "{before} -> {}", free(&server));
    server.stop();
}

/// The module is refused more than `max_memory`, says so once, and the server has its own.
#[test]
fn the_module_takes_no_more_than_it_may() {
    let server = Server::b2b()
        .allow_log("out of shared memory")
        .allow_log("max_memory is reached")
        .b2b_param("max_memory", 4)
        .b2b_param("shards", 1)
        .b2b_param("max_subscribe_delay", 3600)
        .start();
    let (notifier, mark) = (Notifier::udp(), server.log().mark());
    let most = count(&server.trace(), "max_memory");
    assert_eq!(most, 4 << 20);
    let (mut made, mut refused) = (Vec::new(), 0);
    // If one finds no room, another in another part of the table may still find some.
    while refused < 200 {
        let record = notifier.uri(&format!("{}{:05}", "x".repeat(100), made.len()));
        match server.rpc("presence_b2b.subscribe", json!([record, server.uri("watcher")])) {
            Ok(id) => {
                made.push(id);
                refused = 0;
            }
            Err(fault) => {
                assert_eq!(fault.code, 400, "{fault}");
                refused += 1;
            }
        }
        assert!(made.len() < 30_000, "no end: {}", server.trace());
    }
    assert!(made.len() > 500, "{}: {}", made.len(), server.trace());
    let trace = server.trace();
    let used = count(&trace, "memory");
    assert!(used <= most && used > most - 300_000, "{trace}");
    assert!(free(&server) > 20_000_000, "{}", free(&server));
    let said = || server.log().since(mark, "modparam max_memory is reached");
    eventually(SOON, "the log says so", || (!said().is_empty()).then_some(()));
    assert_eq!(said().len(), 1, "once a minute");

    // Subscriptions that end make room.
    for id in made.drain(..200) {
        server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it can end");
    }
    server.subscribe(&notifier.uri("again"), &server.uri("watcher"));
    server.stop();
}

/// If there is no memory for a NOTIFY, its notifier gets a Retry-After; the NOTIFY is accepted afterwards.
#[test]
fn a_notify_without_memory_is_put_off() {
    let server = gated_builder(10_000).b2b_param("max_memory", 4).allow_log("memory").start();
    let notifier = Notifier::udp();
    let mut all = subscribe_to_many(&server, &notifier, 10);
    block(&server, &mut all[0].1, "first");
    let mut notifies = (0..40).flat_map(|round| (0..10).map(move |number| (round, number)));
    let (refused, number) = notifies
        .find_map(|(round, number)| {
            let body = padded(&format!("{round}"), 60_000);
            let answer = all[number].1.notify(Notify::active(600).pidf(&body));
            (answer.status() != 200).then_some((answer, number))
        })
        .expect("the memory ends");
    assert_eq!((refused.status(), refused.header("Retry-After")), (503, Some("30")), "{refused:?}");
    set_gate(&server, false);
    eventually(SOON, "all is told", || (server.trace()["queued"] == 0).then_some(()));
    assert_eq!(all[number].1.notify(told(600, "again")).status(), 200);
    all[number].0.await_note("again");
    server.stop();
}
