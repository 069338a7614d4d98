//! How subscriptions outlive the server.

use std::time::Duration;

use super::{ConfigError, Integers, duration};

/// How subscriptions are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreParameters {
    /// `db_flush_interval`: the time between two writes.
    pub flush_interval: Duration,
    /// `db_batch`: the most rows of one write.
    pub batch: usize,
    /// `adoption_time`: how long a subscription of a C module waits for that module after a start.
    pub adoption_time: Duration,
}

/// What becomes of the subscriptions when the server stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnShutdown {
    /// They stay: the next start goes on with them, or they expire.
    #[default]
    Keep,
    /// They are ended.
    Unsubscribe,
}

/// The parameters of the store; `None` if nothing is stored.
pub(super) fn read(integers: &Integers) -> Option<StoreParameters> {
    (integers.db_mode != 0).then(|| StoreParameters {
        flush_interval: Duration::from_millis(u64::from(integers.db_flush_interval.unsigned_abs())),
        batch: integers.db_batch.unsigned_abs() as usize,
        adoption_time: duration(integers.adoption_time),
    })
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
