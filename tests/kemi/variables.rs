//! Every field of `$qsa(...)` and `$b2b(...)` in every language: the same values, of the type that the page says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::languages::{KEMI, Language, call, message_fields, state_fields, text};
use crate::c_documents::{DIALOGS, REGISTRATIONS, WATCHERS};
use crate::documentation::text_of;
use crate::event_route::said;
use crate::support::endpoint::Transport::Udp;
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

const PRESENCE: &str = "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:d='urn:ietf:params:xml:ns:pidf:data-model' \
    xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' entity='sip:a@h'><tuple id='t'><status><basic>open</basic></status>\
    <contact>sip:a@c</contact><note>K\u{f6}ln | =</note></tuple><d:person id='p'><r:activities><r:away/></r:activities>\
    <r:mood><r:happy/></r:mood></d:person></presence>";

/// Fields that the documents here do not say.
const UNSAID: [&str; 5] = ["next_attempt", "event_id", "list", "resource_name", "instance"];

/// Package, type and body: together they have each field of documents.
fn documents() -> [(&'static str, &'static str, String); 5] {
    let classes = ["Voice", "Fax", "Pager", "Multimedia", "Text", "Video", "None"];
    let counts: String = classes.iter().map(|class| format!("{class}-Message: 1/2 (3/4)\r\n")).collect();
    let summary = format!("Messages-Waiting: yes\r\nMessage-Account: sip:a@h\r\n{counts}");
    [
        ("presence", "application/pidf+xml", PRESENCE.to_owned()),
        ("dialog", DIALOGS.0, DIALOGS.1.replace("<remote><identity>", "<remote><identity display='B'>")),
        ("reg", REGISTRATIONS.0, REGISTRATIONS.1.to_owned()),
        ("presence.winfo", WATCHERS.0, WATCHERS.1.to_owned()),
        ("message-summary", "application/simple-message-summary", summary),
    ]
}

/// What a script shows: values by name.
type Shown = BTreeMap<String, String>;

/// `name=value|` of each of these names, in order. A value may have these characters as well.
fn values(text: &str, names: &[&str]) -> Shown {
    let mut rest = text;
    let mut shown = Shown::new();
    for (at, name) in names.iter().enumerate() {
        rest = rest.strip_prefix(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {rest}"));
        let next = names.get(at + 1).map_or("|".to_owned(), |next| format!("|{next}="));
        let (value, behind) = rest.split_once(&next).unwrap_or_else(|| panic!("no end of {name} in {rest}"));
        shown.insert((*name).to_owned(), value.to_owned());
        rest = if at + 1 < names.len() { &rest[value.len() + 1..] } else { behind };
    }
    shown
}

/// What this language shows of each document: the fields of the message, and those of the state, current and by record.
fn shown(language: Language) -> Vec<[Shown; 3]> {
    let notifier = Notifier::udp();
    let server = language.server(0, 0).b2b_param("keep_state", 1).start();
    let mut all = Vec::new();
    leaves_nothing(&server, || {
        all = documents().map(|(package, kind, body)| shown_of(&server, &notifier, package, kind, &body)).to_vec();
    });
    server.stop();
    all
}

fn shown_of(server: &Server, notifier: &Notifier, package: &str, kind: &str, body: &str) -> [Shown; 3] {
    let record = notifier.uri(package);
    let id = server.rpc("presence_b2b.subscribe", json!([record, server.uri("watcher"), package])).expect("an id");
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    let mark = server.log().mark();
    let answer = dialog.notify(Notify::active(600).event(package).body(kind, body.to_owned()));
    assert_eq!(answer.status(), 200);
    let told = said(server, mark, "SHOWN qsa:notify|");
    let (both, errors) = call(server, Udp, "show", &[text(&record), text(package)]);
    assert!(errors.is_empty(), "{errors:?}");
    let names = state_fields();
    let second = both[1..].find(&format!("|{}=", names[0])).expect("the fields twice") + 2;
    let shown = [values(&told, &message_fields()), values(&both[..second], &names), values(&both[second..], &names)];
    server.rpc("presence_b2b.unsubscribe", json!([id])).expect("it ends");
    crate::support::b2b::farewell(&mut dialog);
    server.await_no_subscription();
    let id = id.to_string();
    shown.map(|shown| {
        let same = |value: String| value.replace(&record, "R").replace(&server.uri("watcher"), "S").replace(&id, "ID");
        shown.into_iter().map(|(name, value)| (name, same(value))).collect()
    })
}

/// Fields that are numbers, as the page says.
fn numbers() -> BTreeSet<String> {
    let page = text_of("docs/pseudo-variables.md");
    let mut numbers = BTreeSet::new();
    for line in page.lines().filter(|line| line.contains(" | integer | ")) {
        let (_, rest) = line.split_once('(').expect("a field");
        numbers.insert(rest.split_once(')').expect("a field").0.to_owned());
    }
    // The table of numbers has no column for types.
    let (_, table) = page.split_once("The numbers of messages, integers:").expect("the table");
    let (table, _) = table.split_once("\n## ").expect("its end");
    numbers.extend(table.split("`$qsa(").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned));
    numbers
}

