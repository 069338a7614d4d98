//! Lists of resources (RFC 4662): what their subscriptions say and take.

use std::fmt::Display;

use super::{Engine, Lack};
use crate::document::{ContentType, ListUpdate, Version, check_body, is_list};
use crate::grammar::Tag;
use crate::host::log;
use crate::host::notify_headers::DialogIds;
use crate::host::shm::Shm;
use crate::qsa::SubscriptionId;
use crate::subscription::{ListJudgement, Subscription};

/// Seconds between two lines about lists that cannot be read.
const PAUSE: u64 = 10;

/// The option tag (RFC 4662 §4.1).
pub(super) const LIST_TAG: &str = "eventlist";

impl Engine {
    /// What the body of a list is. Unless bodies are checked, one that cannot be read is accepted as well, and handed on whole.
    pub(super) fn judge_list(&self, content_type: &ContentType<'_>, body: &[u8]) -> ListJudgement {
        match ListUpdate::read(content_type, body, self.live.max_body()).map(|update| update.version()) {
            Ok(None) => ListJudgement::Acceptable,
            Ok(Some(Version { number, is_full })) => ListJudgement::Versioned { version: number, is_full },
            Err(_) if !self.live.check_bodies() => ListJudgement::Acceptable,
            Err(_) => ListJudgement::Malformed,
        }
    }

    /// What is wrong with a body that was refused; none if it was refused for something else.
    pub(super) fn fault_of(&self, content_type: Option<&[u8]>, body: &[u8]) -> Option<String> {
        if body.is_empty() {
            return None;
        }
        let fault = match ContentType::parse(content_type.unwrap_or_default()) {
            Err(error) => Some(error),
            Ok(kind) if is_list(&kind) => ListUpdate::read(&kind, body, self.live.max_body()).err(),
            Ok(kind) => check_body(&kind, body, self.live.max_body(), true).err(),
        };
        fault.map(|fault| fault.to_string())
    }

    /// Whether the subscription with this dialog supports what this option tag means, beside what all support.
    pub(super) fn supports_for(&self, ids: &DialogIds<'_>, tag: &[u8]) -> bool {
        tag.eq_ignore_ascii_case(LIST_TAG.as_bytes()) && self.with_dialog(ids, Subscription::asks_for_lists)
    }

    /// Whether the subscription with this dialog takes documents that tell only what has changed.
    pub(super) fn asks_for_changes(&self, ids: &DialogIds<'_>) -> bool {
        self.with_dialog(ids, Subscription::asks_for_changes)
    }

    /// What the subscription with this dialog says; false if there is none.
    fn with_dialog(&self, ids: &DialogIds<'_>, ask: impl FnOnce(&Subscription<Shm>) -> bool) -> bool {
        let remote_tag = ids.remote_tag.map_or(&b""[..], Tag::text);
        let handle = self.registry.find_dialog(ids.call_id, ids.local_tag, remote_tag);
        handle.and_then(|handle| self.registry.view(handle, |subscription, _| ask(subscription))).unwrap_or(false)
    }
}

/// Resources of a subscription's lists found no room in its roster.
pub(super) fn on_unremembered(_: SubscriptionId, times: u64) {
    if let Some(engine) = super::engine() {
        engine.lacks_for(Lack::Resource, usize::try_from(times).unwrap_or(usize::MAX));
    }
}

/// The body of a list cannot be read, and is handed on whole: said every few seconds at most.
pub(super) fn on_fault(subscription: SubscriptionId, fault: &dyn Display) {
    let Some(engine) = super::engine() else { return };
    let Some(times) = engine.list_faults.note(1, PAUSE, Engine::now().0 / 1000) else { return };
    let record = engine.hub.with_subscription(subscription, |wanted| wanted.record.escape_ascii().to_string());
    log::warn(&format!(
        "the list of resources in a NOTIFY of {} cannot be read and is handed on as one message ({fault}; {times} since the last \
         such line): with check_bodies=1 and without the option lenient the module refuses it",
        record.unwrap_or_default()
    ));
}

/// The consumer of a list misses one of its documents: the whole state is asked for, unless the dialog has missed it as well, and has
/// asked already. The dialog of a member of a share is that of its root.
pub(super) fn on_gap(subscription: SubscriptionId) {
    let Some(engine) = super::engine() else { return };
    let Some(handle) = engine.handle_of(subscription) else { return };
    if engine.registry.view(handle, |subscription, _| subscription.misses_document()) == Some(false) {
        let _ = engine.refresh(handle);
    }
}
