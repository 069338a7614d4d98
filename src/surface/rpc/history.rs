//! `presence_b2b.history`: the newest events of a subscription.

use super::answer::{Fault, add_fields, answer, clamp};
use super::parameters::next_handle;
use crate::engine::Engine;
use crate::host::clock;
use crate::host::rpc::RpcContext;
use crate::subscription::{HistoryEvent, State};
use crate::surface::answers::{FieldValue, HistoryEventFields, HistoryFields};
use crate::surface::subscriptions::SubscriptionError;
use crate::time::utc;

/// `presence_b2b.history <id>`: one subscription, how many events it had, and the newest of them, oldest first.
pub fn history(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let handle = next_handle(rpc, engine)?;
        if engine.config.history == 0 {
            return Err(Fault(400, "no events are kept: set modparam history".into()));
        }
        let names = engine.registry.view(handle, |subscription, _| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(subscription.record()), text(subscription.subscriber()), subscription.package())
        });
        let (record, subscriber, package) = names.ok_or(SubscriptionError::Unknown)?;
        let history = engine.registry.history(handle).ok_or(SubscriptionError::Unknown)?;
        let row = rpc.add_row()?;
        let fields = HistoryFields {
            id: FieldValue::Number(handle.id()),
            record: FieldValue::Text(&record),
            subscriber: FieldValue::Text(&subscriber),
            package: FieldValue::Text(engine.config.packages.get(package).name),
            total: FieldValue::Number(clamp(history.total.into())),
        };
        add_fields(&row, fields.into_fields())?;
        let list = row.list(c"events")?;
        let (now, today) = (Engine::now(), clock::unix_millis());
        for event in history.events {
            // By the clock of the day as it is now.
            let ago = u64::try_from(now.since(event.at()).as_millis()).unwrap_or(u64::MAX);
            let at = utc(today.saturating_sub(ago));
            add_fields(&list.add_row()?, fields_of(event, &at).into_fields())?;
        }
        Ok(())
    });
}

fn fields_of(event: HistoryEvent, at: &str) -> HistoryEventFields<'_> {
    let (direction, name, kind) = event.what().words();
    HistoryEventFields {
        at: FieldValue::Text(at),
        direction: FieldValue::Text(direction.name()),
        event: FieldValue::Text(name),
        kind: FieldValue::unless_empty(kind),
        code: FieldValue::or_absent(Some(event.code().into()).filter(|code| *code > 0)),
        expires: FieldValue::or_absent(event.expires()),
        reason: FieldValue::unless_empty(event.reason()),
        state: FieldValue::Text(State::of_number(event.state())),
    }
}
