//! A NOTIFY that is accepted: answered at once, delivered exactly once and in order, and its Subscription-State is applied.

use std::time::{Duration, Instant};

use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;
use crate::support::watch::{Watch, assert_unchanged, told};

/// `handle_notify()` makes the transaction; its return code tells unknown dialogs apart.
const WITHOUT_TRANSACTION: &str = r#"request_route {
    if (is_method("NOTIFY")) {
        handle_notify();
        $var(found) = $rc;
        xlog("L_NOTICE", "FOUND $var(found)\n");
        if ($var(found) == -1) sl_send_reply("481", "From the script");
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}"#;

/// Delivered once, however often it comes: messages keep their order, so the count is exact once a later one has arrived.
fn accepted_and_delivered_once(server: &Server, transport: Transport) {
    let notifier = Notifier::new(transport);
    leaves_nothing(server, || {
        let (watch, mut dialog, subscribe) = Watch::standing(server, &notifier, 600);
        let request = dialog.build(told(600, "second"));
        let answer = notifier.endpoint.exchange(&request, dialog.next_hop, SOON);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.need("Contact"), subscribe.need("Contact"), "or peers move to another transport");

        let again = notifier.endpoint.exchange(&request, dialog.next_hop, SOON);
        assert_eq!(again.status(), 200, "the same branch");
        let (number, _) = request.cseq();
        assert_eq!(dialog.notify(told(600, "second").cseq(number)).status(), 200, "the same CSeq on a new branch");

        assert_eq!(dialog.notify(told(600, "third")).status(), 200);
        watch.await_note("third");
        assert_eq!(watch.notes(), ["first", "second", "third"]);
        assert_eq!(watch.number("notifies"), 3);
        watch.end(&mut dialog);
    });
}

#[test]
fn accepted_and_delivered_once_over_udp() {
    let server = Server::b2b().route(TELL).start();
    accepted_and_delivered_once(&server, Transport::Udp);
    server.stop();
}

#[test]
fn accepted_and_delivered_once_over_tcp() {
    let server = Server::b2b().route(TELL).start();
    accepted_and_delivered_once(&server, Transport::Tcp);
    server.stop();
}

#[test]
fn the_script_need_not_make_the_transaction() {
    let server = Server::b2b().route(WITHOUT_TRANSACTION).route(TELL).start();
    accepted_and_delivered_once(&server, Transport::Udp);
    accepted_and_delivered_once(&server, Transport::Tcp);
    assert!(!server.log().text().contains("FOUND -1"));
    server.stop();
}

#[test]
fn what_is_unknown_is_left_to_the_script() {
    let server = Server::b2b().route(WITHOUT_TRANSACTION).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let mut unknown = dialog.clone();
        unknown.call_id = "never-heard-of".to_owned();
        let mark = server.log().mark();
        let answer = unknown.notify(told(600, "unknown"));
        assert!(answer.to_string().starts_with("SIP/2.0 481 From the script\n"), "{}", answer.message);
        assert_eq!(server.log().since(mark, "FOUND -1").len(), 1);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// After a fail-over a notifier continues with an older CSeq: the NOTIFY after the accepted refresh is refused, and a new
/// dialog is opened. The same follows if a CSeq is used twice, the second time to end the subscription.
#[test]
fn a_notifier_that_has_lost_its_count_is_left() {
    let server = Server::eager(1).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for newest in [5000, u32::MAX] {
            let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
            assert_eq!(dialog.notify(told(600, "newest").cseq(newest)).status(), 200);
            server.refresh(watch.id);
            let refresh = dialog.expect_subscribe(SOON);
            dialog.accept(&refresh, 600);
            watch.await_state("confirmed");
            assert_eq!(dialog.notify(told(600, "behind").cseq(40)).status(), 500);
            let again = notifier.expect_subscribe(SOON);
            assert_ne!(again.need("Call-ID"), refresh.need("Call-ID"));
            let mut dialog = notifier.accept(&again, 600);
            assert_eq!(dialog.notify(told(600, "again").cseq(7)).status(), 200);
            assert_eq!(dialog.notify(told(600, "another").cseq(7)).status(), 500, "not the same");
            assert_eq!(dialog.notify(told(600, "again").cseq(7)).status(), 200, "the same on a new branch");
            assert_eq!(watch.number("repeated"), 1);
            // A refresh follows the refusal; it is not answered here.
            assert_eq!(dialog.notify(Notify::terminated("rejected", 0).cseq(7)).status(), 500);
            let mut again = notifier.expect_subscribe(SOON);
            while again.param("To", "tag").is_some() {
                again = notifier.expect_subscribe(SOON);
            }
            let mut dialog = notifier.accept(&again, 600);
            assert_eq!(dialog.notify(told(600, "last")).status(), 200);
            assert_eq!(watch.number("stale"), 3);
            server.end(watch.id, &mut dialog);
        }
    });
    server.stop();
}

