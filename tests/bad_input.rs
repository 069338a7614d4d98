//! NOTIFYs that are wrong: a clear answer, one line in the log at most, nothing changed, no memory kept. And replies and
//! records that could make the module wait for ever or keep ever more memory.

use crate::support::address::own_ip;
use crate::support::config::{Builder, largest_message, takes_long_messages};
use crate::support::endpoint::{Endpoint, Received, Transport};
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::{PIDF, pidf};
use crate::support::shm::{Shm, leaves_nothing};
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, assert_unchanged, told};

/// Without `t_newtran()`, so that what tm would refuse reaches the module.
const WITHOUT_TRANSACTION: &str = r#"request_route {
    if (is_method("NOTIFY")) {
        if (!handle_notify()) sl_send_reply("481", "Subscription does not exist");
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}"#;

/// No refresh comes before half of what is granted, not even one that follows a refusal.
fn quiet() -> Builder {
    Server::b2b().b2b_param("min_resubscribe_time", 3600)
}

/// In place of a status: there is no answer.
const NONE: u16 = 0;

/// A NOTIFY that is wrong in one way, and the answers it may get.
struct Bad {
    what: &'static str,
    message: Message,
    answers: &'static [u16],
    /// A header that the answer must have.
    with: Option<&'static str>,
}

impl Bad {
    fn new(what: &'static str, message: Message, answers: &'static [u16]) -> Bad {
        Bad { what, message, answers, with: None }
    }

    fn with(mut self, header: &'static str) -> Bad {
        self.with = Some(header);
        self
    }
}

/// Faults against RFC 6665 and the rules of the package.
fn wrong_in_meaning(dialog: &mut Dialog) -> Vec<Bad> {
    let mut list = Vec::new();
    let missing = told(60, "bad").without("Subscription-State");
    list.push(Bad::new("no Subscription-State", dialog.build(missing), &[400]));
    for state in ["", ";expires=60", ", active", "(active)", ",", "\"active\"", "active@x;expires=60"] {
        let notify = told(60, "bad").set("Subscription-State", state);
        list.push(Bad::new("a garbled Subscription-State", dialog.build(notify), &[400]));
    }
    for event in ["dialog", "presence.winfo", "Presence", "presence;id=1", "presence;id=", "no-such-package"] {
        let message = dialog.build(told(60, "bad").event(event));
        list.push(Bad::new("another Event", message, &[489]).with("Allow-Events"));
    }
    let no_event = dialog.build(told(60, "bad").without("Event"));
    list.push(Bad::new("no Event", no_event, &[489]).with("Allow-Events"));
    // Required headers are checked before the body.
    for (tags, body) in [("x-unknown-ext", "<presence/>"), ("eventlist", "<"), ("timer,\r\n a, , b", "<presence/>")] {
        let notify = Notify::active(60).body("multipart/related;boundary=x", body).with("Require", tags);
        list.push(Bad::new("an extension required", dialog.build(notify), &[420]).with("Unsupported"));
    }
    let no_tag = told(60, "bad").with("Require", "\"a\"");
    list.push(Bad::new("no extension required", dialog.build(no_tag), &[400]));
    list
}

/// Bodies that are not what they should be.
fn wrong_in_body(dialog: &mut Dialog) -> Vec<Bad> {
    let right = pidf("sip:alice@example.com", "closed", Some("bad"));
    let mut list = Vec::new();
    for kind in ["text/plain", "application/dialog-info+xml", "multipart/mixed;boundary=x", "application/xml"] {
        let message = dialog.build(Notify::active(60).body(kind, right.as_str()));
        list.push(Bad::new("an unsupported Content-Type", message, &[415]).with("Accept"));
    }
    for (name, encoding) in [
        ("Content-Encoding", "gzip"),
        ("content-encoding", "DEFLATE"),
        ("e", "gzip"),
        ("E", "identity,\r\n gzip"),
        ("Content-Encoding", "identity, x"),
    ] {
        let message = dialog.build(Notify::active(60).pidf(&right).with(name, encoding));
        list.push(Bad::new("an encoded body", message, &[415]).with("Accept-Encoding"));
    }
    let untyped = dialog.build(Notify::active(60).pidf(&right).without("Content-Type"));
    list.push(Bad::new("a body without Content-Type", untyped, &[400]));
    for kind in ["pidf", "application/", "/", "application/pidf+xml;charset=\"utf", ";"] {
        let message = dialog.build(Notify::active(60).body(kind, right.as_str()));
        list.push(Bad::new("a garbled Content-Type", message, &[400]));
    }
    let laughs = "<?xml version=\"1.0\"?><!DOCTYPE p [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
        <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]><presence xmlns=\"urn:ietf:params:xml:ns:pidf\">&c;</presence>";
    let bodies = [
        "hello",
        "\r\n",
        "\0\0\0\0",
        &right[..right.len() / 2],
        "<presence/><presence/>",
        "<html xmlns=\"http://www.w3.org/1999/xhtml\"/>",
        "<presence xmlns=\"urn:somebody:else\"/>",
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\">&undefined;</presence>",
        "<!DOCTYPE presence SYSTEM \"http://127.0.0.1/x.dtd\"><presence xmlns=\"urn:ietf:params:xml:ns:pidf\"/>",
        laughs,
    ];
    for body in bodies {
        let message = dialog.build(Notify::active(60).body(PIDF, body));
        list.push(Bad::new("a body that is no PIDF", message, &[400]));
    }
    let deep = format!("{}{}", "<presence>".repeat(3000), "</presence>".repeat(3000));
    list.push(Bad::new("a deep body", dialog.build(Notify::active(60).body(PIDF, deep.as_str())), &[400, 413]));
    let not_utf8 = [&b"<presence>"[..], &[0xff, 0xfe, 0xc0], b"</presence>"].concat();
    list.push(Bad::new("a body that is no UTF-8", dialog.build(Notify::active(60).body(PIDF, not_utf8)), &[400]));
    list
}

