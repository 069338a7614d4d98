//! Parameters that change while the server runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documentation::{blocks_in, integers};
use crate::kamcmd::kamcmd;
use crate::stored::{folder, settled, storing};
use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::news::Newsreader;
use crate::support::notifier::{Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::Watch;

const GROUP: &str = "presence_b2b";

/// The texts that are set once, but for the URL of the database.
const TEXTS: usize = 9;

/// Refusals are errors of the server.
fn changeable(builder: Builder) -> Builder {
    let builder = builder.module("cfg_rpc").allow_log("integer value is out of range");
    builder.allow_log("failed to set the variable").allow_log("variable is read-only").allow_log("modparam max_body is")
}

fn get(server: &Server, name: &str) -> Value {
    server.rpc("cfg.get", json!([GROUP, name])).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

fn set(server: &Server, name: &str, value: i32) {
    server.rpc("cfg.set_now_int", json!([GROUP, name, value])).unwrap_or_else(|fault| panic!("{name}: {fault}"));
}

fn refused(server: &Server, name: &str, value: i32, why: &str) {
    let mark = server.log().mark();
    let fault = server.rpc("cfg.set_now_int", json!([GROUP, name, value])).expect_err(name);
    assert_eq!((fault.code, fault.message.as_str()), (400, "Failed to set the variable"), "{name}");
    eventually(SOON, why, || (!server.log().since(mark, why).is_empty()).then_some(()));
}

/// Each is shown as it is at the start, takes the ends of its range, and nothing beyond; or nothing at all.
#[test]
fn ranges_are_those_of_the_table() {
    let server = changeable(Server::b2b()).module("ctl").modparam("ctl", "binrpc", "unix:{dir}/ctl");
    let server = server.b2b_param("max_body", 5000).start();
    for (name, facts) in integers() {
        let start = if name == "max_body" { 5000 } else { facts.default };
        assert_eq!(get(&server, name), start, "{name}");
        let help = kamcmd(&server, &["cfg.help", GROUP, name]);
        let range = format!("{} to {}, {} unless set", facts.least, facts.most, facts.default);
        assert!(help.contains(&range) && help.contains("modparam only") != facts.changes, "{name}: {help}");
        if !facts.changes {
            refused(&server, name, facts.least, "variable is read-only");
            continue;
        }
        for end in [facts.most, facts.least] {
            set(&server, name, end);
            assert_eq!(get(&server, name), end, "{name}");
        }
        for outside in [facts.least.checked_sub(1), facts.most.checked_add(1)].into_iter().flatten() {
            refused(&server, name, outside, "integer value is out of range");
            assert_eq!(get(&server, name), facts.least, "{name}");
        }
        set(&server, name, start);
    }
    server.stop();
}

/// The commands of the page, as they are typed.
#[test]
fn the_commands_of_the_page_work() {
    let server = Server::b2b().module("cfg_rpc").module("ctl").modparam("ctl", "binrpc", "unix:{dir}/ctl").start();
    let blocks = blocks_in("docs/operations.md", "sh").concat();
    let lines = blocks.lines().filter_map(|line| line.split('#').next()?.trim().strip_prefix("kamcmd cfg."));
    let mut count = 0;
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let command = format!("cfg.{}", words[0]);
        let answer = kamcmd(&server, &[&[command.as_str()], &words[1..]].concat());
        assert!(!answer.contains("error: "), "{line}: {answer}");
        count += 1;
    }
    assert_eq!(count, 8);
    for (name, value) in [("destination_rate", "200"), ("breaker_failures", "3"), ("breaker_time", "10")] {
        assert_eq!(kamcmd(&server, &["cfg.get", GROUP, name]).trim(), value, "{name}");
    }
    server.stop();
}

/// The process behind the FIFO takes changes only after its next command. The module's commands do not wait for that.
#[test]
fn the_next_command_meets_the_new_limit() {
    let server = Server::b2b().module("cfg_rpc").module("ctl").modparam("ctl", "binrpc", "unix:{dir}/ctl");
    let server = server.b2b_param("max_subscribe_delay", 100_000).start();
    let uris = |user: &str| json!([server.uri(user), server.uri("watcher")]);
    let ids = ["alice", "bob"].map(|user| server.rpc("presence_b2b.subscribe", uris(user)).expect("an id"));
    kamcmd(&server, &["cfg.set_now_int", GROUP, "max_subscriptions", "2"]);
    let fault = server.rpc("presence_b2b.subscribe", uris("carol")).expect_err("one too many");
    assert!(fault.message.contains("max_subscriptions"), "{fault:?}");
    server.end_all(&ids.map(|id| id.as_u64().expect("a number")));
    server.stop();
}

/// Texts are shown, but for what may hold a password, and cannot be changed. Lists are not there.
#[test]
fn texts_are_only_shown() {
    let dir = folder();
    let server = changeable(storing(dir.path())).b2b_param("forking", "first").start();
    let whole = server.rpc("cfg.get", json!([GROUP])).expect("the group");
    assert_eq!((&whole["forking"], &whole["presence_route"]), (&json!("first"), &json!("")), "{whole}");
    let shown = whole.as_object().expect("a structure").len();
    assert_eq!(shown, integers().count() + TEXTS, "{whole}");
    assert!(!whole.to_string().contains("sqlite"), "{whole}");
    let fault = server.rpc("cfg.set_now_string", json!([GROUP, "forking", "all"])).expect_err("read-only");
    assert_eq!(fault.code, 400);
    assert_eq!(get(&server, "forking"), "first");
    server.rpc("cfg.get", json!([GROUP, "db_url"])).expect_err("a secret");
    server.stop();
}

/// In all b2b workers, and of the packages that have no value of their own.
#[test]
fn the_next_subscribe_has_the_new_expires() {
    let notifier = Notifier::udp();
    let server = changeable(Server::eager(600)).b2b_param("workers", 4);
    let server = server.b2b_param("package_policy", "dialog: default_expiration=60; rejected=never").start();
    set(&server, "default_expiration", 1234);
    set(&server, "on_error_retry_time", 77);
    let mut news = Newsreader::new(&server);
    let mut ids = Vec::new();
    for number in 0..16 {
        ids.push(server.subscribe(&notifier.uri(&format!("user{number}")), &server.uri("watcher")));
    }
    for _ in 0..16 {
        let subscribe = notifier.expect_subscribe(SOON);
        assert_eq!(subscribe.header("Expires"), Some("1234"), "{}", subscribe.message);
        notifier.reject(&subscribe, 480, &[]);
        assert_eq!(news.next("the failure").next_attempt, Some(77));
    }
    let dialog = json!([notifier.uri("lamp"), server.uri("watcher"), "dialog"]);
    ids.push(server.rpc("presence_b2b.subscribe", dialog).expect("an id").as_u64().expect("a number"));
    let subscribe = notifier.expect_subscribe(SOON);
    assert_eq!(subscribe.header("Expires"), Some("60"), "{}", subscribe.message);
    notifier.reject(&subscribe, 480, &[]);
    assert_eq!(news.next("the failure").next_attempt, Some(77));
    server.end_all(&ids);
    server.stop();
}

/// In all SIP workers: each sees the change before the next message that it handles.
#[test]
fn the_next_notify_meets_the_new_bound() {
    let notifier = Notifier::udp();
    let server = changeable(Server::eager(600)).children(4).start();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let document = pidf("sip:alice@example.com", "open", None);
        let body = format!("{document}{}", " ".repeat(4000));
        for (bound, status) in [(2000, 413), (262_144, 200), (1024, 413), (8000, 200)] {
            set(&server, "max_body", bound);
            for _ in 0..12 {
                assert_eq!(dialog.notify(Notify::active(600).pidf(&body)).status(), status, "{bound}");
            }
        }
        watch.end(&mut dialog);
        set(&server, "max_body", 262_144);
    });
    server.stop();
}

