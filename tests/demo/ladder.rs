//! The history of a subscription as the module tells it, made a SIP ladder.

use serde_json::Value;

/// An event.
pub struct Rung {
    /// Second and millisecond of its minute.
    pub at: String,
    /// Sent by the module, received by it, or neither.
    pub sent: Option<bool>,
    /// What happened.
    pub text: String,
}

/// Reads the answer of `presence_b2b.history`.
pub fn read(history: &Value) -> Vec<Rung> {
    history["events"].as_array().into_iter().flatten().map(rung).collect()
}

fn rung(event: &Value) -> Rung {
    let word = |name: &str| event[name].as_str().unwrap_or_default();
    let sent = match word("direction") {
        "out" => Some(true),
        "in" => Some(false),
        _ => None,
    };
    let code = event["code"].as_u64().map(|code| code.to_string()).unwrap_or_default();
    let expires = event["expires"].as_u64().map(|seconds| format!("Expires {seconds}")).unwrap_or_default();
    let parts = match word("event") {
        "reply" => [code.as_str(), word("reason"), &expires],
        "SUBSCRIBE" => ["SUBSCRIBE", word("kind"), &expires],
        "NOTIFY" => ["NOTIFY", word("kind"), word("reason")],
        other => [other, word("reason"), ""],
    };
    let words: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Rung { at: word("at").get(17..23).unwrap_or_default().to_owned(), sent, text: words.join(" ") }
}
