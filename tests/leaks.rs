//! Lives of subscriptions leave nothing behind in any process of the server and in any of its modules.

use std::collections::BTreeMap;

use crate::support::kamailio::Server;
use crate::support::leaks::{growing, leaves_nothing_anywhere};
use crate::support::news::TELL;
use crate::support::notifier::Notifier;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, told};

#[test]
fn what_grows_with_each_batch_is_a_leak() {
    let amounts = |leak: i64, once: i64| BTreeMap::from([("leak".to_owned(), leak), ("once".to_owned(), once)]);
    let found = growing(&[&amounts(0, 0), &amounts(8, 900), &amounts(16, 900)], 8);
    assert!(matches!(&found[..], [one] if one.contains("leak: [0, 8, 16]")), "{found:?}");
    assert_eq!(growing(&[&amounts(8, 0), &amounts(8, 900), &amounts(16, 0)], 8), [""; 0]);
}

/// With routes, a challenge, a redirection and a refusal, so that all kinds of headers are parsed in a worker.
#[test]
fn lives_leave_nothing_anywhere() {
    let server = Server::b2b().children(1).b2b_param("min_resubscribe_time", 0).b2b_param("workers", 1);
    let server = server.b2b_param("credential", "watcher:here:secret").route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing_anywhere(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let challenge = [("WWW-Authenticate", "Digest realm=\"here\", nonce=\"n\", qop=\"auth\"")];
        notifier.reject(&notifier.expect_subscribe(SOON), 401, &challenge);
        notifier.redirect(&notifier.expect_subscribe(SOON), &[&notifier.uri("moved")]);
        let subscribe = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&subscribe);
        let route = format!("<sip:{};lr>", notifier.endpoint.addr());
        dialog.answer(&subscribe, 200, &[("Expires", "600"), ("Record-Route", &route)]);
        let first = told(600, "first").with("Record-Route", &route);
        assert_eq!(dialog.notify(first).status(), 200);
        watch.await_note("first");
        assert_eq!(dialog.notify(told(600, "refused").event("dialog")).status(), 489);
        watch.end(&mut dialog);
    });
    server.stop();
}
