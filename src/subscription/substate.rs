//! The Subscription-State header (RFC 6665 §4.1.3, §8.4) by its grammar.

use crate::grammar::{delta_seconds, is_token, split_unquoted, unquoted};

/// The longest reason that is taken from a peer, in bytes; a longer one counts as absent.
const LONGEST_REASON: usize = 255;

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

impl<'a> SubscriptionState<'a> {
    /// Active, and nothing else is said.
    pub const ACTIVE: Self = Self { value: StateValue::Active, reason: None, expires: None, retry_after: None };

    /// Reads a header value: `token *( SEMI param )` (RFC 6665 §8.4). White space may be folded (RFC 3261 §7.3.1), words
    /// are compared without case, parameters that are not known are skipped, of a repeated one the first counts. A
    /// parameter with a bad value counts as absent; a header value without a state is `None`.
    ///
    /// Notifiers in the field write `active, 3600` and `active expires=600`: a comma or white space ends the state too,
    /// and the rest is read as the first parameter.
    #[must_use]
    pub fn parse(header: &'a [u8]) -> Option<Self> {
        // As nearly all NOTIFYs have it.
        if let Some(expires) = header.strip_prefix(b"active;expires=").and_then(delta_seconds) {
            return Some(Self { value: StateValue::Active, reason: None, expires: Some(expires), retry_after: None });
        }
        let header = trim(header);
        let is_separator = |byte: &u8| matches!(byte, b';' | b',') || byte.is_ascii_whitespace();
        let (word, rest) = header.split_at_checked(header.iter().position(is_separator).unwrap_or(header.len()))?;
        if !is_token(word) {
            return None;
        }
        let first = rest.iter().position(|byte| !is_separator(byte));
        let mut rest = first.and_then(|first| rest.get(first..));
        let value = if word.eq_ignore_ascii_case(b"active") {
            StateValue::Active
        } else if word.eq_ignore_ascii_case(b"pending") {
            StateValue::Pending
        } else if word.eq_ignore_ascii_case(b"terminated") {
            StateValue::Terminated
        } else {
            StateValue::Other
        };
        let mut state = Self { value, reason: None, expires: None, retry_after: None };
        while let Some(params) = rest {
            let (param, after) = split_unquoted(params, b';');
            state.take(param);
            rest = after;
        }
        Some(state)
    }

    fn take(&mut self, param: &'a [u8]) {
        let Some(equals) = memchr::memchr(b'=', param) else { return };
        let name = trim(param.get(..equals).unwrap_or_default());
        let value = unquoted(trim(param.get(equals.saturating_add(1)..).unwrap_or_default()));
        if name.eq_ignore_ascii_case(b"reason") {
            self.reason = self.reason.or((value.len() <= LONGEST_REASON && is_token(value)).then_some(value));
        } else if name.eq_ignore_ascii_case(b"expires") {
            self.expires = self.expires.or_else(|| delta_seconds(value));
        } else if name.eq_ignore_ascii_case(b"retry-after") {
            self.retry_after = self.retry_after.or_else(|| delta_seconds(value));
        }
    }
}

/// Without linear white space at both ends; a fold (CR LF SP) is white space.
fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}
