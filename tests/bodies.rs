//! Bodies that the module does not read: those it hands on as they are, and those it has not asked for.

use std::time::Duration;

use serde_json::json;

use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::news::{Newsreader, TELL};
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, assert_unchanged, told};

/// Type and body in hexadecimal digits: no line end of the body is lost in the log.
pub const EXACTLY: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "BODY|$qsa(content_type)|$(qsa(body){s.encode.hexa})|\n");
}"#;

pub fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 3842 §5.2, and what is met in the field: no Message-Account, other letters, bare line ends, nothing but a line.
#[test]
fn messages_waiting_are_handed_on_byte_by_byte() {
    const SUMMARY: &str = "application/simple-message-summary";
    let server = Server::b2b().route(EXACTLY).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let request = json!([notifier.uri("alice"), server.uri("watcher"), "message-summary"]);
        let id = server.rpc("presence_b2b.subscribe", request).expect("an id").as_u64().expect("a number");
        let subscribe = notifier.expect_subscribe(SOON);
        assert_eq!((subscribe.need("Event"), subscribe.need("Accept")), ("message-summary", SUMMARY));
        let mut dialog = notifier.accept(&subscribe, 600);
        let bodies = [
            "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 2/8 (0/2)\r\n\r\n\
             To: <alice@atlanta.example.com>\r\nSubject: carpool tomorrow\r\n\r\n",
            "Messages-Waiting: no\r\n",
            "messages-waiting:YES\r\nVoice-Message:\t4294967295/0\r\nX-Oddity: \u{e4}\r\n",
            "Messages-Waiting: yes\nVoice-Message: 1/0",
            "\r\n",
        ];
        for body in bodies {
            let mark = server.log().mark();
            assert_eq!(dialog.notify(Notify::active(600).body(SUMMARY, body)).status(), 200, "{body:?}");
            let line = eventually(SOON, "the body", || {
                server.log().since(mark, "BODY|").into_iter().find(|line| line.ends_with('|'))
            });
            assert!(line.ends_with(&format!("BODY|{SUMMARY}|{}|", hex(body))), "{body:?}: {line}");
        }
        // The package decides: it did not request a presence document.
        let foreign = dialog.notify(Notify::active(600).pidf(&pidf("sip:alice@example.com", "open", None)));
        assert_eq!((foreign.status(), foreign.need("Accept")), (415, SUMMARY));
        server.unsubscribe(id);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

/// An extension that the module does not have is refused. If the operator declares it, its bodies are handed on as they
/// came. The control: what every notifier may say of a body.
#[test]
fn what_is_required_is_what_was_said_to_be_supported() {
    let lines = "Supported: eventlist\r\nAccept: multipart/related, application/rlmi+xml\r\n";
    let server = Server::b2b().b2b_param("additional_presence_headers", lines).route(EXACTLY).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("friends"));
        let subscribe = notifier.expect_subscribe(SOON);
        assert_eq!(subscribe.need("Supported"), "eventlist");
        let mut dialog = notifier.accept(&subscribe, 600);
        watch.await_state("confirmed");
        let mark = server.log().mark();
        let (kind, list) = ("multipart/related;type=\"application/rlmi+xml\";boundary=b", "--b\r\n\r\nx\r\n--b--");
        let notify = || Notify::active(600).body(kind, list);
        assert_eq!(dialog.notify(notify().with("Require", "EventList")).status(), 200);
        let refused = dialog.notify(notify().with("Require", "eventlist, x-a").with("require", "x-b;c, x-d"));
        assert_eq!((refused.status(), refused.need("Unsupported")), (420, "x-a, x-d"));
        assert_eq!(refused.need("Retry-After"), "5");
        let refused = dialog.notify(Notify::active(600).body("text/plain", "hello"));
        let accepted = "application/pidf+xml, multipart/related, application/rlmi+xml";
        assert_eq!((refused.status(), refused.need("Accept")), (415, accepted));
        let document = pidf("sip:alice@example.com", "open", None);
        for (name, encoding) in [("e", "identity"), ("Content-Encoding", " Identity ,"), ("Proxy-Require", "x")] {
            let plain = Notify::active(600).pidf(&document).with(name, encoding);
            assert_eq!(dialog.notify(plain).status(), 200, "{name}: {encoding}");
        }
        // An empty body has no encoding.
        assert_eq!(dialog.notify(Notify::active(600).with("Content-Encoding", "gzip")).status(), 200);
        let bodies = || server.log().since(mark, "BODY|");
        let told = eventually(SOON, "all of them", || Some(bodies()).filter(|told| told.len() == 5));
        assert!(told[0].ends_with(&format!("BODY|{kind}|{}|", hex(list))), "{told:?}");
        watch.end(&mut dialog);
    });
    server.stop();
}

