//! Waiting messages as JSON.

use serde_json::Value;

use super::Members;
use crate::document::message_summary::{MessageClass, MessageSummary};

pub(super) fn of(summary: &MessageSummary) -> Value {
    let waiting = summary.waiting.map(|waiting| if waiting { "yes" } else { "no" });
    Members::of("message-summary")
        .text("waiting", waiting)
        .text("account", summary.account.as_deref())
        .list("classes", summary.classes.iter().map(class))
        .list_if_any("messages", summary.messages.iter().map(|headers| headers.iter().map(header).collect::<Vec<_>>()))
        .into()
}

fn class(class: &MessageClass) -> Members {
    Members::default()
        .text("name", class.name.as_str())
        .number("new", class.new)
        .number("old", class.old)
        .number("urgent_new", class.urgent_new)
        .number("urgent_old", class.urgent_old)
}

fn header((name, value): &(String, String)) -> Value {
    Members::default().text("name", name.as_str()).text("value", value.as_str()).into()
}
