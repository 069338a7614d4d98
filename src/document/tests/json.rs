//! Documents as JSON: what the fields say, and no more of it than the body allows.

use proptest::prelude::*;
use serde_json::Value;

use super::samples::rich_document;
use crate::document::fields::FIELDS;
use crate::document::{Document, FieldText, MAX_DOCUMENT};

/// The fields of a document as its JSON should have them.
fn expected(document: &Document) -> Value {
    let values = FIELDS.iter().filter_map(|field| {
        let value = match document.value(field.name, None)? {
            FieldText::Text(text) if text.is_empty() => return None,
            FieldText::Text(text) => Value::from(text.into_owned()),
            FieldText::Number(number) => Value::from(number),
        };
        Some((field.name.to_owned(), value))
    });
    Value::Object(values.collect())
}

proptest! {
    #[test]
    fn of_presence_has_its_fields_and_is_bounded(body in rich_document()) {
        if let Some(document) = Document::read(b"application/pidf+xml", body.as_bytes(), MAX_DOCUMENT) {
            prop_assert_eq!(document.fields_json(), expected(&document));
            let json = document.json();
            prop_assert_eq!(json["tuples"].as_array().map(Vec::len), Some(document.count("tuple_id")));
            prop_assert!(json.to_string().len() <= 40 * body.len() + 1000, "{}", json);
        }
    }

    #[test]
    fn of_plain_text_is_whole_whatever_it_says(body in "[ -~\r\n\t\u{1}é]{0,300}") {
        let document = Document::read(b"application/simple-message-summary", body.as_bytes(), MAX_DOCUMENT);
        let document = document.expect("any text can be read");
        prop_assert_eq!(document.fields_json(), expected(&document));
        let text = document.json().to_string();
        prop_assert_eq!(&serde_json::from_str::<Value>(&text).expect("JSON"), &document.json());
        // A header of one byte and a colon is an object with two members.
        prop_assert!(text.len() <= 40 * body.len() + 200, "{}", text);
    }
}

/// Characters that JSON escapes, and some that XML has no other way to say.
#[test]
fn texts_are_escaped() {
    let body = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity='&quot;&#9;\\&#x1F600;'>\
        <tuple id=\"&#10;\"><status><basic>open</basic></status></tuple></presence>";
    let document = Document::read(b"application/pidf+xml", body.as_bytes(), MAX_DOCUMENT).expect("a document");
    let text = document.json().to_string();
    assert!(text.contains(r#""entity":"\"\t\\😀""#), "{text}");
    assert!(text.contains(r#""id":"\n""#), "{text}");
}
