//! `busy-to-voicemail`: a call for a user who is in a call at a remote PBX goes to voice mail.

use std::net::SocketAddr;

use super::line::Line;
use super::{address, await_line, example, pbx};
use crate::support::address::own_ip;

#[test]
fn calls_for_a_busy_user_go_to_voice_mail() {
    let (pbx, _tables) = pbx();
    let voicemail_ip = own_ip();
    let definitions = [address("PBX_IP", pbx.ip()), address("VOICEMAIL_IP", voicemail_ip)];
    let server = example("busy-to-voicemail/kamailio.cfg", "THIS_IP", &definitions).start();
    let voicemail = Line::at(voicemail_ip, "sip:voicemail@example.org", SocketAddr::from((voicemail_ip, 5060)));
    let [colleague, callee] = ["102", "101"].map(|user| Line::of(&pbx.uri(user), pbx.addr()));
    colleague.register(600);
    callee.register(600);
    let both = |state: &str| {
        for phone in [&colleague, &callee] {
            await_line(&server, &format!("{}: active, {state}", phone.uri));
        }
    };
    let outside = Line::of("sip:bob@example.org", server.addr());
    let desk = server.uri("101");
    // Nothing is known of calls so far: the phone rings. The PBX needs time to tell a state before the next one.
    let call = outside.call(&desk);
    let invite = callee.rings();
    await_line(&server, &format!("{}: active, early", callee.uri));
    let call = call.taken_by(&callee, &invite);
    await_line(&server, &format!("{}: active, confirmed", callee.uri));
    call.hang_up(&callee);
    await_line(&server, &format!("{}: active, terminated", callee.uri));
    // In a call with a colleague, within the PBX: the caller reaches voice mail, and the phone hears nothing.
    let call = colleague.call(&callee.uri);
    let invite = callee.rings();
    both("early");
    let inner = call.taken_by(&callee, &invite);
    both("confirmed");
    let call = outside.call(&desk);
    let invite = voicemail.rings();
    assert_eq!(invite.header("Diversion"), Some(&*format!("<{}>;reason=user-busy", callee.uri)));
    call.taken_by(&voicemail, &invite).hang_up(&voicemail);
    assert!(callee.is_silent());
    // Free again.
    inner.hang_up(&callee);
    both("terminated");
    let call = outside.call(&desk);
    let invite = callee.rings();
    await_line(&server, &format!("{}: active, early", callee.uri));
    callee.refuse(&invite);
    assert_eq!(call.ends_with(), 603);
    server.stop();
    pbx.stop();
}
