//! How a dialog lives on its transport: IPv6, several listening sockets, connections that come and go.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::json;

use crate::support::address::{SIP_PORT, own_ip, own_ipv6, own_port};
use crate::support::config::{Builder, Listen};
use crate::support::endpoint::{Endpoint, Received, Transport};
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// A server whose subscriptions may send the next SUBSCRIBE at once, and which gives up soon.
fn builder() -> Builder {
    Server::eager(1).b2b_param("refresh_on_flow_loss", 0).gives_up_after(700)
}

fn sip_port(ip: impl Into<IpAddr>) -> SocketAddr {
    (ip, SIP_PORT).into()
}

/// A socket of the server under test: where it is, and what it says of itself.
#[derive(Clone)]
struct Side {
    addr: SocketAddr,
    contact: String,
}

impl Side {
    fn new(transport: Transport, addr: SocketAddr) -> Side {
        Side { addr, contact: format!("<sip:{addr}{}>", transport.uri_param()) }
    }

    /// Asserts that a SUBSCRIBE left through this socket and says so.
    fn assert_sent(&self, subscribe: &Received, what: &str) {
        assert_eq!(subscribe.headers("Contact"), [&self.contact[..]], "Contact of {what}");
        assert_eq!(subscribe.from.ip(), self.addr.ip(), "source of {what}");
        if subscribe.need("Via").starts_with("SIP/2.0/UDP") {
            assert_eq!(subscribe.from, self.addr, "source of {what}");
        }
    }
}

/// Sends a NOTIFY to the socket behind the Contact; the answer must name the same Contact.
fn notify(dialog: &mut Dialog, side: &Side, notify: Notify) {
    dialog.via_hop(side.addr);
    let answer = dialog.notify(notify);
    assert_eq!((answer.status(), answer.headers("Contact")), (200, vec![&side.contact[..]]), "{}", answer.message);
}

/// Subscribes to `record`, whose SUBSCRIBE arrives at `notifier` from `side`, and has it active.
fn watch(server: &Server, notifier: &Notifier, record: &str, side: &Side) -> (u64, Dialog) {
    let id = server.subscribe(record, &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    assert_eq!(first.uri(), record);
    side.assert_sent(&first, "the first SUBSCRIBE");
    let mut dialog = notifier.dialog(&first);
    dialog.accept(&first, 600);
    notify(&mut dialog, side, Notify::active(600));
    (id, dialog)
}

/// Has a refresh sent, which must leave from `side`.
fn refresh(server: &Server, id: u64, dialog: &mut Dialog, side: &Side) -> Received {
    server.refresh(id);
    let refresh = dialog.expect_subscribe(SOON);
    side.assert_sent(&refresh, "the refresh");
    assert_eq!(refresh.uri(), dialog.contact);
    dialog.accept(&refresh, 600);
    // Over another connection, the NOTIFY may overtake it.
    server.show_when(id, "the 2xx is in", |shown| shown["state"] == "confirmed");
    notify(dialog, side, Notify::active(600));
    refresh
}

/// Unsubscribes; the SUBSCRIBE with Expires 0 must leave from `side`.
fn end(server: &Server, id: u64, dialog: &mut Dialog, side: &Side) {
    server.unsubscribe(id);
    let last = dialog.expect_subscribe(SOON);
    assert_eq!(last.header("Expires"), Some("0"));
    side.assert_sent(&last, "the unsubscribe");
    dialog.accept(&last, 0);
    notify(dialog, side, Notify::terminated("timeout", 0));
    server.await_no_subscription();
}

// ----------------------------------------------------------------------------------------------------------------- IPv6

fn over_ipv6(transport: Transport) {
    let notifier = Notifier::on(Endpoint::bound(transport, own_ipv6()));
    let own = own_ipv6();
    let builder = builder();
    let ipv4 = builder.ip();
    let builder = builder.listen(Listen::on("udp", own)).listen(Listen::on("tcp", own));
    let server = builder.listen(Listen::udp(ipv4)).listen(Listen::tcp(ipv4)).start();
    let record = notifier.uri("alice");
    assert!(record.starts_with("sip:alice@[::1]:"), "{record}");
    let side = Side::new(transport, own);
    assert!(side.contact.starts_with("<sip:[::1]:"), "{}", side.contact);
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let (id, mut dialog) = watch(&server, &notifier, &record, &side);
        assert_eq!(dialog.remote_target, format!("sip:{own}{}", transport.uri_param()));
        notify(&mut dialog, &side, Notify::active(600).pidf(&pidf("sip:alice@[::1]", "open", None)));
        assert_eq!(news.next("the subscription").status, "active");
        let told = news.next("the state");
        assert_eq!((told.record.as_str(), told.basic.as_str()), (record.as_str(), "open"));
        let refresh = refresh(&server, id, &mut dialog, &side);
        assert!(refresh.need("Via").starts_with(&format!("SIP/2.0/{} [::1]:", transport.upper())));
        end(&server, id, &mut dialog, &side);
    });
    server.stop();
}

