//! The calls of local users as a notifier: package `dialog` without SIP.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Received};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::shm::leaves_nothing_in;
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};

/// A proxy that tracks calls, and tells what it hears of the lamps.
pub const ROUTE: &str = r#"
request_route {
    if (has_totag()) {
        if (!loose_route()) {
            if (is_method("ACK") && t_check_trans()) {
                t_relay();
            }
            exit;
        }
        t_relay();
        exit;
    }
    if (is_method("CANCEL")) {
        if (t_check_trans()) {
            t_relay();
        }
        exit;
    }
    t_check_trans();
    if (is_method("INVITE")) {
        record_route();
        dlg_manage();
        $du = $hdr(X-To);
        if ($hdr(X-Fork) != $null) {
            append_branch("$ru", "1.0");
            $(branch(dst_uri)[0]) = $hdr(X-Fork);
        }
        if ($hdr(X-Timeout) != $null) {
            t_set_fr("1000", "1000");
        }
    }
    t_relay();
}
event_route[qsa:notify] {
    xlog("L_NOTICE", "LAMP|$qsa(record)|$qsa(status)|$qsa(dialog_state)|$qsa(direction)|$qsa(local_uri)|$qsa(remote_uri)|$qsa(remote_name)|$qsa(dialogs)|\n");
    if ($qsa(subscriber) == "sip:reader@example.org") {
        xlog("L_NOTICE", "JSON|$qsa(json)\n");
    }
}
"#;

pub const DOMAIN: &str = "example.com";

pub fn builder() -> Builder {
    let builder = Server::b2b().keeps_calls().b2b_param("local_domains", DOMAIN);
    builder.modparam("dialog", "wait_ack", 0).modparam("tm", "wt_timer", 500).route(ROUTE)
}

pub fn uri(user: &str) -> String {
    format!("sip:{user}@{DOMAIN}")
}

/// What the event route was told of a user: status, state, direction, URI of the other side, how many dialogs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lamp {
    pub record: String,
    pub state: String,
    pub direction: String,
    pub local: String,
    pub remote: String,
    pub name: String,
    pub dialogs: String,
}

pub fn lamps(server: &Server, mark: Mark) -> Vec<Lamp> {
    let parse = |line: &String| {
        let fields = line.split_once("LAMP|")?.1.split('|').map(str::to_owned).collect::<Vec<_>>();
        let [record, status, state, direction, local, remote, name, dialogs, _end] =
            <[String; 9]>::try_from(fields).ok()?;
        assert_eq!(status, "active");
        Some(Lamp { record, state, direction, local, remote, name, dialogs })
    };
    server.log().since(mark, "LAMP|").iter().filter_map(parse).collect()
}

/// The states that a user's lamp has shown.
fn shown(server: &Server, mark: Mark, user: &str) -> Vec<String> {
    lamps(server, mark).into_iter().filter(|lamp| lamp.record == uri(user)).map(|lamp| lamp.state).collect()
}

pub fn await_state(server: &Server, mark: Mark, user: &str, state: &str) -> Lamp {
    eventually(SOON, &format!("{user} is {state}"), || {
        lamps(server, mark).into_iter().rfind(|lamp| lamp.record == uri(user)).filter(|lamp| lamp.state == state)
    })
}

pub fn follow(server: &Server, user: &str) -> u64 {
    let params = json!([uri(user), "sip:lamps@example.org", "dialog"]);
    server.rpc("presence_b2b.subscribe", params).expect("a subscription").as_u64().expect("an id")
}

/// A call through the server.
pub struct Call {
    pub caller: Endpoint,
    pub callee: Endpoint,
    server: SocketAddr,
    pub invite: Message,
    to: String,
}

impl Call {
    /// From one user to another one, who is at `callee`.
    pub fn new(server: &Server, from: &str, to: &str) -> Call {
        let (caller, callee) = (Endpoint::udp(), Endpoint::udp());
        let invite = caller.fresh_request("INVITE", to, from, to);
        let from = format!("\"The \\\"Caller\\\"\" {}", invite.need("From"));
        let contact = format!("<{}>", caller.uri("me"));
        let invite = invite.set("From", from).set("Contact", contact).with("X-To", callee.uri("x"));
        Call { caller, callee, server: server.addr(), invite, to: to.to_owned() }
    }

