//! Who follows the calls of local users as they follow others: routes, C modules, and rows of a table.

use serde_json::{Value, json};

use crate::c_api;
use crate::local_calls::{Call, DOMAIN, ROUTE, await_no_call, await_state, builder, lamps, uri};
use crate::provisioning::{TABLE, counts, read, reload, row, schema};
use crate::support::config::Builder;
use crate::support::database::{change, sqlite, url};
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::shm::leaves_nothing_in;
use crate::support::states;
use crate::support::wait::{SOON, eventually};

/// What keeps what there is for a call, apart from tm.
const OF_CALLS: &[&str] = &["presence_b2b", "dialog"];

/// The modules and parameters for local calls.
fn with_calls(server: Builder) -> Builder {
    let server = server.keeps_calls().b2b_param("local_domains", DOMAIN);
    server.modparam("dialog", "wait_ack", 0).modparam("tm", "wt_timer", 500)
}

/// With `keep` the lamp is at hand in any route, by its value.
#[test]
fn lamps_are_at_hand_for_routing() {
    let route = r#"request_route {
        if (!is_method("OPTIONS")) {
            route(CALLS);
            exit;
        }
        $var(lamp) = "?";
        switch ($b2b(sip:bob@example.com=>dialog_state)) {
            case "confirmed":
                $var(lamp) = "busy";
                break;
            case "trying":
            case "early":
                $var(lamp) = "rings";
                break;
            case "terminated":
                $var(lamp) = "free";
                break;
        }
        pv_printf("$var(said)", "$var(lamp) $b2b(sip:bob@example.com=>dialogs) $b2b(sip:bob@example.com=>remote_uri)");
        sl_send_reply("200", "$var(said)");
    }"#;
    let calls = ROUTE.replace("request_route", "route[CALLS]");
    let server = with_calls(Server::b2b()).route(route).route(&calls).start();
    let peer = Endpoint::udp();
    let said = |wanted: &str| {
        eventually(SOON, wanted, || (states::said(&server, &peer, "OPTIONS", &[]) == wanted).then_some(()));
    };
    leaves_nothing_in(&server, OF_CALLS, || {
        said("? <null> <null>");
        let asked = json!([uri("bob"), "sip:lamps@example.org", "dialog", "keep"]);
        let id = server.rpc("presence_b2b.subscribe", asked).expect("an id").as_u64().expect("a number");
        said("free 0 <null>");
        let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
        let arrived = call.ring();
        said("rings 1 sip:alice@example.com");
        let answer = call.answer(&arrived, 200);
        said("busy 1 sip:alice@example.com");
        assert_eq!(server.show(id)["state"], "local");
        call.hang_up(&answer);
        said("free 1 sip:alice@example.com");
        server.end_all(&[id]);
        said("? <null> <null>");
        await_no_call(&server);
    });
    server.stop();
}

/// C modules follow local calls alone or in a share: each subscription gets each state once.
#[test]
fn c_modules_follow_local_calls() {
    let server = with_calls(c_api::builder(100)).route(ROUTE).start();
    let subscribe = |options: &str| {
        let asked = json!(["dialog", uri("bob"), "sip:w@example.com", options]);
        c_api::call(&server, "subscribe", asked).as_str().expect("an id").to_owned()
    };
    let pops = || {
        let mut all = Vec::new();
        for _ in 0..3 {
            let message = eventually(SOON, "a message", || server.rpc("qsa_test.pop", json!([])).ok());
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let dialog = &message["dialogs"]["dialogs"][0];
            assert_eq!((&message["status"], &message["last"]), (&json!("active"), &json!(0)), "{message}");
            all.push((text(&message["id"]), text(&dialog["state"]), text(&dialog["remote"]["identity"]["uri"])));
        }
        all.sort();
        all
    };
    leaves_nothing_in(&server, OF_CALLS, || {
        let mut ids = ["", "share", "share"].map(subscribe);
        ids.sort();
        let all =
            |state: &str, remote: &str| ids.each_ref().map(|id| (id.clone(), state.to_owned(), remote.to_owned()));
        assert_eq!(pops(), all("", ""));
        let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
        let arrived = call.ring();
        assert_eq!(pops(), all("trying", &uri("alice")));
        call.reply(&arrived, 180);
        assert_eq!(pops(), all("early", &uri("alice")));
        let answer = call.answer(&arrived, 200);
        assert_eq!(pops(), all("confirmed", &uri("alice")));
        call.hang_up(&answer);
        assert_eq!(pops(), all("terminated", &uri("alice")));
        for id in &ids {
            c_api::call(&server, "unsubscribe", json!([id]));
        }
        server.await_no_subscription();
        await_no_call(&server);
        assert!(server.rpc("qsa_test.pop", json!([])).is_err(), "each was told each state once");
    });
    server.stop();
}

/// Rows of a table: at the start, in the middle of a call, and no more.
#[test]
fn rows_of_a_table_follow_local_calls() {
    let dir = sqlite(&(schema() + &row(&uri("bob"), "sip:lamps@example.org", "dialog", "keep")));
    let server = builder().module("db_sqlite").b2b_param("db_url", url(dir.path()));
    let server = server.b2b_param("provision_table", TABLE).start();
    let mark = server.log().mark();
    assert_eq!(counts(&read(&server)), [1, 0, 0, 0, 0, 0]);
    let shown = server.rows("presence_b2b.list");
    assert!(shown.len() == 1 && shown[0]["provisioned"] == 1 && shown[0]["state"] == "local", "{shown:?}");
    let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
    let arrived = call.ring();
    call.reply(&arrived, 180);
    await_state(&server, mark, "bob", "early");
    change(dir.path(), &row(&uri("alice"), "sip:lamps@example.org", "dialog", ""));
    assert_eq!(counts(&reload(&server)), [1, 0, 1, 0, 0, 0]);
    let lamp = await_state(&server, mark, "alice", "early");
    assert_eq!((lamp.direction.as_str(), lamp.remote), ("initiator", uri("bob")));
    let answer = call.answer(&arrived, 200);
    for user in ["alice", "bob"] {
        await_state(&server, mark, user, "confirmed");
    }
    change(dir.path(), &format!("DELETE FROM {TABLE} WHERE record = '{}';", uri("bob")));
    assert_eq!(counts(&reload(&server)), [0, 0, 1, 1, 0, 0]);
    eventually(SOON, "the row's subscription is gone", || (server.trace()["subscriptions"] == 1).then_some(()));
    call.hang_up(&answer);
    await_state(&server, mark, "alice", "terminated");
    let newest = lamps(&server, mark).into_iter().rfind(|lamp| lamp.record == uri("bob")).expect("a lamp");
    assert_eq!(newest.state, "confirmed", "bob's lamp gets no news any more");
    change(dir.path(), &format!("DELETE FROM {TABLE};"));
    assert_eq!(counts(&reload(&server)), [0, 0, 0, 1, 0, 0]);
    server.await_no_subscription();
    await_no_call(&server);
    server.stop();
}
