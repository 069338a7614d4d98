//! The Subscription-State header (RFC 6665 §4.1.3, §8.4) by its grammar.

/// A Subscription-State header, borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionState<'a> {
    /// The state.
    pub value: StateValue,
    /// `reason` parameter.
    pub reason: Option<&'a [u8]>,
    /// `expires` parameter in seconds; values beyond 32 bits are the largest.
    pub expires: Option<u32>,
    /// `retry-after` parameter in seconds; values beyond 32 bits are the largest.
    pub retry_after: Option<u32>,
}

/// The state values of RFC 6665 §4.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateValue {
    /// Accepted and authorised.
    Active,
    /// Accepted, not yet authorised.
    Pending,
    /// Ended.
    Terminated,
    /// An extension state; the subscription goes on.
    Other,
}
