//! The answer of a command: rows of a subscription, or a fault.

use std::ffi::CStr;

use crate::engine::{self, Engine};
use crate::host::rpc::{NoRoom, Row, RpcContext, WrongType};
use crate::host::{blocks, shm};
use crate::registry::Handle;
use crate::subscription::{Options, Snapshot, Untold};
use crate::surface::answers::{FieldValue, Statistics, SubscriptionFields};
use crate::surface::subscriptions::SubscriptionError;
use crate::surface::subscriptions::provisioned::is_provisioned;

/// Why a command failed: a code as in SIP, and what to tell the operator.
pub(super) struct Fault(pub(super) i32, pub(super) String);

impl From<NoRoom> for Fault {
    fn from(_: NoRoom) -> Self {
        let advice =
            "ask for a smaller page, or raise binrpc_struct_max_body_size and binrpc_max_body_size of module ctl";
        Self(500, format!("the answer is too large for the transport: {advice}"))
    }
}

impl From<WrongType> for Fault {
    fn from(WrongType { number }: WrongType) -> Self {
        Self(400, format!("parameter {number} is neither a text nor a whole number"))
    }
}

impl From<SubscriptionError> for Fault {
    fn from(error: SubscriptionError) -> Self {
        let code = match error {
            SubscriptionError::Share
            | SubscriptionError::Package { .. }
            | SubscriptionError::TooLong(_)
            | SubscriptionError::Options(_)
            | SubscriptionError::Name(_)
            | SubscriptionError::Differs { .. }
            | SubscriptionError::Refused { .. }
            | SubscriptionError::Call(_)
            | SubscriptionError::Registration(_)
            | SubscriptionError::Aor(_)
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
pub(super) fn fitting<T>(rpc: &RpcContext, rows: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    rows.into_iter().take_while(|_| rpc.has_room())
}

/// Adds the fields of one subscription.
pub(super) fn fill(row: &Row<'_>, engine: &Engine, handle: Handle, snapshot: &Snapshot) -> Result<(), Fault> {
    let [refused, stale, repeated, merged, dropped] = snapshot.untold.map(FieldValue::Number);
    let options = engine.options_text(Options { publish: engine.publisher_of(handle), ..snapshot.options.clone() });
    let destination = engine.destination_of(handle).unwrap_or_default();
    let fields = SubscriptionFields {
        id: FieldValue::Number(handle.id()),
        record: FieldValue::Text(&snapshot.record),
        subscriber: FieldValue::Text(&snapshot.subscriber),
        package: FieldValue::Text(engine.config.packages.get(snapshot.package).name),
        state: FieldValue::Text(snapshot.state),
        status: FieldValue::Text(snapshot.status),
        event_id: FieldValue::unless_empty(&snapshot.event_id),
        options: FieldValue::unless_empty(&options),
        expires_in: FieldValue::or_absent(snapshot.expires_in),
        next_action_in: FieldValue::or_absent(snapshot.next_action_in),
        call_id: FieldValue::Text(&snapshot.call_id),
        local_tag: FieldValue::Text(&snapshot.local_tag),
        remote_tag: FieldValue::Text(&snapshot.remote_tag),
        local_cseq: FieldValue::Number(snapshot.local_cseq),
        remote_cseq: FieldValue::Number(snapshot.remote_cseq),
        remote_target: FieldValue::Text(&snapshot.remote_target),
        source: FieldValue::unless_empty(&snapshot.source),
        destination: FieldValue::unless_empty(&destination),
        retries: FieldValue::Number(snapshot.retries),
        last_reply: FieldValue::Number(snapshot.last_reply.into()),
        last_reason: FieldValue::Text(&snapshot.last_reason),
        notifies: FieldValue::Number(snapshot.notifies),
        queued_bytes: FieldValue::Number(clamp(engine.queued_bytes(handle) as u64)),
        bytes: FieldValue::Number(clamp(engine.registry.bytes_of(handle) as u64)),
        kept_bytes: FieldValue::or_absent(Some(clamp(engine.kept_bytes(handle))).filter(|bytes| *bytes > 0)),
        bad_contacts: FieldValue::Number(snapshot.bad_contacts.into()),
        refused,
        stale,
        repeated,
        merged,
        dropped,
        provisioned: FieldValue::or_absent(is_provisioned(engine, handle).then_some(1)),
        fork: FieldValue::Number(snapshot.fork.into()),
        fork_of: FieldValue::or_absent(engine.registry.root_of(handle).map(Handle::id)),
    };
    add_fields(row, fields.into_fields())
}

/// Adds what tells a subscription from others, and its state.
pub(super) fn fill_brief(row: &Row<'_>, engine: &Engine, handle: Handle, snapshot: &Snapshot) -> Result<(), Fault> {
    row.number(c"id", handle.id())?;
    row.text(c"record", snapshot.record.as_bytes())?;
    row.text(c"subscriber", snapshot.subscriber.as_bytes())?;
    row.text(c"package", engine.config.packages.get(snapshot.package).name.as_bytes())?;
    row.text(c"state", snapshot.state.as_bytes())?;
    Ok(row.text(c"status", snapshot.status.as_bytes())?)
}

/// Adds the fields that are there.
pub(super) fn add_fields<'v>(
    row: &Row<'_>,
    fields: impl Iterator<Item = (&'static CStr, FieldValue<'v>)>,
) -> Result<(), Fault> {
    for (name, value) in fields {
        match value {
            FieldValue::Number(number) => row.number(name, number)?,
            FieldValue::Text(text) => row.text(name, text.as_bytes())?,
            FieldValue::Absent => {}
        }
    }
    Ok(())
}

/// Reads all statistics.
pub fn statistics(engine: &Engine) -> Statistics {
    let (messages, budget) = (engine.hub.counters(), engine.hub.budget());
    let (kept, unsolicited) = (engine.kept(), engine.unsolicited());
    let bridge = engine.bridge_counts();
    let calls = engine.calls.usage();
    let (memory, small) = (blocks::usage(), shm::small_blocks());
    let [notifies_refused, notifies_stale, notifies_repeated, notifies_merged, notifies_dropped] =
        Untold::ALL.map(|why| engine.untold(why));
    Statistics {
        subscriptions: engine.registry.len() as u64,
        created: engine.registry.created(),
        destroyed: engine.registry.destroyed(),
        received: messages.received,
        delivered: messages.delivered,
        merged: messages.merged,
        dropped: messages.dropped,
        queued: messages.queued,
        queued_bytes: messages.queued_bytes,
        queue_bytes: budget.queue as u64,
        subscription_queue_bytes: budget.subscription as u64,
        memory: memory.used as u64,
        max_memory: memory.most as u64,
        kept_states: kept.entries,
        kept_bytes: kept.bytes,
        list_resources: engine.rosters.resources(),
        list_resources_lost: engine.rosters.unremembered(),
        followed_users: engine.registrations.count(),
        publications: bridge.publications,
        published: bridge.published,
        publish_failed: bridge.refused,
        publish_unfit: bridge.unfit,
        calls: calls.calls,
        call_bytes: calls.bytes,
        calls_untracked: calls.untracked,
        bad_contacts: engine.bad_contacts(),
        notifies_refused,
        notifies_stale,
        notifies_repeated,
        notifies_merged,
        notifies_dropped,
        unsolicited: unsolicited.accepted,
        unsolicited_refused: unsolicited.refused,
        unsolicited_queued: unsolicited.queued,
        small_blocks: small.blocks as u64,
        small_bytes: small.bytes as u64,
    }
}

/// A number as every transport carries it.
pub(super) fn clamp(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A text as far as it is UTF-8.
pub(super) fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