#[test]
fn an_ipv6_record_over_udp() {
    over_ipv6(Transport::Udp);
}

#[test]
fn an_ipv6_record_over_tcp() {
    over_ipv6(Transport::Tcp);
}

/// Neither the record nor the notifier's Contact can be reached.
#[test]
fn an_ipv6_outbound_proxy() {
    let proxy = Notifier::on(Endpoint::bound(Transport::Udp, own_ipv6()));
    let own = own_ipv6();
    let builder = builder();
    let ipv4 = Listen::udp(builder.ip());
    let builder = builder.b2b_param("presence_outbound_proxy", format!("sip:{}", proxy.endpoint.addr()));
    let server = builder.listen(ipv4).listen(Listen::on("udp", own)).start();
    let side = Side::new(Transport::Udp, own);
    leaves_nothing(&server, || {
        let (id, mut dialog) = watch(&server, &proxy, "sip:alice@192.0.2.1", &side);
        dialog.contact = "sip:alice@192.0.2.2".into();
        notify(&mut dialog, &side, Notify::active(600));
        refresh(&server, id, &mut dialog, &side);
        end(&server, id, &mut dialog, &side);
    });
    server.stop();
}

#[test]
fn an_advertised_ipv6_address_keeps_its_brackets() {
    let notifier = Notifier::on(Endpoint::bound(Transport::Udp, own_ipv6()));
    let own = own_ipv6();
    let server = builder().listen(Listen::on("udp", own).advertise("[2001:db8::7]:5090")).start();
    let side = Side { addr: own, contact: "<sip:[2001:db8::7]:5090>".into() };
    leaves_nothing(&server, || {
        let (id, mut dialog) = watch(&server, &notifier, &notifier.uri("alice"), &side);
        refresh(&server, id, &mut dialog, &side);
        end(&server, id, &mut dialog, &side);
    });
    server.stop();
}

/// The new target is of the other address family, where the first one's socket cannot reach it.
#[test]
fn a_dialog_whose_target_moves_to_ipv6() {
    let (notifier, other) = (Notifier::udp(), Notifier::on(Endpoint::bound(Transport::Udp, own_ipv6())));
    let own = own_ipv6();
    let builder = builder();
    let ipv4 = Side::new(Transport::Udp, sip_port(builder.ip()));
    let ipv6 = Side::new(Transport::Udp, own);
    let server = builder.listen(Listen::on("udp", own)).listen(Listen::on("udp", ipv4.addr)).start();
    leaves_nothing(&server, || {
        let (id, mut dialog) = watch(&server, &notifier, &notifier.uri("alice"), &ipv4);
        dialog.contact = other.uri("notifier");
        notify(&mut dialog, &ipv4, Notify::active(600));
        dialog.move_to(&other.endpoint);
        refresh(&server, id, &mut dialog, &ipv6);
        end(&server, id, &mut dialog, &ipv6);
    });
    server.stop();
}

// ------------------------------------------------------------------------------------------------------ several sockets

/// Of two UDP sockets and two TCP sockets on three addresses. Of several sockets the host takes the first by default.
struct Sockets {
    default_udp: Side,
    default_tcp: Side,
}

/// UDP and TCP on one address, the default of UDP on a second one, that of TCP on a third.
fn sockets() -> (Builder, Sockets) {
    let [first, second, third] = [(); 3].map(|()| sip_port(own_ip()));
    let sockets =
        Sockets { default_udp: Side::new(Transport::Udp, second), default_tcp: Side::new(Transport::Tcp, third) };
    let mut builder = builder();
    for (protocol, addr) in [("udp", second), ("udp", first), ("tcp", third), ("tcp", first)] {
        builder = builder.listen(Listen::on(protocol, addr));
    }
    (builder, sockets)
}

