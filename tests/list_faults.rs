//! Lists of resources that cannot be read, that miss documents, and whose messages are lost.

use serde_json::{Value, json};

use crate::c_api::{self, call};
use crate::list_resources::list;
use crate::options::subscribe;
use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::{leaves_nothing, leaves_nothing_in};
use crate::support::wait::{SOON, eventually};

const KIND: &str = "multipart/related;type=\"application/rlmi+xml\";start=\"<l@x>\";boundary=\"b\"";

const TELL: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "LIST|$qsa(list)|$qsa(record)|$qsa(status)|$qsa(content_type)|\n");
}"#;

fn tell(dialog: &mut Dialog, body: &str) {
    assert_eq!(dialog.notify(Notify::active(600).body(KIND, body).with("Require", "eventlist")).status(), 200);
}

fn resources<'a>(users: &[(&str, &'a str)]) -> Vec<(String, &'a str, &'a str)> {
    users.iter().map(|(user, state)| (format!("sip:{user}@x"), "", *state)).collect()
}

/// A list whose only resource is the list `sip:in@x`, with these resources.
fn nested(version: u32, inner: u32, is_full: bool, users: &[(&str, &str)]) -> String {
    let inside = list(inner, is_full, &resources(users)).replace("sip:l@x", "sip:in@x").replace("--b", "--c");
    format!(
        "--b\r\nContent-Type: application/rlmi+xml\r\nContent-ID: <l@x>\r\n\r\n<list uri=\"sip:l@x\" version=\"{version}\" \
         fullState=\"false\"><resource uri=\"sip:in@x\"><instance id=\"i\" state=\"active\" cid=\"in@x\"/></resource></list>\r\n\
         --b\r\nContent-Type: multipart/related;boundary=c\r\nContent-ID: <in@x>\r\n\r\n{inside}\r\n--b--\r\n"
    )
}

/// So many lists inside one another.
fn deep(count: usize) -> String {
    let mut body = "--b0\r\nContent-Type: application/rlmi+xml\r\n\r\n<list uri=\"sip:l@x\"/>\r\n--b0--".to_owned();
    for level in 1..count {
        body = format!(
            "--b{level}\r\nContent-Type: application/rlmi+xml\r\n\r\n<list uri=\"sip:l@x\"><resource uri=\"sip:l@x\">\
             <instance cid=\"a\"/></resource></list>\r\n--b{level}\r\nContent-Type: multipart/related;boundary=b{}\r\n\
             Content-ID: <a>\r\n\r\n{body}\r\n--b{level}--",
            level - 1
        );
    }
    body
}

/// Type, body, and what the log says of it.
fn faults() -> Vec<(&'static str, String, &'static str)> {
    let good = list(0, true, &resources(&[("a", "here")]));
    vec![
        (KIND, good.replace("</list>", ""), "document ends inside an element"),
        (KIND, "nothing".to_owned(), "multipart body: no line has its boundary"),
        (
            KIND,
            good.replace("application/rlmi+xml", "text/plain"),
            "list of resources: no part of type application/rlmi+xml names its resources",
        ),
        (
            KIND,
            good.replace("uri=\"sip:a@x\"", ""),
            "list of resources: a resource has no URI, or one that cannot be used",
        ),
        ("multipart/related;boundary=b99", deep(100), "more than 8 lists inside one another"),
    ]
}

/// The log says what is wrong, once for each subscription.
#[test]
fn a_list_that_is_refused_says_why() {
    let notifier = Notifier::udp();
    let record = notifier.uri("friends");
    let server = Server::b2b().route(TELL).allow_log("was refused with 400").start();
    leaves_nothing(&server, || {
        for (kind, body, said) in faults() {
            let id = subscribe(&server, &record, "presence", "list").expect("an id");
            let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
            let mark = server.log().mark();
            for _ in 0..3 {
                assert_eq!(dialog.notify(Notify::active(600).body(kind, body.as_str())).status(), 400, "{said}");
            }
            let lines = server.log().since(mark, "was refused with 400 Malformed Body, because of its body (");
            assert!(lines.len() == 1 && lines[0].contains(said), "{said}: {lines:?}");
            server.end(id, &mut dialog);
        }
    });
    server.stop();
}

