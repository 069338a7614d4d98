//! A NOTIFY that says *terminated* and is refused. Its notifier has dropped the dialog, so the module must not keep it active
//! until it expires.

use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

fn end() -> Notify {
    Notify::terminated("deactivated", 0)
}

/// A NOTIFY that is not understood does not end the subscription; a refresh finds out.
fn refusals() -> [(Notify, u16); 6] {
    [
        (end().with("Require", "x-unknown"), 420),
        (end().with("Record-Route", "<sip:proxy.example.com"), 400),
        (end().event(";id=7"), 400),
        (end().event("dialog"), 489),
        (end().event("presence;id=7"), 489),
        (end().without("Event"), 489),
    ]
}

/// The refresh is answered 481, and there is another dialog.
fn found_out(server: &Server, news: &mut Newsreader<'_>, notifier: &Notifier, dialog: &Dialog) -> Dialog {
    let refresh = dialog.expect_subscribe(SOON);
    dialog.answer(&refresh, 481, &[]);
    let told = news.next("the end");
    assert_eq!((&*told.status, told.code), ("terminated", 481));
    assert!(told.next_attempt.is_some_and(|seconds| seconds <= 1), "{told:?}");
    let again = notifier.expect_subscribe(SOON);
    assert_ne!(again.need("Call-ID"), dialog.call_id);
    let dialog = notifier.activate(&again, 3600);
    assert_eq!(news.next("the state").status, "active");
    server.show_when(told.id, "confirmed", |shown| shown["state"] == "confirmed");
    dialog
}

fn standing(server: &Server, news: &mut Newsreader<'_>, notifier: &Notifier) -> (u64, Dialog) {
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let dialog = notifier.activate(&notifier.expect_subscribe(SOON), 3600);
    assert_eq!(news.next("the state").status, "active");
    server.await_shown(id, "state", "confirmed");
    (id, dialog)
}

/// The setting of a test.
struct Stage<'a, 's> {
    server: &'s Server,
    notifier: &'a Notifier,
    news: &'a mut Newsreader<'s>,
    id: u64,
}

/// Runs with an active subscription; afterwards it ends, all messages are delivered, and nothing is left.
fn in_dialog(act: impl Fn(&mut Stage<'_, '_>, &mut Dialog)) {
    let notifier = Notifier::udp();
    let server = Server::eager(60).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let (id, mut dialog) = standing(&server, &mut news, &notifier);
        act(&mut Stage { server: &server, notifier: &notifier, news: &mut news, id }, &mut dialog);
        server.end(id, &mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

/// In `presence_b2b.show`, whoever refuses: the subscription, or the module before it has been asked.
#[test]
fn each_refusal_is_counted() {
    in_dialog(|Stage { server, id, .. }, dialog| {
        for (times, (notify, code)) in (1..).zip(refusals()) {
            assert_eq!(dialog.notify(notify.set("Subscription-State", "active")).status(), code);
            assert_eq!(server.show(*id)["refused"], times, "{code}");
        }
    });
}

#[test]
fn a_refresh_finds_out() {
    in_dialog(|Stage { server, notifier, news, id }, dialog| {
        for (notify, code) in refusals() {
            assert_eq!(dialog.notify(notify).status(), code);
            let shown = server.show(*id);
            assert_eq!((&shown["status"], &shown["state"]), (&"active".into(), &"confirmed".into()), "{code}: {shown}");
            *dialog = found_out(server, news, notifier, dialog);
        }
        assert_eq!(server.show(*id)["refused"], 6);
    });
}

/// A refused NOTIFY of another notifier does not concern this dialog, whatever the fault.
#[test]
fn nothing_is_asked_about_another_notifier() {
    in_dialog(|Stage { server, id, .. }, dialog| {
        let stranger = end().from("<sip:alice@example.com>;tag=stranger").with("Require", "x-unknown");
        assert_eq!(dialog.notify(stranger).status(), 420);
        let shown = server.show(*id);
        assert_eq!(shown["refused"], 1);
        assert!(shown["next_action_in"].as_u64().is_some_and(|seconds| seconds > 3000), "{shown}");
    });
}

/// The notifier has accepted a refresh, ended the dialog, and the 2xx comes last.
#[test]
fn another_refresh_follows_the_one_in_flight() {
    in_dialog(|Stage { server, notifier, news, id }, dialog| {
        for (notify, code) in refusals() {
            server.refresh(*id);
            let refresh = dialog.expect_subscribe(SOON);
            server.await_shown(*id, "state", "resubscription");
            assert_eq!(dialog.notify(notify).status(), code);
            dialog.accept(&refresh, 3600);
            *dialog = found_out(server, news, notifier, dialog);
        }
    });
}

/// A body that cannot be used does not keep the end from being one, nor does a CSeq that is too low.
#[test]
fn what_is_understood_is_the_end_at_once() {
    let notifier = Notifier::udp();
    let server = Server::eager(60).start();
    leaves_nothing(&server, || {
        for (notify, code, reason) in [
            (end().body("text/plain", "nothing of ours"), 200, "deactivated"),
            (end().body("application/pidf+xml", "<presence"), 200, "deactivated"),
            (end().set("Content-Encoding", "gzip").body("application/pidf+xml", "z"), 200, "deactivated"),
            (end().cseq(1), 500, "CSeq out of order"),
        ] {
            let mut news = Newsreader::new(&server);
            let (id, mut dialog) = standing(&server, &mut news, &notifier);
            assert_eq!(dialog.notify(Notify::active(3600)).status(), 200);
            assert_eq!(news.next("a later state").status, "active");
            assert_eq!(dialog.notify(notify).status(), code, "{reason}");
            let told = news.next("the end");
            assert_eq!((&*told.status, &*told.reason), ("terminated", reason));
            server.unsubscribe(id);
            server.await_no_subscription();
        }
    });
    server.stop();
}
