//! SUBSCRIBEs that are forked on their way: each notifier that sends a NOTIFY has a dialog of its own (RFC 6665 §4.1.4).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Received};
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

fn forking() -> Builder {
    Server::eager(1).b2b_param("forking", "all")
}

/// The records of the table, by fork.
fn list(server: &Server) -> Vec<Value> {
    let mut all = server.rpc("presence_b2b.list", json!([])).expect("a list").as_array().expect("rows").clone();
    all.sort_by_key(|row| row["fork"].as_u64());
    all
}

/// Two notifiers that one SUBSCRIBE has reached, both active.
struct Pair {
    id: u64,
    subscribe: Received,
    first: Dialog,
    second: Dialog,
}

fn pair(server: &Server, news: &mut Newsreader<'_>, one: &Notifier, other: &Notifier, package: &str) -> Pair {
    let parameters = json!([one.uri("alice"), server.uri("watcher"), package]);
    let id = server.rpc("presence_b2b.subscribe", parameters).expect("an id").as_u64().expect("a number");
    let subscribe = one.expect_subscribe(SOON);
    let (mut first, mut second) = (one.dialog(&subscribe), other.dialog(&subscribe));
    for (fork, dialog) in [(0, &mut first), (1, &mut second)] {
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        let told = news.next("a state");
        assert_eq!((told.id, told.fork, &*told.status), (id, fork, "active"));
    }
    Pair { id, subscribe, first, second }
}

#[test]
fn each_of_three_has_its_own_dialog() {
    let [one, two, three] = [(); 3].map(|()| Notifier::udp());
    let hop = Endpoint::udp();
    let record = one.uri("alice");
    let server = forking().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&record, &server.uri("watcher"));
        let subscribe = one.expect_subscribe(SOON);
        let [mut first, mut second, mut third] = [&one, &two, &three].map(|notifier| notifier.dialog(&subscribe));
        let states = [
            (&mut first, Notify::active(600).pidf(&pidf(&record, "open", None)), ("active", "open")),
            (&mut second, Notify::active(300).pidf(&pidf(&record, "closed", None)), ("active", "closed")),
            (
                &mut third,
                Notify::pending(600).with("Record-Route", &format!("<sip:{};lr>", hop.addr())),
                ("pending", ""),
            ),
        ];
        for (fork, (dialog, notify, state)) in states.into_iter().enumerate() {
            dialog.cseq = 100 * u32::try_from(fork).expect("small");
            assert_eq!(dialog.notify(notify).status(), 200);
            let told = news.next("its state");
            assert_eq!((told.id, usize::from(told.fork), &*told.status, &*told.basic), (id, fork, state.0, state.1));
        }
        // The 2xx may be that of either notifier.
        second.accept(&subscribe, 300);
        server.await_shown(id, "state", "confirmed");
        let rows = list(&server);
        let of = |field: &str| rows.iter().map(|row| row[field].clone()).collect::<Vec<_>>();
        assert_eq!(of("fork"), [0, 1, 2]);
        assert_eq!(of("fork_of"), [Value::Null, json!(id), json!(id)]);
        assert_eq!(of("remote_tag"), [&first, &second, &third].map(|dialog| json!(dialog.local_tag)));
        assert_eq!(of("remote_cseq"), [1, 101, 201]);
        assert_eq!(of("local_cseq"), [1, 1, 1]);
        let ids: Vec<u64> = of("id").iter().filter_map(Value::as_u64).collect();

        // Each is refreshed where it is, by its own route, with CSeqs of its own.
        server.refresh(ids[1]);
        let refresh = second.expect_subscribe(SOON);
        assert_eq!((refresh.uri(), refresh.cseq().0), (&*second.contact, 2));
        second.accept(&refresh, 300);
        server.refresh(ids[2]);
        let refresh = hop.expect_request("SUBSCRIBE", SOON);
        assert_eq!((refresh.uri(), refresh.cseq().0), (&*third.contact, 2));
        assert_eq!(refresh.param("To", "tag"), Some(&*third.local_tag));
        hop.answer(&refresh, &third.response(&refresh, 200).with("Expires", 600));
        let shown = server.show_when(ids[2], "refreshed", |shown| shown["state"] == "confirmed");
        assert_eq!(shown["local_cseq"], 2, "{shown}");
        assert_eq!(server.show(ids[0])["local_cseq"], 1);

        // One ends; the others stay active.
        assert_eq!(second.notify(Notify::terminated("deactivated", 0)).status(), 200);
        let told = news.next("the end of one");
        assert_eq!((told.id, told.fork, &*told.status, told.next_attempt), (id, 1, "terminated", None));
        assert_eq!(first.notify(Notify::active(600).pidf(&pidf(&record, "closed", None))).status(), 200);
        let told = news.next("a later state");
        assert_eq!((told.fork, &*told.basic), (0, "closed"));

        server.unsubscribe(id);
        farewell(&mut first);
        let last = hop.expect_request("SUBSCRIBE", SOON);
        assert_eq!((last.uri(), last.need("Expires"), last.cseq().0), (&*third.contact, "0", 3));
        hop.answer(&last, &third.response(&last, 200).with("Expires", 0));
        assert_eq!(third.notify(Notify::terminated("timeout", 0)).status(), 200);
        server.await_no_subscription();
        assert!(second.try_subscribe(Duration::from_millis(50)).is_none(), "it has ended");
        news.assert_no_more();
    });
    server.stop();
}