/// With `check_bodies=0` it is told whole, in one message about the list. The log says so, every few seconds at most.
#[test]
fn a_list_that_is_not_checked_is_told_whole() {
    let notifier = Notifier::udp();
    let record = notifier.uri("friends");
    let server = Server::b2b().b2b_param("check_bodies", 0).route(TELL).start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &record, "presence", "list").expect("an id");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let mark = server.log().mark();
        let all = faults();
        for (kind, body, _) in &all {
            assert_eq!(dialog.notify(Notify::active(600).body(kind, body.as_str())).status(), 200);
        }
        let told = || Some(server.log().since(mark, "LIST|")).filter(|told| told.len() == all.len());
        for line in eventually(SOON, "all messages", told) {
            assert!(line.contains(&format!("LIST|<null>|{record}|active|multipart/related;")), "{line}");
        }
        assert!(server.log().since(mark, "is handed on as one message (").len() <= 1);
        server.end(id, &mut dialog);
    });
    // Once for both runs.
    assert_eq!(server.log().text().matches("is handed on as one message (").count(), 1);
    server.stop();
}

/// A part that no instance has, and a list that names itself: the first has no state, and the second is opened once.
#[test]
fn missing_parts_and_loops_are_told() {
    let notifier = Notifier::udp();
    let server = Server::b2b().route(TELL).start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &notifier.uri("friends"), "presence", "list").expect("an id");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let mark = server.log().mark();
        tell(&mut dialog, &list(0, true, &resources(&[("a", "here")])).replace("cid=\"c0@x\"", "cid=\"none@x\""));
        let told = |count: usize| {
            let lines = || Some(server.log().since(mark, "LIST|")).filter(|told| told.len() >= count);
            eventually(SOON, "the messages", lines)
        };
        assert!(told(1)[0].ends_with("LIST|sip:l@x|sip:a@x|active|<null>|"));
        let looped = nested(1, 0, true, &[("in", "here"), ("b", "there")]).replace("cid=\"c0@x\"", "cid=\"in@x\"");
        tell(&mut dialog, &looped);
        let lines = told(3);
        assert!(lines[1].ends_with("LIST|sip:in@x|sip:in@x|active|<null>|"), "{lines:?}");
        assert!(lines[2].ends_with("LIST|sip:in@x|sip:b@x|active|application/pidf+xml|"), "{lines:?}");
        server.end(id, &mut dialog);
    });
    server.stop();
}

fn pops(server: &Server, count: usize) -> Vec<Value> {
    (0..count).map(|_| eventually(SOON, "a message", || server.rpc("qsa_test.pop", json!([])).ok())).collect()
}

fn asked(server: &Server, record: &str, options: &str) -> String {
    let id = call(server, "subscribe", json!(["presence", record, "sip:watcher@example.org", options]));
    id.as_str().expect("an id").to_owned()
}