/// What was not advertised is refused with what is accepted, and nothing else happens: several documents in one (RFC
/// 3261 §7.4), partial documents (RFC 5263), lists (RFC 4662), compressed ones.
#[test]
fn what_was_not_asked_for_is_refused_and_harms_nothing() {
    // No refresh comes before half of what is granted, not even one that follows a refusal.
    let server = Server::b2b().b2b_param("min_resubscribe_time", 3600).route(TELL).start();
    let notifier = Notifier::udp();
    let part = |kind: &str, id: &str, body: &str| {
        format!("--b\r\nContent-Type: {kind}\r\nContent-ID: <{id}>\r\nContent-Length: {}\r\n\r\n{body}\r\n", body.len())
    };
    let inner = pidf("sip:alice@example.com", "closed", Some("bad"));
    let one = part("application/pidf+xml", "d", &inner);
    let mixed = format!("{one}{one}--b--\r\n");
    let rlmi = "<?xml version=\"1.0\"?><list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:friends@example.com\" \
                version=\"0\" fullState=\"true\"/>";
    let related =
        format!("{}{}--b--", part("application/rlmi+xml", "r", rlmi), part("application/pidf+xml", "d", &inner));
    let diff = "<?xml version=\"1.0\"?><p:pidf-diff xmlns:p=\"urn:ietf:params:xml:ns:pidf-diff\" version=\"2\"/>";
    let cases = [
        ("multipart/mixed;boundary=b", mixed.as_str()),
        ("Multipart/Mixed; boundary=\"b\"", &mixed),
        ("multipart/mixed", &mixed),
        ("multipart/related;type=\"application/rlmi+xml\";start=\"<r>\";boundary=b", &related),
        ("application/rlmi+xml", rlmi),
        ("application/pidf-diff+xml", diff),
        ("message/external-body; access-type=\"URL\"; URL=\"http://192.0.2.1/x\"", " \r\n"),
        ("application/cpim-pidf+xml", &inner),
    ];
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let (watch, mut dialog, subscribe) = Watch::standing(&server, &notifier, 600);
        assert_eq!(subscribe.need("Accept"), "application/pidf+xml");
        assert!(subscribe.header("Supported").is_none_or(|tags| !tags.contains("eventlist")));
        assert_eq!(news.next("the first").note, "first");
        let before = watch.show();
        for (kind, body) in cases {
            for state in [Notify::active(60), Notify::pending(60)] {
                let answer = dialog.notify(state.body(kind, body));
                assert_eq!((answer.status(), answer.header("Accept")), (415, Some("application/pidf+xml")), "{kind}");
                assert_unchanged(&before, &watch.show(), kind);
            }
        }
        // The dialog is still active, for a notifier that falls back to an accepted type.
        assert_eq!(dialog.notify(told(600, "after all")).status(), 200);
        assert_eq!(news.next("the next").note, "after all");
        notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(200));
        watch.end(&mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

/// A notifier that follows RFC 3265 forgets the subscription when a NOTIFY is refused: the next refresh finds out.
#[test]
fn a_refused_notify_is_followed_by_a_refresh_and_the_next_by_a_later_one() {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 1).route(TELL).hostile().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        assert_eq!(dialog.notify(Notify::active(600).body("text/plain", "hello")).status(), 415);
        let first = dialog.expect_subscribe(SOON);
        assert_eq!(first.need("Expires"), "3600");
        dialog.accept(&first, 600);
        watch.await_state("confirmed");
        // What cannot be read at all counts as well; and however many are refused, one refresh follows.
        for _ in 0..3 {
            assert_eq!(dialog.notify(told(600, "bad").with("Record-Route", "<sip:")).status(), 400);
        }
        let second = dialog.expect_subscribe(SOON);
        assert!(second.at - first.at >= Duration::from_millis(1900), "{:?}", second.at - first.at);
        dialog.answer(&second, 481, &[]);
        let again = notifier.expect_subscribe(SOON);
        assert_ne!(again.need("Call-ID"), first.need("Call-ID"));
        let mut dialog = notifier.accept(&again, 600);
        assert_eq!(dialog.notify(told(600, "from scratch")).status(), 200);
        watch.await_note("from scratch");
        watch.end(&mut dialog);
    });
    server.stop();
}
