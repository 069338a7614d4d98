//! Many processes at once: nothing is lost, nothing is counted wrong, and each subscription's messages keep their order.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::process::members;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

/// The head of an event route that waits while the gate is shut, and says that it waits.
const GATED: &str = r#"event_route[qsa:notify] {
    if ($shv(gate) == 1) xlog("L_NOTICE", "AT THE GATE\n");
    while ($shv(gate) == 1) usleep("2000");"#;

/// A server whose only b2b worker stops in the event route when the gate is shut.
pub fn gated(queue_limit: i64) -> Server {
    gated_builder(queue_limit).start()
}

/// The same, before its start.
pub fn gated_builder(queue_limit: i64) -> Builder {
    let server = Server::b2b().module("cfgutils").modparam("pv", "shvset", "gate=i:0");
    let server = server.global("max_while_loops=1000000").b2b_param("workers", 1);
    let route = TELL.replacen("event_route[qsa:notify] {", GATED, 1);
    // tm keeps the transactions of large NOTIFYs for five seconds.
    let server = server.shm_megabytes(256);
    server.b2b_param("queue_limit", queue_limit).b2b_param("min_resubscribe_time", 0).route(&route)
}

pub fn set_gate(server: &Server, shut: bool) {
    server.rpc("pv.shvSet", json!(["gate", "int", i32::from(shut)])).expect("the gate");
}

/// Shuts the gate behind this NOTIFY, so that whatever comes now waits in the queue.
pub fn block(server: &Server, dialog: &mut Dialog, note: &str) {
    set_gate(server, true);
    let mark = server.log().mark();
    assert_eq!(dialog.notify(told(600, note)).status(), 200);
    eventually(SOON, "the worker waits", || (!server.log().since(mark, "AT THE GATE").is_empty()).then_some(()));
}

/// `received`, `delivered`, `merged`, `dropped`, `queued`; what came in is always somewhere.
fn counters(server: &Server) -> [u64; 5] {
    let trace = server.rpc("presence_b2b.trace", json!([])).expect("trace");
    let number = |name: &str| trace[name].as_u64().unwrap_or_else(|| panic!("no {name} in {trace}"));
    let counted = ["received", "delivered", "merged", "dropped", "queued"].map(number);
    assert_eq!(counted[0], counted[1..].iter().sum::<u64>(), "{trace}");
    counted
}

/// A subscription to each of so many records, accepted, and its dialog.
pub fn subscribe_to_many<'s>(server: &'s Server, notifier: &Notifier, count: usize) -> Vec<(Watch<'s>, Dialog)> {
    let begin = |number| Watch::begin(server, &notifier.uri(&format!("record{number}")));
    let watches: Vec<_> = (0..count).map(begin).collect();
    let mut dialogs: Vec<Option<Dialog>> = vec![None; count];
    for _ in 0..count {
        let subscribe = notifier.expect_subscribe(SOON);
        let number = (0..count).find(|number| subscribe.uri() == notifier.uri(&format!("record{number}")));
        dialogs[number.expect("a record of this test")] = Some(notifier.accept(&subscribe, 600));
    }
    watches.into_iter().zip(dialogs.into_iter().map(|dialog| dialog.expect("each once"))).collect()
}

