//! Options of one subscription that change its requests, their way, and what it takes of a NOTIFY.

use std::sync::Arc;

use crate::options::{builder, call, subscribe};
use crate::support::b2b::farewell;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::SOON;

/// Its own header lines are in each SUBSCRIBE of the subscription and in no other one's, and operators see them.
#[test]
fn own_header_lines_in_every_subscribe() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().b2b_param("additional_presence_headers", "X-All: 1\r\n").start();
    let own = |message: &Message| {
        [message.header("X-All"), message.header("X-Tenant"), message.header("Subject")]
            .map(|one| one.map(str::to_owned))
    };
    let wanted = ["1", "42", "a;b \"c\""].map(|value| Some(value.to_owned()));
    leaves_nothing(&server, || {
        let options = "header=\"X-Tenant: 42\"; header=\"Subject: a;b \\\"c\\\"\"";
        let id = subscribe(&server, &record, "presence", options).expect("an id");
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(own(&first.message), wanted, "{}", first.message);
        let mut dialog = notifier.activate(&first, 600);
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!(shown["options"], "header=\"X-Tenant: 42\";header=\"Subject: a;b \\\"c\\\"\"");
        assert!(call(&server, "subscribe_with", &record, "presence", options), "the same again");
        assert!(subscribe(&server, &record, "presence", "header=\"X-Tenant: 43\"").is_err(), "another one");
        subscribe(&server, &record, "presence", "id=plain").expect("an id");
        let other = notifier.expect_subscribe(SOON);
        assert_eq!(own(&other.message)[1..], [None, None]);
        let mut other = notifier.activate(&other, 600);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(own(&refresh.message), wanted, "{}", refresh.message);
        dialog.accept(&refresh, 600);
        server.await_shown(id, "state", "confirmed");
        server.unsubscribe(id);
        let last = dialog.expect_subscribe(SOON);
        assert_eq!((last.header("Expires"), own(&last.message)), (Some("0"), wanted.clone()));
        dialog.accept(&last, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
        assert!(call(&server, "unsubscribe", &record, "presence;id=plain", ""));
        farewell(&mut other);
        server.await_no_subscription();
    });
    server.stop();
}

/// Its own proxy takes all its requests, in the place of those of the parameter, and is the destination that operators see.
#[test]
fn an_own_proxy_takes_every_subscribe() {
    let (usual, own) = (Notifier::udp(), Notifier::tcp());
    let proxy = |proxy: &Notifier| format!("sip:{}{}", proxy.endpoint.addr(), proxy.endpoint.transport().uri_param());
    let server = builder()
        .b2b_param("presence_outbound_proxy", proxy(&usual))
        .allow_log("option outbound is not reached over TLS")
        .start();
    let record = "sip:alice@example.com";
    leaves_nothing(&server, || {
        let options = format!("outbound=\"{}\"", proxy(&own));
        let id = subscribe(&server, record, "presence", &options).expect("an id");
        let first = own.expect_subscribe(SOON);
        assert_eq!((first.uri(), first.header("Route")), (record, None), "{}", first.message);
        let mut dialog = own.activate(&first, 600);
        assert_eq!(server.await_shown(id, "state", "confirmed")["options"], options);
        let destination = format!("tcp:{}", own.endpoint.addr());
        assert!(server.destination(&destination).is_some(), "the gate knows it");
        subscribe(&server, record, "presence", "id=usual").expect("an id");
        let other = usual.expect_subscribe(SOON);
        let mut other = usual.activate(&other, 600);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        server.await_shown(id, "state", "confirmed");
        server.unsubscribe(id);
        farewell(&mut dialog);
        assert!(call(&server, "unsubscribe", record, "presence;id=usual", ""));
        farewell(&mut other);
        let fault =
            subscribe(&server, "sips:alice@example.com", "presence", "outbound=sip:192.0.2.9").expect_err("open");
        assert!(fault.contains("the record is a SIPS URI, but option outbound is not reached over TLS"), "{fault}");
        assert!(!call(&server, "subscribe", "sips:alice@example.com", "presence", "outbound=sip:192.0.2.9"));
        server.await_no_subscription();
    });
    server.stop();
}

/// A notifier behind NAT: its Contact is an address of its own net, and its NOTIFYs come from another one.
fn behind_nat(transport: Transport) {
    let notifier = Notifier::new(transport);
    let nat = || Arc::new(Endpoint::new(transport));
    let (first_nat, second_nat, stranger) = (nat(), nat(), nat());
    let server = builder().b2b_param("presence_outbound_proxy", notifier.uri("").replace("sip:@", "sip:")).start();
    let private = format!("sip:notifier@10.255.255.1:5060{}", transport.uri_param());
    let record = "sip:alice@example.com";
    leaves_nothing(&server, || {
        let id = subscribe(&server, record, "presence", "target=source").expect("an id");
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&first);
        dialog.contact.clone_from(&private);
        dialog.accept(&first, 600);
        for nat in [&first_nat, &second_nat] {
            dialog.move_to(nat);
            dialog.contact.clone_from(&private);
            assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
            let shown = server.show_when(id, "the source", |shown| {
                let source = shown["source"].as_str().unwrap_or_default();
                source.starts_with(&format!("sip:{}:", nat.addr().ip())) && source.ends_with(transport.uri_param())
            });
            assert_eq!(shown["remote_target"], private);
            // A NOTIFY that is refused moves nothing.
            assert_eq!(dialog.notify_from(&stranger, Notify::active(600).event("dialog")).status(), 489);
            let connections = server.connections();
            server.refresh(id);
            let refresh = dialog.expect_subscribe(SOON);
            assert_eq!((refresh.uri(), refresh.header("Route")), (&private[..], None), "{}", refresh.message);
            assert_eq!(server.connections(), connections, "over the notifier's own");
            dialog.accept(&refresh, 600);
            server.await_shown(id, "state", "confirmed");
        }
        server.end(id, &mut dialog);
    });
    server.stop();
}

#[test]
fn refreshes_reach_a_notifier_behind_nat_over_udp() {
    behind_nat(Transport::Udp);
}

#[test]
fn refreshes_reach_a_notifier_behind_nat_over_tcp() {
    behind_nat(Transport::Tcp);
}
