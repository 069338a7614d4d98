//! The inputs of a subscription.

use std::net::SocketAddr;
use std::num::NonZero;
use std::time::Duration;

use super::digest::{CNONCE_LEN, Challenge, Concealed};
use super::echo::Echo;
use super::fingerprint::Fingerprint;
use super::output::{Answer, Undo, Untold};
use super::substate::SubscriptionState;
use crate::grammar::{EntityTag, OfferedUri, PeerUri, RouteSet, Tag, Transport};
use crate::time::Millis;

/// One event in a subscription's life. Byte slices are as on the wire, without surrounding white space.
#[derive(Debug)]
pub enum Input<'a> {
    /// The internal subscriber asked for the record: plan the first SUBSCRIBE (`max_subscribe_delay`).
    Start,
    /// The deadline of the subscription is due. Only the output of this input may hold a request to send.
    Deadline(Fresh<'a>),
    /// The request with this CSeq is about to leave through the outbound proxy at this place, not through the one it begins
    /// with: that one is held. Said before anything else is said of the request.
    Through {
        /// CSeq number of the request.
        cseq: u32,
        /// One of [`Proxies::places`](super::proxies::Proxies::places) of the request.
        proxy: u8,
    },
    /// The request with this CSeq is given to the transaction layer, to leave through `socket`. Said again when it left
    /// through another one.
    Sent {
        /// CSeq number of the request.
        cseq: u32,
        /// The socket it leaves through; kept for the dialog's later requests.
        socket: Socket,
    },
    /// The request with this CSeq has taken this connection.
    Over {
        /// CSeq number of the request.
        cseq: u32,
        /// The connection.
        flow: Flow,
    },
    /// The request with this CSeq could not be sent (no socket, name not resolved, no memory).
    SendFailed {
        /// CSeq number of the request.
        cseq: u32,
    },
    /// The request with this CSeq cannot be sent because of what the dialog's notifier has said: no request leaves for that
    /// target, or by those routes.
    NoWay {
        /// CSeq number of the request.
        cseq: u32,
    },
    /// The request with this CSeq was dropped by the script (`event_route[tm:local-request]`).
    Dropped {
        /// CSeq number of the request.
        cseq: u32,
    },
    /// The request with this CSeq has not left and must not before `until`: its destination is held. Nobody has seen it,
    /// so that its CSeq is used again.
    Held {
        /// CSeq number of the request.
        cseq: u32,
        /// When to try again.
        until: Millis,
        /// The cause of the hold.
        by: HeldBy,
        /// [`Request::undo`](super::Request::undo) of the request.
        undo: Undo,
    },
    /// The turn of a request that is held by [`HeldBy::Lookup`] or [`HeldBy::Unreached`] has come: it is due now. Ignored when
    /// none is.
    Turn,
    /// Its row is in the database: a SUBSCRIBE that opens a dialog, and waited for that, is due now. Ignored when none does.
    Saved,
    /// A final reply to a request, or the transaction layer's own timeout.
    Reply(Reply<'a>),
    /// A NOTIFY with the Call-ID and To tag of this subscription's dialog, and its fingerprint. With
    /// [`Fingerprint::NONE`] its texts are compared one by one.
    Notify(Notify<'a>, Fingerprint),
    /// The NOTIFY with this CSeq, whose output [wanted it](super::Output::wants_source), came from there.
    Source {
        /// CSeq number of the NOTIFY.
        cseq: u32,
        /// Address and port of who sent it.
        address: SocketAddr,
        /// The transport it came over.
        transport: Transport,
    },
    /// A NOTIFY of this subscription was not handed in, or what it told has not reached the internal subscriber: it is counted.
    Untold(Untold),
    /// A NOTIFY of this dialog was not handed in for want of memory, and its notifier was asked to send it again after this time: it is
    /// counted as refused.
    PutOff(Duration),
    /// A NOTIFY of another notifier than this dialog's has begun no fork, as there are enough or it cannot be read: it is counted as
    /// refused. A refresh would find nothing out.
    NotForked,
    /// Somebody wants a SUBSCRIBE now (an operator): refresh, or retry when waiting; held back by `min_resubscribe_time`.
    Refresh,
    /// The subscription has credentials of its own from now on, which go before those of a realm. A request that was
    /// refused because they were missing is repeated, held back by `min_resubscribe_time`.
    Credentials {
        /// User name.
        username: &'a [u8],
        /// Password or hash, as [`Secret::parse`](super::Secret::parse) takes it.
        secret: Concealed<&'a [u8]>,
    },
    /// The server itself tells the state of a [local](super::State::Local) subscription, in a message with a body.
    Told,
    /// The connection that the dialog's SUBSCRIBEs go over is lost: one that is under way over it has failed; otherwise a
    /// refresh makes a new one, and shows whether the notifier still knows the subscription.
    FlowLost(Flow),
    /// The internal subscriber has gone.
    Unsubscribe,
}

/// The cause that holds a request back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub enum HeldBy {
    /// The rate of requests: its turn is at the moment told, which is reserved for it.
    Rate,
    /// 503 with Retry-After, to whichever subscription (RFC 3261 §20.33, §21.5.4).
    RetryAfter,
    /// The destination does not answer.
    Breaker,
    /// A name has to be looked up or a connection made before it can leave, and others are before it: its turn is told by
    /// [`Input::Turn`]; until then it asks again.
    Lookup,
    /// The same, and that takes so long that the subscriber should know.
    Unreached,
}

/// Unguessable text for a request, never used before: identifiers for a dialog that may have to be opened
/// (RFC 3261 §8.1.1.3, §8.1.1.4), and a nonce of our own (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug)]
pub struct Fresh<'a> {
    /// Call-ID for the new dialog.
    pub call_id: &'a [u8],
    /// From tag for the new dialog.
    pub local_tag: &'a [u8],
    /// Nonce for authorizations: letters and digits.
    pub cnonce: [u8; CNONCE_LEN],
}