/// A rate that is raised is so at once; one that is lowered lets no burst through.
#[test]
fn a_rate_changes_without_a_burst() {
    let notifier = Notifier::udp();
    let server = changeable(Server::eager(600)).gives_up_after(2000).b2b_param("breaker_failures", 0);
    let server = server.b2b_param("destination_rate", 1).start();
    let subscribe = |part: &str, count: usize| -> Vec<u64> {
        let uri = |number| notifier.uri(&format!("{part}{number}"));
        (0..count).map(|number| server.subscribe(&uri(number), &server.uri("watcher"))).collect()
    };
    let refuse = |wanted: &str, count: usize| {
        for _ in 0..count {
            let request = notifier
                .endpoint
                .wait_for(SOON, |message| message.method() == "SUBSCRIBE" && message.need("To").contains(wanted));
            notifier.reject(&request.unwrap_or_else(|| panic!("no {wanted}")), 404, &[]);
        }
    };
    // They have turns in the next minute.
    let mut ids = subscribe("slow", 60);
    refuse("slow", 1);
    eventually(SOON, "they wait", || {
        let row = server.destination(&notifier.endpoint.destination())?;
        (row["held"].as_u64() >= Some(59)).then_some(())
    });
    set(&server, "destination_rate", 500);
    let begun = Instant::now();
    ids.extend(subscribe("fast", 20));
    refuse("fast", 20);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    set(&server, "destination_rate", 5);
    let begun = Instant::now();
    ids.extend(subscribe("late", 11));
    refuse("late", 11);
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
    server.end_all(&ids);
    server.stop();
}

