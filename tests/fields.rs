//! `$qsa(...)` with the fields of documents, with and without an index, in native and in KEMI scripts.

use serde_json::json;

use crate::documentation::blocks_in;
use crate::event_route::said;
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

const DIALOG_INFO: &str = "application/dialog-info+xml";

/// Three dialogs; the lamp shows the second one.
const DIALOGS: &str = "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='0' state='full' entity='sip:a@x'>\
    <dialog id='one'><state>terminated</state><remote><identity>sip:one@x</identity></remote></dialog>\
    <dialog id='two' direction='recipient'><state>confirmed</state></dialog>\
    <dialog id='three'><state>early</state><remote><identity display='T&#13;&#10;ree'>sip:three@x</identity></remote></dialog>\
    </dialog-info>";

/// What a script shows, and what it is for [`DIALOGS`].
const SHOWN: [(&str, &str); 22] = [
    ("$qsa(dialog_state)", "confirmed"),
    ("$qsa(dialog_id)", "two"),
    ("$qsa(direction)", "recipient"),
    ("$qsa(remote_uri)", "<null>"),
    ("$qsa(dialogs)", "3"),
    ("$(qsa(dialogs)[0])", "3"),
    ("$(qsa(dialogs)[1])", "<null>"),
    ("$(qsa(dialog_state)[0])", "terminated"),
    ("$(qsa(dialog_state)[2])", "early"),
    ("$(qsa(dialog_state)[3])", "<null>"),
    ("$(qsa(dialog_state)[-1])", "early"),
    ("$(qsa(dialog_state)[-3])", "terminated"),
    ("$(qsa(dialog_state)[-4])", "<null>"),
    ("$(qsa(dialog_state)[*])", "terminated,confirmed,early"),
    ("$(qsa(remote_uri)[*])", "sip:one@x,,sip:three@x"),
    ("$(qsa(local_tag)[*])", "<null>"),
    ("$(qsa(dialog_id)[*]{s.len})", "13"),
    ("$(qsa(remote_name)[2])", "T  ree"),
    ("$(qsa(remote_name)[*])", ",,T  ree"),
    ("$(qsa(package)[0])", "dialog"),
    ("$(qsa(package)[1])", "<null>"),
    ("$qsa(basic)", "<null>"),
];

/// A subscription to the dialogs of a phone.
fn subscribed(server: &Server, notifier: &Notifier, package: &str) -> Dialog {
    let options = json!([notifier.uri("alice"), server.uri("watcher"), package]);
    server.rpc("presence_b2b.subscribe", options).expect("an id");
    notifier.accept(&notifier.expect_subscribe(SOON), 600)
}

fn notify(dialog: &mut Dialog, package: &str, content_type: &str, body: &str) {
    assert_eq!(dialog.notify(Notify::active(600).event(package).body(content_type, body)).status(), 200);
}

/// Has the server show [`SHOWN`].
fn shows_all(builder: Builder) {
    let notifier = Notifier::udp();
    let server = builder.b2b_param("min_resubscribe_time", 0).start();
    leaves_nothing(&server, || {
        let mark = server.log().mark();
        let mut dialog = subscribed(&server, &notifier, "dialog");
        notify(&mut dialog, "dialog", DIALOG_INFO, DIALOGS);
        let text = said(&server, mark, "SHOWN ");
        for (shown, (name, expected)) in text.split('|').zip(SHOWN) {
            assert_eq!(shown, expected, "{name}");
        }
        assert_eq!(text.split('|').count(), SHOWN.len());
        dialog.notify(Notify::terminated("noresource", 0).event("dialog"));
        server.await_no_subscription();
    });
    server.stop();
}

#[test]
fn a_native_script_reads_fields_with_an_index() {
    let all = SHOWN.map(|(name, _)| name).join("|");
    shows_all(Server::b2b().route(&format!(
        "event_route[qsa:notify] {{\n    if ($qsa(status) == \"active\") {{ xlog(\"L_NOTICE\", \"SHOWN {all}.END\\n\"); }}\n}}"
    )));
}

