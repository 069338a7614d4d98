//! A 2xx without a NOTIFY is no subscription: Timer N, 32 seconds from the SUBSCRIBE (RFC 6665 §4.1.2.4).

use std::time::Duration;

use serde_json::json;

use crate::support::endpoint::Received;
use crate::support::kamailio::Server;
use crate::support::news::{News, Newsreader};
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

const TIMER_N: Duration = Duration::from_secs(32);

#[test]
fn the_first_subscribe_is_accepted_and_nothing_follows() {
    let notifier = Notifier::udp();
    let server = Server::eager(1).start();
    let mut news = Newsreader::new(&server);
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let first = notifier.expect_subscribe(SOON);
    let mut silent = notifier.accept(&first, 600);
    server.await_shown(id, "state", "confirmed");
    // Long before the 600 s are over: another attempt.
    let again = notifier.expect_subscribe(TIMER_N + SOON);
    assert!(again.at - first.at >= TIMER_N, "{:?}", again.at - first.at);
    assert_ne!(again.need("Call-ID"), first.need("Call-ID"));
    let failure = news.next("the failure");
    assert_eq!((&*failure.status, failure.code, &*failure.reason), ("terminated", 0, "no NOTIFY"));
    assert_eq!(silent.notify(Notify::active(600)).status(), 481, "too late");
    let mut dialog = notifier.activate(&again, 600);
    assert_eq!(news.next("the state").status, "active");
    server.end(id, &mut dialog);
    news.assert_no_more();
    server.stop();
}

/// An active subscription, and its refresh. Both tests share the long wait.
fn refreshing<'s>(server: &'s Server, notifier: &Notifier, user: &str, package: &str) -> (Watch<'s>, Dialog, Received) {
    let watch = Watch::to(server, &notifier.uri(user), package);
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    watch.await_state("confirmed");
    assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
    watch.await_news("the state", |news| news.status == "active");
    watch.refresh();
    let refresh = dialog.expect_subscribe(SOON);
    (watch, dialog, refresh)
}

#[test]
fn a_refresh_is_accepted_and_nothing_follows() {
    let notifier = Notifier::udp();
    let server = Server::eager(1).b2b_param("timer_n_on_refresh", 1);
    let server = server.b2b_param("package_policy", "dialog: timer_n_on_refresh=0").start();
    // The NOTIFY comes between the SUBSCRIBE and its 2xx; after it; and where there is nothing new, not at all.
    let (before, mut notified_before, refresh) = refreshing(&server, &notifier, "before", "presence");
    assert_eq!(notified_before.notify(told(600, "again")).status(), 200);
    before.await_note("again");
    notified_before.accept(&refresh, 600);
    let (after, mut notified_after, refresh) = refreshing(&server, &notifier, "after", "presence");
    notified_after.accept(&refresh, 600);
    after.await_state("confirmed");
    assert_eq!(notified_after.notify(told(600, "again")).status(), 200);
    let (nothing, mut nothing_new, refresh) = refreshing(&server, &notifier, "nothing", "presence");
    nothing_new.answer(&refresh, 204, &[("Expires", "600")]);
    // This package does not require it: some peers send none.
    let (put_up_with, mut rude, refresh) = refreshing(&server, &notifier, "rude", "dialog");
    rude.accept(&refresh, 600);

    let (silent, mut forgotten, refresh) = refreshing(&server, &notifier, "silent", "presence");
    forgotten.accept(&refresh, 600);
    silent.await_state("confirmed");
    let again = notifier.expect_subscribe(TIMER_N + SOON);
    assert_eq!(again.uri(), notifier.uri("silent"));
    assert!(again.at - refresh.at >= TIMER_N, "{:?}", again.at - refresh.at);
    let failure = silent.await_news("the failure", |news| news.status == "terminated");
    assert_eq!((failure.code, &*failure.reason), (0, "no NOTIFY"));
    assert_eq!(forgotten.notify(told(600, "too late")).status(), 481);
    let mut dialog = notifier.accept(&again, 600);
    assert_eq!(dialog.notify(told(600, "anew")).status(), 200);
    silent.await_note("anew");

    // The Timer N of the others would have fired first.
    for (watch, dialog) in [
        (before, &mut notified_before),
        (after, &mut notified_after),
        (nothing, &mut nothing_new),
        (put_up_with, &mut rude),
    ] {
        assert_eq!(watch.show()["state"], "confirmed");
        assert!(watch.news().iter().all(|news| news.status == "active"), "{:?}", watch.news());
        watch.end(dialog);
    }
    silent.end(&mut dialog);
    server.stop();
}

/// Some notifiers send nothing before something changes, however long that takes. A fetch has its own time: there is no
/// subscription for which such a notifier could send anything later.
#[test]
fn nobody_insists_on_the_first_notify_where_the_operator_says_so() {
    let notifier = Notifier::udp();
    let server = Server::eager(1).b2b_param("package_policy", "message-summary: timer_n=0").start();
    let news = Newsreader::new(&server);
    let watch = Watch::to(&server, &notifier.uri("mailbox"), "message-summary");
    let subscribe = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.accept(&subscribe, 3600);
    watch.await_state("confirmed");
    let fetch = json!([notifier.uri("fetched"), server.uri("watcher"), "message-summary", "fetch=2"]);
    server.rpc("presence_b2b.subscribe", fetch).expect("an id");
    let asked = notifier.expect_subscribe(SOON);
    let mut fetched = notifier.accept(&asked, 0);
    // Presence has no policy: its Timer N is the clock.
    let insisted = Watch::begin(&server, &notifier.uri("insisted"));
    let _silent = notifier.accept(&notifier.expect_subscribe(SOON), 3600);

    let no_notify = |record: &str| {
        let mark = |news: &News| news.record == record && news.reason == "no NOTIFY";
        eventually(TIMER_N + SOON, record, || news.all().into_iter().find(mark))
    };
    let last = no_notify(&notifier.uri("fetched"));
    assert_eq!((&*last.status, last.code, last.next_attempt), ("terminated", 0, None));
    assert!(asked.at.elapsed() < Duration::from_secs(20), "{:?}", asked.at.elapsed());
    assert_eq!(fetched.notify(Notify::active(3600)).status(), 481);
    no_notify(&notifier.uri("insisted"));

    let shown = watch.show();
    assert_eq!((&shown["state"], &shown["status"]), (&json!("confirmed"), &json!("none")), "{shown}");
    assert!(subscribe.at.elapsed() > TIMER_N);
    let waiting = Notify::active(3540).body("application/simple-message-summary", "Messages-Waiting: yes\r\n");
    assert_eq!(dialog.notify(waiting).status(), 200);
    assert_eq!(watch.await_news("the state", |news| news.status == "active").reason, "");
    insisted.unsubscribe();
    watch.end(&mut dialog);
    server.stop();
}