#[test]
fn limits_of_subscriptions_and_breakers_change() {
    let (silent, notifier) = (Endpoint::udp(), Notifier::udp());
    let server = changeable(Server::quick()).b2b_param("breaker_failures", 0).b2b_param("breaker_time", 600).start();
    let first = server.subscribe(&silent.uri("alice"), &server.uri("watcher"));
    set(&server, "max_subscriptions", 1);
    let more = json!([notifier.uri("bob"), server.uri("watcher")]);
    let fault = server.rpc("presence_b2b.subscribe", more.clone()).expect_err("one too many");
    assert!(fault.message.contains("max_subscriptions"), "{fault:?}");
    set(&server, "max_subscriptions", 2);
    let second = server.rpc("presence_b2b.subscribe", more).expect("an id").as_u64().expect("a number");
    notifier.reject(&notifier.expect_subscribe(SOON), 480, &[("Retry-After", "3600")]);
    // Several failures have not opened it.
    server.destination_when(&silent.destination(), "it fails", |row| row["failures"].as_u64() >= Some(2));
    assert_eq!(server.destination(&silent.destination()).expect("a row")["state"], "closed");
    set(&server, "breaker_failures", 1);
    server.destination_when(&silent.destination(), "it is open", |row| row["state"] == "open");
    silent.asked();
    set(&server, "breaker_failures", 0);
    server.rpc("presence_b2b.refresh", json!([first])).expect("it can be tried");
    silent.expect_request("SUBSCRIBE", SOON);
    server.end_all(&[first, second]);
    server.stop();
}

/// What waits stays until there is need for its room; then the queue shrinks to its new limit.
#[test]
fn a_queue_takes_its_new_limit() {
    const SLOW: &str = "event_route[qsa:notify] { usleep(\"300000\"); }";
    let notifier = Notifier::udp();
    let server = changeable(Server::b2b()).module("cfgutils").route(SLOW).b2b_param("workers", 1).start();
    let refuse = |count: usize, part: &str| {
        for number in 0..count {
            server.subscribe(&notifier.uri(&format!("{part}{number}")), &server.uri("watcher"));
        }
        for _ in 0..count {
            notifier.reject(&notifier.expect_subscribe(SOON), 489, &[]);
        }
    };
    refuse(6, "first");
    assert_eq!(server.trace()["dropped"], 0);
    set(&server, "queue_limit", 1);
    refuse(6, "second");
    eventually(SOON, "some are lost", || server.trace()["dropped"].as_u64().filter(|lost| *lost > 0));
    set(&server, "queue_bytes", 524_288);
    assert_eq!(server.trace()["queue_bytes"], 524_288);
    server.await_no_subscription();
    server.stop();
}

