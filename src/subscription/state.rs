//! The nine states of a subscription, and that of one which needs no notifier elsewhere.

use crate::memory::{Defect, found};
use crate::time::{Millis, PackedMillis};

/// The states of a subscription, each with what is true in it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub enum State {
    /// No dialog; the next attempt begins at the deadline.
    Waiting(Attempt),
    /// The SUBSCRIBE that opens the dialog is in flight; a NOTIFY may have made the dialog already (RFC 6665 §4.1.2.4).
    Unconfirmed,
    /// As unconfirmed, and the internal subscriber has gone.
    UnconfirmedDestroy,
    /// The subscription is active.
    Confirmed {
        /// When the next SUBSCRIBE is due.
        next: Millis,
        /// Another event that may come first.
        awaits: Awaits,
    },
    /// A refresh is in flight (RFC 6665 §4.1.2.2).
    Resubscription {
        /// Timer N, if a NOTIFY is required: of a dialog that none has made yet, or of this refresh.
        notify_by: Option<Millis>,
    },
    /// As resubscription, and the internal subscriber has gone.
    ResubscriptionDestroy,
    /// The subscription is to be ended with Expires 0 (RFC 6665 §4.1.2.3).
    Predestroyed(Farewell),
    /// The notifier has accepted the end; its terminating NOTIFY is awaited.
    WaitingForTermination,
    /// Over.
    Destroyed,
    /// The server itself tells the state: there is no dialog, and there are no requests.
    Local,
}

/// The next action of a waiting subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub enum Attempt {
    /// Nothing before it is started.
    Unstarted,
    /// Open a new dialog.
    Fresh,
    /// Go on with the same attempt: same Call-ID and From tag, next CSeq (RFC 3261 §8.1.3.4, §8.1.3.5).
    Continued,
}

/// The event that a confirmed subscription waits for besides its next SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub enum Awaits {
    /// Nothing.
    Nothing,
    /// The first NOTIFY of the dialog or after a refresh, until Timer N (RFC 6665 §4.1.2.4).
    FirstNotify {
        /// When it fires.
        by: Millis,
    },
    /// A 2xx has granted no time (RFC 6665 §4.2.1.1): the NOTIFY that says why, the last one.
    LastNotify {
        /// Until when.
        by: Millis,
    },
    /// A refresh has failed; the next SUBSCRIBE is a retry within the dialog (RFC 6665 §4.1.2.2).
    Retry,
    /// A refresh has failed and no retry fits before the expiry: the dialog stays until then and a new one follows.
    Expiry,
}

/// How far the end of a subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub enum Farewell {
    /// The SUBSCRIBE with Expires 0 is to be sent.
    Due,
    /// It is in flight.
    Sent,
}

