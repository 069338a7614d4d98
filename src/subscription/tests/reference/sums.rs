//! Computations and look-ups.

use super::*;

impl Reference {
    pub(super) fn wanted(&self) -> u64 {
        if self.fetch.is_some() { 0 } else { self.policy.default_expiration.as_secs().max(self.least) }
    }

    pub(super) fn granted(&self, reply: &Reply<'_>) -> u64 {
        reply.expires.map_or(self.asked, |seconds| u64::from(seconds).min(self.asked))
    }

    pub(super) fn earliest(&self) -> u64 {
        self.sent.map_or(self.now, |sent| (sent + ms(self.policy.min_resubscribe_time).max(SECOND)).max(self.now))
    }

    /// `resubscribe_delta` before the end, not before `min_resubscribe_time`; half of the time if it is too short for both.
    pub(super) fn planned(&self) -> u64 {
        let left = self.ends.unwrap_or(self.now).saturating_sub(self.now);
        let before = left.saturating_sub(ms(self.policy.resubscribe_delta));
        let wanted = before.max(ms(self.policy.min_resubscribe_time));
        let fits = wanted > 0 && wanted < left;
        self.now + (if fits { wanted } else { left / 2 }).max(SECOND)
    }

    /// A timeout of a request that a NOTIFY has answered.
    pub(super) fn is_stray(&self, code: u16) -> bool {
        matches!(code, 0 | 408 | 504) && self.heard.is_some()
    }
}

/// An operator's rule in place of the default one.
pub(super) fn otherwise(action: Action, then: Then, given_up: Status) -> Then {
    match action {
        Action::AtOnce => Then::Now,
        Action::BackOff => Then::Later,
        Action::Never => Then::Never(if let Then::Never(status) = then { status } else { given_up }),
    }
}

/// RFC 6665 §4.1.2.2.
pub(super) fn ends_dialog(code: u16) -> bool {
    [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604].contains(&code)
}

pub(super) fn told(retry_after: Option<u32>) -> Option<u64> {
    retry_after.filter(|seconds| *seconds > 0).map(|seconds| u64::from(seconds).min(86_400) * SECOND)
}