/// The local socket of a dialog: a number the host understands. It means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct Socket(pub u64);

/// A connection of a transport that has connections: a number the host understands. It means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct Flow(pub NonZero<u32>);

/// The parts of a final reply that the life of a subscription needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reply<'a> {
    /// CSeq number of the request it answers; replies to older requests are ignored.
    pub cseq: u32,
    /// Status code, 200 to 699; 408 when the transaction layer gave up.
    pub code: u16,
    /// Nobody has answered: the transaction layer made it up.
    pub is_local: bool,
    /// Reason phrase.
    pub reason: &'a [u8],
    /// Tag of the To header, if it has one that is good.
    pub remote_tag: Tag<'a>,
    /// URI of the (first) Contact of a 2xx, if it is good.
    pub contact: Option<PeerUri<'a>>,
    /// A 2xx has a Contact that is not good.
    pub has_bad_contact: bool,
    /// Record-Route of a 2xx in the UAC's order (reversed, RFC 3261 §12.1.2); none when it is not good.
    pub route_set: RouteSet<'a>,
    /// Expires header in seconds; `None` when absent or unreadable.
    pub expires: Option<u32>,
    /// Min-Expires header in seconds (RFC 3261 §20.23).
    pub min_expires: Option<u32>,
    /// Retry-After header in seconds (RFC 3261 §20.33).
    pub retry_after: Option<u32>,
    /// Contact URIs of a 3xx that are good, best q first; of a 305 they name proxies (RFC 3261 §21.3.4).
    pub redirect: &'a [PeerUri<'a>],
    /// WWW-Authenticate and Proxy-Authenticate headers of a 401 or 407, in the order of the message.
    pub challenges: &'a [Challenge<'a>],
    /// The connection it came over, if it did come over one.
    pub flow: Option<Flow>,
    /// Authentication-Info header of a 2xx.
    pub authentication_info: Option<&'a [u8]>,
}

