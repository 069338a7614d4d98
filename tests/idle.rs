//! The module's processes sleep when there is nothing to do, and wake at once when there is.
//!
//! Whatever else wakes them, they look for work once a second. So one that is not woken is late by anything up to a second, in half of the
//! cases by more than half a second. Of what is in time here, three quarters are so within 50 milliseconds: the machine may have other work.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::address::SIP_PORT;
use crate::support::dns::{NameServer, Record};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier};
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

/// How many are timed.
const TIMED: usize = 1000;

const IN_TIME: Duration = Duration::from_millis(50);

/// Fails unless three quarters are in time.
fn assert_in_time(mut delays: Vec<Duration>) {
    delays.sort();
    let share = |of: usize| delays[delays.len() * of / 100];
    eprintln!("half within {:?}, 75 % {:?}, 99 % {:?}", share(50), share(75), share(99));
    assert!(share(75) < IN_TIME, "half within {:?}, 75 % within {:?}", share(50), share(75));
}

fn ipv4(notifier: &Notifier) -> Ipv4Addr {
    notifier.endpoint.addr().ip().to_string().parse().expect("an IPv4 address")
}

/// The processor time that a process has taken, in the system's ticks (10 milliseconds).
fn ticks(pid: u64) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
    // User and system time are the 14th and 15th of all, the third of which is the first behind the name.
    [11, 12].map(|field: usize| fields[field].parse::<u64>().expect("a number")).iter().sum()
}

/// After all kinds of work: subscribing, looking up a name, telling, refreshing. The subscriptions are still there.
#[test]
fn who_has_nothing_to_do_takes_no_processor() {
    const LOOKED_AT: Duration = Duration::from_secs(3);
    let notifier = Notifier::udp();
    let names = NameServer::start(&[("good.test", Record::A(ipv4(&notifier)))]);
    let server = Server::b2b().name_server(&names).b2b_param("min_resubscribe_time", 0);
    let server = server.b2b_param("workers", 2).b2b_param("resolvers", 2).route(TELL).start();
    let mut all = Vec::new();
    for number in 0..8 {
        let host = if number % 2 == 0 { "good.test".to_owned() } else { notifier.endpoint.addr().to_string() };
        let watch = Watch::begin(&server, &format!("sip:record{number}@{host}"));
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(told(600, "news")).status(), 200);
        watch.await_note("news");
        all.push((watch, dialog));
    }
    for (watch, dialog) in &all {
        server.refresh(watch.id);
        dialog.accept(&dialog.expect_subscribe(SOON), 600);
        watch.await_state("confirmed");
    }
    let processes = server.private_memory("presence_b2b");
    assert_eq!(processes.len(), 4, "workers and resolvers");
    let taken: BTreeMap<u64, u64> = processes.iter().map(|(pid, _)| (*pid, ticks(*pid))).collect();
    thread::sleep(LOOKED_AT);
    // A twentieth of a processor; one that spins takes all that it gets.
    let most = LOOKED_AT.as_millis() as u64 / 10 / 20;
    for (pid, before) in taken {
        let took = ticks(pid) - before;
        assert!(took <= most, "process {pid} has taken {took} ticks in {LOOKED_AT:?}");
    }
    server.stop();
}

/// One NOTIFY after the other, so that the workers sleep in between.
#[test]
fn news_are_told_at_once() {
    const TELL_WHEN: &str = r#"event_route[qsa:notify] { xlog("L_NOTICE", "TOLD|$TV(Sn)|$qsa(note)|\n"); }"#;
    let notifier = Notifier::udp();
    let server = Server::b2b().tlsf().b2b_param("workers", 2).route(TELL_WHEN).start();
    let mut dialogs: Vec<Dialog> = (0..4)
        .map(|number| {
            server.subscribe(&notifier.uri(&format!("record{number}")), &server.uri("watcher"));
            notifier.accept(&notifier.expect_subscribe(SOON), 600)
        })
        .collect();
    for number in 0..TIMED {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        let notify = dialogs[number % 4].send_notify(told(600, &format!("{now:.6}")));
        let answer = notifier.endpoint.final_response(&notify, SOON).expect("an answer");
        assert_eq!(answer.status(), 200);
        thread::sleep(Duration::from_millis(3));
    }
    let delay = |line: &String| {
        let mut fields = line.split('|').skip(1).map(|field| field.parse::<f64>().expect("seconds"));
        let (at, sent) = (fields.next().expect("when"), fields.next().expect("since"));
        Duration::from_secs_f64((at - sent).max(0.0))
    };
    let lines = eventually(SOON, "all are told", || {
        let lines = server.log().since(Mark::default(), "TOLD|");
        (lines.len() >= TIMED).then_some(lines)
    });
    let sent = |line: &&String| line.matches('.').count() >= 2 && line.ends_with('|');
    assert_in_time(lines.iter().filter(sent).map(delay).collect());
    server.stop();
}

