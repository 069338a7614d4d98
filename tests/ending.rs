//! How subscriptions end when their subscriber unsubscribes, in every state.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::endpoint::Transport;
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

/// Long enough to see that something does not come, short enough for every test.
const A_MOMENT: Duration = Duration::from_millis(300);

fn server() -> Server {
    Server::b2b().b2b_param("min_resubscribe_time", 0).route(TELL).start()
}

/// Takes the SUBSCRIBE that ends the dialog, and ends it.
fn say_goodbye(watch: &Watch<'_>, dialog: &mut Dialog) {
    let farewell = dialog.expect_subscribe(SOON);
    assert_eq!(farewell.need("Expires"), "0");
    assert_eq!((farewell.need("Call-ID"), farewell.need("Event")), (&*dialog.call_id, &*dialog.event));
    assert!(!watch.is_gone(), "not before the notifier has said so");
    dialog.accept(&farewell, 0);
    watch.await_state("waiting_for_termination");
    assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    watch.await_gone(SOON);
}

#[test]
fn while_waiting() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        notifier.reject(&notifier.expect_subscribe(SOON), 500, &[]);
        watch.await_state("waiting");
        watch.unsubscribe();
        assert!(watch.is_gone(), "there is nobody to take leave of");
        notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
    });
    server.stop();
}

#[test]
fn before_the_first_subscribe() {
    let server = Server::b2b().b2b_param("max_subscribe_delay", 3600).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        assert_eq!(watch.show()["state"], "waiting");
        watch.unsubscribe();
        assert!(watch.is_gone());
        notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
    });
    server.stop();
}

#[test]
fn while_unconfirmed() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        // The SUBSCRIBE is accepted.
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let subscribe = notifier.expect_subscribe(SOON);
        watch.unsubscribe();
        watch.await_state("unconfirmed_destroy");
        let mut dialog = notifier.dialog(&subscribe);
        assert_eq!(dialog.notify(told(600, "too late")).status(), 200);
        notifier.endpoint.expect_none("CANCEL", A_MOMENT);
        dialog.accept(&subscribe, 600);
        say_goodbye(&watch, &mut dialog);
        assert_eq!(watch.news(), [], "nobody listens any more");

        // The SUBSCRIBE is refused.
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let subscribe = notifier.expect_subscribe(SOON);
        watch.unsubscribe();
        watch.await_state("unconfirmed_destroy");
        notifier.reject(&subscribe, 403, &[]);
        watch.await_gone(SOON);

        // Ended by the notifier itself before it has even accepted.
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let subscribe = notifier.expect_subscribe(SOON);
        watch.unsubscribe();
        let mut dialog = notifier.dialog(&subscribe);
        assert_eq!(dialog.notify(Notify::terminated("deactivated", 0)).status(), 200);
        watch.await_gone(SOON);
        dialog.accept(&subscribe, 600);
        notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
    });
    server.stop();
}

fn while_confirmed(transport: Transport) {
    let server = server();
    let notifier = Notifier::new(transport);
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        watch.unsubscribe();
        say_goodbye(&watch, &mut dialog);

        // The last document is not delivered, and neither are NOTIFYs that cross the unsubscribe.
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        watch.unsubscribe();
        let farewell = dialog.expect_subscribe(SOON);
        assert_eq!(dialog.notify(told(600, "crossing")).status(), 200);
        dialog.accept(&farewell, 0);
        watch.await_state("waiting_for_termination");
        let last = told(0, "last").set("Subscription-State", "terminated;reason=timeout");
        assert_eq!(dialog.notify(last).status(), 200);
        watch.await_gone(SOON);
        assert_eq!(watch.notes(), ["first"]);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 481, "nothing is known of it");
    });
    server.stop();
}

#[test]
fn while_confirmed_over_udp() {
    while_confirmed(Transport::Udp);
}

#[test]
fn while_confirmed_over_tcp() {
    while_confirmed(Transport::Tcp);
}

