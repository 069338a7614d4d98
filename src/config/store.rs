//! What becomes of the subscriptions when the server stops.

use super::ConfigError;

/// What becomes of the subscriptions when the server stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnShutdown {
    /// They stay: the next start goes on with them, or they expire.
    #[default]
    Keep,
    /// They are ended.
    Unsubscribe,
}

/// Reads `on_shutdown`.
///
/// # Errors
/// [`ConfigError::Text`].
pub(super) fn on_shutdown(value: String) -> Result<OnShutdown, ConfigError> {
    match value.as_str() {
        "" | "keep" => Ok(OnShutdown::Keep),
        "unsubscribe" => Ok(OnShutdown::Unsubscribe),
        _ => Err(ConfigError::Text { name: "on_shutdown", value, wanted: "keep or unsubscribe" }),
    }
}
