//! Records, proxies and dialogs over IPv6.

use crate::support::address::own_ipv6;
use crate::support::config::Listen;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::side::{Side, sip_port};
use crate::support::wait::SOON;

fn over_ipv6(transport: Transport) {
    let notifier = Notifier::on(Endpoint::bound(transport, own_ipv6()));
    let own = own_ipv6();
    let builder = Server::eager(1);
    let ipv4 = builder.ip();
    let builder = builder.listen(Listen::on("udp", own)).listen(Listen::on("tcp", own));
    let server = builder.listen(Listen::udp(ipv4)).listen(Listen::tcp(ipv4)).start();
    let record = notifier.uri("alice");
    assert!(record.starts_with("sip:alice@[::1]:"), "{record}");
    let side = Side::new(transport, own);
    assert!(side.contact.starts_with("<sip:[::1]:"), "{}", side.contact);
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let (id, mut dialog) = side.watch(&server, &notifier, &record);
        assert_eq!(dialog.remote_target, format!("sip:{own}{}", transport.uri_param()));
        side.notify(&mut dialog, Notify::active(600).pidf(&pidf("sip:alice@[::1]", "open", None)));
        assert_eq!(news.next("the subscription").status, "active");
        let told = news.next("the state");
        assert_eq!((told.record.as_str(), told.basic.as_str()), (record.as_str(), "open"));
        let refresh = side.refresh(&server, id, &mut dialog);
        assert!(refresh.need("Via").starts_with(&format!("SIP/2.0/{} [::1]:", transport.upper())));
        side.end(&server, id, &mut dialog);
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
    let builder = Server::eager(1);
    let ipv4 = Listen::udp(builder.ip());
    let builder = builder.b2b_param("presence_outbound_proxy", format!("sip:{}", proxy.endpoint.addr()));
    let server = builder.listen(ipv4).listen(Listen::on("udp", own)).start();
    let side = Side::new(Transport::Udp, own);
    leaves_nothing(&server, || {
        let (id, mut dialog) = side.watch(&server, &proxy, "sip:alice@192.0.2.1");
        dialog.contact = "sip:alice@192.0.2.2".into();
        side.notify(&mut dialog, Notify::active(600));
        side.refresh(&server, id, &mut dialog);
        side.end(&server, id, &mut dialog);
    });
    server.stop();
}

#[test]
fn an_advertised_ipv6_address_keeps_its_brackets() {
    let notifier = Notifier::on(Endpoint::bound(Transport::Udp, own_ipv6()));
    let own = own_ipv6();
    let server = Server::eager(1).listen(Listen::on("udp", own).advertise("[2001:db8::7]:5090")).start();
    let side = Side { addr: own, contact: "<sip:[2001:db8::7]:5090>".into() };
    side.lives(&server, &notifier);
    server.stop();
}

/// The new target is of the other address family, where the first one's socket cannot reach it.
#[test]
fn a_dialog_whose_target_moves_to_ipv6() {
    let (notifier, other) = (Notifier::udp(), Notifier::on(Endpoint::bound(Transport::Udp, own_ipv6())));
    let own = own_ipv6();
    let builder = Server::eager(1);
    let ipv4 = Side::new(Transport::Udp, sip_port(builder.ip()));
    let ipv6 = Side::new(Transport::Udp, own);
    let server = builder.listen(Listen::on("udp", own)).listen(Listen::on("udp", ipv4.addr)).start();
    leaves_nothing(&server, || {
        let (id, mut dialog) = ipv4.watch(&server, &notifier, &notifier.uri("alice"));
        dialog.contact = other.uri("notifier");
        ipv4.notify(&mut dialog, Notify::active(600));
        dialog.move_to(&other.endpoint);
        ipv6.refresh(&server, id, &mut dialog);
        ipv6.end(&server, id, &mut dialog);
    });
    server.stop();
}

/// The Contact cannot be reached; the source of the NOTIFYs can.
#[test]
fn an_ipv6_source_of_notifies() {
    let notifier = Notifier::on(Endpoint::bound(Transport::Udp, own_ipv6()));
    let own = own_ipv6();
    let builder = crate::options::builder();
    let ipv4 = Listen::udp(builder.ip());
    let server = builder.listen(ipv4).listen(Listen::on("udp", own)).start();
    let record = notifier.uri("alice");
    leaves_nothing(&server, || {
        let id = crate::options::subscribe(&server, &record, "presence", "target=source").expect("an id");
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&first);
        dialog.contact = "sip:alice@[2001:db8::1]".into();
        dialog.accept(&first, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        server.await_shown(id, "source", format!("sip:{}", notifier.endpoint.addr()));
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.uri(), "sip:alice@[2001:db8::1]");
        dialog.accept(&refresh, 600);
        server.await_shown(id, "state", "confirmed");
        server.end(id, &mut dialog);
    });
    server.stop();
}
