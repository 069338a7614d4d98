//! The server ends in time, whichever of its processes is killed at whatever moment.

use std::collections::BTreeMap;
use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::call::Call;
use crate::support::config::Builder;
use crate::support::dns::NameServer;
use crate::support::endpoint::Endpoint;
use crate::support::hang::Left;
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier};
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::told;

/// How many moments are tried; the environment can ask for more (`make chaos`).
const MOMENTS: usize = 36;
const MOMENTS_VARIABLE: &str = "PRESENCE_B2B_MOMENTS";

/// How many servers run side by side.
const AT_A_TIME: usize = 4;

/// How long the end may take.
const END: Duration = Duration::from_secs(10);

/// The process to kill: a part of its name. The first ones are busiest.
const VICTIMS: [&str; 9] = [
    "udp receiver",
    "presence_b2b worker",
    "presence_b2b resolver",
    "udp receiver",
    "tcp receiver",
    "tcp main",
    "slow timer",
    "timer",
    "JSONRPCS",
];

/// A proxy that keeps calls.
fn route(on_notify: &str, on_call: &str) -> String {
    format!(
        r#"
request_route {{
    if (is_method("NOTIFY")) {{
        {on_notify}
        exit;
    }}
    if (has_totag()) {{
        loose_route();
        t_relay();
        exit;
    }}
    record_route();
    dlg_manage();
    {on_call}
    t_relay();
}}
"#
    )
}

/// It subscribes for each call.
fn b2b_route() -> String {
    route(
        r#"if (!handle_notify()) sl_send_reply("481", "Subscription does not exist");"#,
        r#"b2b_subscribe("$hdr(X-Record)", "sip:watcher@{ip}", "presence", "d");"#,
    )
}

/// Without the module, the server answers NOTIFYs in transactions as the module does.
fn plain_route() -> String {
    route(r#"if (t_newtran()) t_reply("200", "OK");"#, "")
}

/// Any process may be killed, whatever it is doing: in a lock, in an allocator, in a call of a flag-`d` subscription. The others end, and
/// the main process does not wait for a lock of the module.
#[test]
fn whoever_is_killed_the_server_ends() {
    let asked = env::var(MOMENTS_VARIABLE).ok().map(|text| text.parse().expect("a number of moments"));
    let moments = asked.unwrap_or(MOMENTS);
    let hangs = try_moments(moments, &kill_one_of_ours);
    let (ours, hosts): (Vec<_>, Vec<_>) = hangs.iter().partition(|hang| hang.left.iter().any(Left::is_ours));
    assert!(ours.is_empty(), "{} of {moments} do not end: {ours:#?}", ours.len());
    // A lock of Kamailio's own that a killed process leaves behind blocks the server's end without the module as well.
    let bound = 2 + moments / 100;
    assert!(hosts.len() <= bound, "{} of {moments} do not end in Kamailio's own code: {hosts:#?}", hosts.len());
    if asked.is_some() {
        let plain = try_moments(moments, &kill_one_without_us);
        say(&format!("with the module {} of {moments} did not end, without it {}", hosts.len(), plain.len()));
        assert!(plain.len() <= bound, "{plain:#?}");
    }
}

/// One that did not end.
#[derive(Debug)]
struct Hang {
    #[expect(dead_code, reason = "to be shown")]
    victim: &'static str,
    left: Vec<Left>,
}

fn try_moments(count: usize, kill_one: &(impl Fn(&'static str) -> Result<(), Vec<Left>> + Sync)) -> Vec<Hang> {
    let (next, hangs) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let try_some = || {
        while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < count) {
            let victim = VICTIMS[number % VICTIMS.len()];
            if let Err(left) = kill_one(victim) {
                let hang = Hang { victim, left };
                say(&format!("NOT ENDED: {hang:?}"));
                hangs.lock().expect("no failure").push(hang);
            }
        }
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(try_some)).collect();
        all.into_iter().for_each(|one| one.join().expect("no failure"));
    });
    hangs.into_inner().expect("no failure")
}

/// Past the capture of the test runner.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(Instant::now()) % below
}

