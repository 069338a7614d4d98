//! The peers of the small world, and their messages.

use std::sync::LazyLock;

use super::super::*;
use super::rules::Spoken;
use crate::subscription::machine::Picture;
use crate::time::Millis;

/// Times of a few seconds each, so that their differences are few.
pub fn small_policy() -> Policy {
    Policy {
        default_expiration: secs(12),
        on_error_retry_time: secs(3),
        failure_backoff_max: secs(6),
        wait_for_term_notify: secs(2),
        resubscribe_delta: secs(2),
        min_resubscribe_time: secs(2),
        timer_n: secs(3),
        watchdog: secs(4),
        max_redirects: 1,
        ..Policy::FOR_TESTS
    }
}

/// Whose rules apply after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Book {
    /// The RFCs'.
    Rfc,
    /// The policy of an operator who overrides.
    Operator,
    /// The RFCs', behind two outbound proxies.
    Proxies,
}

impl Book {
    /// The parameters; the operator's are those of the package alone.
    pub fn policy(self) -> &'static Policy {
        static RFC: LazyLock<Policy> = LazyLock::new(small_policy);
        static OPERATOR: LazyLock<Policy> = LazyLock::new(|| {
            let overrides = vec![
                after_codes(300, 399, Action::Never),
                after_codes(404, 599, Action::AtOnce),
                after_codes(503, 503, Action::Never),
                after_codes(489, 489, Action::BackOff),
                after_reason("rejected", Action::AtOnce),
                after_reason("deactivated", Action::Never),
                after_reason("timeout", Action::BackOff),
            ];
            let own = Policy { overrides, timer_n_on_refresh: true, ..small_policy() };
            Policy { packages: vec![(package::PRESENCE.number, own)], default_expiration: secs(99), ..small_policy() }
        });
        static PROXIES: LazyLock<Policy> = LazyLock::new(|| Policy { proxies: 2, ..small_policy() });
        match self {
            Self::Proxies => &PROXIES,
            Self::Rfc => &RFC,
            Self::Operator => &OPERATOR,
        }
    }
}

/// One of the two notifiers behind the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fork {
    A,
    B,
}

impl Fork {
    pub fn tag(self) -> &'static [u8] {
        match self {
            Self::A => b"A",
            Self::B => b"B",
        }
    }

    /// Where the notifier wants its requests, before and after it has moved.
    pub fn contact(self, moved: bool) -> &'static [u8] {
        match (self, moved) {
            (Self::A, false) => b"sip:A@first",
            (Self::A, true) => b"sip:A@moved",
            (Self::B, false) => b"sip:B@first",
            (Self::B, true) => b"sip:B@moved",
        }
    }
}

/// The answers of a notifier to a SUBSCRIBE that it does not simply accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    Moved,
    UseProxy,
    Timeout,
    TooBrief,
    Unknown,
    BadEvent,
    Unavailable,
    Stale,
    Nothing,
    /// Challenges: of a realm with credentials, by the notifier or a proxy; again because the nonce is old; of a realm
    /// without credentials.
    Known,
    Proxy,
    Old,
    Strange,
}

impl Refusal {
    pub fn code(self) -> u16 {
        match self {
            Self::Nothing => 200,
            Self::Moved => 302,
            Self::UseProxy => 305,
            Self::Known | Self::Old | Self::Strange => 401,
            Self::Proxy => 407,
            Self::Timeout => 408,
            Self::TooBrief => 423,
            Self::Unknown => 481,
            Self::BadEvent => 489,
            Self::Stale => 500,
            Self::Unavailable => 503,
        }
    }
}

/// The contents of a NOTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    Active,
    ActiveSooner,
    Pending,
    Deactivated,
    Rejected,
    Probation,
    TimedOut,
    /// No Subscription-State at all.
    Missing,
}

impl Word {
    pub fn header(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ActiveSooner => "active;expires=4",
            Self::Pending => "pending",
            Self::Deactivated => "terminated;reason=deactivated",
            Self::Rejected => "terminated;reason=rejected",
            Self::Probation => "terminated;reason=probation;retry-after=5",
            Self::TimedOut => "terminated;reason=timeout",
            Self::Missing => "",
        }
    }

    /// The news: the status, and whether they are the last.
    pub fn told(self, book: Book) -> (Status, bool) {
        match (self, book) {
            (Self::Active | Self::ActiveSooner, _) => (Status::Active, false),
            (Self::Pending | Self::Missing, _) => (Status::Pending, false),
            (Self::Rejected, Book::Rfc | Book::Proxies) => (Status::Rejected, true),
            (Self::Deactivated, Book::Operator) => (Status::Terminated, true),
            (Self::Rejected, Book::Operator) | (Self::Deactivated, Book::Rfc | Book::Proxies) => {
                (Status::Terminated, false)
            }
            (Self::Probation | Self::TimedOut, _) => (Status::Terminated, false),
        }
    }

    /// The entity tag of its state, if its notifier gives one.
    pub fn entity_tag(self) -> Option<&'static [u8]> {
        match self {
            Self::Active => Some(b"active"),
            Self::Pending => Some(b"pending"),
            Self::ActiveSooner => None,
            Self::Deactivated | Self::Rejected | Self::Probation | Self::TimedOut | Self::Missing => Some(b"never"),
        }
    }

    pub fn ends(self) -> bool {
        matches!(self, Self::Deactivated | Self::Rejected | Self::Probation | Self::TimedOut)
    }
}

/// A message that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A SUBSCRIBE, to `fork` when it is within a dialog.
    Subscribe { dialog: u32, fork: Option<Fork>, cseq: u32, expires: u32 },
    /// A 2xx.
    Accept { cseq: u32, fork: Fork, moved: bool, expires: u32 },
    /// Any other final reply.
    Refuse { cseq: u32, refusal: Refusal },
    /// A NOTIFY.
    Notify { dialog: u32, fork: Fork, cseq: u32, moved: bool, word: Word },
    /// The outcome from the transaction layer: sent, failed or dropped.
    Word { cseq: u32, word: Sending },
}

/// What became of a request handed to the transaction layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sending {
    Sent,
    Failed,
    Dropped,
    Held(HeldBack),
}

/// A request that did not leave, and the state from before it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeldBack {
    pub undo: Undo,
    pub until: Millis,
    pub by: HeldBy,
    pub spoken: Spoken,
}

impl HeldBack {
    /// As seen from `now`; all moments in the distant past are equal.
    pub fn seen(self, now: Millis) -> Self {
        let seen = |at: Millis| Millis((Picture::NOW.0 + at.0).saturating_sub(now.0).max(Picture::NOW.0 - 20_000));
        let undo = Undo { last_sent: self.undo.last_sent.map(seen), ..self.undo };
        let spoken = Spoken { sent: self.spoken.sent.map(seen), ..self.spoken };
        Self { undo, until: seen(self.until), spoken, ..self }
    }
}

/// A dialog as a notifier knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    pub dialog: u32,
    pub fork: Fork,
    pub newest: u32,
    pub notified: u32,
    pub until: Millis,
    pub moved: bool,
    pub pending: bool,
}