/// RFC 4235 §3.9 has several, RFC 3856 §6.9 one. The parameter has precedence, and `package_policy` over the parameter.
#[test]
fn the_package_and_the_operator_decide() {
    let [one, other] = [(); 2].map(|()| Notifier::udp());
    for (forking, policy, package, several) in [
        ("package", "reg: 404=never", "dialog", true),
        ("package", "reg: 404=never", "message-summary", true),
        ("package", "reg: 404=never", "reg", false),
        ("first", "reg: 404=never", "dialog", false),
        ("first", "dialog: forking=all", "dialog", true),
        ("all", "presence: forking=package", "presence", false),
    ] {
        let server = Server::eager(1).b2b_param("forking", forking).b2b_param("package_policy", policy).start();
        let parameters = json!([one.uri("alice"), server.uri("watcher"), package]);
        let id = server.rpc("presence_b2b.subscribe", parameters).expect("an id").as_u64().expect("a number");
        let subscribe = one.expect_subscribe(SOON);
        let (mut first, mut second) = (one.accept(&subscribe, 600), other.dialog(&subscribe));
        assert_eq!(first.notify(Notify::active(600)).status(), 200);
        let answer = second.notify(Notify::active(600)).status();
        assert_eq!(answer, if several { 200 } else { 481 }, "{forking} {policy} {package}");
        server.unsubscribe(id);
        farewell(&mut first);
        if several {
            farewell(&mut second);
        }
        server.await_no_subscription();
        server.stop();
    }
}

/// RFC 6665 §4.1.2.4: after Timer N, half a minute, there are no new ones; those there are stay.
#[test]
fn a_late_one_is_refused() {
    let [one, other, late] = [(); 3].map(|()| Notifier::udp());
    let server = forking().start();
    let mut news = Newsreader::new(&server);
    let begun = Instant::now();
    let Pair { id, subscribe, mut first, mut second } = pair(&server, &mut news, &one, &other, "presence");
    first.accept(&subscribe, 600);
    eventually(Duration::from_secs(40), "Timer N", || (begun.elapsed() > Duration::from_secs(34)).then_some(()));
    assert_eq!(late.dialog(&subscribe).notify(Notify::active(600)).status(), 481);
    assert_eq!(second.notify(Notify::pending(600)).status(), 200);
    assert_eq!(news.next("a later state").fork, 1);
    server.unsubscribe(id);
    farewell(&mut first);
    farewell(&mut second);
    server.await_no_subscription();
    news.assert_no_more();
    server.stop();
}

