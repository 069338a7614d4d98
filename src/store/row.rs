//! A row: a subscription as the database has it.

use super::columns::{COLUMN_COUNT, SqlValue};
use crate::subscription::{Status, StoredAwaits};

/// A run of the server, as every statement names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The number of the server among those that use the database.
    pub node: u16,
    /// Which run of this server it is: one more each time, at most 2^31 - 1.
    pub epoch: u32,
}

/// Which statement has written a row: the epoch of its run, and the number of its batch in that run. A later one is larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written(u64);

impl Written {
    /// Of this batch of a run.
    #[must_use]
    pub fn new(run: Run, batch: u32) -> Self {
        Self(u64::from(run.epoch.min(i32::MAX.unsigned_abs())) << 32 | u64::from(batch))
    }

    /// Of the statement after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number in the column.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0.cast_signed()
    }

    /// Of the number in the column.
    #[must_use]
    pub(super) fn of(number: i64) -> Self {
        Self(number.max(0).cast_unsigned())
    }
}

/// Who has made a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOrigin {
    /// The script or an operator.
    Script,
    /// A row of a table of subscriptions.
    Table,
    /// A module of the server.
    Module,
    /// Several members of a share.
    Shared,
    /// It is another dialog of a subscription (RFC 6665 §4.1.4).
    Fork,
    /// Nobody any more: it is ended at the notifier.
    Ending,
}

/// The state of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// The next SUBSCRIBE opens a dialog.
    Waiting,
    /// The SUBSCRIBE that opens the dialog was in flight.
    Unconfirmed,
    /// The subscription is active.
    Confirmed,
    /// It is to end, or its last NOTIFY is awaited.
    Ending,
    /// The server itself tells the state.
    Local,
}

impl RowOrigin {
    const ALL: [Self; 6] = [Self::Script, Self::Table, Self::Module, Self::Shared, Self::Fork, Self::Ending];

    /// Its word in the column.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Table => "table",
            Self::Module => "module",
            Self::Shared => "shared",
            Self::Fork => "fork",
            Self::Ending => "ending",
        }
    }

    /// The one of this word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.word() == word)
    }
}

impl RowState {
    const ALL: [Self; 5] = [Self::Waiting, Self::Unconfirmed, Self::Confirmed, Self::Ending, Self::Local];

    /// Its word in the column.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Unconfirmed => "unconfirmed",
            Self::Confirmed => "confirmed",
            Self::Ending => "ending",
            Self::Local => "local",
        }
    }

    /// The one of this word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.word() == word)
    }
}

/// A row. Texts are without NUL, and instants are milliseconds since 1970, 0 for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// The subscription's handle as a number.
    pub id: u64,
    /// The run that has written it.
    pub run: Run,
    /// The statement that has written it.
    pub written: Written,
    /// Who has made it.
    pub origin: RowOrigin,
    /// The record.
    pub record: String,
    /// The subscriber.
    pub subscriber: String,
    /// The name of the package.
    pub package: String,
    /// All options, as text.
    pub options: String,
    /// The address of record whose registration it is bound to (flag `r`), `call` with flag `d`, or nothing.
    pub tie: String,
    /// Its state.
    pub state: RowState,
    /// The status that its subscriber was told last.
    pub status: Option<Status>,
    /// Call-ID; empty without a dialog.
    pub call_id: String,
    /// From tag; empty without a dialog.
    pub local_tag: String,
    /// To tag, or nothing.
    pub remote_tag: String,
    /// Remote target, or nothing.
    pub target: String,
    /// Route set, or nothing.
    pub route_set: String,
    /// Entity-tag of the newest state, or nothing.
    pub entity_tag: String,
    /// Where the newest NOTIFY came from, or nothing.
    pub source: String,
    /// The host that a redirection has led the dialog to, or nothing.
    pub led_to: String,
    /// The socket as transport:address:port, or nothing.
    pub socket: String,
    /// Its requests went over a connection.
    pub has_flow: bool,
    /// A CSeq above the newest one ([`cseq`](super::cseq)).
    pub local_cseq: u32,
    /// CSeq of the newest NOTIFY, once one has made the dialog.
    pub remote_cseq: Option<u32>,
    /// Version of the newest document.
    pub version: u32,
    /// When the granted time ends.
    pub expires_at: u64,
    /// When the next SUBSCRIBE is due.
    pub next_at: u64,
    /// When the newest SUBSCRIBE was sent.
    pub sent_at: u64,
    /// When the dialog was opened.
    pub opened_at: u64,
    /// Until when a NOTIFY is awaited.
    pub notify_by: u64,
    /// Expires of the newest request, in seconds.
    pub requested: u32,
    /// The longest Min-Expires that was obeyed, in seconds.
    pub min_expires: u32,
    /// Failures since the last success.
    pub retries: u16,
    /// Place of the outbound proxy.
    pub proxy: u8,
    /// What else there is to know of a dialog.
    pub marks: RowMarks,
    /// The subscription of which it is another dialog, as a number; 0 for none.
    pub root: u64,
    /// Which other dialog it is; 0 for none.
    pub fork: u8,
    /// When it was written.
    pub updated: u64,
}