impl State {
    /// The state's name, as operators read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Unconfirmed => "unconfirmed",
            Self::UnconfirmedDestroy => "unconfirmed_destroy",
            Self::Confirmed { .. } => "confirmed",
            Self::Resubscription { .. } => "resubscription",
            Self::ResubscriptionDestroy => "resubscription_destroy",
            Self::Predestroyed(_) => "predestroyed",
            Self::WaitingForTermination => "waiting_for_termination",
            Self::Destroyed => "destroyed",
            Self::Local => "local",
        }
    }

    /// How many states there are.
    pub const COUNT: usize = 10;

    /// The names of all states.
    #[must_use]
    pub fn names() -> [&'static str; Self::COUNT] {
        let (attempt, farewell) = (Attempt::Fresh, Farewell::Due);
        [
            Self::Waiting(attempt),
            Self::Unconfirmed,
            Self::UnconfirmedDestroy,
            Self::Confirmed { next: Millis(0), awaits: Awaits::Nothing },
            Self::Resubscription { notify_by: None },
            Self::ResubscriptionDestroy,
            Self::Predestroyed(farewell),
            Self::WaitingForTermination,
            Self::Destroyed,
            Self::Local,
        ]
        .map(Self::name)
    }

    /// The name of the state with this number, which [`HistoryEvent`](super::HistoryEvent) has.
    #[must_use]
    pub fn of_number(number: u8) -> &'static str {
        Self::names().get(usize::from(number)).copied().unwrap_or_default()
    }

    /// Whether the internal subscriber still wants it. A fork that has ended and a destroyed subscription count as unwanted.
    #[must_use]
    pub fn is_wanted(self) -> bool {
        match self {
            Self::Waiting(_)
            | Self::Unconfirmed
            | Self::Confirmed { .. }
            | Self::Resubscription { .. }
            | Self::Local => true,
            Self::UnconfirmedDestroy
            | Self::ResubscriptionDestroy
            | Self::Predestroyed(_)
            | Self::WaitingForTermination
            | Self::Destroyed => false,
        }
    }

    /// Whether it has a dialog, or the half of one, that NOTIFYs belong into. An attempt that goes on later has none.
    #[must_use]
    pub fn has_dialog(self) -> bool {
        !matches!(self, Self::Waiting(_) | Self::Destroyed | Self::Local)
    }

    /// The request that waits for its outcome.
    #[must_use]
    pub(super) fn flight(self) -> Option<Flight> {
        match self {
            Self::Unconfirmed => Some(Flight::Opening),
            Self::UnconfirmedDestroy => Some(Flight::OpeningUnwanted),
            Self::Resubscription { notify_by } => Some(Flight::Refresh { notify_by }),
            Self::ResubscriptionDestroy => Some(Flight::RefreshUnwanted),
            Self::Predestroyed(Farewell::Sent) => Some(Flight::Farewell),
            Self::Waiting(_)
            | Self::Confirmed { .. }
            | Self::Predestroyed(Farewell::Due)
            | Self::WaitingForTermination
            | Self::Destroyed
            | Self::Local => None,
        }
    }

    /// Whether the outcome of a request is awaited.
    #[must_use]
    pub fn in_flight(self) -> bool {
        self.flight().is_some()
    }
}

/// The request of a subscription that is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flight {
    /// It opens the dialog.
    Opening,
    /// The same, and the internal subscriber has gone.
    OpeningUnwanted,
    /// It refreshes the subscription.
    Refresh {
        /// Timer N, where the state has one.
        notify_by: Option<Millis>,
    },
    /// The same, and the internal subscriber has gone.
    RefreshUnwanted,
    /// It ends the subscription.
    Farewell,
}

/// What a subscription is counted as: its state, and whether it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    kind: Kind,
    is_failing: bool,
}

impl Standing {
    pub(super) fn new(state: PackedState, is_failing: bool) -> Self {
        Self { kind: state.kind, is_failing }
    }

    /// Of a subscription in this state.
    #[cfg(test)]
    pub fn of(state: State, is_failing: bool) -> Self {
        Self::new(state.into(), is_failing)
    }

    /// The last attempt has failed, and a retry waits.
    #[must_use]
    pub fn is_failing(self) -> bool {
        self.is_failing
    }

    /// The place of its state in [`State::names`].
    #[must_use]
    pub fn place(self) -> usize {
        usize::from(self.kind.place())
    }
}

/// A state in fourteen bytes: each byte more costs 1 MB for a million subscriptions.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedState {
    kind: Kind,
    /// When the next SUBSCRIBE of a confirmed subscription is due.
    next: PackedMillis,
    /// Until when a NOTIFY is awaited.
    by: PackedMillis,
}

/// A state without its instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unstarted,
    Fresh,
    Continued,
    Unconfirmed,
    UnconfirmedDestroy,
    AwaitingNothing,
    AwaitingNotify,
    AwaitingLast,
    AwaitingRetry,
    AwaitingExpiry,
    Resubscription,
    ResubscriptionDestroy,
    FarewellDue,
    FarewellSent,
    WaitingForTermination,
    Destroyed,
    Local,
}

