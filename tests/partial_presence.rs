//! Presence documents that tell only what has changed (RFC 5263): asked for, and merged, where a subscriber wants the whole state.

use serde_json::json;

use crate::support::b2b::farewell;
use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

const TELL: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "TOLD|$qsa(status)|$qsa(content_type)|$qsa(basic)|$qsa(note)|\n");
}"#;

const DIFF: &str = "application/pidf-diff+xml";
const BOTH: &str = "application/pidf+xml, application/pidf-diff+xml";

/// A document of this root, `pidf-full` or `pidf-diff`.
fn document(root: &str, version: u32, inside: &str) -> Notify {
    let body = format!(
        "<?xml version=\"1.0\"?><p:{root} xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:p=\"urn:ietf:params:xml:ns:pidf-diff\" entity=\"pres:alice@example.com\" version=\"{version}\">{inside}</p:{root}>"
    );
    Notify::active(600).body(DIFF, body)
}

fn full(version: u32, basic: &str, note: &str) -> Notify {
    let tuple = format!("<tuple id=\"a\"><status><basic>{basic}</basic></status></tuple><note>{note}</note>");
    document("pidf-full", version, &tuple)
}

fn changed(version: u32, basic: &str) -> Notify {
    let operation = format!("<p:replace sel=\"*/tuple[@id='a']/status/basic/text()\">{basic}</p:replace>");
    document("pidf-diff", version, &operation)
}

fn subscribed(server: &Server, notifier: &Notifier, options: &str) -> (u64, Received) {
    let parameters = json!([notifier.uri("alice"), server.uri("watcher"), "presence", options]);
    let id = server.rpc("presence_b2b.subscribe", parameters).expect("an id").as_u64().expect("a number");
    (id, notifier.expect_subscribe(SOON))
}

/// Sends a document, and says what is told of it.
fn told(server: &Server, dialog: &mut Dialog, notify: Notify) -> String {
    let mark = server.log().mark();
    assert_eq!(dialog.notify(notify).status(), 200);
    eventually(SOON, "a message", || server.log().since(mark, "TOLD|").pop())
}

/// The first document comes before the 2xx. After a gap the state stays as it is until the whole one has come.
#[test]
fn changes_are_asked_for_and_merged() {
    let notifier = Notifier::udp();
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).allow_log("was refused with").route(TELL).start();
    leaves_nothing(&server, || {
        let (id, first) = subscribed(&server, &notifier, "merged");
        assert_eq!(first.need("Accept"), BOTH);
        let mut dialog = notifier.dialog(&first);
        let expect = |dialog: &mut Dialog, notify: Notify, wanted: &str| {
            let told = told(&server, dialog, notify);
            assert!(told.contains(&format!("TOLD|active|application/pidf+xml|{wanted}|")), "{told}, not {wanted}");
        };
        expect(&mut dialog, full(1, "open", "here"), "open|here");
        dialog.accept(&first, 600);
        expect(&mut dialog, changed(2, "closed"), "closed|here");
        expect(&mut dialog, changed(3, "open"), "open|here");
        let refused = dialog.notify(Notify::active(600).body("text/plain", "open"));
        assert_eq!((refused.status(), refused.need("Accept")), (415, BOTH));
        server.show_when(id, "confirmed", |shown| shown["state"] == "confirmed");

        expect(&mut dialog, changed(5, "closed"), "open|here");
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.need("Accept"), BOTH);
        dialog.accept(&refresh, 600);
        expect(&mut dialog, full(6, "closed", "away"), "closed|away");
        expect(&mut dialog, changed(7, "open"), "open|away");
        server.unsubscribe(id);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

/// Who is told each document as it came is not told changes, and neither is a subscription to a list.
#[test]
fn without_the_option_they_are_refused() {
    let notifier = Notifier::udp();
    let server = Server::b2b().b2b_param("keep_state", 1).allow_log("was refused with").route(TELL).start();
    leaves_nothing(&server, || {
        for (options, accept) in [
            ("", "application/pidf+xml"),
            ("keep", "application/pidf+xml"),
            ("merged;list", "application/pidf+xml, application/rlmi+xml, multipart/related"),
        ] {
            let (id, first) = subscribed(&server, &notifier, options);
            assert_eq!(first.need("Accept"), accept, "{options}");
            let mut dialog = notifier.accept(&first, 600);
            let refused = dialog.notify(full(1, "open", "here"));
            assert_eq!((refused.status(), refused.need("Accept")), (415, accept), "{options}");
            server.unsubscribe(id);
            farewell(&mut dialog);
            server.await_no_subscription();
        }
    });
    server.stop();
}
