//! `news-as-json`: a client of an MQTT broker gets what is published at a presence server.

use serde_json::Value;

use super::broker::{Broker, Client};
use super::{address, example};
use crate::support::pidf::pidf;
use crate::support::presence_server::PresenceServer;
use crate::support::wait::SOON;

/// The next message of the topic whose JSON is as wanted.
fn await_message(client: &Client, topic: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = std::time::Instant::now() + SOON;
    while std::time::Instant::now() < deadline {
        let (to, payload) = client.next();
        let message: Value = serde_json::from_str(&payload).unwrap_or_else(|error| panic!("{error}: {payload}"));
        if to == topic && wanted(&message) {
            return message;
        }
    }
    panic!("no such message of {topic}");
}

#[test]
fn a_client_of_a_broker_gets_each_state_as_json() {
    let broker = Broker::start();
    let client = broker.client("states/#");
    let presence = PresenceServer::builder().packages(&["presence_dialoginfo"]).start();
    let definitions = [address("NOTIFIER_IP", presence.server.ip()), address("BROKER_IP", broker.ip)];
    let server = example("news-as-json/kamailio.cfg", "THIS_IP", &definitions).start();
    for (basic, note) in [("open", "at the desk"), ("closed", "away \"for\" today")] {
        presence.publish("alice", &pidf(&presence.uri("alice"), basic, Some(note)));
        let message = await_message(&client, "states/presence", |message| message["fields"]["note"] == note);
        assert_eq!(message["record"], presence.uri("alice"));
        assert_eq!(message["status"], "active");
        assert_eq!(message["document"]["tuples"][0]["basic"], basic);
    }
    let dialog = format!(
        "<?xml version=\"1.0\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" \
         entity=\"{}\"><dialog id=\"d1\"><state>early</state></dialog></dialog-info>\n",
        presence.uri("101")
    );
    presence.publish_as("dialog", "application/dialog-info+xml", "101", &dialog);
    await_message(&client, "states/dialog", |message| message["fields"]["dialog_state"] == "early");
    server.stop();
    presence.stop();
}
