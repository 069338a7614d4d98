//! The harness of the other tests works: servers start, talk and end; the presence server notifies over UDP and TCP; the
//! scripted notifier and a subscriber understand each other; shared memory is counted to the byte.

use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::config::{Builder, Listen};
use crate::support::endpoint::{Endpoint, Received, Transport};
use crate::support::exception::{WITH_MODULE, WITHOUT_MODULE};
use crate::support::kamailio::Server;
use crate::support::log::Expected;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::{basic_of, note_of, pidf};
use crate::support::presence_server::PresenceServer;
use crate::support::process::{group_exists, members};
use crate::support::shm::Shm;
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};

#[test]
fn a_server_starts_answers_and_leaves_nothing() {
    let begun = Instant::now();
    let server = Server::builder().start();
    println!("ready after {:?}", begun.elapsed());
    let version = server.rpc("core.version", Value::Null).expect("core.version");
    assert!(version.as_str().is_some_and(|text| text.contains("kamailio")), "{version}");
    assert!(server.processes("udp receiver") >= 2);

    let (pid, dir) = (server.pid(), server.dir().to_owned());
    assert!(group_exists(pid));
    assert!(members(pid).contains(&pid) && members(pid).len() > 5, "{:?}", members(pid));
    server.stop();
    assert!(!group_exists(pid) && members(pid).is_empty());
    assert!(!dir.exists());
}

#[test]
fn rpc_errors_are_errors_and_long_answers_are_whole() {
    let fill = r#"event_route[htable:mod-init] {
        $var(n) = 0;
        while ($var(n) < 4000) {
            $sht(t=>key$var(n)) = "a value that makes the answer long";
            $var(n) = $var(n) + 1;
        }
    }"#;
    let table = Server::builder().module("htable").modparam("htable", "htable", "t=>size=8;");
    let server = table
        .global("max_while_loops=5000")
        .route(fill)
        .allow_log("method callback not found [no.such_method]")
        .start();
    let error = server.rpc("no.such_method", json!([])).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (500, "Method Not Found"));
    let error = server.rpc("stats.get_statistics", json!([])).unwrap_err();
    assert!(error.code >= 400, "{error}");

    let table = server.rpc("htable.dump", json!(["t"])).expect("a long answer").to_string();
    assert!(table.len() > 200_000 && table.contains("key0\"") && table.contains("key3999\""), "{} bytes", table.len());
    server.stop();
}

#[test]
fn a_refused_start_says_why() {
    let said = Server::builder().modparam("tm", "no_such_parameter", 1).start_refused();
    assert!(said.contains("no_such_parameter"), "{said}");
}

#[test]
fn a_bad_end_is_noticed() {
    let server = Server::builder().allow_log("signal 9").start();
    let list = server.rpc("core.psx", json!([])).expect("core.psx");
    let worker =
        list.as_array().into_iter().flatten().find(|process| process["DSC"].to_string().contains("udp receiver"));
    let pid = worker.and_then(|process| process["PID"].as_i64()).expect("a worker");
    // SAFETY: a plain system call; the pid is a child of the server that this test started.
    unsafe { libc::kill(pid as i32, libc::SIGKILL) };
    eventually(SOON, "the server sees its worker die", || {
        server.log().text().contains("exited by a signal").then_some(())
    });
    let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.stop())).unwrap_err();
    let text = failure.downcast_ref::<String>().expect("a message");
    assert!(text.contains("ended"), "{text}");
}

/// Each test names the errors that it expects, by their text or, of Kamailio's own, by their kind.
#[test]
fn an_error_that_nobody_expects_is_a_failure() {
    let script = r#"request_route {
        xlog("L_ERR", "$rU\n");
        sl_send_reply("200", "OK");
    }"#;
    let failure_of = |builder: Builder, user: &str| {
        let server = builder.route(script).start();
        let peer = Endpoint::udp();
        let uri = server.uri(user);
        peer.exchange(&peer.fresh_request("OPTIONS", &uri, &uri, &uri), server.addr(), SOON);
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| server.stop()));
        ended.err().map(|failure| failure.downcast_ref::<String>().expect("a message").clone())
    };
    let plain = Server::builder;
    let failure = failure_of(plain(), "unexpected").expect("a failure");
    assert!(failure.contains(" ERROR: ") && failure.contains("unexpected"), "{failure}");
    assert_eq!(failure_of(plain().allow_log("unexpect"), "unexpected"), None);
    assert!(failure_of(plain().allow_log("unexpect"), "another").is_some(), "another text");
    assert!(failure_of(plain().hostile().bad_connections(), "unexpected").is_some(), "another kind");
}

