//! `federated-presence`: who is published at one server is seen at the other, both ways.

use super::{Definition, address, defined};
use crate::documentation::text_of;
use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Received, Transport};
use crate::support::kamailio::Server;
use crate::support::phone::Phone;
use crate::support::pidf::{PIDF, basic_of, note_of, pidf};
use crate::support::wait::SOON;

/// A user who publishes.
struct Publisher {
    endpoint: Endpoint,
    uri: String,
    etag: Option<String>,
}

impl Publisher {
    fn new(server: &Server, user: &str) -> Publisher {
        Publisher { endpoint: Endpoint::udp(), uri: server.uri(user), etag: None }
    }

    fn publish(&mut self, server: &Server, basic: &str, note: &str) {
        let publish = self.endpoint.fresh_request("PUBLISH", &self.uri, &self.uri, &self.uri);
        let mut publish = publish.with("Event", "presence").with("Expires", 600);
        if let Some(etag) = &self.etag {
            publish = publish.with("SIP-If-Match", etag);
        }
        let publish = publish.with_body(PIDF, pidf(&self.uri, basic, Some(note)));
        let answer: Received = self.endpoint.exchange(&publish, server.addr(), SOON);
        assert_eq!(answer.status(), 200, "{}", answer.message);
        self.etag = answer.header("SIP-ETag").map(str::to_owned);
    }
}

/// Waits until a phone is shown that.
fn await_presence(phone: &mut Phone, basic: &str, note: &str) -> String {
    phone.await_body(note, |body| note_of(body) == Some(note) && basic_of(body) == Some(basic))
}

/// Two servers with the file of the example.
fn both() -> [Server; 2] {
    let file = text_of("docs/examples/federated-presence/kamailio.cfg");
    let builders = [Server::builder(), Server::builder()];
    let ips = [builders[0].ip(), builders[1].ip()];
    let with = |builder: Builder, peer| {
        let definitions: [Definition<'_>; 2] = [address("THIS_IP", builder.ip()), address("PEER_IP", peer)];
        let text = definitions.iter().fold(file.clone(), |text, (name, value)| defined(&text, name, value));
        builder.whole(&text).start()
    };
    let [one, other] = builders;
    [with(one, ips[1]), with(other, ips[0])]
}

#[test]
fn presence_of_one_server_is_seen_at_the_other_and_back() {
    let servers = both();
    let [here, there] = &servers;
    let mut alice = Publisher::new(here, "alice");
    let mut bob = Publisher::new(there, "bob");
    alice.publish(here, "open", "at the desk");
    // Each phone asks its own server only.
    let mut of_there = Phone::watch(there.addr(), &alice.uri, "presence");
    let mut of_here = Phone::watch(here.addr(), &bob.uri, "presence");
    let mut second = Phone::watch(here.addr(), &bob.uri, "presence");
    let document = await_presence(&mut of_there, "open", "at the desk");
    assert!(document.contains(&format!("entity=\"{}\"", alice.uri)), "{document}");
    for (basic, note) in [("open", "here"), ("closed", "gone"), ("open", "back")] {
        bob.publish(there, basic, note);
        await_presence(&mut of_here, basic, note);
        await_presence(&mut second, basic, note);
        alice.publish(here, basic, note);
        await_presence(&mut of_there, basic, note);
    }
    // However many phones watch, there is one subscription to the other server.
    for server in &servers {
        assert_eq!(server.trace()["subscriptions"], 1);
    }
    // The peer may watch the users of this server, and no others: a state would come back to where it is from.
    let peer = Endpoint::bound(Transport::Udp, (there.ip(), 5070).into());
    let from = there.uri("federation");
    for (record, status) in [(&bob.uri, 403), (&alice.uri, 200)] {
        let subscribe = peer.fresh_request("SUBSCRIBE", record, &from, record).with("Event", "presence");
        assert_eq!(peer.exchange(&subscribe.with("Expires", 0), here.addr(), SOON).status(), status);
    }
    for phone in [of_there, of_here, second] {
        phone.hang_up();
    }
    servers.into_iter().for_each(Server::stop);
}
