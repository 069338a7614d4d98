//! The outputs of a subscription after an input.

use std::time::Duration;

use super::brief::Brief;
use super::digest::Authorization;
use super::input::Socket;
use super::marks::Heard;
use super::proxies::Proxies;
use super::rates::Rates;
use super::version::Completeness;
use crate::time::Millis;

/// The work to do, in this order: answer, news, send; then forget.
#[derive(Debug, Default)]
pub struct Output {
    /// The SUBSCRIBE to send. Only after [`Input::Deadline`](super::Input::Deadline).
    pub send: Option<Box<Request>>,
    /// How to answer the NOTIFY; `None` after a NOTIFY means that it does not belong to this subscription (481 by the script).
    pub answer: Option<Answer>,
    /// The socket of the dialog. Its address is the answer's Contact; `None` if it is not known.
    pub socket: Option<Socket>,
    /// The message to the internal subscriber.
    pub news: Option<News>,
    /// The input had a Contact that cannot be a target: how many have had one by now, this one included.
    pub bad_contacts: Option<u16>,
    /// A NOTIFY, or an earlier one, is not told: why, and whether it is the first of the subscription for this reason.
    pub untold: Option<(Untold, bool)>,
    /// The NOTIFY was accepted, and where it came from matters: [`Input::Source`](super::Input::Source) comes next.
    pub wants_source: bool,
    /// The input was the final word about the newest request.
    pub concluded: bool,
    /// The input was the final reply to the newest request, or tm's word that none came: how long that request was under way.
    pub waited: Option<Duration>,
    /// The NOTIFY is of another fork, and welcome: hand it to a [fork](super::Subscription::try_fork). Nothing else is to be
    /// done, and nothing has changed.
    pub fork: bool,
    /// The subscription has ended: remove its record.
    pub forget: bool,
    /// Its row has to be in the database soon: before its SUBSCRIBE leaves, for which [`Input::Saved`](super::Input::Saved) is awaited, or
    /// because a notifier has told its tag.
    pub unsaved: bool,
    /// It begins to fail, or works again.
    pub turn: Option<Turn>,
}

/// A subscription that worked fails, or one that failed works: what operators want to read of, once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The first failure since it worked. The news say why, and when it is tried again.
    Failed,
    /// The first success since it failed.
    Recovered,
}

/// Why a NOTIFY is not told. Each is counted for each subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub enum Untold {
    /// It was answered with 4xx or 503, or the body of a last one could not be used.
    Refused,
    /// Its CSeq was lower than that of an earlier one, or the same as that of another one: 500.
    Stale,
    /// It had been told before: 200.
    Repeated,
    /// The queue was full: a later one of the same subscription has taken its place.
    Merged,
    /// The queue was full: it had to make room for another one, or found none.
    Dropped,
}

impl Untold {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 5] = [Self::Refused, Self::Stale, Self::Repeated, Self::Merged, Self::Dropped];

    /// The name of its counters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Stale => "stale",
            Self::Repeated => "repeated",
            Self::Merged => "merged",
            Self::Dropped => "dropped",
        }
    }
}

/// What a SUBSCRIBE is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestKind {
    /// It opens a dialog.
    #[default]
    New,
    /// It refreshes the subscription.
    Refresh,
    /// It ends the subscription.
    End,
    /// It opens a dialog or refreshes the subscription, and the attempt before has failed.
    Retry,
}

/// A SUBSCRIBE in full, copied out of the subscription so that no lock is needed to send it (law L2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Request-URI before loose or strict routing is applied: the remote target.
    pub target: Vec<u8>,
    /// URI of the To header: the record.
    pub record: Vec<u8>,
    /// URI of the From header: the subscriber.
    pub subscriber: Vec<u8>,
    /// Call-ID.
    pub call_id: Vec<u8>,
    /// From tag.
    pub local_tag: Vec<u8>,
    /// To tag; empty when the request opens a dialog.
    pub remote_tag: Vec<u8>,
    /// CSeq number.
    pub cseq: u32,
    /// What it is for.
    pub kind: RequestKind,
    /// Route header value of the dialog (its route set); empty when it has none. A request that opens a dialog has none here.
    pub route_set: Vec<u8>,
    /// The outbound proxies to send it through, where there are any.
    pub proxies: Proxies,
    /// URI of what to send it through, whatever its routes, its target and the outbound proxies say; empty for none.
    pub via: Vec<u8>,
    /// Expires in seconds; 0 ends the subscription, or only asks for the state when the request opens a dialog.
    pub expires: u32,
    /// Suppress-If-Match header (RFC 5839 §5.2): the state we know. Empty for none; only in refreshes.
    pub known_state: Vec<u8>,
    /// Event type.
    pub package: &'static str,
    /// Event `id` parameter; empty when there is none.
    pub event_id: Vec<u8>,
    /// Rates asked for, further parameters of the Event header (RFC 6446).
    pub rates: Rates,
    /// Header lines of the subscription's own, each with its CRLF.
    pub header_lines: Vec<u8>,
    /// Filter document to go with it, [`Terms::filter`](super::options::Terms): with every request that opens a dialog, which
    /// keeps it (RFC 4660).
    pub filter: Option<u16>,
    /// Whether lists of resources are supported (RFC 4662).
    pub list: bool,
    /// Whether the package's [partial types](super::package::Package::partial) are accepted.
    pub partial: bool,
    /// The socket of the dialog, once known.
    pub socket: Option<Socket>,
    /// Answers to the challenges that the realms on the way are known to make.
    pub authorizations: Vec<Authorization>,
    /// It has been held back by a rate before, and this is the moment reserved for it.
    pub reserved: bool,
    /// It has been held back for a lookup before, and waits for its turn.
    pub queued: bool,
    /// To be handed back should the request not leave ([`Input::Held`](super::Input::Held)).
    pub undo: Undo,
}

