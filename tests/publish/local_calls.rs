//! The calls of a local user light lamps at the presence server: no SIP but the calls and the lamps.

use super::{in_memory, subscribe, with_presence};
use crate::local_calls::{Call, DOMAIN, await_no_call, uri};
use crate::support::kamailio::Server;
use crate::support::phone::Phone;
use crate::support::wait::{SOON, eventually};

/// What belongs to no call and no lamp is for this route.
const ROUTE: &str = "request_route { if (is_method(\"SUBSCRIBE\") && t_newtran()) { handle_subscribe(); t_release(); exit; } \
                     route(CALLS); }";

#[test]
fn a_lamp_follows_the_calls_of_a_local_user() {
    let calls = crate::local_calls::ROUTE.replace("request_route", "route[CALLS]");
    let server = in_memory(with_presence(Server::b2b().tlsf(), &["dialog"]))
        .modparam("dialog", "wait_ack", 0)
        .b2b_param("local_domains", DOMAIN)
        .route(ROUTE)
        .route(&calls)
        .start();
    let id = subscribe(&server, &uri("bob"), "dialog", "publish").expect("an id");
    let mut lamp = Phone::watch(server.addr(), &uri("bob"), "dialog");
    lamp.await_lamp("off");
    for _ in 0..2 {
        let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
        let arrived = call.ring();
        lamp.await_lamp("trying");
        call.reply(&arrived, 180);
        lamp.await_lamp("early");
        let answer = call.answer(&arrived, 200);
        let document = lamp.await_lamp("confirmed");
        assert!(document.contains(&format!("entity=\"{}\"", uri("bob"))), "{document}");
        call.hang_up(&answer);
        lamp.await_lamp("off");
        await_no_call(&server);
    }
    // A call that is given up early.
    let mut call = Call::new(&server, &uri("alice"), &uri("bob"));
    let arrived = call.ring();
    call.reply(&arrived, 180);
    lamp.await_lamp("early");
    call.cancel();
    let cancel = call.callee.expect_request("CANCEL", SOON);
    call.callee.reply(&cancel, 200, "OK");
    call.reply(&arrived, 487);
    call.acknowledge();
    lamp.await_lamp("off");
    server.unsubscribe(id);
    eventually(SOON, "nothing is published", || (super::count(&server, "publications") == 0).then_some(()));
    server.stop();
}
