//! What is around a call and around its result.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::text::clean;

/// The text of a call. An empty list of parameters is omitted: jsonrpcs would refuse it for some commands.
pub fn request(method: &str, params: &Value, id: u64) -> String {
    let mut request = json!({ "jsonrpc": "2.0", "method": method, "id": id });
    if let (Some(list), Some(fields)) = (params.as_array().filter(|list| !list.is_empty()), request.as_object_mut()) {
        fields.insert("params".into(), list.clone().into());
    }
    request.to_string()
}

/// The result in an answer; none if it answers another call.
pub fn result(answer: &[u8], method: &str, id: u64) -> Result<Option<Value>, Failure> {
    let not_json = || {
        let begin = answer.get(..60).unwrap_or(answer);
        Failure::NotJson(clean(&String::from_utf8_lossy(begin)))
    };
    let mut answer: Value = match serde_json::from_slice(answer) {
        Ok(answer) => answer,
        Err(error) if error.is_eof() && answer.trim_ascii_start().first() == Some(&b'{') => {
            return Err(Failure::CutOff);
        }
        Err(_) => return Err(not_json()),
    };
    let Some(fields) = answer.as_object_mut() else { return Err(not_json()) };
    let is_ours = fields.get("id").is_none_or(|of| of.is_null() || of.as_u64() == Some(id));
    if !is_ours {
        return Ok(None);
    }
    match (fields.remove("error"), fields.remove("result")) {
        (Some(error), _) => Err(fault(&error, method)),
        (None, Some(result)) => Ok(Some(result)),
        (None, None) => Err(not_json()),
    }
}

fn fault(error: &Value, method: &str) -> Failure {
    let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    if code == -32601 || message.eq_ignore_ascii_case("method not found") {
        return Failure::Missing(method.to_owned());
    }
    Failure::Fault(code, clean(message))
}
