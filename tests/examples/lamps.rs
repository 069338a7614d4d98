//! `foreign-pbx-lamps`: the lamp of a local phone follows the calls of a user of another PBX.

use std::fs;

use tempfile::TempDir;

use super::line::Line;
use super::{address, example, example_of, pbx};
use crate::documentation::{between, section, text_of};
use crate::provisioning::{TABLE, counts, read};
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

/// The lines and the row of the page, in place of the route.
#[test]
fn one_row_of_a_table_lights_a_lamp() {
    let (pbx, _tables) = pbx();
    let page = text_of("docs/examples/foreign-pbx-lamps/README.md");
    let page = section(&page, "Users in a table");
    let block = |kind: &str| *between(page, &format!("```{kind}\n"), "```").first().expect("a block");
    let dir = TempDir::with_prefix("rows-").expect("a folder");
    let lines = block("kamailio").replace("/etc/kamailio/tables", &dir.path().to_string_lossy());
    let module = "loadmodule \"presence_b2b.so\"\n";
    let loads = format!("loadmodule \"db_text.so\"\n{module}modparam(\"db_text\", \"db_mode\", 1)\n{lines}");
    let text = text_of("docs/examples/foreign-pbx-lamps/kamailio.cfg").replace(module, &loads);
    let (before, route) = text.split_once("event_route[core:worker-one-init] {\n").expect("the route");
    let (_, after) = route.split_once("\n}\n").expect("its end");
    let server = example_of(&format!("{before}{after}"), "THIS_IP", &[address("PBX_IP", pbx.ip())]);
    let rows = block("text").replace("127.0.0.1", &server.ip().to_string()).replace("127.0.0.2", &pbx.ip().to_string());
    fs::write(dir.path().join(TABLE), rows).expect("a file");
    let server = server.start();
    assert_eq!(counts(&read(&server)), [1, 0, 0, 0, 0, 0]);
    let [caller, callee] = ["102", "101"].map(|user| Line::of(&pbx.uri(user), pbx.addr()));
    caller.register(600);
    callee.register(600);
    let mut lamp = Phone::watch(server.addr(), &server.uri("101"), "dialog");
    let call = caller.call(&callee.uri);
    let invite = callee.rings();
    lamp.await_lamp("early");
    let call = call.taken_by(&callee, &invite);
    lamp.await_lamp("confirmed");
    call.hang_up(&callee);
    lamp.await_lamp("off");
    lamp.hang_up();
    server.stop();
    pbx.stop();
}
