//! What watchers at the presence server see of a remote state.

use std::time::Duration;

use super::{DIALOGS, MESSAGES, bridging, count, dialogs, published, subscribe, tell};
use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::leaks::leaves_nothing_anywhere;
use crate::support::notifier::{Notifier, Notify};
use crate::support::phone::Phone;
use crate::support::pidf::{PIDF, basic_of, note_of, pidf};
use crate::support::shm::leaves_nothing_in;
use crate::support::wait::{SOON, eventually};

fn leaves_nothing(server: &Server, scenario: impl FnMut()) {
    leaves_nothing_in(server, &["presence_b2b", "presence", "tm"], scenario);
}

#[test]
fn a_lamp_follows_the_calls_of_a_remote_user() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    leaves_nothing(&server, || {
        let (id, mut dialog) = published(&server, &notifier, "dialog");
        let mut lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
        // Two calls: the first has ended for the presence server for good, and yet the second lights the lamp.
        for (version, state, shown) in [
            (1, Some("trying"), "trying"),
            (2, Some("early"), "early"),
            (3, Some("confirmed"), "confirmed"),
            (4, Some("terminated"), "off"),
            (101, Some("early"), "early"),
            (102, Some("terminated"), "off"),
            (103, Some("early"), "early"),
            (104, None, "off"),
            (201, Some("confirmed"), "confirmed"),
        ] {
            tell(&mut dialog, version, state);
            let document = lamp.await_lamp(shown);
            assert!(document.contains(&format!("entity=\"{}\"", server.uri("desk"))), "{document}");
        }
        // A later watcher sees the same.
        let mut late = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
        late.await_lamp("confirmed");
        server.end(id, &mut dialog);
        lamp.await_lamp("off");
        late.await_lamp("off");
        lamp.hang_up();
        late.hang_up();
        eventually(SOON, "nothing is published", || (count(&server, "publications") == 0).then_some(()));
    });
    server.stop();
}

#[test]
fn presence_and_waiting_messages_are_told_with_their_new_user() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    leaves_nothing(&server, || {
        let desk = server.uri("desk");
        let (first, mut presence) = published(&server, &notifier, "presence");
        let (second, mut messages) = published(&server, &notifier, "message-summary");
        let mut friend = Phone::watch(server.addr(), &desk, "presence");
        let mut light = Phone::watch(server.addr(), &desk, "message-summary");
        for (basic, note) in [("open", "in a call"), ("closed", "away"), ("open", "back")] {
            let document = pidf("pres:alice@pbx.example.com", basic, Some(note));
            assert_eq!(presence.notify(Notify::active(3600).body(PIDF, document)).status(), 200);
            let seen = friend.await_body(note, |body| note_of(body) == Some(note));
            assert_eq!(basic_of(&seen), Some(basic));
            assert!(seen.contains(&format!("entity=\"{desk}\"")) && !seen.contains("pbx"), "{seen}");
        }
        let text = |waiting, new| {
            format!(
                "Messages-Waiting: {waiting}\r\nMessage-Account: sip:alice@pbx.example.com\r\nVoice-Message: {new}/8 (0/2)\r\n"
            )
        };
        for (waiting, new) in [("yes", 2), ("no", 0), ("yes", 1)] {
            let notify = Notify::active(3600).body(MESSAGES, text(waiting, new));
            assert_eq!(messages.notify(notify).status(), 200);
            let wanted = text(waiting, new).replace("sip:alice@pbx.example.com", &desk);
            light.await_body("all but the account", |body| body == wanted);
        }
        for (id, dialog) in [(first, &mut presence), (second, &mut messages)] {
            server.unsubscribe(id);
            farewell(dialog);
        }
        friend.await_body("closed", |body| basic_of(body) == Some("closed"));
        light.await_body("no messages", |body| body.starts_with("Messages-Waiting: no\r\n"));
        friend.hang_up();
        light.hang_up();
    });
    server.stop();
}

#[test]
fn what_has_not_changed_is_told_once() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    let (_, mut dialog) = published(&server, &notifier, "dialog");
    let mut lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
    tell(&mut dialog, 1, Some("early"));
    lamp.await_lamp("early");
    // The version is no news.
    for version in 2..6 {
        tell(&mut dialog, version, Some("early"));
    }
    eventually(SOON, "all are told", || (count(&server, "delivered") == 5).then_some(()));
    assert!(lamp.is_quiet(Duration::from_millis(100)));
    assert_eq!(count(&server, "published"), 1);
    server.stop();
}

#[test]
fn a_state_without_another_user_is_the_records() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    let record = notifier.uri("alice");
    let id = subscribe(&server, &record, "dialog", "publish").expect("an id");
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 3600);
    let mut lamp = Phone::watch(server.addr(), &record, "dialog");
    tell(&mut dialog, 1, Some("early"));
    lamp.await_lamp("early");
    assert_eq!(server.show(id)["options"], "keep;publish");
    // It is asked for once more, by another URI of the same user.
    assert_eq!(subscribe(&server, &record, "dialog", &format!("publish_as=\"{record}\"")).expect("the same"), id);
    let differs = subscribe(&server, &record, "dialog", "keep").expect_err("another option");
    assert!(differs.message.contains("other options (publish)"), "{differs}");
    server.stop();
}

#[test]
fn documents_that_tell_only_what_has_changed_make_one_state() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    let (_, mut dialog) = published(&server, &notifier, "dialog");
    let mut lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
    tell(&mut dialog, 1, Some("early"));
    let partial =
        dialogs(102, Some("confirmed")).replace("version=\"102\" state=\"full\"", "version=\"2\" state=\"partial\"");
    assert_eq!(dialog.notify(Notify::active(3600).body(DIALOGS, partial)).status(), 200);
    let both = lamp.await_lamp("confirmed");
    assert!(both.contains("id=\"d0\"") && both.contains("id=\"d1\""), "{both}");
    server.stop();
}

#[test]
fn a_local_state_of_the_same_user_is_shown_with_it() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    let (id, mut dialog) = published(&server, &notifier, "dialog");
    let desk = server.uri("desk");
    let mut lamp = Phone::watch(server.addr(), &desk, "dialog");
    tell(&mut dialog, 101, Some("early"));
    lamp.await_lamp("early");
    let phone = crate::support::endpoint::Endpoint::udp();
    let publish = phone.fresh_request("PUBLISH", &desk, &desk, &desk).with("Event", "dialog").with("Expires", 600);
    let answer = phone.exchange(&publish.with_body(DIALOGS, dialogs(301, Some("confirmed"))), server.addr(), SOON);
    assert_eq!(answer.status(), 200, "{}", answer.message);
    let both = lamp.await_lamp("confirmed");
    assert!(both.contains(">early</state>"), "{both}");
    server.end(id, &mut dialog);
    lamp.await_body("the local state alone", |body| !body.contains(">early</state>") && body.contains("confirmed"));
    server.stop();
}

#[test]
fn nothing_is_left_behind_in_any_process() {
    let server = bridging().qm().children(1).b2b_param("workers", 1).start();
    let notifier = Notifier::udp();
    leaves_nothing_anywhere(&server, || {
        let (id, mut dialog) = published(&server, &notifier, "dialog");
        let mut lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
        for (version, state) in [(1, "early"), (2, "confirmed"), (101, "early")] {
            tell(&mut dialog, version, Some(state));
            lamp.await_lamp(state);
        }
        server.end(id, &mut dialog);
        lamp.await_lamp("off");
        lamp.hang_up();
    });
    server.stop();
}
