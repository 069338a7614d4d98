//! A record of a real presence server, reached over TLS.

use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::news::{Newsreader, TELL};
use crate::support::pidf::pidf;
use crate::support::presence_server::{PresenceBuilder, PresenceServer};
use crate::support::shm::leaves_nothing;
use crate::support::tls::TLS_PORT;
use crate::support::wait::{SOON, eventually};

/// A presence server's routing that logs who subscribes how, and closes that connection when it is asked for OPTIONS.
const PRESENCE_ROUTE: &str = r#"request_route {
    if (is_method("SUBSCRIBE")) {
        xlog("L_NOTICE", "SEEN|$proto|$ru|$hdr(Contact)|$hdr(Expires)|\n");
        $shv(connection) = $conid;
    }
    if (is_method("OPTIONS") && tcp_close_connection("$shv(connection)")) {
        sl_send_reply("200", "Closed");
        exit;
    }
    route(PRESENCE);
}
event_route[tm:local-request] { xlog("L_NOTICE", "SENT|$rm|$ru|\n"); }
onreply_route { xlog("L_NOTICE", "ANSWER|$proto|$rs|$hdr(Contact)|\n"); }"#;

/// The module's own routing, which takes NOTIFYs over TLS only.
const B2B_ROUTE: &str = r#"request_route {
    if (is_method("NOTIFY") && $proto == "tls") {
        if (!t_newtran()) {
            sl_reply_error();
            exit;
        }
        if (!handle_notify()) {
            t_reply("481", "Subscription does not exist");
        }
        exit;
    }
    sl_send_reply("405", "Not Over This");
}"#;

fn presence_over_tls() -> PresenceBuilder {
    PresenceServer::builder().server(|server| server.tls().module("tcpops")).behind(PRESENCE_ROUTE)
}

fn watch_over_tls(scheme: &str, parameter: &str) {
    let presence = presence_over_tls().start();
    let operator = Endpoint::udp();
    let server = Server::b2b().tls().b2b_param("min_resubscribe_time", 0).route(B2B_ROUTE).route(TELL).start();
    let record = format!("{scheme}:alice@{}:{TLS_PORT}{parameter}", presence.server.ip());
    let contact = format!("<{scheme}:{}:{TLS_PORT}{parameter}>", server.ip());
    leaves_nothing(&server, || {
        let mark = presence.server.log().mark();
        let seen = |what: &str, start: &str, expires: &str| {
            eventually(SOON, what, || {
                let lines = presence.server.log().since(mark, "SEEN|");
                let wanted = |line: &&String| line.contains(start) && line.contains(&format!("|{expires}|"));
                lines.iter().rfind(wanted).map(|line| assert!(line.contains(&format!("|{contact}|")), "{line}"))
            });
        };
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&record, &server.uri("watcher"));
        assert_eq!(news.next("the first state").status, "active");
        seen("the first SUBSCRIBE", &format!("|tls|{record}|"), "3600");
        for basic in ["open", "closed", "open"] {
            presence.publish("alice", &pidf(&presence.uri("alice"), basic, None));
            let told = news.next(basic);
            assert_eq!((told.status.as_str(), told.basic.as_str()), ("active", basic));
        }
        let notified = presence.server.log().since(mark, "SENT|NOTIFY|");
        assert!(notified.iter().all(|line| line.contains(contact.trim_matches(['<', '>']))), "{notified:?}");
        eventually(SOON, "the answers to the NOTIFYs", || {
            let answers = presence.server.log().since(mark, "ANSWER|tls|200|");
            assert!(answers.iter().all(|line| line.contains(&contact)), "{answers:?}");
            (answers.len() >= notified.len()).then_some(())
        });

        // The presence server closes the connection that brought the SUBSCRIBE; the refresh that follows makes another one.
        server.await_shown(id, "state", "confirmed");
        let before = server.connections();
        let refreshed = server.show(id)["notifies"].as_u64().expect("a count");
        let uri = presence.uri("hang-up");
        let hang_up = operator.fresh_request("OPTIONS", &uri, &uri, &uri);
        assert_eq!(operator.exchange(&hang_up, presence.server.addr(), SOON).status(), 200);
        eventually(SOON, "one connection less", || (server.connections() < before).then_some(()));
        server.show_when(id, "the NOTIFY after the refresh", |shown| shown["notifies"].as_u64() > Some(refreshed));
        // The NOTIFY may be handled before the 200.
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!(shown["last_reply"], 200, "{shown}");
        // The presence server names a SIP URI, which no SIPS URI leads to: the record stays the target.
        let target = match scheme {
            "sips" => format!("|tls|{record}|"),
            _ => format!("|tls|sip:{}:{TLS_PORT};transport=tls|", presence.server.ip()),
        };
        seen("the refresh", &target, "3600");
        server.unsubscribe(id);
        server.await_no_subscription();
        seen("the end", &target, "0");
        presence.unpublish("alice");
    });
    server.stop();
    presence.stop();
}

