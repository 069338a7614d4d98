//! The bodies that real notifiers have sent, by fields.

use serde_json::{Map, Value};

use super::samples::captured::{Captured, Says};
use crate::document::{
    ContentType, Document, FIELDS, FieldText, InstanceState, ListUpdate, ListedState, MAX_DOCUMENT, check_body,
};

/// All fields that a document says, without an index.
fn fields_of(content_type: &str, body: &[u8]) -> Option<Map<String, Value>> {
    let document = Document::read(content_type.as_bytes(), body, MAX_DOCUMENT)?;
    let said = FIELDS.iter().filter_map(|field| Some((field.name.to_owned(), document.value(field.name, None)?)));
    let said = said.map(|(name, value)| match value {
        FieldText::Text(text) => (name, text.into()),
        FieldText::Number(number) => (name, number.into()),
    });
    Some(said.collect())
}

/// A document as JSON; null if it is none.
fn json_of(content_type: &[u8], body: &[u8]) -> Value {
    Document::read(content_type, body, MAX_DOCUMENT).map_or(Value::Null, |document| document.json())
}

/// What is told of a resource of a list, as `expected.json` says it.
fn of_resource(update: &ListUpdate, state: &ListedState, body: &[u8]) -> Map<String, Value> {
    let resource = &update.resources[state.resource.unwrap()];
    let part = state.part.as_ref();
    let kind = part.map(|part| std::str::from_utf8(&body[part.content_type.clone()]).unwrap());
    let mut told = kind.and_then(|kind| fields_of(kind, &body[part?.body.clone()])).unwrap_or_default();
    let instance = state.instance.as_ref();
    let status = match instance.map(|instance| instance.state).unwrap_or_default() {
        InstanceState::Active => "active",
        InstanceState::Pending => "pending",
        InstanceState::Terminated => "terminated",
    };
    told.insert("record".to_owned(), resource.uri.as_str().into());
    told.insert("status".to_owned(), status.into());
    let named = [("resource_name", resource.name.as_ref()), ("instance", instance.and_then(|it| it.id.as_ref()))];
    told.extend(named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.as_str().into()))));
    told
}

#[test]
fn captured_bodies_say_what_was_read_in_them() {
    let mut read = 0;
    for captured in Captured::all() {
        let (name, kind, body) = (&captured.name, captured.content_type(), captured.body.as_slice());
        if body.is_empty() {
            assert!(matches!(&captured.says, Says::Fields(fields) if fields.is_empty()), "{name}");
            continue;
        }
        let content_type = ContentType::parse(kind.as_bytes()).expect(name);
        assert!(check_body(&content_type, body, MAX_DOCUMENT, true).is_ok(), "{name}");
        match &captured.says {
            Says::Fields(fields) => {
                assert_eq!(fields_of(kind, body).as_ref(), Some(fields), "{name}");
                assert_eq!(&[json_of(kind.as_bytes(), body)], captured.documents.as_slice(), "{name}");
            }
            Says::Refused => assert_eq!(fields_of(kind, body), None, "{name}"),
            Says::List { uri, resources } => {
                let update = ListUpdate::read(&content_type, body, MAX_DOCUMENT).expect(name);
                assert_eq!(&update.lists[0].uri, uri, "{name}");
                let told: Vec<_> = update.states.iter().map(|state| of_resource(&update, state, body)).collect();
                assert_eq!(&told, resources, "{name}");
                let parts = update.states.iter().map(|state| state.part.as_ref());
                let documents = parts.map(|part| {
                    part.map_or(Value::Null, |part| json_of(&body[part.content_type.clone()], &body[part.body.clone()]))
                });
                assert_eq!(documents.collect::<Vec<_>>(), captured.documents, "{name}");
            }
        }
        read += 1;
    }
    assert_eq!(read, 34);
}
