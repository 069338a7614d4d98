//! The documents of messages, read by a C module: each member is shown by the name that it has in the header.

use serde_json::{Value, json};

use crate::c_api::{call, start};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing_in;
use crate::support::wait::{SOON, eventually};

const PRESENCE: (&str, &str) = (
    "application/pidf+xml",
    r#"<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:d="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:a@h"><tuple id="t"><status><basic>open</basic></status>
<r:class>mobile</r:class><d:deviceID>mac:1</d:deviceID><contact priority="0.5">sip:a@c</contact><timestamp>1</timestamp></tuple>
<d:person id="p"><r:activities from="1" until="2"><r:away/><r:busy/></r:activities><d:note xml:lang="en">out</d:note></d:person>
<d:device id="v"><d:deviceID>mac:1</d:deviceID></d:device></presence>"#,
);

pub const DIALOGS: (&str, &str) = (
    "application/dialog-info+xml",
    r#"<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="2" state="partial" entity="sip:a@h">
<dialog id="1"><state>early</state></dialog><dialog id="2" call-id="c" local-tag="l" remote-tag="r" direction="recipient">
<state event="replaced" code="200">confirmed</state><duration>274</duration><replaces call-id="o" local-tag="3" remote-tag="4"/>
<referred-by display="Ref">sip:ref@h</referred-by><route-set><hop>sip:p1</hop><hop>sip:p2</hop></route-set>
<local><identity display="A">sip:a@h</identity><target uri="sip:a@c"><param pname="x" pval="y"/></target><cseq>7</cseq></local>
<remote><identity>sip:b@h</identity><session-description type="application/sdp">v=0</session-description></remote></dialog></dialog-info>"#,
);

pub const REGISTRATIONS: (&str, &str) = (
    "application/reginfo+xml",
    r#"<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:g="urn:ietf:params:xml:ns:gruuinfo" version="9" state="full">
<registration aor="sip:a@h" id="r" state="active"><contact id="k" state="active" event="registered" duration-registered="5" expires="3600"
 retry-after="6" q="0.8" callid="c" cseq="12"><uri>sip:a@c</uri><display-name>A</display-name><unknown-param name="n">v</unknown-param>
<g:pub-gruu uri="sip:pub"/><g:temp-gruu uri="sip:temp" first-cseq="11"/></contact></registration></reginfo>"#,
);

pub const WATCHERS: (&str, &str) = (
    "application/watcherinfo+xml",
    r#"<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full">
<watcher-list resource="sip:a@h" package="presence"><watcher id="w" event="subscribe" status="pending" display-name="W" xml:lang="de"
 expiration="600" duration-subscribed="5">sip:w@h</watcher></watcher-list></watcherinfo>"#,
);

const WAITING: (&str, &str) = (
    "application/simple-message-summary",
    "Messages-Waiting: yes\r\nMessage-Account: sip:a@h\r\nVoice-Message: 2/8 (0/2)\r\n\r\nTo: b\r\nSubject: s\r\n",
);

