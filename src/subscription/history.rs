//! One event of a subscription's history, in twelve bytes.

use super::input::{HeldBy, Input};
use super::output::Untold;
use super::reason::Reason;
use super::substate::StateValue;
use crate::time::Millis;

/// What has happened. Its number is kept: see [`HistoryEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Happened {
    /// The subscription was made.
    New,
    /// It was read from the database at the start of the server.
    Restored,
    /// A SUBSCRIBE that opens a dialog was sent.
    SubscribeNew,
    /// One that refreshes the subscription.
    SubscribeRefresh,
    /// One that repeats a failed, redirected or challenged one.
    SubscribeRetry,
    /// One that ends the subscription.
    SubscribeEnd,
    /// A final reply came.
    Reply,
    /// Nobody answered: the transaction layer made up the reply.
    Timeout,
    /// A SUBSCRIBE did not leave.
    Unsent,
    /// A SUBSCRIBE is held.
    Held,
    /// A NOTIFY with the state active came.
    NotifyActive,
    /// One with the state pending.
    NotifyPending,
    /// One with the state terminated.
    NotifyTerminated,
    /// One with another state, or without a readable one.
    NotifyOther,
    /// A NOTIFY was refused before the subscription saw it.
    Refused,
    /// The same, for its CSeq.
    Stale,
    /// The same, as it had been told before.
    Repeated,
    /// A later message of the subscription has taken the place of one in a full queue.
    Merged,
    /// A message found no room in a full queue.
    Dropped,
    /// A NOTIFY was answered with 503 for want of memory.
    PutOff,
    /// A deadline passed: no NOTIFY came, the granted time ended, or a request had no outcome.
    Deadline,
    /// Somebody asked for a refresh.
    RefreshAsked,
    /// Credentials of its own came.
    Credentials,
    /// The server itself told the state.
    Told,
    /// The connection of the dialog was lost.
    ConnectionLost,
    /// The subscriber unsubscribed.
    Unsubscribed,
}

/// Which way an event went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From this server to the notifier.
    Out,
    /// From the notifier to this server.
    In,
    /// Within this server.
    Within,
}

impl Direction {
    /// The word that operators read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Within => "none",
        }
    }
}

impl Happened {
    /// All of them, by their numbers.
    pub const ALL: [Self; 26] = [
        Self::New,
        Self::Restored,
        Self::SubscribeNew,
        Self::SubscribeRefresh,
        Self::SubscribeRetry,
        Self::SubscribeEnd,
        Self::Reply,
        Self::Timeout,
        Self::Unsent,
        Self::Held,
        Self::NotifyActive,
        Self::NotifyPending,
        Self::NotifyTerminated,
        Self::NotifyOther,
        Self::Refused,
        Self::Stale,
        Self::Repeated,
        Self::Merged,
        Self::Dropped,
        Self::PutOff,
        Self::Deadline,
        Self::RefreshAsked,
        Self::Credentials,
        Self::Told,
        Self::ConnectionLost,
        Self::Unsubscribed,
    ];

    /// Which way it went, its name, and what kind of it (empty for none).
    #[must_use]
    pub fn words(self) -> (Direction, &'static str, &'static str) {
        use Direction::{In, Out, Within};
        match self {
            Self::New => (Within, "new", ""),
            Self::Restored => (Within, "restored", ""),
            Self::SubscribeNew => (Out, "SUBSCRIBE", "new"),
            Self::SubscribeRefresh => (Out, "SUBSCRIBE", "refresh"),
            Self::SubscribeRetry => (Out, "SUBSCRIBE", "retry"),
            Self::SubscribeEnd => (Out, "SUBSCRIBE", "end"),
            Self::Reply => (In, "reply", ""),
            Self::Timeout => (Within, "timeout", ""),
            Self::Unsent => (Within, "unsent", ""),
            Self::Held => (Within, "held", ""),
            Self::NotifyActive => (In, "NOTIFY", "active"),
            Self::NotifyPending => (In, "NOTIFY", "pending"),
            Self::NotifyTerminated => (In, "NOTIFY", "terminated"),
            Self::NotifyOther => (In, "NOTIFY", "other"),
            Self::Refused => (In, "discarded", Untold::Refused.name()),
            Self::Stale => (In, "discarded", Untold::Stale.name()),
            Self::Repeated => (In, "discarded", Untold::Repeated.name()),
            Self::Merged => (Within, "discarded", Untold::Merged.name()),
            Self::Dropped => (Within, "discarded", Untold::Dropped.name()),
            Self::PutOff => (In, "discarded", "put off"),
            Self::Deadline => (Within, "deadline", ""),
            Self::RefreshAsked => (Within, "refresh", ""),
            Self::Credentials => (Within, "credentials", ""),
            Self::Told => (Within, "state", ""),
            Self::ConnectionLost => (In, "connection lost", ""),
            Self::Unsubscribed => (Within, "unsubscribe", ""),
        }
    }
}

