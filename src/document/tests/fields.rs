//! Fields of documents by name.

use super::{HEAD, formats};
use crate::document::fields::FIELDS;
use crate::document::{Document, FieldText, MAX_DOCUMENT};
use crate::testing::cpu_time;

const RICH: &str = "<tuple id='one'><status><basic>closed</basic></status><contact>sip:one@x</contact>\
    <note>in a tuple</note><rpid:mood><rpid:sad/></rpid:mood></tuple>\
    <tuple id='two'><status><basic>open</basic></status><contact>sip:two@x</contact></tuple><tuple id='three'/>\
    <note> </note><dm:person><rpid:activities><rpid:away/><rpid:other> at sea </rpid:other><rpid:note>in</rpid:note>\
    </rpid:activities><rpid:mood><rpid:happy/></rpid:mood><dm:note>own</dm:note></dm:person>";

fn read(inside: &str) -> Document {
    let body = format!("{HEAD}{inside}</presence>");
    Document::read(b"application/pidf+xml;charset=utf-8", body.as_bytes(), MAX_DOCUMENT).unwrap()
}

pub(super) fn shown(document: &Document, field: &str, index: Option<usize>) -> Option<String> {
    document.value(field, index).map(|value| match value {
        FieldText::Text(text) => text.into_owned(),
        FieldText::Number(number) => number.to_string(),
    })
}

#[test]
fn fields_of_presence() {
    let document = read(RICH);
    for (field, one, all) in [
        ("basic", "open", &["open"][..]),
        ("note", "in a tuple", &["in a tuple", "own", "in"]),
        ("activity", "away", &["away", "at sea"]),
        ("mood", "happy", &["happy", "sad"]),
        ("entity", "pres:someone@example.com", &["pres:someone@example.com"]),
        ("contact", "sip:two@x", &["sip:one@x", "sip:two@x", "-"]),
        ("tuple_id", "two", &["one", "two", "three"]),
        ("tuple_basic", "open", &["closed", "open", "unknown"]),
    ] {
        assert_eq!(shown(&document, field, None).as_deref(), Some(one), "{field}");
        assert_eq!(document.count(field), all.len(), "{field}");
        for (index, wanted) in all.iter().enumerate() {
            let found = shown(&document, field, Some(index));
            assert_eq!(found.as_deref().unwrap_or("-"), *wanted, "{field} {index}");
        }
        assert_eq!(shown(&document, field, Some(all.len())), None, "{field}");
    }
}

#[test]
fn every_field_that_is_declared_is_read() {
    let classes =
        ["voice", "fax", "pager", "multimedia", "text", "video"].map(|class| format!("{class}-message: 1/2 (3/4)\n"));
    let messages = format!("Messages-Waiting: yes\nMessage-Account: a\nNone: 0/0 (0/0)\n{}", classes.concat());
    let presence = format!("{HEAD}{RICH}</presence>");
    let documents = [
        ("application/pidf+xml", presence.as_str()),
        (formats::DIALOGS, formats::CALL),
        (formats::REGISTRATIONS, formats::GRUU),
        (formats::WATCHERS, formats::WATCHED),
        (formats::MESSAGES, &messages),
    ];
    for (format, body) in documents {
        let document = Document::read(format.as_bytes(), body.as_bytes(), MAX_DOCUMENT).unwrap();
        for field in FIELDS {
            let is_declared = FIELDS.iter().any(|each| (each.format, each.name) == (format, field.name));
            assert_eq!(document.value(field.name, None).is_some(), is_declared, "{format} {}", field.name);
            assert_eq!(document.count(field.name) > 0, is_declared, "{format} {}", field.name);
            assert!(!field.meaning.is_empty());
        }
        assert_eq!((document.count("nothing"), document.value("nothing", None)), (0, None));
    }
    assert!(FIELDS.iter().all(|field| documents.iter().any(|(format, _)| *format == field.format)));
    let twice = FIELDS.iter().enumerate().find(|(at, field)| {
        FIELDS.iter().take(*at).any(|other| (other.format, other.name) == (field.format, field.name))
    });
    assert_eq!(twice, None);
}

#[test]
fn an_empty_document_says_little() {
    let document = Document::read(b"application/pidf+xml", b"<presence/>", MAX_DOCUMENT).unwrap();
    for field in FIELDS.iter().filter(|field| field.format == "application/pidf+xml") {
        let wanted = (field.name == "basic").then_some("unknown");
        assert_eq!(shown(&document, field.name, None).as_deref(), wanted, "{}", field.name);
    }
}

#[test]
fn what_has_no_reader_or_cannot_be_read_is_no_document() {
    for (content_type, body) in [
        ("text/plain", "<presence/>"),
        ("application/pidf+xml", "<presence>"),
        ("application/pidf+xml", ""),
        ("application/pidf+xml;charset=koi8-r", "<presence/>"),
        ("", "<presence/>"),
    ] {
        assert_eq!(Document::read(content_type.as_bytes(), body.as_bytes(), MAX_DOCUMENT), None, "{content_type}");
    }
    assert_eq!(Document::read(b"application/pidf+xml", b"<presence/>", 10), None, "too large");
}

/// All values at once are the values one by one, and a large document does not take long.
#[test]
fn all_values_are_the_values_by_index() {
    let contact = "<contact id='c' state='active' event='created' expires='7'><uri>sip:c@x</uri></contact><contact/>";
    let watcher = "<watcher id='w' status='active' event='subscribe'>sip:w@x</watcher><watcher/>";
    let documents = |times: usize| {
        let reginfo = format!("<registration aor='a'>{}</registration><registration/>", contact.repeat(times));
        let watchers = format!("<watcher-list>{}</watcher-list><watcher-list/>", watcher.repeat(times));
        [
            ("application/pidf+xml", format!("{HEAD}{}</presence>", RICH.repeat(times))),
            ("application/reginfo+xml", format!("<reginfo>{reginfo}{reginfo}</reginfo>")),
            ("application/watcherinfo+xml", format!("<watcherinfo>{watchers}{watchers}</watcherinfo>")),
            ("application/dialog-info+xml", format!("<dialog-info>{}</dialog-info>", "<dialog id='d'/>".repeat(times))),
            ("application/simple-message-summary", "Messages-Waiting: yes\nVoice-Message: 1/2".to_owned()),
        ]
    };
    let read =
        |(format, body): &(&str, String)| Document::read(format.as_bytes(), body.as_bytes(), body.len()).unwrap();
    for document in documents(3).iter().map(read) {
        for field in FIELDS {
            let one_by_one: Vec<_> =
                (0..document.count(field.name)).map(|index| document.value(field.name, Some(index))).collect();
            assert_eq!(document.values(field.name), one_by_one, "{}", field.name);
        }
    }
    let begun = cpu_time();
    for document in documents(150).iter().map(read) {
        assert!(FIELDS.iter().map(|field| document.values(field.name).len()).sum::<usize>() > 0);
    }
    let taken = cpu_time().saturating_sub(begun);
    assert!(taken.as_secs() < 5, "{taken:?}");
}
