//! Each resource of a list has messages of its own: in the event route and for C modules.

use std::fmt::Write as _;

use serde_json::json;

use crate::c_api::{self, call};
use crate::options::subscribe;
use crate::support::b2b::farewell;
use crate::support::config::takes_long_messages;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

const KIND: &str = "multipart/related;type=\"application/rlmi+xml\";start=\"<l@x>\";boundary=\"b\"";

const TELL: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "LIST|$qsa(list)|$qsa(record)|$qsa(resource_name)|$qsa(instance)|$qsa(status)|$qsa(reason)|$qsa(content_type)|$qsa(basic)|$qsa(note)|\n");
}"#;

/// A list of resources: URI, name, and `none`, `pending`, `terminated` or a note of an open presentity.
pub fn list(version: u32, is_full: bool, resources: &[(String, &str, &str)]) -> String {
    let (mut named, mut parts) = (String::new(), String::new());
    for (number, (uri, name, state)) in resources.iter().enumerate() {
        let name = if name.is_empty() { String::new() } else { format!("<name>{name}</name>") };
        let instance = match *state {
            "none" => String::new(),
            "pending" => "<instance id=\"i\" state=\"pending\"/>".to_owned(),
            "terminated" => "<instance id=\"i\" state=\"terminated\" reason=\"rejected\"/>".to_owned(),
            note => {
                let document = pidf(uri, "open", Some(note));
                let _ = write!(
                    parts,
                    "--b\r\nContent-Type: application/pidf+xml\r\nContent-ID: <c{number}@x>\r\n\r\n{document}\r\n"
                );
                format!("<instance id=\"i\" state=\"active\" cid=\"c{number}@x\"/>")
            }
        };
        let _ = write!(named, "<resource uri=\"{uri}\">{name}{instance}</resource>");
    }
    let rlmi = format!(
        "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:l@x\" version=\"{version}\" fullState=\"{is_full}\">{named}</list>"
    );
    format!("--b\r\nContent-Type: application/rlmi+xml\r\nContent-ID: <l@x>\r\n\r\n{rlmi}\r\n{parts}--b--\r\n")
}

fn resource<'a>(user: &str, name: &'a str, state: &'a str) -> (String, &'a str, &'a str) {
    (format!("sip:{user}@x"), name, state)
}

fn tell(dialog: &mut Dialog, body: &str) -> u16 {
    dialog.notify(Notify::active(600).body(KIND, body).with("Require", "eventlist")).status()
}

/// The lines since then, when there are so many.
fn told(server: &Server, mark: Mark, count: usize) -> Vec<String> {
    let lines = || {
        let all = server.log().since(mark, "LIST|");
        let lines: Vec<_> = all.iter().filter_map(|line| Some(line.split_once("LIST|")?.1.to_owned())).collect();
        (lines.len() >= count && lines.iter().all(|line| line.ends_with('|'))).then_some(lines)
    };
    eventually(SOON, "the resources", lines)
}

