//! The event route may change its message and much else: nothing of that is left afterwards.

use crate::documentation::all_fields;
use crate::support::config::{Builder, largest_message};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::news::TELL;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::shm::{Shm, leaves_nothing};
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

fn builder() -> Builder {
    Server::b2b().b2b_param("min_resubscribe_time", 0).b2b_param("workers", 1)
}

/// A subscription that has been accepted.
fn subscribed(server: &Server, notifier: &Notifier, user: &str) -> (u64, Dialog) {
    let options = serde_json::json!([notifier.uri(user), server.uri("watcher"), "presence", "id=desk"]);
    let id = server.rpc("presence_b2b.subscribe", options).expect("an id").as_u64().expect("a number");
    (id, notifier.accept(&notifier.expect_subscribe(SOON), 600))
}

/// The log since `mark` between `first` and the line's end marker `.END`, once it is there.
pub fn said(server: &Server, mark: Mark, first: &str) -> String {
    eventually(SOON, first, || {
        let text = server.log().text_since(mark);
        let (_, rest) = text.split_once(first)?;
        rest.split_once(".END").map(|(said, _)| said.replace("\r\n", "\n"))
    })
}

/// Everything in a native script that writes to the text it gets: setters that put a NUL behind it, and transformations.
fn native_abuse() -> String {
    let each = |field: &str| {
        format!(
            r#"    if ($qsa({field}) != $null) {{
        $ru = $qsa({field});
        $ru = "sip:you@192.0.2.1";
        $du = $qsa({field});
        xlog("L_NOTICE", "DU {field}=$(du).END\n");
        $fs = $qsa({field});
        $rU = $qsa({field});
        $br = $qsa({field});
        $(branch(uri)[0]) = $qsa({field});
        append_branch("$qsa({field})");
        $var(x) = $(qsa({field}){{s.striptail,1}}) + $(qsa({field}){{s.rtrim}}) + $(qsa({field}){{s.replace,e,E}});
        $var(x) = $(qsa({field}){{s.tolower}}) + $(qsa({field}){{s.md5}}) + $(qsa({field}){{uri.user}});
        $avp(x) = $qsa({field});
        $xavp(x=>y) = $qsa({field});
        $fs = $null;
    }}
"#
        )
    };
    let fields = all_fields();
    let tell = fields.iter().map(|field| format!("{field}=$qsa({field})")).collect::<Vec<_>>().join("|");
    let abuse: String = fields.iter().map(|field| each(field)).collect();
    format!(
        "event_route[qsa:notify] {{\n    xlog(\"L_NOTICE\", \"BEFORE {tell}.END\\n\");\n{abuse}\
         xlog(\"L_NOTICE\", \"AFTER {tell}.END\\n\");\n    \
         $var(all) = $qsa(status) + $qsa(reason) + $qsa(status);\n    xlog(\"L_NOTICE\", \"SUM $var(all).END\\n\");\n}}"
    )
}

/// A text of `$qsa` can be assigned to anything that the script can assign to. A write to it changes neither it nor another text.
#[test]
fn every_field_can_be_assigned() {
    let notifier = Notifier::udp();
    // The server's parser reports that "active" is not a URI.
    let server = builder()
        .global("max_branches=30")
        .modparam("xlog", "buf_size", 16384)
        .route(&native_abuse())
        .allow_log("parse_phostport(): ")
        .allow_log("append_branch(): max nr of branches exceeded")
        .allow_log("pv_set_branch(): append_branch action failed")
        .allow_log("pv_set_force_sock(): invalid socket")
        .allow_log("lval_pvar_assign(): setting pvar failed")
        .allow_log("lval_assign(): assignment failed")
        .allow_log("tr_eval_uri(): invalid uri")
        .start();
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let (id, mut dialog) = subscribed(&server, &notifier, "alice");
        let record = notifier.uri("alice");
        let document = pidf(&record, "closed", Some("at lunch"));
        dialog.notify(Notify::state("active;expires=600;reason=probation").pidf(&document));
        let before = said(&server, mark, "BEFORE ");
        for part in
            [&format!("record={record}|"), "event_id=desk|", "status=active|reason=probation|", "note=at lunch|"]
        {
            assert!(before.contains(part), "{before:?} lacks {part:?}");
        }
        assert!(before.contains(&format!("body={}|", document.replace("\r\n", "\n"))), "{before:?}");
        assert_eq!(said(&server, mark, "AFTER "), before);
        assert_eq!(said(&server, mark, "SUM "), "activeprobationactive");
        for (field, value) in
            [("record", &record[..]), ("status", "active"), ("basic", "closed"), ("id", &id.to_string())]
        {
            assert_eq!(said(&server, mark, &format!("DU {field}=")), value, "$du = $qsa({field})");
        }
        dialog.notify(Notify::terminated("noresource", 0));
        server.await_no_subscription();
    });
    server.stop();
}