#[test]
fn what_the_module_says_is_expected_by_its_text_only() {
    let line = |level: &str, module: &str| {
        format!(
            " 1(7) {level}: {module} [core/parser/contact/contact.c:93]: parse_contacts(): error while skipping URI"
        )
    };
    let mut expected = Expected::default();
    let core = line("ERROR", "<core>");
    assert!(!expected.has(&core));
    expected.unreadable();
    assert!(expected.has(&core));
    assert!(!expected.has(&line("CRITICAL", "<core>")), "worse than an error");
    let own = " 1(7) ERROR: presence_b2b [src/x.rs:1]: presence_b2b(): from <core> [core/parser/x.c:1]";
    assert!(!expected.has(own));
    expected.text("from <core>");
    assert!(expected.has(own));
}

/// An exception has a name, the day it was found, its last day, and the failure that it excuses.
#[test]
fn exceptions_are_few_and_end() {
    for one in WITH_MODULE.iter().chain(WITHOUT_MODULE) {
        let failure = format!("did not end {}", one.says);
        let is_day = |day: &str| day.len() == 10 && day.split('-').count() == 3;
        assert!(!one.name.is_empty() && is_day(one.found) && is_day(one.until) && one.found < one.until);
        assert!(one.excuses(&failure, (5, 6), one.found) && one.excuses(&failure, (5, 6), one.until));
        assert!(!one.excuses(&failure, (5, 6), "2099-01-01"), "its time is over");
        assert!(!one.excuses(&failure, one.below, one.found), "a server without the fault");
        assert!(!one.excuses("exited by a signal", (5, 6), one.found), "another failure");
    }
}