/// The notifier sends several NOTIFYs of one dialog at a time, so that they race through the workers: what is overtaken
/// is refused with 500, what is accepted is delivered, in order, and the newest always.
#[test]
fn a_burst_is_delivered_in_order() {
    const RECORDS: usize = 100;
    const ROUNDS: usize = 3;
    const AT_A_TIME: usize = 3;
    let server = Server::b2b().children(4).tlsf().shm_megabytes(128).b2b_param("workers", 3).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let [before, ..] = counters(&server);
        let mut all = subscribe_to_many(&server, &notifier, RECORDS);
        let accepted: usize = thread::scope(|scope| {
            let burst = |part: &mut [(Watch<'_>, Dialog)]| -> usize { part.chunks_mut(6).map(race).sum() };
            let race_all: Vec<_> = all.chunks_mut(RECORDS / 4).map(|part| scope.spawn(move || burst(part))).collect();
            while race_all.iter().any(|racer| !racer.is_finished()) {
                counters(&server);
                thread::sleep(Duration::from_millis(20));
            }
            race_all.into_iter().map(|racer| racer.join().expect("no failure")).sum()
        });
        let [after, ..] = counters(&server);
        assert_eq!(after - before, accepted as u64, "what is answered 200 is received, nothing else");
        eventually(SOON, "all is delivered", || (counters(&server)[4] == 0).then_some(()));
        assert_eq!(counters(&server)[2..], [0, 0, 0]);
        for (watch, dialog) in &all {
            watch.await_note(&dialog.cseq.to_string());
            let order: Vec<u32> = watch.notes().iter().map(|note| note.parse().expect("a CSeq")).collect();
            assert!(order.is_sorted_by(|one, next| one < next), "{order:?}");
        }
        for (watch, _) in &all {
            watch.unsubscribe();
        }
        for (watch, dialog) in &mut all {
            dialog.accept(&dialog.expect_subscribe(SOON), 0);
            assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
            watch.await_gone(SOON);
        }
    });
    server.stop();

    /// Sends and counts what is accepted.
    fn race(dialogs: &mut [(Watch<'_>, Dialog)]) -> usize {
        let mut accepted = 0;
        for _ in 0..ROUNDS {
            let mut sent = Vec::new();
            for _ in 0..AT_A_TIME {
                for (_, dialog) in dialogs.iter_mut() {
                    let note = (dialog.cseq + 1).to_string();
                    let request = dialog.send_notify(told(600, &note));
                    sent.push((request, dialog.clone()));
                }
            }
            for (request, dialog) in sent {
                let answer = dialog.endpoint().final_response(&request, SOON).expect("each is answered");
                assert!(matches!(answer.status(), 200 | 500), "{}", answer.message);
                let newest = (request.cseq().0 as usize).is_multiple_of(AT_A_TIME);
                assert!(!newest || answer.status() == 200, "the newest is never refused");
                accepted += usize::from(answer.status() == 200);
            }
        }
        accepted
    }
}

#[test]
fn a_slow_event_route_holds_up_nobody() {
    let server = gated(4);
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut both = subscribe_to_many(&server, &notifier, 2);
        let (carol, mut of_carol) = both.pop().expect("two");
        let (alice, mut of_alice) = both.pop().expect("two");
        let before = counters(&server);
        block(&server, &mut of_alice, "a1");
        for number in 2..=10 {
            assert_eq!(of_alice.notify(told(600, &format!("a{number}"))).status(), 200, "answered all the same");
        }
        // Four wait; those of the same subscription that come then take the place of its newest.
        assert_eq!(since(&server, before), [10, 1, 5, 0, 4]);
        assert_eq!(of_carol.notify(told(600, "c1")).status(), 200);
        assert_eq!(since(&server, before), [11, 1, 5, 1, 4], "the oldest makes room");
        assert_eq!(of_carol.notify(told(600, "c2")).status(), 200);
        assert_eq!(since(&server, before), [12, 1, 6, 1, 4]);
        set_gate(&server, false);
        alice.await_note("a10");
        carol.await_note("c2");
        assert_eq!(alice.notes(), ["a1", "a3", "a4", "a10"]);
        assert_eq!(carol.notes(), ["c2"]);
        assert_eq!(since(&server, before), [12, 5, 6, 1, 0]);
        alice.end(&mut of_alice);
        carol.end(&mut of_carol);
    });
    server.stop();
}

fn since(server: &Server, before: [u64; 5]) -> [u64; 5] {
    let now = counters(server);
    std::array::from_fn(|index| now[index] - before[index])
}

/// The message that a subscription has ended may be the oldest in a full queue. Then it is lost, but nothing else is.
#[test]
fn an_end_that_nobody_hears_of_leaves_nothing() {
    let server = gated(1);
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut three = subscribe_to_many(&server, &notifier, 3);
        let (carol, mut of_carol) = three.pop().expect("three");
        let (bob, mut of_bob) = three.pop().expect("three");
        let (alice, mut of_alice) = three.pop().expect("three");
        let before = counters(&server);
        block(&server, &mut of_alice, "a1");
        assert_eq!(of_carol.notify(Notify::terminated("rejected", 0)).status(), 200);
        carol.await_gone(SOON);
        assert_eq!(of_bob.notify(told(600, "b1")).status(), 200);
        assert_eq!(since(&server, before), [3, 1, 0, 1, 1]);
        set_gate(&server, false);
        bob.await_note("b1");
        assert_eq!(carol.news(), []);
        alice.end(&mut of_alice);
        bob.end(&mut of_bob);
    });
    server.stop();
}

