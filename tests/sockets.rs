//! A server with several sockets: which one a subscription uses, and what its Contact says.

use std::net::SocketAddr;

use crate::support::address::{own_ip, own_ipv6, own_port};
use crate::support::config::{Builder, Listen};
use crate::support::endpoint::Transport;
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::side::{Side, sip_port};
use crate::support::wait::SOON;

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
    let mut builder = Server::eager(1);
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
            let (id, mut dialog) = side.watch(&server, notifier, &notifier.uri("alice"));
            side.refresh(&server, id, &mut dialog);
            side.end(&server, id, &mut dialog);
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
            let (id, mut dialog) = side.watch(&server, &proxy, record);
            dialog.contact = record.replace("192.0.2.1", "192.0.2.2");
            side.notify(&mut dialog, Notify::active(600));
            side.refresh(&server, id, &mut dialog);
            side.end(&server, id, &mut dialog);
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
        listens.iter().fold(Server::eager(1), |builder, (name, addr)| builder.listen(Listen::on(name, *addr))).start();
    leaves_nothing(&server, || {
        let (id, mut dialog) = udp_side.watch(&server, &udp, &udp.uri("alice"));
        dialog.contact = tcp.uri("notifier");
        udp_side.notify(&mut dialog, Notify::active(600));
        dialog.move_to(&tcp.endpoint);
        tcp_side.refresh(&server, id, &mut dialog);
        dialog.contact = udp.uri("notifier");
        tcp_side.notify(&mut dialog, Notify::active(600));
        dialog.move_to(&udp.endpoint);
        udp_side.refresh(&server, id, &mut dialog);
        udp_side.end(&server, id, &mut dialog);
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
        listens.iter().fold(Server::eager(1), |builder, (name, addr)| builder.listen(Listen::on(name, *addr))).start();
    leaves_nothing(&server, || {
        let (id, mut dialog) = tcp_side.watch(&server, &tcp, &tcp.uri("alice"));
        dialog.contact = udp.uri("notifier");
        tcp_side.notify(&mut dialog, Notify::active(600));
        dialog.move_to(&udp.endpoint);
        for _ in 0..2 {
            udp_side.refresh(&server, id, &mut dialog);
        }
        udp_side.end(&server, id, &mut dialog);
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
        listens.iter().fold(Server::eager(1), |builder, (name, addr)| builder.listen(Listen::on(name, *addr))).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&udp.uri("alice"), &server.uri("watcher"));
        let redirected = udp.expect_subscribe(SOON);
        udp_side.assert_sent(&redirected, "the redirected SUBSCRIBE");
        udp.redirect(&redirected, &[&tcp.uri("alice")]);
        let subscribe = tcp.expect_subscribe(SOON);
        tcp_side.assert_sent(&subscribe, "the SUBSCRIBE to the new target");
        let mut dialog = tcp.accept(&subscribe, 600);
        tcp_side.notify(&mut dialog, Notify::active(600));
        tcp_side.refresh(&server, id, &mut dialog);
        tcp_side.end(&server, id, &mut dialog);
    });
    server.stop();
}

/// The kernel's choice of source for loopback is 127.0.0.1, which the host otherwise takes last.
#[test]
fn contact_is_the_socket_that_a_multihomed_server_chooses() {
    let notifier = Notifier::udp();
    let side = Side::new(Transport::Udp, SocketAddr::from(([127, 0, 0, 1], own_port())));
    let builder = Server::eager(1).global("mhomed=1");
    let default = Listen::udp(builder.ip());
    let server = builder.listen(Listen::on("udp", side.addr)).listen(default).start();
    side.lives(&server, &notifier);
    server.stop();
}

/// `$fs` for the first SUBSCRIBE is enough: the dialog stays there, and its next Contact says so.
#[test]
fn a_dialog_stays_at_the_socket_that_the_script_chose() {
    let notifier = Notifier::udp();
    let [default, chosen] = [(); 2].map(|()| Side::new(Transport::Udp, sip_port(own_ip())));
    let route = format!("event_route[tm:local-request] {{ if ($tt == $null) {{ $fs = \"udp:{}\"; }} }}", chosen.addr);
    let builder = Server::eager(1).listen(Listen::on("udp", default.addr)).listen(Listen::on("udp", chosen.addr));
    let server = builder.route(&route).start();
    leaves_nothing(&server, || {
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(first.from, chosen.addr);
        let mut dialog = notifier.activate(&first, 600);
        chosen.refresh(&server, id, &mut dialog);
        chosen.end(&server, id, &mut dialog);
    });
    server.stop();
}

/// The server speaks TCP over IPv4 only.
#[test]
fn a_record_that_no_socket_leads_to() {
    let builder = Server::eager(1);
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
    let builder = Server::eager(1);
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
            side.notify(&mut dialog, Notify::active(600));
            side.refresh(&server, id, &mut dialog);
            side.end(&server, id, &mut dialog);
        }
    });
    server.stop();
}