    pub fn ring(&mut self) -> Received {
        self.caller.send(&self.invite, self.server);
        self.callee.expect_request("INVITE", SOON)
    }

    pub fn reply(&self, arrived: &Received, status: u16) {
        let contact = format!("<{}>", self.callee.uri("them"));
        let reply = self.callee.response_to(arrived, status, "Scripted").with("Contact", contact);
        self.callee.answer(arrived, &reply);
    }

    /// The final answer of the callee until the ACK.
    pub fn answer(&self, arrived: &Received, status: u16) -> Received {
        self.reply(arrived, status);
        self.acknowledge()
    }

    pub fn acknowledge(&self) -> Received {
        let answer = self.caller.final_response(&self.invite, SOON).expect("an answer");
        let ack = match answer.status() {
            200 => self.within(&answer, "ACK", 1),
            _ => self.within(&answer, "ACK", 1).set("Via", self.invite.need("Via")).without("Route"),
        };
        self.caller.send(&ack, self.server);
        answer
    }

    fn within(&self, answer: &Message, method: &str, cseq: u32) -> Message {
        let target = if answer.status() == 200 { self.callee.uri("them") } else { self.to.clone() };
        let mut request = self.caller.request(method, &target);
        for route in answer.list("Record-Route").into_iter().rev() {
            request = request.with("Route", route);
        }
        for (name, from) in [("From", &self.invite), ("To", answer), ("Call-ID", &self.invite)] {
            request = request.with(name, from.need(name));
        }
        request.with("CSeq", format!("{cseq} {method}"))
    }

    pub fn hang_up(&self, answer: &Message) {
        let bye = self.within(answer, "BYE", 2);
        self.caller.send(&bye, self.server);
        let arrived = self.callee.expect_request("BYE", SOON);
        self.callee.reply(&arrived, 200, "OK");
        assert_eq!(self.caller.final_response(&bye, SOON).map(|answer| answer.status()), Some(200));
    }

    pub fn cancel(&self) {
        let mut cancel = self.caller.request("CANCEL", self.invite.uri()).set("Via", self.invite.need("Via"));
        for name in ["From", "To", "Call-ID"] {
            cancel = cancel.with(name, self.invite.need(name));
        }
        let cseq = self.invite.need("CSeq").replace("INVITE", "CANCEL");
        self.caller.send(&cancel.with("CSeq", cseq), self.server);
    }
}

/// Nothing of calls is left.
pub fn await_no_call(server: &Server) {
    eventually(SOON * 2, "no call is left", || {
        let trace = server.trace();
        (trace["calls"] == 0 && trace["call_bytes"] == 0).then_some(())
    });
}

/// What a caller adds to its URI does not hide its calls.
#[test]
fn a_long_uri_does_not_hide_a_call() {
    let server = builder().start();
    let mark = server.log().mark();
    let ids = ["alice", "bob"].map(|user| follow(&server, user));
    let long = format!("{};x={}", uri("alice"), "y".repeat(4000));
    let mut call = Call::new(&server, &long, &uri("bob"));
    let arrived = call.ring();
    let lamp = await_state(&server, mark, "alice", "trying");
    assert_eq!((lamp.local, lamp.remote), (uri("alice"), uri("bob")));
    let lamp = await_state(&server, mark, "bob", "trying");
    assert_eq!((lamp.local, lamp.remote), (uri("bob"), uri("alice")));
    let answer = call.answer(&arrived, 200);
    call.hang_up(&answer);
    await_state(&server, mark, "alice", "terminated");
    server.end_all(&ids);
    await_no_call(&server);
    server.stop();
}