impl Kind {
    /// The place of the state's name in [`State::names`].
    fn place(self) -> u8 {
        match self {
            Self::Unstarted | Self::Fresh | Self::Continued => 0,
            Self::Unconfirmed => 1,
            Self::UnconfirmedDestroy => 2,
            Self::AwaitingNothing
            | Self::AwaitingNotify
            | Self::AwaitingLast
            | Self::AwaitingRetry
            | Self::AwaitingExpiry => 3,
            Self::Resubscription => 4,
            Self::ResubscriptionDestroy => 5,
            Self::FarewellDue | Self::FarewellSent => 6,
            Self::WaitingForTermination => 7,
            Self::Destroyed => 8,
            Self::Local => 9,
        }
    }
}

impl PackedState {
    /// The place of the state's name among [all](State::names).
    pub(super) fn number(self) -> u8 {
        self.kind.place()
    }
}

impl From<State> for PackedState {
    fn from(state: State) -> Self {
        let (mut next, mut by) = (PackedMillis::NONE, PackedMillis::NONE);
        let kind = match state {
            State::Waiting(Attempt::Unstarted) => Kind::Unstarted,
            State::Waiting(Attempt::Fresh) => Kind::Fresh,
            State::Waiting(Attempt::Continued) => Kind::Continued,
            State::Unconfirmed => Kind::Unconfirmed,
            State::UnconfirmedDestroy => Kind::UnconfirmedDestroy,
            State::Confirmed { next: at, awaits } => {
                next = at.into();
                match awaits {
                    Awaits::Nothing => Kind::AwaitingNothing,
                    Awaits::FirstNotify { by: until } => {
                        by = until.into();
                        Kind::AwaitingNotify
                    }
                    Awaits::LastNotify { by: until } => {
                        by = until.into();
                        Kind::AwaitingLast
                    }
                    Awaits::Retry => Kind::AwaitingRetry,
                    Awaits::Expiry => Kind::AwaitingExpiry,
                }
            }
            State::Resubscription { notify_by } => {
                by = notify_by.map_or(PackedMillis::NONE, PackedMillis::from);
                Kind::Resubscription
            }
            State::ResubscriptionDestroy => Kind::ResubscriptionDestroy,
            State::Predestroyed(Farewell::Due) => Kind::FarewellDue,
            State::Predestroyed(Farewell::Sent) => Kind::FarewellSent,
            State::WaitingForTermination => Kind::WaitingForTermination,
            State::Destroyed => Kind::Destroyed,
            State::Local => Kind::Local,
        };
        Self { kind, next, by }
    }
}

impl From<PackedState> for State {
    fn from(PackedState { kind, next, by }: PackedState) -> Self {
        let confirmed = |awaits| Self::Confirmed { next: next.get().unwrap_or_else(|| found(Defect::State)), awaits };
        match kind {
            Kind::Unstarted => Self::Waiting(Attempt::Unstarted),
            Kind::Fresh => Self::Waiting(Attempt::Fresh),
            Kind::Continued => Self::Waiting(Attempt::Continued),
            Kind::Unconfirmed => Self::Unconfirmed,
            Kind::UnconfirmedDestroy => Self::UnconfirmedDestroy,
            Kind::AwaitingNothing => confirmed(Awaits::Nothing),
            Kind::AwaitingNotify => {
                confirmed(Awaits::FirstNotify { by: by.get().unwrap_or_else(|| found(Defect::State)) })
            }
            Kind::AwaitingLast => {
                confirmed(Awaits::LastNotify { by: by.get().unwrap_or_else(|| found(Defect::State)) })
            }
            Kind::AwaitingRetry => confirmed(Awaits::Retry),
            Kind::AwaitingExpiry => confirmed(Awaits::Expiry),
            Kind::Resubscription => Self::Resubscription { notify_by: by.get() },
            Kind::ResubscriptionDestroy => Self::ResubscriptionDestroy,
            Kind::FarewellDue => Self::Predestroyed(Farewell::Due),
            Kind::FarewellSent => Self::Predestroyed(Farewell::Sent),
            Kind::WaitingForTermination => Self::WaitingForTermination,
            Kind::Destroyed => Self::Destroyed,
            Kind::Local => Self::Local,
        }
    }
}
