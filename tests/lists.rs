//! Option `list`: resource lists (RFC 4662) are asked for and taken.

use crate::bodies::{EXACTLY, hex};
use crate::options::subscribe;
use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};

const KIND: &str = "multipart/related;type=\"application/rlmi+xml\";start=\"<l@x>\";boundary=\"b\"";

/// RFC 4662 §5.5, shortened.
const LIST: &str = "--b\r\nContent-Type: application/rlmi+xml\r\nContent-ID: <l@x>\r\n\r\n<list \
                    xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:friends@example.com\" version=\"0\" fullState=\"true\">\
                    <resource uri=\"sip:a@example.com\"><instance id=\"1\" state=\"active\" cid=\"a@x\"/></resource></list>\r\n--b\r\n\
                    Content-Type: text/plain\r\nContent-ID: <a@x>\r\n\r\nhere\r\n--b--";

/// What a SUBSCRIBE says of lists.
fn said(message: &Message) -> [Option<&str>; 2] {
    ["Supported", "Accept"].map(|name| message.header(name))
}

#[test]
fn a_list_is_asked_for_and_taken() {
    let notifier = Notifier::udp();
    let record = notifier.uri("friends");
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(EXACTLY).start();
    let accepted = "application/pidf+xml, application/rlmi+xml, multipart/related";
    let asks = [Some("eventlist"), Some(accepted)];
    leaves_nothing(&server, || {
        let id = subscribe(&server, &record, "presence", "list").expect("an id");
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(said(&first.message), asks);
        let mut dialog = notifier.dialog(&first);
        dialog.answer(&first, 200, &[("Expires", "600"), ("Require", "eventlist")]);
        let mark = server.log().mark();
        let document = pidf("sip:alice@example.com", "open", None);
        for (kind, body) in [
            (KIND, LIST),
            ("multipart/related;boundary=b", LIST),
            ("application/rlmi+xml", "<list uri=\"sip:friends@example.com\"/>"),
            ("application/pidf+xml", &document),
        ] {
            let notify = Notify::active(600).body(kind, body).with("Require", "EventList");
            assert_eq!(dialog.notify(notify).status(), 200, "{kind}");
        }
        let bodies = || server.log().since(mark, "BODY|");
        let all = eventually(SOON, "the lists", || Some(bodies()).filter(|told| told.len() == 4));
        assert!(all[0].ends_with(&format!("BODY|text/plain|{}|", hex("here"))), "{all:?}");
        assert!(all[2].ends_with("BODY|<null>||"), "{all:?}");
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!((&shown["options"], &shown["notifies"]), (&"list".into(), &4.into()));
        for kind in ["multipart/related;type=\"text/html\"", "multipart/mixed;boundary=b"] {
            let refused = dialog.notify(Notify::active(600).body(kind, LIST));
            assert_eq!((refused.status(), refused.need("Accept")), (415, accepted), "{kind}");
        }
        let refused = dialog.notify(Notify::active(600).body(KIND, LIST).with("Require", "eventlist, x-a"));
        assert_eq!((refused.status(), refused.need("Unsupported")), (420, "x-a"));
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(said(&refresh.message), asks);
        dialog.accept(&refresh, 600);
        server.await_shown(id, "state", "confirmed");
        server.unsubscribe(id);
        let last = dialog.expect_subscribe(SOON);
        assert_eq!((last.header("Expires"), said(&last.message)), (Some("0"), asks));
        dialog.accept(&last, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0).with("Require", "eventlist")).status(), 200);
        server.await_no_subscription();
    });
    server.stop();
}

/// Without the option nothing has changed, whatever another subscription has asked for.
#[test]
fn a_list_that_was_not_asked_for_is_refused() {
    let notifier = Notifier::udp();
    let record = notifier.uri("friends");
    let server = Server::b2b().route(EXACTLY).allow_log("421 ").start();
    leaves_nothing(&server, || {
        let list = subscribe(&server, &record, "presence", "id=list;list").expect("an id");
        let first = notifier.expect_subscribe(SOON);
        let mut lists = notifier.activate(&first, 600);
        let id = subscribe(&server, &record, "presence", "").expect("an id");
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(said(&first.message), [None, Some("application/pidf+xml")]);
        let mut dialog = notifier.activate(&first, 600);
        let refused = dialog.notify(Notify::active(600).body(KIND, LIST).with("Require", "eventlist"));
        assert_eq!((refused.status(), refused.need("Unsupported")), (420, "eventlist"));
        let refused = dialog.notify(Notify::active(600).body(KIND, LIST));
        assert_eq!((refused.status(), refused.need("Accept")), (415, "application/pidf+xml"));
        for (id, dialog) in [(list, &mut lists), (id, &mut dialog)] {
            server.unsubscribe(id);
            farewell(dialog);
        }
        server.await_no_subscription();
        // The operator's log if a list server sends lists anyway.
        let mark = server.log().mark();
        let id = subscribe(&server, &record, "presence", "").expect("an id");
        notifier.reject(&notifier.expect_subscribe(SOON), 421, &[("Require", "eventlist")]);
        let advice = "If the record is a list of resources, subscribe with option list";
        eventually(SOON, "the advice", || (!server.log().since(mark, advice).is_empty()).then_some(()));
        server.unsubscribe(id);
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn every_package_allows_it() {
    let notifier = Notifier::udp();
    let record = notifier.uri("friends");
    let server = Server::b2b().route(EXACTLY).start();
    leaves_nothing(&server, || {
        for (package, own) in [
            ("dialog", "application/dialog-info+xml"),
            ("presence.winfo", "application/watcherinfo+xml"),
            ("reg", "application/reginfo+xml"),
            ("message-summary", "application/simple-message-summary"),
        ] {
            let id = subscribe(&server, &record, package, "list").expect("an id");
            let first = notifier.expect_subscribe(SOON);
            let accept = format!("{own}, application/rlmi+xml, multipart/related");
            assert_eq!(said(&first.message), [Some("eventlist"), Some(&accept[..])]);
            let mut dialog = notifier.accept(&first, 600);
            let notify = Notify::active(600).body(KIND, LIST).with("Require", "eventlist");
            assert_eq!(dialog.notify(notify).status(), 200, "{package}");
            server.end(id, &mut dialog);
        }
    });
    server.stop();
}
