//! One line in the log when a subscription begins to fail, and one when it works again.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Engine;
use crate::host::log;
use crate::qsa::SubscriptionId;
use crate::registry::Handle;
use crate::subscription::{News, Output, Reason, Turn};

/// The most lines a second, for all subscriptions together: if a destination dies, thousands fail at once.
const MOST_LINES: u64 = 10;

/// Counts the lines of the present second, in shared memory.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The second, and in the lowest 24 bits how many lines it has had.
    used: AtomicU64,
}

/// Whether a line may be written, by its place in its second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinePlace {
    /// It may be written.
    Free,
    /// It is the first one too many.
    TooMany,
    /// It is one of many more.
    Beyond,
}

impl Lines {
    const COUNT_BITS: u32 = 24;
    const COUNT: u64 = (1 << Self::COUNT_BITS) - 1;

    /// Counts a line written in this second.
    fn take(&self, second: u64) -> LinePlace {
        let next = |used: u64| match used >> Self::COUNT_BITS == second {
            true if used & Self::COUNT == Self::COUNT => used,
            true => used + 1,
            false => second << Self::COUNT_BITS | 1,
        };
        let before = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(next(used)));
        match next(before.unwrap_or_else(|used| used)) & Self::COUNT {
            0..=MOST_LINES => LinePlace::Free,
            number if number == MOST_LINES + 1 => LinePlace::TooMany,
            _ => LinePlace::Beyond,
        }
    }
}

impl Engine {
    /// Says in the log that a subscription begins to fail or works again, if this step has shown it. Call without locks.
    pub(super) fn say_turn(&self, handle: Handle, subscription: SubscriptionId, output: &Output) {
        let Some(turn) = output.turn else { return };
        if !self.may_say() {
            return;
        }
        let named = self.named(handle, subscription);
        match turn {
            Turn::Recovered => log::notice(&format!("{named} works again")),
            Turn::Failed => log::warn(&format!("{named}: {}", output.news.as_ref().map_or("no answer".into(), told))),
        }
    }

    /// Whether another line about one subscription may be written in this second.
    pub(super) fn may_say(&self) -> bool {
        match self.lines.take(Self::now().0 / 1000) {
            LinePlace::Free => true,
            LinePlace::TooMany => {
                log::warn(
                    "more subscriptions fail or work again than the log shows: presence_b2b.list shows all of them",
                );
                false
            }
            LinePlace::Beyond => false,
        }
    }

    /// A subscription, as the log names it.
    pub(super) fn named(&self, handle: Handle, subscription: SubscriptionId) -> String {
        let named = self.hub.with_subscription(subscription, |view| {
            let [record, subscriber, package] =
                [view.record, view.subscriber, view.package].map(String::from_utf8_lossy);
            format!("subscription {} of {subscriber} to {record} ({package})", handle.id())
        });
        // A last message may have been told, and the internal subscription be gone, already.
        named.unwrap_or_else(|| format!("subscription {}", handle.id()))
    }
}

/// The line's text: what happened, what the module does about it, and what the operator can do.
fn told(news: &News) -> String {
    let what = match (news.code, news.reason.as_str()) {
        (0, "") => "the notifier has ended it".to_owned(),
        (0, reason) => reason.to_owned(),
        (code, reason) => format!("{code} {reason}"),
    };
    let then = match news.next_attempt {
        Some(seconds) => format!("the next attempt is in {seconds} s"),
        None => "there is no further attempt".to_owned(),
    };
    match advice(news.code, Reason::find(news.reason.as_str().as_bytes())) {
        "" => format!("{what}; {then}"),
        advice => format!("{what}; {then}. {advice}"),
    }
}

/// The usual remedy, if a request failed with this code (0: without a final reply) and for this reason.
fn advice(code: u16, reason: Option<Reason>) -> &'static str {
    let of_reason = reason.map_or("", advice_for);
    match code {
        0 => of_reason,
        401 | 407 if of_reason.is_empty() => {
            "Check the credentials for this realm: modparam credential, or b2b_credentials()"
        }
        401 | 407 => of_reason,
        403 => "The notifier does not allow this subscriber",
        404 | 604 => "The notifier does not know the record",
        405 | 501 => "The server of the record does not support SUBSCRIBE: check where the record is routed to",
        406 => "The notifier offers no document of a type that the package accepts",
        408 => "There is no answer: check the address, the route there and the firewall",
        421 => "If the record is a list of resources, subscribe with option list",
        489 => "The notifier does not serve this event package",
        _ => "",
    }
}

/// The remedy for a reason; empty if the code says more, or if only waiting helps.
const fn advice_for(reason: Reason) -> &'static str {
    match reason {
        Reason::NoNotify => {
            "The notifier accepted, but no NOTIFY reached handle_notify(): call it before any test for a dialog \
             (has_totag(), loose_route()), and check that the notifier can reach the Contact"
        }
        Reason::SendFailed => "Check DNS, the listen addresses and the outbound proxy",
        Reason::NoWay => {
            "Nothing can be sent to the Contact or Record-Route that the notifier gave: check DNS, and that the server listens \
             on that transport"
        }
        Reason::NotifyRefused => "An earlier line of the log says which answer its first refused NOTIFY got, and why",
        Reason::DroppedByScript => "event_route[tm:local-request] dropped the SUBSCRIBE",
        Reason::NoCredentialsHere => {
            "A redirection led to a host outside the domain of the credentials: check modparam credential_domain"
        }
        Reason::DigestTooWeak => "Check modparam auth_require_qop and auth_allow_md5",
        // By the notifier's code.
        Reason::Nothing
        | Reason::Ok
        | Reason::Accepted
        | Reason::NoNotification
        | Reason::NotFound
        | Reason::TemporarilyUnavailable
        | Reason::ServiceUnavailable
        | Reason::RequestTimeout
        | Reason::NoUsableReply
        | Reason::NoCredentials
        | Reason::CredentialsRejected => "",
        // The notifier decides, or has an error.
        Reason::Deactivated
        | Reason::GiveUp
        | Reason::NoResource
        | Reason::Probation
        | Reason::Rejected
        | Reason::Timeout
        | Reason::Invariant
        | Reason::NothingGranted
        | Reason::CountLost
        | Reason::NoDialog
        | Reason::NonceStale
        | Reason::TooManyChallenges
        | Reason::ChallengeTooLarge
        | Reason::MalformedChallenge
        | Reason::NoDigest => "",
        // The next attempt comes by itself.
        Reason::Expired
        | Reason::ConnectionLost
        | Reason::HeldByRate
        | Reason::DestinationHeld
        | Reason::DestinationSilent
        | Reason::Unreached => "",
    }
}
