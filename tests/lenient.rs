//! Option `lenient`: faults of a notifier that are tolerated, and those that are not.

use crate::bodies::{EXACTLY, hex};
use crate::options::subscribe;
use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// NOTIFYs with a fault: what the strict answer is, and the body that a lenient subscription is told.
fn faults() -> Vec<(&'static str, Notify, u16, String)> {
    let document = pidf("sip:alice@example.com", "open", None);
    let good = || Notify::active(600).pidf(&document);
    let told = format!("BODY|application/pidf+xml|{}|", hex(&document));
    vec![
        ("no state", Notify::stateless().pidf(&document), 400, told.clone()),
        ("a bad state", good().set("Subscription-State", ";expires=9"), 400, told.clone()),
        ("no event", good().without("Event"), 489, told.clone()),
        ("another id", good().event("presence;id=other"), 489, told),
        (
            "another type",
            Notify::active(600).body("text/plain", "hello"),
            415,
            format!("BODY|text/plain|{}|", hex("hello")),
        ),
        ("a bad type", Notify::active(600).body("pidf", "hello"), 400, format!("BODY|pidf|{}|", hex("hello"))),
        (
            "a broken document",
            Notify::active(600).body("application/pidf+xml", "<presence"),
            400,
            format!("BODY|application/pidf+xml|{}|", hex("<presence")),
        ),
    ]
}

#[test]
fn what_is_borne_with_and_what_is_not() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    // No refresh follows a refusal.
    let server = Server::b2b().b2b_param("min_resubscribe_time", 3600).route(EXACTLY).start();
    leaves_nothing(&server, || {
        let [(strict, mut refused), (lenient, mut borne)] = ["id=strict", "lenient;id=lenient"].map(|options| {
            let id = subscribe(&server, &record, "presence", options).expect("an id");
            (id, notifier.activate(&notifier.expect_subscribe(SOON), 600))
        });
        refused.event = "presence".into();
        borne.event = "presence".into();
        assert_eq!(server.await_shown(lenient, "state", "confirmed")["options"], "id=lenient;lenient");
        for (what, notify, status, told) in faults() {
            assert_eq!(refused.notify(notify.clone()).status(), status, "{what}");
            let mark = server.log().mark();
            assert_eq!(borne.notify(notify).status(), 200, "{what}");
            eventually(SOON, what, || (!server.log().since(mark, &told).is_empty()).then_some(()));
        }
        // A notifier that does not count its versions.
        let last = borne.cseq;
        for body in ["one", "two"] {
            let mark = server.log().mark();
            assert_eq!(borne.notify(Notify::active(600).body("text/plain", body).cseq(last)).status(), 200);
            let told = format!("BODY|text/plain|{}|", hex(body));
            eventually(SOON, body, || (!server.log().since(mark, &told).is_empty()).then_some(()));
        }
        borne.cseq = last + 4;
        assert_eq!(borne.notify(Notify::active(600)).status(), 200, "it skips some");
        for (what, notify, status) in [
            ("a lower number", Notify::active(600).cseq(last + 1).body("text/plain", "late"), 500),
            ("another package", Notify::active(600).event("dialog"), 489),
            ("an extension", Notify::active(600).with("Require", "x-a"), 420),
            ("an encoding", Notify::active(600).body("text/plain", "x").with("Content-Encoding", "gzip"), 415),
        ] {
            assert_eq!(borne.notify(notify).status(), status, "{what}");
        }
        for (id, dialog) in [(strict, &mut refused), (lenient, &mut borne)] {
            server.unsubscribe(id);
            farewell(dialog);
        }
        server.await_no_subscription();
    });
    server.stop();
}
