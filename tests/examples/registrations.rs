//! `registrations-drive-routing`: calls go where a user has registered elsewhere.

use std::net::SocketAddr;

use super::line::Line;
use super::{address, await_line, example, tables};
use crate::support::address::own_ip;

#[test]
fn calls_follow_the_registrations_of_another_server() {
    let tables = tables();
    let folder = ("TABLES", tables.path().display().to_string());
    let registrar = example("registrations-drive-routing/registrar.cfg", "REGISTRAR_IP", &[folder]).start();
    let announcement_ip = own_ip();
    let definitions = [address("REGISTRAR_IP", registrar.ip()), address("ANNOUNCEMENT_IP", announcement_ip)];
    let server = example("registrations-drive-routing/kamailio.cfg", "THIS_IP", &definitions).start();
    let caller = Line::of("sip:carol@example.org", server.addr());
    let announcement =
        Line::at(announcement_ip, "sip:announcement@example.org", SocketAddr::from((announcement_ip, 5060)));
    let alice = registrar.uri("alice");
    let [desk, mobile] = [(); 2].map(|()| Line::of(&alice, registrar.addr()));
    let wanted = server.uri("alice");
    for phone in [&desk, &mobile] {
        phone.register(600);
        await_line(&server, &format!("{alice}: active, active, 1 contacts"));
        let call = caller.call(&wanted);
        let invite = phone.rings();
        assert_eq!(invite.uri(), phone.contact());
        call.taken_by(phone, &invite).hang_up(phone);
        phone.register(0);
        await_line(&server, &format!("{alice}: active, terminated, 0 contacts"));
        let call = caller.call(&wanted);
        let invite = announcement.rings();
        call.taken_by(&announcement, &invite).hang_up(&announcement);
    }
    // Of bob nothing is known: the registrar, which has nobody, decides.
    let call = caller.call(&server.uri("bob"));
    assert_eq!(call.ends_with(), 404);
    server.stop();
    registrar.stop();
}
