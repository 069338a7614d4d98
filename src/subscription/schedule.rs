//! When the next SUBSCRIBE of an active subscription is due.

use std::time::Duration;

use super::policy::Policy;
use crate::time::Millis;

/// The least time between two SUBSCRIBEs whatever the parameters say.
const LEAST: Duration = Duration::from_secs(1);

/// Expiries closer together than this are the same: they are told in whole seconds and travel.
const SLACK: Duration = Duration::from_secs(2);

/// How long after a grant to refresh: `resubscribe_delta` before its end, but not before `min_resubscribe_time`, and
/// never after its end: half of a short grant, at least a second. A grant that leaves no time before `resubscribe_delta`
/// is a short one as well when no least time is set, or it would be refreshed every second.
///
/// This is the plan. The refresh comes up to `refresh_jitter` of it earlier, but not before `min_resubscribe_time`, so
/// that subscriptions that were granted together are not refreshed together.
pub(super) fn refresh_delay(granted: Duration, policy: &Policy, random: u64) -> Duration {
    let wanted = granted.saturating_sub(policy.resubscribe_delta).max(policy.min_resubscribe_time);
    let fits = !wanted.is_zero() && wanted < granted;
    let plan = if fits { wanted.max(LEAST) } else { (granted / 2).max(LEAST) };
    let jitter = plan.saturating_mul(u32::from(policy.refresh_jitter)) / 100;
    let soonest = plan.saturating_sub(jitter).max(policy.min_resubscribe_time.max(LEAST)).min(plan);
    let span = u64::try_from(plan.saturating_sub(soonest).as_millis()).unwrap_or(u64::MAX);
    plan.saturating_sub(Duration::from_millis(random % span.saturating_add(1)))
}

/// The earliest instant for a SUBSCRIBE after one sent at `last_sent` (`min_resubscribe_time`).
pub(super) fn earliest(last_sent: Option<Millis>, now: Millis, policy: &Policy) -> Millis {
    last_sent.map_or(now, |sent| sent.after(policy.min_resubscribe_time.max(LEAST)).max(now))
}

/// The same, when `count` SUBSCRIBEs in a row have been brought forward already: each doubles the time after the last one.
pub(super) fn earliest_after(count: u8, last_sent: Option<Millis>, now: Millis, policy: &Policy) -> Millis {
    let pause = policy.min_resubscribe_time.max(LEAST).saturating_mul(1 << count.min(16));
    last_sent.map_or(now, |sent| sent.after(pause).max(now))
}

/// How a newly told expiry compares with the known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The same but for rounding.
    Same,
    /// Sooner.
    Sooner,
    /// Later, or the first.
    Later,
}

/// Compares a newly told expiry with the known one.
pub(super) fn compare(known: Option<Millis>, told: Millis) -> Told {
    match known {
        Some(known) if told.since(known) <= SLACK && known.since(told) <= SLACK => Told::Same,
        Some(known) if told < known => Told::Sooner,
        Some(_) | None => Told::Later,
    }
}
