//! Between a row and the life of a subscription.

use std::time::Duration;

use super::clock::{ClockMap, Restart};
use super::cseq;
use super::fault::Unstorable;
use super::row::{RowMarks, RowOrigin, RowState, Run, StoredRow, Written};
use crate::subscription::{Socket, StoredAwaits, StoredDialog, StoredLife, StoredPhase};
use crate::time::Millis;

/// The facts of a row that are not in its subscription's life.
#[derive(Clone, Copy, Debug)]
pub struct RowTexts<'a> {
    /// The subscription's handle as a number.
    pub id: u64,
    /// Who has made it.
    pub origin: RowOrigin,
    /// The record.
    pub record: &'a [u8],
    /// The subscriber.
    pub subscriber: &'a [u8],
    /// The name of the package.
    pub package: &'a [u8],
    /// All options, as text.
    pub options: &'a [u8],
    /// What it is bound to.
    pub tie: &'a [u8],
    /// The socket of its dialog as transport:address:port, or nothing.
    pub socket: &'a [u8],
    /// The subscription of which it is another dialog, as a number; 0 for none.
    pub root: u64,
}

/// The longest time that a subscription without requested time may have left.
const LONGEST_UNASKED: Duration = Duration::from_secs(3600);

/// How much later than its expiry anything is planned in a row.
const MARGIN: Duration = Duration::from_secs(24 * 3600);

impl StoredRow {
    /// The row of a subscription now, as batch `written` of `run` writes it.
    ///
    /// # Errors
    /// [`Unstorable`].
    pub fn of(
        texts: &RowTexts<'_>,
        life: &StoredLife<'_>,
        (run, written): (Run, Written),
        now: ClockMap,
    ) -> Result<Self, Unstorable> {
        let dialog = life.dialog.unwrap_or_default();
        let (state, awaits) = match life.phase {
            StoredPhase::Waiting => (RowState::Waiting, StoredAwaits::Nothing),
            StoredPhase::Unconfirmed => (RowState::Unconfirmed, StoredAwaits::Nothing),
            StoredPhase::Confirmed(awaits) => (RowState::Confirmed, awaits),
            StoredPhase::Ending => (RowState::Ending, StoredAwaits::Nothing),
            StoredPhase::Local => (RowState::Local, StoredAwaits::Nothing),
        };
        let StoredDialog { is_target_told, known, requests, .. } = dialog;
        Ok(Self {
            id: texts.id,
            run,
            written,
            origin: texts.origin,
            record: text("record", texts.record)?,
            subscriber: text("subscriber", texts.subscriber)?,
            package: text("package", texts.package)?,
            options: text("options", texts.options)?,
            tie: text("tie", texts.tie)?,
            state,
            status: life.status,
            call_id: text("call_id", dialog.call_id)?,
            local_tag: text("local_tag", dialog.local_tag)?,
            remote_tag: text("remote_tag", dialog.remote_tag)?,
            target: text("target", dialog.target)?,
            route_set: text("route_set", dialog.route_set)?,
            entity_tag: text("entity_tag", dialog.entity_tag)?,
            source: text("source", dialog.source)?,
            led_to: text("led_to", dialog.led_to)?,
            socket: text("socket", texts.socket)?,
            has_flow: dialog.has_flow,
            local_cseq: cseq::stored(life.local_cseq),
            remote_cseq: dialog.remote_cseq,
            version: dialog.version,
            expires_at: now.to_unix(life.expiry),
            next_at: now.to_unix(life.next),
            sent_at: now.to_unix(life.last_sent),
            opened_at: now.to_unix(life.opened),
            notify_by: now.to_unix(life.notify_by),
            requested: life.requested_expires,
            min_expires: life.min_expires,
            retries: life.retries,
            proxy: life.proxy,
            marks: RowMarks { is_target_told, known, awaits, requests },
            root: texts.root,
            fork: life.fork,
            updated: now.to_unix(Some(now.mono)),
        })
    }

    /// The life of the row's subscription in the run that begins, `socket` being what [`socket`](Self::socket) names there.
    ///
    /// If its CSeqs are used up, it has no dialog any more. No time is left beyond the time that was requested, whatever the clocks say.
    #[must_use]
    pub fn life(&self, socket: Option<Socket>, restart: &Restart) -> StoredLife<'_> {
        let now = restart.clock;
        let resumed = cseq::resumed(self.local_cseq, self.run, self.updated, restart);
        let dialog = resumed.filter(|_| !self.call_id.is_empty()).map(|_| self.dialog(socket));
        let phase = match self.state {
            RowState::Local => StoredPhase::Local,
            RowState::Ending => StoredPhase::Ending,
            RowState::Unconfirmed if dialog.is_some() => StoredPhase::Unconfirmed,
            RowState::Confirmed if dialog.is_some() => StoredPhase::Confirmed(self.marks.awaits),
            RowState::Waiting | RowState::Unconfirmed | RowState::Confirmed => StoredPhase::Waiting,
        };
        let left = match Duration::from_secs(self.requested.into()) {
            Duration::ZERO => LONGEST_UNASKED,
            requested => requested,
        };
        let soon = |at: u64| now.to_mono_within(at, self.updated, left.saturating_add(MARGIN));
        let past = |at: u64| now.to_mono(at, self.updated).map(|at: Millis| at.min(now.mono));
        StoredLife {
            dialog,
            phase,
            status: self.status,
            local_cseq: resumed.unwrap_or(0),
            requested_expires: self.requested,
            min_expires: self.min_expires,
            retries: self.retries,
            proxy: self.proxy,
            next: soon(self.next_at),
            last_sent: past(self.sent_at),
            opened: past(self.opened_at),
            expiry: now.to_mono_within(self.expires_at, self.updated, left),
            notify_by: soon(self.notify_by),
            fork: self.fork,
        }
    }

    fn dialog(&self, socket: Option<Socket>) -> StoredDialog<'_> {
        StoredDialog {
            call_id: self.call_id.as_bytes(),
            local_tag: self.local_tag.as_bytes(),
            remote_tag: self.remote_tag.as_bytes(),
            target: self.target.as_bytes(),
            route_set: self.route_set.as_bytes(),
            entity_tag: self.entity_tag.as_bytes(),
            source: self.source.as_bytes(),
            led_to: self.led_to.as_bytes(),
            socket,
            has_flow: self.has_flow,
            remote_cseq: self.remote_cseq,
            version: self.version,
            known: self.marks.known,
            is_target_told: self.marks.is_target_told,
            requests: self.marks.requests,
        }
    }
}

/// A text that every database can keep.
fn text(column: &'static str, bytes: &[u8]) -> Result<String, Unstorable> {
    let text = str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    text.map(str::to_owned).ok_or(Unstorable(column))
}
