//! Local users, and subscriptions that end with a registration or a call.

use std::path::Path;

use serde_json::{Value, json};

use super::{ENDS, End, end, folder, no_row_stays, settled, stored};
use crate::local_registrations::{self, DOMAIN, follow, registration};
use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::database::url;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Notifier, Notify};
use crate::support::registrar::{UserPhone, location_database};
use crate::support::route::after_notifies;
use crate::support::wait::{SOON, eventually};

fn stores(server: Builder, dir: &Path) -> Builder {
    server.module("db_sqlite").b2b_param("db_url", url(dir)).b2b_param("db_mode", 1)
}

/// The messages of a subscription.
fn registrations(server: &Server, id: u64) -> Vec<Value> {
    let lines = server.log().since(Mark::default(), "REG {");
    let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line.split_once("REG ")?.1).ok());
    parsed.filter(|message| message["id"] == id).collect()
}

fn await_registration(server: &Server, id: u64, state: &str) {
    eventually(SOON, state, || {
        registrations(server, id).iter().any(|message| registration(message)["state"] == state).then_some(())
    });
}

#[test]
fn registrations_of_local_users_are_told_again() {
    for how in ENDS {
        let (locations, location_url) = location_database();
        let dir = folder();
        let builder = || {
            let server = stores(local_registrations::builder(), dir.path());
            server.modparam("usrloc", "db_mode", 1).modparam("usrloc", "db_url", &*location_url)
        };
        let server = builder().start();
        let mut phone = UserPhone::of("alice", DOMAIN);
        phone.register(&server, 600, &[]);
        let [alice, bob] = ["alice", "bob"].map(|user| follow(&server, user, "sip:watcher@example.com"));
        await_registration(&server, alice, "active");
        await_registration(&server, bob, "init");
        eventually(SOON, "both rows", || (stored(dir.path(), "state, origin") == ["local|script"; 2]).then_some(()));
        settled(&server);
        let server = builder().at(end(server, how)).start();
        assert_eq!(server.rpc("presence_b2b.store", json!([])).expect("an answer")["restored"], 2);
        for id in [alice, bob] {
            assert_eq!(server.show(id)["state"], "local");
        }
        await_registration(&server, alice, "active");
        await_registration(&server, bob, "init");
        // It is the same subscription.
        assert_eq!(follow(&server, "alice", "sip:watcher@example.com"), alice);
        phone.register(&server, 0, &[]);
        await_registration(&server, alice, "terminated");
        server.unsubscribe(bob);
        eventually(SOON, "one row", || (stored(dir.path(), "state").len() == 1).then_some(()));
        server.stop();
        assert_eq!(stored(dir.path(), "state").len(), 1);
        drop(locations);
    }
}

/// The user is no local user any more, or has become one: the subscription begins anew in the other way.
#[test]
fn a_domain_may_change_sides() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let domain = notifier.endpoint.addr().ip().to_string();
    let local = || stores(Server::b2b().registrar().b2b_param("local_domains", &*domain), dir.path());
    let remote = || stores(Server::b2b().b2b_param("min_resubscribe_time", 0), dir.path());
    let server = local().start();
    let params = json!([format!("sip:alice@{domain}"), server.uri("watcher"), "reg"]);
    let id = server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a number");
    server.await_shown(id, "state", "local");
    eventually(SOON, "its row", || (stored(dir.path(), "state") == ["local"]).then_some(()));
    let server = remote().at(end(server, End::Stopped)).start();
    let first = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.activate(&first, 600);
    server.await_shown(id, "state", "confirmed");
    settled(&server);
    let server = local().at(end(server, End::Stopped)).start();
    server.await_shown(id, "state", "local");
    assert_eq!(dialog.notify(Notify::active(600)).status(), 481, "nobody wants the notifier's states any more");
    server.unsubscribe(id);
    no_row_stays(dir.path());
    server.stop();
}

