//! NOTIFYs that nobody subscribed to.

use std::time::Duration;

use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::{PIDF, pidf};
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};

const TELL: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "TOLD|$qsa(unsolicited)|$qsa(id)|$qsa(record)|$qsa(subscriber)|$qsa(package)|$qsa(status)|$qsa(waiting)|$qsa(account)|$qsa(basic)|$qsa(json)|\n");
}"#;

const MWI: &str = "application/simple-message-summary";

/// The script makes no transaction.
const WITHOUT_TRANSACTION: &str = r#"request_route {
    if (is_method("NOTIFY")) {
        if (!handle_notify()) sl_send_reply("481", "Subscription does not exist");
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}"#;

fn from(endpoint: &Endpoint, route: &str) -> Builder {
    let ip = endpoint.addr().ip();
    Server::b2b()
        .route(route)
        .b2b_param("unsolicited", format!("message-summary: from=192.0.2.1, {ip}/32"))
        .b2b_param("unsolicited", format!("presence: from={ip}"))
}

/// A NOTIFY outside of any dialog, for a user of the server.
fn notify(endpoint: &Endpoint, server: &Server, user: &str, event: &str, kind: &str, body: &str) -> Message {
    let uri = server.uri(user);
    let request = endpoint.fresh_request("NOTIFY", &uri, &endpoint.uri("voicemail"), &uri).with("Event", event);
    if kind.is_empty() { request } else { request.with_body(kind, body) }
}

fn mwi(waiting: &str, account: &str) -> String {
    format!("Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\nVoice-Message: 2/8 (0/2)\r\n")
}

/// All that the event route was told.
fn told(server: &Server) -> Vec<Vec<String>> {
    let lines = server.log().since(Mark::default(), "TOLD|");
    let lines = lines.iter().filter_map(|line| line.split_once("TOLD|")).filter(|(_, rest)| rest.ends_with('|'));
    lines.map(|(_, rest)| rest.split('|').map(str::to_owned).collect()).collect()
}

fn trace(server: &Server) -> [u64; 3] {
    let trace = server.trace();
    ["unsolicited", "unsolicited_refused", "unsolicited_queued"].map(|name| trace[name].as_u64().expect("a number"))
}

/// Over both transports, with a transaction of the script's and without: told once, and nothing is kept.
#[test]
fn states_of_a_trusted_source_are_told() {
    for (transport, route) in
        [(Transport::Udp, None), (Transport::Udp, Some(WITHOUT_TRANSACTION)), (Transport::Tcp, None)]
    {
        let endpoint = Endpoint::new(transport);
        let server = from(&endpoint, TELL);
        let server = route.map_or_else(|| server.clone(), |route| server.clone().route(route)).start();
        let mut count = 0;
        leaves_nothing(&server, || {
            let body = mwi("yes", "sip:box7@vm.example.org");
            let request = notify(&endpoint, &server, "alice", "message-summary", MWI, &body);
            assert_eq!(endpoint.exchange(&request, server.addr(), SOON).status(), 200);
            if transport == Transport::Udp {
                assert_eq!(endpoint.exchange(&request, server.addr(), SOON).status(), 200, "the same answer");
            }
            count += 1;
            eventually(SOON, "it is told", || (told(&server).len() == count).then_some(()));
        });
        let document = pidf(&server.uri("bob"), "closed", None);
        let request = notify(&endpoint, &server, "bob", "presence", PIDF, &document);
        assert_eq!(endpoint.exchange(&request, server.addr(), SOON).status(), 200);
        let empty =
            notify(&endpoint, &server, "carol", "message-summary", "", "").with("Subscription-State", "terminated");
        assert_eq!(endpoint.exchange(&empty, server.addr(), SOON).status(), 200);
        let all = eventually(SOON, "all are told", || Some(told(&server)).filter(|told| told.len() == count + 2));
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|user| server.uri(user));
        assert_eq!(all[0][..8], ["1", "0", &alice, "", "message-summary", "active", "yes", "sip:box7@vm.example.org"]);
        let bob_told = all.iter().find(|told| told[2] == bob).expect("bob");
        assert_eq!(bob_told[4..9], ["presence", "active", "<null>", "<null>", "closed"]);
        assert!(bob_told[9].contains("\"unsolicited\":true"), "{bob_told:?}");
        assert!(all.iter().any(|told| told[2] == carol && told[6] == "<null>"), "{all:?}");
        assert_eq!((trace(&server), &server.trace()["subscriptions"]), ([count as u64 + 2, 0, 0], &0.into()));
        server.stop();
    }
}