/// Missing documents are requested in the one dialog, whether the root misses them or a member.
#[test]
fn a_gap_in_a_share_asks_for_the_whole_list() {
    let notifier = Notifier::udp();
    let server = c_api::start(100);
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || {
        let record = notifier.uri("friends");
        let mut ids = vec![asked(&server, &record, "share;list")];
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let one = |version, is_full| list(version, is_full, &resources(&[("a", "here")]));
        tell(&mut dialog, &one(0, true));
        pops(&server, 1);
        ids.push(asked(&server, &record, "share;list"));
        pops(&server, 1);
        // The root misses version 1.
        tell(&mut dialog, &one(2, false));
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        pops(&server, 2);
        tell(&mut dialog, &one(3, true));
        pops(&server, 2);
        tell(&mut dialog, &one(4, false));
        pops(&server, 2);
        // A late member begins with changes.
        ids.push(asked(&server, &record, "share;list"));
        pops(&server, 1);
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        tell(&mut dialog, &one(5, true));
        pops(&server, 3);
        // A list in the list: the root looks at the outermost only.
        tell(&mut dialog, &nested(6, 0, true, &[("b", "here")]));
        pops(&server, 3);
        tell(&mut dialog, &nested(7, 3, false, &[("b", "there")]));
        pops(&server, 3);
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        tell(&mut dialog, &one(8, true));
        // b vanishes with its list.
        let told = pops(&server, 6);
        let gone = told.iter().filter(|told| told["resource"] == "sip:b@x" && told["reason"] == "noresource");
        assert_eq!(gone.count(), 3, "{told:?}");
        for id in &ids {
            call(&server, "unsubscribe", json!([id]));
        }
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

/// The queue has room for one message. A subscriber that misses one gets all resources again, and each message is counted once.
#[test]
fn a_lost_list_is_asked_for() {
    let notifier = Notifier::udp();
    let server = c_api::builder(1).allow_log("was not delivered, because the queue is full").start();
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || {
        let counts = || {
            let trace = server.trace();
            let number = |name: &str| trace[name].as_i64().expect("a number");
            ["received", "delivered", "merged", "dropped", "notifies_merged", "notifies_dropped"].map(number)
        };
        let before = counts();
        let ids = [asked(&server, &notifier.uri("friends"), "list"), asked(&server, &notifier.uri("other"), "")];
        let requests = [(); 2].map(|()| notifier.expect_subscribe(SOON));
        let of = |user: &str| requests.iter().find(|request| request.message.to_string().contains(user)).expect(user);
        let mut dialog = notifier.accept(of("friends@"), 600);
        let mut other = notifier.accept(of("other@"), 600);
        let [a, b] = [("a", "here"), ("b", "there")];
        tell(&mut dialog, &list(0, true, &resources(&[a, b])));
        pops(&server, 2);
        // One that waits makes room for another subscription's.
        tell(&mut dialog, &list(1, false, &resources(&[("a", "away")])));
        assert_eq!(other.notify(Notify::active(600).pidf(&pidf("sip:o@x", "open", None))).status(), 200);
        assert_eq!(pops(&server, 1)[0]["id"], json!(ids[1]));
        tell(&mut dialog, &list(2, false, &resources(&[b])));
        assert_eq!(pops(&server, 1)[0]["resource"], "sip:b@x");
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        tell(&mut dialog, &list(3, true, &resources(&[("a", "away"), b])));
        let told = pops(&server, 2);
        assert_eq!(told[0]["presentity"]["tuples"][0]["notes"][0]["text"], "away", "{told:?}");
        // One that waits is replaced by a newer one of its own.
        tell(&mut dialog, &list(4, false, &resources(&[a])));
        tell(&mut dialog, &list(5, false, &resources(&[b])));
        assert_eq!(pops(&server, 1)[0]["resource"], "sip:b@x");
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        tell(&mut dialog, &list(6, true, &resources(&[a])));
        let told = pops(&server, 2);
        assert_eq!((&told[1]["resource"], &told[1]["reason"]), (&json!("sip:b@x"), &json!("noresource")));
        assert_eq!(server.rpc("qsa_test.pop", json!([])).expect_err("nothing waits").code, 404);
        let since: Vec<_> = counts().iter().zip(before).map(|(now, before)| now - before).collect();
        assert_eq!(since, [8, 6, 1, 1, 1, 1]);
        for (id, dialog) in ids.iter().zip([&mut dialog, &mut other]) {
            call(&server, "unsubscribe", json!([id]));
            farewell(dialog);
        }
        server.await_no_subscription();
    });
    server.stop();
}
