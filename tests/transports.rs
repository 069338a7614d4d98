//! How a dialog lives on its transport: connections that come and go, requests that come another way.

use std::time::Duration;

use serde_json::json;

use crate::support::address::own_ip;
use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::side::{Side, sip_port};
use crate::support::wait::{SOON, eventually};

/// A server whose subscriptions may send the next SUBSCRIBE at once, and which gives up soon.
fn builder() -> Builder {
    Server::eager(1).b2b_param("refresh_on_flow_loss", 0).gives_up_after(700)
}

/// Closes all connections with the peer and waits until the server has noticed.
fn hang_up(server: &Server, peer: &Endpoint) {
    peer.hang_up();
    eventually(SOON, "the server has closed its side", || (server.connections() == 0).then_some(()));
}

#[test]
fn all_of_a_dialog_takes_one_connection() {
    let notifier = Notifier::tcp();
    let server = builder().bad_connections().start();
    let side = Side::new(Transport::Tcp, server.addr());
    leaves_nothing(&server, || {
        hang_up(&server, &notifier.endpoint);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&first, 600);
        // The notifier may use the connection that is there.
        dialog.via_hop(first.from);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.from, first.from);
        dialog.accept(&refresh, 600);
        assert_eq!((server.connections(), notifier.endpoint.connections()), (1, 1));
        dialog.via_hop(side.addr);
        server.end(id, &mut dialog);
    });
    server.stop();
}

