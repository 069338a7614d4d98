//! A name with several servers, the first of which is dead: tm tries the next one (RFC 3263 §4.3).

use crate::support::address::{SIP_PORT, own_ip};
use crate::support::config::Builder;
use crate::support::dns::{NameServer, Record};
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::leaks::leaves_nothing_anywhere;
use crate::support::news::Newsreader;
use crate::support::notifier::Notifier;
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

/// The parameters that docs/operations.md advises.
fn server(names: &NameServer) -> Builder {
    Server::eager(100).name_server(names).global("use_dns_failover=on").gives_up_after(700)
}

/// Two servers by SRV, or two addresses of one name: the same SUBSCRIBE comes to the second.
fn the_second_of_two_takes_it(transport: Transport, by_srv: bool) {
    let (dead, alive) = (own_ip(), Notifier::new(transport));
    let living = match alive.endpoint.addr().ip() {
        std::net::IpAddr::V4(ip) => ip,
        std::net::IpAddr::V6(_) => unreachable!("tests have IPv4 addresses"),
    };
    let service = match transport {
        Transport::Udp => "_sip._udp.pair.test",
        Transport::Tcp => "_sip._tcp.pair.test",
    };
    let srv = |priority, target: &str| Record::Srv(priority, 0, SIP_PORT, target.to_owned());
    let names = match by_srv {
        true => NameServer::start(&[
            (service, srv(20, "two.pair.test")),
            (service, srv(10, "one.pair.test")),
            ("one.pair.test", Record::A(dead)),
            ("two.pair.test", Record::A(living)),
        ]),
        false => NameServer::start(&[("pair.test", Record::A(dead)), ("pair.test", Record::A(living))]),
    };
    let server = server(&names).bad_connections().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&format!("sip:alice@pair.test{}", transport.uri_param()), &server.uri("watcher"));
        let subscribe = alive.expect_subscribe(SOON);
        assert_eq!(
            (subscribe.uri(), subscribe.cseq().0),
            (format!("sip:alice@pair.test{}", transport.uri_param()).as_str(), 1)
        );
        let mut dialog = alive.activate(&subscribe, 600);
        let told = news.next("the state");
        assert_eq!((told.status.as_str(), told.next_attempt), ("active", None), "nothing was told of the dead one");
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!((&shown["retries"], &shown["last_reply"]), (&0.into(), &200.into()), "{shown}");
        // After that the Contact decides.
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!((refresh.uri(), refresh.cseq().0), (dialog.contact.as_str(), 2));
        dialog.accept(&refresh, 600);
        server.end(id, &mut dialog);
        news.assert_no_more();
        assert_eq!(alive.endpoint.count("SUBSCRIBE") % 3, 0, "one to open, one to refresh, one to end");
    });
    assert!(names.asked().iter().any(|(name, _)| name.ends_with("pair.test")), "{:?}", names.asked());
    server.stop();
}

#[test]
fn the_second_server_by_srv_takes_it_over_udp() {
    the_second_of_two_takes_it(Transport::Udp, true);
}

#[test]
fn the_second_server_by_srv_takes_it_over_tcp() {
    the_second_of_two_takes_it(Transport::Tcp, true);
}

#[test]
fn the_second_address_takes_it_over_udp() {
    the_second_of_two_takes_it(Transport::Udp, false);
}

#[test]
fn the_second_address_takes_it_over_tcp() {
    the_second_of_two_takes_it(Transport::Tcp, false);
}

/// 503 counts as dead (RFC 3263 §4.3); if no proxy takes the SUBSCRIBE, that is one failure.
#[test]
fn after_503_the_next_is_asked() {
    let (full, alive) = (Notifier::udp(), Notifier::udp());
    let ip = |notifier: &Notifier| notifier.endpoint.addr().ip().to_string().parse().expect("an IPv4 address");
    let names = NameServer::start(&[("pair.test", Record::A(ip(&full))), ("pair.test", Record::A(ip(&alive)))]);
    let server = server(&names).children(1).b2b_param("workers", 1).start();
    leaves_nothing_anywhere(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe("sip:alice@pair.test", &server.uri("watcher"));
        let first = full.expect_subscribe(SOON);
        full.reject(&first, 503, &[("Retry-After", "3000")]);
        let second = alive.expect_subscribe(SOON);
        assert_eq!((second.need("Call-ID"), second.cseq()), (first.need("Call-ID"), first.cseq()));
        assert_ne!(second.branch(), first.branch());
        let mut dialog = alive.activate(&second, 600);
        assert_eq!(news.next("the state").status, "active");
        server.end(id, &mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

/// No proxy answers: one failure after all were tried, and a retry at the time that the parameters set.
#[test]
fn all_dead_is_one_failure() {
    let (silent, dead) = (Endpoint::udp(), own_ip());
    let ip = silent.addr().ip().to_string().parse().expect("an IPv4 address");
    let names = NameServer::start(&[("pair.test", Record::A(dead)), ("pair.test", Record::A(ip))]);
    let server = server(&names).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe("sip:alice@pair.test", &server.uri("watcher"));
        silent.expect_request("SUBSCRIBE", SOON);
        let told = news.next("the failure");
        assert_eq!((told.code, told.reason.as_str(), told.next_attempt), (408, "Request Timeout", Some(100)));
        server.unsubscribe(id);
        server.await_no_subscription();
        news.assert_no_more();
    });
    server.stop();
}

/// Both refuse: tm keeps the first reply in shared memory and gives that one, or the other. Thousands of them leave the
/// private memory of the processes that read replies as it was.
fn both_refuse(first_code: u16, second_code: u16) {
    const WARM: usize = 300;
    const ROUNDS: usize = 2000;
    let (first, second) = (Notifier::udp(), Notifier::udp());
    let ip = |notifier: &Notifier| notifier.endpoint.addr().ip().to_string().parse().expect("an IPv4 address");
    let names = NameServer::start(&[("pair.test", Record::A(ip(&first))), ("pair.test", Record::A(ip(&second)))]);
    let server = Server::b2b().name_server(&names).global("use_dns_failover=on").children(1).shm_megabytes(256);
    let server = server.b2b_param("on_error_retry_time", 3600).b2b_param("breaker_failures", 0).start();
    let mut ids = Vec::new();
    let mut refused = |count: usize| {
        for _ in 0..count {
            let number = ids.len();
            ids.push(server.subscribe(&format!("sip:a{number}@pair.test"), &server.uri("watcher")));
            let request = first.expect_subscribe(SOON);
            first.reject(&request, first_code, &[("Warning", "399 here \"full\"")]);
            let request = second.expect_subscribe(SOON);
            second.reject(&request, second_code, &[("Warning", "399 here \"full\"")]);
        }
    };
    refused(WARM);
    let before = server.private_memory("receiver");
    assert!(!before.is_empty());
    refused(ROUNDS);
    let id = *ids.last().expect("some");
    let shown = server.await_shown(id, "state", "waiting");
    let code = shown["last_reply"].as_u64().expect("a code");
    assert!([u64::from(first_code), u64::from(second_code)].contains(&code), "{shown}");
    for (pid, bytes) in server.private_memory("receiver") {
        let (_, was) = before.iter().find(|(one, _)| *one == pid).expect("the same processes");
        assert!(bytes <= was + 4096, "process {pid}: {was} bytes before, {bytes} after {ROUNDS} replies");
    }
    server.stop();
}

#[test]
fn two_503_leave_no_private_memory_behind() {
    both_refuse(503, 503);
}

#[test]
fn a_503_and_a_504_leave_no_private_memory_behind() {
    both_refuse(503, 504);
}
