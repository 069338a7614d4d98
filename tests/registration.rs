//! A subscription bound to a registration: it ends with the last contact of an address of record.

use crate::documentation;
use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Notifier, Notify};
use crate::support::presence_server::PresenceServer;
use crate::support::registrar::{UserPhone, location_database};
use crate::support::route::after_notifies;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

const DOMAIN: &str = "example.com";

/// A registrar that subscribes to X-Record for who registers, and for who sends anything else.
const ROUTE: &str = r#"    if (is_method("REGISTER")) {
        save("location");
        if ($hdr(X-Record) != $null) {
            b2b_subscribe("$hdr(X-Record)", "$tu", "message-summary", "r");
            xlog("L_NOTICE", "MADE $rc for $hdr(X-Record)\n");
        }
        exit;
    }
    b2b_subscribe("$hdr(X-Record)", "$fu", "message-summary", "r");
    switch ($rc) {
        case 1: sl_send_reply("200", "Made"); break;
        case -2: sl_send_reply("404", "Nobody is registered"); break;
        default: sl_send_reply("500", "Failed");
    }
}
"#;

fn builder() -> Builder {
    Server::b2b().registrar().b2b_param("min_resubscribe_time", 0).route(&after_notifies(ROUTE))
}

#[test]
fn the_last_contact_ends_the_subscription() {
    let notifier = Notifier::udp();
    let server = builder().start();
    let (mut desk, mut mobile) = (UserPhone::of("alice", DOMAIN), UserPhone::of("alice", DOMAIN));
    let record = notifier.uri("alice");
    let headers = [("X-Record", record.as_str())];
    leaves_nothing(&server, || {
        desk.register(&server, 600, &headers);
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        // Each REGISTER asks for the same subscription again.
        desk.register(&server, 600, &headers);
        mobile.register(&server, 600, &headers);
        desk.register(&server, 0, &headers);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        assert_eq!(server.trace()["subscriptions"], 1, "there is another contact");
        let before = server.log().mark();
        mobile.register(&server, 0, &headers);
        farewell(&mut dialog);
        server.await_no_subscription();
        // The REGISTER that takes the last contact away asks as well: refused without a word.
        eventually(SOON, "the function is false", || (!server.log().since(before, "MADE -2").is_empty()).then_some(()));
    });
    server.stop();
}

