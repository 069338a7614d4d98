//! Registrations of local users as a notifier: package `reg` without SIP, against Kamailio's registrar.

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Value, json};

use crate::c_api;
use crate::provisioning;
use crate::support::config::Builder;
use crate::support::database;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::registrar::{UserPhone, location_database};
use crate::support::shm::leaves_nothing;
use crate::support::states;
use crate::support::wait::{SOON, eventually};

pub const DOMAIN: &str = "example.com";

/// Each message as JSON, in one line. Under a lock: a C library of 2.37 or later writes a line to stderr in pieces of 128 bytes, and the
/// pieces of two workers would come between each other.
const TELL: &str = r#"event_route[qsa:notify] {
    lock("log");
    xlog("L_NOTICE", "REG $qsa(json)\n");
    unlock("log");
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

pub fn builder() -> Builder {
    let server = Server::b2b().registrar().modparam("xlog", "buf_size", 65_000);
    let server = server.module("cfgutils").modparam("cfgutils", "lock_set_size", 1);
    server.b2b_param("local_domains", DOMAIN).route(ROUTE).route(TELL)
}

/// Subscribes to the registrations of a user; the id.
pub fn follow(server: &Server, user: &str, subscriber: &str) -> u64 {
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
pub fn registration(message: &Value) -> &Value {
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
        // A later subscriber gets the state at once, and the others get no message.
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
            phone.register(&server, 2, &[]);
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

/// The location service does not report the contacts that it reads from its database at the start.
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

/// A row of a table subscribes at the start, perhaps before the location service has read its database.
#[test]
fn a_row_of_a_table_knows_the_contacts_of_the_time_before_a_restart() {
    let (_dir, url) = location_database();
    let rows = provisioning::schema() + &provisioning::row("sip:alice@example.com", "sip:w@example.com", "reg", "");
    let table = database::sqlite(&rows);
    let with = |server: Builder| {
        let server = server.children(1).module("db_sqlite").modparam("usrloc", "db_url", url.clone());
        let server = server.modparam("usrloc", "db_mode", 1).b2b_param("db_url", database::url(table.path()));
        server.b2b_param("provision_table", provisioning::TABLE)
    };
    let mut phone = UserPhone::of("alice", DOMAIN);
    let active = ("active".to_owned(), of(&[(&phone.contact(), "registered")]));
    let server = with(builder()).start();
    let newest = |server: &Server| {
        let lines = server.log().since(Mark::default(), "REG {");
        let line = lines.last()?.split_once("REG ")?.1.to_owned();
        Some(events(registration(&serde_json::from_str(&line).ok()?)))
    };
    phone.register(&server, 600, &[]);
    eventually(SOON, "the contact is told", || newest(&server).filter(|told| *told == active));
    server.stop();
    let server = with(builder()).start();
    eventually(SOON, "the contact is told again", || newest(&server).filter(|told| *told == active));
    server.stop();
}

/// C modules follow local users as they follow others, alone or in a share.
#[test]
fn c_modules_follow_local_users() {
    let server = c_api::builder(100).registrar().b2b_param("local_domains", DOMAIN).route(ROUTE).start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    let subscribe = |options: &str| {
        let asked = json!(["reg", "sip:alice@example.com", "sip:w@example.com", options]);
        c_api::call(&server, "subscribe", asked).as_str().expect("an id").to_owned()
    };
    let pops = || {
        let mut all: Vec<(String, String, String)> = Vec::new();
        for _ in 0..3 {
            let message = eventually(SOON, "a message", || server.rpc("qsa_test.pop", json!([])).ok());
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let registration = &message["registrations"]["registrations"][0];
            let event = text(&registration["contacts"][0]["event"]);
            all.push((text(&message["id"]), text(&registration["state"]), event));
        }
        all.sort();
        all
    };
    leaves_nothing(&server, || {
        let mut ids = ["", "share", "share"].map(subscribe);
        ids.sort();
        let all = |state: &str, event: &str| ids.each_ref().map(|id| (id.clone(), state.to_owned(), event.to_owned()));
        assert_eq!(pops(), all("init", ""));
        assert_eq!(server.trace()["followed_users"], 1);
        phone.register(&server, 600, &[]);
        assert_eq!(pops(), all("active", "registered"));
        phone.register(&server, 0, &[]);
        assert_eq!(pops(), all("terminated", "unregistered"));
        for id in &ids {
            c_api::call(&server, "unsubscribe", json!([id]));
        }
        server.await_no_subscription();
        assert_eq!(server.trace()["followed_users"], 0);
    });
    server.stop();
}

/// Operators remove contacts, and routes subscribe while the location service has its lock.
#[test]
fn contacts_are_removed_by_operators_and_looked_at_by_routes() {
    let expired = r#"event_route[usrloc:contact-expired] {
        b2b_subscribe("sip:bob@example.com", "sip:route@example.com", "reg");
        b2b_subscribe("sip:alice@example.com", "sip:route@example.com", "reg", "r");
        xlog("L_NOTICE", "ROUTE $rc\n");
    }"#;
    let server = builder().route(expired).start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    let contact = phone.contact();
    leaves_nothing(&server, || {
        phone.register(&server, 600, &[]);
        let id = follow(&server, "alice", "sip:watcher@example.com");
        nth(&server, id, 0);
        server.rpc("ul.rm", json!(["location", "alice"])).expect("the contacts are removed");
        assert_eq!(events(&nth(&server, id, 1)), ("terminated".to_owned(), of(&[(&contact, "unregistered")])));
        let before = server.log().mark();
        phone.register(&server, 1, &[]);
        eventually(SOON, "the route has run", || (!server.log().since(before, "ROUTE -2").is_empty()).then_some(()));
        let bob = server.rpc("presence_b2b.list", json!([])).expect("a list");
        let bob = bob.as_array().and_then(|rows| rows.iter().find(|row| row["record"] == "sip:bob@example.com"));
        let bob = bob.and_then(|row| row["id"].as_u64()).expect("the subscription that the route has made");
        assert_eq!(events(&nth(&server, bob, 0)), ("init".to_owned(), of(&[])));
        server.end_all(&[id, bob]);
    });
    server.stop();
}

/// With `keep` the registration is at hand in any route.
#[test]
fn registrations_are_at_hand_for_routing() {
    let route = r#"request_route {
        if (is_method("REGISTER")) {
            save("location");
            exit;
        }
        pv_printf("$var(said)", "$b2b(sip:alice@example.com=>reg_state) $b2b(sip:alice@example.com=>contacts)");
        sl_send_reply("200", "$var(said)");
    }"#;
    let server = Server::b2b().registrar().b2b_param("local_domains", DOMAIN).route(route).start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    let peer = Endpoint::udp();
    let said = |wanted: &str| {
        eventually(SOON, wanted, || (states::said(&server, &peer, "OPTIONS", &[]) == wanted).then_some(()));
    };
    leaves_nothing(&server, || {
        let asked = json!(["sip:alice@example.com", "sip:w@example.com", "reg", "keep"]);
        let id = server.rpc("presence_b2b.subscribe", asked).expect("an id").as_u64().expect("a number");
        said("init 0");
        phone.register(&server, 600, &[]);
        said("active 1");
        assert_eq!(server.show(id)["state"], "local");
        phone.register(&server, 0, &[]);
        said("terminated 0");
        server.end_all(&[id]);
        said("<null> <null>");
    });
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
