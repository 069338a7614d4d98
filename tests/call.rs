//! A subscription bound to a call: it ends with it.

use std::sync::OnceLock;
use std::time::Duration;

use crate::support::b2b::farewell;
use crate::support::compiled::shared_object;
use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Received};
use crate::support::kamailio::Server;
use crate::support::leaks::leaves_nothing_anywhere;
use crate::support::notifier::{Notifier, Notify};
use crate::support::route::after_notifies;
use crate::support::shm::{leaves_nothing, leaves_nothing_in};
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};

/// A proxy that tracks calls, and subscribes to X-Record for each when there is one.
const ROUTE: &str = r#"    if (has_totag()) {
        loose_route();
        t_relay();
        exit;
    }
    if (is_method("INVITE")) {
        record_route();
        dlg_manage();
    }
    if (!b2b_subscribe("$hdr(X-Record)", "sip:watcher@{ip}", "presence", "d")) {
        sl_send_reply("500", "No Subscription");
        exit;
    }
    t_relay();
}
"#;

fn builder() -> Builder {
    Server::b2b().keeps_calls().b2b_param("min_resubscribe_time", 0).route(&after_notifies(ROUTE))
}

/// A call through the server, seen from both ends.
pub struct Call {
    caller: Endpoint,
    callee: Endpoint,
    server: std::net::SocketAddr,
    invite: Message,
}

impl Call {
    pub fn between(server: &Server) -> Call {
        let (caller, callee) = (Endpoint::udp(), Endpoint::udp());
        let invite = caller.fresh_request("INVITE", &callee.uri("bob"), &caller.uri("alice"), &callee.uri("bob"));
        Call { caller, callee, server: server.addr(), invite }
    }

    /// INVITE until it arrives at the callee.
    pub fn ring(&mut self, record: &str) -> Received {
        let uri = self.invite.uri().to_owned();
        let (from, to) = (self.caller.uri("alice"), self.callee.uri("bob"));
        self.invite = self.caller.fresh_request("INVITE", &uri, &from, &to).with("X-Record", record);
        self.caller.send(&self.invite, self.server);
        self.callee.expect_request("INVITE", SOON)
    }

    /// The callee's final answer, until the caller's ACK.
    pub fn answer(&self, arrived: &Received, status: u16) -> Received {
        let contact = format!("<{}>", self.callee.uri("bob"));
        let answer = self.callee.response_to(arrived, status, "Scripted").with("Contact", contact);
        self.callee.answer(arrived, &answer);
        let answer = self.caller.final_response(&self.invite, SOON).expect("the answer comes through");
        let ack = match status {
            200 => self.within(&answer, "ACK", 1),
            // RFC 3261 §17.1.1.3: the ACK of a refusal is of the same transaction.
            _ => self.within(&answer, "ACK", 1).set("Via", self.invite.need("Via")).without("Route"),
        };
        self.caller.send(&ack, self.server);
        answer
    }

    /// A request of the caller within the dialog.
    fn within(&self, answer: &Message, method: &str, cseq: u32) -> Message {
        let mut request = self.caller.request(method, &self.callee.uri("bob"));
        for route in answer.list("Record-Route").into_iter().rev() {
            request = request.with("Route", route);
        }
        for (name, from) in [("From", &self.invite), ("To", answer), ("Call-ID", &self.invite)] {
            request = request.with(name, from.need(name));
        }
        request.with("CSeq", format!("{cseq} {method}"))
    }

    fn hang_up(&self, answer: &Message) {
        let bye = self.within(answer, "BYE", 2);
        self.caller.send(&bye, self.server);
        let arrived = self.callee.expect_request("BYE", SOON);
        self.callee.reply(&arrived, 200, "OK");
        assert_eq!(self.caller.final_response(&bye, SOON).map(|answer| answer.status()), Some(200));
    }
}

