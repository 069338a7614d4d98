//! Several outbound proxies: within one attempt, and within a dialog, the next one is asked when one fails (RFC 3263 §4.3).

use serde_json::json;

use crate::support::address::own_ip;
use crate::support::config::Builder;
use crate::support::endpoint::{Received, Transport};
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

fn behind(proxies: &[String]) -> Builder {
    Server::eager(600).b2b_param("presence_outbound_proxy", proxies.join(" ")).gives_up_after(500)
}

fn uri_of(proxy: &Notifier) -> String {
    format!("sip:{}{}", proxy.endpoint.addr(), proxy.endpoint.transport().uri_param())
}

/// The same attempt goes on.
fn assert_goes_on(next: &Received, before: &Received) {
    for name in ["To", "From", "Call-ID", "Event", "Expires"] {
        assert_eq!(next.headers(name), before.headers(name), "{name}");
    }
    assert_eq!((next.uri(), next.cseq().0), (before.uri(), before.cseq().0 + 1));
}

/// How many requests a destination has had.
fn sent_to(server: &Server, address: &str) -> u64 {
    server.destination(address).and_then(|row| row["sent"].as_u64()).unwrap_or(0)
}

fn the_second_takes_it(transport: Transport) {
    let (ip, second) = (own_ip(), Notifier::new(transport));
    let server =
        behind(&[format!("sip:{ip}:5060{}", transport.uri_param()), uri_of(&second)]).bad_connections().start();
    let dead = format!("{}:{ip}:5060", transport.upper().to_ascii_lowercase());
    leaves_nothing(&server, || {
        let before = sent_to(&server, &dead);
        let mut news = Newsreader::new(&server);
        let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
        let subscribe = second.expect_subscribe(SOON);
        assert_eq!((subscribe.uri(), subscribe.cseq().0), ("sip:alice@example.com", 2), "the dead one was asked");
        let mut dialog = second.activate(&subscribe, 600);
        assert_eq!(news.next("the state").status, "active", "nothing was told of the dead one");
        // The dialog is with the second.
        server.await_shown(id, "state", "confirmed");
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!((refresh.cseq().0, sent_to(&server, &dead)), (3, before + 1));
        dialog.accept(&refresh, 600);
        // A new one begins with the first.
        dialog.notify(Notify::terminated("deactivated", 0));
        assert_eq!(news.next("the end").reason, "deactivated");
        let again = second.expect_subscribe(SOON);
        assert_ne!(again.need("Call-ID"), subscribe.need("Call-ID"));
        assert_eq!((again.cseq().0, sent_to(&server, &dead)), (5, before + 2));
        let mut dialog = second.activate(&again, 600);
        server.end(id, &mut dialog);
    });
    server.stop();
}

#[test]
fn a_proxy_that_is_silent_is_followed_by_the_next() {
    the_second_takes_it(Transport::Udp);
}

#[test]
fn a_proxy_that_refuses_connections_is_followed_by_the_next() {
    the_second_takes_it(Transport::Tcp);
}

#[test]
fn a_proxy_that_is_unavailable_is_followed_by_the_next() {
    let proxies = [Notifier::udp(), Notifier::tcp(), Notifier::udp()];
    let server = behind(&proxies.each_ref().map(uri_of)).start();
    let [first, second, third] = proxies;
    let mut news = Newsreader::new(&server);
    let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
    let asked = first.expect_subscribe(SOON);
    first.reject(&asked, 503, &[("Retry-After", "3600")]);
    let next = second.expect_subscribe(SOON);
    assert_goes_on(&next, &asked);
    second.reject(&next, 503, &[]);
    let last = third.expect_subscribe(SOON);
    assert_goes_on(&last, &next);
    third.reject(&last, 404, &[]);
    // The answer of the second counts, not the pause of the first.
    let told = news.next("the failure");
    assert_eq!((told.code, told.next_attempt), (404, Some(600)));
    // The first is skipped as long as its Retry-After lasts.
    server.refresh(id);
    let again = second.expect_subscribe(SOON);
    assert_eq!(again.cseq().0, 4);
    let mut dialog = second.activate(&again, 600);
    server.end(id, &mut dialog);
    server.stop();
}