/// A body that is much longer than the server's own buffers.
#[test]
fn a_long_body_can_be_assigned() {
    let long = 200_000.min(largest_message() - 5_000);
    let route = r#"event_route[qsa:notify] {
        $du = $qsa(body);
        $ru = $qsa(body);
        xlog("L_NOTICE", "LENGTHS $(du{s.len}) $(qsa(body){s.len}).END\n");
    }"#;
    let notifier = Notifier::tcp();
    let server = builder()
        .b2b_param("check_bodies", 0)
        .global(&format!("tcp_rd_buf_size={}", long + 5_000))
        .route(route)
        .allow_log("pv_set_ruri(): bad parameters")
        .allow_log("lval_pvar_assign(): setting pvar failed")
        .allow_log("lval_assign(): assignment failed")
        .start();
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let (_, mut dialog) = subscribed(&server, &notifier, "alice");
        assert_eq!(dialog.notify(Notify::active(600).body("application/pidf+xml", vec![b'x'; long])).status(), 200);
        assert_eq!(said(&server, mark, "LENGTHS "), format!("{long} {long}"));
        dialog.notify(Notify::terminated("noresource", 0));
        server.await_no_subscription();
    });
    server.stop();
}

/// Answers without transactions, which would take shared memory faster than it is given back.
const STATELESS: &str = r#"request_route {
    if (!is_method("NOTIFY") || !handle_notify()) {
        sl_send_reply("481", "Subscription does not exist");
    }
}"#;

/// A route that checks that nothing is left of the event before, and then leaves behind what it can.
const LITTER: &str = r#"event_route[qsa:notify] {
    if ($avp(left) != $null || $xavp(left) != $null || $xavu(left) != $null || $xavi(left) != $null) {
        xlog("L_ERR", "LEFT variables\n");
    }
    if (isflagset(5) || issflagset(6) || isbflagset(7) || $branch(count) != 0) {
        xlog("L_ERR", "LEFT flags or branches\n");
    }
    if (($ru != "sip:you@kamailio.org" && $ru != "sip:kamailio.org") || $du != $null || $fs != $null) {
        xlog("L_ERR", "LEFT message $ru $du $fs\n");
    }
    $avp(left) = $qsa(note);
    $xavp(left=>note) = $qsa(note);
    $xavu(left=>note) = $qsa(note);
    $xavi(left=>note) = $qsa(note);
    setflag(5);
    setsflag(6);
    setbflag(7);
    $ru = "sip:left@192.0.2.1";
    $du = "sip:192.0.2.1:5070";
    $fs = "udp:{ip}:5060";
    append_branch("sip:left@192.0.2.2");
    append_hf("X-Left: over\r\n");
    $shv(events) = $shv(events) + 1;
}
event_route[tm:local-request] {
    if ($avp(left) != $null || $branch(count) != 0 || isbflagset(7) || $qsa(record) != $null || $qsa(id) != $null) {
        xlog("L_ERR", "LEFT for a SUBSCRIBE: $avp(left) $branch(count) $qsa(record)\n");
    }
    append_branch("sip:left@192.0.2.3");
    setbflag(7);
    $avp(left) = "over";
}"#;

/// Values that an event route sets are gone when the next one runs, with their memory: shared, and the worker's own.
#[test]
fn nothing_is_left_of_an_event() {
    const EVENTS: u64 = 4_000;
    let notifier = Notifier::udp();
    let server = builder().route(STATELESS).route(LITTER).start();
    let (id, mut dialog) = subscribed(&server, &notifier, "alice");
    let document = pidf(&notifier.uri("alice"), "open", Some(&"a note of some length ".repeat(20)));
    let mark = server.log().mark();
    let events = || server.trace()["delivered"].as_u64().expect("a number");
    let tell = |dialog: &mut Dialog, count: u64| {
        let wanted = events() + count;
        for _ in 0..count {
            assert_eq!(dialog.notify(Notify::active(600).pidf(&document)).status(), 200);
        }
        eventually(SOON, "all are told", || (events() == wanted).then_some(()));
    };
    tell(&mut dialog, 100);
    let modules = ["core", "pv", "presence_b2b"];
    let (shared, private) = (Shm::settled(&server, &modules), server.private_memory("presence_b2b worker"));
    // No more at once than the queue has room for while the worker sleeps.
    (0..EVENTS / 100).for_each(|_| tell(&mut dialog, 100));
    assert_eq!(server.log().since(mark, "LEFT "), [""; 0], "something is left");
    shared.assert_back(&server);
    assert_eq!(server.private_memory("presence_b2b worker"), private, "the worker's own memory");
    server.refresh(id);
    dialog.accept(&dialog.expect_subscribe(SOON), 600);
    tell(&mut dialog, 1);
    server.end(id, &mut dialog);
    assert_eq!(server.log().since(mark, "LEFT "), [""; 0], "something is left");
    server.stop();
}