#[test]
fn contact_is_the_socket_that_leads_to_the_record() {
    let (udp, tcp) = (Notifier::udp(), Notifier::tcp());
    let (builder, sockets) = sockets();
    let server = builder.start();
    leaves_nothing(&server, || {
        for (notifier, side) in [(&udp, &sockets.default_udp), (&tcp, &sockets.default_tcp)] {
            let (id, mut dialog) = watch(&server, notifier, &notifier.uri("alice"), side);
            refresh(&server, id, &mut dialog, side);
            end(&server, id, &mut dialog, side);
        }
    });
    server.stop();
}

/// The proxy decides the socket, not the record or the dialog's target, which ask for the other transport.
#[test]
fn contact_is_the_socket_that_leads_to_the_outbound_proxy() {
    for (transport, record) in
        [(Transport::Tcp, "sip:alice@192.0.2.1"), (Transport::Udp, "sip:a@192.0.2.1;transport=tcp")]
    {
        let proxy = Notifier::new(transport);
        let (builder, sockets) = sockets();
        let uri = format!("sip:{}{}", proxy.endpoint.addr(), transport.uri_param());
        let server = builder.b2b_param("presence_outbound_proxy", uri).start();
        let side = if transport == Transport::Tcp { &sockets.default_tcp } else { &sockets.default_udp };
        leaves_nothing(&server, || {
            let (id, mut dialog) = watch(&server, &proxy, record, side);
            dialog.contact = record.replace("192.0.2.1", "192.0.2.2");
            notify(&mut dialog, side, Notify::active(600));
            refresh(&server, id, &mut dialog, side);
            end(&server, id, &mut dialog, side);
        });
        server.stop();
    }
}

/// The dialog's target moves to another transport, for which the host would choose another address.
#[test]
fn a_dialog_stays_at_its_address_when_its_target_moves_to_another_transport() {
    let (udp, tcp) = (Notifier::udp(), Notifier::tcp());
    // Only one UDP socket, at the address of the TCP socket that is not the default.
    let (first, other) = (sip_port(own_ip()), sip_port(own_ip()));
    let (udp_side, tcp_side) = (Side::new(Transport::Udp, first), Side::new(Transport::Tcp, first));
    let listens = [("udp", first), ("tcp", other), ("tcp", first)];
    let server =
        listens.iter().fold(builder(), |builder, (name, addr)| builder.listen(Listen::on(name, *addr))).start();
    leaves_nothing(&server, || {
        let (id, mut dialog) = watch(&server, &udp, &udp.uri("alice"), &udp_side);
        dialog.contact = tcp.uri("notifier");
        notify(&mut dialog, &udp_side, Notify::active(600));
        dialog.move_to(&tcp.endpoint);
        refresh(&server, id, &mut dialog, &tcp_side);
        dialog.contact = udp.uri("notifier");
        notify(&mut dialog, &tcp_side, Notify::active(600));
        dialog.move_to(&udp.endpoint);
        refresh(&server, id, &mut dialog, &udp_side);
        end(&server, id, &mut dialog, &udp_side);
    });
    server.stop();
}

/// From then on at the address that the host chose for TCP, although UDP's default is another one.
#[test]
fn a_dialog_keeps_the_address_of_its_newest_request() {
    let (udp, tcp) = (Notifier::udp(), Notifier::tcp());
    let (first, other) = (sip_port(own_ip()), sip_port(own_ip()));
    let (udp_side, tcp_side) = (Side::new(Transport::Udp, first), Side::new(Transport::Tcp, first));
    let listens = [("udp", other), ("udp", first), ("tcp", first)];
    let server =
        listens.iter().fold(builder(), |builder, (name, addr)| builder.listen(Listen::on(name, *addr))).start();
    leaves_nothing(&server, || {
        let (id, mut dialog) = watch(&server, &tcp, &tcp.uri("alice"), &tcp_side);
        dialog.contact = udp.uri("notifier");
        notify(&mut dialog, &tcp_side, Notify::active(600));
        dialog.move_to(&udp.endpoint);
        for _ in 0..2 {
            refresh(&server, id, &mut dialog, &udp_side);
        }
        end(&server, id, &mut dialog, &udp_side);
    });
    server.stop();
}