#[test]
fn the_others_stay_when_the_first_dialog_ends() {
    let [one, other] = [(); 2].map(|()| Notifier::udp());
    let server = forking().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let Pair { id, subscribe, mut first, mut second } = pair(&server, &mut news, &one, &other, "presence");
        first.accept(&subscribe, 600);
        assert_eq!(first.notify(Notify::terminated("deactivated", 0)).status(), 200);
        let told = news.next("the end of the first dialog");
        assert_eq!((told.fork, &*told.status, told.next_attempt.is_some()), (0, "terminated", true));
        assert_eq!(second.notify(Notify::pending(600)).status(), 200);
        assert_eq!(news.next("the other's state").fork, 1);
        // The new attempt has a Call-ID of its own.
        let again = one.expect_subscribe(SOON);
        assert_ne!(again.need("Call-ID"), subscribe.need("Call-ID"));
        let mut next = one.activate(&again, 600);
        assert_eq!(news.next("the new dialog's state").fork, 0);
        server.unsubscribe(id);
        farewell(&mut next);
        farewell(&mut second);
        server.await_no_subscription();
        news.assert_no_more();
    });
    server.stop();
}

/// The subscription has ended for good: its other forks are unsubscribed.
#[test]
fn the_others_end_with_the_subscription() {
    let [one, other] = [(); 2].map(|()| Notifier::udp());
    let server = forking().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let Pair { subscribe, mut first, mut second, .. } = pair(&server, &mut news, &one, &other, "presence");
        first.accept(&subscribe, 600);
        assert_eq!(first.notify(Notify::terminated("rejected", 0)).status(), 200);
        let told = news.next("the end");
        assert_eq!((told.fork, &*told.status, told.next_attempt), (0, "rejected", None));
        farewell(&mut second);
        server.await_no_subscription();
        news.assert_no_more();
    });
    server.stop();
}

/// A refresh that is refused ends that dialog alone, and no other is opened in its place.
#[test]
fn a_refused_refresh_ends_one() {
    let [one, other] = [(); 2].map(|()| Notifier::udp());
    let server = forking().start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let Pair { id, subscribe, mut first, second } = pair(&server, &mut news, &one, &other, "presence");
        first.accept(&subscribe, 600);
        let fork = list(&server)[1]["id"].as_u64().expect("an id");
        server.refresh(fork);
        second.answer(&second.expect_subscribe(SOON), 481, &[]);
        let told = news.next("the end of one");
        assert_eq!((told.fork, &*told.status, told.code, told.next_attempt), (1, "terminated", 481, None));
        assert_eq!(server.show(id)["status"], "active");
        // An end by the number of a fork ends all.
        server.end(fork, &mut first);
        assert!(one.try_subscribe(Duration::from_millis(50)).is_none());
        news.assert_no_more();
    });
    server.stop();
}

/// Forks with long route sets: no more of them than `fork_bytes` allows; refused ones are counted and logged.
#[test]
fn they_are_bounded_in_bytes() {
    const MOST: u64 = 9000;
    let notifiers: Vec<_> = (0..6).map(|_| Notifier::udp()).collect();
    let server = forking()
        .allow_log("was refused: handle_notify() is false")
        .b2b_param("fork_bytes", i64::try_from(MOST).expect("small"))
        .start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let id = server.subscribe(&notifiers[0].uri("alice"), &server.uri("watcher"));
        let subscribe = notifiers[0].expect_subscribe(SOON);
        let mut dialogs: Vec<_> = notifiers.iter().map(|notifier| notifier.dialog(&subscribe)).collect();
        let with_routes = |dialog: &mut Dialog, bytes: usize| {
            let entry = format!("<sip:{};lr;x={}>", dialog.endpoint().addr(), "a".repeat(bytes / 4));
            dialog.notify(Notify::active(600).with("Record-Route", &[&*entry; 4].join(", "))).status()
        };
        let statuses: Vec<_> = dialogs.iter_mut().map(|dialog| with_routes(dialog, 1000)).collect();
        assert_eq!(statuses, [200; 6], "what is usual");
        let small = server.show(id)["bytes"].as_u64().expect("bytes");
        assert!(small > 6 * 1000 && small < MOST, "{small}");
        // Three more that are twice as long.
        let others: Vec<_> = (0..3).map(|_| Notifier::udp()).collect();
        let mut more: Vec<_> = others.iter().map(|notifier| notifier.dialog(&subscribe)).collect();
        let statuses: Vec<_> = more.iter_mut().map(|dialog| with_routes(dialog, 2000)).collect();
        assert_eq!(statuses, [200, 481, 481]);
        let shown = server.show(id);
        assert!(shown["bytes"].as_u64().is_some_and(|bytes| bytes > small + 2000 && bytes < MOST + 2500), "{shown}");
        assert_eq!((&shown["refused"], &shown["fork"]), (&json!(2), &json!(0)), "{shown}");
        assert_eq!(list(&server).len(), 7);
        for fork in 0..7 {
            assert_eq!(news.next("its state").fork, fork);
        }
        dialogs[0].accept(&subscribe, 600);
        server.unsubscribe(id);
        dialogs.iter_mut().chain([&mut more[0]]).for_each(farewell);
        server.await_no_subscription();
    });
    server.stop();
}

