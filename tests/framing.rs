//! How a message may be written: where its body ends, compact and folded headers, the forms of a Contact.

use crate::support::endpoint::{Received, Transport, fresh};
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, assert_unchanged, told};

/// Sends a request as these bytes and waits for its answer.
fn exchange(dialog: &Dialog, request: &Message, bytes: &[u8]) -> Received {
    dialog.endpoint().send_bytes(bytes, dialog.next_hop);
    let answer = dialog.endpoint().final_response(request, SOON);
    answer.unwrap_or_else(|| panic!("no answer to\n{}", String::from_utf8_lossy(bytes)))
}

fn document(note: &str) -> String {
    pidf("sip:alice@example.com", "open", Some(note))
}

/// RFC 3261 §18.3.
#[test]
fn a_datagram_says_where_its_body_ends_or_does_not() {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 3600).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        // Without a Content-Length the body runs to the packet's end.
        let open_end = dialog.build(told(600, "open end"));
        assert_eq!(exchange(&dialog, &open_end, &open_end.to_bytes_without_length()).status(), 200);
        assert_eq!(watch.await_note("open end").basic, "open");
        // So does an empty one.
        let empty = dialog.build(Notify::pending(600));
        assert_eq!(exchange(&dialog, &empty, &empty.to_bytes_without_length()).status(), 200);
        watch.await_news("no body", |news| news.status == "pending" && news.note.is_empty());
        // With one that is smaller, what comes after it is not the body.
        let right = document("the first part");
        let longer = format!("{right}</presence> and so on\r\n\r\n");
        let cut = Notify::active(600).pidf(&longer).with("Content-Length", &right.len().to_string());
        assert_eq!(dialog.notify(cut).status(), 200);
        assert_eq!(watch.await_note("the first part").basic, "open");

        // A truncated body may not be a document, or may be shorter than its Content-Length.
        let before = watch.show();
        let half = told(60, "bad").with("Content-Length", &(right.len() / 2).to_string());
        let more = told(60, "bad").with("Content-Length", &(document("bad").len() + 1).to_string());
        for (what, notify) in [("half", half), ("more", more)] {
            assert_eq!(dialog.notify(notify).status(), 400, "{what}");
            assert_unchanged(&before, &watch.show(), what);
        }
        // An empty part needs no type, and neither does an absent body.
        let none = dialog.build(told(600, "unread").with("Content-Length", "0").set("Content-Type", "text/plain"));
        assert_eq!(exchange(&dialog, &none, &none.to_bytes()).status(), 200);
        watch.await_news("no body again", |news| news.status == "active" && news.note.is_empty());
        assert_eq!(watch.notes(), ["first", "open end", "", "the first part", ""]);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// On a stream only the length separates messages: without it, the server closes the connection.
