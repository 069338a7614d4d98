//! `$b2b(resource=>field)`: the newest states of the resources of lists.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::list_resources::list;
use crate::options::subscribe;
use crate::states_at_hand::{ROUTE, builder, said, state};
use crate::support::config::takes_long_messages;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::route::after_notifies;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

const KIND: &str = "multipart/related;type=\"application/rlmi+xml\";start=\"<l@x>\";boundary=\"b\"";

/// Nothing is kept of a resource.
const NOTHING: &str = "-2 <null>/<null>/<null> <null>/";

fn tell(dialog: &mut Dialog, body: &str) {
    assert_eq!(dialog.notify(Notify::active(600).body(KIND, body).with("Require", "eventlist")).status(), 200);
}

fn resources<'a>(users: &[(&str, &'a str)]) -> Vec<(String, &'a str, &'a str)> {
    users.iter().map(|(user, state)| (format!("sip:{user}@x"), "", *state)).collect()
}

fn shows(server: &Server, user: &str, wanted: &str) {
    shows_within(SOON, server, user, wanted);
}

fn shows_within(within: Duration, server: &Server, user: &str, wanted: &str) {
    let what = format!("{user}: {wanted}");
    let newest = || Some(state(server, &format!("sip:{user}@x"))).filter(|said| said.starts_with(wanted));
    eventually(within, &what, newest);
}

fn kept(server: &Server) -> [u64; 2] {
    let trace = server.trace();
    ["kept_states", "kept_bytes"].map(|name| trace[name].as_u64().expect("a number"))
}

/// Whole lists and changes; a resource that vanishes, one that ends, and the end of the subscription to the list.
#[test]
fn each_resource_has_its_newest_state() {
    let notifier = Notifier::udp();
    let record = notifier.uri("friends");
    let server = builder().route(&after_notifies(ROUTE)).start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &record, "presence", "list;keep").expect("an id");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        tell(&mut dialog, &list(0, true, &resources(&[("a", "here"), ("b", "there"), ("c", "pending")])));
        shows(&server, "c", "-1 <null>/<null>/pending <null>/");
        shows(&server, "a", "1 open/here/active open/here/active /0/application/pidf+xml/sip:a@x/");
        assert!(said(&server, "OPTIONS", "sip:a@x", &server.uri("watcher"), "presence").starts_with("1 open/here/"));
        assert!(said(&server, "OPTIONS", "sip:a@x", "sip:other@x", "presence").starts_with("-2 "));
        assert_eq!(kept(&server)[0], 4, "three resources and the list");
        // Changes say nothing of others.
        tell(&mut dialog, &list(1, false, &resources(&[("b", "away"), ("d", "new")])));
        shows(&server, "d", "1 open/new/active");
        shows(&server, "b", "1 open/away/active");
        shows(&server, "a", "1 open/here/active");
        // A whole list: what it does not name has gone, as has what has ended.
        tell(&mut dialog, &list(2, true, &resources(&[("a", "terminated"), ("b", "back")])));
        for user in ["a", "c", "d"] {
            shows(&server, user, NOTHING);
        }
        shows(&server, "b", "1 open/back/active");
        assert_eq!(kept(&server)[0], 2);
        // The notifier ends the subscription: nobody knows any more.
        assert_eq!(dialog.notify(Notify::terminated("probation", 600)).status(), 200);
        assert!(
            state(&server, "sip:b@x").starts_with("-1 <null>/<null>/terminated <null>/<null>/terminated probation/0")
        );
        server.rpc("presence_b2b.refresh", json!([id])).expect("it can be refreshed");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        assert!(state(&server, "sip:b@x").starts_with("-1 <null>/<null>/active"), "what was known before has ended");
        tell(&mut dialog, &list(0, true, &resources(&[("b", "again")])));
        shows(&server, "b", "1 open/again/active");
        server.unsubscribe(id);
        shows(&server, "b", NOTHING);
        crate::support::b2b::farewell(&mut dialog);
        server.await_no_subscription();
        assert_eq!(kept(&server), [0, 0]);
        // Without the option nothing is kept.
        let id = subscribe(&server, &record, "presence", "list").expect("an id");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        tell(&mut dialog, &list(0, true, &resources(&[("a", "here")])));
        server.show_when(id, "it is told", |shown| shown["queued_bytes"] == 0);
        assert!(state(&server, "sip:a@x").starts_with(NOTHING));
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// A list with one resource, whose part is a dialog-info document.
fn dialogs(version: u32, of_document: u32, is_full: bool, dialogs: &[&str]) -> String {
    let state = if is_full { "full" } else { "partial" };
    let mut inside = String::new();
    for id in dialogs {
        let _ = write!(inside, "<dialog id=\"{id}\"><state>confirmed</state></dialog>");
    }
    format!(
        "--b\r\nContent-Type: application/rlmi+xml\r\nContent-ID: <l@x>\r\n\r\n<list uri=\"sip:l@x\" version=\"{version}\" \
         fullState=\"{}\"><resource uri=\"sip:a@x\"><instance id=\"i\" state=\"active\" cid=\"a\"/></resource></list>\r\n--b\r\n\
         Content-Type: application/dialog-info+xml\r\nContent-ID: <a>\r\n\r\n<dialog-info \
         xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{of_document}\" state=\"{state}\" entity=\"sip:a@x\">{inside}\
         </dialog-info>\r\n--b--\r\n",
        version == 0
    )
}