/// What a server says when one of its processes is killed.
pub fn may_be_killed(server: Builder) -> Builder {
    let server = server.allow_log("exited by a signal 9").allow_log("core was not generated");
    // Of processes that lose the process for connections, or the main one.
    server.bad_connections().allow_log("send_all(): send on").allow_log("handle_io(): ")
}

fn kill_one_of_ours(victim: &'static str) -> Result<(), Vec<Left>> {
    let (names, notifier) = (NameServer::start(&[]), Notifier::udp());
    let server = may_be_killed(Server::b2b().keeps_calls().name_server(&names).shm_megabytes(64));
    let server = server.allow_log("could not resolve hostname").allow_log("failed to resolve");
    let server = server.b2b_param("min_resubscribe_time", 0).b2b_param("resubscribe_delta", 1).b2b_param("shards", 4);
    let server = server.route(&b2b_route()).route(TELL).start();
    let mut calls = [(); 2].map(|()| Call::between(&server));
    let waits_for_names = random(3) == 0;
    while_at_work(&notifier, || {
        for (number, call) in calls.iter_mut().enumerate() {
            let arrived = call.ring(&notifier.uri(&format!("call{number}")));
            call.answer(&arrived, 200);
        }
        for number in 0..40 {
            server.subscribe(&notifier.uri(&format!("record{number}")), &server.uri("watcher"));
        }
        for number in 0..4 {
            if waits_for_names {
                server.subscribe(&format!("sip:record@name{number}.silent"), &server.uri("watcher"));
            }
        }
        kill(server, victim)
    })
}

fn kill_one_without_us(victim: &'static str) -> Result<(), Vec<Left>> {
    let victim = if victim.contains("presence_b2b") { "udp receiver" } else { victim };
    let server = may_be_killed(Server::builder().keeps_calls().shm_megabytes(64)).route(&plain_route()).start();
    let mut calls = [(); 2].map(|()| Call::between(&server));
    for call in &mut calls {
        let arrived = call.ring("");
        call.answer(&arrived, 200);
    }
    let (over, peer, addr) = (AtomicBool::new(false), Endpoint::udp(), server.addr());
    thread::scope(|scope| {
        scope.spawn(|| {
            let uri = format!("sip:watcher@{}", addr.ip());
            while !over.load(Ordering::Relaxed) {
                for _ in 0..4 {
                    peer.send(&peer.fresh_request("NOTIFY", &uri, &uri, &uri), addr);
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        let _end = SetWhenDropped(&over);
        kill(server, victim)
    })
}

/// Kills one of those processes some time within half a second.
pub fn kill(server: Server, victim: &str) -> Result<(), Vec<Left>> {
    let names = names(&server);
    let pid = one_of(&names, victim);
    thread::sleep(Duration::from_micros(random(500_000)));
    send_signal(pid, libc::SIGKILL);
    server.ends(END, |pid| names.get(&pid).cloned().unwrap_or_default())
}

/// The server's processes and their names.
pub fn names(server: &Server) -> BTreeMap<u32, String> {
    let list = server.rpc("core.psx", json!([])).expect("core.psx");
    let named = |process: &serde_json::Value| {
        let pid = process["PID"].as_u64().expect("a number");
        (u32::try_from(pid).expect("a pid"), process["DSC"].as_str().expect("a name").to_owned())
    };
    list.as_array().expect("a list").iter().map(named).collect()
}

/// Any process whose name has that part.
pub fn one_of(names: &BTreeMap<u32, String>, part: &str) -> u32 {
    let is_one = |name: &str| if part == "timer" { name == part } else { name.contains(part) };
    let pids: Vec<u32> = names.iter().filter(|(_, name)| is_one(name)).map(|(pid, _)| *pid).collect();
    *pids.get(random(pids.len() as u64) as usize).unwrap_or_else(|| panic!("a {part} in {names:?}"))
}

pub fn send_signal(pid: u32, signal: i32) {
    // SAFETY: a plain system call; the process is one of a server of this test.
    unsafe { libc::kill(pid as i32, signal) };
}

struct SetWhenDropped<'f>(&'f AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Every SUBSCRIBE is accepted for 2 seconds, so that it is refreshed each second, and NOTIFYs are sent as fast as possible.
fn while_at_work<R>(notifier: &Notifier, work: impl FnOnce() -> R) -> R {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut dialogs: Vec<Dialog> = Vec::new();
            let mut turn = 0;
            let is_subscribe = |message: &Message| message.method() == "SUBSCRIBE";
            while !over.load(Ordering::Acquire) {
                while let Some(received) = notifier.endpoint.wait_for(Duration::from_micros(200), is_subscribe) {
                    match dialogs.iter().find(|dialog| dialog.call_id == received.need("Call-ID")) {
                        Some(dialog) => dialog.accept(&received, 2),
                        None => dialogs.push(notifier.accept(&received, 2)),
                    }
                }
                for _ in 0..dialogs.len().min(4) {
                    turn = (turn + 1) % dialogs.len();
                    dialogs[turn].send_notify(told(2, "news"));
                }
            }
        });
        let _end = SetWhenDropped(&over);
        work()
    })
}