#[test]
fn both_parties_are_seen_from_the_first_invite_to_the_end() {
    let server = builder().start();
    let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
    leaves_nothing_in(&server, &["presence_b2b", "dialog"], || {
        let mark = server.log().mark();
        let ids = ["alice", "bob"].map(|user| follow(&server, user));
        for user in ["alice", "bob"] {
            let lamp = await_state(&server, mark, user, "terminated");
            assert_eq!(lamp.dialogs, "0", "nobody calls");
        }
        call = Call::new(&server, &uri("alice"), &uri("bob"));
        let arrived = call.ring();
        let lamp = await_state(&server, mark, "alice", "trying");
        assert_eq!(lamp.direction, "initiator");
        assert_eq!((lamp.local, lamp.remote), (uri("alice"), uri("bob")));
        let lamp = await_state(&server, mark, "bob", "trying");
        assert_eq!(lamp.direction, "recipient");
        assert_eq!((lamp.local, lamp.remote, lamp.name.as_str()), (uri("bob"), uri("alice"), "The \"Caller\""));
        call.reply(&arrived, 180);
        for user in ["alice", "bob"] {
            await_state(&server, mark, user, "early");
        }
        let answer = call.answer(&arrived, 200);
        for user in ["alice", "bob"] {
            await_state(&server, mark, user, "confirmed");
        }
        assert_eq!(server.trace()["calls"], 1);
        call.hang_up(&answer);
        for user in ["alice", "bob"] {
            await_state(&server, mark, user, "terminated");
            assert_eq!(shown(&server, mark, user), ["terminated", "trying", "early", "confirmed", "terminated"]);
        }
        for id in ids {
            let shown = server.show(id);
            assert_eq!(
                (&shown["state"], &shown["status"], &shown["notifies"]),
                (&json!("local"), &json!("active"), &json!(5))
            );
        }
        server.end_all(&ids);
        await_no_call(&server);
    });
    server.stop();
}

/// What is told is what a peer would send: version, targets, tags. It is kept at hand like any other state.
#[test]
fn the_document_has_all_of_the_call() {
    let server = builder().start();
    let params = json!([uri("bob"), "sip:reader@example.org", "dialog", "keep"]);
    let id = server.rpc("presence_b2b.subscribe", params).expect("a subscription").as_u64().expect("an id");
    let mark = server.log().mark();
    let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
    let arrived = call.ring();
    let answer = call.answer(&arrived, 200);
    await_state(&server, mark, "bob", "confirmed");
    let told = eventually(SOON, "the JSON of the newest message", || {
        let line = server.log().since(mark, "JSON|").pop()?;
        let told: Value = serde_json::from_str(line.split_once("JSON|")?.1).ok()?;
        (told["document"]["dialogs"][0]["state"] == "confirmed").then_some(told)
    });
    let document = &told["document"];
    assert_eq!((&document["entity"], &document["state"]), (&json!(uri("bob")), &json!("full")), "{told}");
    let dialog = &document["dialogs"][0];
    assert_eq!(dialog["call_id"], call.invite.need("Call-ID"), "{told}");
    assert_eq!(dialog["remote"]["target"], call.caller.uri("me"), "{told}");
    assert_eq!(dialog["local"]["target"], call.callee.uri("them"), "{told}");
    let tag = |message: &Message, header: &str| message.param(header, "tag").expect("a tag").to_owned();
    assert_eq!(dialog["remote_tag"], tag(&call.invite, "From"), "{told}");
    assert_eq!(dialog["local_tag"], tag(&answer, "To"), "{told}");
    assert!(server.show(id)["kept_bytes"].as_u64() > Some(100), "the state is at hand");
    call.hang_up(&answer);
    await_state(&server, mark, "bob", "terminated");
    server.unsubscribe(id);
    server.await_no_subscription();
    server.stop();
}