/// Delayed changes come all at once, or not at all; a reset brings back the values of the start.
#[test]
fn changes_can_be_prepared() {
    let notifier = Notifier::udp();
    let server = changeable(Server::eager(600)).b2b_param("default_expiration", 900).start();
    let expires = |user: &str, wanted: &str| {
        let id = server.subscribe(&notifier.uri(user), &server.uri("watcher"));
        let subscribe = notifier.expect_subscribe(SOON);
        assert_eq!(subscribe.header("Expires"), Some(wanted), "{}", subscribe.message);
        notifier.reject(&subscribe, 404, &[]);
        server.unsubscribe(id);
    };
    let delay = |name: &str, value: i32| {
        server.rpc("cfg.set_delayed_int", json!([GROUP, name, value])).expect("prepared");
    };
    delay("default_expiration", 1000);
    delay("max_body", 4096);
    expires("alice", "900");
    server.rpc("cfg.rollback", json!([])).expect("forgotten");
    server.rpc("cfg.commit", json!([])).expect("nothing to do");
    expires("bob", "900");
    delay("default_expiration", 1100);
    delay("max_body", 2048);
    let fault = server.rpc("cfg.set_delayed_int", json!([GROUP, "default_expiration", 0])).expect_err("out of range");
    assert_eq!(fault.code, 400);
    assert_eq!((get(&server, "default_expiration"), get(&server, "max_body")), (json!(900), json!(262_144)));
    server.rpc("cfg.commit", json!([])).expect("done");
    expires("carol", "1100");
    assert_eq!(get(&server, "max_body"), 2048);
    server.rpc("cfg.reset", json!([GROUP])).expect("done");
    expires("dave", "900");
    assert_eq!(get(&server, "max_body"), 262_144);
    server.await_no_subscription();
    server.stop();
}

/// NOTIFYs come while values change: each is answered, and nothing is left in shared memory.
#[test]
fn traffic_goes_on_meanwhile() {
    let notifier = Notifier::udp();
    let server = changeable(Server::eager(600)).children(4).start();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        let body = pidf("sip:alice@example.com", "open", None);
        std::thread::scope(|scope| {
            let changes = scope.spawn(|| {
                for number in 0..150 {
                    set(&server, "destination_rate", 100 + number % 7);
                    set(&server, "queue_limit", 1000 + number % 5);
                    set(&server, "resubscribe_delta", 20 + number % 3);
                }
            });
            let mut answered = 0;
            while !changes.is_finished() || answered < 50 {
                assert_eq!(dialog.notify(Notify::active(600).pidf(&body)).status(), 200);
                answered += 1;
            }
        });
        watch.end(&mut dialog);
        assert_eq!((get(&server, "destination_rate"), get(&server, "resubscribe_delta")), (json!(102), json!(22)));
    });
    server.stop();
}

/// The writer does not sleep through a shorter interval.
#[test]
fn the_store_writes_as_often_as_it_is_told() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = changeable(storing(dir.path())).b2b_param("db_flush_interval", 60_000).start();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "state", "confirmed");
    set(&server, "db_flush_interval", 10);
    settled(&server);
    server.end(id, &mut dialog);
    settled(&server);
    server.stop();
}

/// The configuration file sets the module's values with modparam. An instance of the group is of no use, and does no harm.
#[test]
fn the_file_uses_modparam() {
    let said = Server::b2b().route("presence_b2b.max_body = 4096").start_refused();
    assert!(said.contains("remove lines such as presence_b2b.max_body = 4096"), "{said}");
    let server = changeable(Server::b2b()).route("presence_b2b[1].max_body = 4096");
    let server = server.route(
        "event_route[tm:local-request] { cfg_select(\"presence_b2b\", \"1\"); xlog(\"L_NOTICE\", \"BODY $sel(cfg_get.presence_b2b.max_body)\\n\"); }",
    );
    let server = server.start();
    let notifier = Notifier::udp();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    notifier.reject(&notifier.expect_subscribe(SOON), 404, &[]);
    eventually(SOON, "the script has read it", || server.log().text().contains("BODY 4096").then_some(()));
    assert_eq!(get(&server, "max_body"), 262_144);
    server.end_all(&[id]);
    server.stop();
}