#[test]
fn cseq_only_goes_up() {
    // No refresh comes before half of what is granted, not even one that follows a refusal.
    let server = Server::b2b().b2b_param("min_resubscribe_time", 3600).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        // Lost NOTIFYs leave gaps; some peers begin near 10^9. The last is the largest CSeq there is.
        for number in [3, 1_000_000_000, 2_147_483_646, 2_147_483_647] {
            assert_eq!(dialog.notify(told(600, &format!("n{number}")).cseq(number)).status(), 200, "{number}");
            assert_eq!(watch.number("remote_cseq"), u64::from(number));
        }
        watch.await_note("n2147483647");
        let before = watch.show();
        for number in [2_147_483_645, 4, 2, 0] {
            let late = told(60, "late").cseq(number).set("Contact", "<sip:elsewhere@127.0.0.1>");
            assert_eq!(dialog.notify(late).status(), 500, "{number}");
            assert_unchanged(&before, &watch.show(), "a stale NOTIFY");
        }
        assert_eq!(watch.notes(), ["first", "n3", "n1000000000", "n2147483646", "n2147483647"]);

        watch.unsubscribe();
        let farewell = dialog.expect_subscribe(SOON);
        dialog.accept(&farewell, 0);
        let last = Notify::terminated("timeout", 0).cseq(2_147_483_648);
        assert_eq!(dialog.notify(last).status(), 200, "beyond what RFC 3261 allows, but no ground to refuse it");
        watch.await_gone(SOON);
    });
    server.stop();
}