#[test]
fn calls_that_come_to_nothing_end() {
    let server = builder().start();
    let mark = server.log().mark();
    let id = follow(&server, "bob");
    await_state(&server, mark, "bob", "terminated");
    // Busy.
    let mut busy = Call::new(&server, "sip:stranger@elsewhere.example.net", &uri("bob"));
    let arrived = busy.ring();
    await_state(&server, mark, "bob", "trying");
    busy.answer(&arrived, 486);
    await_state(&server, mark, "bob", "terminated");
    // Given up by the caller.
    let mark = server.log().mark();
    let mut given_up = Call::new(&server, "sip:stranger@elsewhere.example.net", &uri("bob"));
    let arrived = given_up.ring();
    given_up.reply(&arrived, 180);
    await_state(&server, mark, "bob", "early");
    given_up.cancel();
    let cancel = given_up.callee.expect_request("CANCEL", SOON);
    given_up.callee.reply(&cancel, 200, "OK");
    given_up.reply(&arrived, 487);
    given_up.acknowledge();
    await_state(&server, mark, "bob", "terminated");
    // Nobody answers.
    let mark = server.log().mark();
    let mut lost = Call::new(&server, "sip:stranger@elsewhere.example.net", &uri("bob"));
    lost.invite = lost.invite.with("X-Timeout", "1");
    lost.ring();
    await_state(&server, mark, "bob", "trying");
    await_state(&server, mark, "bob", "terminated");
    assert_eq!(lost.acknowledge().status(), 408);
    server.unsubscribe(id);
    await_no_call(&server);
    server.stop();
}

/// One of two phones answers.
#[test]
fn a_forked_call_is_one_call() {
    let server = builder().start();
    let mark = server.log().mark();
    let id = follow(&server, "bob");
    let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
    let other = Endpoint::udp();
    call.invite = call.invite.with("X-Fork", other.uri("x"));
    let arrived = call.ring();
    let at_other = other.expect_request("INVITE", SOON);
    call.reply(&arrived, 180);
    other.answer(&at_other, &other.response_to(&at_other, 180, "Ringing"));
    await_state(&server, mark, "bob", "early");
    let answer = call.answer(&arrived, 200);
    let cancel = other.expect_request("CANCEL", SOON);
    other.reply(&cancel, 200, "OK");
    other.reply(&at_other, 487, "Request Terminated");
    assert_eq!(await_state(&server, mark, "bob", "confirmed").dialogs, "1");
    call.hang_up(&answer);
    await_state(&server, mark, "bob", "terminated");
    server.unsubscribe(id);
    await_no_call(&server);
    server.stop();
}

#[test]
fn one_who_subscribes_in_the_middle_of_a_call_sees_it() {
    let server = builder().start();
    let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
    let arrived = call.ring();
    let answer = call.answer(&arrived, 200);
    call.callee.expect_request("ACK", SOON);
    let mark = server.log().mark();
    let id = follow(&server, "alice");
    await_state(&server, mark, "alice", "confirmed");
    // The state is asked for once.
    let params = json!([uri("bob"), "sip:once@example.org", "dialog", "fetch"]);
    server.rpc("presence_b2b.subscribe", params).expect("a fetch");
    await_state(&server, mark, "bob", "confirmed");
    eventually(SOON, "the fetch is over", || (server.trace()["subscriptions"] == 1).then_some(()));
    call.hang_up(&answer);
    await_state(&server, mark, "alice", "terminated");
    assert_eq!(shown(&server, mark, "bob"), ["confirmed"]);
    server.unsubscribe(id);
    await_no_call(&server);
    server.stop();
}

#[test]
fn what_is_not_local_goes_to_a_notifier_and_what_is_wrong_is_refused() {
    let server = builder().start();
    let refused = |server: &Server, record: &str| {
        let params = json!([record, "sip:lamps@example.org", "dialog"]);
        server.rpc("presence_b2b.subscribe", params).expect_err(record).to_string()
    };
    let said = refused(&server, "sip:example.com");
    assert!(said.contains("but it names no user: write sip:user@domain"), "{said}");
    let elsewhere = Endpoint::udp();
    let params = json!([elsewhere.uri("bob"), "sip:lamps@example.org", "dialog"]);
    server.rpc("presence_b2b.subscribe", params).expect("a subscription");
    elsewhere.expect_request("SUBSCRIBE", SOON);
    server.stop();
    let server = Server::b2b().b2b_param("local_domains", DOMAIN).start();
    let said = refused(&server, &uri("bob"));
    assert!(said.contains("load the module dialog before presence_b2b"), "{said}");
    assert_eq!(server.trace()["subscriptions"], Value::from(0));
    server.stop();
}
