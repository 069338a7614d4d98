//! What cannot be published, and why.

use serde_json::json;

use super::{DIALOGS, bridging, count, dialogs, on, published, subscribe, tell};
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Notifier, Notify};
use crate::support::phone::Phone;
use crate::support::pidf::{PIDF, basic_of, pidf};
use crate::support::presence_server::create_database;
use crate::support::shm::leaves_nothing_in;
use crate::support::wait::{SOON, eventually};

/// Why a subscription of this package with these options is refused.
fn why(server: &Server, record: &str, package: &str, options: &str) -> String {
    match subscribe(server, record, package, options) {
        Ok(id) => panic!("{options}: subscription {id}"),
        Err(refusal) => refusal.message,
    }
}

#[test]
fn a_user_has_the_state_of_one_subscription() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    leaves_nothing_in(&server, &["presence_b2b", "presence"], || {
        let (id, mut dialog) = published(&server, &notifier, "dialog");
        let desk = format!("sips:desk@{}:5070;transport=tls", server.ip());
        let refusal = why(&server, &notifier.uri("bob"), "dialog", &format!("publish_as=\"{desk}\""));
        assert!(refusal.contains("another subscription publishes this user: end it, or set publish_as"), "{refusal}");
        let other = subscribe(&server, &notifier.uri("bob"), "presence", &format!("publish_as=\"{desk}\""))
            .expect("another package");
        let mut presence = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        server.unsubscribe(other);
        crate::support::b2b::farewell(&mut presence);
        server.end(id, &mut dialog);
    });
    server.stop();
}

#[test]
fn what_cannot_be_published_is_refused_in_one_sentence() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    let bob = notifier.uri("bob");
    for (record, package, options, wanted) in [
        (bob.as_str(), "reg", "publish", "only presence, dialog and message-summary can be published"),
        (&format!("sip:{}", notifier.endpoint.addr()), "dialog", "publish", "the record has no user"),
        (&bob, "dialog", "publish_as=sip:desk", "option publish_as is \"sip:desk\", but must be a SIP URI with a user"),
        (&bob, "dialog", "publish;fetch", "must be omitted if option fetch is given"),
    ] {
        let refusal = why(&server, record, package, options);
        assert!(refusal.contains(wanted), "{refusal}");
    }
    assert_eq!(count(&server, "publications"), 0);
    server.stop();
}

#[test]
fn without_a_presence_server_nothing_is_published() {
    let folder = tempfile::TempDir::with_prefix("presence-").expect("a folder");
    let file = folder.path().join("presence.sqlite");
    create_database(&file);
    let url = format!("sqlite:///{}", file.display());
    let memory = |server: Builder| server.modparam("presence", "subs_db_mode", 0).modparam("presence", "publ_cache", 2);
    let library = |server: Builder| server.module("presence").module("presence_dialoginfo");
    let cases: [(Builder, &str); 3] = [
        (Server::eager(1), "publishing needs the module presence: load it"),
        (library(Server::eager(1)), "the module presence is only a library: set its publ_cache to 2, or its db_url"),
        (
            memory(Server::eager(1).module("presence")),
            "the module presence lacks the package: load presence_dialoginfo",
        ),
    ];
    for (server, wanted) in cases {
        let server = server.start();
        let refusal = why(&server, "sip:bob@192.0.2.1", "dialog", "publish");
        assert!(refusal.contains(wanted), "{refusal}");
        assert_eq!(server.trace()["subscriptions"], 0);
        server.stop();
    }
    let keeps = |server: Builder| server.b2b_param("publish_out_of_reach", "keep").start_refused();
    let sqlite = on(&["db_sqlite"]).modparam("presence", "db_url", url);
    for (server, wanted) in [
        (Server::b2b(), "modparam publish_out_of_reach is set, but publishing needs the module presence: load it"),
        (library(Server::b2b()), "modparam publish_out_of_reach is set, but the module presence is only a library"),
        (sqlite, "the database of the module presence cannot replace rows: set its publ_cache to 2"),
    ] {
        let log = keeps(server);
        assert!(log.contains(wanted), "{log}");
    }
    let log = Server::b2b().b2b_param("publish_out_of_reach", "forget").start_refused();
    assert!(log.contains("modparam publish_out_of_reach is \"forget\", but must be unknown or keep"), "{log}");
}

#[test]
fn documents_that_cannot_be_published_are_counted_and_make_the_state_unknown() {
    let server = bridging().b2b_param("check_bodies", 0).hostile().start();
    let notifier = Notifier::udp();
    let (_, mut presence) = published(&server, &notifier, "presence");
    let mut friend = Phone::watch(server.addr(), &server.uri("desk"), "presence");
    let good = |note: &str| Notify::active(600).pidf(&pidf("sip:a@b", "open", Some(note)));
    let nameless = pidf("sip:a@b", "open", None).replace("<tuple id=\"t1\">", "<tuple>");
    let bad = [
        (PIDF, nameless),
        (PIDF, "<!DOCTYPE p [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><p>&a;</p>".to_owned()),
        (PIDF, "<presence".to_owned()),
        (PIDF, String::from("\u{0}\u{1}")),
        (PIDF, "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\"/>".to_owned()),
        (PIDF, format!("<presence xmlns='urn:ietf:params:xml:ns:pidf'>{}</presence>", "<a>".repeat(80))),
    ];
    for (number, (content_type, body)) in bad.into_iter().enumerate() {
        assert_eq!(presence.notify(good(&format!("before {number}"))).status(), 200);
        friend.await_body("open", |body| basic_of(body) == Some("open"));
        assert_eq!(presence.notify(Notify::active(600).body(content_type, body.clone())).status(), 200, "{body}");
        friend.await_body(&format!("unknown after {body:?}"), |body| {
            body.contains("<presence") && !body.contains("basic")
        });
        assert_eq!(count(&server, "publish_unfit"), number as u64 + 1, "{body}");
    }
    let said = server.log().since(Mark::default(), "a document is not published as the state of sip:desk@");
    assert!(!said.is_empty() && said.len() < 4, "{said:?}");
    server.stop();
}

#[test]
fn a_user_with_unusual_letters_is_written_as_it_must_be() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    let desk = format!("sip:de&sk'%22=1@{}", server.ip());
    let id = subscribe(&server, &notifier.uri("alice"), "dialog", &format!("publish_as=\"{desk}\"")).expect("an id");
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 3600);
    let mut lamp = Phone::watch(server.addr(), &desk, "dialog");
    tell(&mut dialog, 1, Some("early"));
    lamp.await_lamp("early");
    let bad = Notify::active(3600).body(DIALOGS, dialogs(2, Some("<x/>\u{1}")));
    assert_eq!(dialog.notify(bad).status(), 400);
    assert_eq!(server.show(id)["options"], format!("keep;publish_as=\"{desk}\""));
    eventually(SOON, "one update", || (count(&server, "published") == 1).then_some(()));
    server.stop();
}

#[test]
fn a_c_module_cannot_publish() {
    let said = "the options publish and publish_as are for script, RPC and provisioned subscriptions only: remove them";
    let server = crate::c_api::builder(100).allow_log(said).start();
    let params = json!(["presence", "sip:bob@192.0.2.1", "sip:watcher@example.org", "publish"]);
    let refusal = server.rpc("qsa_test.subscribe", params).expect_err("it is refused");
    assert!(refusal.message.contains("refused"), "{refusal}");
    eventually(SOON, "a line in the log", || (!server.log().since(Mark::default(), said).is_empty()).then_some(()));
    server.stop();
}