#[test]
fn a_refresh_connects_again_after_the_connection_was_lost() {
    let notifier = Notifier::tcp();
    let server = builder().bad_connections().start();
    let side = Side::new(Transport::Tcp, server.addr());
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let (id, mut dialog) = side.watch(&server, &notifier, &notifier.uri("alice"));
        assert_eq!(news.next("the subscription").status, "active");
        hang_up(&server, &notifier.endpoint);
        assert_eq!(server.show(id)["state"], "confirmed", "a connection is not the dialog");
        // The notifier connects to the Contact...
        side.notify(&mut dialog, Notify::active(600).pidf(&pidf("sip:alice@x", "open", None)));
        assert_eq!(news.next("the state").basic.as_str(), "open");
        hang_up(&server, &notifier.endpoint);
        // ... and the server to the notifier's.
        let before = server.show(id)["call_id"].clone();
        side.refresh(&server, id, &mut dialog);
        assert_eq!(news.next("the state after the refresh").status, "active");
        let shown = server.show(id);
        assert_eq!((&shown["state"], &shown["retries"]), (&json!("confirmed"), &json!(0)), "{shown}");
        assert_eq!(shown["call_id"], before, "the same dialog");
        hang_up(&server, &notifier.endpoint);
        side.end(&server, id, &mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

/// The server may learn of the end of the connection only after it has written the SUBSCRIBE to it. Then that one is
/// lost, which is told, and the next one follows within the granted time.
#[test]
fn a_refresh_survives_a_connection_that_is_lost_at_that_moment() {
    let notifier = Notifier::tcp();
    let server = builder().bad_connections().start();
    let side = Side::new(Transport::Tcp, server.addr());
    leaves_nothing(&server, || {
        let (id, mut dialog) = side.watch(&server, &notifier, &notifier.uri("alice"));
        let before = server.show(id)["call_id"].clone();
        for _ in 0..3 {
            notifier.endpoint.hang_up();
            side.refresh(&server, id, &mut dialog);
        }
        assert_eq!(server.show(id)["call_id"], before, "the same dialog");
        side.end(&server, id, &mut dialog);
    });
    server.stop();
}

/// RFC 6665 §4.1.2.2: a failure that is not the notifier's answer leaves the subscription as granted.
#[test]
fn a_refresh_to_a_closed_port_is_tried_again_until_the_peer_is_back() {
    let ip = own_ip();
    let open = || Notifier::on(Endpoint::at(Transport::Tcp, ip));
    let standin = Notifier::udp();
    let server = builder().b2b_param("failure_backoff_max", 1).bad_connections().start();
    let side = Side::new(Transport::Tcp, server.addr());
    leaves_nothing(&server, || {
        let notifier = open();
        let mut news = Newsreader::new(&server);
        let (id, mut dialog) = side.watch(&server, &notifier, &notifier.uri("alice"));
        assert_eq!(news.next("the subscription").status, "active");
        let contact = dialog.contact.clone();
        dialog.move_to(&standin.endpoint);
        drop(notifier);
        eventually(SOON, "the port is closed", || std::net::TcpStream::connect(sip_port(ip)).is_err().then_some(()));

        let before = server.show(id);
        server.refresh(id);
        for attempt in 1..=2 {
            let told = news.next("the failure");
            assert_eq!((told.status.as_str(), told.code), ("active", 408), "the granted time goes on: {told:?}");
            assert_eq!(told.next_attempt, Some(1), "{told:?}");
            let shown = server.show_when(id, "the failure", |shown| shown["retries"].as_u64() >= Some(attempt));
            assert_eq!((&shown["status"], &shown["call_id"]), (&json!("active"), &before["call_id"]), "{shown}");
            assert!(shown["expires_in"].as_u64().is_some_and(|left| left > 500), "{shown}");
        }

        let notifier = open();
        dialog.move_to(&notifier.endpoint);
        assert_eq!(dialog.contact, contact);
        let again = dialog.expect_subscribe(SOON);
        side.assert_sent(&again, "the SUBSCRIBE to the peer that is back");
        assert_ne!(again.header("Expires"), Some("0"));
        dialog.accept(&again, 600);
        side.notify(&mut dialog, Notify::active(600).pidf(&pidf("sip:alice@x", "open", None)));
        let news_of_state = eventually(SOON, "the state", || {
            let told = news.next("the state");
            (told.code == 0).then_some(told)
        });
        assert_eq!((news_of_state.status.as_str(), news_of_state.basic.as_str()), ("active", "open"));
        let shown = server.show_when(id, "the 200", |shown| shown["last_reply"] == 200);
        assert_eq!(shown["retries"], 0, "{shown}");
        side.end(&server, id, &mut dialog);
    });
    server.stop();
}

/// A NOTIFY belongs to its dialog, whatever brought it. Its answer does not move the dialog to that transport.
#[test]
fn a_notify_may_come_over_another_transport() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let notifier = Notifier::new(transport);
        let other = match transport {
            Transport::Udp => Endpoint::tcp(),
            Transport::Tcp => Endpoint::udp(),
        };
        let server = builder().start();
        let side = Side::new(transport, server.addr());
        leaves_nothing(&server, || {
            let mut news = Newsreader::new(&server);
            let (id, mut dialog) = side.watch(&server, &notifier, &notifier.uri("alice"));
            assert_eq!(news.next("the subscription").status, "active");
            let document = pidf("sip:alice@x", "closed", None);
            let answer = dialog.notify_from(&other, Notify::active(600).pidf(&document));
            assert_eq!((answer.status(), answer.headers("Contact")), (200, vec![&side.contact[..]]));
            assert_eq!(news.next("the state").basic.as_str(), "closed");
            side.refresh(&server, id, &mut dialog);
            server.unsubscribe(id);
            let last = dialog.expect_subscribe(Duration::from_secs(10));
            side.assert_sent(&last, "the unsubscribe");
            dialog.accept(&last, 0);
            let answer = dialog.notify_from(&other, Notify::terminated("timeout", 0));
            assert_eq!((answer.status(), answer.headers("Contact")), (200, vec![&side.contact[..]]));
            server.await_no_subscription();
        });
        server.stop();
    }
}

/// The 2xx is the notifier's oldest message, even if it comes last.
#[test]
fn a_late_2xx_does_not_move_the_dialog_back() {
    let (notifier, other) = (Notifier::udp(), Notifier::udp());
    let server = builder().start();
    let side = Side::new(Transport::Udp, server.addr());
    leaves_nothing(&server, || {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&first);
        let accepted = dialog.response(&first, 200).with("Expires", 600);
        dialog.contact = other.uri("notifier");
        side.notify(&mut dialog, Notify::active(600));
        notifier.endpoint.answer(&first, &accepted);
        dialog.move_to(&other.endpoint);
        side.refresh(&server, id, &mut dialog);
        side.end(&server, id, &mut dialog);
    });
    server.stop();
}