#[test]
fn each_resource_has_a_message_of_its_own() {
    let notifier = Notifier::udp();
    let record = notifier.uri("friends");
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(TELL).start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &record, "presence", "list").expect("an id");
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&first, 600);
        let mark = server.log().mark();
        let all = [
            resource("a", "Ann", "at the desk"),
            resource("b", "", "pending"),
            resource("c", "", "terminated"),
            resource("d", "", "none"),
        ];
        assert_eq!(tell(&mut dialog, &list(0, true, &all)), 200);
        assert_eq!(
            told(&server, mark, 4),
            [
                "sip:l@x|sip:a@x|Ann|i|active||application/pidf+xml|open|at the desk|",
                "sip:l@x|sip:b@x|<null>|i|pending||<null>|<null>|<null>|",
                "sip:l@x|sip:c@x|<null>|i|terminated|rejected|<null>|<null>|<null>|",
                "sip:l@x|sip:d@x|<null>|<null>|pending||<null>|<null>|<null>|",
            ]
        );
        let mark = server.log().mark();
        assert_eq!(tell(&mut dialog, &list(1, false, &[resource("b", "", "at lunch")])), 200);
        assert_eq!(told(&server, mark, 1), ["sip:l@x|sip:b@x|<null>|i|active||application/pidf+xml|open|at lunch|"]);
        // Gone from the list; what had ended before is not told again.
        let mark = server.log().mark();
        assert_eq!(tell(&mut dialog, &list(2, true, &[resource("b", "", "back")])), 200);
        let mut gone = told(&server, mark, 3);
        assert_eq!(gone.remove(0), "sip:l@x|sip:b@x|<null>|i|active||application/pidf+xml|open|back|");
        gone.sort();
        let expected = ["a", "d"]
            .map(|user| format!("sip:l@x|sip:{user}@x|<null>|<null>|terminated|noresource|<null>|<null>|<null>|"));
        assert_eq!(gone, expected);
        // A document is missing.
        assert_eq!(tell(&mut dialog, &list(5, false, &[resource("b", "", "away")])), 200);
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        assert_eq!(tell(&mut dialog, &list(6, true, &[resource("b", "", "here")])), 200);
        // What ends the subscription, and what has no body, is about the list.
        told(&server, mark, 5);
        let mark = server.log().mark();
        server.unsubscribe(id);
        farewell(&mut dialog);
        server.await_no_subscription();
        assert_eq!(server.log().since(mark, "|sip:l@x|").len(), 0);
        let id = subscribe(&server, &record, "presence", "list").expect("an id");
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&first, 600);
        let mark = server.log().mark();
        let last = Notify::terminated("noresource", 0).body(KIND, list(0, true, &[resource("a", "", "bye")]));
        assert_eq!(dialog.notify(last).status(), 200);
        let lines = told(&server, mark, 2);
        assert_eq!(lines[0], "sip:l@x|sip:a@x|<null>|i|active||application/pidf+xml|open|bye|");
        assert_eq!(lines[1], format!("<null>|{record}|<null>|<null>|terminated|noresource|<null>|<null>|<null>|"));
        server.await_no_subscription();
        let _ = id;
    });
    server.stop();
}

#[test]
fn a_c_module_takes_one_resource_after_the_other() {
    let server = c_api::start(100);
    let notifier = Notifier::udp();
    let id =
        call(&server, "subscribe", json!(["presence", notifier.uri("friends"), "sip:watcher@example.org", "list"]));
    let first = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.accept(&first, 600);
    let resources = [resource("a", "Ann", "at the desk"), resource("b", "", "pending")];
    assert_eq!(tell(&mut dialog, &list(0, true, &resources)), 200);
    assert_eq!(tell(&mut dialog, &list(1, true, &resources[1..])), 200);
    let pop = || eventually(SOON, "a message", || server.rpc("qsa_test.pop", json!([])).ok());
    let first = pop();
    assert_eq!((&first["list"], &first["resource"]), (&json!("sip:l@x"), &json!("sip:a@x")), "{first}");
    assert_eq!((&first["resource_name"], &first["instance"]), (&json!("Ann"), &json!("i")), "{first}");
    assert_eq!((&first["status"], &first["last"]), (&json!("active"), &json!(0)));
    assert_eq!(first["presentity"]["tuples"][0]["basic"], "open", "{first}");
    assert_eq!(first["content_type"], "application/pidf+xml");
    let others = [(); 3].map(|()| pop());
    let told = others.each_ref().map(|told| [&told["resource"], &told["status"], &told["reason"], &told["body"]]);
    let none = |resource, status, reason| [json!(resource), json!(status), json!(reason), json!("")];
    let expected =
        [none("sip:b@x", "pending", ""), none("sip:b@x", "pending", ""), none("sip:a@x", "terminated", "noresource")];
    assert_eq!(told, expected.each_ref().map(|each| each.each_ref()));
    assert_eq!(server.rpc("qsa_test.pop", json!([])).expect_err("nothing waits").code, 404);
    call(&server, "unsubscribe", json!([id]));
    farewell(&mut dialog);
    server.await_no_subscription();
    server.stop();
}

