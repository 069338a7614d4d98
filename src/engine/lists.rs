//! Lists of resources (RFC 4662): what their subscriptions say and take.

use super::Engine;
use crate::document::{ContentType, ListUpdate, Version};
use crate::grammar::Tag;
use crate::host::notify_headers::DialogIds;
use crate::host::shm::Shm;
use crate::qsa::SubscriptionId;
use crate::registry::Handle;
use crate::subscription::{ListJudgement, Subscription};

/// The option tag (RFC 4662 §4.1).
pub(super) const LIST_TAG: &str = "eventlist";

impl Engine {
    /// What the body of a list is. Unless bodies are checked, one that cannot be read is accepted as well, and handed on whole.
    pub(super) fn judge_list(&self, content_type: &ContentType<'_>, body: &[u8]) -> ListJudgement {
        match ListUpdate::read(content_type, body, self.config.max_body).map(|update| update.version()) {
            Ok(None) => ListJudgement::Acceptable,
            Ok(Some(Version { number, is_full })) => ListJudgement::Versioned { version: number, is_full },
            Err(_) if !self.config.check_bodies => ListJudgement::Acceptable,
            Err(_) => ListJudgement::Malformed,
        }
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

/// The consumer of a list misses one of its documents: the whole state is asked for, unless the dialog has missed it as well, and has
/// asked already.
pub(super) fn on_gap(subscription: SubscriptionId) {
    let Some(engine) = super::engine() else { return };
    let value = engine.hub.notifiers_value(subscription, |notifier| engine.is_user_agent(notifier));
    let Some(handle) = value.and_then(Handle::from_u64) else { return };
    if engine.registry.view(handle, |subscription, _| subscription.misses_document()) == Some(false) {
        let _ = engine.refresh(handle);
    }
}
