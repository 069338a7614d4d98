//! How published states end: with the subscription, with the server, and while nobody knows them.

use std::time::Duration;

use super::{bridging, count, dialogs, published, subscribe, tell};
use crate::support::b2b::farewell;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::phone::Phone;
use crate::support::wait::{SOON, eventually};

/// A lamp that is lit by a remote call.
fn lit(server: &Server, notifier: &Notifier) -> (u64, Dialog, Phone) {
    let (id, mut dialog) = published(server, notifier, "dialog");
    let mut lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
    tell(&mut dialog, 1, Some("confirmed"));
    lamp.await_lamp("confirmed");
    (id, dialog, lamp)
}

#[test]
fn the_server_takes_its_states_back_when_it_stops() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    let (_, _dialog, mut lamp) = lit(&server, &notifier);
    server.stop();
    lamp.await_lamp("off");
}

#[test]
fn the_notifier_ends_the_subscription_and_its_state() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    let (_, mut dialog, mut lamp) = lit(&server, &notifier);
    assert_eq!(dialog.notify(Notify::terminated("rejected", 0)).status(), 200);
    lamp.await_lamp("off");
    eventually(SOON, "nothing is published", || (count(&server, "publications") == 0).then_some(()));
    // The user is free again, and its state comes back.
    let (_, mut dialog) = published(&server, &notifier, "dialog");
    tell(&mut dialog, 101, Some("early"));
    lamp.await_lamp("early");
    server.stop();
}

#[test]
fn a_state_that_is_not_known_any_more_is_said_to_be_unknown() {
    let (server, notifier) = (bridging().b2b_param("failure_backoff_max", 1).start(), Notifier::udp());
    let (_, mut dialog, mut lamp) = lit(&server, &notifier);
    // The module subscribes again at once: nobody need know.
    assert_eq!(dialog.notify(Notify::terminated("deactivated", 0)).status(), 200);
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 3600);
    assert!(lamp.is_quiet(Duration::from_millis(100)));
    tell(&mut dialog, 1, Some("confirmed"));
    assert!(lamp.is_quiet(Duration::from_millis(100)), "it has not changed");
    assert_eq!(lamp.lamp(), "confirmed");
    // Later, if the notifier wants so.
    assert_eq!(dialog.notify(Notify::terminated("giveup", 3)).status(), 200);
    lamp.await_lamp("off");
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 3600);
    tell(&mut dialog, 1, Some("confirmed"));
    lamp.await_lamp("confirmed");
    server.stop();
}

#[test]
fn the_operator_may_keep_the_last_state() {
    let server = bridging().b2b_param("publish_out_of_reach", "keep").start();
    let notifier = Notifier::udp();
    let (id, mut dialog, mut lamp) = lit(&server, &notifier);
    assert_eq!(dialog.notify(Notify::terminated("probation", 600)).status(), 200);
    server.show_when(id, "it waits", |shown| shown["state"] == "waiting");
    assert!(lamp.is_quiet(Duration::from_millis(200)));
    assert_eq!(lamp.lamp(), "confirmed");
    server.unsubscribe(id);
    lamp.await_lamp("off");
    server.stop();
}

#[test]
fn a_notifier_that_does_not_answer_is_out_of_reach() {
    let server = bridging().gives_up_after(500).b2b_param("resubscribe_delta", 1).start();
    let notifier = Notifier::udp();
    let options = format!("publish_as=\"{}\";expires=3", server.uri("desk"));
    subscribe(&server, &notifier.uri("alice"), "dialog", &options).expect("an id");
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 3);
    let mut lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
    let notify = Notify::active(3).body(super::DIALOGS, dialogs(1, Some("confirmed")));
    assert_eq!(dialog.notify(notify).status(), 200);
    lamp.await_lamp("confirmed");
    // No refresh is answered: the granted time ends.
    lamp.await_lamp("off");
    server.stop();
}

#[test]
fn states_are_renewed_in_time() {
    let server = bridging().b2b_param("publish_expires", 10).modparam("presence", "clean_period", 1).start();
    let notifier = Notifier::udp();
    let (id, mut dialog, mut lamp) = lit(&server, &notifier);
    let before = count(&server, "published");
    eventually(SOON, "a renewal", || (count(&server, "published") > before).then_some(()));
    eventually(SOON, "another one", || (count(&server, "published") > before + 1).then_some(()));
    assert_eq!(lamp.lamp(), "confirmed");
    server.unsubscribe(id);
    farewell(&mut dialog);
    lamp.await_lamp("off");
    server.stop();
}

#[test]
fn a_subscription_takes_over_from_one_that_ends() {
    let (server, notifier) = (bridging().start(), Notifier::udp());
    let (id, mut dialog, mut lamp) = lit(&server, &notifier);
    server.unsubscribe(id);
    let options = format!("publish_as=\"{}\"", server.uri("desk"));
    subscribe(&server, &notifier.uri("bob"), "dialog", &options).expect("the user is free");
    farewell(&mut dialog);
    let mut next = notifier.accept(&notifier.expect_subscribe(SOON), 3600);
    tell(&mut next, 101, Some("early"));
    lamp.await_lamp("early");
    assert!(server.log().since(Mark::default(), "ERROR").is_empty());
    server.stop();
}
