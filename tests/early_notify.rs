//! NOTIFYs that come before the answer to the SUBSCRIBE: they make the dialog (RFC 6665 §4.1.2.4, §4.4.1).

use std::time::Duration;

use serde_json::json;

use crate::support::endpoint::Transport;
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

fn answered_late_over(transport: Transport) {
    let notifier = Notifier::new(transport);
    let record = notifier.uri("alice");
    let server = Server::eager(1).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&record, &server.uri("watcher"));
        let subscribe = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&subscribe);
        let early = Notify::active(600).pidf(&pidf(&record, "open", None));
        assert_eq!(dialog.notify(early).status(), 200);
        let told = news.next("the early state");
        assert_eq!((told.status.as_str(), told.basic.as_str()), ("active", "open"));
        let shown = server.show(id);
        assert_eq!((&shown["remote_tag"], &shown["notifies"]), (&json!(dialog.local_tag), &json!(1)), "{shown}");
        assert_eq!((&shown["remote_target"], &shown["remote_cseq"]), (&json!(dialog.contact), &json!(1)), "{shown}");

        dialog.accept(&subscribe, 600);
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!((&shown["last_reply"], &shown["retries"]), (&json!(200), &json!(0)), "{shown}");
        dialog.notify(Notify::active(600).pidf(&pidf(&record, "closed", None)));
        assert_eq!(news.next("the next state").basic, "closed");
        server.end(id, &mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

#[test]
fn the_2xx_comes_late_over_udp() {
    answered_late_over(Transport::Udp);
}

#[test]
fn the_2xx_comes_late_over_tcp() {
    answered_late_over(Transport::Tcp);
}

/// The reply is lost: tm's 408 does not end a subscription that a NOTIFY has made.
#[test]
fn the_2xx_never_comes() {
    let notifier = Notifier::udp();
    let server = Server::eager(1).gives_up_after(700).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let subscribe = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&subscribe);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        assert_eq!(news.next("the early state").status, "active");
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!((&shown["last_reply"], &shown["status"]), (&json!(408), &json!("active")), "{shown}");
        assert!(shown["expires_in"].as_u64().is_some_and(|left| (590..=600).contains(&left)), "{shown}");

        assert_eq!(dialog.notify(Notify::pending(600)).status(), 200);
        assert_eq!(news.next("a later state").status, "pending");
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.uri(), dialog.contact);
        dialog.accept(&refresh, 600);
        server.end(id, &mut dialog);
        news.assert_no_more();
    });
    server.stop();
}

/// Without a NOTIFY the 408 is a failure, and a later NOTIFY of the failed attempt is refused.
#[test]
fn neither_2xx_nor_notify_in_time() {
    let notifier = Notifier::udp();
    let server = Server::eager(1).gives_up_after(700).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let mut late = notifier.dialog(&notifier.expect_subscribe(SOON));
        assert_eq!(news.next("the timeout").code, 408);
        assert_eq!(late.notify(Notify::active(600)).status(), 481);
        server.unsubscribe(id);
        server.await_no_subscription();
    });
    server.stop();
}

/// RFC 3856 §6.9: presence has one fork, the first that sends a NOTIFY; the 2xx of another does not change that.
#[test]
fn the_first_fork_that_notifies_is_the_one() {
    let notifier = Notifier::udp();
    let server = Server::eager(1).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let subscribe = notifier.expect_subscribe(SOON);
        let (mut first, mut second) = (notifier.dialog(&subscribe), notifier.dialog(&subscribe));
        assert_eq!(first.notify(Notify::active(600)).status(), 200);
        assert_eq!(second.notify(Notify::pending(600)).status(), 481);
        second.accept(&subscribe, 300);
        let shown = server.await_shown(id, "state", "confirmed");
        assert_eq!(shown["remote_tag"], json!(first.local_tag), "{shown}");
        assert_eq!(second.notify(Notify::terminated("rejected", 0)).status(), 481);
        assert_eq!(server.show(id)["status"], "active");

        server.refresh(id);
        let refresh = first.expect_subscribe(SOON);
        first.accept(&refresh, 600);
        assert!(second.try_subscribe(Duration::from_millis(50)).is_none());
        server.end(id, &mut first);
        assert_eq!(news.next("the only state").status, "active");
        news.assert_no_more();
    });
    server.stop();
}

/// The internal subscriber has unsubscribed before any answer: each notifier that sends a NOTIFY gets an unsubscribe.
#[test]
fn unsubscribed_before_the_2xx() {
    let notifier = Notifier::udp();
    let server = Server::eager(1).start();
    leaves_nothing(&server, || {
        let news = Newsreader::new(&server);
        let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
        let subscribe = notifier.expect_subscribe(SOON);
        server.unsubscribe(id);
        let mut dialog = notifier.dialog(&subscribe);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        dialog.accept(&subscribe, 600);
        crate::support::b2b::farewell(&mut dialog);
        server.await_no_subscription();
        news.assert_no_more();
    });
    server.stop();
}
