//! `foreign-pbx-lamps`: the lamp of a local phone follows the calls of a user of another PBX.

use super::line::Line;
use super::{address, example, pbx};
use crate::support::phone::Phone;

#[test]
fn lamps_of_local_phones_follow_calls_at_a_foreign_pbx() {
    let (pbx, _tables) = pbx();
    let server = example("foreign-pbx-lamps/kamailio.cfg", "THIS_IP", &[address("PBX_IP", pbx.ip())]).start();
    let [caller, callee] = ["102", "101"].map(|user| Line::of(&pbx.uri(user), pbx.addr()));
    caller.register(600);
    callee.register(600);
    let mut lamp = Phone::watch(server.addr(), &server.uri("101"), "dialog");
    let mut other = Phone::watch(server.addr(), &server.uri("102"), "dialog");
    for _ in 0..2 {
        let call = caller.call(&callee.uri);
        let invite = callee.rings();
        let document = lamp.await_lamp("early");
        assert!(document.contains(&format!("entity=\"{}\"", server.uri("101"))), "{document}");
        // The PBX needs time to tell each state of both before the next one.
        other.await_lamp("early");
        let call = call.taken_by(&callee, &invite);
        lamp.await_lamp("confirmed");
        other.await_lamp("confirmed");
        call.hang_up(&callee);
        lamp.await_lamp("off");
        other.await_lamp("off");
    }
    // Nobody takes this one.
    let call = caller.call(&callee.uri);
    let invite = callee.rings();
    lamp.await_lamp("early");
    other.await_lamp("early");
    callee.refuse(&invite);
    assert_eq!(call.ends_with(), 603);
    lamp.await_lamp("off");
    other.await_lamp("off");
    lamp.hang_up();
    other.hang_up();
    server.stop();
    pbx.stop();
}