impl From<Untold> for Happened {
    fn from(why: Untold) -> Self {
        match why {
            Untold::Refused => Self::Refused,
            Untold::Stale => Self::Stale,
            Untold::Repeated => Self::Repeated,
            Untold::Merged => Self::Merged,
            Untold::Dropped => Self::Dropped,
        }
    }
}

/// The number of a reason in the words of a peer.
pub(super) const OTHER_WORDS: u8 = u8::MAX;

/// The bits that say that there are no seconds.
const NO_EXPIRES: u32 = (1 << 24) - 1;

/// An event of a subscription's history. From the lowest bit on: 40 bits of milliseconds, 8 of what has happened, 10 of a SIP
/// code, 4 of the state since, 2 unused, 8 of the reason, 24 of seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistoryEvent([u32; Self::WORDS]);

impl HistoryEvent {
    /// How many words of 32 bits it has.
    pub const WORDS: usize = 3;

    /// The most seconds that [`expires`](Self::expires) has room for, 194 days. More are shown as these.
    pub const MOST_EXPIRES: u32 = NO_EXPIRES - 1;

    /// Something has happened; neither when, nor code, reason, seconds or state are said.
    #[must_use]
    pub fn new(what: Happened) -> Self {
        Self([0, (what as u32) << 8, NO_EXPIRES << 8])
    }

    /// The event that an input is, as far as that says; `None` if it is none. The subscription
    /// [adds](super::Subscription::event) the rest.
    #[must_use]
    #[inline]
    pub fn of(input: &Input<'_>) -> Option<Self> {
        let new = Self::new;
        Some(match input {
            Input::Notify(notify, _) => match notify.state {
                None => new(Happened::NotifyOther),
                Some(state) => {
                    let reason = state.reason.map_or(0, number_of_words);
                    new(happened(state.value)).with_expires(state.expires).with_reason_number(reason)
                }
            },
            Input::Reply(reply) if reply.is_local => new(Happened::Timeout).with_code(reply.code),
            Input::Reply(reply) => {
                let granted = reply.expires.filter(|_| (200..300).contains(&reply.code));
                new(Happened::Reply).with_code(reply.code).with_expires(granted)
            }
            // Which one it is, the subscription knows.
            Input::Sent { .. } => new(Happened::SubscribeNew),
            Input::Deadline(_) => new(Happened::Deadline),
            Input::SendFailed { .. } | Input::NoWay { .. } | Input::Dropped { .. } => new(Happened::Unsent),
            Input::Held { by, .. } => new(Happened::Held).with_reason(reason_of(*by)),
            Input::Untold(why) => new((*why).into()),
            Input::NotForked => new(Happened::Refused),
            Input::PutOff(_) => new(Happened::PutOff).with_code(503),
            Input::Refresh => new(Happened::RefreshAsked),
            Input::Credentials { .. } => new(Happened::Credentials),
            Input::Told => new(Happened::Told),
            Input::FlowLost(_) => new(Happened::ConnectionLost).with_reason(Reason::ConnectionLost),
            Input::Unsubscribe => new(Happened::Unsubscribed),
            Input::Start
            | Input::Through { .. }
            | Input::Over { .. }
            | Input::Turn
            | Input::Saved
            | Input::Source { .. } => return None,
        })
    }

    /// The same at this moment, after which the subscription is in the state with this number.
    #[must_use]
    pub(super) fn at_moment(self, now: Millis, state: u8) -> Self {
        let Self([_, middle, last]) = self;
        let high = (now.0 >> 32) as u32 & 0xff;
        Self([now.0 as u32, middle & !(0xff | 0xf << 26) | high | u32::from(state & 0xf) << 26, last])
    }