/// Runs itself once more as a child that dies with a server running.
#[test]
fn a_server_dies_with_the_test_process() {
    const CHILD: &str = "HARNESS_TEST_CHILD";
    if env::var_os(CHILD).is_some() {
        let server = Server::builder().start();
        println!("server={} {}", server.pid(), server.dir().display());
        std::process::abort();
    }
    let own_name = "harness::a_server_dies_with_the_test_process";
    let child = Command::new(env::current_exe().expect("the test binary"))
        .args(["--exact", own_name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("it runs itself");
    let said = String::from_utf8_lossy(&child.stdout);
    let (_, rest) = said.split_once("server=").unwrap_or_else(|| panic!("{said}"));
    let mut words = rest.split_whitespace();
    let pid = words.next().and_then(|pid| pid.parse().ok()).expect("a pid");
    let left_behind = words.next().expect("a directory");
    eventually(SOON, "the orphaned server is gone", || (!group_exists(pid)).then_some(()));
    std::fs::remove_dir_all(left_behind).expect("the runtime directory of the child");
}

#[test]
fn kemi_routes_in_javascript() {
    let script = "function ksr_request_route() { KSR.sl.sl_send_reply(299, 'from javascript'); }";
    let server = Server::builder().kemi(script).start();
    let peer = Endpoint::udp();
    let uri = server.uri("a");
    let answer = peer.exchange(&peer.fresh_request("OPTIONS", &uri, &uri, &uri), server.addr(), SOON);
    assert_eq!(answer.status(), 299);
    server.stop();
}

#[test]
fn listens_can_be_advertised() {
    let builder = Server::builder();
    let ip = builder.ip();
    let route = r#"request_route { append_to_reply("X-Advertised: $RAi\r\n"); sl_send_reply("200", "OK"); }"#;
    let server = builder.listen(Listen::udp(ip).advertise("198.51.100.7:5090")).route(route).start();
    let peer = Endpoint::udp();
    let uri = server.uri("a");
    let answer = peer.exchange(&peer.fresh_request("OPTIONS", &uri, &uri, &uri), server.addr(), SOON);
    assert_eq!(answer.header("X-Advertised"), Some("198.51.100.7"));
    server.stop();
}

#[test]
fn presence_in_memory_over_udp() {
    presence_reaches_a_watcher(PresenceServer::start(), true, Transport::Udp);
}

#[test]
fn presence_in_memory_over_tcp() {
    presence_reaches_a_watcher(PresenceServer::start(), true, Transport::Tcp);
}

#[test]
fn presence_on_sqlite_over_udp() {
    presence_reaches_a_watcher(PresenceServer::builder().sqlite().start(), true, Transport::Udp);
}

#[test]
fn presence_on_sqlite_over_tcp() {
    let presence = PresenceServer::builder().sqlite().force_active(0).max_expires(900).start();
    presence_reaches_a_watcher(presence, false, Transport::Tcp);
}

fn presence_reaches_a_watcher(presence: PresenceServer, active: bool, transport: Transport) {
    let alice = presence.uri("alice");
    presence.publish("alice", &pidf(&alice, "open", Some("here")));

    let watcher = Endpoint::new(transport);
    let subscribe = watcher
        .fresh_request("SUBSCRIBE", &presence.uri_over("alice", transport), &watcher.uri("bob"), &alice)
        .with("Event", "presence")
        .with("Accept", "application/pidf+xml")
        .with("Expires", 600);
    let accepted = watcher.exchange(&subscribe, presence.server.addr(), SOON);
    assert!(matches!(accepted.status(), 200 | 202), "{}", accepted.message);

    if active {
        assert_eq!(note_of(&notify_that_says(&watcher, "<basic>open</basic>").text()), Some("here"));
        presence.publish("alice", &pidf(&alice, "closed", None));
        let closed = notify_that_says(&watcher, "<basic>closed</basic>");
        assert_eq!((basic_of(&closed.text()), note_of(&closed.text())), (Some("closed"), None));
        presence.unpublish("alice");
    } else {
        assert!(notify_that_says(&watcher, "Subscription-State: pending").body.is_empty());
    }

    let end = subscribe.clone().set("Via", watcher.request("SUBSCRIBE", "sip:x").need("Via"));
    let end = end.set("To", accepted.need("To")).set("CSeq", "2 SUBSCRIBE").set("Expires", 0);
    assert!(matches!(watcher.exchange(&end, presence.server.addr(), SOON).status(), 200 | 202));
    notify_that_says(&watcher, "Subscription-State: terminated");
    presence.stop();
}

/// Answers NOTIFYs until one has `part`: the server tells watchers of a PUBLISH after it has answered it.
fn notify_that_says(watcher: &Endpoint, part: &str) -> Received {
    loop {
        let notify = watcher.expect_request("NOTIFY", SOON);
        watcher.reply(&notify, 200, "OK");
        if notify.to_string().contains(part) {
            return notify;
        }
    }
}

#[test]
fn too_short_a_subscription_gets_423() {
    let presence = PresenceServer::builder().min_expires(60).start();
    let watcher = Endpoint::udp();
    let alice = presence.uri("alice");
    let subscribe = watcher.fresh_request("SUBSCRIBE", &alice, &watcher.uri("bob"), &alice);
    let answer =
        watcher.exchange(&subscribe.with("Event", "presence").with("Expires", 10), presence.server.addr(), SOON);
    assert_eq!((answer.status(), answer.header("Min-Expires")), (423, Some("60")));
    presence.stop();
}

#[test]
fn shared_memory_is_counted_to_the_byte() {
    let route = r#"request_route { t_newtran(); t_reply("200", "OK"); exit; }"#;
    for builder in [Server::builder(), Server::builder().tlsf()] {
        let server = builder.route(route).start();
        let peer = Endpoint::udp();
        let uri = server.uri("a");
        let base = Shm::base(&server);
        assert!(base.pieces() > 0 && base.bytes() > 0);
        for _ in 0..5 {
            assert_eq!(
                peer.exchange(&peer.fresh_request("OPTIONS", &uri, &uri, &uri), server.addr(), SOON).status(),
                200
            );
        }
        let now = Shm::base(&server);
        assert!(now.pieces() > base.pieces() && now.bytes() > base.bytes(), "transactions are counted");
        base.assert_back(&server);
        server.stop();
    }
}

/// The notifier against a subscriber made of the same parts: each receives what the other sends.
#[test]
fn the_notifier_is_scripted() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (notifier, subscriber) = (Notifier::new(transport), Endpoint::new(transport));
        let alice = notifier.uri("alice");
        let request =
            subscriber.fresh_request("SUBSCRIBE", &alice, &subscriber.uri("bob"), &alice).with("Event", "presence");
        subscriber.send(&request, notifier.endpoint.addr());
        subscriber.send(&request, notifier.endpoint.addr());

        let subscribe = notifier.expect_subscribe(SOON);
        eventually(SOON, "the retransmission is seen", || (notifier.endpoint.copies(&subscribe) == 2).then_some(()));
        let mut dialog = notifier.dialog(&subscribe);
        let early = dialog.send_notify(Notify::pending(600));
        let heard = subscriber.expect_request("NOTIFY", SOON);
        assert_eq!((heard.header("Event"), heard.cseq()), (Some("presence"), (1, "NOTIFY")));
        assert_eq!(heard.need("To"), request.need("From"));
        subscriber.reply(&heard, 200, "OK");
        assert_eq!(dialog.endpoint().final_response(&early, SOON).map(|answer| answer.status()), Some(200));

        dialog.accept(&subscribe, 600);
        let accepted = subscriber.final_response(&request, SOON).expect("an answer");
        assert_eq!(accepted.header("Expires"), Some("600"));
        assert_eq!(accepted.param("To", "tag"), heard.param("From", "tag"));

        let wrong = Notify::stateless().event("dialog").cseq(7).to("<sip:x@y>;tag=z").without("Contact");
        dialog.send_notify(wrong.body("text/plain", "hello"));
        let heard = subscriber.expect_request("NOTIFY", SOON);
        assert_eq!((heard.cseq().0, heard.header("Event"), heard.text().as_str()), (7, Some("dialog"), "hello"));
        assert!(heard.header("Subscription-State").is_none() && heard.header("Contact").is_none());
    }
}

