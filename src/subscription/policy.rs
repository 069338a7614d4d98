//! The values a subscription's decisions depend on.

use std::time::Duration;

/// Parameters of the module as the core sees them, and the protocol's own times.
#[derive(Clone, Debug)]
pub struct Policy {
    /// `default_expiration`: Expires asked for.
    pub default_expiration: Duration,
    /// `on_error_retry_time`: first retry when nobody says better.
    pub on_error_retry_time: Duration,
    /// `failure_backoff_max`: cap of the exponential back-off.
    pub failure_backoff_max: Duration,
    /// `wait_for_term_notify`: how long the terminating NOTIFY is awaited after an unsubscribe was accepted.
    pub wait_for_term_notify: Duration,
    /// `resubscribe_delta`: how long before expiry to refresh.
    pub resubscribe_delta: Duration,
    /// `min_resubscribe_time`: least time between two consecutive SUBSCRIBEs of a subscription.
    pub min_resubscribe_time: Duration,
    /// `refresh_jitter`: how much earlier than planned a refresh may come, in percent of the time until then.
    pub refresh_jitter: u8,
    /// `max_subscribe_delay`: first SUBSCRIBEs are spread evenly over this span.
    pub max_subscribe_delay: Duration,
    /// Timer N (RFC 6665 §4.1.2.4): how long the first NOTIFY is awaited after a SUBSCRIBE.
    pub timer_n: Duration,
    /// How long to wait for the transaction layer's word before the request is taken for lost.
    pub watchdog: Duration,
    /// How many redirections are followed for one attempt.
    pub max_redirects: u8,
}