/// Headers that cannot be read, and headers of somebody else's dialog. Without a readable From, To, Call-ID or CSeq the
/// server drops the message itself, or the script refuses it with a code of its own.
fn wrong_in_headers(dialog: &mut Dialog) -> Vec<Bad> {
    const REFUSED: &[u16] = &[400, 481, 500, NONE];
    let mut list = Vec::new();
    for cseq in ["x NOTIFY", "NOTIFY", "7", "99999999999 NOTIFY", "-1 NOTIFY", "7 SUBSCRIBE"] {
        list.push(Bad::new("a broken CSeq", dialog.build(told(60, "bad").set("CSeq", cseq)), REFUSED));
    }
    for name in ["CSeq", "From", "To", "Call-ID"] {
        list.push(Bad::new("a missing header", dialog.build(told(60, "bad").without(name)), REFUSED));
    }
    for value in ["<sip:x", "", "<sip:x>", "<sip:x>;tag=", "<sip:x>;tag=somebody-else", ";;;", "<<>>;tag=a;tag=b"] {
        list.push(Bad::new("a wrong From", dialog.build(told(60, "bad").from(value)), REFUSED));
        list.push(Bad::new("a wrong To", dialog.build(told(60, "bad").to(value)), REFUSED));
    }
    for call_id in ["unknown", "", &format!("{}x", dialog.call_id), &"a".repeat(3000)] {
        list.push(Bad::new("a wrong Call-ID", dialog.build(told(60, "bad").set("Call-ID", call_id)), REFUSED));
    }
    for route in ["<sip:", "sip", "\"x", "<sip:a;lr>, <"] {
        list.push(Bad::new("a broken Record-Route", dialog.build(told(60, "bad").with("Record-Route", route)), &[400]));
    }
    list
}

/// Only a datagram can be shorter than its Content-Length: a stream waits for the rest.
fn wrong_in_length(dialog: &mut Dialog) -> Vec<Bad> {
    let lengths = ["99999", "4000000000", "99999999999999999999", "-1", "x"];
    // The server itself drops what it cannot read as a number.
    let build = |length| dialog.build(told(60, "bad").with("Content-Length", length));
    lengths.map(build).into_iter().map(|message| Bad::new("a wrong Content-Length", message, &[400, NONE])).collect()
}

/// The answer, if there is one before the server answers what is sent next: its one worker takes them in turn.
fn answer_to(dialog: &Dialog, message: &Message) -> Option<Received> {
    let uri = &dialog.remote_target;
    let next = dialog.endpoint().fresh_request("OPTIONS", uri, uri, uri);
    dialog.endpoint().send(message, dialog.next_hop);
    dialog.endpoint().send(&next, dialog.next_hop);
    let either = |got: &Message| got.status() >= 200 && [message.branch(), next.branch()].contains(&got.branch());
    let first = dialog.endpoint().wait_for(SOON, either).expect("one of two answers");
    if first.branch() == next.branch() {
        return None;
    }
    dialog.endpoint().final_response(&next, SOON).expect("an answer to what is right");
    Some(first)
}

