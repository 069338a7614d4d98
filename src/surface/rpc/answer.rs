//! The answer of a command: rows of a subscription, or a fault.

use crate::engine::{self, Engine};
use crate::host::rpc::{NoRoom, Row, RpcContext};
use crate::registry::Handle;
use crate::subscription::Snapshot;
use crate::surface::subscriptions::SubscriptionError;

/// Why a command failed: a code as in SIP, and what to tell the operator.
pub(super) struct Fault(pub(super) i32, pub(super) String);

impl From<NoRoom> for Fault {
    fn from(_: NoRoom) -> Self {
        let advice =
            "ask for a smaller page, or raise binrpc_struct_max_body_size and binrpc_max_body_size of module ctl";
        Self(500, format!("the answer is too large for the transport: {advice}"))
    }
}

impl From<SubscriptionError> for Fault {
    fn from(error: SubscriptionError) -> Self {
        let code = match error {
            SubscriptionError::Share
            | SubscriptionError::Package(_)
            | SubscriptionError::TooLong(_)
            | SubscriptionError::Options(_)
            | SubscriptionError::Name(_)
            | SubscriptionError::Differs
            | SubscriptionError::Refused { .. }
            | SubscriptionError::Call(_)
            | SubscriptionError::Credentials(_) => 400,
            SubscriptionError::Foreign => 403,
            SubscriptionError::Unknown => 404,
            SubscriptionError::Ended | SubscriptionError::Off => 500,
        };
        Self(code, error.to_string())
    }
}

/// Does a command's work; what it fails with is the answer.
pub(super) fn answer(rpc: &RpcContext, work: impl FnOnce(&Engine) -> Result<(), Fault>) {
    let result = match engine::engine() {
        Some(engine) => work(engine),
        None => Err(Fault(500, "the module is not initialised".into())),
    };
    if let Err(Fault(code, text)) = result {
        rpc.fault(code, &text);
    }
}

/// As many rows as every transport carries; the next page begins behind them.
pub(super) fn fitting<T>(rpc: &RpcContext, rows: Vec<T>) -> impl Iterator<Item = T> {
    rows.into_iter().take_while(|_| rpc.has_room())
}

/// All fields of one subscription.
pub(super) fn fill(row: &Row<'_>, engine: &Engine, handle: Handle, snapshot: &Snapshot) -> Result<(), Fault> {
    row.number(c"id", handle.id())?;
    for (name, text) in [
        (c"record", &snapshot.record[..]),
        (c"subscriber", &snapshot.subscriber),
        (c"package", snapshot.package),
        (c"state", snapshot.state),
        (c"status", snapshot.status),
    ] {
        row.text(name, text.as_bytes())?;
    }
    if !snapshot.event_id.is_empty() {
        row.text(c"event_id", snapshot.event_id.as_bytes())?;
    }
    if let Some(seconds) = snapshot.expires_in {
        row.number(c"expires_in", seconds)?;
    }
    if let Some(seconds) = snapshot.next_action_in {
        row.number(c"next_action_in", seconds)?;
    }
    for (name, text) in
        [(c"call_id", &snapshot.call_id), (c"local_tag", &snapshot.local_tag), (c"remote_tag", &snapshot.remote_tag)]
    {
        row.text(name, text.as_bytes())?;
    }
    row.number(c"local_cseq", snapshot.local_cseq)?;
    row.number(c"remote_cseq", snapshot.remote_cseq)?;
    row.text(c"remote_target", snapshot.remote_target.as_bytes())?;
    row.number(c"retries", snapshot.retries)?;
    row.number(c"last_reply", snapshot.last_reply.into())?;
    row.text(c"last_reason", snapshot.last_reason.as_bytes())?;
    row.number(c"notifies", snapshot.notifies)?;
    row.number(c"queued_bytes", clamp(engine.queued_bytes(handle) as u64))?;
    row.number(c"bytes", clamp(engine.registry.bytes_of(handle) as u64))?;
    row.number(c"bad_contacts", snapshot.bad_contacts.into())?;
    let names = [c"refused", c"stale", c"repeated", c"merged", c"dropped"];
    for (name, count) in names.into_iter().zip(snapshot.untold) {
        row.number(name, count)?;
    }
    row.number(c"fork", snapshot.fork.into())?;
    if let Some(root) = engine.registry.root_of(handle) {
        row.number(c"fork_of", root.id())?;
    }
    Ok(())
}

/// A number as every transport carries it.
pub(super) fn clamp(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A text as far as it is UTF-8.
pub(super) fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