/// Forks count as subscriptions: one above the limit gets a Retry-After.
#[test]
fn one_beyond_max_subscriptions_is_put_off() {
    let [one, other] = [(); 2].map(|()| Notifier::udp());
    let third = Notifier::udp();
    let server = forking().b2b_param("max_subscriptions", 2).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let Pair { id, subscribe, mut first, mut second } = pair(&server, &mut news, &one, &other, "presence");
        first.accept(&subscribe, 600);
        let refused = third.dialog(&subscribe).notify(Notify::active(600));
        assert_eq!((refused.status(), refused.header("Retry-After")), (503, Some("30")));
        assert_eq!(server.trace()["subscriptions"], 2);
        server.unsubscribe(id);
        farewell(&mut first);
        farewell(&mut second);
        server.await_no_subscription();
        news.assert_no_more();
    });
    server.stop();
}

/// All dialogs of a subscription answer challenges with the credentials that it has been given, those too that were there before.
#[test]
fn forks_get_credentials() {
    let route = r#"request_route {
    if (is_method("NOTIFY")) {
        if (!handle_notify()) sl_send_reply("481", "Subscription does not exist");
        exit;
    }
    if (b2b_credentials("$hdr(X-Record)", "$hdr(X-Subscriber)", "presence", "watcher", "secret")) {
        sl_send_reply("200", "Given");
    } else {
        sl_send_reply("403", "Not Given");
    }
}"#;
    let [one, other] = [(); 2].map(|()| Notifier::udp());
    let operator = Endpoint::udp();
    let server = forking().route(route).start();
    leaves_nothing(&server, || {
        let mut news = Newsreader::new(&server);
        let Pair { id, subscribe, mut first, mut second } = pair(&server, &mut news, &one, &other, "presence");
        first.accept(&subscribe, 600);
        let uri = server.uri("script");
        let give = operator.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Record", one.uri("alice"));
        let give = give.with("X-Subscriber", server.uri("watcher"));
        assert_eq!(operator.exchange(&give, server.addr(), SOON).status(), 200);
        let rows = list(&server);
        for (row, dialog) in rows.iter().zip([&mut first, &mut second]) {
            server.refresh(row["id"].as_u64().expect("an id"));
            let challenge = [("WWW-Authenticate", "Digest realm=\"here\", nonce=\"n\", qop=\"auth\"")];
            dialog.answer(&dialog.expect_subscribe(SOON), 401, &challenge);
            let again = dialog.expect_subscribe(SOON);
            let answer = again.header("Authorization").unwrap_or_else(|| panic!("no credentials for {row}"));
            assert!(answer.contains("username=\"watcher\""), "{answer}");
            dialog.accept(&again, 600);
            assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        }
        server.unsubscribe(id);
        farewell(&mut first);
        farewell(&mut second);
        server.await_no_subscription();
    });
    server.stop();
}
