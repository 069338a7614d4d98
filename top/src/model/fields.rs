//! Reading JSON that may be anything.

use serde_json::{Map, Value};

use crate::text::clean;

/// A text of a struct, fit to be shown; empty if there is none. Numbers are texts too.
pub fn text(fields: &Map<String, Value>, name: &str) -> String {
    fields.get(name).map(shown).unwrap_or_default()
}

/// A number of a struct that is not negative. The server writes some of its numbers as texts.
pub fn number(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    fields.get(name).and_then(natural)
}

pub(super) fn natural(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_i64().map(|_| 0)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Any value in one line.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clean(text),
        other => clean(&other.to_string()),
    }
}

/// The structs of a list, or the one struct.
pub(super) fn structs(value: Value) -> Vec<Map<String, Value>> {
    match value {
        Value::Array(list) => {
            let one = |value| if let Value::Object(fields) = value { Some(fields) } else { None };
            list.into_iter().filter_map(one).collect()
        }
        Value::Object(fields) => vec![fields],
        _ => Vec::new(),
    }
}

/// The numbers of a struct within a struct, by name.
pub(super) fn numbers(fields: &Map<String, Value>, name: &str) -> Vec<(String, u64)> {
    let inner = fields.get(name).and_then(Value::as_object);
    let pairs = inner.into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((clean(name), natural(value)?))).collect()
}
