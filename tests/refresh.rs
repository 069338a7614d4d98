//! Keeping a subscription alive: when the refresh comes, what it looks like, and what follows when it fails.

use std::time::Duration;

use crate::support::endpoint::{Received, Transport};
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::sip::target_of;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

/// A server where a refresh waits only for the second that no parameter can remove.
pub fn server() -> Server {
    Server::eager(1).b2b_param("resubscribe_delta", 2).start()
}

/// The next refresh, requested so that the test need not wait for it.
pub fn refresh_of(watch: &Watch<'_>, dialog: &Dialog) -> Received {
    watch.refresh();
    dialog.expect_subscribe(SOON)
}

#[test]
fn the_time_is_planned_by_the_parameters() {
    // resubscribe_delta, min_resubscribe_time; granted: seconds until the refresh
    let cases = [
        // The defaults: half of what is too short for both.
        (30, 30, [(3600, 3570), (45, 30), (30, 15), (20, 10)]),
        (100, 50, [(600, 500), (151, 51), (120, 50), (40, 20)]),
        (0, 0, [(600, 300), (400, 200), (100, 50), (40, 20)]),
    ];
    for (delta, min, grants) in cases {
        let server = Server::b2b().b2b_param("resubscribe_delta", delta).b2b_param("min_resubscribe_time", min);
        let server = server.b2b_param("refresh_jitter", 0).route(TELL).start();
        let notifier = Notifier::udp();
        for (granted, wanted) in grants {
            let (watch, mut dialog, _) = Watch::standing(&server, &notifier, granted);
            let next = watch.number("next_action_in");
            assert!(next <= wanted && next + 4 > wanted, "delta {delta}, min {min}, granted {granted}: {next}");
            watch.end(&mut dialog);
        }
        server.stop();
    }
}

/// Twenty-four refreshes over half an hour: all in one half of it is one chance in eight million.
#[test]
fn refreshes_of_what_was_granted_together_are_spread() {
    const COUNT: usize = 24;
    let server = Server::b2b().b2b_param("refresh_jitter", 50).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let mut standing = Vec::new();
        for user in 0..COUNT {
            let watch = Watch::begin(&server, &notifier.uri(&format!("user{user}")));
            let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 3600);
            watch.await_state("confirmed");
            assert_eq!(dialog.notify(told(3600, "first")).status(), 200);
            standing.push((watch, dialog));
        }
        // The plan is 3570 s, and half of it is the soonest; a minute for all of this is plenty.
        let planned: Vec<u64> = standing.iter().map(|(watch, _)| watch.number("next_action_in")).collect();
        assert!(planned.iter().all(|next| (1725..=3570).contains(next)), "{planned:?}");
        let early = planned.iter().filter(|next| **next < 2650).count();
        assert!((1..COUNT).contains(&early), "{planned:?}");
        for (watch, mut dialog) in standing {
            watch.end(&mut dialog);
        }
    });
    server.stop();
}

#[test]
fn a_short_grant_is_refreshed_in_time() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 4);
        for _ in 0..2 {
            let refresh = dialog.expect_subscribe(SOON);
            let after = refresh.at - first.at;
            assert!(after > Duration::from_millis(1500), "{after:?}");
            dialog.accept(&refresh, 4);
            assert_eq!(dialog.notify(told(4, "again")).status(), 200);
        }
        assert!(watch.news().iter().all(|news| news.status == "active"), "{:?}", watch.news());
        watch.end(&mut dialog);
    });
    server.stop();
}

fn stays_in_its_dialog(transport: Transport) {
    let server = server();
    let (notifier, moved) = (Notifier::new(transport), Notifier::new(transport));
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.accept(&first, 600);
        watch.await_state("confirmed");
        // The NOTIFY's Contact counts, not the 2xx's (RFC 6665 §4.4.1).
        dialog.contact = moved.uri("elsewhere");
        assert_eq!(dialog.notify(told(600, "first")).status(), 200);
        dialog.move_to(&moved.endpoint);

        let refresh = refresh_of(&watch, &dialog);
        assert_eq!(refresh.uri(), moved.uri("elsewhere"));
        assert_eq!(refresh.need("To"), format!("{};tag={}", first.need("To"), dialog.local_tag));
        assert_eq!(refresh.cseq(), (first.cseq().0 + 1, "SUBSCRIBE"));
        for same in ["Call-ID", "From", "Contact", "Event", "Accept", "Expires"] {
            assert_eq!(refresh.need(same), first.need(same));
        }
        assert!(refresh.header("Route").is_none(), "{}", refresh.message);
        assert_eq!(refresh.headers("Event").len() + refresh.headers("Contact").len(), 2, "{}", refresh.message);
        assert_eq!(refresh.from.ip(), first.from.ip(), "the same socket");
        if transport == Transport::Udp {
            assert_eq!(refresh.from, first.from, "the same socket");
        }

        // A 2xx is a target refresh too (RFC 6665 §3.2).
        dialog.contact = moved.uri("third");
        dialog.accept(&refresh, 600);
        watch.await_state("confirmed");
        let refresh = refresh_of(&watch, &dialog);
        assert_eq!((refresh.uri(), refresh.cseq().0), (moved.uri("third").as_str(), first.cseq().0 + 2));
        dialog.accept(&refresh, 600);
        watch.await_state("confirmed");
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn stays_in_its_dialog_over_udp() {
    stays_in_its_dialog(Transport::Udp);
}

#[test]
fn stays_in_its_dialog_over_tcp() {
    stays_in_its_dialog(Transport::Tcp);
}

#[test]
fn a_refresh_that_fails_is_repeated_in_the_dialog() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 600);
        for (number, code) in [(2, 500), (3, 503)] {
            let refresh = if number == 2 { refresh_of(&watch, &dialog) } else { dialog.expect_subscribe(SOON) };
            assert_eq!((refresh.cseq().0, refresh.need("Call-ID")), (number, first.need("Call-ID")));
            dialog.answer(&refresh, code, &[]);
            let told = watch.await_news("the failure", |news| news.code == code);
            assert_eq!(told.status, "active", "the dialog stands until it expires");
            assert!(told.next_attempt.is_some_and(|seconds| (1..=3).contains(&seconds)), "{told:?}");
            let shown = watch.await_state("confirmed");
            let [reply, retries] = ["last_reply", "retries"].map(|field| shown[field].as_u64());
            assert_eq!((reply, retries), (Some(code.into()), Some(1)));
            assert!(shown["expires_in"].as_u64().is_some_and(|left| left > 560), "{shown}");
            // The dialog loses nothing, and a NOTIFY shows that the notifier is alive: the count begins again.
            // It names what is left of the old grant; more would mean that the refresh has succeeded.
            assert_eq!(dialog.notify(Notify::active(580).cseq(10 + number)).status(), 200);
        }
        server_recovers(&watch, &mut dialog);
    });
    server.stop();
}

