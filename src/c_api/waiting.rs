//! Waiting messages for C.

use std::ffi::{c_int, c_uint};

use super::document_types::{CWaiting, CWaitingClass, CWaitingMessage};
use super::pinned::{Pinned, number_or_none, text, text_or_none};
use crate::document::{MessageClass, MessageSummary};

/// The face of a document of RFC 3842.
pub(super) fn face(pinned: &mut Pinned, summary: &MessageSummary) -> *const CWaiting {
    let message = |headers: &Vec<(String, String)>| {
        let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        CWaitingMessage { headers: pinned.pairs(pairs) }
    };
    let messages = summary.messages.iter().map(message).collect();
    let face = CWaiting {
        size: size_of::<CWaiting>() as c_uint,
        waiting: summary.is_waiting().map_or(-1, c_int::from),
        account: text_or_none(summary.account.as_ref()),
        classes: pinned.list(summary.classes.iter().map(class).collect()),
        messages: pinned.list(messages),
    };
    pinned.one(face)
}

fn class(class: &MessageClass) -> CWaitingClass {
    CWaitingClass {
        name: text(&class.name),
        new: number_or_none(class.new),
        old: number_or_none(class.old),
        urgent_new: number_or_none(class.urgent_new),
        urgent_old: number_or_none(class.urgent_old),
    }
}