/// No dialog has been made yet: the socket is chosen for the new target as if it were the first.
#[test]
fn a_redirected_subscribe_leaves_from_the_socket_of_its_new_target() {
    let (udp, tcp) = (Notifier::udp(), Notifier::tcp());
    let (first, other) = (sip_port(own_ip()), sip_port(own_ip()));
    let (udp_side, tcp_side) = (Side::new(Transport::Udp, first), Side::new(Transport::Tcp, other));
    let listens = [("udp", first), ("tcp", other), ("tcp", first)];
    let server =
        listens.iter().fold(builder(), |builder, (name, addr)| builder.listen(Listen::on(name, *addr))).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&udp.uri("alice"), &server.uri("watcher"));
        let redirected = udp.expect_subscribe(SOON);
        udp_side.assert_sent(&redirected, "the redirected SUBSCRIBE");
        udp.redirect(&redirected, &[&tcp.uri("alice")]);
        let subscribe = tcp.expect_subscribe(SOON);
        tcp_side.assert_sent(&subscribe, "the SUBSCRIBE to the new target");
        let mut dialog = tcp.accept(&subscribe, 600);
        notify(&mut dialog, &tcp_side, Notify::active(600));
        refresh(&server, id, &mut dialog, &tcp_side);
        end(&server, id, &mut dialog, &tcp_side);
    });
    server.stop();
}

/// The kernel's choice of source for loopback is 127.0.0.1, which the host otherwise takes last.
#[test]
fn contact_is_the_socket_that_a_multihomed_server_chooses() {
    let notifier = Notifier::udp();
    let side = Side::new(Transport::Udp, SocketAddr::from(([127, 0, 0, 1], own_port())));
    let builder = builder().global("mhomed=1");
    let default = Listen::udp(builder.ip());
    let server = builder.listen(Listen::on("udp", side.addr)).listen(default).start();
    leaves_nothing(&server, || {
        let (id, mut dialog) = watch(&server, &notifier, &notifier.uri("alice"), &side);
        refresh(&server, id, &mut dialog, &side);
        end(&server, id, &mut dialog, &side);
    });
    server.stop();
}

/// `$fs` for the first SUBSCRIBE is enough: the dialog stays there, and its next Contact says so.
#[test]
fn a_dialog_stays_at_the_socket_that_the_script_chose() {
    let notifier = Notifier::udp();
    let [default, chosen] = [(); 2].map(|()| Side::new(Transport::Udp, sip_port(own_ip())));
    let route = format!("event_route[tm:local-request] {{ if ($tt == $null) {{ $fs = \"udp:{}\"; }} }}", chosen.addr);
    let builder = builder().listen(Listen::on("udp", default.addr)).listen(Listen::on("udp", chosen.addr));
    let server = builder.route(&route).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(first.from, chosen.addr);
        let mut dialog = notifier.accept(&first, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        refresh(&server, id, &mut dialog, &chosen);
        end(&server, id, &mut dialog, &chosen);
    });
    server.stop();
}

/// The server speaks TCP over IPv4 only.
#[test]
fn a_record_that_no_socket_leads_to() {
    let builder = builder();
    let listen = Listen::tcp(builder.ip());
    let server = builder
        .listen(listen)
        .allow_log("no corresponding socket found for")
        .allow_log("could not resolve hostname: \"[")
        .allow_log("failed to resolve \"[")
        .start();
    for record in [format!("sip:alice@{}", own_ip()), format!("sip:alice@{};transport=tcp", own_ipv6())] {
        leaves_nothing(&server, || {
            let mut news = Newsreader::new(&server);
            let id = server.subscribe(&record, &server.uri("watcher"));
            for _ in 0..2 {
                let told = news.next("the failure");
                assert_eq!((told.status.as_str(), told.reason.as_str()), ("terminated", "send failed"), "{told:?}");
            }
            server.unsubscribe(id);
            server.await_no_subscription();
        });
        assert!(server.log().text().contains(&format!("SUBSCRIBE to {record} not sent: no socket")), "{record}");
    }
    server.stop();
}