/// What else there is to know of a dialog: bits of the column `marks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowMarks {
    /// A NOTIFY has named the target.
    pub is_target_told: bool,
    /// How complete its documents are, 0 to 3.
    pub known: u8,
    /// The event that a confirmed subscription waits for.
    pub awaits: StoredAwaits,
    /// How many requests have been sent in it, but for the first.
    pub requests: u8,
}

impl RowMarks {
    /// Nothing.
    pub(super) const NONE: Self = Self { is_target_told: false, known: 0, awaits: StoredAwaits::Nothing, requests: 0 };

    const KNOWN: u16 = 1;
    const AWAITS: u16 = 3;
    const HAS_CSEQ: u16 = 6;
    const REQUESTS: u16 = 8;

    /// The number in the column. It also says whether there is a CSeq of a NOTIFY, which may be 0.
    fn number(self, has_remote_cseq: bool) -> u16 {
        u16::from(self.is_target_told)
            | u16::from(self.known & 3) << Self::KNOWN
            | u16::from(self.awaits.number()) << Self::AWAITS
            | u16::from(has_remote_cseq) << Self::HAS_CSEQ
            | u16::from(self.requests) << Self::REQUESTS
    }

    /// Of the number in the column, and whether there is a CSeq of a NOTIFY; `None` for a number that is never written.
    pub(super) fn of(number: u16) -> Option<(Self, bool)> {
        let [low, requests] = number.to_le_bytes();
        let awaits = StoredAwaits::of(low >> Self::AWAITS & 7)?;
        let marks = Self { is_target_told: low & 1 == 1, known: low >> Self::KNOWN & 3, awaits, requests };
        let has_remote_cseq = low >> Self::HAS_CSEQ & 1 == 1;
        (marks.number(has_remote_cseq) == number).then_some((marks, has_remote_cseq))
    }
}

/// The state of a row without a subscription: it has ended. The row is there so that no earlier statement that is carried out late brings it
/// back.
pub(super) const TOMBSTONE: &str = "ended";

/// The word for no status.
pub(super) const NO_STATUS: &str = "none";

impl StoredRow {
    /// The values of its columns, in the order of [`COLUMNS`](super::COLUMNS).
    #[must_use]
    pub fn values(&self) -> [SqlValue<'_>; COLUMN_COUNT] {
        let handle = |id: u64| SqlValue::Number(id.cast_signed());
        let instant = |at: u64| SqlValue::Number(i64::try_from(at).unwrap_or(i64::MAX));
        let marks = self.marks.number(self.remote_cseq.is_some());
        [
            handle(self.id),
            SqlValue::Number(self.run.node.into()),
            SqlValue::Number(self.run.epoch.into()),
            SqlValue::Number(self.written.number()),
            SqlValue::Text(self.origin.word()),
            SqlValue::Text(&self.record),
            SqlValue::Text(&self.subscriber),
            SqlValue::Text(&self.package),
            SqlValue::Text(&self.options),
            SqlValue::Text(&self.tie),
            SqlValue::Text(self.state.word()),
            SqlValue::Text(self.status.map_or(NO_STATUS, Status::name)),
            SqlValue::Text(&self.call_id),
            SqlValue::Text(&self.local_tag),
            SqlValue::Text(&self.remote_tag),
            SqlValue::Text(&self.target),
            SqlValue::Text(&self.route_set),
            SqlValue::Text(&self.entity_tag),
            SqlValue::Text(&self.source),
            SqlValue::Text(&self.led_to),
            SqlValue::Text(&self.socket),
            SqlValue::Number(self.has_flow.into()),
            SqlValue::Number(self.local_cseq.into()),
            SqlValue::Number(self.remote_cseq.unwrap_or(0).into()),
            SqlValue::Number(self.version.into()),
            instant(self.expires_at),
            instant(self.next_at),
            instant(self.sent_at),
            instant(self.opened_at),
            instant(self.notify_by),
            SqlValue::Number(self.requested.into()),
            SqlValue::Number(self.min_expires.into()),
            SqlValue::Number(self.retries.into()),
            SqlValue::Number(self.proxy.into()),
            SqlValue::Number(marks.into()),
            handle(self.root),
            SqlValue::Number(self.fork.into()),
            instant(self.updated),
        ]
    }
}