/// A new subscription is due at once, and all workers sleep.
#[test]
fn what_is_due_now_leaves_at_once() {
    let notifier = Notifier::udp();
    let server = Server::b2b().tlsf().shm_megabytes(128).b2b_param("workers", 2).route(TELL).start();
    let mut delays = Vec::new();
    for number in 0..TIMED {
        let begun = Instant::now();
        server.subscribe(&notifier.uri(&format!("record{number}")), &server.uri("watcher"));
        let subscribe = notifier.expect_subscribe(SOON);
        delays.push(subscribe.at.duration_since(begun));
        notifier.accept(&subscribe, 600);
        // Asserted early: a failure would take long.
        let late = delays.iter().filter(|delay| **delay > IN_TIME).count();
        assert!(late < 20 + delays.len() / 4, "{late} of {} leave late: {delays:?}", delays.len());
        // After a request a worker pauses for a millisecond; then it sleeps.
        thread::sleep(Duration::from_millis(3));
    }
    assert_in_time(delays);
    server.stop();
}

/// Names that are looked up for the first time go to the resolvers.
#[test]
fn a_name_is_looked_up_at_once() {
    const NAMES: usize = 40;
    let notifier = Notifier::udp();
    let names: Vec<String> = (0..NAMES).map(|number| format!("good{number}.test")).collect();
    let records: Vec<_> = names.iter().map(|name| (name.as_str(), Record::A(ipv4(&notifier)))).collect();
    let name_server = NameServer::start(&records);
    let server = Server::b2b().name_server(&name_server).b2b_param("resolvers", 2).route(TELL).start();
    let ask = |name: &String| {
        let begun = Instant::now();
        server.subscribe(&format!("sip:record@{name}:{SIP_PORT}"), &server.uri("watcher"));
        let subscribe = notifier.expect_subscribe(SOON);
        notifier.accept(&subscribe, 600);
        subscribe.at.duration_since(begun)
    };
    assert_in_time(names.iter().map(ask).collect());
    server.stop();
}

/// Each is refreshed a second after it was granted, and they are spread over the second.
#[test]
fn deadlines_are_kept() {
    const EACH: usize = 5;
    let notifier = Notifier::udp();
    let server = Server::b2b().tlsf().shm_megabytes(128).b2b_param("workers", 2).b2b_param("refresh_jitter", 0);
    let server = server.b2b_param("min_resubscribe_time", 0).b2b_param("resubscribe_delta", 1).route(TELL).start();
    let mut granted: BTreeMap<String, (Dialog, Instant)> = BTreeMap::new();
    for number in 0..TIMED / EACH {
        server.subscribe(&notifier.uri(&format!("record{number}")), &server.uri("watcher"));
        let subscribe = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&subscribe, 2);
        granted.insert(subscribe.need("Call-ID").to_owned(), (dialog.clone(), Instant::now()));
        dialog.send_notify(told(2, "news"));
    }
    let mut delays = Vec::new();
    while delays.len() < TIMED {
        let refresh = notifier.endpoint.expect_request("SUBSCRIBE", SOON);
        let (dialog, at) = granted.get_mut(refresh.need("Call-ID")).expect("one of these");
        let after = refresh.at.saturating_duration_since(*at);
        assert!(after > Duration::from_millis(900), "refreshed after {after:?}");
        delays.push(after.saturating_sub(Duration::from_secs(1)));
        dialog.accept(&refresh, 2);
        *at = Instant::now();
        dialog.send_notify(told(2, "news"));
    }
    assert_in_time(delays);
    server.stop();
}

/// If there is more to do than one worker does in its turn, another one is woken.
#[test]
fn a_worker_that_has_much_to_do_gets_help() {
    const ROUNDS: usize = 6;
    const AT_A_TIME: usize = 30;
    // Longer than a turn of a worker, but not so long that it is taken for blocked.
    let slow = r#"event_route[tm:local-request] { usleep("6000"); xlog("L_NOTICE", "SENDS|$pp|$TV(Sn)|\n"); }"#;
    let notifier = Notifier::udp();
    let server = Server::b2b().module("cfgutils").b2b_param("workers", 2).route(slow).route(TELL).start();
    let mut helped = 0;
    for round in 0..ROUNDS {
        let mark = server.log().mark();
        for number in 0..AT_A_TIME {
            server.subscribe(&notifier.uri(&format!("record{round}-{number}")), &server.uri("watcher"));
        }
        (0..AT_A_TIME).for_each(|_| _ = notifier.accept(&notifier.expect_subscribe(SOON), 600));
        let mut first: BTreeMap<String, f64> = BTreeMap::new();
        for line in server.log().since(mark, "SENDS|") {
            let [_, worker, at, _] = line.split('|').collect::<Vec<_>>()[..] else { continue };
            first.entry(worker.to_owned()).or_insert(at.parse().expect("seconds"));
        }
        let times: Vec<f64> = first.into_values().collect();
        eprintln!("{times:?}");
        helped += usize::from(matches!(times[..], [one, other] if (one - other).abs() < 0.05));
    }
    assert!(helped > ROUNDS / 2, "helped at once in {helped} of {ROUNDS} rounds");
    server.stop();
}
