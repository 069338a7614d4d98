//! Waiting messages that nobody subscribed to light the lamps of local phones; rows of a table publish.

use serde_json::json;

use super::{DIALOGS, MESSAGES, bridging, count, dialogs};
use crate::provisioning::{TABLE, counts, read, reload, row, schema};
use crate::support::database::{change, sqlite, url};
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::phone::Phone;
use crate::support::wait::{SOON, eventually};

#[test]
fn waiting_messages_of_a_trusted_server_light_a_lamp() {
    let mailbox = Endpoint::udp();
    let source = format!("message-summary: from={}; publish=3600", mailbox.addr().ip());
    let server = bridging().b2b_param("unsolicited", source).start();
    let desk = server.uri("desk");
    let mut light = Phone::watch(server.addr(), &desk, "message-summary");
    let text = |waiting, new| {
        format!(
            "Messages-Waiting: {waiting}\r\nMessage-Account: sip:7@vm.example.com\r\nVoice-Message: {new}/8 (0/2)\r\n"
        )
    };
    for (waiting, new) in [("yes", 2), ("no", 0), ("yes", 1)] {
        let request =
            mailbox.fresh_request("NOTIFY", &desk, &mailbox.uri("vm"), &desk).with("Event", "message-summary");
        let request = request.with_body(MESSAGES, text(waiting, new));
        assert_eq!(mailbox.exchange(&request, server.addr(), SOON).status(), 200);
        let wanted = text(waiting, new).replace("sip:7@vm.example.com", &desk);
        light.await_body("all but the account", |body| body == wanted);
    }
    // It is counted when the watchers have been told.
    let counted = || ["published", "unsolicited"].map(|name| count(&server, name)) == [3, 3];
    eventually(SOON, "all are counted", || counted().then_some(()));
    light.hang_up();
    server.stop();
}

#[test]
fn without_a_presence_server_nothing_is_published_and_the_server_does_not_start() {
    let log = Server::b2b().b2b_param("unsolicited", "message-summary: from=::1; publish").start_refused();
    assert!(log.contains("modparam unsolicited has publish, but publishing needs the module presence"), "{log}");
}

/// One row lights the lamps of a foreign PBX; a change of its options puts another subscription in its place, and the lamp goes on.
#[test]
fn a_row_lights_a_lamp_and_its_change_keeps_it() {
    let notifier = Notifier::udp();
    let server = bridging().module("db_sqlite");
    let desk = format!("sip:desk@{}", server.ip());
    let options = |more: &str| format!("publish_as=\"{desk}\"{more}");
    let dir = sqlite(&(schema() + &row(&notifier.uri("alice"), "sip:lamps@x", "dialog", &options(""))));
    let server = server.b2b_param("db_url", url(dir.path())).b2b_param("provision_table", TABLE).start();
    assert_eq!(counts(&read(&server)), [1, 0, 0, 0, 0, 0]);
    let mut lamp = Phone::watch(server.addr(), &desk, "dialog");
    let told = |version, state| Notify::active(3600).body(DIALOGS, dialogs(version, Some(state)));
    let mut first = notifier.accept(&notifier.expect_subscribe(SOON), 3600);
    assert_eq!(first.notify(told(1, "early")).status(), 200);
    lamp.await_lamp("early");
    assert_eq!(counts(&reload(&server)), [0, 0, 1, 0, 0, 0]);
    change(dir.path(), &format!("UPDATE {TABLE} SET options = '{}'", options(";expires=600")));
    assert_eq!(counts(&reload(&server)), [0, 1, 0, 0, 0, 0]);
    let mut second = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    assert_eq!(second.notify(told(2, "confirmed")).status(), 200);
    lamp.await_lamp("confirmed");
    // Another row for the same lamp is refused, and the first stays.
    change(dir.path(), &row(&notifier.uri("bob"), "sip:lamps@x", "dialog", &options("")));
    assert_eq!(counts(&reload(&server)), [0, 0, 1, 0, 0, 1]);
    assert!(server.log().text().contains("is skipped: no subscription to sip:bob"));
    change(dir.path(), &format!("DELETE FROM {TABLE}"));
    assert_eq!(reload(&server)["ended"], json!(1));
    lamp.await_lamp("off");
    lamp.hang_up();
    server.stop();
}
