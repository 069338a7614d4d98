//! Where a subscription stands: the nine states.

use super::time::Instant;

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
    /// The subscription stands.
    Confirmed {
        /// When the next SUBSCRIBE is due.
        next: Instant,
        /// What else may happen first.
        awaits: Awaits,
    },
    /// A refresh is in flight (RFC 6665 §4.1.2.2).
    Resubscription {
        /// Timer N, where a NOTIFY is insisted on: of a dialog that none has made yet, or of this refresh.
        notify_by: Option<Instant>,
    },
    /// As resubscription, and the internal subscriber has gone.
    ResubscriptionDestroy,
    /// The subscription is to be ended with Expires 0 (RFC 6665 §4.1.2.3).
    Predestroyed(Farewell),
    /// The notifier has accepted the end; its terminating NOTIFY is awaited.
    WaitingForTermination,
    /// Over.
    Destroyed,
}

/// What a waiting subscription will do.
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

/// What a confirmed subscription waits for besides its next SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub enum Awaits {
    /// Nothing.
    Nothing,
    /// The first NOTIFY of the dialog or after a refresh, until Timer N (RFC 6665 §4.1.2.4).
    FirstNotify {
        /// When it fires.
        by: Instant,
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
        }
    }

    /// Whether the outcome of a request is awaited.
    #[must_use]
    pub fn in_flight(self) -> bool {
        match self {
            Self::Unconfirmed
            | Self::UnconfirmedDestroy
            | Self::Resubscription { .. }
            | Self::ResubscriptionDestroy
            | Self::Predestroyed(Farewell::Sent) => true,
            Self::Waiting(_)
            | Self::Confirmed { .. }
            | Self::Predestroyed(Farewell::Due)
            | Self::WaitingForTermination
            | Self::Destroyed => false,
        }
    }
}
