//! The option filter: a body that goes with what opens a dialog (RFC 4660).

use serde_json::json;

use crate::fetches::fetched;
use crate::options::{builder, subscribe};
use crate::support::config::Builder;
use crate::support::digest::{hash, parameter};
use crate::support::endpoint::Transport;
use crate::support::news::Newsreader;
use crate::support::notifier::Notifier;
use crate::support::pidf::pidf;
use crate::support::presence_server::PresenceServer;
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::SOON;

const FILTER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<filter-set xmlns="urn:ietf:params:xml:ns:simple-filter">
  <ns-bindings><ns-binding prefix="pidf" urn="urn:ietf:params:xml:ns:pidf"/></ns-bindings>
  <filter id="1"><what><include type="xpath">/pidf:presence/pidf:tuple/pidf:status/pidf:basic</include></what></filter>
</filter-set>
"#;

/// A server with two filters.
fn filtering() -> Builder {
    let builder = builder()
        .file("open.xml", FILTER)
        .file("none.xml", "<a:filter-set xmlns:a=\"urn:ietf:params:xml:ns:simple-filter\"/>");
    builder.b2b_param("filter", "none={dir}/none.xml").b2b_param("filter", "open = {dir}/open.xml")
}

/// The filter that a SUBSCRIBE brings along.
fn body(subscribe: &Message) -> (Option<&str>, &str) {
    (subscribe.header("Content-Type"), std::str::from_utf8(&subscribe.body).expect("a text"))
}

#[test]
fn a_filter_goes_with_what_opens_a_dialog() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = filtering().b2b_param("on_error_retry_time", 1).start();
    leaves_nothing(&server, || {
        let with_filter = (Some("application/simple-filter+xml"), FILTER);
        let id = subscribe(&server, &record, "presence", "filter=open").expect("an id");
        notifier.reject(&notifier.expect_subscribe(SOON), 488, &[]);
        let shown = server.await_shown(id, "state", "waiting");
        assert_eq!(shown["last_reply"], 488, "an ordinary refusal");
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(body(&first), with_filter);
        assert_eq!(first.headers("Content-Type").len(), 1);
        let dialog = notifier.activate(&first, 600);
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(body(&refresh), (None, ""), "the dialog keeps it");
        dialog.answer(&refresh, 481, &[]);
        let again = notifier.expect_subscribe(SOON);
        assert_eq!(body(&again), with_filter, "a new dialog does not");
        let mut dialog = notifier.activate(&again, 600);
        server.await_shown(id, "state", "confirmed");
        server.end(id, &mut dialog);

        let other = subscribe(&server, &record, "presence", "filter=none;fetch").expect("an id");
        let first = fetched(&notifier);
        assert!(body(&first).1.starts_with("<a:filter-set "), "{}", first.message);
        let fault = subscribe(&server, &record, "presence", "filter=open;fetch").expect_err("another filter");
        assert!(fault.contains("other options (filter) than subscription "), "{fault}");
        notifier.reject(&first, 415, &[]);
        server.await_no_subscription();
        assert!(server.rpc("presence_b2b.show", json!([other])).is_err());

        let fault = subscribe(&server, &record, "presence", "filter=shut").expect_err("no such filter");
        let said = "option filter is \"shut\", but must be the name of a modparam filter: known are none, open";
        assert!(fault.contains(said), "{fault}");
    });
    server.stop();
}

/// A real server reads the message, body and all.
#[test]
fn a_real_presence_server_does_not_mind_a_filter() {
    let presence = PresenceServer::start();
    let server = filtering().start();
    leaves_nothing(&server, || {
        for transport in [Transport::Udp, Transport::Tcp] {
            let record = presence.uri_over("alice", transport);
            presence.publish("alice", &pidf(&presence.uri("alice"), "open", Some("at the desk")));
            let mut news = Newsreader::new(&server);
            subscribe(&server, &record, "presence", "filter=open;fetch").expect("an id");
            assert_eq!(news.next("the state").note, "at the desk");
            server.await_no_subscription();
        }
    });
    server.stop();
    presence.stop();
}

/// Quality of protection `auth-int`: the filter is protected too (RFC 7616 §3.4.3).
#[test]
fn a_filter_is_hashed_where_the_body_is() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = filtering().b2b_param("credential", "watcher:desk:secret").start();
    leaves_nothing(&server, || {
        subscribe(&server, &record, "presence", "filter=open;fetch").expect("an id");
        let challenge = ("WWW-Authenticate", "Digest realm=\"desk\", nonce=\"n\", qop=\"auth-int\"");
        notifier.reject(&fetched(&notifier), 401, &[challenge]);
        let second = fetched(&notifier);
        assert_eq!(body(&second).1, FILTER);
        let value = second.need("Authorization");
        let part = |name| parameter(value, name);
        let key = hash::<md5::Md5>("watcher:desk:secret");
        let request = hash::<md5::Md5>(&format!("SUBSCRIBE:{}:{}", second.uri(), hash::<md5::Md5>(FILTER)));
        let expected = hash::<md5::Md5>(&format!("{key}:n:{}:{}:auth-int:{request}", part("nc"), part("cnonce")));
        assert_eq!(part("response"), expected, "{value}");
        notifier.reject(&second, 404, &[]);
        server.await_no_subscription();
    });
    server.stop();
}
