//! The message as one JSON object: `$qsa(json)`.
//!
//! Valid UTF-8 whatever came: other bytes are U+FFFD in the texts of the message, and a body with such is base64. JSON escapes a byte
//! with at most six, so that the length is bounded by that of the body.

use serde_json::{Map, Value};

use super::current::Current;

/// The object as text.
pub fn of(current: &Current) -> String {
    let mut object = Map::new();
    let mut add = |name: &str, value: Value| object.insert(name.to_owned(), value);
    for (name, text) in
        [("record", &current.record), ("subscriber", &current.subscriber), ("package", &current.package)]
    {
        add(name, text_of(text));
    }
    add("id", current.id.into());
    add("status", current.status.into());
    add("code", current.code.into());
    add("fork", current.fork.into());
    if current.unsolicited {
        add("unsolicited", true.into());
    }
    if !current.event_id().is_empty() {
        add("event_id", current.event_id().into());
    }
    if !current.reason.is_empty() {
        add("reason", current.reason.as_str().into());
    }
    for (name, text) in
        [("list", &current.list), ("resource_name", &current.resource_name), ("instance", &current.instance)]
    {
        if let Some(text) = text {
            add(name, text.as_str().into());
        }
    }
    if let Some(seconds) = current.next_attempt {
        add("next_attempt", seconds.into());
    }
    if !current.content_type.is_empty() {
        add("content_type", text_of(&current.content_type));
    }
    match (current.document(), std::str::from_utf8(&current.body)) {
        (Some(document), _) => {
            add("fields", document.fields_json());
            add("document", document.json());
        }
        (None, Ok("")) => {}
        (None, Ok(body)) => {
            add("body", body.into());
        }
        (None, Err(_)) => {
            add("body_base64", base64(&current.body).into());
        }
    }
    Value::Object(object).to_string()
}

fn text_of(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

/// Base64 (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place) & 63) as usize);
            text.push(digit.filter(|_| place <= group.len()).map_or('=', |digit| char::from(*digit)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let known = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, text) in known.into_iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..length]), text);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfb]), "//77");
    }
}
