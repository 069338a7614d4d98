//! The reasons that subscribers and operators read.

use super::brief::Brief;

/// Which page describes a reason.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Described {
    /// None: peers give it, and RFCs describe it.
    Peer,
    /// `states.md`: the module gives it.
    Module,
    /// `authentication.md`: the module gives it for a challenge that it does not answer.
    Challenge,
}

/// Makes [`Reason`] of the table below: the meaning of each reason, its text and which page describes it (`Described`).
macro_rules! reasons {
    ($($(#[$meaning:meta])* $name:ident($text:literal, $described:ident);)+) => {
        /// A reason that needs no memory: what the module itself says, and what most peers say.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $($(#[$meaning])* $name,)+
        }

        impl Reason {
            /// All reasons.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The text that subscribers and operators read. It fits into a [`Brief`].
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Which page describes it.
            #[cfg(test)]
            pub const fn described(self) -> Described {
                match self {
                    $(Self::$name => Described::$described,)+
                }
            }
        }
    };
}

reasons! {
    /// No reason is given.
    Nothing("", Peer);
    /// Phrase of a 200.
    Ok("OK", Peer);
    /// Phrase of a 202.
    Accepted("Accepted", Peer);
    /// Phrase of a 204 (RFC 5839 §7.1).
    NoNotification("No Notification", Peer);
    /// Phrase of a 404.
    NotFound("Not Found", Peer);
    /// Phrase of a 480.
    TemporarilyUnavailable("Temporarily Unavailable", Peer);
    /// Phrase of a 503.
    ServiceUnavailable("Service Unavailable", Peer);
    /// The subscription has ended; subscribe again at once (RFC 6665 §4.1.3).
    Deactivated("deactivated", Peer);
    /// The notifier could not decide in time.
    GiveUp("giveup", Peer);
    /// The record does not exist any more.
    NoResource("noresource", Peer);
    /// Subscribe again later.
    Probation("probation", Peer);
    /// The notifier does not allow the subscription any more.
    Rejected("rejected", Peer);
    /// The subscription was not refreshed.
    Timeout("timeout", Peer);
    /// The state will never change again.
    Invariant("invariant", Peer);
    /// Phrase of a 408, and the module's own if there is no answer.
    RequestTimeout("Request Timeout", Module);
    /// The granted time is over.
    Expired("expired", Module);
    /// The NOTIFY that must follow has not come.
    NoNotify("no NOTIFY", Module);
    /// It has come, and was refused.
    NotifyRefused("NOTIFY refused", Module);
    /// A 2xx has granted no time.
    NothingGranted("no time granted", Module);
    /// The notifier has lost its count of NOTIFYs.
    CountLost("CSeq out of order", Module);
    /// The notifier has never given a tag.
    NoDialog("no dialog", Module);
    /// The request could not be sent.
    SendFailed("send failed", Module);
    /// The connection was lost that the request went over.
    ConnectionLost("connection lost", Module);
    /// The request cannot be sent to the target, or along the routes, that the notifier has named.
    NoWay("no way to the target", Module);
    /// The script has dropped the request.
    DroppedByScript("dropped by script", Module);
    /// Nothing of the reply can be used but its code.
    NoUsableReply("no usable reply", Module);
    /// The request waits for its turn.
    HeldByRate("held back by rate", Module);
    /// A 503 with Retry-After holds the destination.
    DestinationHeld("destination held", Module);
    /// The destination does not answer.
    DestinationSilent("destination does not answer", Module);
    /// The request waits for a name or a connection.
    Unreached("waiting for name or connection", Module);
    /// No credentials are known for any realm that challenges.
    NoCredentials("no credentials for the realm", Challenge);
    /// There are some, but not for where a redirection has led.
    NoCredentialsHere("no credentials for this host", Challenge);
    /// The challenge is weaker than the operator allows.
    DigestTooWeak("digest weaker than allowed", Challenge);
    /// The answer has been given and was wrong.
    CredentialsRejected("credentials rejected", Challenge);
    /// The nonce was stale too often.
    NonceStale("nonce stale again and again", Challenge);
    /// More realms, or more challenges after each other, than are answered.
    TooManyChallenges("too many challenges", Challenge);
    /// More bytes than any honest challenge has.
    ChallengeTooLarge("challenge too large", Challenge);
    /// A challenge that is not by the grammar.
    MalformedChallenge("malformed challenge", Challenge);
    /// Only schemes, algorithms or qualities of protection that the module does not know.
    NoDigest("no supported digest algorithm", Challenge);
}

impl Reason {
    /// The reason with exactly this text, if there is one.
    #[must_use]
    pub fn find(text: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.text().as_bytes() == text)
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