/// The parts of a NOTIFY that the life of a subscription needs.
#[derive(Clone, Copy, Debug)]
pub struct Notify<'a> {
    /// CSeq number.
    pub cseq: u32,
    /// Tag of the From header.
    pub remote_tag: Tag<'a>,
    /// URI of the (first) Contact, if it can be read and is not our own. Not looked at, nor is the next, where the newest NOTIFY had the same
    /// fingerprint.
    pub contact: Option<OfferedUri<'a>>,
    /// There is a Contact that cannot be read, or is our own.
    pub has_bad_contact: bool,
    /// Record-Route in the UAS's order (unchanged, RFC 3261 §12.1.1).
    pub route_set: RouteSet<'a>,
    /// Event type of the Event header; empty when the header is absent.
    pub event: &'a [u8],
    /// `id` parameter of the Event header.
    pub event_id: Option<&'a [u8]>,
    /// The Subscription-State header; `None` when absent or not readable by its grammar.
    pub state: Option<SubscriptionState<'a>>,
    /// SIP-ETag header (RFC 5839 §5.1); `None` when it is absent or not good.
    pub entity_tag: Option<EntityTag<'a>>,
    /// The judgement of the body.
    pub content: Content,
    /// Its hash, to recognise a repetition.
    pub echo: Echo,
}

/// Judgement of a NOTIFY's body, made before the subscription sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// No body.
    Empty,
    /// A body of a type the package accepts.
    Acceptable,
    /// The same, and it is one of a sequence (RFC 3858 §4.2, RFC 3680 §5.2, RFC 4235 §4.3).
    Versioned {
        /// Goes up by one with each document of a dialog, from 0 on.
        version: u32,
        /// It tells the whole state, not only what has changed.
        is_full: bool,
    },
    /// The states of a list of resources (RFC 4662 §5), which is judged by what the subscription has asked for.
    List(ListContent),
    /// A body of another type: 415.
    Unsupported,
    /// A body in another encoding than its own: 415.
    Encoded,
    /// A body that is not what its type says: 400.
    Malformed,
    /// A body beyond the size limit: 413.
    TooLarge,
}

/// A body that tells the states of a list of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListContent {
    /// What it is to a subscription that has asked for lists: [`Content::Versioned`], mostly.
    pub asked: ListJudgement,
    /// Whether a subscription that has not asked for lists takes such bodies as they are.
    pub is_invited: bool,
}

/// What the body of a list is to a subscription that has asked for lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListJudgement {
    /// One that says of no version, or that nobody has looked into.
    Acceptable,
    /// One of a sequence.
    Versioned {
        /// As in [`Content::Versioned`].
        version: u32,
        /// As in [`Content::Versioned`].
        is_full: bool,
    },
    /// None that its type says.
    Malformed,
}

impl ListJudgement {
    /// The same as the content of a NOTIFY.
    pub(super) fn content(self) -> Content {
        match self {
            Self::Acceptable => Content::Acceptable,
            Self::Versioned { version, is_full } => Content::Versioned { version, is_full },
            Self::Malformed => Content::Malformed,
        }
    }
}

impl Content {
    /// Whether there is a body that can be handed on if the subscription has asked for such.
    #[must_use]
    pub fn may_be_document(self) -> bool {
        self.is_document() || matches!(self, Self::List(_) | Self::Unsupported | Self::Malformed)
    }

    /// Whether there is a body that can be handed on, whatever the subscription has asked for.
    #[must_use]
    pub fn is_document(self) -> bool {
        match self {
            Self::Acceptable | Self::Versioned { .. } => true,
            Self::List(list) => list.is_invited,
            Self::Empty | Self::Unsupported | Self::Encoded | Self::Malformed | Self::TooLarge => false,
        }
    }

    /// The answer, if it cannot be used.
    pub(super) fn refusal(self) -> Option<Answer> {
        match self {
            Self::Empty | Self::Acceptable | Self::Versioned { .. } => None,
            Self::List(ListContent { is_invited: true, .. }) => None,
            Self::List(_) | Self::Unsupported | Self::Encoded => Some(Answer::UnsupportedMediaType),
            Self::Malformed => Some(Answer::BadRequest("Malformed Body")),
            Self::TooLarge => Some(Answer::TooLarge),
        }
    }
}