/// The value as a native script writes it, if its type is right.
fn untyped(name: &str, value: &str, numbers: &BTreeSet<String>) -> String {
    if value == "null" {
        return "<null>".to_owned();
    }
    let kind = if numbers.contains(name) { "number " } else { "text " };
    value.strip_prefix(kind).unwrap_or_else(|| panic!("{name} is no {kind}: {value}")).to_owned()
}

#[test]
fn each_field_is_the_same_in_each_language() {
    let numbers = numbers();
    assert!(numbers.len() > 30, "{numbers:?}");
    let native = shown(Language::Native);
    let said_of =
        |name: &str| native.iter().flatten().any(|shown| shown.get(name).is_some_and(|value| value != "<null>"));
    for name in message_fields().into_iter().chain(state_fields()) {
        assert_ne!(said_of(name), UNSAID.contains(&name), "{name}: add it to the documents");
    }
    for language in KEMI {
        for (of_language, of_native) in shown(language).iter().flatten().zip(native.iter().flatten()) {
            assert_eq!(of_language.len(), of_native.len());
            for (name, value) in of_language {
                let value = untyped(name, value, &numbers);
                match name.as_str() {
                    "age" if value != "<null>" => assert!(value.parse::<u32>().is_ok_and(|age| age < 60), "{value}"),
                    _ => assert_eq!(value, of_native[name], "{language:?} {name}"),
                }
            }
        }
    }
}

/// A name that is no field: null, and the log has what was meant.
#[test]
fn an_unknown_field_is_null_and_is_said() {
    for language in KEMI {
        let server = language.server(0, 0).allow_log("is unknown: did you mean record?");
        let server = server.allow_log("there is no field baisc").allow_log("pv").allow_log("unable to get").start();
        let (shown, errors) = call(&server, Udp, "unknown", &[]);
        assert_eq!(shown, "null null", "{language:?}");
        for said in ["$qsa(recrod) is unknown: did you mean record?", "there is no field baisc: did you mean basic?"] {
            assert_eq!(errors.iter().filter(|line| line.contains(said)).count(), 1, "{language:?}: {errors:?}");
        }
        server.stop();
    }
}

/// A body in another charset than UTF-8: a text of Python cannot have it, as the page says.
#[test]
fn a_body_in_another_charset() {
    for language in [Language::Native, Language::JavaScript, Language::Lua, Language::Python] {
        let notifier = Notifier::udp();
        let server = language.server(0, 0).b2b_param("keep_state", 1).allow_log("apy_exec: on_qsa").start();
        let record = notifier.uri("alice");
        let params = json!([record, server.uri("watcher"), "message-summary"]);
        let id = server.rpc("presence_b2b.subscribe", params).expect("an id").as_u64().expect("a number");
        let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
        let kind = "application/simple-message-summary;charset=ISO-8859-1";
        let body = b"Messages-Waiting: yes\r\n\r\nSubject: K\xf6ln\r\n".to_vec();
        let mark = server.log().mark();
        let answer = dialog.notify(Notify::active(600).event("message-summary").body(kind, body));
        assert_eq!(answer.status(), 200);
        // The log is read as UTF-8.
        let told = if language == Language::Python { "UnicodeDecodeError: 'utf-8'" } else { "Subject: K\u{fffd}ln" };
        eventually(SOON, told, || server.log().text_since(mark).contains(told).then_some(()));
        if language != Language::Native {
            let (hexadecimal, errors) = call(&server, Udp, "hexadecimal", &[text(&record)]);
            assert!(
                hexadecimal.ends_with("4bf66c6e0d0a") && errors.is_empty(),
                "{language:?}: {hexadecimal} {errors:?}"
            );
        }
        server.end(id, &mut dialog);
        server.stop();
    }
}
