//! What is slow costs its own work only: name servers that do not answer or drip, connections that are not made, peers that
//! do not read, a script that holds the worker. Every other subscription is refreshed and delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::event_route::said;
use crate::support::address::{SIP_PORT, own_ip};
use crate::support::config::Builder;
use crate::support::dns::{NameServer, Record};
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

/// As [`TELL`], with the time.
const TELL_WHEN: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "TOLD|$TV(Sn)|$qsa(record)|$qsa(status)|$qsa(reason)|$qsa(note)|\n");
}"#;

/// One message of [`TELL_WHEN`].
#[derive(Debug)]
struct Told {
    at: f64,
    record: String,
    status: String,
    reason: String,
    note: String,
}

fn all_told(server: &Server, mark: Mark) -> Vec<Told> {
    let parse = |line: &String| {
        let (_, fields) = line.split_once("TOLD|")?;
        let [at, record, status, reason, note, _] = fields.split('|').collect::<Vec<_>>()[..] else { return None };
        let [record, status, reason, note] = [record, status, reason, note].map(str::to_owned);
        Some(Told { at: at.parse().ok()?, record, status, reason, note })
    };
    server.log().since(mark, "TOLD|").iter().filter_map(parse).collect()
}

fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// Seconds from the moment that each note names until it was told, in order.
fn delays(told: &[Told]) -> Vec<f64> {
    let mut delays: Vec<f64> = told.iter().filter_map(|told| Some(told.at - told.note.parse::<f64>().ok()?)).collect();
    delays.sort_by(f64::total_cmp);
    delays
}

fn share(delays: &[f64], of: usize) -> f64 {
    delays[(delays.len() * of / 100).min(delays.len() - 1)]
}

/// Accepts every SUBSCRIBE and tells the time in a NOTIFY, until it is dropped.
struct Good<'n> {
    notifier: &'n Notifier,
    expires: u32,
    dialogs: BTreeMap<String, (Dialog, usize)>,
}

impl<'n> Good<'n> {
    fn new(notifier: &'n Notifier, expires: u32) -> Self {
        Good { notifier, expires, dialogs: BTreeMap::new() }
    }

    /// Until `over`; how often each record was asked for.
    fn serve(mut self, over: &AtomicBool) -> Vec<usize> {
        while !over.load(Ordering::Acquire) {
            let subscribe = |message: &crate::support::sip::Message| message.method() == "SUBSCRIBE";
            let Some(received) = self.notifier.endpoint.wait_for(Duration::from_millis(50), subscribe) else {
                continue;
            };
            let call_id = received.need("Call-ID").to_owned();
            let fresh = || {
                let mut dialog = self.notifier.dialog(&received);
                // Who is asked for by a name is asked by it again.
                dialog.contact = received.uri().to_owned();
                (dialog, 0)
            };
            let (dialog, count) = self.dialogs.entry(call_id).or_insert_with(fresh);
            *count += 1;
            dialog.accept(&received, self.expires);
            dialog.send_notify(told(self.expires, &format!("{:.6}", wall_clock())));
        }
        self.dialogs.into_values().map(|(_, count)| count).collect()
    }
}

fn quick_to_expire(server: Builder, delta: i64) -> Builder {
    let server = server.b2b_param("min_resubscribe_time", 0).b2b_param("resubscribe_delta", delta);
    // What fails is told, and tried again.
    server.b2b_param("on_error_retry_time", 2).b2b_param("failure_backoff_max", 4)
}

fn ipv4(endpoint: &Endpoint) -> Ipv4Addr {
    endpoint.addr().ip().to_string().parse().expect("an IPv4 address")
}