#[test]
fn a_kemi_script_reads_fields_with_an_index() {
    let names = SHOWN.map(|(name, _)| name);
    let script = format!(
        r#"
function ksr_request_route() {{
    if (KSR.presence_b2b.handle_notify() < 0) {{
        KSR.sl.sl_send_reply(481, "None");
    }}
}}
function on_qsa(event) {{
    if (KSR.pv.get("$qsa(status)") == "active") {{
        var shown = {names:?}.map(function (name) {{ return KSR.pv.getvs(name, "<null>"); }});
        KSR.notice("SHOWN " + shown.join("|") + ".END\n");
    }}
}}"#
    );
    shows_all(Server::b2b().kemi(&script).b2b_param("event_callback", "on_qsa"));
}

/// The example of the page, which walks over all dialogs with a variable as index.
#[test]
fn the_example_of_the_page_walks_over_all_values() {
    let example = blocks_in("docs/pseudo-variables.md", "kamailio").into_iter().find(|block| block.contains("$var(n)"));
    let notifier = Notifier::udp();
    let server = Server::b2b().route(&example.expect("the example")).start();
    let mut dialog = subscribed(&server, &notifier, "dialog");
    notify(&mut dialog, "dialog", DIALOG_INFO, DIALOGS);
    let mark = crate::support::log::Mark::default();
    for line in [
        "3 dialogs: terminated,confirmed,early; the last one with sip:three@x",
        "one is terminated",
        "two is confirmed",
        "three is early",
    ] {
        crate::support::wait::eventually(SOON, line, || (!server.log().since(mark, line).is_empty()).then_some(()));
    }
    server.stop();
}

/// Numbers are numbers for the script, and values that it holds at a time do not disturb each other.
#[test]
fn values_can_be_compared_and_joined() {
    let route = r#"event_route[qsa:notify] {
        if ($qsa(voice_new) > 9 && $qsa(voice_old) == 3 && $qsa(waiting) == "yes" && $qsa(fax_new) == $null) {
            xlog("L_NOTICE", "MESSAGES $qsa(voice_new) of $qsa(account).END\n");
        }
        if ($qsa(contacts) != $null) {
            $var(all) = $(qsa(contact)[1]) + $(qsa(contact)[0]) + $qsa(contact) + $(qsa(contact)[1]);
            xlog("L_NOTICE", "CONTACTS $var(all) $qsa(expires).END\n");
        }
    }"#;
    let notifier = Notifier::udp();
    let server = Server::b2b().route(route).start();
    let mark = server.log().mark();
    let mut dialog = subscribed(&server, &notifier, "message-summary");
    let summary = "Messages-Waiting: yes\r\nMessage-Account: sip:a@x\r\nVoice-Message: 10/3\r\n";
    notify(&mut dialog, "message-summary", "application/simple-message-summary", summary);
    assert_eq!(said(&server, mark, "MESSAGES "), "10 of sip:a@x");
    let mut dialog = subscribed(&server, &notifier, "reg");
    let reginfo = "<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='0' state='full'>\
        <registration aor='sip:a@x' id='r' state='active'>\
        <contact id='1' state='terminated' event='expired'><uri>one</uri></contact>\
        <contact id='2' state='active' event='created' expires='99999999999'><uri>two</uri></contact>\
        </registration></reginfo>";
    notify(&mut dialog, "reg", "application/reginfo+xml", reginfo);
    assert_eq!(said(&server, mark, "CONTACTS "), "twoonetwotwo 2147483647");
    server.stop();
}

/// A wrong index refuses the start, as a wrong field does.
#[test]
fn a_wrong_index_refuses_the_start() {
    for wrong in ["$(qsa(note)[+])", "$(qsa(note)[x])", "$(qsa(note)[])"] {
        let route = format!("event_route[qsa:notify] {{ $var(a) = {wrong}; }}");
        let log = Server::b2b().route(&route).start_refused();
        assert!(log.contains("qsa"), "{wrong}: {log}");
    }
}
