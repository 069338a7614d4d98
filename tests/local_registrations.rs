//! Registrations of local users as a notifier: package `reg` without SIP, against Kamailio's registrar.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use serde_json::{Value, json};

use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::registrar::{UserPhone, location_database};
use crate::support::shm::{Shm, leaves_nothing};
use crate::support::wait::{SOON, eventually};

const DOMAIN: &str = "example.com";

/// Each message as JSON, in one line.
const TELL: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "REG $qsa(json)\n");
}"#;

const ROUTE: &str = r#"
request_route {
    if (is_method("REGISTER")) {
        save("location");
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}
"#;

fn builder() -> Builder {
    let server = Server::b2b().registrar().modparam("xlog", "buf_size", 65_000);
    server.b2b_param("local_domains", DOMAIN).route(ROUTE).route(TELL)
}

/// Subscribes to the registrations of a user; the id.
fn follow(server: &Server, user: &str, subscriber: &str) -> u64 {
    let record = format!("sip:{user}@{DOMAIN}");
    server.rpc("presence_b2b.subscribe", json!([record, subscriber, "reg"])).expect("an id").as_u64().expect("a number")
}

/// The messages of a subscription.
fn told(server: &Server, id: u64) -> Vec<Value> {
    let lines = server.log().since(Mark::default(), "REG {");
    let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line.split_once("REG ")?.1).ok());
    parsed.filter(|message| message["id"] == id).collect()
}

/// The registration in a message.
fn registration(message: &Value) -> &Value {
    &message["document"]["registrations"][0]
}

/// Waits for the message of a subscription at this place, and gives its registration: versions go up by one.
fn nth(server: &Server, id: u64, place: usize) -> Value {
    let message = eventually(SOON, &format!("message {place} of {id}"), || told(server, id).into_iter().nth(place));
    assert_eq!(message["document"]["version"], place, "{message}");
    assert_eq!(message["document"]["state"], "full", "{message}");
    assert_eq!(message["status"], "active", "{message}");
    registration(&message).clone()
}

/// State of the registration, and event of each contact by its URI.
fn events(registration: &Value) -> (String, BTreeMap<String, String>) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let contacts = registration["contacts"].as_array().expect("contacts");
    let all = contacts.iter().map(|contact| {
        let ends = contact["state"] == "terminated";
        let event = text(&contact["event"]);
        assert_eq!(ends, event == "expired" || event == "unregistered", "{contact}");
        (text(&contact["uri"]), event)
    });
    (text(&registration["state"]), all.collect())
}

fn of(contacts: &[(&str, &str)]) -> BTreeMap<String, String> {
    contacts.iter().map(|(uri, event)| ((*uri).to_owned(), (*event).to_owned())).collect()
}

#[test]
fn a_registration_is_told_from_its_begin_to_its_end() {
    let server = builder().start();
    let (mut desk, mut mobile) = (UserPhone::of("alice", DOMAIN), UserPhone::of("alice", DOMAIN));
    let [one, two] = [desk.contact(), mobile.contact()];
    leaves_nothing(&server, || {
        let id = follow(&server, "alice", "sip:watcher@example.com");
        assert_eq!(events(&nth(&server, id, 0)), ("init".to_owned(), of(&[])));
        desk.register(&server, 600, &[]);
        let first = nth(&server, id, 1);
        assert_eq!(events(&first), ("active".to_owned(), of(&[(&one, "registered")])));
        desk.register(&server, 500, &[]);
        let second = nth(&server, id, 2);
        assert_eq!(events(&second), ("active".to_owned(), of(&[(&one, "refreshed")])));
        let [before, after] = [&first, &second].map(|registration| &registration["contacts"][0]);
        assert_eq!((&before["id"], &before["call_id"]), (&after["id"], &after["call_id"]), "the same contact");
        let cseq = |contact: &Value| contact["cseq"].as_u64().expect("a number");
        assert_eq!(cseq(before) + 1, cseq(after));
        let expires = |contact: &Value| contact["expires"].as_u64().expect("a number");
        assert!((590..=600).contains(&expires(before)) && (490..=500).contains(&expires(after)), "{before} {after}");
        assert_eq!((&first["id"], &first["aor"]), (&second["id"], &json!("sip:alice@example.com")));

        mobile.register(&server, 600, &[]);
        let both = of(&[(&one, "registered"), (&two, "registered")]);
        assert_eq!(events(&nth(&server, id, 3)), ("active".to_owned(), both.clone()));
        // Who comes later is told the state at once, and the others are not told again.
        let late = follow(&server, "alice", "sip:late@example.com");
        assert_eq!(events(&nth(&server, late, 0)), ("active".to_owned(), both));
        desk.register(&server, 0, &[]);
        let left = of(&[(&one, "unregistered"), (&two, "registered")]);
        assert_eq!(events(&nth(&server, id, 4)), ("active".to_owned(), left.clone()));
        assert_eq!(events(&nth(&server, late, 1)), ("active".to_owned(), left));
        mobile.register(&server, 0, &[]);
        let none = ("terminated".to_owned(), of(&[(&two, "unregistered")]));
        assert_eq!([events(&nth(&server, id, 5)), events(&nth(&server, late, 2))], [none.clone(), none]);
        let later = follow(&server, "alice", "sip:later@example.com");
        assert_eq!(events(&nth(&server, later, 0)), ("init".to_owned(), of(&[])));
        assert_eq!([id, late, later].map(|id| told(&server, id).len()), [6, 3, 1]);
        server.end_all(&[id, late, later]);
    });
    server.stop();
}