/// 200 names of 200 zones, half of which never get an answer and half of which get it drop by drop, beside 200 good
/// subscriptions, half of them by names whose addresses are good for three seconds.
#[test]
fn dead_names_stop_nobody() {
    const EACH: usize = 200;
    let notifier = Notifier::udp();
    let good_names: Vec<String> = (0..10).map(|number| format!("good{number}.test")).collect();
    let records: Vec<(&str, Record)> =
        good_names.iter().map(|name| (name.as_str(), Record::A(ipv4(&notifier.endpoint)))).collect();
    let names = NameServer::start_with_ttl(&records, 3);
    let server = Server::b2b().name_server(&names).tlsf().shm_megabytes(128).children(4).route(TELL_WHEN);
    let server = quick_to_expire(server, 6)
        .allow_log("could not resolve hostname: \"name.zone")
        .allow_log("failed to resolve \"name.zone")
        .start();
    let subscribe = |record: &str| server.subscribe(record, &server.uri("watcher"));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let serving = scope.spawn(|| Good::new(&notifier, 12).serve(&over));
        // Set also by a failure, so that the thread ends and the failure is shown.
        let _end = SetWhenDropped(&over);
        for number in 0..EACH {
            match number % 2 {
                0 => subscribe(&notifier.uri(&format!("good{number}"))),
                _ => subscribe(&format!("sip:good{number}@{}", good_names[number / 2 % good_names.len()])),
            };
        }
        let active = |told: &Told| told.record.starts_with("sip:good") && told.status == "active";
        let known = |from| all_told(&server, from).into_iter().filter(active).map(|told| told.record);
        let start = Mark::default();
        eventually(SOON, "the good are active", || (known(start).collect::<BTreeSet<_>>().len() == EACH).then_some(()));
        let mark = server.log().mark();
        for number in 0..EACH {
            let kind = if number % 2 == 0 { "silent" } else { "drip" };
            subscribe(&format!("sip:bad@name.zone{number}.{kind}"));
        }
        // Two refreshes of each.
        thread::sleep(Duration::from_secs(14));
        let told = all_told(&server, mark);
        let lapses: Vec<_> =
            told.iter().filter(|told| told.record.starts_with("sip:good") && told.status != "active").collect();
        assert!(lapses.is_empty(), "{} good ones are told {:?}", lapses.len(), lapses.first());
        let mut refreshes = BTreeMap::<&str, usize>::new();
        told.iter().filter(|told| active(told)).for_each(|told| *refreshes.entry(&told.record).or_default() += 1);
        assert_eq!(refreshes.len(), EACH, "each was refreshed");
        assert!(refreshes.values().all(|count| *count >= 2), "each twice: {refreshes:?}");
        let delays = delays(&told);
        eprintln!("told after {:.4} s, 99 % after {:.4} s", share(&delays, 50), share(&delays, 99));
        assert!(share(&delays, 95) < 0.1 && share(&delays, 99) < 0.5, "{:?}", &delays[delays.len() - 10..]);
        let bad: BTreeSet<_> =
            told.iter().filter(|told| told.record.starts_with("sip:bad")).map(|told| &told.record).collect();
        assert_eq!(bad.len(), EACH, "each is told that it is not to be had");
        assert!(told.iter().all(|told| !told.record.starts_with("sip:bad") || told.status == "terminated"));
        over.store(true, Ordering::Release);
        assert!(serving.join().expect("no failure").iter().all(|count| *count >= 3));
    });
    let rows = server.rows("presence_b2b.lookups");
    let slow = |row: &&Value| row["class"] == "slow" && row["failed"].as_u64() > Some(0);
    assert!(rows.iter().filter(slow).count() >= 4, "some have been tried: {rows:?}");
    let quick = |row: &&Value| row["name"].as_str().is_some_and(|name| name.starts_with("good"));
    assert!(rows.iter().filter(quick).all(|row| row["class"] == "quick" && row["failed"] == 0), "{rows:?}");
    server.stop();
}

struct SetWhenDropped<'f>(&'f AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The name servers die under an active subscription: its expiry is reported when it comes.
#[test]
fn a_status_is_told_no_longer_than_it_is_known() {
    let notifier = Notifier::udp();
    let names = NameServer::start_with_ttl(&[("fading.test", Record::A(ipv4(&notifier.endpoint)))], 1);
    let server = quick_to_expire(Server::b2b().name_server(&names).route(TELL), 3)
        .allow_log("could not resolve hostname: \"fading.test\"")
        .allow_log("failed to resolve \"fading.test\"")
        .start();
    let watch = Watch::begin(&server, "sip:alice@fading.test");
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 7);
    let expires = Instant::now() + Duration::from_secs(7);
    // Its refresh needs the name again.
    dialog.contact = "sip:alice@fading.test".to_owned();
    assert_eq!(dialog.notify(told(7, "first")).status(), 200);
    watch.await_note("first");
    names.fall_silent();
    let news = watch.await_news("the end", |news| news.reason == "expired");
    let late = Instant::now().saturating_duration_since(expires);
    assert_eq!(news.status, "terminated");
    // Sooner than the resolver gives up.
    assert!(late < Duration::from_secs(3), "{late:?} late");
    watch.unsubscribe();
    server.await_no_subscription();
    server.stop();
}