/// UDP is advertised under another name than it has, TCP is not.
#[test]
fn only_the_advertised_socket_is_advertised() {
    let (udp, tcp) = (Notifier::udp(), Notifier::tcp());
    let builder = builder();
    let addr = sip_port(builder.ip());
    let advertised = Side { addr, contact: "<sip:198.51.100.7:5090>".into() };
    let plain = Side::new(Transport::Tcp, addr);
    let listen = Listen::on("udp", addr).advertise("198.51.100.7:5090");
    let server = builder.listen(listen).listen(Listen::udp(own_ip())).listen(Listen::on("tcp", addr)).start();
    leaves_nothing(&server, || {
        for (notifier, side) in [(&udp, &advertised), (&tcp, &plain)] {
            let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
            let first = notifier.expect_subscribe(SOON);
            side.assert_sent(&first, "the first SUBSCRIBE");
            let real = first.message.clone().set("Contact", &plain.contact);
            let mut dialog = notifier.dialog(&real);
            dialog.accept(&first, 600);
            notify(&mut dialog, side, Notify::active(600));
            refresh(&server, id, &mut dialog, side);
            end(&server, id, &mut dialog, side);
        }
    });
    server.stop();
}

// ---------------------------------------------------------------------------------------------------------- connections

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
        let (id, mut dialog) = watch(&server, &notifier, &notifier.uri("alice"), &side);
        assert_eq!(news.next("the subscription").status, "active");
        hang_up(&server, &notifier.endpoint);
        assert_eq!(server.show(id)["state"], "confirmed", "a connection is not the dialog");
        // The notifier connects to the Contact...
        notify(&mut dialog, &side, Notify::active(600).pidf(&pidf("sip:alice@x", "open", None)));
        assert_eq!(news.next("the state").basic.as_str(), "open");
        hang_up(&server, &notifier.endpoint);
        // ... and the server to the notifier's.
        let before = server.show(id)["call_id"].clone();
        refresh(&server, id, &mut dialog, &side);
        assert_eq!(news.next("the state after the refresh").status, "active");
        let shown = server.show(id);
        assert_eq!((&shown["state"], &shown["retries"]), (&json!("confirmed"), &json!(0)), "{shown}");
        assert_eq!(shown["call_id"], before, "the same dialog");
        hang_up(&server, &notifier.endpoint);
        end(&server, id, &mut dialog, &side);
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
        let (id, mut dialog) = watch(&server, &notifier, &notifier.uri("alice"), &side);
        let before = server.show(id)["call_id"].clone();
        for _ in 0..3 {
            notifier.endpoint.hang_up();
            refresh(&server, id, &mut dialog, &side);
        }
        assert_eq!(server.show(id)["call_id"], before, "the same dialog");
        end(&server, id, &mut dialog, &side);
    });
    server.stop();
}

/// RFC 6665 §4.1.2.2: what is no answer of the notifier leaves the subscription as it was granted.
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
        let (id, mut dialog) = watch(&server, &notifier, &notifier.uri("alice"), &side);
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
        notify(&mut dialog, &side, Notify::active(600).pidf(&pidf("sip:alice@x", "open", None)));
        let news_of_state = eventually(SOON, "the state", || {
            let told = news.next("the state");
            (told.code == 0).then_some(told)
        });
        assert_eq!((news_of_state.status.as_str(), news_of_state.basic.as_str()), ("active", "open"));
        let shown = server.show_when(id, "the 200", |shown| shown["last_reply"] == 200);
        assert_eq!(shown["retries"], 0, "{shown}");
        end(&server, id, &mut dialog, &side);
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
            let (id, mut dialog) = watch(&server, &notifier, &notifier.uri("alice"), &side);
            assert_eq!(news.next("the subscription").status, "active");
            let document = pidf("sip:alice@x", "closed", None);
            let answer = dialog.notify_from(&other, Notify::active(600).pidf(&document));
            assert_eq!((answer.status(), answer.headers("Contact")), (200, vec![&side.contact[..]]));
            assert_eq!(news.next("the state").basic.as_str(), "closed");
            refresh(&server, id, &mut dialog, &side);
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

/// The 2xx is the oldest word of the notifier, even when it comes last.
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
        notify(&mut dialog, &side, Notify::active(600));
        notifier.endpoint.answer(&first, &accepted);
        dialog.move_to(&other.endpoint);
        refresh(&server, id, &mut dialog, &side);
        end(&server, id, &mut dialog, &side);
    });
    server.stop();
}