fn nothing_comes_of(server: &Server, transport: Transport) {
    let notifier = Notifier::new(transport);
    leaves_nothing(server, || {
        let (watch, mut dialog, _) = Watch::standing(server, &notifier, 600);
        let mut list = wrong_in_meaning(&mut dialog);
        list.extend(wrong_in_body(&mut dialog));
        // On a stream, the server also closes the connection.
        if transport == Transport::Udp {
            list.extend(wrong_in_headers(&mut dialog));
            list.extend(wrong_in_length(&mut dialog));
        }
        for Bad { what, message, answers, with } in &list {
            let (mark, before) = (server.log().mark(), watch.show());
            let answer = answer_to(&dialog, message);
            let status = answer.as_ref().map_or(NONE, |answer| answer.status());
            assert!(answers.contains(&status), "{what}: {answer:?}\nto\n{message}");
            let has = |header: &str| answer.as_ref().is_some_and(|answer| answer.header(header).is_some());
            assert!(with.is_none_or(has), "{what}: {answer:?}");
            if let (Some(answer), [400 | 413 | 415 | 420]) = (&answer, answers) {
                assert_eq!(answer.header("Retry-After"), Some("5"), "{what}: {answer:?}");
            }
            assert_unchanged(&before, &watch.show(), what);
            let said: Vec<_> = server.log().since(mark, "presence_b2b");
            assert!(said.len() <= 1, "{what}: {said:#?}");
        }
        assert!(
            !server.log().text().contains("could not be answered") && !server.log().text().contains("no transaction")
        );
        // The dialog is still active, and none of that has reached it.
        assert_eq!(dialog.notify(told(600, "after all")).status(), 200);
        watch.await_note("after all");
        assert_eq!(watch.notes(), ["first", "after all"]);
        watch.end(&mut dialog);
    });
}

#[test]
fn nothing_comes_of_it_over_udp() {
    let server = quiet().children(1).route(TELL).hostile().start();
    nothing_comes_of(&server, Transport::Udp);
    server.stop();
}

#[test]
fn nothing_comes_of_it_over_tcp() {
    // A connection's buffer must hold the largest message; the default is 16 kB.
    let server = quiet().children(1).global("tcp_rd_buf_size=131072").route(TELL).start();
    nothing_comes_of(&server, Transport::Tcp);
    server.stop();
}

#[test]
fn nothing_comes_of_it_without_a_transaction() {
    let server = quiet().children(1).route(WITHOUT_TRANSACTION).route(TELL).hostile().start();
    nothing_comes_of(&server, Transport::Udp);
    server.stop();
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    // The default, or the fourth part of the largest message.
    let limit = if takes_long_messages() { 256 * 1024 } else { 15_000 };
    let buffer = format!("tcp_rd_buf_size={}", largest_message().min(2_097_152));
    let server = quiet().children(1).global(&buffer).route(TELL);
    let server = if takes_long_messages() { server } else { server.b2b_param("max_body", limit as i64) }.start();
    let notifier = Notifier::tcp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let right = pidf("sip:alice@example.com", "open", Some("long"));
        let long = |length| format!("{right}<!-- {} -->", "n".repeat(length));
        let before = watch.show();
        let beyond = format!("{right}{}", " ".repeat(limit + 1 - right.len()));
        assert_eq!(dialog.notify(Notify::active(60).pidf(&beyond)).status(), 413, "one byte");
        for length in [4 * limit, limit] {
            assert_eq!(dialog.notify(Notify::active(60).pidf(&long(length))).status(), 413, "{length}");
            assert_eq!(dialog.notify(Notify::active(60).body("text/plain", long(length))).status(), 413, "{length}");
            assert_unchanged(&before, &watch.show(), "a large body");
        }
        // The limit is not for everything that is large.
        assert_eq!(dialog.notify(Notify::active(600).pidf(&long(limit / 5 * 4))).status(), 200);
        assert_eq!(watch.await_note("long").basic, "open");
        let exactly = pidf("sip:alice@example.com", "open", Some("exactly"));
        let exactly = format!("{exactly}{}", " ".repeat(limit - exactly.len()));
        assert_eq!(dialog.notify(Notify::active(600).pidf(&exactly)).status(), 200);
        assert_eq!(watch.await_note("exactly").basic, "open");
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn a_stranger_who_knows_the_call_id_is_nobody() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let server = Server::b2b().route(TELL).start();
        let (notifier, stranger) = (Notifier::new(transport), Endpoint::new(transport));
        leaves_nothing(&server, || {
            let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
            let (before, mark) = (watch.show(), server.log().mark());
            let (to, from) = (dialog.remote.clone(), format!("{};tag={}", dialog.local, dialog.local_tag));
            let spoofs = [
                Notify::terminated("rejected", 0).to(&format!("{to}x")),
                Notify::terminated("rejected", 0).to(dialog.local.as_str()),
                Notify::terminated("rejected", 0).to(&to.to_uppercase().replace("SIP:", "sip:")),
                Notify::terminated("rejected", 0).from(&format!("{from}x")),
                told(60, "spoofed").from(&format!("<sip:alice@example.com>;tag={}", stranger.tag)),
                told(60, "spoofed").from(&to).to(&from),
                told(60, "spoofed").set("Call-ID", &dialog.call_id.to_uppercase()),
            ];
            for spoof in spoofs {
                assert_eq!(dialog.notify_from(&stranger, spoof).status(), 481);
                assert_unchanged(&before, &watch.show(), "a spoofed NOTIFY");
            }
            assert_eq!(server.log().since(mark, "presence_b2b"), Vec::<String>::new());
            assert_eq!(watch.notes(), ["first"]);
            watch.end(&mut dialog);
        });
        server.stop();
    }
}

