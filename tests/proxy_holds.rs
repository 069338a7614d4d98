//! Several outbound proxies, one of which is held or dead: another one is asked.

use std::time::Duration;

use serde_json::json;

use crate::support::address::own_ip;
use crate::support::b2b::farewell;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};

/// A proxy that does not answer, or that refuses connections, is left for the next one; when it is back it is the first
/// again for new attempts.
#[test]
fn a_dead_proxy_is_passed_over_until_it_is_back() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (ip, second) = (own_ip(), Notifier::new(transport));
        let first = format!("sip:{ip}:5060{}", transport.uri_param());
        let proxies = format!("{first} sip:{}{}", second.endpoint.addr(), transport.uri_param());
        let server = Server::quick().b2b_param("presence_outbound_proxy", proxies).b2b_param("breaker_failures", 1);
        let server = server.b2b_param("breaker_time", 1).bad_connections().start();
        let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
        let subscribe = second.expect_subscribe(SOON);
        assert_eq!(subscribe.uri(), "sip:alice@example.com");
        let dialog = second.activate(&subscribe, 600);
        server.await_shown(id, "state", "confirmed");
        let dead = format!("{}:{ip}:5060", transport.upper().to_ascii_lowercase());
        server.destination_when(&dead, "its failure", |row| row["failures"].as_u64() > Some(0));

        let back = Notifier::on(Endpoint::at(transport, ip));
        // The attempts of another one find out; the dialog stays where it is.
        let other = server.subscribe("sip:bob@example.com", &server.uri("watcher"));
        let found = eventually(SOON, "the first one is asked", || {
            let _ = server.rpc("presence_b2b.refresh", json!([other]));
            if let Some(attempt) = second.try_subscribe(Duration::ZERO) {
                second.reject(&attempt, 404, &[]);
            }
            back.endpoint.wait_for(Duration::from_millis(100), |message| message.method() == "SUBSCRIBE")
        });
        assert_eq!(found.uri(), "sip:bob@example.com");
        let mut dialogs = [dialog, back.accept(&found, 600)];
        dialogs[1].notify(Notify::active(600));
        server.destination_when(&dead, "it is closed", |row| row["state"] == "closed");
        for (id, dialog) in [id, other].into_iter().zip(&mut dialogs) {
            server.unsubscribe(id);
            farewell(dialog);
        }
        server.await_no_subscription();
        server.stop();
    }
}

/// The pause that a proxy asks for is no pause for the record.
#[test]
fn a_proxy_that_asks_for_a_pause_is_passed_over() {
    let [first, second] = [Notifier::udp(), Notifier::udp()];
    let proxies = format!("sip:{} sip:{}", first.endpoint.addr(), second.endpoint.addr());
    let server =
        Server::quick().b2b_param("presence_outbound_proxy", proxies).b2b_param("destination_hold_max", 3600).start();
    let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
    first.reject(&first.expect_subscribe(SOON), 503, &[("Retry-After", "3600")]);
    let _dialog = second.activate(&second.expect_subscribe(SOON), 600);
    let other = server.subscribe("sip:bob@example.com", &server.uri("watcher"));
    second.reject(&second.expect_subscribe(SOON), 503, &[("Retry-After", "3600")]);
    // Both are held now.
    let shown = server.show_when(other, "it is held", |shown| shown["last_reason"] == "destination held");
    assert!(shown["next_action_in"].as_u64().is_some_and(|next| next > 3000), "{shown}");
    server.unsubscribe(other);
    server.unsubscribe(id);
    server.await_no_subscription();
    server.stop();
}

/// When both are held, the request waits for the one that is free first, whichever that is.
#[test]
fn what_all_proxies_hold_waits_for_the_first_that_is_free() {
    for pauses in [["200", "90"], ["90", "200"]] {
        let proxies = [Notifier::udp(), Notifier::udp()];
        let uris = format!("sip:{} sip:{}", proxies[0].endpoint.addr(), proxies[1].endpoint.addr());
        let server =
            Server::quick().b2b_param("presence_outbound_proxy", uris).b2b_param("on_error_retry_time", 600).start();
        let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
        for (proxy, pause) in proxies.iter().zip(pauses) {
            proxy.reject(&proxy.expect_subscribe(SOON), 503, &[("Retry-After", pause)]);
        }
        // Neither proxy's hold applies to the record.
        let shown = server.show_when(id, "it has failed", |shown| shown["retries"] == 1);
        assert!(shown["next_action_in"].as_u64().is_some_and(|next| next > 100), "{shown}");
        // The reply reaches the subscription before the destination's count.
        for proxy in &proxies {
            let address = proxy.endpoint.destination();
            server.destination_when(&address, "it is held", |row| row["held_for"].as_u64() > Some(0));
        }
        let other = server.subscribe("sip:bob@example.com", &server.uri("watcher"));
        let shown = server.show_when(other, "it is held", |shown| shown["last_reason"] == "destination held");
        assert!(shown["next_action_in"].as_u64().is_some_and(|next| next <= 90), "{shown}");
        server.end_all(&[id, other]);
        server.stop();
    }
}

/// The dialog is made with the proxy that took the SUBSCRIBE, and stays there if the skipped one is free again.
#[test]
fn a_dialog_stays_with_the_proxy_that_was_free() {
    let [first, second] = [Notifier::udp(), Notifier::udp()];
    let proxies = format!("sip:{} sip:{}", first.endpoint.addr(), second.endpoint.addr());
    let server =
        Server::quick().b2b_param("presence_outbound_proxy", proxies).b2b_param("destination_hold_max", 3600).start();
    let address = first.endpoint.destination();
    let refused = server.subscribe("sip:bob@example.com", &server.uri("watcher"));
    first.reject(&first.expect_subscribe(SOON), 503, &[("Retry-After", "3600")]);
    second.reject(&second.expect_subscribe(SOON), 404, &[]);
    server.destination_when(&address, "it is held", |row| row["held_for"].as_u64() > Some(0));
    server.unsubscribe(refused);
    let id = server.subscribe("sip:alice@example.com", &server.uri("watcher"));
    let subscribe = second.expect_subscribe(SOON);
    assert_eq!(subscribe.cseq().0, 1, "the first is passed over");
    let mut dialog = second.activate(&subscribe, 600);
    server.await_shown(id, "state", "confirmed");
    server.rpc("presence_b2b.destination_release", json!([address])).expect("released");
    server.refresh(id);
    let refresh = dialog.expect_subscribe(SOON);
    assert_eq!((refresh.cseq().0, first.endpoint.count("SUBSCRIBE")), (2, 1), "the first is not asked again");
    dialog.accept(&refresh, 600);
    server.await_shown(id, "state", "confirmed");
    server.end(id, &mut dialog);
    server.stop();
}
