//! Registrations of many local users, with many changes at random.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use serde_json::Value;

use crate::local_registrations::{DOMAIN, builder, follow, registration};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::registrar::UserPhone;
use crate::support::shm::Shm;
use crate::support::wait::{SOON, eventually};

/// What the pool of small blocks takes from shared memory at a time.
const CHUNK: i64 = 256 * 1024;

/// A thousand users whose phones register and unregister at random, while subscribers come and go: no state is wrong at the end.
#[test]
fn a_thousand_users_at_random_have_the_right_state_at_the_end() {
    const USERS: usize = 1000;
    const THREADS: usize = 4;
    let server = builder().children(4).shm_megabytes(64).tlsf().start();
    let user = |number: usize| format!("user{number}");
    let mut phones: Vec<UserPhone> = (0..THREADS).map(|_| UserPhone::of("nobody", DOMAIN)).collect();
    let mut mark = Mark::default();
    let mut round = || {
        let ids: Vec<u64> = (0..USERS).map(|number| follow(&server, &user(number), "sip:w@example.com")).collect();
        let registered: BTreeMap<usize, BTreeSet<String>> = thread::scope(|scope| {
            let workers: Vec<_> = (phones.iter_mut().enumerate())
                .map(|(at, phone)| {
                    let server = &server;
                    scope.spawn(move || churn(server, phone, (at..USERS).step_by(THREADS)))
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
        });
        let mut last: BTreeMap<u64, Option<BTreeSet<String>>> = BTreeMap::new();
        eventually(SOON * 6, "each follower has the state", || {
            last.extend(server.log().next(&mut mark, "REG {").iter().map(|line| active(line)));
            let is_right =
                |(number, id): (usize, &u64)| last.get(id).and_then(Option::as_ref) == Some(&registered[&number]);
            ids.iter().enumerate().all(is_right).then_some(())
        });
        for number in 0..USERS {
            let phone = &mut phones[number % THREADS];
            phone.aor = format!("sip:{}@{DOMAIN}", user(number));
            assert_eq!(phone.register_with(&server, &["*"], &[("Expires", "0")]), 200);
        }
        server.end_all(&ids);
    };
    round();
    let base = Shm::at_rest(&server);
    round();
    // Queues may have grown a little more than before: less than what a few users would take. And the pool of small blocks keeps one empty
    // chunk or none; of the blocks themselves none more is in use.
    let last = eventually(SOON * 3, "the memory of all users is free again", || {
        let now = Shm::at_rest(&server);
        ((now.bytes() - base.bytes()).abs() < CHUNK + 4096).then_some(now)
    });
    assert_eq!(last.by_line()["presence_b2b small blocks"], base.by_line()["presence_b2b small blocks"]);
    server.stop();
}

/// The subscription of a message, and the active contacts if there is a registration in it.
fn active(line: &str) -> (u64, Option<BTreeSet<String>>) {
    let (_, text) = line.split_once("REG ").expect("a message");
    let message: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let uri = |contact: &Value| contact["uri"].as_str().map(str::to_owned);
    let contacts = registration(&message)["contacts"].as_array();
    let active =
        contacts.map(|all| all.iter().filter(|contact| contact["state"] == "active").filter_map(uri).collect());
    (message["id"].as_u64().expect("an id"), active)
}

/// Registers and unregisters contacts of these users at random; the contacts that are there in the end.
fn churn(server: &Server, phone: &mut UserPhone, users: impl Iterator<Item = usize>) -> Vec<(usize, BTreeSet<String>)> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let users: Vec<usize> = users.collect();
    let mut all: BTreeMap<usize, BTreeSet<String>> = users.iter().map(|user| (*user, BTreeSet::new())).collect();
    for _ in 0..4 * users.len() {
        let user = users[random(users.len() as u64) as usize];
        phone.aor = format!("sip:user{user}@{DOMAIN}");
        let contact = format!("sip:user{user}@192.0.2.{}", random(3));
        let contacts = all.get_mut(&user).expect("a user");
        match random(8) {
            0 => {
                assert_eq!(phone.register_with(server, &["*"], &[("Expires", "0")]), 200);
                contacts.clear();
            }
            1..=3 => {
                assert_eq!(phone.register_with(server, &[&format!("<{contact}>;expires=0")], &[]), 200);
                contacts.remove(&contact);
            }
            _ => {
                assert_eq!(phone.register_with(server, &[&format!("<{contact}>;expires=600")], &[]), 200);
                contacts.insert(contact);
            }
        }
    }
    all.into_iter().collect()
}