/// A transaction that the event route makes is released: it does not stay in memory, and the next event does not see it.
#[test]
fn a_transaction_of_the_event_route_is_let_go_of() {
    let route = r#"event_route[qsa:notify] {
        route(MAKE);
        xlog("L_NOTICE", "NOTE $qsa(note).END\n");
    }
    route[MAKE] {
        if ($qsa(note) == "make") {
            if (!t_newtran()) {
                xlog("L_ERR", "no transaction\n");
            }
        }
    }"#;
    let notifier = Notifier::udp();
    let server = builder().route(route).allow_log("BUG: nothing").start();
    leaves_nothing(&server, || {
        let (id, mut dialog) = subscribed(&server, &notifier, "alice");
        let mark = server.log().mark();
        for note in ["make", "other"] {
            dialog.notify(Notify::active(600).pidf(&pidf(&notifier.uri("alice"), "open", Some(note))));
            said(&server, mark, &format!("NOTE {note}"));
        }
        server.end(id, &mut dialog);
        assert_eq!(server.log().since(mark, "no transaction"), [""; 0]);
    });
    server.stop();
}

/// The number that RPC and script know a subscription by is in its first message and in its last, also in that of a fetch.
#[test]
fn the_id_is_there_to_the_end() {
    let route = r#"event_route[qsa:notify] {
        xlog("L_NOTICE", "ID $qsa(id) of $(qsa(record){uri.user}) is $qsa(status).END\n");
    }"#;
    let notifier = Notifier::udp();
    let server = builder().route(route).start();
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let (id, mut dialog) = subscribed(&server, &notifier, "alice");
        dialog.notify(Notify::active(600));
        assert_eq!(said(&server, mark, "ID "), format!("{id} of alice is active"));
        let mark = server.log().mark();
        dialog.notify(Notify::terminated("rejected", 0));
        assert_eq!(said(&server, mark, "ID "), format!("{id} of alice is rejected"));
        server.await_no_subscription();

        let mark = server.log().mark();
        let options = serde_json::json!([notifier.uri("bob"), server.uri("watcher"), "presence", "fetch"]);
        let id = server.rpc("presence_b2b.subscribe", options).expect("an id");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 0);
        dialog.notify(Notify::terminated("timeout", 0).pidf(&pidf(&notifier.uri("bob"), "open", None)));
        assert_eq!(said(&server, mark, "ID "), format!("{id} of bob is terminated"));
        server.await_no_subscription();
    });
    server.stop();
}

/// In other routes of the same process `$qsa(...)` is null, as it was before the first message.
#[test]
fn nothing_is_told_outside_of_its_route() {
    const OUTSIDE: &str = r#"event_route[tm:local-request] {
        xlog("L_NOTICE", "OUTSIDE $qsa(id) $qsa(status) $qsa(record) $qsa(body) $qsa(note).END\n");
    }"#;
    let notifier = Notifier::udp();
    let server = builder().route(OUTSIDE).route(TELL).start();
    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    for _ in 0..2 {
        let mark = server.log().mark();
        watch.refresh();
        dialog.accept(&dialog.expect_subscribe(SOON), 600);
        assert_eq!(said(&server, mark, "OUTSIDE "), ["<null>"; 5].join(" "));
        assert_eq!(dialog.notify(told(600, "again")).status(), 200);
        watch.await_note("again");
        watch.await_state("confirmed");
    }
    watch.end(&mut dialog);
    server.stop();
}

/// Without any consumer the start says so; with one it does not.
#[test]
fn a_server_without_a_consumer_of_news_is_warned() {
    const WARNING: &str = "no consumer of messages";
    for (route, warned) in [("", 1), ("event_route[qsa:notify] { return; }", 0)] {
        let server = Server::b2b().route(route).start();
        let lines = server.log().since(Mark::default(), WARNING);
        assert_eq!(lines.len(), warned, "{lines:?}");
        server.stop();
    }
}