/// Several contacts in one REGISTER, with their parameters; then `*`.
#[test]
fn all_of_a_contact_is_told() {
    let server = builder().start();
    let mut phone = UserPhone::of("bob", DOMAIN);
    let instance = r#"+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id=1"#;
    let one = format!("<sip:bob@192.0.2.7:5070;transport=tcp>;q=0.5;{instance}");
    let two = "<sip:b&b@192.0.2.8;x=a'b>;q=1;expires=60";
    leaves_nothing(&server, || {
        let status =
            phone.register_with(&server, &[&one, two], &[("Expires", "90"), ("Supported", "gruu, outbound, path")]);
        assert_eq!(status, 200);
        let id = follow(&server, "Bob", "sip:watcher@example.com");
        let registration = nth(&server, id, 0);
        assert_eq!(registration["aor"], "sip:Bob@example.com");
        let contacts = registration["contacts"].as_array().expect("contacts");
        let find = |part: &str| {
            let found = contacts.iter().find(|contact| contact["uri"].as_str().is_some_and(|uri| uri.contains(part)));
            found.unwrap_or_else(|| panic!("no {part}: {registration}"))
        };
        let (gruu, plain) = (find("192.0.2.7"), find("192.0.2.8"));
        assert_eq!((&gruu["q"], &gruu["uri"]), (&json!(0.5), &json!("sip:bob@192.0.2.7:5070;transport=tcp")));
        assert_eq!(gruu["pub_gruu"], "sip:Bob@example.com;gr=urn:uuid:00000000-0000-1000-8000-000A95A0E128");
        let params = gruu["unknown_params"].to_string();
        assert!(params.contains("+sip.instance") && params.contains("reg-id"), "{params}");
        assert_eq!((&plain["q"], &plain["uri"]), (&json!(1.0), &json!("sip:b&b@192.0.2.8;x=a'b")));
        assert_eq!(plain["pub_gruu"], Value::Null);
        assert_eq!(phone.register_with(&server, &["*"], &[("Expires", "0")]), 200);
        let (state, gone) = events(&nth(&server, id, 1));
        assert_eq!((state.as_str(), gone.len()), ("terminated", 2), "{gone:?}");
        assert!(gone.values().all(|event| event == "unregistered"), "{gone:?}");
        server.end_all(&[id]);
    });
    server.stop();
}

/// In memory, with each change in the database at once, and with changes that wait for a timer: there a contact that was taken away is said
/// to have expired as well.
#[test]
fn contacts_expire_once_in_each_mode_of_the_database() {
    for mode in 0..=2 {
        let (_dir, url) = location_database();
        let server = builder().children(1).module("db_sqlite").modparam("usrloc", "db_url", url);
        let server = server.modparam("usrloc", "db_mode", mode).start();
        let mut phone = UserPhone::of("alice", DOMAIN);
        let contact = phone.contact();
        leaves_nothing(&server, || {
            let id = follow(&server, "alice", "sip:watcher@example.com");
            nth(&server, id, 0);
            phone.register(&server, 1, &[]);
            nth(&server, id, 1);
            let expired = ("terminated".to_owned(), of(&[(&contact, "expired")]));
            assert_eq!(events(&nth(&server, id, 2)), expired, "db_mode {mode}");
            phone.register(&server, 600, &[]);
            assert_eq!(events(&nth(&server, id, 3)), ("active".to_owned(), of(&[(&contact, "registered")])));
            // Perhaps the timer writes it into the database, and perhaps not.
            thread::sleep(std::time::Duration::from_millis(1200));
            phone.register(&server, 0, &[]);
            let gone = ("terminated".to_owned(), of(&[(&contact, "unregistered")]));
            assert_eq!(events(&nth(&server, id, 4)), gone, "db_mode {mode}");
            thread::sleep(std::time::Duration::from_millis(2200));
            assert_eq!(told(&server, id).len(), 5, "db_mode {mode}: the timer says nothing new");
            server.end_all(&[id]);
        });
        server.stop();
    }
}

