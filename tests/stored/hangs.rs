//! A database that does not answer for some seconds.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chaos::{names, one_of};
use crate::chaos_store::desk::Desk;
use crate::chaos_store::ledger::Manners;
use crate::chaos_store::place::{Database, Place};
use crate::support::kamailio::Server;
use crate::support::wait::{SOON, eventually};

const MANY: usize = 3000;

/// What the process that writes may have more of its own, in kB: it takes rows for one statement at a time, and the others wait as marks in
/// shared memory.
const MOST_GROWTH: u64 = 4000;

/// Under load.
const A_WHILE: Duration = Duration::from_secs(60);

fn store(server: &Server) -> Value {
    server.rpc("presence_b2b.store", json!([])).expect("an answer")
}

fn is_settled(server: &Server) -> Option<()> {
    let store = store(server);
    (store["waiting"] == 0 && store["state"] == "good").then_some(())
}

/// The memory of the process that writes, in kB: neither that of the server as a whole, nor files.
fn private_memory(server: &Server) -> u64 {
    let pid = one_of(&names(server), "presence_b2b store");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("our own process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a number");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Subscriptions begin as without a database; what waits to be written takes no memory of the process that cannot write it.
#[test]
fn thousands_subscribe_while_the_database_hangs() {
    let (place, desk) = (Place::new(Database::Postgres, None), Desk::open(Manners { expires: 3600, etags: false }));
    place.make_tables();
    let server = place.configure(Server::eager(100), 1).modparam("db_postgres", "timeout", 10).start();
    let watcher = server.uri("watcher");
    (0..200).for_each(|user| _ = server.subscribe(&desk.uri(&format!("early{user}")), &watcher));
    eventually(A_WHILE, "a first batch is written", || is_settled(&server).filter(|()| store(&server)["rows"] == 200));
    let before = private_memory(&server);
    place.hang();
    (0..MANY).for_each(|user| _ = server.subscribe(&desk.uri(&format!("late{user}")), &watcher));
    eventually(A_WHILE, "each has its SUBSCRIBE", || (desk.ledger().asked.len() >= MANY + 200).then_some(()));
    let waiting = store(&server)["waiting"].as_u64().expect("a number");
    // A batch may be on its way.
    assert!((MANY as u64 - 500..=MANY as u64 + 200).contains(&waiting), "{waiting}");
    let hung = private_memory(&server);
    assert!(hung <= before + MOST_GROWTH, "{before} kB before, {hung} kB while it hangs");
    place.resume();
    eventually(A_WHILE, "all is written", || is_settled(&server));
    assert_eq!(place.rows("SELECT count(*) FROM presence_b2b_subscriptions"), Ok(format!("{}\n", MANY + 200)));
    let after = private_memory(&server);
    assert!(after <= before + MOST_GROWTH, "{before} kB before, {after} kB afterwards");
    eprintln!(
        "private memory of the store: {before} kB before, {hung} kB while it hangs, {after} kB afterwards; {waiting} waited"
    );
    eventually(SOON, "each has its dialog", || {
        (place.rows("SELECT count(*) FROM presence_b2b_subscriptions WHERE state = 'confirmed'")
            == Ok(format!("{}\n", MANY + 200)))
        .then_some(())
    });
    server.stop();
}
