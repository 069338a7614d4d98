//! A resource list server in C whose back end is the QSA: it subscribes to each resource of a list, and its watcher gets
//! one document (RFC 4662) with the state of all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::json;

use crate::c_api::{build, builder, call};
use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::{basic_of, pidf};
use crate::support::presence_server::PresenceServer;
use crate::support::shm::leaves_nothing_in;
use crate::support::wait::{SOON, eventually};

const LIST: &str = "sip:friends@example.org";

/// What a document says of a resource: the state and the reason of its instance, and the basic status in its part.
type Told = BTreeMap<String, (String, String, String)>;

fn start() -> Server {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let module = BUILT.get_or_init(|| build("c_rls", &["rls/rls.c", "rls/document.c"]));
    builder(1000).route(&format!("loadmodule \"{}\"", module.display())).start()
}

fn watch(server: &Server, resources: &[String]) -> String {
    let params = json!(["rls", LIST, "sip:watcher@example.org", resources.join(" ")]);
    call(server, "subscribe", params).as_str().expect("an id").to_owned()
}

/// Reads a whole document: RLMI in its first part, and a part for each instance with a `cid`.
fn read(content_type: &str, body: &str) -> Told {
    let boundary =
        content_type.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a boundary");
    let body = body.strip_suffix(&format!("--{boundary}--\r\n")).expect("the last boundary");
    let mut parts = BTreeMap::new();
    for part in body.split(&format!("--{boundary}\r\n")).skip(1) {
        let (head, content) = part.split_once("\r\n\r\n").expect("an empty line");
        let id = head.split("Content-ID: <").nth(1).and_then(|rest| rest.split('>').next()).expect("a Content-ID");
        parts.insert(id, content);
    }
    let rlmi = roxmltree::Document::parse(parts["list@rls"].trim_end()).expect("RLMI");
    let list = rlmi.root_element();
    assert_eq!((list.tag_name().name(), list.attribute("uri")), ("list", Some(LIST)));
    assert_eq!(list.attribute("fullState"), Some("true"));
    let mut told = Told::new();
    for resource in
        list.children().filter(|node| node.has_tag_name((list.tag_name().namespace().expect("RLMI's"), "resource")))
    {
        let instance = resource.first_element_child();
        let said = |name| instance.and_then(|instance| instance.attribute(name)).unwrap_or_default();
        let basic = match said("cid") {
            "" => "",
            cid => basic_of(parts[cid]).expect("a presence document"),
        };
        let state = (said("state").to_owned(), said("reason").to_owned(), basic.to_owned());
        told.insert(resource.attribute("uri").expect("a URI").to_owned(), state);
    }
    told
}

/// Takes documents until one says what it should.
fn until(server: &Server, what: &str, is_it: impl Fn(&Told) -> bool) -> Told {
    eventually(SOON, what, || {
        let news = server.rpc("qsa_test.pop", json!([])).ok()?;
        assert_eq!(news["status"], "active", "{news}");
        let text = |name: &str| news[name].as_str().expect("a text").to_owned();
        Some(read(&text("content_type"), &text("body"))).filter(&is_it)
    })
}

#[test]
fn a_list_server_in_c_assembles_the_state_of_its_resources() {
    let notifier = Notifier::udp();
    let server = start();
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test", "c_rls"], || {
        let uris = ["a", "b", "c"].map(|user| notifier.uri(user));
        let id = watch(&server, &uris);
        let mut subscribes: Vec<_> = uris.iter().map(|_| notifier.expect_subscribe(SOON)).collect();
        subscribes.sort_by_key(|subscribe| subscribe.need("To").to_owned());
        let [a, b, c] = subscribes.try_into().expect("three");
        notifier.reject(&c, 404, &[]);
        let [mut a, mut b] = [a, b].map(|subscribe| notifier.accept(&subscribe, 600));
        assert_eq!(a.notify(Notify::active(600).pidf(&pidf(&uris[0], "open", None))).status(), 200);
        assert_eq!(b.notify(Notify::pending(600)).status(), 200);
        let state = |told: &Told, at: usize| told[&uris[at]].0.clone();
        let told = until(&server, "all three", |told| (0..3).all(|at| !state(told, at).is_empty()));
        assert_eq!(told[&uris[0]], ("active".to_owned(), String::new(), "open".to_owned()));
        assert_eq!(told[&uris[1]], ("pending".to_owned(), String::new(), String::new()));
        assert_eq!(state(&told, 2), "terminated");

        // A body with a line like a boundary, and a resource that has gone.
        let note = "\r\n--=_0--\r\n--=_1\r\n";
        assert_eq!(b.notify(Notify::active(600).pidf(&pidf(&uris[1], "closed", Some(note)))).status(), 200);
        let told = until(&server, "the second", |told| state(told, 1) == "active");
        assert_eq!((told[&uris[0]].2.as_str(), told[&uris[1]].2.as_str()), ("open", "closed"));
        let shown = server.rpc("c_rls.show", json!([])).expect("rows");
        assert_eq!((&shown[0]["basic"], &shown[1]["basic"]), (&json!("open"), &json!("closed")), "{shown}");
        assert_eq!(a.notify(Notify::state("terminated;reason=noresource")).status(), 200);
        let told = until(&server, "the end of the first", |told| state(told, 0) == "terminated");
        assert_eq!(told[&uris[0]].1, "noresource");
        assert_eq!(state(&told, 1), "active");

        call(&server, "unsubscribe", json!([id]));
        farewell(&mut b);
        server.await_no_subscription();
        while server.rpc("qsa_test.pop", json!([])).is_ok() {}
    });
    server.stop();
}

#[test]
fn a_list_server_in_c_watches_many_resources_of_a_real_server() {
    let presence = PresenceServer::start();
    let server = start();
    let uris: Vec<_> = (0..60).map(|number| presence.uri(&format!("u{number}"))).collect();
    for (number, uri) in uris.iter().enumerate().step_by(2) {
        presence.publish(&format!("u{number}"), &pidf(uri, "open", None));
    }
    let id = watch(&server, &uris);
    let is_open = |told: &Told| told.values().filter(|(.., basic)| basic == "open").count();
    let told = until(&server, "every second is open", |told| {
        is_open(told) == 30 && told.values().all(|(state, ..)| state == "active")
    });
    assert_eq!(told.len(), 60);
    assert!(uris.iter().step_by(2).all(|uri| told[uri].2 == "open"), "{told:?}");
    presence.publish("u1", &pidf(&uris[1], "open", None));
    let told = until(&server, "one more", |told| is_open(told) == 31);
    assert_eq!(told[&uris[1]].2, "open");
    call(&server, "unsubscribe", json!([id]));
    server.await_no_subscription();
    server.stop();
    presence.stop();
}

/// Lists that cannot be shown as they are, and more of them than there is room for.
#[test]
fn a_list_server_in_c_refuses_what_it_cannot_serve() {
    let server = start();
    let refused = |resources: &str| {
        let params = json!(["rls", LIST, "sip:watcher@example.org", resources]);
        server.rpc("qsa_test.subscribe", params).expect_err("it is refused").message
    };
    for resources in ["", "  ", "sip:a@h sip:<b>@h", &"x".repeat(200)] {
        assert!(refused(resources).contains("refused"), "{resources}");
    }
    server.stop();
}
