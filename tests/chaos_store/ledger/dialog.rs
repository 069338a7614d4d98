//! One dialog of the ledger.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::super::support::sip::{Message, target_of};

/// The first pause between two copies of a NOTIFY, and the longest (RFC 3261, T1 and T2).
pub const T1: Duration = Duration::from_millis(500);
/// See [`T1`].
pub const T2: Duration = Duration::from_secs(4);

/// What one subscribes to, and in whose name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The record's URI.
    pub record: String,
    /// The subscriber's URI.
    pub subscriber: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.record, self.subscriber)
    }
}

/// How a dialog ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The subscriber asked for 0 seconds.
    Unsubscribed,
    /// It was not refreshed in time.
    Expired,
    /// A NOTIFY got this answer.
    Refused(u16),
    /// A NOTIFY got no answer.
    Silent,
}

/// A NOTIFY that waits for its answer.
pub struct Flight {
    pub(super) branch: String,
    pub(super) bytes: Vec<u8>,
    pub(super) told: usize,
    pub(super) first: Instant,
    pub(super) next: Instant,
    pub(super) pause: Duration,
}

/// The answer to a NOTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may still come.
    Waiting,
    /// None came within 32 seconds.
    None,
    /// A final one.
    Status(u16),
}

/// A NOTIFY.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// When it was sent first.
    pub at: Instant,
    /// Its dialog.
    pub dialog: usize,
    /// The state that it tells.
    pub state: u64,
    /// How often it was sent.
    pub copies: u32,
    /// Its answer.
    pub answer: Answer,
}

/// A dialog.
pub struct Dialog {
    /// What it is about.
    pub key: Key,
    /// Its Call-ID.
    pub call_id: String,
    /// The subscriber's tag.
    pub remote_tag: String,
    /// The highest CSeq of its SUBSCRIBEs.
    pub highest: u32,
    /// When it opened.
    pub opened: Instant,
    /// When it ends unless it is refreshed.
    pub expires_at: Instant,
    /// How and when it ended.
    pub end: Option<(End, Instant)>,
    /// The newest state that the subscriber has accepted.
    pub accepted: Option<u64>,
    pub(super) local_tag: String,
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) target: String,
    pub(super) event: String,
    pub(super) hop: SocketAddr,
    pub(super) notify_cseq: u32,
    pub(super) flight: Option<Flight>,
    /// A NOTIFY has to be sent although the state has not changed.
    pub(super) owes: bool,
    /// The NOTIFY on its way is the last one.
    pub(super) has_farewell: bool,
    /// When a NOTIFY that was refused for the moment is tried again.
    pub(super) again_at: Option<Instant>,
    /// Nothing is sent in it any more.
    pub(super) is_gone: bool,
}

impl Dialog {
    /// The dialog that a SUBSCRIBE opens.
    pub(super) fn open(message: &Message, number: usize, now: Instant) -> Dialog {
        let subscriber = message.uri_in("From").unwrap_or_default().to_owned();
        let target = message.uri_in("Contact").unwrap_or_default().to_owned();
        Dialog {
            key: Key { record: message.uri().to_owned(), subscriber },
            call_id: message.need("Call-ID").to_owned(),
            remote_tag: message.param("From", "tag").unwrap_or_default().to_owned(),
            highest: 0,
            opened: now,
            expires_at: now,
            end: None,
            accepted: None,
            local_tag: format!("n{number}"),
            local: message.need("To").to_owned(),
            remote: message.need("From").to_owned(),
            hop: target_of(&target),
            target,
            event: message.header("Event").unwrap_or("presence").to_owned(),
            notify_cseq: 0,
            flight: None,
            owes: true,
            has_farewell: false,
            again_at: None,
            is_gone: false,
        }
    }

    /// Whether the subscription is alive.
    pub fn is_live(&self) -> bool {
        self.end.is_none()
    }

    /// Whether a request belongs to it, by its Call-ID and the subscriber's tag.
    pub(super) fn is_of(&self, message: &Message) -> bool {
        message.header("Call-ID") == Some(&self.call_id) && message.param("From", "tag") == Some(&self.remote_tag)
    }

    /// A SUBSCRIBE may move the subscriber's target.
    pub(super) fn take_target(&mut self, message: &Message) {
        if let Some(target) = message.uri_in("Contact") {
            self.hop = target_of(target);
            target.clone_into(&mut self.target);
        }
    }

    /// It ends; the first end counts.
    pub(super) fn end(&mut self, end: End, now: Instant) {
        if self.end.is_none() {
            self.end = Some((end, now));
            self.owes = true;
        }
    }

    /// A NOTIFY is on its way.
    pub(super) fn fly(&mut self, branch: String, bytes: Vec<u8>, told: usize, now: Instant) {
        self.has_farewell = self.end.is_some();
        self.flight = Some(Flight { branch, bytes, told, first: now, next: now + T1, pause: T1 });
    }
}