#[test]
fn a_record_with_transport_tls() {
    watch_over_tls("sip", ";transport=tls");
}

/// RFC 3261 §8.1.1.8: the Contact of what asks for a SIPS URI is one, too.
#[test]
fn a_sips_record() {
    watch_over_tls("sips", "");
}

/// The presence server's certificate is not signed: a server that checks it does not subscribe, and the subscriber is told.
#[test]
fn a_certificate_that_is_not_trusted() {
    let refused = |server: Builder| {
        // 6.1 has another name for the function.
        let server = server.allow_log("tls_h_read_f(): ").allow_log("tls_h_read_mp_f(): ").allow_log("unknown ca");
        server.allow_log("error reading - c: ")
    };
    let presence = presence_over_tls().server(refused).start();
    let server = Server::eager(1).tls().gives_up_after(700).modparam("tls", "verify_certificate", 1);
    let server = server
        .modparam("tls", "require_certificate", 1)
        .allow_log("tls_h_read_f(): ")
        .allow_log("tls_h_read_mp_f(): ")
        .allow_log("certificate verify failed")
        .allow_log("error reading - c: ")
        .start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&format!("sips:alice@{}:{TLS_PORT}", presence.server.ip()), &server.uri("watcher"));
        for _ in 0..2 {
            let told = news.next("the failure");
            // Where the server does not tell that the connection is closed again, tm gives up.
            let is_lost = (told.code, told.reason.as_str()) == (0, "connection lost");
            assert!(told.status == "terminated" && (is_lost || told.code == 408), "{told:?}");
            assert!(told.next_attempt.is_some_and(|next| next <= 2), "{told:?}");
        }
        server.unsubscribe(id);
        server.await_no_subscription();
    });
    assert_eq!(presence.server.log().since(Default::default(), "SEEN|"), Vec::<String>::new(), "nothing got through");
    server.stop();
    presence.stop();
}

/// A server that redirects whatever comes.
fn redirecting(to: &str) -> Server {
    let route = format!(
        r#"request_route {{
    xlog("L_NOTICE", "SEEN|$proto|$ru|\n");
    append_to_reply("Contact: <{to}>\r\n");
    sl_send_reply("302", "Moved Temporarily");
}}"#
    );
    Server::builder().tls().route(&route).start()
}

/// RFC 3261 §26.2.2: neither a 302 nor the operator's own proxy or route brings what is asked for under SIPS onto a wire in clear.
#[test]
fn nothing_of_a_sips_record_leaves_in_clear() {
    for way in ["302", "proxy", "route"] {
        let eavesdropper = Endpoint::udp();
        let clear = eavesdropper.uri("alice");
        let home = redirecting(&clear);
        let server = Server::eager(1).tls().b2b_param("failure_backoff_max", 1).gives_up_after(700);
        let server = match way {
            "proxy" => server.b2b_param("presence_outbound_proxy", &*clear),
            "route" => server.b2b_param("presence_route", format!("<{clear};lr>")),
            _ => server,
        }
        .start();
        leaves_nothing(&server, || {
            let mut news = Newsreader::new(&server);
            let record = format!("sips:alice@{}:{TLS_PORT}", home.ip());
            let id = server.subscribe(&record, &server.uri("watcher"));
            for _ in 0..2 {
                assert_eq!(news.next("the failure").status, "terminated");
            }
            server.unsubscribe(id);
            server.await_no_subscription();
        });
        assert_eq!(eavesdropper.count("SUBSCRIBE"), 0, "in clear");
        let seen = home.log().since(Default::default(), "SEEN|tls|");
        assert_eq!(seen.is_empty(), way != "302", "{way}: {seen:?}");
        server.stop();
        home.stop();
    }
}

/// A server that takes no subscription, and says what it was asked.
const REFUSING: &str = r#"request_route {
    xlog("L_NOTICE", "SEEN|$proto|$ru|$hdr(Contact)|\n");
    if ($ru == "sip:moved@elsewhere.invalid") {
        append_to_reply("Contact: <sips:moved@elsewhere.invalid>\r\n");
        sl_send_reply("302", "Moved Temporarily");
        exit;
    }
    if ($rU == "copied") {
        append_to_reply("Contact: $hdr(Contact)\r\n");
        sl_send_reply("302", "Moved Temporarily");
        exit;
    }
    sl_send_reply("404", "Not Here");
}"#;