/// Documents of a resource that say only what has changed make one state, and with `merged` the subscriber gets it.
#[test]
fn changes_of_a_resource_are_merged() {
    const TOLD: &str = r#"event_route[qsa:notify] {
        xlog("L_NOTICE", "TOLD|$qsa(record)|$qsa(dialogs)|$b2b(sip:a@x=>dialogs)|\n");
    }"#;
    let notifier = Notifier::udp();
    let record = notifier.uri("phones");
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(TOLD).start();
    leaves_nothing(&server, || {
        for (options, told) in [("list;keep", ["1|1", "1|2", "1|2"]), ("list;merged", ["1|1", "2|2", "2|2"])] {
            let id = subscribe(&server, &record, "dialog", options).expect("an id");
            let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
            let mark = server.log().mark();
            tell(&mut dialog, &dialogs(0, 0, true, &["one"]));
            tell(&mut dialog, &dialogs(1, 1, false, &["two"]));
            // The last one again, changed.
            tell(&mut dialog, &dialogs(2, 2, false, &["two"]));
            let lines = || Some(server.log().since(mark, "TOLD|sip:a@x|")).filter(|lines| lines.len() == 3);
            let lines = eventually(SOON, "three messages", lines);
            for (line, said) in lines.iter().zip(told) {
                assert!(line.ends_with(&format!("TOLD|sip:a@x|{said}|")), "{options}: {lines:?}");
            }
            // A document of the resource is missing: the list server is asked for all.
            tell(&mut dialog, &dialogs(3, 7, false, &["three"]));
            let refresh = dialog.expect_subscribe(SOON);
            dialog.accept(&refresh, 600);
            let mark = server.log().mark();
            tell(&mut dialog, &dialogs(0, 8, true, &["four"]));
            let line = || server.log().since(mark, "TOLD|sip:a@x|1|1|").pop();
            eventually(SOON, "the whole state", line);
            server.end(id, &mut dialog);
        }
    });
    server.stop();
}

/// 10,000 resources at hand, of which one changes and half vanish.
#[test]
fn ten_thousand_resources_are_at_hand() {
    if !takes_long_messages() {
        return;
    }
    const MANY: usize = 10_000;
    // A debug build takes 4 seconds for the whole list, if it has a processor for itself.
    const A_LIST: Duration = SOON.saturating_mul(6);
    let notifier = Notifier::tcp();
    let server =
        builder().route(&after_notifies(ROUTE)).b2b_param("max_body", 8_388_608).b2b_param("queue_bytes", 33_554_432);
    let server = server.b2b_param("subscription_queue_bytes", 16_777_216).global("tcp_rd_buf_size=8500000");
    let server = server.shm_megabytes(256).start();
    leaves_nothing(&server, || {
        let id = subscribe(&server, &notifier.uri("friends"), "presence", "list;keep").expect("an id");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let all = |count: usize| -> Vec<_> { (0..count).map(|user| (format!("sip:u{user}@x"), "", "here")).collect() };
        tell(&mut dialog, &list(0, true, &all(MANY)));
        shows_within(A_LIST, &server, "u9999", "1 open/here/active");
        tell(&mut dialog, &list(1, false, &resources(&[("u77", "away")])));
        shows(&server, "u77", "1 open/away/active");
        shows(&server, "u78", "1 open/here/active");
        let [states, bytes] = kept(&server);
        assert_eq!(states, MANY as u64 + 1);
        assert!((MANY as u64 * 200..MANY as u64 * 2000).contains(&bytes), "{bytes}");
        tell(&mut dialog, &list(2, true, &all(MANY / 2)));
        let half = || (kept(&server)[0] == MANY as u64 / 2 + 1).then_some(());
        eventually(A_LIST, "half of them", half);
        shows(&server, "u4999", "1 open/here/active");
        assert!(state(&server, "sip:u5000@x").starts_with(NOTHING));
        server.end(id, &mut dialog);
        assert_eq!(kept(&server), [0, 0]);
    });
    server.stop();
}
