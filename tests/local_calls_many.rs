//! Calls of local users: many at random, those of the time before a restart, and a server that loses a process.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::chaos::{kill, may_be_killed};
use crate::local_calls::{Call, await_no_call, await_state, builder, follow, lamps, uri};
use crate::support::database;
use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::wait::{SOON, eventually};

/// Calls at random.
const CALLS: u64 = 1000;

/// Phones that call at the same time.
const LINES: u64 = 4;

const USERS: u64 = 12;

fn user(number: u64) -> String {
    format!("user{}", number % USERS)
}

/// A source of random numbers, each different in each run.
struct Dice(u64);

impl Dice {
    fn new() -> Dice {
        Dice(RandomState::new().hash_one("dice"))
    }

    fn throw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// One call from its begin to its end; given back with the answer if it is not ended.
fn one_call(server: &Server, dice: &mut Dice, stays: bool) -> Option<(Call, Received)> {
    let mut call = Call::new(server, &uri(&user(dice.throw(USERS))), &uri(&user(dice.throw(USERS))));
    let arrived = call.ring();
    let course = if stays { 4 } else { dice.throw(6) };
    if course % 2 == 0 {
        call.reply(&arrived, 180);
    }
    match course {
        0 | 1 => {
            call.answer(&arrived, 486);
        }
        2 => {
            assert!(call.caller.wait_for(SOON, |message| message.status() == 180).is_some());
            call.cancel();
            let cancel = call.callee.expect_request("CANCEL", SOON);
            call.callee.reply(&cancel, 200, "OK");
            call.reply(&arrived, 487);
            call.acknowledge();
        }
        _ => {
            let answer = call.answer(&arrived, 200);
            if stays {
                return Some((call, answer));
            }
            call.hang_up(&answer);
        }
    }
    None
}

/// Calls of all kinds between users whose lamps are followed: at the end each lamp shows what is true, and nothing is left.
#[test]
fn of_a_thousand_calls_at_random_no_lamp_is_wrong() {
    let server = builder().children(3).shm_megabytes(64).start();
    let small = |server: &Server| server.trace()["small_blocks"].as_u64().expect("a number");
    // The hub and the registry keep what they have had.
    let warm: Vec<u64> = (0..USERS).map(|number| follow(&server, &user(number))).collect();
    // What waits when its subscription ends is dropped, and none may be.
    eventually(SOON, "the first states", || (server.trace()["delivered"].as_u64() >= Some(USERS)).then_some(()));
    server.end_all(&warm);
    server.await_no_subscription();
    let before = small(&server);
    let mark = server.log().mark();
    let ids: Vec<u64> = (0..USERS).map(|number| follow(&server, &user(number))).collect();
    let next = AtomicU64::new(0);
    let line = || {
        let (mut dice, mut staying) = (Dice::new(), Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= CALLS {
                return staying;
            }
            staying.extend(one_call(&server, &mut dice, number % 150 == 149));
        }
    };
    let staying: Vec<(Call, Received)> = thread::scope(|scope| {
        let lines: Vec<_> = (0..LINES).map(|_| scope.spawn(line)).collect();
        lines.into_iter().flat_map(|line| line.join().expect("no failure")).collect()
    });
    assert_eq!(staying.len() as u64, CALLS / 150);
    let mut expected: BTreeMap<String, &str> = (0..USERS).map(|number| (uri(&user(number)), "terminated")).collect();
    for (call, _) in &staying {
        for header in ["From", "To"] {
            expected.insert(call.invite.uri_in(header).expect("a URI").to_owned(), "confirmed");
        }
    }
    let newest = || -> BTreeMap<String, String> {
        lamps(&server, mark).into_iter().map(|lamp| (lamp.record, lamp.state)).collect()
    };
    eventually(SOON * 2, "each lamp is right", || {
        newest().iter().all(|(user, state)| expected.get(user).copied() == Some(state)).then_some(())
    });
    eventually(SOON, "only the calls that stay are followed", || {
        (server.trace()["calls"] == staying.len()).then_some(())
    });
    for (call, answer) in staying {
        call.hang_up(&answer);
    }
    await_no_call(&server);
    eventually(SOON, "each lamp is out", || newest().values().all(|state| state == "terminated").then_some(()));
    let trace = server.trace();
    assert!(trace["calls_untracked"] == 0 && trace["dropped"] == 0, "{trace}");
    server.end_all(&ids);
    server.await_no_subscription();
    eventually(SOON, &format!("memory is back to {before}"), || (small(&server) <= before).then_some(()));
    server.stop();
}

/// The module dialog loads its calls from a database when the server starts: their lamps are lit, and go out.
#[test]
fn calls_of_the_time_before_a_restart_are_known() {
    let script = |name: &str| {
        let path = format!("/usr/share/kamailio/db_sqlite/{name}-create.sql");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let folder = database::sqlite(&[script("standard"), script("dialog")].concat());
    let with_database = || {
        let server = builder().module("db_sqlite").modparam("dialog", "db_mode", 1);
        server.modparam("dialog", "db_url", database::url(folder.path()))
    };
    let server = with_database().start();
    let ip = server.ip();
    let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
    let arrived = call.ring();
    let answer = call.answer(&arrived, 200);
    call.callee.expect_request("ACK", SOON);
    eventually(SOON, "the call is tracked", || (server.trace()["calls"] == 1).then_some(()));
    server.stop();
    let server = with_database().at(ip).start();
    assert_eq!(server.trace()["calls"], 1);
    let mark = server.log().mark();
    let ids = ["alice", "bob"].map(|user| follow(&server, user));
    let lamp = await_state(&server, mark, "alice", "confirmed");
    assert_eq!((lamp.direction.as_str(), lamp.remote), ("initiator", uri("bob")));
    await_state(&server, mark, "bob", "confirmed");
    call.hang_up(&answer);
    for user in ["alice", "bob"] {
        await_state(&server, mark, user, "terminated");
    }
    await_no_call(&server);
    server.end_all(&ids);
    server.stop();
}

/// Nobody hangs up: the dialog module ends the call.
#[test]
fn a_call_that_lasts_too_long_ends() {
    let server = builder().modparam("dialog", "default_timeout", 2).allow_log("dlg timeout").start();
    let mark = server.log().mark();
    let id = follow(&server, "alice");
    let mut call = Call::new(&server, &uri("alice"), "sip:bob@elsewhere.example.net");
    let arrived = call.ring();
    call.answer(&arrived, 200);
    await_state(&server, mark, "alice", "confirmed");
    await_state(&server, mark, "alice", "terminated");
    await_no_call(&server);
    server.unsubscribe(id);
    server.stop();
}

/// A process that is killed may have held the lock of the calls: the server ends all the same.
#[test]
fn a_server_that_loses_a_process_ends() {
    for victim in ["udp receiver", "presence_b2b worker"] {
        let server = may_be_killed(builder()).start();
        for user in ["alice", "bob"] {
            follow(&server, user);
        }
        let calls: Vec<Call> = (0..4)
            .map(|_| {
                let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
                let arrived = call.ring();
                call.reply(&arrived, 180);
                call
            })
            .collect();
        let left = kill(server, victim);
        assert!(left.is_ok(), "{victim}: {left:?}");
        drop(calls);
    }
}