/// Every SIP worker gets the same request at the same time: there is one subscription, and one end.
#[test]
fn one_subscription_for_all_who_ask_at_once() {
    const ASKING: usize = 40;
    const ASK: &str = r#"request_route {
        if (is_method("NOTIFY")) {
            if (!handle_notify()) sl_send_reply("481", "Subscription does not exist");
            exit;
        }
        if ($rU == "more") b2b_subscribe("$hdr(X-Record)", "sip:watcher@{ip}");
        else b2b_unsubscribe("$hdr(X-Record)", "sip:watcher@{ip}");
        $var(code) = $rc;
        sl_send_reply("200", "$var(code)");
    }"#;
    let server =
        Server::b2b().children(4).route(ASK).route(TELL).allow_log("b2b_unsubscribe: no such subscription").start();
    let (notifier, asking) = (Notifier::udp(), Endpoint::udp());
    let ask = |user: &str| {
        let uri = server.uri(user);
        let record = notifier.uri("alice");
        let one = || asking.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Record", &record);
        let requests: Vec<_> = (0..ASKING).map(|_| one()).collect();
        requests.iter().for_each(|request| asking.send(request, server.addr()));
        let answers = requests.iter().map(|request| asking.final_response(request, SOON).expect("an answer"));
        answers.filter(|answer| answer.to_string().starts_with("SIP/2.0 200 1\n")).count()
    };
    leaves_nothing(&server, || {
        let trace = || server.rpc("presence_b2b.trace", Value::Null).expect("trace");
        let created = trace()["created"].as_u64().expect("a number");
        assert_eq!(ask("more"), ASKING, "each is told that it has a subscription");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(trace()["subscriptions"], 1);
        assert_eq!(trace()["created"], created + 1);
        assert_eq!(dialog.notify(told(600, "for all")).status(), 200);
        notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(100));

        assert_eq!(ask("less"), 1, "one of them ends it");
        let farewell = dialog.expect_subscribe(SOON);
        dialog.accept(&farewell, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
        eventually(SOON, "it is gone", || (trace()["subscriptions"] == 0).then_some(()));
        notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(100));
    });
    server.stop();
}

/// A worker ends only where it waits: while it runs a route or sends, it may be inside a lock or an allocator. So it finishes what it
/// does first.
#[test]
fn a_worker_ends_when_it_has_finished() {
    let (server, worker) = gated_with_worker();
    let notifier = Notifier::udp();
    let mut all = subscribe_to_many(&server, &notifier, 1);
    let (watch, dialog) = &mut all[0];
    block(&server, dialog, "the last");
    send_sigterm(worker);
    for _ in 0..20 {
        assert!(members(server.pid()).contains(&worker), "in the event route");
        thread::sleep(Duration::from_millis(1));
    }
    set_gate(&server, false);
    watch.await_note("the last");
    drop(all);
    // Any child that ends takes the server with it.
    let left = server.ends(SOON, |_| String::new());
    assert!(left.is_ok(), "{left:?}");
}

/// One that waits ends at once.
#[test]
fn a_worker_that_waits_ends_at_once() {
    let (server, worker) = gated_with_worker();
    let notifier = Notifier::udp();
    let mut all = subscribe_to_many(&server, &notifier, 1);
    all[0].1.notify(told(600, "some"));
    all[0].0.await_note("some");
    drop(all);
    // Sooner than the two seconds after which it would end anywhere.
    let begun = Instant::now();
    send_sigterm(worker);
    eventually(SOON, "it has ended", || (!members(server.pid()).contains(&worker)).then_some(()));
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    let left = server.ends(SOON, |_| String::new());
    assert!(left.is_ok(), "{left:?}");
}

/// What the worker waits for never comes: a route that does not end, a lock that nobody will release. It ends all the same, and with it
/// the server.
#[test]
fn a_worker_that_is_held_up_ends_all_the_same() {
    let (server, worker) = gated_with_worker();
    let notifier = Notifier::udp();
    let mut all = subscribe_to_many(&server, &notifier, 1);
    block(&server, &mut all[0].1, "never told");
    drop(all);
    // Repeated signals do not postpone it.
    eventually(SOON, "it has ended", || {
        let is_there = members(server.pid()).contains(&worker);
        if is_there {
            send_sigterm(worker);
        }
        (!is_there).then_some(())
    });
    let left = server.ends(SOON, |_| String::new());
    assert!(left.is_ok(), "{left:?}");
}

/// A script may set timers of its own.
#[test]
fn an_alarm_ends_no_worker() {
    let (server, worker) = gated_with_worker();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut all = subscribe_to_many(&server, &notifier, 1);
        block(&server, &mut all[0].1, "told later");
        for _ in 0..3 {
            send_signal(worker, libc::SIGALRM);
            eventually(SOON, "it has been taken", || (!is_pending(worker, libc::SIGALRM)).then_some(()));
        }
        set_gate(&server, false);
        let (watch, mut dialog) = all.remove(0);
        watch.await_note("told later");
        watch.end(&mut dialog);
    });
    server.stop();
}

fn gated_with_worker() -> (Server, u32) {
    let server = gated_builder(100).allow_log("exited normally").start();
    let workers = server.private_memory("presence_b2b worker");
    let &[(worker, _)] = &workers[..] else { panic!("one worker: {workers:?}") };
    (server, u32::try_from(worker).expect("a pid"))
}

fn is_pending(pid: u32, signal: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it is there");
    let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).expect("a set of signals");
    u64::from_str_radix(pending.trim(), 16).expect("a number") >> (signal - 1) & 1 == 1
}

fn send_sigterm(pid: u32) {
    send_signal(pid, libc::SIGTERM);
}

fn send_signal(pid: u32, signal: i32) {
    // SAFETY: a plain system call; the process is one of a server of this test.
    unsafe { libc::kill(pid as i32, signal) };
}
