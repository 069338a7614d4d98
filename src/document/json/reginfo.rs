//! The registrations of an address of record as JSON.

use serde_json::{Number, Value};

use super::Members;
use crate::document::reginfo::{RegInfo, RegisteredContact, Registration};

pub(super) fn of(info: &RegInfo) -> Value {
    Members::versioned("reginfo", info.version)
        .list("registrations", info.registrations.iter().map(registration))
        .into()
}

fn registration(registration: &Registration) -> Members {
    Members::default()
        .text("aor", registration.aor.as_str())
        .text("id", registration.id.as_str())
        .text("state", registration.state.as_str())
        .list("contacts", registration.contacts.iter().map(contact))
}

fn contact(contact: &RegisteredContact) -> Members {
    let param =
        |(name, value): &(String, String)| Members::default().text("name", name.as_str()).text("value", value.as_str());
    let temp_gruu = contact
        .temp_gruu
        .as_ref()
        .map(|(uri, first_cseq)| Members::default().text("uri", uri.as_str()).number("first_cseq", *first_cseq));
    let q = contact.q.as_deref().and_then(|q| q.parse().ok()).and_then(Number::from_f64);
    Members::default()
        .text("id", contact.id.as_str())
        .text("state", contact.state.as_str())
        .text("event", contact.event.as_str())
        .text("uri", contact.uri.as_str())
        .text("display_name", contact.display_name.as_deref())
        .number("duration_registered", contact.duration_registered)
        .number("expires", contact.expires)
        .number("retry_after", contact.retry_after)
        .number("q", q)
        .text("call_id", contact.call_id.as_deref())
        .number("cseq", contact.cseq)
        .list_if_any("unknown_params", contact.unknown_params.iter().map(param))
        .text("pub_gruu", contact.pub_gruu.as_deref())
        .object("temp_gruu", temp_gruu)
}
