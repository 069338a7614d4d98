//! The reasons that subscribers and operators read.

use super::brief::Brief;

/// A reason that needs no memory: what the module itself says, and what most peers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No reason is given.
    Nothing,
    /// Phrase of a 200.
    Ok,
    /// Phrase of a 202.
    Accepted,
    /// Phrase of a 204 (RFC 5839 §7.1).
    NoNotification,
    /// Phrase of a 404.
    NotFound,
    /// Phrase of a 480.
    TemporarilyUnavailable,
    /// Phrase of a 503.
    ServiceUnavailable,
    /// The subscription has ended; subscribe again at once (RFC 6665 §4.1.3).
    Deactivated,
    /// The notifier could not decide in time.
    GiveUp,
    /// The record does not exist any more.
    NoResource,
    /// Subscribe again later.
    Probation,
    /// The notifier does not allow the subscription any more.
    Rejected,
    /// The subscription was not refreshed.
    Timeout,
    /// The state will never change again.
    Invariant,
    /// Phrase of a 408, and the module's own when nobody answers.
    RequestTimeout,
    /// What was granted is over.
    Expired,
    /// The NOTIFY that must follow has not come.
    NoNotify,
    /// It has come, and was refused.
    NotifyRefused,
    /// A 2xx has granted no time.
    NothingGranted,
    /// The notifier has lost its count of NOTIFYs.
    CountLost,
    /// The notifier has never given a tag.
    NoDialog,
    /// The request could not be sent.
    SendFailed,
    /// The connection was lost that the request went over.
    ConnectionLost,
    /// The request cannot be sent to the target, or along the routes, that the notifier has named.
    NoWay,
    /// The script has dropped the request.
    DroppedByScript,
    /// Nothing of the reply can be used but its code.
    NoUsableReply,
    /// The request waits for its turn.
    HeldByRate,
    /// A 503 with Retry-After holds the destination.
    DestinationHeld,
    /// The destination does not answer.
    DestinationSilent,
    /// The request waits for a name or a connection.
    Unreached,
    /// No credentials are known for any realm that challenges.
    NoCredentials,
    /// There are some, but not for where a redirection has led.
    NoCredentialsHere,
    /// The challenge is weaker than the operator allows.
    DigestTooWeak,
    /// The answer has been given and was wrong.
    CredentialsRejected,
    /// The nonce was stale too often.
    NonceStale,
    /// More realms, or more challenges after each other, than are answered.
    TooManyChallenges,
    /// More bytes than any honest challenge has.
    ChallengeTooLarge,
    /// A challenge that is not by the grammar.
    MalformedChallenge,
    /// Only schemes, algorithms or qualities of protection that the module does not know.
    NoDigest,
}

impl Reason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 39] = [
        Self::Nothing,
        Self::Ok,
        Self::Accepted,
        Self::NoNotification,
        Self::NotFound,
        Self::TemporarilyUnavailable,
        Self::ServiceUnavailable,
        Self::Deactivated,
        Self::GiveUp,
        Self::NoResource,
        Self::Probation,
        Self::Rejected,
        Self::Timeout,
        Self::Invariant,
        Self::RequestTimeout,
        Self::Expired,
        Self::NoNotify,
        Self::NotifyRefused,
        Self::NothingGranted,
        Self::CountLost,
        Self::NoDialog,
        Self::SendFailed,
        Self::ConnectionLost,
        Self::NoWay,
        Self::DroppedByScript,
        Self::NoUsableReply,
        Self::HeldByRate,
        Self::DestinationHeld,
        Self::DestinationSilent,
        Self::Unreached,
        Self::NoCredentials,
        Self::NoCredentialsHere,
        Self::DigestTooWeak,
        Self::CredentialsRejected,
        Self::NonceStale,
        Self::TooManyChallenges,
        Self::ChallengeTooLarge,
        Self::MalformedChallenge,
        Self::NoDigest,
    ];

    /// What subscribers and operators read. It fits into a [`Brief`].
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Ok => "OK",
            Self::Accepted => "Accepted",
            Self::NoNotification => "No Notification",
            Self::NotFound => "Not Found",
            Self::TemporarilyUnavailable => "Temporarily Unavailable",
            Self::ServiceUnavailable => "Service Unavailable",
            Self::Deactivated => "deactivated",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::Invariant => "invariant",
            Self::RequestTimeout => "Request Timeout",
            Self::Expired => "expired",
            Self::NoNotify => "no NOTIFY",
            Self::NotifyRefused => "NOTIFY refused",
            Self::NothingGranted => "no time granted",
            Self::CountLost => "CSeq out of order",
            Self::NoDialog => "no dialog",
            Self::SendFailed => "send failed",
            Self::ConnectionLost => "connection lost",
            Self::NoWay => "no way to the target",
            Self::DroppedByScript => "dropped by script",
            Self::NoUsableReply => "no usable reply",
            Self::HeldByRate => "held back by rate",
            Self::DestinationHeld => "destination held",
            Self::DestinationSilent => "destination does not answer",
            Self::Unreached => "waiting for name or connection",
            Self::NoCredentials => "no credentials for the realm",
            Self::NoCredentialsHere => "no credentials for this host",
            Self::DigestTooWeak => "digest weaker than allowed",
            Self::CredentialsRejected => "credentials rejected",
            Self::NonceStale => "nonce stale again and again",
            Self::TooManyChallenges => "too many challenges",
            Self::ChallengeTooLarge => "challenge too large",
            Self::MalformedChallenge => "malformed challenge",
            Self::NoDigest => "no supported digest algorithm",
        }
    }

    /// The reason with exactly this text, if there is one.
    #[must_use]
    pub fn find(text: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.text().as_bytes() == text)
    }
}

/// A reason as it is given: one of those known, or in the words of a peer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wording<'a> {
    /// One that needs no memory.
    Known(Reason),
    /// A reason phrase, or the `reason` of a Subscription-State; empty for none. It may be any text.
    Peer(&'a [u8]),
}

impl Wording<'_> {
    /// The reason that has these words, if one has.
    pub(super) fn known(self) -> Option<Reason> {
        match self {
            Self::Known(reason) => Some(reason),
            Self::Peer(text) => Reason::find(text),
        }
    }
}

impl From<Reason> for Brief {
    fn from(reason: Reason) -> Self {
        Self::new(reason.text().as_bytes())
    }
}

impl From<Wording<'_>> for Brief {
    fn from(wording: Wording<'_>) -> Self {
        match wording {
            Wording::Known(reason) => reason.into(),
            Wording::Peer(text) => Self::new(text),
        }
    }
}

/// The newest reason of a subscription, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastReason {
    /// One that needs no memory.
    Known(Reason),
    /// The words of a peer, which are kept apart.
    Peer,
}

impl LastReason {
    /// Before there is any.
    pub(super) const NOTHING: Self = Self::Known(Reason::Nothing);
}
