//! Where a notifier says that its dialog goes on: Contacts that no request can be sent to, or that lead back.

use serde_json::json;

use crate::peer_texts::{assert_lines, assert_log};
use crate::support::endpoint::Endpoint;
use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

/// URIs that a request cannot be sent to (and `*`, which is none): the target stays, in a NOTIFY and in a 2xx.
#[test]
fn a_contact_that_cannot_be_used_is_none() {
    const BAD: [&str; 14] = [
        "<sip:2001:db8::55:4060;transport=udp>",
        "<tel:+15550100>",
        "<mailto:alice@example.com>",
        "<sip:>",
        "<sip:alice@192.0.2.20:99999>",
        "<sip:alice@192.0.2.20:0>",
        "<sip:192.0.2.20:5060;thinfo=\"QUJD==\">",
        "<sip:alice@0.0.0.0>",
        "<sip:alice@192.0.2.20;transport=pigeon>",
        "*",
        "<sip:",
        "<<>>",
        "\"a\" <sip:x@y",
        "",
    ];
    let server = Server::quick().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let from = server.log().mark();
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let target = dialog.contact.clone();
        let long = format!("<{};x={}>", notifier.uri("long"), "y".repeat(1024));
        for (number, contact) in BAD.into_iter().chain([&long[..]]).enumerate() {
            let note = format!("note {number}");
            assert_eq!(dialog.notify(told(600, &note).set("Contact", contact)).status(), 200, "{contact}");
            watch.await_note(&note);
            let shown = watch.show();
            assert_eq!(
                (&shown["remote_target"], &shown["bad_contacts"]),
                (&json!(target), &json!(number + 1)),
                "{contact}"
            );
        }
        for contact in BAD {
            watch.refresh();
            let refresh = dialog.expect_subscribe(SOON);
            assert_eq!(refresh.uri(), target);
            let reply = dialog.response(&refresh, 200).set("Contact", contact).with("Expires", 600);
            notifier.endpoint.answer(&refresh, &reply);
            watch.await_state("confirmed");
            assert_eq!(watch.show()["remote_target"], target.as_str(), "of a 2xx: {contact}");
        }
        assert_eq!(server.log().since(from, "the notifier's Contact").len(), 1);
        assert_log(&server, from);
        // The readable first one counts, whatever follows it.
        for (user, rest) in [("a", ";"), ("b", ", <sip:"), ("c", ","), ("d", "\r\nContact: garbage<"), ("e", ", *")] {
            let contact = format!("<{}>{rest}", notifier.uri(user));
            assert_eq!(dialog.notify(told(600, user).set("Contact", &contact)).status(), 200, "{contact}");
            watch.await_note(user);
            assert_eq!(watch.show()["remote_target"], notifier.uri(user), "{contact}");
        }
        watch.end(&mut dialog);
    });
    server.stop();
}

/// With an outbound proxy nothing else would look at the URI.
#[test]
fn nor_is_it_behind_an_outbound_proxy() {
    let notifier = Notifier::udp();
    let server = Server::quick().b2b_param("presence_outbound_proxy", notifier.uri("proxy")).start();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        for contact in ["<tel:+15550100>", "<sip:alice@192.0.2.20\r\n ;y=2>", "<sip:>"] {
            assert_eq!(dialog.notify(told(600, "bad").set("Contact", contact)).status(), 200, "{contact}");
        }
        watch.refresh();
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.uri(), dialog.contact);
        assert_lines(&refresh);
        dialog.accept(&refresh, 600);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// A notifier that copies the module's Contact would make it send requests to itself.
#[test]
fn the_own_contact_is_no_target() {
    let server = Server::quick().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let first = notifier.expect_subscribe(SOON);
        let own = first.need("Contact").to_owned();
        let mut dialog = notifier.dialog(&first);
        dialog.answer(&first, 200, &[("Contact", &own), ("Content-Type", "Application/MANSCDP+xml")]);
        watch.await_state("confirmed");
        let upper = own.to_uppercase().replace("SIP:", "sip:");
        let dressed = |with: &str| own.replace('>', with);
        for (note, contact) in
            [("copied", upper), ("headers", dressed("?Subject=x>")), ("method", dressed(";method=INVITE>"))]
        {
            assert_eq!(dialog.notify(told(600, note).set("Contact", &contact)).status(), 200);
            watch.await_note(note);
        }
        watch.refresh();
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.uri(), notifier.uri("alice"));
        dialog.accept(&refresh, 600);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// In any transport and letter case: a NOTIFY to the module's Contact for TCP may come over UDP.
#[test]
fn the_own_contact_is_no_target_in_other_letters() {
    let server = Server::quick().start();
    let (notifier, udp) = (Notifier::tcp(), Endpoint::udp());
    leaves_nothing(&server, || {
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 600);
        let own = first.need("Contact");
        let shouted = own.replace("transport=tcp", "TRANSPORT=TCP");
        assert_ne!(shouted, own);
        let target = watch.show()["remote_target"].clone();
        assert_eq!(dialog.notify_from(&udp, told(600, "shouted").set("Contact", &shouted)).status(), 200);
        watch.await_note("shouted");
        assert_eq!(watch.show()["remote_target"], target);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// The presence server of the same Kamailio is a notifier like any other.
#[test]
fn a_presence_server_in_the_same_server_is_a_notifier() {
    const ROUTE: &str = r#"
request_route {
    if (is_method("NOTIFY") && handle_notify()) exit;
    if (is_method("SUBSCRIBE")) {
        if (!t_newtran()) exit;
        handle_subscribe();
        t_release();
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}
"#;
    let builder = Server::quick().route(ROUTE);
    let server = builder
        .module("presence")
        .module("presence_xml")
        .modparam("presence", "subs_db_mode", 0)
        .modparam("presence", "publ_cache", 2)
        .modparam("presence_xml", "integrated_xcap_server", 1)
        .modparam("presence_xml", "force_active", 1)
        .start();
    let watch = Watch::begin(&server, &server.uri("alice"));
    watch.await_news("the state", |news| news.status == "active");
    let target = watch.show()["remote_target"].as_str().unwrap_or_default().to_owned();
    assert!(target.contains(&server.addr().to_string()) && target != server.uri("alice"), "{target}");
    let cseq = watch.number("local_cseq");
    watch.refresh();
    server.show_when(watch.id, "refreshed", |shown| shown["local_cseq"] == cseq + 1 && shown["state"] == "confirmed");
    assert_eq!((watch.show()["last_reply"].as_u64(), watch.number("retries")), (Some(200), 0));
    watch.unsubscribe();
    server.await_no_subscription();
    server.stop();
}

/// A target that is a valid URI but unreachable: the dialog is given up and the record subscribed to again.
#[test]
fn a_dialog_that_no_way_leads_to_is_left() {
    let server = Server::quick().start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 600);
        let lost = told(600, "lost").set("Contact", "<sip:alice@[2001:db8::1]:5060;transport=sctp>");
        assert_eq!(dialog.notify(lost).status(), 200);
        watch.refresh();
        watch.await_news("the end of the dialog", |news| news.reason == "no way to the target");
        let again: Received = notifier.expect_subscribe(SOON);
        assert_eq!(again.uri(), first.uri());
        assert_ne!(again.need("Call-ID"), first.need("Call-ID"));
        let mut dialog: Dialog = notifier.accept(&again, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        watch.await_news("the new state", |news| news.status == "active");
        watch.end(&mut dialog);
    });
    server.stop();
}
