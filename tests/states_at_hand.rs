//! `$b2b(record=>field)` and `b2b_state()`: the newest state of a subscription, in any route of any process.

use serde_json::{Value, json};

use crate::documentation::fields::STATE_FIELDS;
use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::endpoint::Endpoint;
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::pidf::pidf;
use crate::support::route::after_notifies;
use crate::support::shm::leaves_nothing;
use crate::support::states;
use crate::support::wait::{SOON, eventually};

/// An OPTIONS asks for the state of X-Record, once with the record and once by b2b_state(); the reason phrase of the answer has both.
pub const ROUTE: &str = r#"    if (is_method("MESSAGE")) {
        pv_printf("$var(said)", "$b2b(basic)/$b2b(status)");
        sl_send_reply("200", "$var(said)");
        exit;
    }
    $var(known) = 0;
    if ($hdr(X-Package) == "") {
        b2b_state("$hdr(X-Record)");
    } else {
        b2b_state("$hdr(X-Record)", "$hdr(X-Subscriber)", "$hdr(X-Package)");
    }
    $var(known) = $rc;
    pv_printf("$var(said)", "$var(known) $b2b($hdr(X-Record)=>basic)/$b2b($hdr(X-Record)=>note)/$b2b($hdr(X-Record)=>status) $b2b(basic)/$b2b(note)/$b2b(status) $b2b(reason)/$b2b(code)/$b2b(content_type)/$b2b(entity)/$b2b(contact)");
    sl_send_reply("200", "$var(said)");
}
"#;

/// The same in JavaScript.
const SCRIPT: &str = r#"
function ksr_request_route() {
    if (KSR.is_method("NOTIFY")) {
        if (KSR.presence_b2b.handle_notify() < 0) {
            KSR.sl.sl_send_reply(481, "Subscription does not exist");
        }
        return;
    }
    var field = function (name) { return KSR.pv.getvs("$b2b(" + name + ")", "<null>"); };
    if (KSR.is_method("MESSAGE")) {
        KSR.sl.sl_send_reply(200, field("basic") + "/" + field("status"));
        return;
    }
    var header = function (name) { return KSR.pv.gete("$hdr(" + name + ")"); };
    var known = KSR.presence_b2b.b2b_state(header("X-Record"), header("X-Subscriber"), header("X-Package"));
    var of = function (name) { return field("$hdr(X-Record)=>" + name); };
    var one = of("basic") + "/" + of("note") + "/" + of("status");
    var two = field("basic") + "/" + field("note") + "/" + field("status");
    var more = field("reason") + "/" + field("code") + "/" + field("content_type") + "/" + field("entity") + "/" + field("contact");
    KSR.sl.sl_send_reply(200, known + " " + one + " " + two + " " + more);
}
"#;

/// Nothing is known of a record.
const NOTHING: &str = "-2 <null>/<null>/<null> <null>/<null>/<null> <null>/<null>/<null>/<null>/<null>";

pub fn builder() -> Builder {
    Server::b2b().b2b_param("min_resubscribe_time", 0).b2b_param("on_error_retry_time", 600)
}

/// What the script says of a record.
pub fn said(server: &Server, method: &str, record: &str, subscriber: &str, package: &str) -> String {
    let headers = [("X-Record", record), ("X-Subscriber", subscriber), ("X-Package", package)];
    states::said(server, &Endpoint::udp(), method, &headers)
}

pub fn state(server: &Server, record: &str) -> String {
    said(server, "OPTIONS", record, "", "")
}

fn subscribed(server: &Server, notifier: &Notifier, record: &str, subscriber: &str, options: &str) -> (u64, Dialog) {
    states::subscribed(server, notifier, subscriber, [record, "presence", options])
}

fn tells(dialog: &mut Dialog, record: &str, basic: &str, note: Option<&str>) {
    assert_eq!(dialog.notify(Notify::active(600).pidf(&pidf(record, basic, note))).status(), 200);
}

fn kept(server: &Server) -> [Value; 2] {
    let trace = server.trace();
    ["kept_states", "kept_bytes"].map(|name| trace[name].clone())
}

