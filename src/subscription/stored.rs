//! A subscription as a database keeps it: what another run of the server needs to go on in the same dialog.

use super::input::Socket;
use super::output::Status;
use crate::time::Millis;

/// Each time that so many requests have been sent, the CSeq is written as soon as a text: it does not wait with the numbers of others.
pub const CSEQS_UNWRITTEN: u32 = 32;

/// A subscription as it is kept. Nothing secret is in it: credentials and the realms' nonces are not kept.
///
/// Instants are those of the monotonic clock of the run that reads or writes it. Whoever keeps them for another run converts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredLife<'a> {
    /// The dialog, or the half of one that a first request begins.
    pub dialog: Option<StoredDialog<'a>>,
    /// How far it is.
    pub phase: StoredPhase,
    /// The status that its subscriber was told last; `None` before the first word.
    pub status: Option<Status>,
    /// CSeq of the newest request. To restore: a number that no request of this dialog was sent with, or a larger one.
    pub local_cseq: u32,
    /// Expires of the newest request, in seconds, or what was granted to it.
    pub requested_expires: u32,
    /// The longest Min-Expires that was obeyed, in seconds; 0 for none.
    pub min_expires: u32,
    /// Failures since the last success.
    pub retries: u16,
    /// Place of the outbound proxy in use, 0 to 7.
    pub proxy: u8,
    /// When the next SUBSCRIBE is due. `None`: it may have left already, or none is planned.
    pub next: Option<Millis>,
    /// When the newest SUBSCRIBE was sent.
    pub last_sent: Option<Millis>,
    /// When the SUBSCRIBE was sent that opened the dialog, to the second. `None`: long ago, or never.
    pub opened: Option<Millis>,
    /// When the granted time ends: of the dialog, or of an earlier one whose status is still believed.
    pub expiry: Option<Millis>,
    /// Until when a NOTIFY is awaited that has to come.
    pub notify_by: Option<Millis>,
    /// Which fork of a subscription it is; 0 for the subscription itself.
    pub fork: u8,
}

/// The dialog of a subscription as it is kept. All texts are byte for byte as they go on the wire, or empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredDialog<'a> {
    /// Call-ID; never empty.
    pub call_id: &'a [u8],
    /// From tag of the module's requests; never empty.
    pub local_tag: &'a [u8],
    /// To tag of the module's requests; empty until a notifier has answered.
    pub remote_tag: &'a [u8],
    /// URI of the remote target.
    pub target: &'a [u8],
    /// Value of the Route header of the module's requests.
    pub route_set: &'a [u8],
    /// Entity-tag of the newest state (RFC 5839).
    pub entity_tag: &'a [u8],
    /// URI of where the newest NOTIFY came from, where option `target` sends the requests there.
    pub source: &'a [u8],
    /// Host that a redirection has led the dialog to. It decides which credentials are shown there.
    pub led_to: &'a [u8],
    /// The socket its requests leave through.
    pub socket: Option<Socket>,
    /// Its requests go over a connection, which does not outlive the server.
    pub has_flow: bool,
    /// CSeq of the newest NOTIFY; `None` before one has made the dialog.
    pub remote_cseq: Option<u32>,
    /// Version of its newest document.
    pub version: u32,
    /// How complete its documents are: 0 no document with a version has come, 1 nothing is missing, 2 one is missing, 3 one is missing
    /// and has been asked for.
    pub known: u8,
    /// A NOTIFY has named the target.
    pub is_target_told: bool,
    /// How many requests have been sent in it, but for the one that opened it; 255 for more.
    pub requests: u8,
}

/// How far a kept subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredPhase {
    /// The next SUBSCRIBE opens a dialog. With a dialog, it has that one's Call-ID and tag.
    Waiting,
    /// The SUBSCRIBE that opens the dialog was in flight.
    Unconfirmed,
    /// The subscription is active, or a refresh was in flight.
    Confirmed(StoredAwaits),
    /// Its subscriber has gone. Without `notify_by` the notifier is to be told; with it, the notifier has been told, and its last NOTIFY
    /// is awaited until then.
    Ending,
    /// The server itself tells the state.
    Local,
}

/// The event that a confirmed subscription waits for besides its next SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredAwaits {
    /// Nothing.
    Nothing,
    /// The first NOTIFY of the dialog, or after a refresh.
    FirstNotify,
    /// The last NOTIFY: a 2xx has granted no time.
    LastNotify,
    /// A refresh has failed; the next SUBSCRIBE is a retry in the dialog.
    Retry,
    /// A refresh has failed and no retry fits before the expiry.
    Expiry,
}

impl StoredAwaits {
    /// All, in the order of their numbers, from 0 on.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::FirstNotify, Self::LastNotify, Self::Retry, Self::Expiry];

    /// The number that stands for it where it is kept.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The one with this number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}