/// A redirection to the module's own Contact would make it ask itself, with any scheme.
#[test]
fn the_own_contact_is_no_target_over_tls() {
    let presence = Server::builder().tls().route(REFUSING).start();
    let at = format!("{}:{TLS_PORT}", presence.ip());
    let server = Server::b2b().tls().start();
    for record in [format!("sip:copied@{at};transport=tls"), format!("sips:copied@{at}")] {
        leaves_nothing(&server, || {
            let id = server.subscribe(&record, &server.uri("watcher"));
            let shown = server.show_when(id, "it has failed", |shown| shown["last_reply"] != 0);
            assert_eq!((&shown["last_reply"], &shown["local_cseq"]), (&302.into(), &1.into()), "{record}: {shown}");
            server.unsubscribe(id);
            server.await_no_subscription();
        });
    }
    server.stop();
    presence.stop();
}

/// RFC 3261 §8.1.1.8: Contact is a SIPS URI where the Request-URI or the first hop is one, and no other, although all of them
/// take the same socket and connection.
#[test]
fn contact_is_a_sips_uri_where_the_way_is_one() {
    let presence = Server::builder().tls().route(REFUSING).start();
    let at = format!("{}:{TLS_PORT}", presence.ip());
    for (route, records) in [
        ("", vec![format!("sip:alice@{at};transport=tls"), format!("sips:alice@{at}")]),
        (&*format!("<sips:{at};lr>"), vec!["sip:alice@elsewhere.invalid".to_owned()]),
        (&*format!("<sip:{at};transport=tls;lr>"), vec!["sip:alice@elsewhere.invalid".to_owned()]),
    ] {
        let server = Server::b2b().tls().b2b_param("workers", 1).b2b_param("resolvers", 2);
        let server = server.b2b_param("presence_route", route).start();
        let sips = format!("<sips:{}:{TLS_PORT}>", server.ip());
        let sip = format!("<sip:{}:{TLS_PORT};transport=tls>", server.ip());
        if route.starts_with("<sip:") {
            let mark = presence.log().mark();
            let id = server.subscribe("sip:moved@elsewhere.invalid", &server.uri("watcher"));
            let wanted = format!("|tls|sips:moved@elsewhere.invalid|{sips}|");
            eventually(SOON, &wanted, || presence.log().since(mark, &wanted).pop());
            server.unsubscribe(id);
            server.await_no_subscription();
        }
        for _ in 0..6 {
            for record in &records {
                let mark = presence.log().mark();
                let id = server.subscribe(record, &server.uri("watcher"));
                let line = eventually(SOON, "a SUBSCRIBE", || presence.log().since(mark, "SEEN|").pop());
                let is_sips = record.starts_with("sips:") || route.starts_with("<sips:");
                let wanted = if is_sips { &sips } else { &sip };
                assert!(line.contains(&format!("|tls|{record}|{wanted}|")), "{route} {line}");
                server.unsubscribe(id);
                server.await_no_subscription();
            }
        }
        server.stop();
    }
    presence.stop();
}

/// As over TCP: a SUBSCRIBE whose connection is lost before its answer has failed, without waiting for tm's timeout.
#[test]
fn a_subscribe_whose_tls_connection_is_lost_has_failed() {
    let route = r#"request_route {
    if (is_method("SUBSCRIBE")) {
        $shv(connection) = $conid;
        xlog("L_NOTICE", "SEEN|$proto|$ru|\n");
        exit;
    }
    if (tcp_close_connection("$shv(connection)")) sl_send_reply("200", "Closed");
}"#;
    let presence = Server::builder().tls().module("tcpops").route(route).start();
    let operator = Endpoint::udp();
    let server = Server::b2b().tls().gives_up_after(30_000).b2b_param("on_error_retry_time", 600);
    let server = server.route(TELL).start();
    let mut news = Newsreader::new(&server);
    let id = server.subscribe(&format!("sips:alice@{}:{TLS_PORT}", presence.ip()), &server.uri("watcher"));
    eventually(SOON, "the SUBSCRIBE", || presence.log().since(Default::default(), "SEEN|tls|").pop());
    let uri = presence.uri("hang-up");
    let hang_up = operator.fresh_request("OPTIONS", &uri, &uri, &uri);
    assert_eq!(operator.exchange(&hang_up, presence.addr(), SOON).status(), 200);
    let told = news.next("the failure");
    assert_eq!((told.code, told.reason.as_str()), (0, "connection lost"));
    server.unsubscribe(id);
    server.await_no_subscription();
    server.stop();
    presence.stop();
}
