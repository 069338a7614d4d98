//! `check_bodies`: documents that nobody looks into before their NOTIFYs are answered.

use crate::support::config::takes_long_messages;
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::PIDF;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

/// The body as it came.
const EXACTLY: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "BODY|$qsa(body)|\n");
}"#;

#[test]
fn what_is_not_looked_into_is_handed_on() {
    let server = Server::b2b().b2b_param("check_bodies", 0).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let not_utf8 = [&b"<presence>"[..], &[0xff, 0xfe, 0xc0], b"</presence>"].concat();
        let deep = "<presence>".repeat(3000);
        for (number, body) in [&b"hello"[..], b"<presence", &not_utf8, deep.as_bytes()].into_iter().enumerate() {
            assert_eq!(dialog.notify(Notify::active(600).body(PIDF, body.to_vec())).status(), 200);
            let all = eventually(SOON, "news of each", || Some(watch.news()).filter(|all| all.len() == number + 2));
            let told = all.last().expect("there are some");
            assert_eq!((told.status.as_str(), told.basic.as_str(), told.note.as_str()), ("active", "", ""));
        }
        assert_eq!(dialog.notify(told(600, "read")).status(), 200);
        assert_eq!(watch.await_note("read").basic, "open");
        watch.end(&mut dialog);
    });
    server.stop();
}

/// From the field: a prefix that nobody has declared, a raw ampersand, a document that is cut off.
#[test]
fn what_cannot_be_read_is_handed_on_in_every_package() {
    let reginfo = |contact: &str| {
        format!(
            "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"0\" state=\"full\"><registration \
             aor=\"sip:alice@example.com\" id=\"a1\" state=\"active\">{contact}</registration></reginfo>"
        )
    };
    let cases = [
        ("reg", "reginfo", reginfo("<ere:wildcardedIdentity>sip:pbx-!.*!@example.com</ere:wildcardedIdentity>")),
        ("reg", "reginfo", reginfo("<contact id=\"c1\"><uri>sip:alice@192.0.2.30:5060;a=1&b=2</uri></contact>")),
        ("dialog", "dialog-info", "<dialog-info version=\"1\" state=\"partial\"><dial".to_owned()),
        ("presence.winfo", "watcherinfo", "<presence/>".to_owned()),
    ];
    let server = Server::b2b().b2b_param("check_bodies", 0).route(EXACTLY).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for (package, kind, body) in &cases {
            let mark = server.log().mark();
            let watch = Watch::to(&server, &notifier.uri("alice"), package);
            let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
            for _ in 0..2 {
                let notify = Notify::active(600).body(&format!("application/{kind}+xml"), body.as_str());
                assert_eq!(dialog.notify(notify).status(), 200, "{body}");
            }
            let told = format!("BODY|{body}|");
            eventually(SOON, "both", || (server.log().since(mark, &told).len() == 2).then_some(()));
            watch.await_state("confirmed");
            watch.end(&mut dialog);
        }
    });
    server.stop();
}

#[test]
fn what_is_no_such_body_is_refused_all_the_same() {
    let server = Server::b2b().b2b_param("check_bodies", 0).global("tcp_rd_buf_size=524288").route(TELL).start();
    let notifier = Notifier::tcp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let before = watch.number("notifies");
        for (kind, status) in [("text/plain", 415), ("application/watcherinfo+xml", 415), ("application/", 400)] {
            assert_eq!(dialog.notify(Notify::active(600).body(kind, "<presence/>")).status(), status, "{kind}");
        }
        if takes_long_messages() {
            let long = " ".repeat(300 * 1024);
            assert_eq!(dialog.notify(Notify::active(600).body(PIDF, long)).status(), 413);
        }
        assert_eq!(watch.number("notifies"), before);
        // However its type is written, and with a parameter, it is a presence document.
        for kind in ["Application/PIDF+xml", "application/pidf+xml;charset=utf-8"] {
            assert_eq!(dialog.notify(Notify::active(600).body(kind, "hello")).status(), 200, "{kind}");
        }
        assert_eq!(watch.number("notifies"), before + 2);
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn what_is_not_looked_into_has_the_same_limit() {
    const LIMIT: usize = 60_000;
    let builder = Server::b2b()
        .b2b_param("check_bodies", 0)
        .b2b_param("max_body", LIMIT as i64)
        .b2b_param("min_resubscribe_time", 3600);
    let server = builder.children(1).global("tcp_rd_buf_size=65535").route(TELL).start();
    let notifier = Notifier::tcp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let long = |length: usize| Notify::active(600).body(PIDF, " ".repeat(length));
        assert_eq!(dialog.notify(long(LIMIT + 1)).status(), 413);
        assert_eq!(dialog.notify(long(LIMIT)).status(), 200);
        assert_eq!(dialog.notify(told(600, "after")).status(), 200);
        watch.await_note("after");
        watch.end(&mut dialog);
    });
    server.stop();
}