#[test]
fn during_a_refresh() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for answer in [200, 500] {
            let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
            watch.refresh();
            let refresh = dialog.expect_subscribe(SOON);
            watch.await_state("resubscription");
            watch.unsubscribe();
            watch.await_state("resubscription_destroy");
            notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
            // The dialog stays active whatever the answer (RFC 6665 §4.1.2.2), so it is ended properly.
            dialog.answer(&refresh, answer, &[("Expires", "600")]);
            say_goodbye(&watch, &mut dialog);
        }
        let (watch, dialog, _) = Watch::standing(&server, &notifier, 600);
        watch.refresh();
        let refresh = dialog.expect_subscribe(SOON);
        watch.unsubscribe();
        dialog.answer(&refresh, 481, &[]);
        watch.await_gone(SOON);
        notifier.endpoint.expect_none("SUBSCRIBE", A_MOMENT);
    });
    server.stop();
}

#[test]
fn the_last_notify_is_not_waited_for_for_ever() {
    let server = Server::b2b().b2b_param("wait_for_term_notify", 1).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        watch.unsubscribe();
        let farewell = dialog.expect_subscribe(SOON);
        dialog.accept(&farewell, 0);
        let accepted = Instant::now();
        // A NOTIFY that does not end it does not extend the wait either.
        assert_eq!(dialog.notify(told(600, "not the end")).status(), 200);
        watch.await_gone(SOON);
        let waited = accepted.elapsed();
        assert!(waited > Duration::from_millis(900) && waited < Duration::from_secs(5), "{waited:?}");
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 481, "too late");
    });
    server.stop();
}

#[test]
fn a_farewell_that_fails_is_the_end_too() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for code in [404, 481, 489, 500, 302] {
            let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
            watch.unsubscribe();
            let farewell = dialog.expect_subscribe(SOON);
            dialog.answer(&farewell, code, &[]);
            watch.await_gone(SOON);
            assert_eq!(dialog.notify(told(600, "late")).status(), 481, "{code}");
            notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(50));
        }
    });
    server.stop();
}

/// Some peers then send the reason `deactivated`, which otherwise leads to a new subscription.
#[test]
fn whatever_ends_it_after_the_farewell_is_the_end() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for (reason, before_the_2xx) in
            [("deactivated", false), ("timeout", true), ("probation", true), ("giveup", false)]
        {
            let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
            watch.unsubscribe();
            let farewell = dialog.expect_subscribe(SOON);
            if before_the_2xx {
                assert_eq!(dialog.notify(Notify::terminated(reason, 1)).status(), 200);
                watch.await_gone(SOON);
                dialog.accept(&farewell, 0);
            } else {
                dialog.accept(&farewell, 0);
                assert_eq!(dialog.notify(Notify::terminated(reason, 1)).status(), 200);
                watch.await_gone(SOON);
            }
            assert_eq!(watch.news().len(), 1, "{reason}: {:?}", watch.news());
        }
        // None of the four is subscribed again after its retry-after.
        notifier.endpoint.expect_none("SUBSCRIBE", Duration::from_millis(1500));
    });
    server.stop();
}

#[test]
fn a_new_subscription_does_not_wait_for_the_end_of_the_old_one() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (old, mut old_dialog, _) = Watch::standing(&server, &notifier, 600);
        old.unsubscribe();
        let farewell = old_dialog.expect_subscribe(SOON);
        let (new, mut new_dialog, subscribe) = Watch::standing(&server, &notifier, 600);
        assert_ne!(new.id, old.id);
        assert_ne!(subscribe.need("Call-ID"), farewell.need("Call-ID"));
        assert_eq!(old.show()["state"], "predestroyed");

        // Two dialogs: a message in one does not affect the other.
        assert_eq!(new_dialog.notify(told(600, "for the new one")).status(), 200);
        assert_eq!(old_dialog.notify(told(600, "for the old one")).status(), 200);
        old_dialog.accept(&farewell, 0);
        assert_eq!(old_dialog.notify(Notify::terminated("deactivated", 0)).status(), 200);
        old.await_gone(SOON);
        new.await_note("for the new one");
        assert_eq!((old.notes(), new.notes()), (vec!["first".into()], vec!["first".into(), "for the new one".into()]));
        assert_eq!(new.show()["state"], "confirmed");
        let error = server.rpc("presence_b2b.unsubscribe", json!([old.id])).unwrap_err();
        assert_eq!(error.code, 404);
        new.end(&mut new_dialog);
    });
    server.stop();
}