/// Strangers, packages that are not named, and NOTIFYs of a dialog: false, counted, and the log says so once.
#[test]
fn all_others_are_left_to_the_script() {
    let (trusted, stranger) = (Endpoint::udp(), Endpoint::udp());
    let server = from(&trusted, TELL).start();
    let body = mwi("yes", "sip:a@x");
    let say = |endpoint: &Endpoint, event: &str| {
        let request = notify(endpoint, &server, "alice", event, MWI, &body);
        endpoint.exchange(&request, server.addr(), SOON).status()
    };
    for _ in 0..3 {
        assert_eq!(say(&stranger, "message-summary"), 481);
    }
    for event in ["dialog", "nonsense", "message-summary.winfo", "", ";id=1", "a b"] {
        assert_eq!(say(&trusted, event), 481, "{event}");
    }
    assert_eq!(trace(&server), [0, 9, 0]);
    let lines = server.log().since(Mark::default(), "handle_notify() is false for a NOTIFY from");
    assert!(lines.len() == 1 && lines[0].contains(&stranger.addr().to_string()), "{lines:?}");
    // Its notifier assumes a dialog and must learn that there is none. No counter changes.
    let request = notify(&trusted, &server, "alice", "message-summary", MWI, &body);
    let request = request.clone().set("To", format!("{};tag=nobody", request.need("To")));
    assert_eq!(trusted.exchange(&request, server.addr(), SOON).status(), 481);
    assert_eq!((trace(&server), told(&server).len()), ([0, 9, 0], 0));
    server.stop();
    // Unless the parameter is set, all are.
    let server = Server::b2b().route(TELL).start();
    let request = notify(&trusted, &server, "alice", "message-summary", MWI, &body);
    assert_eq!(trusted.exchange(&request, server.addr(), SOON).status(), 481);
    assert_eq!((trace(&server), told(&server).len()), ([0; 3], 0));
    server.stop();
}

/// The limits, types and extensions are those of every NOTIFY.
#[test]
fn what_cannot_be_used_is_refused() {
    let endpoint = Endpoint::udp();
    let server = from(&endpoint, TELL).b2b_param("max_body", 2000).hostile().start();
    let body = mwi("yes", "sip:a@x");
    let good = |user: &str| notify(&endpoint, &server, user, "message-summary", MWI, &body);
    let with = |kind: &str, body: &str| notify(&endpoint, &server, "alice", "message-summary", kind, body);
    let presence = |kind: &str, body: &str| notify(&endpoint, &server, "alice", "presence", kind, body);
    let right = pidf("sip:alice@x", "open", None);
    for (what, request, status, header) in [
        ("another type", with("text/plain", "hello"), 415, Some("Accept")),
        ("a type of another package", with(PIDF, &right), 415, Some("Accept")),
        (
            "a list",
            presence("multipart/related;type=\"application/rlmi+xml\";boundary=b", "--b--"),
            415,
            Some("Accept"),
        ),
        ("another charset", presence(&format!("{PIDF};charset=utf-16"), &right), 415, Some("Accept")),
        ("an encoding", good("alice").with("Content-Encoding", "gzip"), 415, Some("Accept-Encoding")),
        ("too much", with(MWI, &(body.clone() + &"x".repeat(2000))), 413, None),
        ("no document", presence(PIDF, "<presence"), 400, None),
        ("an extension", good("alice").with("Require", "x-unknown"), 420, Some("Unsupported")),
        ("another CSeq", good("alice").set("CSeq", "1 PUBLISH"), 400, None),
        ("no SIP URI", good("alice").set("To", "<tel:+4930123456>"), 400, None),
        ("a long URI", good(&"a".repeat(1100)).set("CSeq", "7 NOTIFY"), 400, None),
    ] {
        let answer = endpoint.try_exchange(&request, server.addr(), SOON);
        let answer = answer.unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status(), status, "{what}: {}", answer.message);
        if let Some(header) = header {
            assert!(answer.header(header).is_some(), "{what}: {}", answer.message);
        }
    }
    let [accepted, refused, queued] = trace(&server);
    assert!(accepted == 0 && (10..=11).contains(&refused) && queued == 0 && told(&server).is_empty(), "{refused}");
    assert_eq!(endpoint.exchange(&good("alice"), server.addr(), SOON).status(), 200);
    server.stop();
}