/// A SIP worker is killed in the middle of a step, with the lock of the only shard. Others wait for that lock, and the module dialog
/// tells the end of its calls while the server ends: all of them end, and nobody aborts.
#[test]
fn a_lock_of_the_killed_holds_up_nobody() {
    let notifier = Notifier::udp();
    let server = may_be_killed(Server::b2b().keeps_calls().children(1)).b2b_param("shards", 1);
    // While a process is stopped, answers may come too late.
    let server = server.allow_log("jsonrpcs_fifo.c").b2b_param("min_resubscribe_time", 0);
    let server = server.b2b_param("resubscribe_delta", 1).route(&b2b_route()).route(TELL).start();
    let names = names(&server);
    let mut call = Call::between(&server);
    while_at_work(&notifier, || {
        let arrived = call.ring(&notifier.uri("call"));
        call.answer(&arrived, 200);
        let id = server.subscribe(&notifier.uri("record"), &server.uri("watcher"));
        server.await_shown(id, "state", "confirmed");
        let worker = one_of(&names, "udp receiver");
        let asked = one_of(&names, "JSONRPCS");
        let in_lock = || {
            stop(worker);
            let mut waits = Left::process(asked, "");
            let answer = server.rpc_while("presence_b2b.show", json!([id]), || {
                waits = Left::process(asked, "");
                !waits.waits_for_lock()
            });
            let is_in_lock = answer.is_none() && waits.waits_in_module();
            if !is_in_lock {
                send_signal(worker, libc::SIGCONT);
            }
            is_in_lock.then_some(())
        };
        // A matter of luck: a step holds the lock for a few microseconds.
        eventually(20 * SOON, "the worker is stopped in the middle of a step", in_lock);
        eventually(SOON, "one of our own waits for that lock", || {
            let left = Left::process(one_of(&names, "presence_b2b worker"), "");
            (left.waits_for_lock() && left.waits_in_module()).then_some(())
        });
        send_signal(worker, libc::SIGKILL);
        let left = server.ends(END, |pid| names.get(&pid).cloned().unwrap_or_default());
        assert!(left.is_ok(), "{left:#?}");
    });
}

/// Stops a process; returns when it is stopped.
pub fn stop(pid: u32) {
    send_signal(pid, libc::SIGSTOP);
    let is_stopped = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')).then_some(())
    };
    eventually(SOON, "it is stopped", is_stopped);
}

/// Without its main process the children of Kamailio keep running, with the module as without it. A service manager that
/// ends them need not wait for the module's.
#[test]
fn the_children_end_without_the_main_process() {
    let notifier = Notifier::udp();
    let server = may_be_killed(Server::b2b().b2b_param("min_resubscribe_time", 0).b2b_param("resubscribe_delta", 1));
    let server = server.route(TELL).start();
    while_at_work(&notifier, || {
        for number in 0..10 {
            server.subscribe(&notifier.uri(&format!("record{number}")), &server.uri("watcher"));
        }
        send_signal(server.pid(), libc::SIGKILL);
        let before = server.log().mark();
        // They keep running.
        eventually(SOON, "news", || (!server.log().since(before, "NEWS|").is_empty()).then_some(()));
        server.signal_all(libc::SIGTERM);
        let left = server.ends(END, |_| String::new());
        assert!(left.is_ok(), "{left:#?}");
    });
}