fn server_recovers(watch: &Watch<'_>, dialog: &mut Dialog) {
    let refresh = dialog.expect_subscribe(SOON);
    assert_eq!(refresh.cseq().0, 4);
    dialog.accept(&refresh, 600);
    let shown = watch.await_state("confirmed");
    assert_eq!((shown["last_reply"].as_u64(), shown["retries"].as_u64()), (Some(200), Some(0)));
    dialog.cseq = 20;
    watch.unsubscribe();
    let farewell = dialog.expect_subscribe(SOON);
    dialog.accept(&farewell, 0);
    assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    watch.await_gone(SOON);
}

#[test]
fn a_dialog_the_notifier_has_forgotten_is_made_anew() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut old, _) = Watch::standing(&server, &notifier, 600);
        let refresh = refresh_of(&watch, &old);
        old.answer(&refresh, 481, &[]);
        let told_of = watch.await_news("481", |news| news.code == 481);
        assert_eq!(told_of.status, "terminated");
        assert!(told_of.next_attempt.is_some_and(|seconds| seconds <= 1), "at once: {told_of:?}");
        let again = notifier.expect_subscribe(SOON);
        assert!(again.at - refresh.at < Duration::from_secs(5));
        assert_ne!(again.need("Call-ID"), refresh.need("Call-ID"));
        assert_ne!(again.param("From", "tag"), refresh.param("From", "tag"));
        assert_eq!((again.uri(), again.header("Route")), (notifier.uri("alice").as_str(), None));
        assert_eq!(old.notify(told(600, "of the old dialog")).status(), 481);
        let mut dialog = notifier.accept(&again, 600);
        assert_eq!(dialog.notify(told(600, "of the new dialog")).status(), 200);
        watch.await_note("of the new dialog");
        watch.await_state("confirmed");
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn what_is_granted_beyond_what_was_asked_is_cut() {
    let server = Server::b2b().b2b_param("default_expiration", 60).b2b_param("min_resubscribe_time", 0);
    let server = server.route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 900);
        assert_eq!(first.need("Expires"), "60");
        for _ in 0..2 {
            let [expires, next] = ["expires_in", "next_action_in"].map(|field| watch.number(field));
            assert!((50..=60).contains(&expires) && (20..=30).contains(&next), "{expires} {next}");
            let refresh = refresh_of(&watch, &dialog);
            assert_eq!(refresh.need("Expires"), "60");
            dialog.accept(&refresh, 900);
            watch.await_state("confirmed");
        }
        watch.end(&mut dialog);
    });
    server.stop();
}

/// A refresh that a NOTIFY crosses is still one refresh, and the answer to it still counts.
#[test]
fn a_notify_may_cross_the_refresh() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 600);
        let refresh = refresh_of(&watch, &dialog);
        watch.await_state("resubscription");
        assert_eq!(dialog.notify(told(600, "crossing")).status(), 200);
        watch.await_note("crossing");
        assert_eq!(watch.show()["state"], "resubscription");
        dialog.accept(&refresh, 300);
        watch.await_state("confirmed");
        assert!(watch.number("expires_in") <= 300);
        assert_eq!(target_of(refresh.uri_in("Contact").expect("a Contact")), target_of(&dialog.remote_target));
        assert_eq!(refresh.need("Call-ID"), first.need("Call-ID"));
        watch.end(&mut dialog);
    });
    server.stop();
}

/// A NOTIFY that overtakes the 2xx to the refresh has the notifier's newest expiry.
#[test]
fn a_2xx_does_not_lengthen_what_a_notify_has_said_since() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for headers in [&[("Expires", "3600")][..], &[]] {
            let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 3600);
            let refresh = refresh_of(&watch, &dialog);
            watch.await_state("resubscription");
            assert_eq!(dialog.notify(told(4, "shortened")).status(), 200);
            watch.await_note("shortened");
            dialog.answer(&refresh, 200, headers);
            watch.await_state("confirmed");
            assert!(watch.number("expires_in") <= 4, "{}", watch.show());
            // On schedule, not by an operator's request.
            let next = dialog.expect_subscribe(SOON);
            assert!(next.at - refresh.at < Duration::from_secs(4), "{:?}", next.at - refresh.at);
            dialog.accept(&next, 3600);
            watch.await_state("confirmed");
            assert!(watch.number("expires_in") > 3500);
            watch.end(&mut dialog);
        }
    });
    server.stop();
}