/// A life: never heard of, nothing said yet, a state, another one, a failure, a state again, the end.
fn a_life(server: &Server) {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    leaves_nothing(server, || {
        assert_eq!(state(server, &record), NOTHING);
        let (id, mut dialog) = subscribed(server, &notifier, &record, "watcher", "keep");
        assert_eq!(state(server, &record), NOTHING);
        assert_eq!(dialog.notify(Notify::pending(600)).status(), 200);
        assert_eq!(
            state(server, &record),
            "-1 <null>/<null>/pending <null>/<null>/pending /0/<null>/<null>/<null>",
            "a status, and no state"
        );
        tells(&mut dialog, &record, "open", Some("at lunch"));
        let known = format!("1 open/at lunch/active open/at lunch/active /0/application/pidf+xml/{record}/<null>");
        assert_eq!(state(server, &record), known);
        assert_eq!(said(server, "MESSAGE", &record, "", ""), "<null>/<null>", "the state was that of another message");
        assert_eq!(said(server, "OPTIONS", &record, &server.uri("watcher"), "presence"), known);
        let other = said(server, "OPTIONS", &record, &server.uri("other"), "presence");
        assert!(other.starts_with("-2 open/at lunch/active <null>/"), "{other}");
        assert!(said(server, "OPTIONS", &record, "", "dialog").starts_with("-2 open/at lunch/active <null>/"));
        tells(&mut dialog, &record, "closed", None);
        assert!(state(server, &record).starts_with("1 closed/<null>/active closed/<null>/active"));
        let [states, bytes] = kept(server);
        assert!(states == 1 && bytes.as_u64() > Some(100), "{states} {bytes}");
        assert_eq!(server.show(id)["kept_bytes"], bytes);

        // The notifier ends it, and there will be another attempt.
        assert_eq!(dialog.notify(Notify::terminated("probation", 600)).status(), 200);
        let ended = state(server, &record);
        assert!(
            ended.starts_with("-1 <null>/<null>/terminated <null>/<null>/terminated probation/0/<null>"),
            "{ended}"
        );
        server.rpc("presence_b2b.refresh", json!([id])).expect("it can be refreshed");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        tells(&mut dialog, &record, "open", None);
        assert!(state(server, &record).starts_with("1 open/<null>/active"));

        server.unsubscribe(id);
        eventually(SOON, "nothing is known any more", || (state(server, &record) == NOTHING).then_some(()));
        assert_eq!(kept(server), [0, 0].map(Value::from));
        farewell(&mut dialog);
        server.await_no_subscription();
        assert_eq!(state(server, &record), NOTHING);
    });
}

#[test]
fn in_a_native_script() {
    let server = builder().route(&after_notifies(ROUTE)).start();
    a_life(&server);
    server.stop();
}

#[test]
fn in_kemi() {
    let server = builder().kemi(SCRIPT).start();
    a_life(&server);
    server.stop();
}

/// Without `keep` nothing is kept, unless the parameter says so for all.
#[test]
fn what_is_kept_is_asked_for() {
    for (parameter, options, known) in [(0, "", -2), (0, "keep", 1), (0, "merged", 1), (1, "", 1)] {
        let notifier = Notifier::udp();
        let record = notifier.uri("alice");
        let server = builder().route(&after_notifies(ROUTE)).b2b_param("keep_state", parameter).start();
        leaves_nothing(&server, || {
            let (id, mut dialog) = subscribed(&server, &notifier, &record, "watcher", options);
            tells(&mut dialog, &record, "open", None);
            let said = state(&server, &record);
            assert!(said.starts_with(&format!("{known} ")), "{parameter} {options}: {said}");
            server.end(id, &mut dialog);
        });
        server.stop();
    }
}