#[test]
fn the_notifier_rejects_and_redirects() {
    let (notifier, subscriber) = (Notifier::udp(), Endpoint::udp());
    let ask = || {
        let uri = notifier.uri("alice");
        let request = subscriber.fresh_request("SUBSCRIBE", &uri, &uri, &uri).with("Event", "presence");
        subscriber.send(&request, notifier.endpoint.addr());
        (request, notifier.expect_subscribe(SOON))
    };
    let (request, subscribe) = ask();
    notifier.reject(&subscribe, 503, &[("Retry-After", "7")]);
    let answer = subscriber.final_response(&request, SOON).expect("503");
    assert_eq!((answer.status(), answer.header("Retry-After")), (503, Some("7")));

    let (request, subscribe) = ask();
    notifier.redirect(&subscribe, &["sip:one@127.0.0.1", "sip:two@127.0.0.1"]);
    let answer = subscriber.final_response(&request, SOON).expect("302");
    assert_eq!(answer.list("Contact"), ["<sip:one@127.0.0.1>;q=0.9", "<sip:two@127.0.0.1>;q=0.8"]);
    notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(50));
}

#[test]
fn messages_come_apart_as_they_were_put_together() {
    let text = "NOTIFY sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nm: \"x, <y>\" <sip:c@d;p=1>;q=1,\r\n <sip:e@f>\r\n\
                f: <sip:g@h>;tag=1\r\nCSEQ: 5 NOTIFY\r\nl: 3\r\n\r\nabcdef";
    let message = Message::parse(text.as_bytes()).expect("a message");
    assert_eq!((message.method(), message.cseq(), message.branch()), ("NOTIFY", (5, "NOTIFY"), "z9hG4bK1"));
    assert_eq!(message.list("Contact"), ["\"x, <y>\" <sip:c@d;p=1>;q=1", "<sip:e@f>"]);
    assert_eq!(message.uri_in("Contact"), Some("sip:c@d;p=1"));
    assert_eq!((message.param("From", "tag"), message.text().as_str()), (Some("1"), "abc"));

    let mut stream = [b"\r\n\r\n", &message.to_bytes()[..], b"OPT"].concat();
    assert_eq!(Message::take(&mut stream), Ok(Some(message)));
    assert_eq!((Message::take(&mut stream), stream.as_slice()), (Ok(None), &b"OPT"[..]));
}
