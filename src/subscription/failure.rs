//! The action after a failure: tables, not branches.

use std::time::Duration;

use super::output::Status;
use super::policy::{Action, After, Policy};
use super::reason::Reason;

/// The longest Retry-After or retry-after that is obeyed: a day. A notifier that says more is asked again after a day,
/// so that a slip of the pen (or a hostile value) does not end a subscription for good.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// The largest Min-Expires that is obeyed: a week. A subscription is also how a dead notifier is noticed.
pub(super) const LARGEST_MIN_EXPIRES: u32 = 604_800;

/// The action after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// A new dialog as soon as `min_resubscribe_time` allows. Only the first time: after further failures it backs off.
    AtOnce,
    /// A new attempt after Retry-After, or else after the back-off.
    BackOff,
    /// The same again at once with a longer Expires (RFC 3261 §21.4.17, RFC 6665 §4.2.1.1), if Min-Expires says how long.
    Widen,
    /// No new attempt; the internal subscriber is told this status for the last time.
    Never(Status),
}

impl Then {
    /// The action that replaces this one. If the subscription is given up, its subscriber gets the status of the
    /// failure, otherwise this one.
    fn overridden(self, action: Action, given_up: Status) -> Self {
        match (action, self) {
            (Action::AtOnce, _) => Self::AtOnce,
            (Action::BackOff, _) => Self::BackOff,
            (Action::Never, Self::Never(status)) => Self::Never(status),
            (Action::Never, Self::AtOnce | Self::BackOff | Self::Widen) => Self::Never(given_up),
        }
    }
}

/// The meaning of a final reply of 300 and above.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// First and last code.
    codes: (u16, u16),
    /// Whether it ends the dialog when it answers a refresh (RFC 6665 §4.1.2.2 names exactly which do).
    pub(super) ends_dialog: bool,
    /// When it answers the request that opens a dialog.
    pub(super) to_initial: Then,
    /// When it answers a refresh.
    pub(super) to_refresh: Then,
}

const fn rule(codes: (u16, u16), ends_dialog: bool, to_initial: Then, to_refresh: Then) -> Rule {
    Rule { codes, ends_dialog, to_initial, to_refresh }
}

/// The codes that are not [`OTHER`]. 405 and 501 are tried again, slowly: what answers for a record may change with
/// where its requests are routed to.
const RULES: &[Rule] = &[
    rule((404, 405), true, Then::BackOff, Then::BackOff),
    rule((406, 406), false, Then::Never(Status::Rejected), Then::BackOff),
    rule((410, 410), true, Then::BackOff, Then::BackOff),
    rule((416, 416), true, Then::BackOff, Then::BackOff),
    rule((423, 423), false, Then::Widen, Then::Widen),
    rule((480, 480), true, Then::BackOff, Then::BackOff),
    rule((481, 481), true, Then::BackOff, Then::AtOnce),
    rule((482, 485), true, Then::BackOff, Then::BackOff),
    rule((489, 489), true, Then::Never(Status::Rejected), Then::Never(Status::Rejected)),
    rule((501, 501), true, Then::BackOff, Then::BackOff),
    rule((604, 604), true, Then::BackOff, Then::BackOff),
];

/// Any other code, and failures without one: tried again; a dialog stays until it expires (RFC 5057 §5.1 for 408).
const OTHER: Rule = rule((0, 0), false, Then::BackOff, Then::BackOff);

/// The rule for a code; 0 is a failure without a reply. Which codes end a dialog cannot be overridden.
pub(super) fn rule_for(code: u16, policy: &Policy) -> Rule {
    let rule = default_rule(code);
    let fits = |after: &After| matches!(after, After::Codes(first, last) if (*first..=*last).contains(&code));
    match overridden(policy, fits) {
        Some(action) => {
            let then = |default: Then| default.overridden(action, Status::Rejected);
            Rule { to_initial: then(rule.to_initial), to_refresh: then(rule.to_refresh), ..rule }
        }
        None => rule,
    }
}