/// What the name server has told is in the server's cache: the next SUBSCRIBE leaves from a worker. Without a cache each goes
/// through the resolvers.
#[test]
fn a_name_is_looked_up_once_for_all() {
    for (cache, lookups) in [("on", 1), ("off", 3)] {
        let notifier = Notifier::udp();
        let names = NameServer::start(&[("good.test", Record::A(ipv4(&notifier.endpoint)))]);
        let server = Server::b2b().name_server(&names).global(&format!("use_dns_cache={cache}")).route(TELL).start();
        for number in 0..3 {
            let record = format!("sip:r{number}@good.test:{SIP_PORT}");
            server.subscribe(&record, &server.uri("watcher"));
            assert_eq!(notifier.expect_subscribe(SOON).uri(), record);
        }
        if cache == "on" {
            let rows = server.rpc("presence_b2b.lookups", json!([])).expect("lookups");
            assert_eq!((&rows[0]["name"], &rows[0]["lookups"]), (&json!("good.test"), &json!(lookups)), "{rows}");
        }
        server.stop();
    }
}

/// A listener that takes no more connections: the kernel drops the SYNs.
fn black_hole() -> (Socket, Vec<Socket>, SocketAddr) {
    let addr = SocketAddr::from((own_ip(), SIP_PORT));
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&addr.into()).expect("an own address");
    listener.listen(0).expect("it listens");
    let mut fillers = Vec::new();
    for _ in 0..8 {
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let is_full = filler.connect_timeout(&addr.into(), Duration::from_millis(300)).is_err();
        fillers.push(filler);
        if is_full {
            return (listener, fillers, addr);
        }
    }
    panic!("the kernel takes every connection");
}

/// A resolver that still writes while the server stops finds the process for connections gone.
fn may_end_writing(server: Builder) -> Builder {
    server.allow_log("send_all(): send on").allow_log("tcpconn_send_put(): tcp_main command")
}

/// Twenty good subscriptions are refreshed and told in time beside the bad ones; all that was told.
fn goes_on(server: &Server, notifier: &Notifier, bad: &[String]) -> Vec<Told> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let serving = scope.spawn(|| Good::new(notifier, 4).serve(&over));
        let _end = SetWhenDropped(&over);
        let mark = server.log().mark();
        for number in 0..20 {
            server.subscribe(&notifier.uri(&format!("good{number}")), &server.uri("watcher"));
        }
        for record in bad {
            server.subscribe(record, &server.uri("watcher"));
        }
        thread::sleep(Duration::from_secs(8));
        let all = all_told(server, mark);
        over.store(true, Ordering::Release);
        let counts = serving.join().expect("no failure");
        assert_eq!(counts.len(), 20, "no dialog was lost");
        assert!(counts.iter().all(|count| *count >= 3), "{counts:?}");
        let good = |told: &&Told| told.record.starts_with("sip:good");
        assert!(all.iter().filter(good).all(|told| told.status == "active"), "{all:?}");
        let delays = delays(&all);
        assert!(share(&delays, 95) < 0.1, "{delays:?}");
        all
    })
}

#[test]
fn connections_that_are_not_made_stop_nobody() {
    let (_listener, _fillers, addr) = black_hole();
    let notifier = Notifier::udp();
    let server = Server::b2b().global("tcp_async=no").global("tcp_connect_timeout=3").b2b_param("workers", 1);
    let server = server.gives_up_after(2000);
    let server = may_end_writing(quick_to_expire(server.route(TELL_WHEN), 2).bad_connections()).start();
    let bad: Vec<_> = (0..10).map(|number| format!("sip:bad{number}@{addr};transport=tcp")).collect();
    let all = goes_on(&server, &notifier, &bad);
    let told: BTreeSet<_> =
        all.iter().filter(|told| told.record.starts_with("sip:bad")).map(|told| &told.record).collect();
    assert_eq!(told.len(), bad.len(), "each is told: {told:?}");
    server.stop();
}

