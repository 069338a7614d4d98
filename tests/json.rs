//! `$qsa(json)`: as its page has it, at a real receiver, whatever the body.

use serde_json::{Value, json};

use crate::documentation::{RECORD, SUBSCRIBER, blocks, blocks_in, text_of};
use crate::support::captured::{Captured, Says};
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;
use crate::support::web::Web;

/// A server with the first configuration of the page, which posts to this receiver.
fn builder(web: &Web) -> Builder {
    let example = &blocks_in("docs/json.md", "kamailio")[0];
    let posts = example.replace("127.0.0.1:8080", &web.addr().to_string());
    assert!(&posts != example && posts.contains("pv_buffer_size=65536"));
    // The longest text of these tests.
    let posts = posts.replace("65536", "150000");
    let package = "as-feature-event: accept=application/x-as-feature-event+xml; forking=first";
    Server::b2b().route(&posts).b2b_param("min_resubscribe_time", 0).b2b_param("package", package)
}

/// The next message that is posted.
fn posted(web: &Web) -> Value {
    let posted = web.next();
    assert!(posted.request.starts_with("POST /states "), "{posted:?}");
    assert_eq!(posted.content_type, "application/json");
    let text = String::from_utf8(posted.body).expect("UTF-8");
    assert!(!text.contains('\n'), "one line: {text:?}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Each message that the page has, its body first, if it has one of its own.
fn documented() -> Vec<(Option<String>, Value)> {
    let page = text_of("docs/json.md");
    let mut body = None;
    let mut messages = Vec::new();
    for block in blocks(&page) {
        match &block.language[..] {
            "xml" | "text" => body = Some(block.text),
            "json" => messages.push((body.take(), serde_json::from_str(&block.text).expect("JSON"))),
            _ => {}
        }
    }
    messages
}

/// The members that are the same in all examples of the page.
fn common() -> Value {
    let page = text_of("docs/json.md");
    let (_, after) = page.split_once("Their other members are\n`").expect("the common members");
    serde_json::from_str(&format!("{{{}}}", after.split('`').next().expect("an end"))).expect("JSON")
}

#[test]
fn each_package_is_posted_as_the_page_says() {
    let web = Web::start();
    let notifier = Notifier::udp();
    let server = builder(&web).start();
    let messages = documented();
    assert_eq!(messages.len(), 6, "a message of each format, and one of another");
    leaves_nothing(&server, || {
        for (body, example) in &messages {
            let body = body.clone().unwrap_or_else(|| example["body"].as_str().expect("a body").to_owned());
            let mut expected = common();
            expected.as_object_mut().expect("members").extend(example.as_object().expect("members").clone());
            let [package, content_type] =
                ["package", "content_type"].map(|name| expected[name].as_str().expect("a text"));
            let record = notifier.uri("alice");
            let options = json!([record, server.uri("watcher"), package]);
            let id = server.rpc("presence_b2b.subscribe", options).expect("an id");
            let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
            let notify = Notify::active(600).event(package).body(content_type, body);
            assert_eq!(dialog.notify(notify).status(), 200, "{package}");
            let mut message = posted(&web);
            for (name, own, documented) in [
                ("id", id, json!(1027)),
                ("record", json!(record), json!(RECORD)),
                ("subscriber", json!(server.uri("watcher")), json!(SUBSCRIBER)),
            ] {
                assert_eq!(message[name], own);
                message[name] = documented;
            }
            assert_eq!(message, expected, "{package}");
            dialog.notify(Notify::terminated("noresource", 0).event(package));
            let last = posted(&web);
            assert_eq!((&last["status"], &last["reason"]), (&json!("terminated"), &json!("noresource")));
            assert!(
                ["body", "document", "fields", "content_type", "next_attempt", "event_id"]
                    .iter()
                    .all(|name| last.get(name).is_none()),
                "{last}"
            );
        }
        server.await_no_subscription();
    });
    server.stop();
}

/// Bodies that are no document of a known format, or a bad one, or no text.
#[test]
fn other_bodies_are_text_or_base64() {
    let web = Web::start();
    let notifier = Notifier::tcp();
    let server = builder(&web).b2b_param("check_bodies", 0).global("tcp_rd_buf_size=300000").start();
    leaves_nothing(&server, || {
        let options = json!([notifier.uri("alice"), server.uri("watcher"), "presence", "id=desk"]);
        server.rpc("presence_b2b.subscribe", options).expect("an id");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let long = "\u{1}ä\"".repeat(10_000);
        let cut = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"><tuple id=\"a\">";
        for (body, member, value) in [
            (cut.as_bytes(), "body", cut),
            (b"\xff\xfe\x00x", "body_base64", "//4AeA=="),
            (long.as_bytes(), "body", &long),
            (b"\0", "body", "\0"),
        ] {
            assert_eq!(dialog.notify(Notify::active(600).body("application/pidf+xml", body)).status(), 200);
            let message = posted(&web);
            assert_eq!(message[member], value, "{message}");
            assert_eq!(message["event_id"], "desk");
            assert_eq!(message.as_object().expect("members").len(), 10, "{message}");
        }
        dialog.notify(Notify::terminated("noresource", 0));
        posted(&web);
        server.await_no_subscription();
    });
    server.stop();
}

/// What real notifiers have sent: the JSON is what another reader of XML makes of it.
#[test]
fn captured_bodies_are_posted_as_another_reader_has_read_them() {
    let web = Web::start();
    let notifier = Notifier::udp();
    let server = builder(&web).start();
    leaves_nothing(&server, || {
        for captured in Captured::all() {
            let name = captured.name.as_str();
            let package = captured.header("Event").expect(name);
            let (options, count) = match &captured.says {
                Says::Refused => continue,
                Says::List { resources, .. } => ("list", resources.len()),
                Says::Fields(_) => ("", 1),
            };
            let options = json!([notifier.uri("alice"), server.uri("watcher"), package, options]);
            server.rpc("presence_b2b.subscribe", options).expect(name);
            let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
            let notify = Notify::active(600).event(package);
            let notify = match captured.body.as_slice() {
                [] => notify,
                body => notify.body(captured.content_type(), body),
            };
            let is_list = matches!(captured.says, Says::List { .. });
            let notify = if is_list { notify.with("Require", "eventlist") } else { notify };
            assert_eq!(dialog.notify(notify).status(), 200, "{name}");
            let posted_now: Vec<_> = (0..count).map(|_| posted(&web)).collect();
            for (at, message) in posted_now.iter().enumerate() {
                let document = captured.documents.get(at).filter(|document| !document.is_null());
                assert_eq!(message.get("document"), document, "{name}");
                assert_eq!(message.get("fields").is_some(), document.is_some(), "{name}");
            }
            if let Says::Fields(fields) = &captured.says {
                let said = posted_now[0].get("fields").and_then(Value::as_object).cloned().unwrap_or_default();
                assert_eq!(&said, fields, "{name}");
            }
            dialog.notify(Notify::terminated("noresource", 0).event(package));
            posted(&web);
        }
        server.await_no_subscription();
    });
    server.stop();
}