/// Neither in the module dialog, whose dialogs we hold, nor in any process.
#[test]
fn calls_leave_nothing_anywhere() {
    let notifier = Notifier::udp();
    let server = builder().children(1).start();
    let mut call = Call::between(&server);
    leaves_nothing_anywhere(&server, || {
        let arrived = call.ring(&notifier.uri("bob"));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        let answer = call.answer(&arrived, 200);
        call.callee.expect_request("ACK", SOON);
        call.hang_up(&answer);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn bye_ends_the_subscription() {
    let notifier = Notifier::udp();
    let server = builder().start();
    let mut call = Call::between(&server);
    leaves_nothing(&server, || {
        let arrived = call.ring(&notifier.uri("bob"));
        let first = notifier.expect_subscribe(SOON);
        let mut dialog = notifier.activate(&first, 600);
        let answer = call.answer(&arrived, 200);
        call.callee.expect_request("ACK", SOON);
        assert_eq!(server.trace()["subscriptions"], 1, "a call that stands keeps it");
        assert_eq!(dialog.notify(Notify::active(600)).status(), 200);
        call.hang_up(&answer);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

/// Asking again for the same within one call leaves one callback, however often: the dialog keeps them all to its end. What the
/// module dialog holds goes with the call.
#[test]
fn a_call_is_watched_once() {
    let again = r#"    while ($var(again) < 50) {
        if (!b2b_subscribe("$hdr(X-Record)", "sip:watcher@{ip}", "presence", "d")) exit;
        $var(again) = $var(again) + 1;
    }
    if ($var(again) > 0) $var(again) = 0;
    t_relay();
}
"#;
    let beginning = ROUTE.strip_suffix("    t_relay();\n}\n").expect("the end of the route");
    let route = after_notifies(beginning) + again;
    let notifier = Notifier::udp();
    let server = Server::b2b().keeps_calls().b2b_param("min_resubscribe_time", 0).route(&route).start();
    let mut call = Call::between(&server);
    let callbacks = || {
        let used = server.rpc("mod.mem_statsx", serde_json::json!(["dialog", "shm"])).expect("sums by line");
        let lines =
            used.as_array().expect("a list").iter().find_map(serde_json::Value::as_object).expect("lines").clone();
        let of = lines.iter().find(|(line, _)| line.starts_with("register_dlgcb")).expect("a callback").1.clone();
        of.as_str().and_then(|sums| sums.split_once(" (")).expect("sums").1.trim_end_matches(')').to_owned()
    };
    leaves_nothing_in(&server, &["presence_b2b", "tm", "dialog"], || {
        let arrived = call.ring(&notifier.uri("bob"));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        let of_all = callbacks();
        let answer = call.answer(&arrived, 200);
        call.callee.expect_request("ACK", SOON);
        assert!(of_all.parse::<u32>().expect("a number") < 10, "{of_all} callbacks");
        call.hang_up(&answer);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn a_call_that_fails_ends_the_subscription() {
    let notifier = Notifier::udp();
    let server = builder().start();
    let mut call = Call::between(&server);
    leaves_nothing(&server, || {
        let arrived = call.ring(&notifier.uri("bob"));
        let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
        call.answer(&arrived, 486);
        farewell(&mut dialog);
        server.await_no_subscription();
    });
    server.stop();
}

/// The subscription has ended before the call does: the end of the call finds none and does nothing.
#[test]
fn a_call_may_outlive_the_subscription() {
    let notifier = Notifier::udp();
    let server = builder().start();
    let mut call = Call::between(&server);
    leaves_nothing(&server, || {
        let arrived = call.ring(&notifier.uri("bob"));
        notifier.reject(&notifier.expect_subscribe(SOON), 489, &[]);
        server.await_no_subscription();
        let answer = call.answer(&arrived, 200);
        call.callee.expect_request("ACK", SOON);
        call.hang_up(&answer);
    });
    server.stop();
}

#[test]
fn a_request_without_a_call_binds_nothing() {
    let server = builder().allow_log("this message belongs to no tracked call").start();
    let peer = Endpoint::udp();
    leaves_nothing(&server, || {
        let uri = server.uri("script");
        let request = peer.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Record", peer.uri("bob"));
        let mark = server.log().mark();
        assert_eq!(peer.exchange(&request, server.addr(), SOON).status(), 500);
        let lines = server.log().since(mark, "ERROR: presence_b2b");
        assert!(matches!(&lines[..], [line] if line.contains("belongs to no tracked call")), "{lines:?}");
        assert_eq!(server.trace()["subscriptions"], 0);
    });
    server.stop();
}

/// A stand-in for the module dialog that takes no callback; built once.
fn refusing_dialog() -> &'static str {
    static BUILT: OnceLock<String> = OnceLock::new();
    BUILT.get_or_init(|| shared_object("refusing/dialog.so", "dialog/dialog.c", &[]).display().to_string())
}

/// The script learns that there is no subscription: none is made, and the dialog is not held.
#[test]
fn a_call_that_takes_no_callback_has_no_subscription() {
    let server = Server::b2b()
        .module(refusing_dialog())
        .b2b_param("min_resubscribe_time", 0)
        .route(&after_notifies(&ROUTE.replace("        dlg_manage();\n", "")));
    let server = server.allow_log("the dialog module took no callback").start();
    let (peer, notifier) = (Endpoint::udp(), Notifier::udp());
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let uri = server.uri("script");
        let request = peer.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Record", notifier.uri("bob"));
        assert_eq!(peer.exchange(&request, server.addr(), SOON).status(), 500);
        eventually(SOON, "there is none", || {
            // It may have been under way.
            if let Some(subscribe) = notifier.try_subscribe(Duration::ZERO) {
                notifier.reject(&subscribe, 480, &[]);
            }
            (server.trace()["subscriptions"] == 0).then_some(())
        });
        assert_eq!(server.log().since(mark, "RELEASED").len(), 1);
    });
    server.stop();
}