#[test]
fn on_a_stream_the_length_has_to_be_right() {
    let server = Server::b2b().children(1).route(TELL).allow_log("tcp_read_req(): bad request, state=").start();
    let notifier = Notifier::tcp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        // Two in one piece, and keep-alives before, between and after.
        let [second, third] = ["second", "third"].map(|note| dialog.build(told(600, note)));
        let both = [b"\r\n\r\n", &second.to_bytes()[..], b"\r\n\r\n", &third.to_bytes(), b"\r\n\r\n"].concat();
        assert_eq!(exchange(&dialog, &second, &both).status(), 200);
        assert_eq!(notifier.endpoint.final_response(&third, SOON).expect("the second answer").status(), 200);
        watch.await_note("third");
        // One in many pieces.
        let fourth = dialog.build(told(600, "fourth"));
        for piece in fourth.to_bytes().chunks(97) {
            dialog.endpoint().send_bytes(piece, dialog.next_hop);
        }
        assert_eq!(notifier.endpoint.final_response(&fourth, SOON).expect("one answer").status(), 200);
        watch.await_note("fourth");

        let before = watch.show();
        let open_end = dialog.build(told(60, "bad"));
        let connections = notifier.endpoint.connections();
        notifier.endpoint.send_bytes(&open_end.to_bytes_without_length(), dialog.next_hop);
        eventually(SOON, "the server hangs up", || (notifier.endpoint.connections() < connections).then_some(()));
        assert_unchanged(&before, &watch.show(), "no Content-Length on a stream");
        // Over a new connection the dialog stays active.
        assert_eq!(dialog.notify(told(600, "after all")).status(), 200);
        watch.await_note("after all");
        assert_eq!(watch.notes(), ["first", "second", "third", "fourth", "after all"]);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// Every header of a NOTIFY and of a 2xx that has a compact form, in it.
fn compact(message: Message) -> Message {
    let forms = [
        ("Via", "v"),
        ("From", "f"),
        ("To", "t"),
        ("Call-ID", "i"),
        ("Contact", "m"),
        ("Content-Type", "c"),
        ("Event", "o"),
        ("Supported", "k"),
    ];
    let length = message.body.len();
    let message = message.with("Supported", "eventlist").with("l", length);
    forms.into_iter().fold(message, |message, (name, short)| message.renamed(name, short))
}

/// Headers in letters of another case: `shout` makes the name of each.
fn in_other_letters(message: Message, shout: fn(&str) -> String) -> Message {
    let names = [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Event",
        "Subscription-State",
        "Content-Type",
        "Content-Length",
        "Expires",
        "Record-Route",
    ];
    let message = if message.header("Content-Length").is_none() {
        let length = message.body.len();
        message.with("Content-Length", length)
    } else {
        message
    };
    names.into_iter().fold(message, |message, name| message.renamed(name, &shout(name)))
}

/// Only the first letter is upper case, as in `Cseq`.
fn capitalized(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + &rest.to_lowercase()
}

/// Each value on a line of its own after its name, and its parameters on lines of their own.
fn folded(message: Message) -> Message {
    let names = ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Event", "Subscription-State", "Content-Type"];
    names.into_iter().fold(message, |message, name| match message.header(name).map(str::to_owned) {
        // Not within angle brackets: a URI has no white space.
        Some(value) if value.contains('>') => message.set(name, format!("\r\n {}", value.replace(">;", ">\r\n\t; "))),
        Some(value) => message.set(name, format!("\r\n {}", value.replace(';', "\r\n\t; "))),
        None => message,
    })
}

/// RFC 3261 §7.3.1 and §7.3.3: of NOTIFYs, and of the replies to SUBSCRIBEs.
fn however_headers_are_written(transport: Transport) {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(TELL).start();
    let notifier = Notifier::new(transport);
    type Way = (&'static str, fn(Message) -> Message);
    let ways: [Way; 6] = [
        ("compact", compact),
        ("COMPACT", |message| {
            ["v", "f", "t", "i", "m", "c", "l", "o", "k"]
                .into_iter()
                .fold(compact(message), |m, short| m.renamed(short, &short.to_uppercase()))
        }),
        ("lower", |message| in_other_letters(message, str::to_lowercase)),
        ("UPPER", |message| in_other_letters(message, str::to_uppercase)),
        ("Cseq", |message| in_other_letters(message, capitalized)),
        ("folded", folded),
    ];
    leaves_nothing(&server, || {
        for (what, written) in ways {
            let watch = Watch::begin(&server, &notifier.uri("alice"));
            let subscribe = notifier.expect_subscribe(SOON);
            let mut dialog = notifier.dialog(&subscribe);
            let reply = dialog.response(&subscribe, 200).with("Expires", 100);
            notifier.endpoint.answer(&subscribe, &written(reply));
            watch.await_state("confirmed");
            let given = watch.number("expires_in");
            assert!((90..=100).contains(&given), "{what}: {given}");
            let notify = written(dialog.build(told(60, what)));
            let answer = exchange(&dialog, &notify, &notify.to_bytes());
            assert_eq!(answer.status(), 200, "{what}");
            let told = watch.await_note(what);
            assert_eq!((told.status.as_str(), told.basic.as_str()), ("active", "open"), "{what}");
            assert!(watch.number("expires_in") <= 60, "{what}");
            assert_eq!(watch.show()["remote_target"], dialog.contact.as_str(), "{what}");
            watch.end(&mut dialog);
        }
    });
    server.stop();
}

#[test]
fn however_headers_are_written_over_udp() {
    however_headers_are_written(Transport::Udp);
}

#[test]
fn however_headers_are_written_over_tcp() {
    however_headers_are_written(Transport::Tcp);
}

/// RFC 3261 §20.10: without angle brackets the parameters are the header's, with them the URI's. Whatever the form, the
/// next SUBSCRIBE goes to the URI.
#[test]
fn however_a_contact_is_written() {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).route(TELL).start();
    let notifier = Notifier::udp();
    let addr = notifier.endpoint.addr();
    let at = |user: &str| format!("sip:{user}@{addr}");
    let cases = [
        (at("bare"), at("bare")),
        (format!("{};q=0.5;expires=60", at("params")), at("params")),
        (format!("{} ; expires=60", at("spaced")), at("spaced")),
        (format!("<{}>", at("angle")), at("angle")),
        (format!("<{};x=y;lr>;q=1", at("inner")), format!("{};x=y;lr", at("inner"))),
        (format!("Alice <{}>", at("token")), at("token")),
        (format!("A. N. Other <{}>", at("tokens")), at("tokens")),
        (format!("\"Doe, \\\"J\\\" <sip:not@this.invalid>, John\" <{}>;q=0.1", at("quoted")), at("quoted")),
        (format!("\"\" <{}>", at("nameless")), at("nameless")),
        (format!("\"J\u{e4}s\u{f8}n, \u{20ac}\"<{}>", at("utf8")), at("utf8")),
        (format!("<{}>, <sip:second@192.0.2.1>", at("first")), at("first")),
        (format!("\r\n\t\"folded,\r\n name\"\r\n <{}>", at("folded")), at("folded")),
        (
            format!("<{}>;+sip.instance=\"<urn:uuid:0, 1>\";methods=\"NOTIFY, SUBSCRIBE\"", at("instance")),
            at("instance"),
        ),
    ];
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        for (contact, target) in &cases {
            assert_eq!(dialog.notify(told(600, &fresh("n")).set("Contact", contact)).status(), 200, "{contact}");
            assert_eq!(watch.show()["remote_target"], target.as_str(), "{contact}");
        }
        // The Contact of a 2xx is the target only until a NOTIFY names another one.
        watch.refresh();
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.uri(), cases[cases.len() - 1].1);
        dialog.accept(&refresh, 600);
        watch.await_state("confirmed");
        for (contact, target) in &cases {
            watch.refresh();
            let refresh = dialog.expect_subscribe(SOON);
            let reply = dialog.response(&refresh, 200).set("Contact", contact).with("Expires", 600);
            notifier.endpoint.answer(&refresh, &reply);
            watch.await_state("confirmed");
            assert_eq!(watch.show()["remote_target"], target.as_str(), "of a 2xx: {contact}");
        }
        watch.end(&mut dialog);
    });
    server.stop();
}