/// It accepts and never reads: once the buffers are full, a process that writes to it waits.
#[test]
fn a_peer_that_does_not_read_stops_nobody() {
    let addr = SocketAddr::from((own_ip(), SIP_PORT));
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.set_recv_buffer_size(2048).expect("a small buffer");
    listener.bind(&addr.into()).expect("an own address");
    listener.listen(16).expect("it listens");
    let notifier = Notifier::udp();
    let padding = format!("X-Padding: {}\r\n", "x".repeat(20_000));
    let server = Server::b2b()
        .tlsf()
        .global("tcp_async=no")
        .global("tcp_send_timeout=3")
        .b2b_param("workers", 1)
        .route(TELL_WHEN);
    let server = server.b2b_param("additional_presence_headers", padding.as_str()).shm_megabytes(128);
    let server = may_end_writing(quick_to_expire(server, 2).bad_connections()).start();
    let bad: Vec<_> = (0..300).map(|number| format!("sip:bad{number}@{addr};transport=tcp")).collect();
    let taking = thread::spawn(move || {
        let taken: Vec<_> = (0..1).map_while(|_| listener.accept().ok()).collect();
        (listener, taken)
    });
    let all = goes_on(&server, &notifier, &bad);
    // 6.1 gives the connection up in that time, and the breaker opens.
    let reasons = ["waiting for name or connection", "destination does not answer"];
    let waits = all.iter().filter(|told| reasons.contains(&told.reason.as_str())).count();
    assert!(waits > 0, "the buffers are full, and the others wait");
    // The one that is being written is waited for.
    server.stop();
    // One more connection, in case none was made.
    let _ = TcpStream::connect(addr);
    let _ = taking.join();
}

/// The script holds the only worker: what is due is done all the same.
#[test]
fn a_script_that_holds_the_worker_delays_no_deadline() {
    const GATED: &str = r#"event_route[qsa:notify] {
        if ($shv(gate) == 1) xlog("L_NOTICE", "AT THE GATE\n");
        while ($shv(gate) == 1) usleep("2000");"#;
    let server = Server::b2b().module("cfgutils").modparam("pv", "shvset", "gate=i:0");
    let server = server.global("max_while_loops=1000000").b2b_param("workers", 1);
    let server = server.route(&TELL.replacen("event_route[qsa:notify] {", GATED, 1));
    let server = server.b2b_param("min_resubscribe_time", 0).b2b_param("resubscribe_delta", 3).start();
    let notifier = Notifier::udp();
    let (alice, bob) = (notifier.uri("alice"), notifier.uri("bob"));
    let (alice, bob) = (Watch::begin(&server, &alice), Watch::begin(&server, &bob));
    let [first, second] = [(); 2].map(|()| notifier.expect_subscribe(SOON));
    let (of_alice, of_bob) = if first.uri().contains("alice") { (first, second) } else { (second, first) };
    let mut dialog = notifier.accept(&of_bob, 5);
    assert_eq!(dialog.notify(told(5, "b1")).status(), 200);
    bob.await_note("b1");
    server.rpc("pv.shvSet", json!(["gate", "int", 1])).expect("the gate");
    let mark = server.log().mark();
    let mut blocking = notifier.accept(&of_alice, 600);
    assert_eq!(blocking.notify(told(600, "a1")).status(), 200);
    eventually(SOON, "the worker waits", || (!server.log().since(mark, "AT THE GATE").is_empty()).then_some(()));
    let refresh = dialog.expect_subscribe(SOON);
    dialog.accept(&refresh, 5);
    assert_eq!(dialog.notify(Notify::active(2)).status(), 200);
    // This one is not answered: after two seconds it is over, and shown so.
    server.show_when(bob.id, "it has expired or is asked for", |shown| {
        shown["state"] == "resubscription" || shown["status"] == "terminated"
    });
    assert!(bob.news().iter().all(|news| news.status == "active"), "the script is still at the gate");
    server.rpc("pv.shvSet", json!(["gate", "int", 0])).expect("the gate");
    alice.await_note("a1");
    server.stop();
}

/// A worker takes over the server's parameters that are changed while it runs. Most numbers of the server's own are changed in
/// place, where every process sees them at once; those of the script are not.
#[test]
fn a_parameter_of_the_server_changed_at_run_time_is_seen_by_workers() {
    let notifier = Notifier::udp();
    let tell = TELL.replacen('{', "{\n    xlog(\"L_NOTICE\", \"LEVEL $sel(cfg_get.lamp.level).END\\n\");", 1);
    let server = Server::b2b().module("cfg_rpc").b2b_param("workers", 1);
    let server = server.route("lamp.level = 1 desc \"how bright\"").route(&tell).start();
    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    assert_eq!(said(&server, Mark::default(), "LEVEL "), "1");
    server.rpc("cfg.set_now_int", json!(["lamp", "level", 2])).expect("the script's own parameter");
    let mark = server.log().mark();
    assert_eq!(dialog.notify(told(600, "brighter")).status(), 200);
    watch.await_note("brighter");
    assert_eq!(said(&server, mark, "LEVEL "), "2");
    server.stop();
}
