//! Lists of resources (RFC 4662): what their subscriptions say and take.

use super::Engine;
use crate::document::{ContentType, ListUpdate, Version};
use crate::grammar::Tag;
use crate::host::notify_headers::DialogIds;
use crate::subscription::ListJudgement;

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
        let remote_tag = ids.remote_tag.map_or(&b""[..], Tag::text);
        let find = || self.registry.find_dialog(ids.call_id, ids.local_tag, remote_tag);
        let asks = |handle| self.registry.view(handle, |subscription, _| subscription.asks_for_lists());
        tag.eq_ignore_ascii_case(LIST_TAG.as_bytes()) && find().and_then(asks).unwrap_or(false)
    }
}