/// A notifier begins no line where a script writes a field, and a record that has no text has no state.
#[test]
fn hostile_texts_and_records() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder()
        .route(&after_notifies(ROUTE))
        .allow_log("no more space for spec value")
        .allow_log("buffer overflow")
        .hostile();
    let server = server.allow_log("PV-formated string").allow_log("a parameter has no value").start();
    leaves_nothing(&server, || {
        let (id, mut dialog) = subscribed(&server, &notifier, &record, "watcher", "keep");
        let document = pidf(&record, "open", Some("NOTE")).replace("NOTE", "a&#13;&#10;X-Evil: 1");
        assert_eq!(dialog.notify(Notify::active(600).pidf(&document)).status(), 200);
        let told = state(&server, &record);
        assert!(told.starts_with("1 open/a  X-Evil: 1/active open/a  X-Evil: 1/active "), "{told}");
        let long = format!("sip:{}@example.com", "a".repeat(9000));
        let told = state(&server, &long);
        // -1: there is no such state; -2: newer servers do not pass so long a parameter.
        let answer = told.strip_prefix("-1 ").or_else(|| told.strip_prefix("-2 "));
        assert!(answer.is_some_and(|it| it.starts_with("<null>/<null>/<null> <null>/<null>/<null>")), "{told}");
        server.end(id, &mut dialog);
    });
    server.stop();
}

/// Of several subscriptions to a record one that is active counts, and among those the one that was told last.
#[test]
fn several_subscribers_of_a_record() {
    let notifier = Notifier::udp();
    let record = notifier.uri("alice");
    let server = builder().route(&after_notifies(ROUTE)).b2b_param("keep_state", 1).start();
    leaves_nothing(&server, || {
        let (first, mut one) = subscribed(&server, &notifier, &record, "one", "");
        let (second, mut other) = subscribed(&server, &notifier, &record, "other", "");
        tells(&mut one, &record, "open", Some("one"));
        tells(&mut other, &record, "closed", Some("other"));
        assert!(state(&server, &record).starts_with("1 closed/other/active"));
        let of = |subscriber: &str| said(&server, "OPTIONS", &record, &server.uri(subscriber), "presence");
        assert!(of("one").contains(" open/one/active "), "{}", of("one"));
        assert!(of("other").contains(" closed/other/active "));
        assert_eq!(other.notify(Notify::terminated("probation", 600)).status(), 200);
        assert!(state(&server, &record).starts_with("1 open/one/active"));
        assert!(of("other").starts_with("-1 open/one/active <null>/<null>/terminated"));
        server.unsubscribe(second);
        server.end(first, &mut one);
    });
    server.stop();
}

/// A script that names a field that is not there does not start.
#[test]
fn unknown_fields_refuse_the_start() {
    for name in ["sip:a@b=>colour", "colour", "sip:a@b=>", ""] {
        let route = format!("request_route {{\n    xlog(\"$b2b({name})\\n\");\n}}");
        let said = Server::b2b().route(&route).start_refused();
        let wrong = match name.rsplit("=>").next().expect("a part") {
            "" => "the name of the field is missing".to_owned(),
            field => format!("there is no field {field}"),
        };
        assert!(name.is_empty() || said.contains(&format!("$b2b(...): {wrong}: the fields are status, ")), "{said}");
    }
    assert_eq!(STATE_FIELDS.len(), 6);
}

/// Texts of a script that the log quotes are cut, and escaped.
#[test]
fn an_unknown_package_is_quoted_up_to_a_hundred_bytes() {
    let server = builder().route(&after_notifies(ROUTE)).allow_log("unknown event package").start();
    let mark = server.log().mark();
    let (package, record) = (format!("a\\{}", "x".repeat(200)), format!("sip:{}", "r".repeat(300)));
    assert!(said(&server, "OPTIONS", &record, "sip:watcher@example.org", &package).starts_with("-2 "));
    let lines = server.log().since(mark, "b2b_state: unknown event package");
    let quoted = |line: &str| {
        line.contains(&format!("\"a\\\\{}...\"", "x".repeat(98)))
            && line.contains(&format!("(record \"sip:{}...\")", "r".repeat(96)))
    };
    assert!(matches!(&lines[..], [line] if quoted(line)), "{lines:?}");
    server.stop();
}
