//! The fields of `$qsa(...)` that every message has, as they are declared; those of documents are in `document`. Uses nothing of the
//! module, so that the tests can read it as well.

/// The fields that `$b2b(...)` has beside those of documents.
pub const STATE_FIELDS: [&str; 6] = ["status", "reason", "code", "age", "content_type", "body"];

/// The fields of `$qsa(...)` that every message has.
pub const FIELDS: [&str; 17] = [
    "record",
    "subscriber",
    "package",
    "event_id",
    "id",
    "status",
    "reason",
    "code",
    "next_attempt",
    "content_type",
    "body",
    "json",
    "fork",
    "list",
    "resource_name",
    "instance",
    "unsolicited",
];
