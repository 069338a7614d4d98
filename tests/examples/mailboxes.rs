//! `external-voicemail`: the light of a local phone shows what waits at another server, subscribed to or told unasked.

use std::net::Ipv4Addr;

use super::line::Line;
use super::{address, example};
use crate::documentation::text_of;
use crate::support::address::own_ip;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::phone::Phone;
use crate::support::wait::{SOON, eventually};

/// The server of the example, its voice mail server, and the address of the one that tells unasked.
fn servers() -> (Server, Server, Ipv4Addr) {
    let voicemail = example("external-voicemail/voicemail.cfg", "VOICEMAIL_IP", &[]).start();
    let unasked = own_ip();
    let definitions = [address("VOICEMAIL_IP", voicemail.ip()), address("UNASKED_IP", unasked)];
    let server = example("external-voicemail/kamailio.cfg", "THIS_IP", &definitions).start();
    (server, voicemail, unasked)
}

/// Sends a message of the example, as the page does, to a server, whose address it names as `written`; the status of the answer.
fn send(file: &str, from: &Endpoint, written: &str, server: &Server) -> u16 {
    let text = text_of(&format!("docs/examples/external-voicemail/{file}"));
    // The answer comes back to the address in Via.
    let text = text.replace("127.0.0.9", &from.addr().ip().to_string()).replace(written, &server.ip().to_string());
    from.send_bytes(text.replace('\n', "\r\n").as_bytes(), server.addr());
    from.wait_for(SOON, |message| message.status() >= 200).expect("an answer").status()
}

fn await_light(light: &mut Phone, waiting: &str, voices: &str) {
    let first = format!("Messages-Waiting: {waiting}\r\n");
    light.await_body(&first, |body| body.starts_with(&first) && body.contains(voices));
}

#[test]
fn a_light_follows_the_mailbox_while_its_phone_is_registered() {
    let (server, voicemail, _) = servers();
    let user = server.uri("101");
    let phone = Line::of(&user, server.addr());
    let mut light = Phone::watch(server.addr(), &user, "message-summary");
    let recorder = Endpoint::udp();
    let subscriptions = |number: u64| {
        let what = format!("{number} subscriptions");
        eventually(SOON, &what, || (server.trace()["subscriptions"] == number).then_some(()));
    };
    assert_eq!(send("no-message.sip", &recorder, "127.0.0.2", &voicemail), 200);
    phone.register(600);
    await_light(&mut light, "no", "Voice-Message: 0/1\r\n");
    // A phone that registers again makes no second subscription.
    phone.register(600);
    subscriptions(1);
    assert_eq!(send("new-message.sip", &recorder, "127.0.0.2", &voicemail), 200);
    await_light(&mut light, "yes", "Voice-Message: 1/0\r\n");
    // The light of a user without a phone is out.
    phone.register(0);
    subscriptions(0);
    await_light(&mut light, "no", "");
    light.hang_up();
    server.stop();
    voicemail.stop();
}

#[test]
fn a_light_follows_what_is_told_unasked() {
    let (server, voicemail, unasked) = servers();
    let mut light = Phone::watch(server.addr(), &server.uri("101"), "message-summary");
    // Nobody else may tell.
    let stranger = Endpoint::udp();
    assert_eq!(send("unasked.sip", &stranger, "127.0.0.1", &server), 481);
    let sender = Endpoint::at(Transport::Udp, unasked);
    assert_eq!(send("unasked.sip", &sender, "127.0.0.1", &server), 200);
    await_light(&mut light, "yes", "Voice-Message: 3/0\r\n");
    let trace = server.trace();
    assert_eq!((&trace["unsolicited"], &trace["unsolicited_refused"]), (&1.into(), &1.into()), "{trace}");
    light.hang_up();
    server.stop();
    voicemail.stop();
}