#[test]
fn an_expired_contact_and_a_star_end_it_too() {
    let notifier = Notifier::udp();
    let server = builder().start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    let record = notifier.uri("alice");
    let headers = [("X-Record", record.as_str())];
    leaves_nothing(&server, || {
        phone.register(&server, 2, &headers);
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        farewell(&mut dialog);
        server.await_no_subscription();

        phone.register(&server, 600, &headers);
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        let status = phone.register_with(&server, &["*"], &[("Expires", "0"), ("X-Record", &record)]);
        assert_eq!(status, 200);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

/// Asks for a subscription of `from` to `record` in a request that is no REGISTER.
fn ask(server: &Server, from: &str, record: &str) -> u16 {
    let peer = Endpoint::udp();
    let uri = server.uri("script");
    let request = peer.fresh_request("OPTIONS", &uri, from, &uri).with("X-Record", record);
    peer.exchange(&request, server.addr(), SOON).status()
}

#[test]
fn elsewhere_it_is_the_subscribers_registration() {
    let notifier = Notifier::udp();
    let server = builder().start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    let record = notifier.uri("box");
    leaves_nothing(&server, || {
        assert_eq!(ask(&server, &phone.aor, &record), 404);
        phone.register(&server, 600, &[]);
        assert_eq!(ask(&server, "sip:bob@example.com", &record), 404);
        // As the registrar compares them: without the domain and the case.
        assert_eq!(ask(&server, "sip:Al%69ce@example.net:5070;a=b", &record), 200);
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        phone.register(&server, 0, &[]);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn with_use_domain_the_domain_counts() {
    let notifier = Notifier::udp();
    let server = builder().modparam("usrloc", "use_domain", 1).start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    let record = notifier.uri("box");
    phone.register(&server, 600, &[]);
    assert_eq!(ask(&server, "sip:alice@example.net", &record), 404);
    assert_eq!(ask(&server, "sip:ALICE@Example.com", &record), 200);
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    phone.register(&server, 0, &[]);
    farewell(&mut dialog);
    server.await_no_subscription();
    server.stop();
}

/// The script ends and makes subscriptions of its own accord while a contact stays: those that have ended are not kept.
#[test]
fn what_has_ended_otherwise_leaves_nothing() {
    let notifier = Notifier::udp();
    let server = builder().start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    leaves_nothing(&server, || {
        phone.register(&server, 600, &[]);
        for number in 0..40 {
            assert_eq!(ask(&server, &phone.aor, &notifier.uri(&format!("box{number}"))), 200);
            notifier.reject(&notifier.expect_subscribe(SOON), 489, &[]);
            server.await_no_subscription();
        }
        phone.register(&server, 0, &[]);
    });
    server.stop();
}

#[test]
fn without_the_location_service_the_flag_is_refused() {
    let route = r#"request_route {
        b2b_subscribe("$ru", "$fu", "presence", "r");
    }"#;
    let said = Server::b2b().route(route).start_refused();
    assert!(
        said.contains("the flag r needs the registrations of local users: the module usrloc is not loaded"),
        "{said}"
    );
}

/// A server whose contacts are in another table: nothing is asked of the database for this one, and the flag says why it is refused.
#[test]
fn another_table_is_not_followed() {
    let (_dir, url) = location_database();
    let route = after_notifies(&ROUTE.replace("save(\"location\")", "save(\"aliases\")"));
    let server = Server::b2b().registrar().module("db_sqlite").modparam("usrloc", "db_url", url);
    let server = server.modparam("usrloc", "db_mode", 0).route(&route).allow_log("has no table \"location\"").start();
    let mark = server.log().mark();
    assert_eq!(ask(&server, "sip:alice@example.com", "sip:box@example.com"), 500);
    let lines = server.log().since(mark, "ERROR: presence_b2b");
    assert!(matches!(&lines[..], [line] if line.contains("name it in save()")), "{lines:?}");
    server.stop();
}

/// With `db_mode` 3 nothing of the contacts is in memory.
#[test]
fn contacts_in_the_database_only_are_not_followed() {
    let (dir, url) = location_database();
    let server = builder().module("db_sqlite").modparam("usrloc", "db_url", url).modparam("usrloc", "db_mode", 3);
    let server = server.allow_log("modparam db_mode of usrloc is 3").start();
    let mark = server.log().mark();
    assert_eq!(ask(&server, "sip:alice@example.com", "sip:box@example.com"), 500);
    let lines = server.log().since(mark, "ERROR: presence_b2b");
    assert!(matches!(&lines[..], [line] if line.contains("set it to 0, 1, 2 or 4")), "{lines:?}");
    server.stop();
    drop(dir);
}

/// Whatever comes between a REGISTER and the end that a worker is just about to make: who is registered in the end has the subscription, and
/// who is not has none.
#[test]
fn races_of_register_and_unregister_leave_the_right_subscriptions() {
    let presence = PresenceServer::builder().packages(&["presence_mwi"]).start();
    let server = builder().children(4).start();
    let mut phones: Vec<UserPhone> = (0..6).map(|user| UserPhone::of(&format!("user{user}"), DOMAIN)).collect();
    leaves_nothing(&server, || {
        std::thread::scope(|scope| {
            for (number, phone) in phones.iter_mut().enumerate() {
                let (server, record) = (&server, presence.uri(&format!("user{number}")));
                scope.spawn(move || {
                    let headers = [("X-Record", record.as_str())];
                    for _ in 0..40 {
                        phone.register(server, 600, &headers);
                        phone.register(server, 0, &headers);
                    }
                    if number % 2 == 0 {
                        phone.register(server, 600, &headers);
                    }
                });
            }
        });
        eventually(SOON, "three of six are registered, and have a subscription", || {
            let list = server.rpc("presence_b2b.list", serde_json::json!([])).expect("a list");
            let active = list.as_array()?.iter().filter(|row| row["state"] == "confirmed").count();
            (active == 3 && server.trace()["subscriptions"] == 3).then_some(())
        });
        for phone in phones.iter_mut().step_by(2) {
            phone.register(&server, 0, &[]);
        }
        server.await_no_subscription();
    });
    server.stop();
    presence.stop();
}

/// The four lines of the page: a phone that registers has its messages from an external mailbox.
#[test]
fn a_phone_that_registers_has_its_messages_from_an_external_mailbox() {
    let page = documentation::text_of("docs/local-users.md");
    let section = documentation::section(&page, "Subscriptions that end with a registration");
    let recipe = documentation::between(section, "```kamailio\n", "```").first().expect("the recipe").to_string();
    let mailbox = PresenceServer::builder().packages(&["presence_mwi"]).start();
    let recipe = recipe.replace("voicemail.example.com", mailbox.uri("").trim_start_matches("sip:@"));
    let tell =
        "event_route[qsa:notify] {\n xlog(\"L_NOTICE\", \"MWI $qsa(subscriber) $qsa(waiting) $qsa(voice_new)\\n\");\n}";
    let server = Server::b2b().registrar().b2b_param("min_resubscribe_time", 0).route(&recipe).route(tell).start();
    let mut phone = UserPhone::of("alice", DOMAIN);
    let said = |text: &str| {
        eventually(SOON, text, || (!server.log().since(Mark::default(), text).is_empty()).then_some(()));
    };
    let publish =
        |text: &str| mailbox.publish_as("message-summary", "application/simple-message-summary", "alice", text);
    publish("Messages-Waiting: yes\r\nVoice-Message: 2/8\r\n");
    phone.register(&server, 600, &[]);
    said("MWI sip:alice@example.com yes 2");
    publish("Messages-Waiting: no\r\nVoice-Message: 0/10\r\n");
    said("MWI sip:alice@example.com no 0");
    phone.register(&server, 0, &[]);
    server.await_no_subscription();
    server.stop();
    mailbox.stop();
}