/// Two thousand in a row: no memory is kept, no process is lost, and a correct NOTIFY after them is accepted.
#[test]
fn a_flood_leaves_nothing() {
    const FLOOD: usize = 2000;
    // In flight at a time: not more than the sockets' buffers hold.
    const WINDOW: usize = 40;
    let server = quiet().tlsf().shm_megabytes(96).route(TELL).start();
    let notifier = Notifier::udp();
    let processes = server.processes("");
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let (before, mark) = (watch.show(), server.log().mark());
        let kinds = [
            Notify::stateless().pidf("<presence/>"),
            Notify::active(60).event("dialog"),
            Notify::active(60).body("text/plain", "hello"),
            Notify::active(60).pidf("<presence"),
            Notify::terminated("rejected", 0).to("<sip:nobody@example.com>;tag=nobody"),
        ];
        for round in 0..FLOOD / WINDOW {
            let sent: Vec<_> =
                (0..WINDOW).map(|n| dialog.send_notify(kinds[(round + n) % kinds.len()].clone())).collect();
            for request in sent {
                let answer = notifier.endpoint.final_response(&request, SOON).expect("each is answered");
                assert!(matches!(answer.status(), 400 | 415 | 481 | 489), "{}", answer.message);
            }
        }
        assert_unchanged(&before, &watch.show(), "a flood");
        let said = server.log().since(mark, "presence_b2b");
        assert!(said.len() <= FLOOD, "{} lines", said.len());
        assert_eq!(dialog.notify(told(600, "dry land")).status(), 200);
        watch.await_note("dry land");
        watch.end(&mut dialog);
        assert_eq!(server.processes(""), processes);
    });
    server.stop();
}

/// A mistaken or hostile value holds a destination for a day at most, and no other destination.
#[test]
fn a_retry_after_without_end_is_a_day() {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(TELL).hostile().start();
    for seconds in ["1000000000", "4294967295", "99999999999999999999"] {
        let notifier = Notifier::udp();
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        notifier.reject(&notifier.expect_subscribe(SOON), 503, &[("Retry-After", seconds)]);
        let shown = server.show_when(id, "refused", |shown| shown["last_reply"] == 503);
        let next = shown["next_action_in"].as_u64().expect("a number");
        assert!(next <= 86_400, "{seconds}: {shown}");
        for row in server.rows("presence_b2b.destinations") {
            assert!(row["held_for"].as_u64().is_some_and(|held| held <= 86_400), "{row}");
        }
        server.unsubscribe(id);
        server.await_no_subscription();
    }
    server.stop();
}

/// A thousand destinations that do not answer: each takes little memory, and the others are served.
#[test]
fn a_flood_of_destinations_is_borne() {
    const FLOOD: u16 = 1000;
    let nobody = own_ip();
    let server = Server::b2b().tlsf().shm_megabytes(96).b2b_param("on_error_retry_time", 600);
    let server = server.gives_up_after(500).route(TELL).start();
    let notifier = Notifier::udp();
    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    let before = Shm::of(&server, &["presence_b2b"]);
    let ids: Vec<u64> = (0..FLOOD)
        .map(|n| server.subscribe(&format!("sip:x@{nobody}:{}", 20_000 + n), &server.uri("watcher")))
        .collect();
    assert_eq!(dialog.notify(told(600, "not drowned")).status(), 200);
    watch.await_note("not drowned");
    let rows = || server.rows("presence_b2b.destinations");
    eventually(SOON, "all have failed", || {
        let all = rows();
        let failed = all.iter().filter(|row| row["failures"] == 1).count();
        (failed >= usize::from(FLOOD) - 1).then_some(())
    });
    for id in ids {
        server.unsubscribe(id);
    }
    watch.end(&mut dialog);
    let after = Shm::of(&server, &["presence_b2b"]);
    // The tables of subscriptions and of destinations have grown.
    assert!(after.bytes() - before.bytes() < 3_000_000, "{} -> {} bytes", before.bytes(), after.bytes());
    server.stop();
}
