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

/// Each extension of a short document needs more than its own length to stand alone.
#[test]
fn a_short_document_may_have_many_extensions() {
    let body = format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:v='urn:example:of:a:vendor' entity='a'>{}</presence>",
        "<v:x/>".repeat(200)
    );
    let document = Document::read(b"application/pidf+xml", body.as_bytes(), body.len()).expect("a document");
    assert_eq!(document.json()["extensions"].as_array().map(Vec::len), Some(200));
}

/// The elements that become longest, as many as fit.
#[test]
fn the_longest_json_is_a_few_times_the_longest_body() {
    const MOST: usize = 4 << 20;
    let pidf = |inside: &str| format!("<presence xmlns='urn:ietf:params:xml:ns:pidf'>{inside}</presence>");
    let long_name = format!("urn:{}", "&quot;".repeat(8_000));
    let documents = [
        ("application/pidf+xml", pidf("{}"), "<tuple/>"),
        ("application/pidf+xml", pidf("<person>{}</person>"), "<mood/>"),
        ("application/pidf+xml", pidf("<note>{}</note>"), "\u{7f}\""),
        (
            "application/pidf+xml",
            pidf("{}").replace("<presence", &format!("<presence xmlns:v='{long_name}'")),
            "<v:x/>",
        ),
        ("application/reginfo+xml", "<reginfo><registration>{}</registration></reginfo>".into(), "<contact/>"),
        ("application/dialog-info+xml", "<dialog-info>{}</dialog-info>".into(), "<dialog/>"),
        ("application/simple-message-summary", "{}".into(), "a-message:1\n"),
        ("application/simple-message-summary", "\n{}".into(), "\u{1}:\n"),
    ];
    for (content_type, frame, element) in documents {
        let count = (MAX_DOCUMENT - frame.len()) / element.len();
        for count in [count, count / 2, 60_000, 3_000, 20] {
            let body = frame.replace("{}", &element.repeat(count.min((MAX_DOCUMENT - frame.len()) / element.len())));
            // What cannot be read is no document.
            if let Some(document) = Document::read(content_type.as_bytes(), body.as_bytes(), body.len()) {
                let length = document.json().to_string().len() + document.fields_json().to_string().len();
                assert!(length <= MOST, "{content_type}, {count} of {element:?}: {length} bytes");
            }
        }
    }
}