/// A route that is too slow: the sender gets a Retry-After, and accepted NOTIFYs are delivered.
#[test]
fn a_full_queue_refuses() {
    let endpoint = Endpoint::udp();
    let slow = TELL.replace("xlog(", "usleep(\"300000\");\n    xlog(");
    let server = from(&endpoint, &slow).module("cfgutils").b2b_param("workers", 1).b2b_param("queue_limit", 2).start();
    let mut answers = Vec::new();
    for _ in 0..8 {
        let request = notify(&endpoint, &server, "alice", "message-summary", MWI, &mwi("yes", "sip:a@x"));
        let answer = endpoint.exchange(&request, server.addr(), SOON);
        assert!(answer.status() == 200 || answer.header("Retry-After") == Some("30"), "{}", answer.message);
        answers.push(answer.status());
    }
    let accepted = answers.iter().filter(|status| **status == 200).count();
    assert!((2..8).contains(&accepted) && answers.contains(&503), "{answers:?}");
    let all = Duration::from_secs(20);
    eventually(all, "all accepted ones are told", || (told(&server).len() == accepted).then_some(()));
    assert_eq!(trace(&server), [accepted as u64, 8 - accepted as u64, 0]);
    server.stop();
}

/// Bytes changed, cut and repeated anywhere in a NOTIFY of a trusted source: all is answered or dropped by the server, none is told that
/// was not accepted, and subscriptions go on.
#[test]
fn hostile_bytes_do_no_harm() {
    let endpoint = Endpoint::udp();
    let server = from(&endpoint, TELL).hostile().tlsf().start();
    let notifier = Notifier::udp();
    let id = server.subscribe(&notifier.uri("alice"), "sip:watcher@x");
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("a small number")
    };
    let body = mwi("yes", "sip:a@x");
    for round in 0..600 {
        let event = if round % 2 == 0 { "message-summary" } else { "presence" };
        let mut bytes = notify(&endpoint, &server, "alice", event, MWI, &body).to_bytes();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = u8::try_from(random(256)).expect("a byte"),
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, b"\r\n\0;<>\"@"[random(8)]),
                _ => bytes.extend_from_within(at..),
            }
        }
        endpoint.send_bytes(&bytes, server.addr());
    }
    let good = notify(&endpoint, &server, "last", "message-summary", MWI, &body);
    assert_eq!(endpoint.exchange(&good, server.addr(), SOON).status(), 200);
    eventually(SOON, "all accepted ones are told", || {
        let [accepted, _, queued] = trace(&server);
        (queued == 0 && told(&server).iter().filter(|told| told[0] == "1").count() as u64 == accepted).then_some(())
    });
    assert!(trace(&server)[0] > 1, "some were harmless");
    assert_eq!(dialog.notify(Notify::active(600).pidf(&pidf("sip:alice@x", "open", None))).status(), 200);
    server.end(id, &mut dialog);
    server.stop();
}
