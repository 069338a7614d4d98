//! The part of a subscription that operators see.

use super::dialog::Dialog;
use super::machine::Subscription;
use super::options::Options;
use super::output::{Status, Untold};
use super::package::PackageNumber;
use crate::memory::SharedAlloc;
use crate::time::{Millis, seconds_up};

/// A copy of everything worth showing, in the process's own memory (law L2). Text that is no UTF-8 is shown as well as
/// it can be; what there is none of is empty or 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// URI of the record.
    pub record: String,
    /// URI of the subscriber.
    pub subscriber: String,
    /// Event type.
    pub package: PackageNumber,
    /// Event `id` parameter (RFC 6665 §8.2.1).
    pub event_id: String,
    /// What was asked for; the filter has its number only.
    pub options: Options,
    /// Name of the state.
    pub state: &'static str,
    /// Status last told to the internal subscriber; "none" before the first word.
    pub status: &'static str,
    /// Seconds until the granted time ends.
    pub expires_in: Option<u32>,
    /// Seconds until the deadline: the next SUBSCRIBE, or the end of waiting for something.
    pub next_action_in: Option<u32>,
    /// Call-ID of the dialog.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The notifier's tag.
    pub remote_tag: String,
    /// CSeq of the newest SUBSCRIBE.
    pub local_cseq: u32,
    /// CSeq of the newest NOTIFY of the dialog.
    pub remote_cseq: u32,
    /// Remote target: where the next SUBSCRIBE of the dialog goes (RFC 3261 §12.2.1.1).
    pub remote_target: String,
    /// URI of where the newest NOTIFY came from, if requests of the dialog may go there; empty if not.
    pub source: String,
    /// Failures since the last success.
    pub retries: u32,
    /// Code of the newest final reply; 0 for a failure without one.
    pub last_reply: u16,
    /// Its reason phrase, or the reason of the newest failure or termination.
    pub last_reason: String,
    /// NOTIFYs accepted.
    pub notifies: u32,
    /// Contacts that could not be a target.
    pub bad_contacts: u16,
    /// NOTIFYs that were not told, in the order of [`Untold::ALL`].
    pub untold: [u32; Untold::ALL.len()],
    /// Number of the fork; 0 for the subscription itself.
    pub fork: u8,
}

impl<A: SharedAlloc> Subscription<A> {
    /// The view for operators, now.
    #[must_use]
    pub fn snapshot(&self, now: Millis) -> Snapshot {
        let dialog = self.dialog.as_ref();
        let in_seconds = |at: Millis| seconds_up(at.since(now));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let of_dialog = |part: fn(&Dialog<A>) -> &[u8]| text(dialog.map_or(&[], part));
        Snapshot {
            record: text(self.record()),
            subscriber: text(self.subscriber()),
            package: self.package(),
            event_id: text(self.event_id()),
            options: self.options(),
            state: self.state().name(),
            status: self.status().map_or(Status::NONE, Status::name),
            expires_in: dialog.and_then(Dialog::expiry).map(in_seconds),
            next_action_in: self.deadline().map(in_seconds),
            call_id: of_dialog(Dialog::call_id),
            local_tag: of_dialog(Dialog::local_tag),
            remote_tag: of_dialog(Dialog::remote_tag),
            local_cseq: self.local_cseq,
            remote_cseq: dialog.and_then(Dialog::remote_cseq).unwrap_or(0),
            remote_target: of_dialog(Dialog::target),
            source: text(self.source().unwrap_or_default()),
            retries: self.retries.into(),
            last_reply: self.last_reply,
            last_reason: self.last_reason().as_str().to_owned(),
            notifies: self.notifies,
            bad_contacts: self.bad_contacts(),
            untold: self.untold(),
            fork: self.fork,
        }
    }
}
