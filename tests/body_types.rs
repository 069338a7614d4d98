//! What a Content-Type says beside the type: charsets, and several parts in one body.

use serde_json::json;

use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// Type and body, in hexadecimal digits: no line end is lost in the log.
const EXACTLY: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "BODY|$(qsa(content_type){s.encode.hexa})|$(qsa(body){s.encode.hexa})|$qsa(basic)|\n");
}"#;

const PIDF: &str = "application/pidf+xml";
const SUMMARY: &str = "application/simple-message-summary";

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// A server, and a dialog for a package in it: what is told of it, and its end.
fn with_dialog(package: &str, check: i64, test: impl Fn(&Server, &mut Dialog)) {
    let server = Server::b2b().b2b_param("check_bodies", check).route(EXACTLY).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let request = json!([notifier.uri("alice"), server.uri("watcher"), package]);
        let id = server.rpc("presence_b2b.subscribe", request).expect("an id").as_u64().expect("a number");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        test(&server, &mut dialog);
        server.unsubscribe(id);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

/// Sends a body; the type and body that were delivered.
fn told(server: &Server, dialog: &mut Dialog, kind: &str, body: &str) -> String {
    let mark = server.log().mark();
    assert_eq!(dialog.notify(Notify::active(600).body(kind, body)).status(), 200, "{kind}: {body}");
    eventually(SOON, "the body", || server.log().since(mark, "BODY|").pop())
}

/// The refusal names the accepted types, whether documents are read or not.
#[test]
fn a_charset_that_is_not_accepted_is_refused() {
    for (package, kind, check) in [("presence", PIDF, 1), ("presence", PIDF, 0), ("message-summary", SUMMARY, 1)] {
        with_dialog(package, check, |server, dialog| {
            let document = pidf("sip:alice@example.com", "open", None);
            let body = if kind == PIDF { document.as_str() } else { "Messages-Waiting: yes\r\n" };
            for charset in [
                "utf-16",
                "\"UTF-16LE\"",
                "KOI8-R",
                "iso-8859-15",
                "\"\"",
                "",
                "utf-8x",
                "\"utf-8 \"",
                "x;charset=utf-8",
            ] {
                let refused = dialog.notify(Notify::active(600).body(&format!("{kind};charset={charset}"), body));
                assert_eq!(refused.status(), 415, "{kind} {charset}");
                assert_eq!((refused.need("Accept"), refused.need("Accept-Encoding")), (kind, "identity"), "{charset}");
            }
            for charset in ["utf-8", "\"UTF-8\"", "\"u\\tf-8\"", "ISO-8859-1", "us-ascii", "US-ASCII;x=y", "Latin1"] {
                let kind = format!("{kind} ; Charset = {charset}");
                let line = told(server, dialog, &kind, body);
                assert!(line.contains(&format!("BODY|{}|{}|", hex(&kind), hex(body))), "{line}");
            }
        });
    }
}

fn part(headers: &str, body: &str) -> String {
    format!("--b\r\n{headers}\r\n\r\n{body}\r\n")
}

/// The one part of a type that the package accepts is the document: told with its own type, and read as such.
#[test]
fn the_known_part_of_several_is_the_document() {
    for check in [1, 0] {
        with_dialog("presence", check, |server, dialog| {
            let document = pidf("sip:alice@example.com", "closed", None);
            let own = "Content-Type: application/pidf+xml;charset=utf-8\r\nContent-ID: <d@x>\r\nContent-Length: 7";
            let picture = part("Content-Type: image/png\r\nContent-Transfer-Encoding: base64", "eHh4");
            let text = part("Content-Type: text/plain", "hello");
            let wanted = format!("BODY|{}|{}|closed|", hex("application/pidf+xml;charset=utf-8"), hex(&document));
            let known = part(own, &document);
            for (kind, body) in [
                ("multipart/mixed;boundary=b", format!("\r\n{text}{known}{picture}--b--\r\n")),
                ("Multipart/Mixed ; Boundary = \"b\"", format!("{known}--b--")),
                ("multipart/mixed;boundary=b", format!("{known}{text}--b--").replace("\r\n", "\n")),
                ("multipart/related;type=\"application/pidf+xml\";boundary=b", format!("{known}{picture}--b--")),
                ("multipart/related;start=\"<d@x>\";boundary=b", format!("{picture}{known}--b--")),
            ] {
                let line = told(server, dialog, kind, &body);
                assert!(line.contains(&wanted), "{kind}: {line} is not {wanted}");
            }
            let broken = part(own, "<presence>");
            let status = if check == 1 { 400 } else { 200 };
            let answer =
                dialog.notify(Notify::active(600).body("multipart/mixed;boundary=b", format!("{broken}--b--")));
            assert_eq!(answer.status(), status, "what the part is counts");
            let encoded = part(&format!("{own}\r\nContent-Transfer-Encoding: base64"), "PHByZXNlbmNlLz4=");
            let packed = part(&format!("{own}\r\nContent-Encoding: gzip"), "x");
            let charset = part("Content-Type: application/pidf+xml;charset=utf-16", &document);
            let required = part("Content-Type: image/png\r\nContent-Disposition: icon;handling=required", "x");
            for body in
                [encoded, packed, charset, format!("{known}{known}"), format!("{required}{known}"), text, picture]
            {
                let refused =
                    dialog.notify(Notify::active(600).body("multipart/mixed;boundary=b", format!("{body}--b--")));
                assert_eq!((refused.status(), refused.need("Accept")), (415, PIDF), "{body}");
            }
        });
    }
}

/// The version of a document is found inside as well.
#[test]
fn a_part_is_one_of_a_sequence() {
    with_dialog("dialog", 1, |server, dialog| {
        let document = |version: u32, state: &str| {
            let kind = "Content-Type: application/dialog-info+xml";
            let root = "dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" entity=\"sip:alice@example.com\"";
            part(kind, &format!("<{root} version=\"{version}\" state=\"{state}\"/>")) + "--b--"
        };
        told(server, dialog, "multipart/mixed;boundary=b", &document(0, "full"));
        told(server, dialog, "multipart/mixed;boundary=b", &document(1, "partial"));
        let wrong = document(2, "partial").replace("urn:ietf", "urn:other");
        assert_eq!(dialog.notify(Notify::active(600).body("multipart/mixed;boundary=b", wrong)).status(), 400);
    });
}

/// Hostile bodies, through the whole server: each is answered, and the next document is delivered.
#[test]
fn parts_made_to_hurt_are_answered() {
    with_dialog("presence", 1, |server, dialog| {
        let filled = |piece: &str| piece.repeat(20_000 / piece.len());
        let document = pidf("sip:alice@example.com", "open", None);
        for (body, status) in [
            (filled("x"), 415),
            (filled("\r\n--bb"), 415),
            (filled("--b\r\n"), 415),
            (filled("--b"), 415),
            (format!("--b\r\n{}", filled("A: b\r\n")), 415),
            (format!("--b\r\nContent-Type: {PIDF}\r\n\r\n{}", filled("\r\n--bb")), 400),
            (format!("--b\r\nContent-Type: {PIDF}\r\n\r\n"), 200),
        ] {
            let answer = dialog.notify(Notify::active(600).body("multipart/mixed;boundary=b", body.as_str()));
            assert_eq!(answer.status(), status, "{:.40}", body);
        }
        // The last boundary may be missing; a truncated document is refused.
        let whole = part(&format!("Content-Type: {PIDF}"), &document);
        for end in 0..whole.len() {
            let answer =
                dialog.notify(Notify::active(600).body("multipart/mixed;boundary=b", &whole.as_bytes()[..end]));
            assert!([200, 400, 415].contains(&answer.status()), "{end}");
        }
        let line = told(server, dialog, "multipart/mixed;boundary=b", &whole);
        assert!(line.contains(&hex(document.trim_end())) && line.contains("|open|"), "{line}");
    });
}
