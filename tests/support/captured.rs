//! The NOTIFYs in `tests/data/bodies`, which real notifiers have sent, and what each of them says.
//!
//! `expected.json` there was written by people who read the bodies, without the module's readers. A field that it does not name is not in the body.
//! `documents.json` has the JSON of their documents, as Python's tree parser and the tables of docs/json.md make it.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// One NOTIFY.
pub struct Captured {
    /// Its file below the folder: notifier, number, package and state.
    pub name: String,
    /// What comes before its body, with the empty line.
    pub head: String,
    /// Its body, byte by byte.
    pub body: Vec<u8>,
    /// What it says.
    pub says: Says,
    /// Its document as JSON, or those of the resources of a list, null for one without; empty if it has no document.
    pub documents: Vec<Value>,
}

/// What a NOTIFY says.
pub enum Says {
    /// These fields of its document; none without a body.
    Fields(Map<String, Value>),
    /// These fields of each resource of a list.
    List {
        /// The URI of the list.
        uri: String,
        /// `record`, `status`, `resource_name` and `instance`, and the fields of the resource's document.
        resources: Vec<Map<String, Value>>,
    },
    /// Nothing that was asked for.
    Refused,
}

impl Captured {
    /// All of them, in the order of their names.
    pub fn all() -> Vec<Captured> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bodies");
        let read = |name: &str| fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let object = |name| -> Map<String, Value> { serde_json::from_slice(&read(name)).expect("JSON") };
        let mut documents = object("documents.json");
        let captured = |(name, says): (String, Value)| {
            let documents = match documents.remove(&name) {
                Some(Value::Array(all)) => all,
                one => Vec::from_iter(one),
            };
            Captured::of(&read(&name), name, says, documents)
        };
        object("expected.json").into_iter().map(captured).collect()
    }

    fn of(message: &[u8], name: String, says: Value, documents: Vec<Value>) -> Captured {
        let end = message.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an empty line");
        let (head, body) = message.split_at(end + 4);
        let says = match says {
            Value::String(_) => Says::Refused,
            Value::Object(mut fields) => match (fields.remove("list"), fields.remove("resources")) {
                (Some(Value::String(uri)), Some(Value::Array(resources))) => {
                    let fields = |resource: Value| resource.as_object().cloned().expect("fields");
                    Says::List { uri, resources: resources.into_iter().map(fields).collect() }
                }
                _ => Says::Fields(fields),
            },
            other => panic!("{name}: {other}"),
        };
        let head = String::from_utf8(head.to_vec()).expect("UTF-8");
        Captured { name, head, body: body.to_vec(), says, documents }
    }

    /// A header of it.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(have, value)| have.trim().eq_ignore_ascii_case(name).then_some(value.trim()))
    }

    /// Its Content-Type; empty without a body.
    pub fn content_type(&self) -> &str {
        self.header("Content-Type").unwrap_or_default()
    }

    /// The state of the subscription that it tells, without parameters.
    pub fn status(&self) -> &str {
        let state = self.header("Subscription-State").unwrap_or_default();
        state.split_once(';').map_or(state, |(state, _)| state)
    }
}