/// The values of a subscription before it made a request. The request carries them, so that the subscription need not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct Undo {
    /// Expires of the request before.
    pub(super) requested_expires: u32,
    /// When that was sent.
    pub(super) last_sent: Option<Millis>,
    /// This request goes on with an attempt that has been challenged.
    pub(super) goes_on: bool,
    /// This request retries a failed refresh.
    pub(super) retries: bool,
    /// The NOTIFY of an earlier one is still required.
    pub(super) awaits_notify: bool,
    /// The outcome of the request before: what NOTIFYs had said, whether it was accepted, and what was known of the documents.
    pub(super) outcome: (Heard, bool, Completeness),
}

impl Request {
    /// Whether this request opens a dialog (RFC 6665 §4.1.2.1).
    #[must_use]
    pub fn is_initial(&self) -> bool {
        self.remote_tag.is_empty()
    }
}

/// How a NOTIFY is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: accepted (or a repetition of one that was).
    Ok,
    /// 400 with this phrase: the message cannot be understood.
    BadRequest(&'static str),
    /// 413: the body is beyond the limit.
    TooLarge,
    /// 415: the body's type is none of the package's (goes with an Accept header).
    UnsupportedMediaType,
    /// 489: the Event header is not this subscription's (goes with Allow-Events).
    BadEvent,
    /// 500: CSeq lower than one already seen (RFC 3261 §12.2.2).
    StaleCseq,
}

impl Answer {
    /// Status code and reason phrase.
    #[must_use]
    pub fn code_and_phrase(self) -> (u16, &'static str) {
        match self {
            Self::Ok => (200, "OK"),
            Self::BadRequest(phrase) => (400, phrase),
            Self::TooLarge => (413, "Request Entity Too Large"),
            Self::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Self::BadEvent => (489, "Bad Event"),
            Self::StaleCseq => (500, "CSeq Out of Order"),
        }
    }
}

/// The status of a subscription as its internal subscriber sees it (the QSA's vocabulary).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub enum Status {
    /// The notifier gives the state.
    Active,
    /// The notifier has not decided yet.
    Pending,
    /// There is no subscription now; the next attempt says whether there will be one.
    Terminated,
    /// The notifier refused; there will be no further attempt.
    Rejected,
}

impl Status {
    /// Stands for a status before the first message.
    pub const NONE: &'static str = "none";

    /// The words for all of them.
    pub const NAMES: [&'static str; 5] = ["active", "pending", "terminated", "rejected", Self::NONE];

    /// The word used in RPC, pseudo-variables and the C API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Terminated => "terminated",
            Self::Rejected => "rejected",
        }
    }
}

/// One piece of news for the internal subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// Status from now on.
    pub status: Status,
    /// SIP code of the reply that caused it; 0 for a NOTIFY or an inner event.
    pub code: u16,
    /// Reason phrase of the reply or reason parameter of the Subscription-State.
    pub reason: Brief,
    /// Seconds until the next attempt after a failure or termination; `None` when there is none (a NOTIFY's state, or the
    /// end). A refresh that failed while the dialog is active keeps the status and has a next attempt.
    pub next_attempt: Option<u32>,
    /// The NOTIFY's body goes with it.
    pub with_body: bool,
    /// This is the last piece of news of the whole subscription, all forks of it.
    pub last: bool,
    /// The fork it is about: 0 for the first dialog, otherwise the number of the fork. `Terminated` or `Rejected` of another
    /// fork than 0 is the end of that fork: there is never another attempt for it.
    pub fork: u8,
    /// The newest state of the subscription is kept at hand.
    pub keep: bool,
    /// The subscriber gets the whole state in the place of a document that tells only what has changed.
    pub merged: bool,
    /// The subscription has asked for lists of resources: the body may be one.
    pub list: bool,
}

impl News {
    /// A status and its reason, and nothing more: of no reply, without an attempt to come or a body, of the first dialog, and not the last.
    #[must_use]
    pub fn new(status: Status, reason: impl Into<Brief>) -> Self {
        Self {
            status,
            code: 0,
            reason: reason.into(),
            next_attempt: None,
            with_body: false,
            last: false,
            fork: 0,
            keep: false,
            merged: false,
            list: false,
        }
    }
}
