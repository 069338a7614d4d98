//! The log lines about a subscription that begins to fail and that works again.

use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};

const WARNING: &str = " WARNING: presence_b2b ";

/// The lines about failures and recoveries.
fn lines(server: &Server) -> Vec<String> {
    let told = |line: &&str| line.contains("presence_b2b") && line.contains("subscription ");
    server.log().text().lines().filter(told).map(str::to_owned).collect()
}

#[test]
fn one_line_for_a_failure_and_one_for_the_recovery() {
    let notifier = Notifier::udp();
    let server = Server::eager(1).start();
    let (record, watcher) = (notifier.uri("alice"), server.uri("watcher"));
    let id = server.subscribe(&record, &watcher);
    for _ in 0..2 {
        notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
    }
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    let said = eventually(SOON, "the recovery is told", || Some(lines(&server)).filter(|said| said.len() >= 2));
    let named = format!("subscription {id} of {watcher} to {record} (presence)");
    assert!(
        said[0].contains(WARNING) && said[0].contains(&format!("{named}: 404 Scripted; the next attempt is in 1 s. "))
    );
    assert!(said[0].ends_with("The notifier does not know the record"), "{said:?}");
    assert!(
        said[1].contains(" NOTICE: presence_b2b ") && said[1].ends_with(&format!("{named} works again")),
        "{said:?}"
    );

    // A failed refresh is a failure as well; an unsubscribe by the operator is not.
    server.refresh(id);
    notifier.reject(&dialog.expect_subscribe(SOON), 500, &[]);
    let refresh = dialog.expect_subscribe(SOON);
    dialog.accept(&refresh, 600);
    let said = eventually(SOON, "both are told", || Some(lines(&server)).filter(|said| said.len() >= 4));
    assert!(said[2].contains(&format!("{named}: 500 Scripted; the next attempt is in ")), "{said:?}");
    server.end(id, &mut dialog);
    assert_eq!(lines(&server).len(), 4, "{:#?}", lines(&server));
    server.stop();
}

/// A common mistake.
#[test]
fn a_notify_that_does_not_reach_the_module_is_explained() {
    let notifier = Notifier::udp();
    let server = Server::b2b().gives_up_after(500).b2b_param("on_error_retry_time", 600);
    let server = server
        .route("request_route { sl_send_reply(\"481\", \"Behind has_totag()\"); }\nevent_route[qsa:notify] { exit; }\n")
        .start();
    server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let request = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.accept(&request, 600);
    assert_eq!(dialog.notify(Notify::active(600)).status(), 481);
    let said = eventually(std::time::Duration::from_secs(45), "Timer N is told", || lines(&server).first().cloned());
    assert!(
        said.contains("no NOTIFY; the next attempt is in ") && said.contains("call it before any test for a dialog"),
        "{said}"
    );
    server.stop();
}

#[test]
fn many_at_once_do_not_flood_the_log() {
    let notifier = Notifier::udp();
    let server = Server::b2b().b2b_param("on_error_retry_time", 600).b2b_param("breaker_failures", 0).start();
    let many = 300;
    for number in 0..many {
        server.subscribe(&notifier.uri(&format!("user{number}")), &server.uri("watcher"));
    }
    for _ in 0..many {
        notifier.reject(&notifier.expect_subscribe(SOON), 403, &[]);
    }
    eventually(SOON, "all have failed", || {
        let all = server.rows("presence_b2b.list");
        let failed = all.iter().filter(|one| one["last_reply"] == 403).count();
        (failed == many).then_some(())
    });
    let text = server.log().text();
    let ends = text.matches("more subscriptions fail or work again than the log shows").count();
    let told = lines(&server).iter().filter(|line| line.contains("403")).count();
    assert!(ends >= 1 && told <= 10 * (ends + 1), "{told} lines, {ends} times cut");
    server.stop();
}

/// A type with bytes that the log must escape, and longer than it shows.
const LONG_TYPE: &str = "image/svg+xml;note=\"ü, a name that is longer than what one line of the log can hold; it is cut \
                         somewhere in here, not later\"";

/// The log names a refused NOTIFY with its answer and with advice.
#[test]
fn a_refused_notify_is_explained() {
    for (type_of_body, require, said) in [
        (
            "text/plain",
            None,
            "was refused with 415 Unsupported Media Type: its body is \"text/plain\", which the package does not accept",
        ),
        (
            LONG_TYPE,
            None,
            "Unsupported Media Type: its body is \"image/svg+xml;note=\\\"\\xc3\\xbc, a name that is longer than what one \
             line of the log can hold; it is cut some...\", which",
        ),
        ("application/pidf+xml", None, "was refused with 400 Malformed Body, because of its body (line 1, column "),
        (
            "application/pidf+xml",
            Some("eventlist"),
            "was refused with 420 Bad Extension: it requires an extension: for resource lists",
        ),
    ] {
        let notifier = Notifier::udp();
        let server = Server::b2b().allow_log(" was refused with ").start();
        let record = notifier.uri("alice");
        server.subscribe(&record, &server.uri("watcher"));
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let notify = Notify::active(600).body(type_of_body, "<presence");
        let notify = match require {
            Some(tag) => notify.with("Require", tag),
            None => notify,
        };
        assert!(dialog.notify(notify).status() >= 400);
        let log =
            eventually(SOON, "the refusal is told", || Some(server.log().text()).filter(|log| log.contains(said)));
        assert!(log.contains(&format!("a NOTIFY of {record} (subscription ")), "{log}");
        server.stop();
    }
}
