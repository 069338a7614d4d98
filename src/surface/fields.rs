//! The fields of `$qsa(...)` as they are declared. Uses nothing of the module, so that the tests can read it as well.

/// The fields of `$qsa(...)`.
pub const FIELDS: [&str; 14] = [
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
    "basic",
    "note",
    "fork",
];