/// Whether a code ends the dialog when it answers a refresh (RFC 6665 §4.1.2.2).
pub(super) fn ends_dialog(code: u16) -> bool {
    default_rule(code).ends_dialog
}

fn default_rule(code: u16) -> Rule {
    RULES.iter().copied().find(|rule| (rule.codes.0..=rule.codes.1).contains(&code)).unwrap_or(OTHER)
}

/// The action of the last override that fits.
fn overridden(policy: &Policy, fits: impl Fn(&After) -> bool) -> Option<Action> {
    policy.overrides.iter().rev().find(|one| fits(&one.after)).map(|one| one.action)
}

/// Whether a reply says nothing about the notifier, only that a final answer got lost on the way.
pub(super) fn is_timeout(code: u16) -> bool {
    matches!(code, 0 | 408 | 504)
}

/// Whether what has failed may well succeed a moment later: a server's trouble, a timeout, a request that did not leave.
pub(super) fn is_transient(code: u16) -> bool {
    matches!(code, 0 | 408 | 500..=599)
}

/// The meaning of the reason of a terminated subscription (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    reason: Reason,
    /// Whether `retry-after` counts.
    pub(super) heeds_retry_after: bool,
    /// The action.
    pub(super) then: Then,
}

const fn ending(reason: Reason, heeds_retry_after: bool, then: Then) -> Ending {
    Ending { reason, heeds_retry_after, then }
}

const ENDINGS: &[Ending] = &[
    ending(Reason::Deactivated, false, Then::AtOnce),
    ending(Reason::Timeout, true, Then::AtOnce),
    ending(Reason::GiveUp, true, Then::AtOnce),
    ending(Reason::Probation, true, Then::BackOff),
    ending(Reason::Rejected, false, Then::Never(Status::Rejected)),
    ending(Reason::NoResource, false, Then::Never(Status::Terminated)),
    ending(Reason::Invariant, false, Then::Never(Status::Terminated)),
];

/// No reason, or an unknown one: any time, honouring `retry-after`; without one, with a back-off.
const UNKNOWN_ENDING: Ending = ending(Reason::Nothing, true, Then::BackOff);

/// The ending for a reason parameter.
pub(super) fn ending_for(reason: Option<&[u8]>, policy: &Policy) -> Ending {
    let known = |reason: &[u8]| {
        ENDINGS.iter().copied().find(|ending| ending.reason.text().as_bytes().eq_ignore_ascii_case(reason))
    };
    let ending = reason.and_then(known).unwrap_or(UNKNOWN_ENDING);
    let fits = |after: &After| match (after, reason) {
        (After::Reason(Some(name)), Some(reason)) => name.as_bytes().eq_ignore_ascii_case(reason),
        (After::Reason(None), None) => true,
        (After::Reason(_) | After::Codes(..), _) => false,
    };
    match overridden(policy, fits) {
        Some(action) => Ending { then: ending.then.overridden(action, Status::Terminated), ..ending },
        None => ending,
    }
}

/// How long to wait after the `failures`th failure in a row: `on_error_retry_time` first, then twice as long each time
/// up to `failure_backoff_max`, somewhere between half and all of it so that many do not come back together.
pub(super) fn back_off(failures: u32, policy: &Policy, random: u64) -> Duration {
    let first = policy.on_error_retry_time.max(Duration::from_secs(1));
    let doublings = failures.saturating_sub(1);
    if doublings == 0 {
        return first;
    }
    let factor = 1u32.checked_shl(doublings.min(31)).unwrap_or(u32::MAX);
    let whole = first.saturating_mul(factor).min(policy.failure_backoff_max.max(first));
    let half = whole / 2;
    let span = u64::try_from(whole.saturating_sub(half).as_millis()).unwrap_or(u64::MAX);
    half.saturating_add(Duration::from_millis(random % span.saturating_add(1)))
}