/// Bodies that are no lists are refused, and the subscription goes on.
#[test]
fn what_is_no_list_is_refused() {
    let notifier = Notifier::udp();
    let record = notifier.uri("friends");
    let server = Server::b2b().route(TELL).allow_log("was refused").start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &record, "presence", "list").expect("an id");
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&first, 600);
        let good = list(0, true, &[resource("a", "", "here")]);
        let mut nested =
            "--b0\r\nContent-Type: application/rlmi+xml\r\n\r\n<list uri=\"sip:l@x\"/>\r\n--b0--".to_owned();
        for level in 1..100 {
            nested = format!(
                "--b{level}\r\nContent-Type: application/rlmi+xml\r\n\r\n<list uri=\"sip:l@x\"><resource uri=\"sip:l@x\">\
                 <instance cid=\"a\"/></resource></list>\r\n--b{level}\r\nContent-Type: multipart/related;boundary=b{}\r\n\
                 Content-ID: <a>\r\n\r\n{nested}\r\n--b{level}--",
                level - 1
            );
        }
        let b99 = "multipart/related;boundary=b99";
        for (kind, body) in [
            (KIND, "nothing"),
            (KIND, "--b--"),
            (KIND, &good.replace("</list>", "")),
            (KIND, &good.replace("application/rlmi+xml", "text/plain")),
            (KIND, &good.replace("uri=\"sip:a@x\"", "")),
            ("multipart/related", &good),
            ("multipart/related;boundary=other", &good),
            (b99, &nested),
        ] {
            let refused = dialog.notify(Notify::active(600).body(kind, body));
            let line = refused.message.to_string();
            assert!(line.starts_with("SIP/2.0 400 Malformed Body"), "{line}: {kind}\n{body}");
        }
        let mark = server.log().mark();
        assert_eq!(tell(&mut dialog, &good), 200);
        told(&server, mark, 1);
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// One worker: a long list leaves others their turns, and what comes behind it for its own subscription waits for its end.
#[test]
fn a_long_list_keeps_nobody_waiting() {
    let many = if takes_long_messages() { 400 } else { 60 };
    let route = r#"event_route[qsa:notify] {
        usleep("2000");
        xlog("L_NOTICE", "LIST|$qsa(record)|$qsa(status)|$qsa(note)|\n");
    }"#;
    let notifier = Notifier::tcp();
    let server = Server::b2b().module("cfgutils").route(route).b2b_param("workers", 1);
    let server = server.global("tcp_rd_buf_size=1000000").start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &notifier.uri("friends"), "presence", "list").expect("an id");
        let mut long = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let other = server.subscribe(&notifier.uri("other"), "sip:w@x");
        let mut short = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let mark = server.log().mark();
        let all: Vec<_> = (0..many).map(|user| resource(&format!("u{user}"), "", "here")).collect();
        assert_eq!(tell(&mut long, &list(0, true, &all)), 200);
        assert_eq!(tell(&mut long, &list(1, false, &[resource("last", "", "there")])), 200);
        assert_eq!(short.notify(Notify::active(600).pidf(&pidf("sip:o@x", "open", Some("other")))).status(), 200);
        let lines = told(&server, mark, many + 2);
        let place = |wanted: &str| lines.iter().position(|line| line.contains(wanted)).expect(wanted);
        assert!(place("|other|") < many / 2, "{}", place("|other|"));
        assert_eq!(place("|there|"), many + 1);
        let order: Vec<_> = lines.iter().filter(|line| line.contains("|here|")).collect();
        assert!(order.iter().enumerate().all(|(at, line)| line.starts_with(&format!("sip:u{at}@x|"))), "{order:?}");
        for (id, dialog) in [(id, &mut long), (other, &mut short)] {
            server.unsubscribe(id);
            farewell(dialog);
        }
        server.await_no_subscription();
    });
    server.stop();
}

/// 10,000 resources in one body, of which one changes.
#[test]
fn ten_thousand_resources() {
    if !takes_long_messages() {
        return;
    }
    const MANY: usize = 10_000;
    let route = r#"event_route[qsa:notify] { xlog("L_NOTICE", "LIST|$qsa(record)|$qsa(note)|\n"); }"#;
    let notifier = Notifier::tcp();
    let server = Server::b2b().route(route).b2b_param("max_body", 8_388_608).b2b_param("queue_bytes", 33_554_432);
    let server = server
        .b2b_param("subscription_queue_bytes", 16_777_216)
        .global("tcp_rd_buf_size=8500000")
        .shm_megabytes(256)
        .start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &notifier.uri("friends"), "presence", "list").expect("an id");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let mark = server.log().mark();
        let all: Vec<_> = (0..MANY).map(|user| resource(&format!("u{user}"), "", "here")).collect();
        assert_eq!(tell(&mut dialog, &list(0, true, &all)), 200);
        let lines = told(&server, mark, MANY);
        assert_eq!(lines.last().map(String::as_str), Some("sip:u9999@x|here|"));
        let mark = server.log().mark();
        assert_eq!(tell(&mut dialog, &list(1, false, &[resource("u77", "", "away")])), 200);
        assert_eq!(told(&server, mark, 1), ["sip:u77@x|away|"]);
        server.end(id, &mut dialog);
    });
    server.stop();
}