    #[must_use]
    pub(super) fn with_what(self, what: Happened) -> Self {
        let Self([first, middle, last]) = self;
        Self([first, middle & !(0xff << 8) | (what as u32) << 8, last])
    }

    #[must_use]
    pub(super) fn with_code(self, code: u16) -> Self {
        let Self([first, middle, last]) = self;
        Self([first, middle & !(0x3ff << 16) | u32::from(code & 0x3ff) << 16, last])
    }

    #[must_use]
    pub(super) fn with_expires(self, seconds: Option<u32>) -> Self {
        let Self([first, middle, last]) = self;
        let seconds = seconds.map_or(NO_EXPIRES, |seconds| seconds.min(Self::MOST_EXPIRES));
        Self([first, middle, last & 0xff | seconds << 8])
    }

    fn with_reason(self, reason: Reason) -> Self {
        self.with_reason_number(reason as u8)
    }

    #[must_use]
    pub(super) fn with_reason_number(self, number: u8) -> Self {
        let Self([first, middle, last]) = self;
        Self([first, middle, last & !0xff | u32::from(number)])
    }

    /// When it happened.
    #[must_use]
    pub fn at(self) -> Millis {
        let Self([first, middle, _]) = self;
        Millis(u64::from(middle & 0xff) << 32 | u64::from(first))
    }

    /// What has happened.
    #[must_use]
    pub fn what(self) -> Happened {
        let Self([_, middle, _]) = self;
        let number = (middle >> 8 & 0xff) as usize;
        Happened::ALL.get(number).copied().unwrap_or(Happened::New)
    }

    /// The code of the reply, or of the answer to the NOTIFY; 0 for none.
    #[must_use]
    pub fn code(self) -> u16 {
        let Self([_, middle, _]) = self;
        (middle >> 16 & 0x3ff) as u16
    }

    /// The number of the state since, for [`State::of_number`](super::State::of_number).
    #[must_use]
    pub fn state(self) -> u8 {
        let Self([_, middle, _]) = self;
        (middle >> 26 & 0xf) as u8
    }

    /// The reason, as operators read it; empty for none.
    #[must_use]
    pub fn reason(self) -> &'static str {
        let Self([_, _, last]) = self;
        match (last & 0xff) as u8 {
            OTHER_WORDS => "other",
            number => Reason::ALL.get(usize::from(number)).map_or("", |reason| reason.text()),
        }
    }

    /// Seconds asked for, granted or told.
    #[must_use]
    pub fn expires(self) -> Option<u32> {
        let Self([_, _, last]) = self;
        Some(last >> 8).filter(|seconds| *seconds != NO_EXPIRES)
    }

    /// Whether it only says again what the newest event says: that the request is held by the same, or which socket it has left through.
    #[must_use]
    pub fn repeats(self, newest: Self) -> bool {
        let is_once = matches!(
            self.what(),
            Happened::Held
                | Happened::SubscribeNew
                | Happened::SubscribeRefresh
                | Happened::SubscribeRetry
                | Happened::SubscribeEnd
        );
        let (Self([_, _, last]), Self([_, _, before])) = (self, newest);
        is_once && self.what() == newest.what() && last == before
    }

    /// As it is kept.
    #[must_use]
    pub fn to_words(self) -> [u32; Self::WORDS] {
        self.0
    }

    /// One that was kept.
    #[must_use]
    pub fn from_words(words: [u32; Self::WORDS]) -> Self {
        Self(words)
    }
}

fn happened(state: StateValue) -> Happened {
    match state {
        StateValue::Active => Happened::NotifyActive,
        StateValue::Pending => Happened::NotifyPending,
        StateValue::Terminated => Happened::NotifyTerminated,
        StateValue::Other => Happened::NotifyOther,
    }
}

fn number_of_words(words: &[u8]) -> u8 {
    Reason::find(words).map_or(OTHER_WORDS, |reason| reason as u8)
}

fn reason_of(by: HeldBy) -> Reason {
    match by {
        HeldBy::Rate => Reason::HeldByRate,
        HeldBy::RetryAfter => Reason::DestinationHeld,
        HeldBy::Breaker => Reason::DestinationSilent,
        HeldBy::Lookup | HeldBy::Unreached => Reason::Unreached,
    }
}
