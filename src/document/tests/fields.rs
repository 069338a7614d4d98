//! Fields of documents by name.

use super::HEAD;
use crate::document::content_type::ContentType;
use crate::document::fields::FIELDS;
use crate::document::formats::Format;
use crate::document::{Document, FieldText, MAX_DOCUMENT};

const RICH: &str = "<tuple id='one'><status><basic>closed</basic></status><contact>sip:one@x</contact>\
    <note>in a tuple</note><rpid:mood><rpid:sad/></rpid:mood></tuple>\
    <tuple id='two'><status><basic>open</basic></status><contact>sip:two@x</contact></tuple><tuple id='three'/>\
    <note> </note><dm:person><rpid:activities><rpid:away/><rpid:other> at sea </rpid:other><rpid:note>in</rpid:note>\
    </rpid:activities><rpid:mood><rpid:happy/></rpid:mood><dm:note>own</dm:note></dm:person>";

fn read(inside: &str) -> Document {
    let body = format!("{HEAD}{inside}</presence>");
    Document::read(b"application/pidf+xml;charset=utf-8", body.as_bytes(), MAX_DOCUMENT).unwrap()
}

fn shown(document: &Document, field: &str, index: Option<usize>) -> Option<String> {
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
    let document = read(RICH);
    for field in FIELDS {
        assert!(Format::find(&ContentType::parse(field.format.as_bytes()).unwrap()).is_some(), "{}", field.format);
        if field.format == "application/pidf+xml" {
            assert!(document.count(field.name) > 0 && document.value(field.name, None).is_some(), "{}", field.name);
        }
        assert!(!field.meaning.is_empty());
    }
    assert_eq!((document.count("nothing"), document.value("nothing", None)), (0, None));
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
