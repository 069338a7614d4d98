//! Lists of resources (RFC 4662): what their subscriptions say and take.

use super::Engine;
use crate::document::ContentType;
use crate::grammar::Tag;
use crate::host::notify_headers::DialogIds;

/// The option tag (RFC 4662 §4.1).
pub(super) const LIST_TAG: &str = "eventlist";

/// The document that names the resources.
const RLMI: &str = "application/rlmi+xml";

/// What it comes in with their states.
const RELATED: &str = "multipart/related";

/// The types that go into the Accept header (RFC 4662 §4.3).
pub(super) const LIST_TYPES: [&str; 2] = [RLMI, RELATED];

/// Whether this is the type of a list's body. A missing `type` is met in the field.
pub(super) fn is_list(content_type: &ContentType<'_>) -> bool {
    let is_of_list =
        || content_type.parameter("type").is_none_or(|kind| kind.to_string().trim().eq_ignore_ascii_case(RLMI));
    content_type.is(RLMI) || content_type.is(RELATED) && is_of_list()
}

impl Engine {
    /// Whether the subscription with this dialog supports what this option tag means, beside what all support.
    pub(super) fn supports_for(&self, ids: &DialogIds<'_>, tag: &[u8]) -> bool {
        let remote_tag = ids.remote_tag.map_or(&b""[..], Tag::text);
        let find = || self.registry.find_dialog(ids.call_id, ids.local_tag, remote_tag);
        let asks = |handle| self.registry.view(handle, |subscription, _| subscription.asks_for_lists());
        tag.eq_ignore_ascii_case(LIST_TAG.as_bytes()) && find().and_then(asks).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_lists() {
        for (text, is_one) in [
            ("multipart/related;type=\"application/rlmi+xml\";boundary=b", true),
            ("Multipart/Related; boundary=b; Type=Application/RLMI+xml", true),
            ("multipart/related;boundary=b", true),
            ("application/rlmi+xml;charset=utf-8", true),
            ("multipart/related;type=\"application/pidf+xml\"", false),
            ("multipart/related;type=", false),
            ("multipart/mixed;type=\"application/rlmi+xml\"", false),
            ("application/pidf+xml", false),
        ] {
            assert_eq!(is_list(&ContentType::parse(text.as_bytes()).expect(text)), is_one, "{text}");
        }
    }
}