/// What the location service reads from its database at the start comes without a word.
#[test]
fn contacts_of_the_time_before_a_restart_are_known() {
    let (_dir, url) = location_database();
    let with = |server: Builder| {
        server
            .children(1)
            .module("db_sqlite")
            .modparam("usrloc", "db_url", url.clone())
            .modparam("usrloc", "db_mode", 1)
    };
    let server = with(builder()).start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    phone.register(&server, 600, &[]);
    server.stop();
    let server = with(builder()).start();
    let id = follow(&server, "alice", "sip:watcher@example.com");
    assert_eq!(events(&nth(&server, id, 0)), ("active".to_owned(), of(&[(&phone.contact(), "registered")])));
    server.end_all(&[id]);
    server.stop();
}

/// `db_mode` 3: the package is refused for local users, and the start says so.
#[test]
fn contacts_in_the_database_only_are_refused() {
    let (_dir, url) = location_database();
    let server = builder().module("db_sqlite").modparam("usrloc", "db_url", url).modparam("usrloc", "db_mode", 3);
    let server = server.allow_log("no registrations of").start();
    let lines = server.log().since(Mark::default(), "modparam local_domains");
    assert!(matches!(&lines[..], [line] if line.contains("db_mode of usrloc is 3")), "{lines:?}");
    let fault = server.rpc("presence_b2b.subscribe", json!(["sip:a@example.com", "sip:w@example.com", "reg"]));
    assert!(format!("{fault:?}").contains("or has db_mode 3"), "{fault:?}");
    server.stop();
}

/// Without usrloc as well; a record of another domain goes to its notifier by SIP, and one without a user nowhere.
#[test]
fn what_is_not_local_is_not_answered_here() {
    let server = Server::b2b().b2b_param("local_domains", DOMAIN).allow_log("the module usrloc is not loaded").start();
    let subscribe = |record: &str| server.rpc("presence_b2b.subscribe", json!([record, "sip:w@example.com", "reg"]));
    assert!(format!("{:?}", subscribe("sip:a@example.com")).contains("usrloc is not loaded"));
    assert!(format!("{:?}", subscribe("sip:example.com")).contains("names no user"));
    let id = subscribe("sip:a@127.0.0.1:9").expect("an id").as_u64().expect("a number");
    assert_ne!(server.show(id)["state"], "local");
    server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it ends");
    server.stop();
}

/// A fetch is told one state, and is over.
#[test]
fn a_fetch_is_told_once() {
    let server = builder().start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    leaves_nothing(&server, || {
        phone.register(&server, 600, &[]);
        let asked = json!(["sip:alice@example.com", "sip:w@example.com", "reg", "fetch"]);
        let id = server.rpc("presence_b2b.subscribe", asked).expect("an id").as_u64().expect("a number");
        let message =
            eventually(SOON, "the state", || told(&server, id).into_iter().find(|it| !it["document"].is_null()));
        assert_eq!(events(registration(&message)), ("active".to_owned(), of(&[(&phone.contact(), "registered")])));
        server.await_no_subscription();
        phone.register(&server, 0, &[]);
    });
    server.stop();
}

/// A thousand users, whose phones do at random what phones do, while others come and go as subscribers: no state is wrong at the end.
#[test]
fn a_thousand_users_at_random_have_the_right_state_at_the_end() {
    const USERS: usize = 1000;
    const THREADS: usize = 4;
    let server = builder().children(4).shm_megabytes(64).tlsf().start();
    let user = |number: usize| format!("user{number}");
    let mut phones: Vec<UserPhone> = (0..THREADS).map(|_| UserPhone::of("nobody", DOMAIN)).collect();
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
        eventually(SOON * 3, "each follower has the state", || {
            let mut last: BTreeMap<u64, Value> = BTreeMap::new();
            for line in server.log().since(Mark::default(), "REG {") {
                let message: Value = serde_json::from_str(line.split_once("REG ")?.1).ok()?;
                last.insert(message["id"].as_u64()?, message);
            }
            let is_right = |(number, id): (usize, &u64)| {
                let contacts = registration(last.get(id)?)["contacts"].as_array()?;
                let active = contacts.iter().filter(|contact| contact["state"] == "active");
                let active: BTreeSet<String> = active.filter_map(|it| it["uri"].as_str().map(str::to_owned)).collect();
                (active == registered[&number]).then_some(())
            };
            ids.iter().enumerate().all(|each| is_right(each).is_some()).then_some(())
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
    // Queues may have grown a little more than before: less than what a few users would take.
    let last = eventually(SOON, "the memory of all users is free again", || {
        let now = Shm::at_rest(&server);
        ((now.bytes() - base.bytes()).abs() < 4096).then_some(now)
    });
    assert_eq!(last.by_line()["presence_b2b small blocks"], base.by_line()["presence_b2b small blocks"]);
    server.stop();
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
