//! Conditional requests (RFC 5839): a notifier that sends entity tags need not send a known state again.

use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

fn server() -> Server {
    Server::eager(1).b2b_param("timer_n_on_refresh", 1).start()
}

const CONDITION: &str = "Suppress-If-Match";

fn refresh_of(watch: &Watch<'_>, dialog: &Dialog) -> Received {
    watch.await_state("confirmed");
    watch.refresh();
    dialog.expect_subscribe(SOON)
}

#[test]
fn what_is_known_is_not_told_again() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(first.header(CONDITION), None);
        let mut dialog = notifier.accept(&first, 600);
        watch.await_state("confirmed");
        assert_eq!(dialog.notify(told(600, "first").with("SIP-ETag", " a-7.B*x ")).status(), 200);

        // 204: accepted for its Expires, without a NOTIFY. Timer N does not wait for one.
        for granted in [500, 400] {
            let refresh = refresh_of(&watch, &dialog);
            assert_eq!(refresh.headers(CONDITION), ["a-7.B*x"]);
            dialog.answer(&refresh, 204, &[("Expires", &granted.to_string())]);
            let shown = watch.await_state("confirmed");
            assert_eq!((shown["last_reply"].as_u64(), shown["retries"].as_u64()), (Some(204), Some(0)));
            let [expires, next] = ["expires_in", "next_action_in"].map(|field| shown[field].as_u64().expect("a time"));
            assert!(expires <= granted && next + 130 > granted, "{shown}");
        }
        assert_eq!(watch.notes(), ["first"], "nothing is told");

        // The entity tag is that of the newest accepted NOTIFY; one without a tag leaves none.
        assert_eq!(dialog.notify(told(600, "second").with("SIP-ETag", "second")).status(), 200);
        let refused = Notify::active(600).body("text/plain", "x").with("SIP-ETag", "refused");
        assert_eq!(dialog.notify(refused).status(), 415);
        let refresh = refresh_of(&watch, &dialog);
        assert_eq!(refresh.headers(CONDITION), ["second"]);
        dialog.accept(&refresh, 600);
        assert_eq!(dialog.notify(told(600, "third")).status(), 200);
        let refresh = refresh_of(&watch, &dialog);
        assert_eq!(refresh.header(CONDITION), None);
        dialog.accept(&refresh, 600);

        // The last NOTIFY is needed: an unsubscribe is never conditional.
        assert_eq!(dialog.notify(told(600, "last").with("SIP-ETag", "last")).status(), 200);
        watch.await_note("last");
        watch.await_state("confirmed");
        watch.unsubscribe();
        let farewell = dialog.expect_subscribe(SOON);
        assert_eq!((farewell.need("Expires"), farewell.header(CONDITION)), ("0", None));
        dialog.accept(&farewell, 0);
        assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
        watch.await_gone(SOON);
    });
    server.stop();
}

#[test]
fn the_name_of_a_state_dies_with_its_dialog() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut old, _) = Watch::standing(&server, &notifier, 600);
        assert_eq!(old.notify(told(600, "named").with("SIP-ETag", "known")).status(), 200);
        let refresh = refresh_of(&watch, &old);
        assert_eq!(refresh.headers(CONDITION), ["known"]);
        old.answer(&refresh, 481, &[]);
        let again = notifier.expect_subscribe(SOON);
        assert_eq!(again.header(CONDITION), None);
        let mut dialog = notifier.accept(&again, 600);
        assert_eq!(dialog.notify(told(600, "anew")).status(), 200);
        let refresh = refresh_of(&watch, &dialog);
        assert_eq!(refresh.header(CONDITION), None, "this notifier has named nothing");
        dialog.accept(&refresh, 600);
        assert_eq!(dialog.notify(told(600, "and again")).status(), 200);
        watch.await_state("confirmed");
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn who_names_no_state_is_asked_without_condition() {
    let server = server();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, first) = Watch::standing(&server, &notifier, 600);
        assert_eq!(first.header(CONDITION), None);
        let too_long = "x".repeat(256);
        for notify in [told(600, "plain"), told(600, "too long").with("SIP-ETag", &too_long)] {
            assert_eq!(dialog.notify(notify).status(), 200);
            let refresh = refresh_of(&watch, &dialog);
            assert_eq!(refresh.header(CONDITION), None);
            dialog.accept(&refresh, 600);
            assert_eq!(dialog.notify(told(600, "after")).status(), 200);
        }
        watch.await_state("confirmed");
        watch.end(&mut dialog);
    });
    server.stop();
}