#[test]
fn calls_of_local_users_are_told_again() {
    for how in ENDS {
        let dir = folder();
        let builder = || stores(crate::local_calls::builder(), dir.path());
        let server = builder().start();
        let params = json!([crate::local_calls::uri("alice"), "sip:lamp@example.org", "dialog"]);
        let id = server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a number");
        eventually(SOON, "its row", || (stored(dir.path(), "state") == ["local"]).then_some(()));
        settled(&server);
        let server = builder().at(end(server, how)).start();
        assert_eq!(server.show(id)["state"], "local");
        eventually(SOON, "it is told", || {
            crate::local_calls::lamps(&server, Mark::default()).first().filter(|lamp| lamp.dialogs == "0").map(drop)
        });
        server.unsubscribe(id);
        no_row_stays(dir.path());
        server.stop();
    }
}

/// A registrar that subscribes for who registers, and a proxy that subscribes for who calls.
const ROUTE: &str = r#"    if (is_method("REGISTER")) {
        save("location");
        if ($hdr(X-Record) != $null) {
            b2b_subscribe("$hdr(X-Record)", "$tu", "message-summary", "r");
        }
        exit;
    }
    if (is_method("INVITE")) {
        dlg_manage();
        b2b_subscribe("$hdr(X-Record)", "$fu", "message-summary", "d");
        xlog("L_NOTICE", "MADE $rc\n");
        t_newtran();
        t_reply("180", "Ringing");
        exit;
    }
}
"#;

fn tying(dir: &Path, location_url: &str) -> Builder {
    let server = Server::b2b().registrar().keeps_calls().b2b_param("min_resubscribe_time", 0);
    let server = server.route(&after_notifies(ROUTE)).allow_log("dlg_onreq");
    stores(server, dir).modparam("usrloc", "db_mode", 1).modparam("usrloc", "db_url", location_url)
}

/// Who is registered after the start keeps the subscription, and it ends with the last contact as before.
#[test]
fn one_that_ends_with_a_registration_is_bound_again() {
    for how in ENDS {
        let (locations, location_url) = location_database();
        let (notifier, dir) = (Notifier::udp(), folder());
        let server = tying(dir.path(), &location_url).start();
        let [mut alice, mut bob] = ["alice", "bob"].map(|user| UserPhone::of(user, "example.com"));
        alice.register(&server, 600, &[("X-Record", &notifier.uri("a"))]);
        let mut first = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        bob.register(&server, 600, &[("X-Record", &notifier.uri("b"))]);
        let mut second = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        eventually(SOON, "both rows", || (stored(dir.path(), "tie <> '', state") == ["1|confirmed"; 2]).then_some(()));
        settled(&server);
        let ip = end(server, how);
        crate::support::database::change(locations.path(), "DELETE FROM location WHERE username = 'bob'");
        let server = tying(dir.path(), &location_url).at(ip).start();
        farewell(&mut second);
        assert_eq!(first.notify(Notify::active(600)).status(), 200);
        eventually(SOON, "one row", || (stored(dir.path(), "tie <> ''") == ["1"]).then_some(()));
        // Once more: it is still bound.
        settled(&server);
        let server = tying(dir.path(), &location_url).at(end(server, how)).start();
        assert_eq!(first.notify(Notify::active(600)).status(), 200);
        alice.register(&server, 0, &[]);
        farewell(&mut first);
        server.await_no_subscription();
        no_row_stays(dir.path());
        server.stop();
    }
}

/// No call outlives the server here.
#[test]
fn one_that_ends_with_a_call_ends_at_the_start() {
    let (_locations, location_url) = location_database();
    let (notifier, dir) = (Notifier::udp(), folder());
    let server = tying(dir.path(), &location_url).start();
    let peer = crate::support::endpoint::Endpoint::udp();
    let (from, to) = (peer.uri("caller"), server.uri("callee"));
    let invite = peer.fresh_request("INVITE", &to, &from, &to).with("X-Record", &*notifier.uri("box"));
    peer.send(&invite, server.addr());
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    eventually(SOON, "its row", || (stored(dir.path(), "tie, state") == ["call|confirmed"]).then_some(()));
    settled(&server);
    let server = tying(dir.path(), &location_url).at(end(server, End::Killed)).start();
    farewell(&mut dialog);
    server.await_no_subscription();
    no_row_stays(dir.path());
    server.stop();
}