#[test]
fn all_proxies_dead_is_one_failure() {
    let dead = [Transport::Udp, Transport::Tcp].map(|one| format!("sip:{}:5060{}", own_ip(), one.uri_param()));
    let server = behind(&dead).bad_connections().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
        let told = news.next("the failure");
        assert_eq!((told.status.as_str(), told.next_attempt), ("terminated", Some(600)), "{told:?}");
        let shown = server.show(id);
        assert_eq!(
            (&shown["local_cseq"], &shown["retries"], &shown["state"]),
            (&json!(2), &json!(1), &json!("waiting"))
        );
        news.assert_no_more();
        server.unsubscribe(id);
        server.await_no_subscription();
    });
    server.stop();
}

/// Each proxy's hold is its own; the record is tried again after the ordinary pause, not after that of the last proxy.
#[test]
fn all_proxies_unavailable_is_one_failure() {
    let proxies = [Notifier::udp(), Notifier::udp()];
    let server = behind(&proxies.each_ref().map(uri_of)).start();
    let mut news = Newsreader::new(&server);
    let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
    for (proxy, pause) in proxies.iter().zip(["3600", "1800"]) {
        proxy.reject(&proxy.expect_subscribe(SOON), 503, &[("Retry-After", pause)]);
    }
    let told = news.next("the failure");
    assert_eq!((told.code, told.next_attempt), (503, Some(600)), "{told:?}");
    server.unsubscribe(id);
    server.await_no_subscription();
    server.stop();
}

/// With one proxy its Retry-After is the pause.
#[test]
fn the_only_proxy_says_when_to_come_back() {
    let proxy = Notifier::udp();
    let server = behind(&[uri_of(&proxy)]).start();
    let mut news = Newsreader::new(&server);
    let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
    proxy.reject(&proxy.expect_subscribe(SOON), 503, &[("Retry-After", "1800")]);
    let told = news.next("the failure");
    assert_eq!((told.code, told.next_attempt), (503, Some(1800)), "{told:?}");
    server.unsubscribe(id);
    server.await_no_subscription();
    server.stop();
}

#[test]
fn a_refresh_and_a_farewell_fail_over_in_their_dialog() {
    let proxies = [Notifier::udp(), Notifier::udp()];
    let server = behind(&proxies.each_ref().map(uri_of)).start();
    let [first, second] = proxies;
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
        let mut dialog = first.activate(&first.expect_subscribe(SOON), 600);
        assert_eq!(news.next("the state").status, "active");
        server.await_shown(id, "state", "confirmed");
        server.refresh(id);
        // Not answered.
        let lost = dialog.expect_subscribe(SOON);
        dialog.move_to(&second.endpoint);
        let refresh = dialog.expect_subscribe(SOON);
        assert_goes_on(&refresh, &lost);
        dialog.accept(&refresh, 600);
        server.show_when(id, "it stands", |shown| shown["state"] == "confirmed" && shown["last_reply"] == 200);
        // It stays there.
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        dialog.accept(&refresh, 600);
        server.await_shown(id, "state", "confirmed");
        server.unsubscribe(id);
        let lost = dialog.expect_subscribe(SOON);
        assert_eq!(lost.need("Expires"), "0");
        dialog.answer(&lost, 503, &[]);
        dialog.move_to(&first.endpoint);
        let farewell = dialog.expect_subscribe(SOON);
        assert_eq!((farewell.cseq().0, farewell.need("Expires")), (lost.cseq().0 + 1, "0"));
        dialog.accept(&farewell, 0);
        dialog.notify(Notify::terminated("timeout", 0));
        server.await_no_subscription();
        news.assert_no_more();
    });
    server.stop();
}
