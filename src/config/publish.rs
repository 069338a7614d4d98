//! What is published of notifiers that are out of reach.

use super::ConfigError;

/// What becomes of a published state while its notifier is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfReach {
    /// Watchers are told that it is unknown.
    Unknown,
    /// It stays as it is.
    Keep,
}

/// Reads `publish_out_of_reach`; `None` if it is not set.
///
/// # Errors
/// [`ConfigError::Text`].
pub(super) fn out_of_reach(value: String) -> Result<Option<OutOfReach>, ConfigError> {
    match value.as_str() {
        "" => Ok(None),
        "unknown" => Ok(Some(OutOfReach::Unknown)),
        "keep" => Ok(Some(OutOfReach::Keep)),
        _ => Err(ConfigError::Text { name: "publish_out_of_reach", value, wanted: "unknown or keep" }),
    }
}