/// What the C module makes of each of them.
fn shown() -> [(&'static str, Value, (&'static str, &'static str)); 5] {
    let rpid = |kind: i32, values: &[&str]| json!({"kind": kind, "from": "", "until": "", "values": values});
    let mut activities = rpid(1, &["away", "busy"]);
    activities["from"] = json!("1");
    activities["until"] = json!("2");
    let extension = |ns: &str, name: &str, xml: &str| json!({"ns": ns, "name": name, "xml": xml});
    let pidf = "xmlns=\"urn:ietf:params:xml:ns:pidf\"";
    let [model, rpid_space] = ["urn:ietf:params:xml:ns:pidf:data-model", "urn:ietf:params:xml:ns:pidf:rpid"];
    let class = format!("<r:class {pidf} xmlns:r=\"{rpid_space}\">mobile</r:class>");
    let device_id = format!("<d:deviceID {pidf} xmlns:d=\"{model}\">mac:1</d:deviceID>");
    let person = format!(
        "<d:person {pidf} xmlns:d=\"{model}\" xmlns:r=\"{rpid_space}\" id=\"p\"><r:activities from=\"1\" until=\"2\"><r:away/><r:busy/>\
         </r:activities><d:note xml:lang=\"en\">out</d:note></d:person>"
    );
    let device = format!("<d:device {pidf} xmlns:d=\"{model}\" id=\"v\"><d:deviceID>mac:1</d:deviceID></d:device>");
    let nobody = json!({"uri": "", "display": ""});
    let no_side =
        json!({"target": "", "session_type": "", "session": "", "cseq": -1, "identity": nobody, "params": []});
    [
        (
            "presentity",
            json!({"entity": "sip:a@h", "notes": [], "tuples": [{"id": "t", "basic": "open", "contact": "sip:a@c",
                "priority": 500, "timestamp": "1", "device_id": "mac:1", "notes": [], "status_extensions": [],
                "rpid": [rpid(8, &["mobile"])], "extensions": [extension(rpid_space, "class", &class),
                extension(model, "deviceID", &device_id)]}],
                "extensions": [extension(model, "person", &person), extension(model, "device", &device)],
                "persons": [{"id": "p", "device_id": "", "timestamp": "", "rpid": [activities],
                "notes": [{"lang": "en", "text": "out"}]}],
                "devices": [{"id": "v", "device_id": "mac:1", "timestamp": "", "rpid": [], "notes": []}]}),
            PRESENCE,
        ),
        (
            "dialogs",
            json!({"version": 2, "full": 0, "entity": "sip:a@h", "lamp": 1, "dialogs": [
                {"id": "1", "call_id": "", "local_tag": "", "remote_tag": "", "direction": "", "state": "early", "event": "",
                "code": -1, "duration": -1, "has_replaces": 0, "replaces_call_id": "", "replaces_local_tag": "",
                "replaces_remote_tag": "", "referred_by": nobody, "route_set": [], "local": no_side, "remote": no_side},
                {"id": "2", "call_id": "c", "local_tag": "l", "remote_tag": "r", "direction": "recipient", "state": "confirmed",
                "event": "replaced", "code": 200, "duration": 274, "has_replaces": 1, "replaces_call_id": "o",
                "replaces_local_tag": "3", "replaces_remote_tag": "4", "referred_by": {"uri": "sip:ref@h", "display": "Ref"},
                "route_set": ["sip:p1", "sip:p2"], "local": {"target": "sip:a@c", "session_type": "", "session": "", "cseq": 7,
                "identity": {"uri": "sip:a@h", "display": "A"}, "params": [{"name": "x", "value": "y"}]},
                "remote": {"target": "", "session_type": "application/sdp", "session": "v=0", "cseq": -1,
                "identity": {"uri": "sip:b@h", "display": ""}, "params": []}}]}),
            DIALOGS,
        ),
        (
            "registrations",
            json!({"version": 9, "full": 1, "registrations": [{"aor": "sip:a@h", "id": "r", "state": "active", "contacts": [
                {"id": "k", "state": "active", "event": "registered", "uri": "sip:a@c", "display": "A", "q": "0.8",
                "call_id": "c", "pub_gruu": "sip:pub", "temp_gruu": "sip:temp", "cseq": 12, "duration": 5, "expires": 3600,
                "retry_after": 6, "first_cseq": 11, "params": [{"name": "n", "value": "v"}]}]}]}),
            REGISTRATIONS,
        ),
        (
            "watchers",
            json!({"version": 0, "full": 1, "lists": [{"resource": "sip:a@h", "package": "presence", "watchers": [
                {"id": "w", "status": "pending", "event": "subscribe", "uri": "sip:w@h", "display": "W", "lang": "de",
                "expiration": 600, "duration": 5}]}]}),
            WATCHERS,
        ),
        (
            "waiting",
            json!({"waiting": 1, "account": "sip:a@h", "classes": [{"name": "voice-message", "new": 2, "old": 8,
                "urgent_new": 0, "urgent_old": 2}], "messages": [{"headers": [{"name": "To", "value": "b"},
                {"name": "Subject", "value": "s"}]}]}),
            WAITING,
        ),
    ]
}

/// A subscription to a package that nobody serves: the test is its notifier.
fn subscribe(server: &Server) -> String {
    let id = call(server, "subscribe", json!(["test-nobody", "a", "b"]));
    id.as_str().expect("an id").to_owned()
}

#[test]
fn a_c_module_reads_every_kind_of_document() {
    let server = start(10);
    let id = subscribe(&server);
    for (kind, expected, (media_type, body)) in shown() {
        call(&server, "notify", json!([id, "active", media_type, body]));
        let news = call(&server, "pop", json!([]));
        assert_eq!(news[kind], expected, "{media_type}");
        for (other, ..) in shown() {
            assert_eq!(news.get(other).is_some(), other == kind, "{news}");
        }
    }
    server.stop();
}

/// Truncated bodies and types that belong to another body: no document, or one of the right kind, and nothing else happens.
#[test]
fn a_c_module_meets_documents_that_are_none() {
    let server = start(10);
    let id = subscribe(&server);
    leaves_nothing_in(&server, &["presence_b2b", "qsa_test"], || {
        for (kind, _, (media_type, body)) in shown() {
            let cut = (0..body.len()).step_by(11).map(|end| (media_type, &body[..end]));
            let foreign =
                shown().map(|(_, _, (_, other))| (media_type, other)).into_iter().filter(|(_, other)| *other != body);
            for (media_type, body) in cut.chain(foreign) {
                call(&server, "notify", json!([id, "active", media_type, body]));
                let news = call(&server, "pop", json!([]));
                assert_eq!(news["body"], *body);
                assert_eq!(news.get(kind).is_some(), kind == "waiting", "{news}");
                assert!(shown().iter().all(|(other, ..)| *other == kind || news.get(other).is_none()), "{news}");
            }
        }
    });
    server.stop();
}

#[test]
fn a_c_module_reads_documents_that_came_over_sip() {
    let notifier = Notifier::udp();
    let server = start(10);
    for (package, kind, (media_type, body)) in [
        ("dialog", "dialogs", DIALOGS),
        ("reg", "registrations", REGISTRATIONS),
        ("message-summary", "waiting", WAITING),
    ] {
        let body = body.replace(" state=\"partial\"", "");
        let id = call(&server, "subscribe", json!([package, notifier.uri("alice"), "sip:watcher@example.org"]));
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        assert_eq!(dialog.notify(Notify::active(600).event(package).body(media_type, body)).status(), 200);
        let news = eventually(SOON, "the document", || server.rpc("qsa_test.pop", json!([])).ok());
        assert!(news.get(kind).is_some(), "{news}");
        call(&server, "unsubscribe", json!([id]));
        crate::support::b2b::farewell(&mut dialog);
        server.await_no_subscription();
    }
    server.stop();
}