#[test]
fn pending_becomes_active() {
    let server = Server::b2b().route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let subscribe = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&subscribe);
        dialog.answer(&subscribe, 202, &[("Expires", "600")]);
        watch.await_state("confirmed");
        assert_eq!(watch.show()["status"], "none");
        assert_eq!(dialog.notify(Notify::pending(600)).status(), 200);
        let first = watch.await_news("pending", |news| news.status == "pending");
        assert_eq!((first.basic.as_str(), first.note.as_str()), ("", ""), "no document yet");
        assert_eq!(watch.show()["status"], "pending");
        assert_eq!(dialog.notify(told(600, "allowed")).status(), 200);
        let second = watch.await_note("allowed");
        assert_eq!((second.status.as_str(), second.basic.as_str()), ("active", "open"));
        assert_eq!(watch.show()["status"], "active");
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn the_state_is_read_by_its_grammar() {
    let server = Server::b2b().route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let cases = [
            ("active;reason=terminated", "active"),
            ("PENDING", "pending"),
            ("Active ;\tEXPIRES = 600", "active"),
            ("pending;\r\n expires=600;\r\n\treason=active", "pending"),
            ("active;x=\"a;terminated\";expires=600", "active"),
            ("pending;terminated;active", "pending"),
            // An extension state does not change a subscription that is active or pending.
            ("snoozing;reason=terminated", "pending"),
            ("active;expires=not-a-number", "active"),
            ("terminated-soon", "active"),
            // Seen in the field: text after the state is ignored.
            ("pending, 3600", "pending"),
            ("active expires=600", "active"),
        ];
        for (number, (header, status)) in cases.iter().enumerate() {
            let note = format!("case {number}");
            let notify = told(600, &note).set("Subscription-State", header);
            assert_eq!(dialog.notify(notify).status(), 200, "{header:?}");
            assert_eq!(watch.await_note(&note).status, *status, "{header:?}");
            assert_eq!(watch.show()["state"], "confirmed", "{header:?}");
        }
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn a_sooner_expiry_moves_the_refresh() {
    let server = Server::b2b().b2b_param("min_resubscribe_time", 0).b2b_param("resubscribe_delta", 2);
    let server = server.b2b_param("refresh_jitter", 0).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 3600);
        // An expiry longer than requested is not accepted; a missing one and 0 change nothing.
        for header in ["active;expires=99999", "active", "active;expires=0"] {
            assert_eq!(dialog.notify(Notify::state(header)).status(), 200);
            let [expires, next] = ["expires_in", "next_action_in"].map(|field| watch.number(field));
            assert!((3560..=3600).contains(&expires) && (3558..=3598).contains(&next), "{header}: {expires} {next}");
        }
        assert_eq!(dialog.notify(Notify::active(100)).status(), 200);
        let [expires, next] = ["expires_in", "next_action_in"].map(|field| watch.number(field));
        assert!((90..=100).contains(&expires) && (88..=98).contains(&next), "{expires} {next}");

        let begun = Instant::now();
        assert_eq!(dialog.notify(Notify::active(4)).status(), 200);
        let refresh = dialog.expect_subscribe(SOON);
        let after = refresh.at - begun;
        assert!(after > Duration::from_millis(1800) && after < Duration::from_secs(4), "{after:?}");
        dialog.accept(&refresh, 3600);
        watch.await_state("confirmed");
        assert!(watch.number("next_action_in") > 3500);
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn no_body_is_news_too() {
    let server = Server::b2b().route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        // An empty Content-Type of an empty body is ignored.
        assert_eq!(dialog.notify(Notify::active(600).body("application/pidf+xml", "")).status(), 200);
        assert_eq!(dialog.notify(Notify::pending(600).without("Contact")).status(), 200);
        watch.await_news("pending", |news| news.status == "pending");
        let news = watch.news();
        assert_eq!(
            news.iter().map(|news| news.status.as_str()).collect::<Vec<_>>(),
            ["active", "active", "active", "pending"]
        );
        assert!(news.iter().skip(1).all(|news| news.basic.is_empty() && news.note.is_empty()), "{news:?}");
        assert_eq!(watch.show()["remote_target"], dialog.contact.as_str(), "without a Contact the target stays");
        watch.end(&mut dialog);
    });
    server.stop();
}

#[test]
fn a_notify_may_come_before_the_2xx_and_from_elsewhere() {
    let server = Server::b2b().route(TELL).start();
    let (notifier, elsewhere) = (Notifier::udp(), Endpoint::udp());
    leaves_nothing(&server, || {
        let watch = Watch::begin(&server, &notifier.uri("alice"));
        let subscribe = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.dialog(&subscribe);
        let early = told(300, "early");
        // The dialog is known by Call-ID and tags: where a NOTIFY comes from does not matter.
        assert_eq!(dialog.notify_from(&elsewhere, early).status(), 200);
        watch.await_note("early");
        assert_eq!(watch.show()["state"], "unconfirmed");
        dialog.accept(&subscribe, 600);
        watch.await_state("confirmed");
        assert!(watch.number("expires_in") <= 300, "the NOTIFY's word counts more");
        assert_eq!(dialog.notify(told(300, "after")).status(), 200);
        watch.await_note("after");
        assert_eq!(watch.notes(), ["early", "after"]);
        watch.end(&mut dialog);
    });
    server.stop();
}

/// Another record's document in another dialog: each subscription gets only its own.
#[test]
fn each_dialog_has_its_own_news() {
    let server = Server::b2b().route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (alice, mut of_alice, _) = Watch::standing(&server, &notifier, 600);
        let carol = Watch::begin(&server, &notifier.uri("carol"));
        let mut of_carol = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let closed = pidf("sip:carol@example.com", "closed", Some("away"));
        assert_eq!(of_carol.notify(Notify::active(600).pidf(&closed)).status(), 200);
        assert_eq!(carol.await_note("away").basic, "closed");
        assert_eq!((alice.notes(), carol.notes()), (vec!["first".to_owned()], vec!["away".to_owned()]));
        alice.end(&mut of_alice);
        carol.end(&mut of_carol);
    });
    server.stop();
}
